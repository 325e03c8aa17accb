"""Pictures of evidence, as data: the claim decides what is drawn, the report how.

A claim's `picture` is called once, after its verdict, and returns one of these or a tuple of them.
They consist of numbers and strings, so that they travel from a worker to the report as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from theory_checks.evidence.verdict import Compared

MOST_POINTS = 200  # of a series; no screen shows more
MOST_CELLS = 64  # rows or columns of a heat map; nobody reads more
LONGEST_TICK = 18  # characters of a name below an axis that has many
MOST_NUMBERED = 12  # long names in a caption
DIGITS = 5  # significant digits of every number


class Style(StrEnum):
    """How a series is drawn. A bound is what the claim is about; a reference is less prominent."""

    LINE = "line"
    POINTS = "points"
    BARS = "bars"
    BOUND = "bound"
    REFERENCE = "reference"


@dataclass(frozen=True)
class Series:
    """One curve, cloud or row of bars.

    name: for the legend
    x: positions on the horizontal axis
    y: values there; NaN is a gap
    low, high: lower or upper ends of an interval around each y, both or neither
    style: how it is drawn

    Raises ValueError if the lengths differ.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    style: Style = Style.LINE

    def __post_init__(self) -> None:
        lengths = {
            len(values) for values in (self.x, self.y, self.low, self.high) if values is not None
        }
        if len(lengths) > 1 or (self.low is None) != (self.high is None):
            raise ValueError(
                f"series {self.name!r}: x, y, low and high need the same length, and low needs high"
            )


@dataclass(frozen=True)
class Lines:
    """Series over a common axis.

    title: one line above the picture
    x_label, y_label: names of the axes
    series: what is drawn
    log_x, log_y: whether the axis is logarithmic
    caption: what to see in it
    ticks: names of the positions 0, 1, 2, ... on the horizontal axis, where x counts cases
    type: tells the kinds of picture apart
    """

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_x: bool = False
    log_y: bool = False
    caption: str = ""
    ticks: Sequence[str] = ()
    type: Annotated[str, {"enum": ("lines",)}] = "lines"


@dataclass(frozen=True)
class Heatmap:
    """A table of numbers as colours.

    title: one line above the picture
    rows, columns: their names
    values: values[row][column]; NaN is a gap
    row_label, column_label: what rows or columns are
    caption: what to see in it
    low, high: ends of the scale; null: those of the values
    joint: title of the larger table that several claims fill together, with values in [0, 1]; empty
        if there is none
    type: tells the kinds of picture apart

    Raises ValueError if the values do not fit the names, or there are more than MOST_CELLS rows or
    columns.
    """

    title: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float]]
    row_label: str = ""
    column_label: str = ""
    caption: str = ""
    low: float | None = None
    high: float | None = None
    joint: str = ""
    type: Annotated[str, {"enum": ("heatmap",)}] = "heatmap"

    def __post_init__(self) -> None:
        if len(self.values) != len(self.rows) or any(
            len(row) != len(self.columns) for row in self.values
        ):
            raise ValueError(
                f"heat map {self.title!r}: needs {len(self.rows)} rows of {len(self.columns)}"
                " values"
            )
        if max(len(self.rows), len(self.columns)) > MOST_CELLS:
            raise ValueError(
                f"heat map {self.title!r}: {len(self.rows)} x {len(self.columns)} cells, at most"
                f" {MOST_CELLS} a side"
            )


Picture = Lines | Heatmap


def of_comparison(compared: Compared) -> Lines:
    """Expected and observed side by side. Of long names the MOST_NUMBERED with the largest
    differences are numbered, and stand in the caption."""
    longest = max(map(len, compared.names), default=0)
    chosen = list(range(len(compared.observed)))
    if longest > LONGEST_TICK:
        pairs = list(zip(compared.observed, compared.expected, strict=True))
        chosen.sort(key=lambda i: -abs(pairs[i][0] - pairs[i][1]))
        chosen = sorted(chosen[:MOST_NUMBERED])
    names = [compared.names[i] for i in chosen] if compared.names else []
    ticks = [str(i) for i in range(1, len(names) + 1)] if longest > LONGEST_TICK else names
    key = [f"{i}: {name}" for i, name in zip(ticks, names, strict=True) if i != name]
    x = tuple(range(len(names))) if names else compared.at
    seen, claimed, low, high = (
        tuple(values[i] for i in chosen) if values else ()
        for values in (compared.observed, compared.expected, compared.low, compared.high)
    )
    return Lines(
        f"Claimed and observed{f': {compared.what}' if compared.what else ''}",
        compared.axis,
        compared.values,
        (
            Series(
                "observed", x, seen, low or None, high or None, Style.BARS if names else Style.LINE
            ),
            Series("claimed", x, claimed, style=Style.POINTS if names else Style.BOUND),
        ),
        caption="; ".join(key),
        ticks=tuple(ticks),
    )


def compact(picture: Picture) -> Picture:
    """The picture as the report keeps it: thinned, and rounded to DIGITS significant digits. What
    is not finite becomes NaN, a gap.

    Raises TypeError if it is not a picture.
    """
    if isinstance(picture, Heatmap):
        return replace(picture, values=tuple(map(_rounded, picture.values)))
    if isinstance(picture, Lines):
        return replace(picture, series=tuple(map(_thinned, picture.series)))
    raise TypeError(f"not a picture: {type(picture).__name__}")


def _thinned(series: Series) -> Series:
    """At most MOST_POINTS points of the series, evenly spaced, both ends included."""
    n = len(series.x)
    points = min(n, MOST_POINTS)
    kept = [round(i * (n - 1) / max(points - 1, 1)) for i in range(points)]
    low, high = (
        None if values is None else _rounded([values[i] for i in kept])
        for values in (series.low, series.high)
    )
    x, y = (_rounded([values[i] for i in kept]) for values in (series.x, series.y))
    return replace(series, x=x, y=y, low=low, high=high)


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(f"{v:.{DIGITS}g}") if math.isfinite(v) else math.nan for v in values)
