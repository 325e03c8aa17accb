"""Statements that a computation decides, to a rounding tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .sampling import Array, require_level
from .verdict import Evidence, NotANumber, Verdict

# What each axis of a table is: its name, with the names of its places if they have any.
Axes = Sequence[str | tuple[str, Any]]


@dataclass(frozen=True)
class Exact:
    """A statement that was decided when it was made: it needs no samples and raises no false
    alarm."""

    evidence: Evidence

    def samples_needed(self, alpha: float) -> int:
        """No samples: 0."""
        require_level(alpha)
        return 0

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """The evidence; neither the stream nor the budget matters."""
        require_level(alpha)
        return self.evidence


def at_most(
    observed: npt.ArrayLike,
    bound: npt.ArrayLike,
    *,
    tolerance: npt.ArrayLike = 0.0,
    detail: str = "",
    axes: Axes = (),
) -> Exact:
    """observed <= bound + tolerance, entry by entry. The evidence shows the entry furthest beyond
    (or closest to) its bound.

    Tightness is the largest observed / bound over the entries with a positive bound and observed >=
    0.

    axes: what the axes of the entries are, for example "step" and ("role", ("centre", "noise")); as
        many as there are, or none

    Raises ValueError for another number of axes or of names on an axis.
    """
    return _decide(_Entries.of(observed, bound, tolerance, detail, axes), 1, detail)


def at_least(
    observed: npt.ArrayLike,
    bound: npt.ArrayLike,
    *,
    tolerance: npt.ArrayLike = 0.0,
    detail: str = "",
    axes: Axes = (),
) -> Exact:
    """observed >= bound - tolerance, entry by entry; tightness is the largest bound / observed
    where both are positive. axes: as in `at_most`."""
    return _decide(_Entries.of(observed, bound, tolerance, detail, axes), -1, detail)


def equal(
    observed: npt.ArrayLike,
    expected: npt.ArrayLike,
    *,
    tolerance: npt.ArrayLike,
    detail: str = "",
    axes: Axes = (),
) -> Exact:
    """|observed - expected| <= tolerance, entry by entry (in the sup norm, for a scalar tolerance).

    In the evidence, `observed` is the difference furthest beyond (or closest to) its tolerance, and
    `bound` is that tolerance; `detail` has what was observed and expected there. axes: as in
    `at_most`.
    """
    entries = _Entries.of(observed, expected, tolerance, detail, axes)
    x, e = entries.observed, entries.bound
    # Equal infinities differ by 0.
    distance = np.abs(np.subtract(x, e, where=x != e, out=np.zeros_like(x)))
    away = replace(entries, observed=distance, bound=entries.slack, slack=np.zeros_like(x))
    evidence = _decide(away, 1, detail).evidence
    worst = away.worst(1)
    here, there = float(x[worst]), float(e[worst])
    differ = f"; they differ by {evidence.observed:.3g}" if evidence.observed else ""
    if differ and evidence.bound:  # else the two are whole numbers, or the same to the last digit
        differ = f"{_ratio(here, there)}{differ}, rounding explains {evidence.bound:.2g}"
    compared = f"{_apart(here, there)[0]}, claimed {_apart(here, there)[1]}{differ}"
    return Exact(
        replace(
            evidence,
            resolution=evidence.bound,
            sense="~",
            detail=_line(
                detail, compared, entries.place(worst), away.spread(distance > entries.slack)
            ),
        )
    )


def none_of(events: npt.ArrayLike, *, detail: str, of: str = "entries", axes: Axes = ()) -> Exact:
    """None of the events happens; the evidence counts them and shows the first.

    events: booleans
    detail: what does not happen
    of: what it could happen to
    axes: as in `at_most`
    """
    happened = np.asarray(events, dtype=bool)
    entries = _Entries.of(happened, 0.0, 0.0, detail, axes)
    count, size = int(happened.sum()), happened.size
    first = int(happened.argmax())
    evidence = _decide(_Entries.of(count, 0.0, 0.0, detail, ()), 1, detail).evidence
    compared = f"{count} of {size} {of}, claimed 0"
    where = entries.place(first).replace("at", "first at", 1) if count else ""
    return Exact(replace(evidence, detail=_line(detail, compared, where)))


@dataclass(frozen=True)
class _Entries:
    """What is compared, entry by entry, all flat.

    shape, axes: what they were before
    """

    observed: Array
    bound: Array
    slack: Array
    shape: tuple[int, ...]
    axes: Axes

    @classmethod
    def of(
        cls,
        observed: npt.ArrayLike,
        bound: npt.ArrayLike,
        tolerance: npt.ArrayLike,
        detail: str,
        axes: Axes,
    ) -> _Entries:
        values = (np.asarray(value, dtype=float) for value in (observed, bound, tolerance))
        arrays = np.broadcast_arrays(*values)
        shape = arrays[0].shape
        x, b, slack = (np.ravel(array) for array in arrays)
        for name, array in (("observed", x), ("bound", b), ("tolerance", slack)):
            if array.size == 0:
                raise ValueError(f"{name} is empty: nothing to compare")
            if np.isnan(array).any():
                raise NotANumber(f"{detail or name}: {name} is not a number in {_share(array)}")
        if np.isinf(slack).any():
            raise NotANumber(f"{detail or 'tolerance'}: the size of rounding errors is infinite")
        if not (slack >= 0).all():
            raise ValueError(f"tolerance = {slack.min()} must be at least 0")
        if axes and len(axes) != len(shape):
            raise ValueError(f"axes = {axes} must name all {len(shape)} axes of {shape}")
        for axis, length in zip(axes, shape, strict=False):
            if not isinstance(axis, str) and len(axis[1]) != length:
                raise ValueError(f"axis {axis[0]} has {len(axis[1])} names for {length} places")
        return cls(x, b, slack, shape, axes)

    def worst(self, side: int) -> int:
        """The entry furthest beyond, or closest to, its bound."""
        return int(np.argmin(side * (self.bound - self.observed) + self.slack))

    def place(self, entry: int) -> str:
        """Where an entry is, in words; empty if there is only one."""
        index = [int(i) for i in np.unravel_index(entry, self.shape)]
        if not self.axes:
            return f"at entry {index}" if len(self.observed) > 1 else ""
        # An axis of one place tells nothing, unless the place has a name.
        words = [
            f"{axis} {i}" if isinstance(axis, str) else f"{axis[0]} {_named(axis[1][i])}"
            for axis, i, length in zip(self.axes, index, self.shape, strict=True)
            if length > 1 or not isinstance(axis, str)
        ]
        return f"at {', '.join(words)}" if words else ""

    def spread(self, beyond: Array) -> str:
        """At how many places of each axis some entry is beyond its bound; empty if none is."""
        if len(beyond) == 1 or not beyond.any():
            return ""
        if not self.axes:
            return f"beyond in {int(beyond.sum())} of {len(beyond)} entries"
        where = np.nonzero(beyond.reshape(self.shape))
        counts = [
            f"{len(np.unique(found))} of {length} {axis if isinstance(axis, str) else axis[0]}s"
            for axis, found, length in zip(self.axes, where, self.shape, strict=True)
            if length > 1
        ]
        return f"beyond in {', '.join(counts)}"


def _named(place: Any) -> str:
    return place if isinstance(place, str) else f"{float(place):.6g}"


def _share(array: Array) -> str:
    """How many entries are NaN, of how many."""
    return f"{int(np.isnan(array).sum())} of {array.size} entries"


def _apart(x: float, b: float) -> tuple[str, str]:
    """The two numbers with as many digits as tell them apart: a violation must not read like a true
    statement."""
    digits = next((d for d in (6, 9, 12) if f"{x:.{d}g}" != f"{b:.{d}g}"), 17) if x != b else 6
    return f"{x:.{digits}g}", f"{b:.{digits}g}"


def _ratio(x: float, b: float) -> str:
    """How many times the claimed value the observed one is, in brackets; empty where that says
    nothing."""
    if not b or not 0 < x / b < np.inf:
        return ""
    return f" ({_apart(x / b, 1.0)[0] if abs(x / b - 1) < 0.01 else f'{x / b:.3g}'} times)"


def _line(detail: str, compared: str, *more: str) -> str:
    return "; ".join(filter(None, (f"{detail}: {compared}" if detail else compared, *more)))


def _decide(entries: _Entries, side: int, detail: str) -> Exact:
    """The statement that observed is at most (side 1) or at least (side -1) the bound."""
    observed, bound, slack = entries.observed, entries.bound, entries.slack
    if ((observed == bound) & np.isinf(bound)).any():
        what = detail or "observed"
        raise NotANumber(f"{what}: observed and bound are both infinite")
    margin = side * (bound - observed) + 0.0  # not -0.0
    numerator, denominator = (observed, bound) if side == 1 else (bound, observed)
    positive = (numerator >= 0) & (denominator > 0) & (bound > 0)
    ratios = numerator[positive] / denominator[positive]
    worst = entries.worst(side)
    x, b = float(observed[worst]), float(bound[worst])
    verdict = Verdict.HOLDS if margin[worst] + slack[worst] >= 0 else Verdict.VIOLATED
    sense = "<=" if side == 1 else ">="
    shown, limit = _apart(x, b)
    times = _ratio(x, b) if verdict is Verdict.VIOLATED else ""
    return Exact(
        Evidence(
            verdict=verdict,
            observed=x,
            bound=b,
            margin=float(margin[worst]),
            tightness=float(ratios.max()) if ratios.size else None,
            resolution=float(slack[worst]),
            samples=0,
            false_alarm=0.0,
            false_pass=0.0,
            stopped="exact",
            detail=_line(
                detail,
                f"{shown}, claimed {sense} {limit}{times}",
                entries.place(worst),
                entries.spread(margin + slack < 0),
            ),
            sense=sense,
        )
    )
