"""Joint tables in words: of the cells of a table, and of the tables that remain when some of its
axes are summed over, those in which what was seen is furthest from what is claimed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .sampling import Array
from .verdict import Compared

# What the digits of a cell's number are: each axis with what its places are. A place may be a tuple
# of facts, each of which is looked at alone.
Digits = Sequence[tuple[str, Sequence[object]]]

MOST_AXES = 3  # that are looked at together
MOST_NAMED = 3  # cells in a text
MOST_DRAWN = 24  # cells in a picture
CLEAR = 3.0  # standard errors from which a cell is worth a word, besides the furthest
AS_CLEAR = 0.75  # a table with fewer axes is preferred if its furthest cell is as far as this


@dataclass(frozen=True)
class Table:
    """What numbers of cells mean.

    axes: the digits of the number, the first one changing fastest; cells beyond are `beyond`
    of: what is counted
    beyond: what no cell of the axes is
    """

    axes: Digits
    of: str
    beyond: str

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many places each axis has."""
        return tuple(len(places) for _, places in self.axes)


def table(axes: Digits, cells: int, of: str, beyond: str) -> Table:
    """A table of this many cells; without axes, the cells have numbers only.

    Raises ValueError if the axes have more cells.
    """
    found = Table(axes or (("cell", range(cells)),), of, beyond)
    if (size := int(np.prod(found.sizes))) > cells:
        raise ValueError(f"axes of {size} cells for a table of {cells}")
    return found


@dataclass(frozen=True)
class _Part:
    """A table that is summed over other axes.

    names: of its cells
    observed, expected: their shares
    away: their distance in standard errors
    """

    names: tuple[str, ...]
    observed: Array
    expected: Array
    away: Array


def compared(counts: Array, probabilities: Array, found: Table, what: str) -> tuple[str, Compared]:
    """The cells that are furthest from what is claimed, in words, and the table that they are from,
    for a picture."""
    n = int(counts.sum())
    parts = list(_parts(counts / n, probabilities, found, n))
    furthest = [float(part.away.max()) for part in parts]
    enough = AS_CLEAR * max(furthest) if np.isfinite(max(furthest)) else np.inf
    part = next(p for p, far in zip(parts, furthest, strict=True) if far >= enough)
    order = np.argsort(-part.away, kind="stable")
    named = [i for i in order[:MOST_NAMED] if part.away[i] >= CLEAR] or list(order[:1])
    text = "; ".join(
        f"{part.names[i]}: {_percent(part.observed[i], part.expected[i])} of {n} {found.of},"
        f" claimed {_percent(part.expected[i], part.observed[i])}"
        f"{_times(part.observed[i], part.expected[i])}"
        for i in named
    )
    drawn = np.sort(order[:MOST_DRAWN])
    drawn = drawn[(part.observed[drawn] > 0) | (part.expected[drawn] > 0)]
    return text, Compared(
        what,
        tuple(part.names[i] for i in drawn),
        (),
        tuple(map(float, part.observed[drawn])),
        tuple(map(float, part.expected[drawn])),
        values=f"share of {n} {found.of}",
    )


@dataclass(frozen=True)
class _View:
    """One fact about every cell.

    names: what it may be
    codes: the number of its name, for every cell
    """

    names: tuple[str, ...]
    codes: Array


def _views(found: Table) -> Iterator[_View]:
    """What is looked at, the axis that changes slowest first."""
    digits = np.unravel_index(np.arange(int(np.prod(found.sizes))), found.sizes, order="F")
    for (name, places), digit in zip(reversed(found.axes), reversed(digits), strict=True):
        facts = [place if isinstance(place, tuple) else (place,) for place in places]
        for alternatives in zip(*facts, strict=True):
            names = tuple(dict.fromkeys(alternatives))
            codes = np.array([names.index(fact) for fact in alternatives])
            yield _View(tuple(f"{name} {fact}".strip() for fact in names), codes[digit])


def _parts(observed: Array, expected: Array, found: Table, n: int) -> Iterator[_Part]:
    """What lies beyond the axes, then the tables of one axis, of two, and so on."""
    size = int(np.prod(found.sizes))
    if size < len(observed):
        seen, claimed = (np.array([values[size:].sum()]) for values in (observed, expected))
        yield _part((found.beyond,), seen, claimed, n)
    views = list(_views(found))
    for few in range(1, min(MOST_AXES, len(views)) + 1):
        for kept in itertools.combinations(views, few):
            shape = [len(view.names) for view in kept]
            cells = np.ravel_multi_index([view.codes for view in kept], shape)
            seen, claimed = (
                np.bincount(cells, values[:size], int(np.prod(shape)))
                for values in (observed, expected)
            )
            names = itertools.product(*(view.names for view in kept))
            yield _part(tuple(map(" and ".join, names)), seen, claimed, n)


def _part(names: tuple[str, ...], observed: Array, expected: Array, n: int) -> _Part:
    error = np.sqrt(expected * (1 - np.minimum(expected, 1)) / n)
    difference = np.abs(observed - expected)
    # What is claimed to be impossible, or certain, is infinitely far off if it is not.
    far = np.where(difference > 1e-9, np.inf, 0.0)
    away = np.divide(difference, error, out=far, where=error > 1e-12)
    return _Part(names, observed, expected, away)


def _percent(share: float, other: float) -> str:
    digits = next(d for d in (3, 4, 6) if d == 6 or f"{share:.{d}g}" != f"{other:.{d}g}")
    return f"{100 * share:.{digits}g} %"


def _times(observed: float, expected: float) -> str:
    return f" ({observed / expected:.3g} times)" if expected > 0 else ""
