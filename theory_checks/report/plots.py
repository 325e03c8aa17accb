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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import (
    FixedLocator,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
    StrMethodFormatter,
)

from theory_checks.checking.pictures import Heatmap, Lines, Picture, Series, Style

SERIES = 6  # colours for series, which people who do not see red or green can tell apart
COLOURS = (
    *("ink", "muted", "grid", "paper", "high", "low"),
    *("holds", "violated", "inconclusive", "vacuous", "error", "not-run", "finding"),
    *(f"series-{i}" for i in range(SERIES)),
)
PLACEHOLDER = re.compile("#fe00([0-9a-f]{2})")
LONG_NUMBER = re.compile(r"\d+\.\d{3,}")


def colour(role: str) -> str:
    """The placeholder of a role."""
    return f"#fe00{COLOURS.index(role):02x}"


SIZE = 8.5  # of text, in points
WIDTH = 310  # of a picture, in points
MOST_SIZES = 6  # numbers on an axis of problem sizes
PIXELS = 1.4  # per point, where there is room
RULES: Any = {  # Any, since matplotlib's own type lists all of its parameters
    "svg.fonttype": "none",
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


QUIET = {Style.BOUND: "ink", Style.REFERENCE: "muted"}  # styles without a colour of their own
DASHES: Any = {
    Style.BOUND: {"dashes": (5, 2), "linewidth": 1.3, "zorder": 3},
    Style.REFERENCE: {"dashes": (1.5, 1.5), "linewidth": 1.2, "zorder": 2.5},
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

    name: unique in the page, and so are then all ids in the SVG
    width: of a heat map, in points
    """
    with matplotlib.rc_context({**RULES, "svg.hashsalt": name}):  # of ids
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
    legend: dict[tuple[str, str], dict[str, None]] = {}  # names in order, once each
    bars = [series for series in picture.series if series.style is Style.BARS]
    for series in picture.series:
        role = QUIET.get(series.style) or f"series-{next(coloured) % SERIES}"
        _series(axes, series, colour(role), bars)
        if series.name:
            legend.setdefault((series.style.value, role), {})[series.name] = None
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
    return figure, tuple(Key(tuple(names), *key) for key, names in legend.items())


def _series(axes: Axes, series: Series, ink: str, bars: Sequence[Series]) -> None:
    x, y, low, high = (
        np.asarray([] if values is None else values, float)
        for values in (series.x, series.y, series.low, series.high)
    )
    away = np.maximum([y - low, high - y], 0) if low.size else None
    if series.style is Style.BARS:
        width = 0.8 / len(bars)
        x = x + width * (bars.index(series) - (len(bars) - 1) / 2)
        whiskers = {"ecolor": colour("ink"), "elinewidth": 0.9, "capsize": 2}
        axes.bar(x, y, 0.9 * width, color=ink, yerr=away, error_kw=whiskers)
    elif series.style is Style.POINTS:
        axes.errorbar(x, y, away, fmt="o", color=ink, elinewidth=1.0, capsize=2.5)
    else:
        axes.plot(x, y, color=ink, **DASHES.get(series.style, {}))
        if low.size:
            axes.fill_between(x, low, high, color=ink, alpha=0.15, linewidth=0)


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
    letter = 0.58 * SIZE
    left = 10 + 14 * bool(picture.row_label) + letter * max(map(len, picture.rows))
    width = (whole_width - left - 8) / columns
    longest = letter * max(map(len, picture.columns))
    slanted = longest > width
    above = 8 + 14 * bool(picture.column_label) + (0.72 * longest if slanted else 14)
    last = 0.77 * letter * len(picture.columns[-1]) + 0.64 * SIZE - width / 2
    right = max(8.0, last) if slanted else 8.0
    height = min(22.0, max(8.0, 240 / rows))
    figure, axes = _axes(
        whole_width, above + rows * height + 6, left=left, right=right, top=above, bottom=6
    )
    values = np.asarray(picture.values, float)
    finite = values[np.isfinite(values)] if np.isfinite(values).any() else np.zeros(1)
    low = finite.min() if picture.low is None else picture.low
    high = finite.max() if picture.high is None else picture.high
    origin, most = (0, max(-low, high)) if low < 0 < high else (low, high - low)
    for (i, j), value in np.ndenumerate(values):
        if not math.isfinite(value):
            continue
        strength = min(abs(value - origin) / most, 1.0) if most > 0 else 0.0
        hue, alpha = colour("low" if value < origin else "high"), 0.06 + 0.94 * strength
        axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, facecolor=hue, alpha=alpha, linewidth=0))
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
    axes.spines[:].set_visible(False)
    return figure, ()


# From a figure to the text of an SVG


def _axes(
    width: float, height: float, *, left: float, right: float, top: float, bottom: float
) -> tuple[Figure, Axes]:
    """A figure of this size with one pair of axes inside these margins, in points."""
    figure = Figure(figsize=(width / 72, height / 72))
    figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
    return figure, figure.subplots()


def _svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an element of the page, without style sheet and fonts. Only what is referred to
    has an id."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(text.getvalue())
    for element in root.iter():
        for unwanted in [child for child in element if child.tag.endswith(("}metadata", "}style"))]:
            element.remove(unwanted)
        element.tag = element.tag.rpartition("}")[2]  # in a page, SVG needs no name spaces
        element.attrib = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        if element.tag == "g":
            element.attrib.pop("id", None)
        _rewrite(element.attrib)
    box = root.get("viewBox", "")
    label = ElementTree.Element("title", {"id": f"{name}-title"})
    label.text = title
    label.tail = "\n"
    root.insert(0, label)
    root.attrib = {
        "viewBox": box,
        "width": f"{PIXELS * float(box.split()[2]):.0f}",
        "role": "img",
        "aria-labelledby": f"{name}-title",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _rewrite(attributes: dict[str, str]) -> None:
    """Rewrites numbers, fonts and colours of one element, in place."""
    for key in {"d", "x", "y", "transform", "points"} & attributes.keys():
        attributes[key] = " ".join(
            LONG_NUMBER.sub(lambda m: f"{float(m[0]):.4g}", attributes[key]).split()
        )
    if "style" in attributes:
        style = re.sub(r"font-family[^;]*(; |$)", "", attributes["style"])
        attributes["style"] = PLACEHOLDER.sub(lambda m: f"var(--{COLOURS[int(m[1], 16)]})", style)
