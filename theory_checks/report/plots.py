"""Pictures as SVG elements of the page, drawn by matplotlib in colours that the page chooses, light
or dark.

matplotlib draws in placeholder colours, one for each role; in the text of the SVG these become CSS
variables. Only this module imports matplotlib, and the page imports it when it is rendered.
"""

from __future__ import annotations

import io
import itertools
import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path
from matplotlib.ticker import (
    FixedLocator,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from theory_checks.checking.claim import with_dependencies
from theory_checks.checking.pictures import Heatmap, Lines, Picture, Series, Style
from theory_checks.checking.record import Record
from theory_checks.report.words import group_of, slug

SERIES = 6  # colours for series, which people who do not see red or green can tell apart
COLOURS = (
    *("ink", "muted", "grid", "paper", "high", "low"),
    *("holds", "violated", "inconclusive", "vacuous", "error", "not-run"),
    *(f"series-{i}" for i in range(SERIES)),
)
PLACEHOLDER = re.compile("#fe00([0-9a-f]{2})")
LONG_NUMBER = re.compile(r"\d+\.\d{3,}")
REFERENCE = re.compile(r"#([\w.-]+)")
MARKED = "data "  # a gid of matplotlib that begins so becomes attributes: "data id=S.3"


def colour(role: str) -> str:
    """The placeholder of a role."""
    return f"#fe00{COLOURS.index(role):02x}"


SIZE = 8.5  # of text, in points
WIDTH = 310  # of a picture, in points
MOST_SIZES = 6  # numbers on an axis of problem sizes
PIXELS = 1.4  # per point, where there is room
RULES: Any = {  # Any, since matplotlib's own type lists all of its parameters
    "svg.fonttype": "none",
    "svg.hashsalt": "theory-report",
    "text.parse_math": False,
    "font.size": SIZE,
    "text.color": colour("ink"),
    "axes.labelcolor": colour("ink"),
    "axes.edgecolor": colour("muted"),
    "xtick.color": colour("muted"),
    "ytick.color": colour("muted"),
    "xtick.labelcolor": colour("ink"),
    "ytick.labelcolor": colour("ink"),
    "grid.color": colour("grid"),
    "grid.linewidth": 0.6,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.5,
    "lines.markersize": 4.5,
}


@dataclass(frozen=True)
class Key:
    """A line of a picture's legend.

    names: of the series that are drawn in this style and colour
    style: of Style
    role: of the colour
    """

    names: tuple[str, ...]
    style: str
    role: str


@dataclass(frozen=True)
class Drawing:
    """A picture as the page shows it.

    svg: the element
    title, caption: text above or below it
    legend: outside the SVG, as text that can wrap
    """

    svg: str
    title: str
    caption: str
    legend: tuple[Key, ...]


def drawn(picture: Picture, name: str, width: float = WIDTH) -> Drawing:
    """The picture as SVG.

    name: unique in the page; all ids in the SVG begin with it
    width: of a heat map, in points
    """
    with matplotlib.rc_context(RULES):
        figure, legend = (
            _heatmap(picture, width) if isinstance(picture, Heatmap) else _lines(picture)
        )
        return Drawing(_svg(figure, name, picture.title), picture.title, picture.caption, legend)


# Curves, clouds and bars


def _lines(picture: Lines) -> tuple[Figure, tuple[Key, ...]]:
    longest = max(map(len, picture.ticks), default=0)
    slanted = len(picture.ticks) > 3 and longest > 6
    below = 36 + (0.72 * longest * SIZE * 0.6 if slanted else 0)
    figure, axes = _axes(WIDTH, 160 + below, left=50, right=10, top=8, bottom=below)
    coloured = itertools.count()
    legend: dict[tuple[str, str], list[str]] = {}
    bars = [series for series in picture.series if series.style is Style.BARS]
    for series in picture.series:
        role = {Style.BOUND: "ink", Style.REFERENCE: "muted"}.get(
            series.style
        ) or f"series-{next(coloured) % SERIES}"
        _series(axes, series, colour(role), bars)
        names = legend.setdefault((series.style.value, role), [])
        if series.name and series.name not in names:
            names.append(series.name)
    _scale(axes, picture)
    axes.set_xlabel(picture.x_label)
    axes.set_ylabel(picture.y_label)
    axes.grid(axis="y")
    if picture.ticks:
        axes.set_xticks(
            range(len(picture.ticks)),
            picture.ticks,
            rotation=40 if slanted else 0,
            ha="right" if slanted else "center",
        )
    return figure, tuple(
        Key(tuple(names), style, role) for (style, role), names in legend.items() if names
    )


def _series(axes: Axes, series: Series, ink: str, bars: Sequence[Series]) -> None:
    x, y = np.asarray(series.x, dtype=float), np.asarray(series.y, dtype=float)
    interval = (
        None
        if series.low is None or series.high is None
        else (np.asarray(series.low, float), np.asarray(series.high, float))
    )
    away = None if interval is None else np.maximum([y - interval[0], interval[1] - y], 0)
    match series.style:
        case Style.BARS:
            width = 0.8 / len(bars)
            x = x + width * (bars.index(series) - (len(bars) - 1) / 2)
            axes.bar(
                x,
                y,
                0.9 * width,
                color=ink,
                yerr=away,
                error_kw={"ecolor": colour("ink"), "elinewidth": 0.9, "capsize": 2},
            )
        case Style.POINTS:
            axes.errorbar(x, y, away, fmt="o", color=ink, elinewidth=1.0, capsize=2.5)
        case _:
            dashes: dict[str, Any] = {
                Style.BOUND: {"dashes": (5, 2), "linewidth": 1.3, "zorder": 3},
                Style.REFERENCE: {"dashes": (1.5, 1.5), "linewidth": 1.2, "zorder": 2.5},
            }.get(series.style, {})
            axes.plot(x, y, color=ink, **dashes)
            if interval is not None:
                axes.fill_between(x, *interval, color=ink, alpha=0.15, linewidth=0)


def _scale(axes: Axes, picture: Lines) -> None:
    """Sets logarithmic axes, where requested and a positive value exists, and ticks as plain
    numbers."""
    for axis, log, values in (
        (axes.xaxis, picture.log_x, [v for s in picture.series for v in s.x]),
        (
            axes.yaxis,
            picture.log_y,
            [v for s in picture.series for part in (s.y, s.low, s.high) for v in part or ()],
        ),
    ):
        positive = sorted({value for value in values if value > 0 and math.isfinite(value)})
        if not (log and positive):
            axis.set_major_locator(
                MaxNLocator(
                    4, integer=axis is axes.xaxis and all(v == round(v) for v in values if v == v)
                )
            )
        else:
            (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
            sizes = axis is axes.xaxis and len(positive) <= MOST_SIZES
            subs = (1, 2, 5) if positive[-1] < 50 * positive[0] else (1,)
            axis.set_major_locator(
                FixedLocator(_apart(positive)) if sizes else LogLocator(subs=subs, numticks=6)
            )
            axis.set_minor_locator(NullLocator())
            axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _apart(values: Sequence[float]) -> list[float]:
    """The largest set of the increasing values, from the first, whose labels do not touch on a
    logarithmic axis."""
    room = math.log(values[-1] / values[0]) / MOST_SIZES
    kept = [values[0]]
    kept += [b for a, b in itertools.pairwise(values) if math.log(b / a) >= room]
    return kept


# Heat maps


def _heatmap(picture: Heatmap, whole_width: float) -> tuple[Figure, tuple[Key, ...]]:
    """Cells in one hue, stronger for larger values, or in two if the scale has values on both sides
    of 0; with their numbers where there is room."""
    rows, columns = len(picture.rows), len(picture.columns)
    left = 10 + (14 if picture.row_label else 0) + 0.58 * SIZE * max(map(len, picture.rows))
    above = 8.0 + (14 if picture.column_label else 0)
    longest = max(map(len, picture.columns))
    width = (whole_width - left - 8) / columns
    slanted = 0.58 * SIZE * longest > width
    above += 0.72 * 0.58 * SIZE * longest if slanted else 14
    right = (
        max(8.0, (0.77 * 0.58 * len(picture.columns[-1]) + 0.64) * SIZE - width / 2)
        if slanted
        else 8.0
    )
    height = min(22.0, max(8.0, 240 / rows))
    figure, axes = _axes(
        whole_width, above + rows * height + 6, left=left, right=right, top=above, bottom=6
    )
    finite = [v for row in picture.values for v in row if math.isfinite(v)] or [0.0]
    low = min(finite) if picture.low is None else picture.low
    high = max(finite) if picture.high is None else picture.high
    most = max(abs(low), abs(high)) if low < 0 < high else high - low
    for (i, row), j in itertools.product(enumerate(picture.values), range(columns)):
        value = row[j]
        if not math.isfinite(value):
            continue
        from_end = value if low < 0 < high else value - low
        strength = min(abs(from_end) / most, 1.0) if most > 0 else 0.0
        hue = colour("low" if from_end < 0 else "high")
        axes.add_patch(
            Rectangle(
                (j - 0.5, i - 0.5), 1, 1, facecolor=hue, alpha=0.06 + 0.94 * strength, linewidth=0
            )
        )
        if width >= 26 and height >= 12:
            axes.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=SIZE - 1)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    every = max(1, math.ceil(9 / height))
    axes.set_xticks(
        range(columns),
        picture.columns,
        rotation=40 if slanted else 0,
        ha="left" if slanted else "center",
    )
    axes.set_yticks(range(0, rows, every), picture.rows[::every])
    axes.tick_params(length=0)
    axes.set_xlabel(picture.column_label)
    axes.set_ylabel(picture.row_label)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure, ()


# The graph of dependencies


COLUMN, ROW, BOX = 76, 25, (44, 16)  # points


def graph(
    records: Sequence[Record], doubted: Container[str], groups: Mapping[str, str], name: str
) -> str:
    """Which claim builds on which, without the edges that follow from others, as an SVG. Every node
    links to #claim-ID; nodes and edges carry their ids as data attributes.

    doubted: ids of the claims that build on broken ones
    groups: names of the groups, in the order of their columns
    name: all ids in the SVG begin with it
    """
    by_id = {record.id: record for record in records}
    edges = _reduced(by_id)
    columns = [[claim_id for claim_id in by_id if group_of(claim_id) == group] for group in groups]
    places = _places([column for column in columns if column], edges)
    used = [group for group, column in zip(groups, columns, strict=True) if column]
    tallest = max(map(len, columns))
    with matplotlib.rc_context(RULES):
        figure, axes = _axes(
            len(used) * COLUMN, (tallest + 1) * ROW, left=0, right=0, top=0, bottom=0
        )
        axes.set_axis_off()
        axes.set_xlim(-COLUMN / 2, (len(used) - 0.5) * COLUMN)
        axes.set_ylim((tallest - 0.5) * ROW, -1.5 * ROW)
        for x, group in enumerate(used):
            axes.text(
                x * COLUMN,
                -ROW,
                groups[group],
                ha="center",
                va="center",
                color=colour("muted"),
                fontsize=SIZE - 1,
            )
        for lemma, claim_id in edges:
            carried = claim_id in doubted and (lemma in doubted or by_id[lemma].broken)
            _edge(axes, lemma, claim_id, places, "violated" if carried else "muted")
        for record in records:
            _node(axes, record, places[record.id], record.id in doubted)
        return _svg(figure, name, "Which claim builds on which", role="group")


def _reduced(records: Mapping[str, Record]) -> list[tuple[str, str]]:
    """The edges (lemma, id) that do not follow from others: no other lemma of the same claim builds
    on this one. In a cycle all edges stay."""
    below = {
        claim_id: with_dependencies(record.depends_on, records)
        for claim_id, record in records.items()
    }
    return sorted(
        (lemma, claim_id)
        for claim_id, record in records.items()
        for lemma in record.depends_on
        if lemma in records
        and not any(
            lemma in below[other] and other not in below[lemma]
            for other in set(record.depends_on) & set(records)
        )
    )


def _places(
    columns: Sequence[Sequence[str]], edges: Iterable[tuple[str, str]]
) -> dict[str, tuple[float, float]]:
    """Where each node is, in points: columns are centred, and sorted by the mean height of
    neighbours, so that few edges cross."""
    tallest = max(map(len, columns))
    near: dict[str, list[str]] = {}
    for one, other in edges:
        near.setdefault(one, []).append(other)
        near.setdefault(other, []).append(one)
    orders = [list(column) for column in columns]

    def heights() -> dict[str, float]:
        return {
            claim_id: (y + (tallest - len(order)) / 2) * ROW
            for order in orders
            for y, claim_id in enumerate(order)
        }

    for sweep in range(12):
        for index in range(len(orders)) if sweep % 2 == 0 else reversed(range(len(orders))):
            height = heights()
            inside = set(orders[index])

            def mean(
                claim_id: str, height: Mapping[str, float] = height, inside: set[str] = inside
            ) -> float:
                outside = [height[other] for other in near.get(claim_id, ()) if other not in inside]
                return sum(outside) / len(outside) if outside else height[claim_id]

            orders[index].sort(key=mean)
    height = heights()
    return {
        claim_id: (x * COLUMN, height[claim_id])
        for x, order in enumerate(orders)
        for claim_id in order
    }


def _edge(
    axes: Axes, lemma: str, claim_id: str, places: Mapping[str, tuple[float, float]], role: str
) -> None:
    (x0, y0), (x1, y1) = places[lemma], places[claim_id]
    half = BOX[0] / 2
    if x0 == x1:
        bend = 8 + 0.14 * abs(y1 - y0)
        points = [(x0 + half, y0), (x0 + half + bend, y0), (x1 + half + bend, y1), (x1 + half, y1)]
    else:
        way = math.copysign(1, x1 - x0)
        start, end = x0 + way * half, x1 - way * half
        bend = way * max(18.0, 0.4 * abs(end - start))
        points = [(start, y0), (start + bend, y0), (end - bend, y1), (end, y1)]
    curve = PathPatch(
        Path(points, [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]),
        facecolor="none",
        edgecolor=colour(role),
        linewidth=0.6 if role == "muted" else 1.4,
        zorder=1 if role == "muted" else 1.5,
    )
    curve.set_gid(f"{MARKED}from={lemma} to={claim_id}")
    axes.add_patch(curve)


def _node(axes: Axes, record: Record, place: tuple[float, float], doubted: bool) -> None:
    (x, y), (width, height) = place, BOX
    outline = colour(slug(record.verdict))
    box = FancyBboxPatch(
        (x - width / 2 + 3, y - height / 2 + 3),
        width - 6,
        height - 6,
        boxstyle="round,pad=3,rounding_size=3",
        facecolor=colour("paper"),
        edgecolor=outline,
        linewidth=1.2,
        linestyle=(0, (2, 1.5)) if doubted else "solid",
        zorder=2,
    )
    box.set_gid(f"{MARKED}id={record.id}")
    label = axes.text(x, y, record.id, ha="center", va="center", zorder=3, color=outline)
    for artist in (box, label):
        artist.set_url(f"#claim-{record.id}")
    axes.add_patch(box)


# From a figure to the text of an SVG


def _axes(
    width: float, height: float, *, left: float, right: float, top: float, bottom: float
) -> tuple[Figure, Axes]:
    """A figure of this size with one pair of axes inside these margins, in points."""
    figure = Figure(figsize=(width / 72, height / 72))
    place = (
        left / width,
        bottom / height,
        (width - left - right) / width,
        (height - top - bottom) / height,
    )
    return figure, figure.add_axes(place)


def _svg(figure: Figure, name: str, title: str, role: str = "img") -> str:
    """The figure as an element of the page, without style sheet and fonts. Its ids are those that
    are referred to, and begin with the name."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(text.getvalue())
    referred = {
        target
        for element in root.iter()
        for value in element.attrib.values()
        for target in REFERENCE.findall(value)
    }
    for element in root.iter():
        for unwanted in [child for child in element if child.tag.endswith(("}metadata", "}style"))]:
            element.remove(unwanted)
        element.tag = element.tag.rpartition("}")[2]  # in a page, SVG needs no name spaces
        element.attrib = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        _rewrite(element.attrib, name, referred)
    box = root.get("viewBox", "")
    label = ElementTree.Element("title", {"id": f"{name}-title"})
    label.text = title
    label.tail = "\n"
    root.insert(0, label)
    root.attrib = {
        "viewBox": box,
        "width": f"{PIXELS * float(box.split()[2]):.0f}",
        "role": role,
        "aria-labelledby": f"{name}-title",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _rewrite(attributes: dict[str, str], name: str, referred: set[str]) -> None:
    """Rewrites ids, colours and numbers of one element, in place."""
    own = attributes.pop("id", "")
    if own.startswith(MARKED):
        attributes.update(_data(own))
    elif own in referred:
        attributes["id"] = f"{name}-{own}"
    for key in ("href", "clip-path"):
        if not attributes.get(key, "#claim-").startswith("#claim-"):
            attributes[key] = attributes[key].replace("#", f"#{name}-")
    for key in ("d", "x", "y", "transform", "points"):
        if key in attributes:
            attributes[key] = " ".join(
                LONG_NUMBER.sub(lambda m: f"{float(m[0]):.4g}", attributes[key]).split()
            )
    if "style" in attributes:
        kept = (
            part for part in attributes["style"].split("; ") if not part.startswith("font-family")
        )
        attributes["style"] = PLACEHOLDER.sub(
            lambda m: f"var(--{COLOURS[int(m[1], 16)]})", "; ".join(kept)
        )


def _data(marked: str) -> dict[str, str]:
    return {
        f"data-{key}": value
        for key, _, value in (part.partition("=") for part in marked.removeprefix(MARKED).split())
    }
