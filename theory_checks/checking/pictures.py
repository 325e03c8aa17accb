"""Pictures of evidence, as data: a claim says what to draw, the report how.

A claim's `picture` is called once, after its verdict, and returns one of these or a tuple of them.
They are plain numbers and strings, so that they travel from a worker to the report as JSON. Nothing
is imported here that takes time to import.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

MOST_POINTS = 200  # of a series; more are thinned, since no screen shows them
MOST_CELLS = 64  # rows or columns of a heat map; more are refused, since nobody reads them
DIGITS = 5  # significant digits kept of every number


class Style(StrEnum):
    """How a series is drawn. bound: the line that a claim is about; reference: something to compare
    with, less prominent."""

    LINE = "line"
    POINTS = "points"
    BARS = "bars"
    BOUND = "bound"
    REFERENCE = "reference"


@dataclass(frozen=True)
class Series:
    """One curve, cloud or row of bars; low and high are the ends of an interval around each y.

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
                f"series {self.name!r}: x, y, low and high need one length, and low and high each"
                " other"
            )


@dataclass(frozen=True)
class Lines:
    """Series over a common axis. ticks: names for the places 0, 1, 2, ... on the x axis, where x
    counts cases."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_x: bool = False
    log_y: bool = False
    caption: str = ""
    ticks: Sequence[str] = ()


@dataclass(frozen=True)
class Heatmap:
    """A table of numbers as colours: values[row][column]; low and high fix the ends of the scale,
    by default those of the data.

    joint: the title of a larger table that this one is part of, together with those of other
    claims; its values lie in [0, 1].

    Raises ValueError if the table does not fit its names, or is larger than anyone reads.
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


def to_plain(picture: Picture) -> dict[str, Any]:
    """The picture as JSON has it, thinned and rounded; numbers that JSON lacks (infinity, NaN)
    become None, a gap."""
    if isinstance(picture, Lines):
        picture = replace(picture, series=tuple(map(thinned, picture.series)))
    return {"type": type(picture).__name__.lower(), **_rounded(asdict(picture))}


def from_plain(value: Mapping[str, Any]) -> Picture:
    """The inverse of `to_plain`, with gaps as NaN. Raises ValueError if the value is no picture."""
    fields = {
        name: _with_gaps(entry) if name in ("values", "series") else entry
        for name, entry in value.items()
        if name != "type"
    }
    try:
        match value.get("type"):
            case "heatmap":
                return Heatmap(**fields)
            case "lines":
                series = [
                    Series(**{**entry, "style": Style(entry["style"])})
                    for entry in fields.pop("series")
                ]
                return Lines(series=tuple(series), **fields)
    except (TypeError, KeyError) as error:
        raise ValueError(f"not a picture: {error}") from error
    raise ValueError(f"not a picture: type {value.get('type')!r}")


def thinned(series: Series) -> Series:
    """At most MOST_POINTS points of the series, evenly chosen, both ends included."""
    n = len(series.x)
    if n <= MOST_POINTS:
        return series
    kept = [round(i * (n - 1) / (MOST_POINTS - 1)) for i in range(MOST_POINTS)]
    low, high = (
        None if values is None else [values[i] for i in kept]
        for values in (series.low, series.high)
    )
    return replace(
        series, x=[series.x[i] for i in kept], y=[series.y[i] for i in kept], low=low, high=high
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _rounded(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    if isinstance(value, bool | str) or value is None:
        return value
    return float(f"{float(value):.{DIGITS}g}") if math.isfinite(value) else None


def _with_gaps(value: Any) -> Any:
    """None is NaN where a number belongs; low and high of a series may be None as a whole."""
    if isinstance(value, Mapping):
        return {name: None if entry is None else _with_gaps(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_with_gaps(entry) for entry in value]
    return math.nan if value is None else value
