"""Statements that a computation decides, to a rounding tolerance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .sampling import Array, require_level
from .verdict import Evidence, NotANumber, Verdict


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
) -> Exact:
    """observed <= bound + tolerance, entry by entry. The evidence shows the entry furthest beyond
    (or closest to) its bound.

    Tightness is the largest observed / bound over the entries with a positive bound and observed >=
    0.
    """
    return _decide(*_broadcast(observed, bound, tolerance, detail), 1, detail)


def at_least(
    observed: npt.ArrayLike,
    bound: npt.ArrayLike,
    *,
    tolerance: npt.ArrayLike = 0.0,
    detail: str = "",
) -> Exact:
    """observed >= bound - tolerance, entry by entry; tightness is the largest bound / observed
    where both are positive."""
    return _decide(*_broadcast(observed, bound, tolerance, detail), -1, detail)


def equal(
    observed: npt.ArrayLike, expected: npt.ArrayLike, *, tolerance: npt.ArrayLike, detail: str = ""
) -> Exact:
    """|observed - expected| <= tolerance, entry by entry (in the sup norm, for a scalar tolerance).

    In the evidence, `observed` is the difference furthest beyond (or closest to) its tolerance, and
    `bound` is that tolerance.
    """
    x, e, slack = _broadcast(observed, expected, tolerance, detail)
    # Equal infinities differ by 0.
    distance = np.abs(np.subtract(x, e, where=x != e, out=np.zeros_like(x)))
    evidence = at_most(distance, slack, detail=detail or "largest difference").evidence
    return Exact(replace(evidence, resolution=evidence.bound))


def _broadcast(
    observed: npt.ArrayLike, bound: npt.ArrayLike, tolerance: npt.ArrayLike, detail: str
) -> tuple[Array, Array, Array]:
    values = (np.asarray(value, dtype=float) for value in (observed, bound, tolerance))
    x, b, slack = (np.ravel(array) for array in np.broadcast_arrays(*values))
    for name, array in (("observed", x), ("bound", b), ("tolerance", slack)):
        if array.size == 0:
            raise ValueError(f"{name} is empty: nothing to compare")
        if np.isnan(array).any():
            raise NotANumber(f"{detail or name}: {name} is not a number in {_share(array)}")
    if np.isinf(slack).any():
        raise NotANumber(f"{detail or 'tolerance'}: the size of rounding errors is infinite")
    if not (slack >= 0).all():
        raise ValueError(f"tolerance = {slack.min()} must be at least 0")
    return x, b, slack


def _share(array: Array) -> str:
    """How many entries are NaN, of how many."""
    return f"{int(np.isnan(array).sum())} of {array.size} entries"


def _decide(observed: Array, bound: Array, slack: Array, side: int, detail: str) -> Exact:
    """The statement that observed is at most (side 1) or at least (side -1) the bound."""
    if ((observed == bound) & np.isinf(bound)).any():
        what = detail or "observed"
        raise NotANumber(f"{what}: observed and bound are both infinite")
    margin = side * (bound - observed) + 0.0  # not -0.0
    numerator, denominator = (observed, bound) if side == 1 else (bound, observed)
    positive = (numerator >= 0) & (denominator > 0) & (bound > 0)
    ratios = numerator[positive] / denominator[positive]
    worst = int(np.argmin(margin + slack))
    x, b = float(observed[worst]), float(bound[worst])
    # A violation must not read like a true inequality.
    digits = next((d for d in (6, 9, 12) if f"{x:.{d}g}" != f"{b:.{d}g}"), 17) if x != b else 6
    comparison = f"{x:.{digits}g} {'<=' if side == 1 else '>='} {b:.{digits}g}"
    return Exact(
        Evidence(
            verdict=Verdict.HOLDS if margin[worst] + slack[worst] >= 0 else Verdict.VIOLATED,
            observed=x,
            bound=b,
            margin=float(margin[worst]),
            tightness=float(ratios.max()) if ratios.size else None,
            resolution=float(slack[worst]),
            samples=0,
            false_alarm=0.0,
            false_pass=0.0,
            stopped="exact",
            detail=f"{detail}: {comparison}" if detail else comparison,
        )
    )
