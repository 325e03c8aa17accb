"""Trends between two sizes, by exact rank-sum tests over all pairs of replicates.

A quantity is measured once per replicate: x_1 .. x_m at a smaller and y_1 .. y_n at a larger size,
all independent. The statement is about whole laws: Y is stochastically at most f X. At its boundary
y_1 .. y_n and f x_1 .. f x_m are exchangeable, so the count of pairs with y_j < f x_i has the exact
law of Mann and Whitney (1947), whatever the law of X. Inside, the number is stochastically larger.

`violated`: "Y is at most f X" is rejected at alpha. `holds`: "Y is at least g X", with a factor g >
f stated in advance, is rejected at 5 %. Ties count against whichever of the two is tested: a
quantity that is 0 throughout neither falls nor grows, and is `inconclusive`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import design, laws
from .sampling import Array, finite, require_between, require_budget, require_level
from .statements import REPLICATES_STOPPED
from .verdict import Compared, Evidence, HypothesesNotMet, NotANumber, Verdict


@lru_cache(maxsize=64)
def rank_sum_tail(first: int, second: int) -> Array:
    """P(U <= u) for u = 0 .. first second, where U counts the pairs with y < x among so many
    exchangeable values x and y.

    The numbers of orders with U = u are the coefficients of the Gaussian binomial, as exact
    integers: row by row, the largest value is an x (and precedes no y) or a y.
    """
    coefficients = [1] + [0] * (first * second)
    for i in range(1, second + 1):
        # times (1 - q^(first + i)) / (1 - q^i)
        for u in range(first * second, first + i - 1, -1):
            coefficients[u] -= coefficients[u - first - i]
        for u in range(i, first * second + 1):
            coefficients[u] += coefficients[u - i]
    total = math.comb(first + second, second)
    running, tail = 0, []
    for count in coefficients:
        running += count
        tail.append(running / total)
    return np.array(tail)


@dataclass(frozen=True)
class Trend:
    """Y is stochastically at most `factor` X.

    sizes: the smaller and the larger
    values: one for each replicate, >= 0, at the smaller and at the larger size
    factor, beyond: f and g of the module's docstring; factor < beyond
    detail: what the quantity is
    """

    sizes: tuple[int, int]
    values: tuple[Array, Array]
    factor: float
    beyond: float
    detail: str

    def samples_needed(self, alpha: float) -> int:
        """All replicates at both sizes. Raises HypothesesNotMet if they are too few to refute the
        statement at alpha, whatever they were."""
        require_level(alpha)
        x, y = self.values
        if rank_sum_tail(len(x), len(y))[0] > alpha:
            raise HypothesesNotMet(
                f"{self.detail}: {len(x)} and {len(y)} replicates are too few to refute a trend"
            )
        return len(x) + len(y)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Two exact rank-sum tests (module docstring); the stream is not used."""
        samples = self.samples_needed(alpha)
        require_budget(budget, samples)
        x, y = self.values
        tail = rank_sum_tail(len(x), len(y))
        below = int((y[:, None] <= self.factor * x).sum())  # ties for the statement
        above = int((y[:, None] >= self.beyond * x).sum())  # ties against it
        if tail[below] <= alpha:
            verdict = Verdict.VIOLATED
        elif tail[above] <= design.FALSE_PASS * (1 + laws.ROUNDING):
            verdict = Verdict.HOLDS
        else:
            verdict = Verdict.INCONCLUSIVE
        change = self._change()
        stretch = math.log(self.sizes[1] / self.sizes[0])
        low, high = self.sizes
        return Evidence(
            verdict=verdict,
            observed=change,
            bound=self.factor,
            margin=self.factor - change,
            tightness=change / self.factor,
            resolution=self.beyond - self.factor,
            samples=samples,
            false_alarm=alpha,
            false_pass=design.FALSE_PASS,
            stopped=REPLICATES_STOPPED[verdict],
            detail=(
                f"{self.detail}: {change:.3g} times as large at {high} as at {low}, claimed <="
                f" {self.factor:.3g} times; exponent {math.log(change) / stretch:.2f}"
                if change > 0
                else f"{self.detail}: 0 at {high}"
            )
            + f"; medians {np.median(x):.3g}, {np.median(y):.3g}",
            path=((samples, change),),
            spread=math.inf,
            sense="<=",
            compared=self._compared(),
        )

    def _compared(self) -> Compared:
        """The medians at both sizes, with the quartiles, and the largest median that is claimed."""
        medians = [float(np.median(values)) for values in self.values]
        low, high = (
            tuple(float(np.quantile(values, q)) for values in self.values) for q in (0.25, 0.75)
        )
        return Compared(
            self.detail,
            tuple(map(str, self.sizes)),
            (),
            tuple(medians),
            (medians[0], self.factor * medians[0]),
            low,
            high,
            axis="size",
            values="median, with quartiles",
        )

    def _change(self) -> float:
        """The median of y / x over all pairs (Hodges and Lehmann 1963)."""
        x, y = self.values
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.nan_to_num(y[:, None] / x, nan=1.0, posinf=np.inf).ravel()
        return float(min(np.sort(ratios)[len(ratios) // 2], np.finfo(float).max))


def changes_at_most(
    values: Mapping[int, Array], factor: float, *, beyond: float, detail: str
) -> Trend:
    """From the first size to the last a quantity >= 0 changes at most by `factor`; changes by
    `beyond` or more are rejected at 5 % where this holds.

    values: by size, one for each replicate, independent of each other
    """
    require_between("factor", factor, 0, math.inf)
    require_between("beyond - factor", beyond - factor, 0, math.inf)
    sizes = _increasing(sorted(values))
    ends = []
    for size in (sizes[0], sizes[-1]):
        measured = np.asarray(values[size], dtype=float)
        if measured.ndim != 1 or (measured < 0).any():
            raise ValueError(f"values at size {size} must be at least 0, one a replicate")
        if not np.isfinite(measured).all():
            raise NotANumber(f"{detail}: not a number at size {size}")
        ends.append(measured)
    return Trend((sizes[0], sizes[-1]), (ends[0], ends[1]), factor, beyond, detail)


def falls_at_least(
    values: Mapping[int, Array], exponent: float, *, slowest: float, detail: str
) -> Trend:
    """A quantity >= 0 falls at least like size^-exponent from the first size to the last; falls
    like size^-slowest or slower are rejected at 5 % where this holds.

    values: by size, one for each replicate, independent of each other
    slowest: at least 0, below the exponent
    """
    if not 0 <= slowest < exponent:
        raise ValueError(f"slowest = {slowest} must lie in [0, exponent) = [0, {exponent})")
    stretch = max(values) / min(values)
    return changes_at_most(values, stretch**-exponent, beyond=stretch**-slowest, detail=detail)


def fitted_exponent(
    sizes: Sequence[int],
    values: Sequence[Array],
    seed: int,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float, float]:
    """The slope of the least-squares line of log median on log size, and the limits of its
    percentile bootstrap interval over replicates: (slope, low, high). For display only, never for a
    verdict.

    The interval has no finite-sample guarantee: of power laws with 8 to 64 replicates, intervals of
    nominally 95 % covered the exponent in 91 to 94 % of cases. The line is fitted whether or not
    there is a power law.
    """
    points = _increasing(sizes)
    require_between("confidence", confidence, 0, 1)
    if len(values) != len(points):
        raise ValueError(f"{len(values)} arrays of values for {len(points)} sizes")
    x = np.log(np.asarray(points, dtype=float))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    rng = np.random.default_rng(seed)
    slope, slopes = 0.0, np.zeros(resamples)
    for size, weight, value in zip(points, weights, values, strict=True):
        y = finite(np.asarray(value, dtype=float).ravel())
        if y.size < 2:
            raise ValueError(f"{y.size} replicates at size {size}: a bootstrap needs at least 2")
        if y.min() <= 0:
            raise ValueError(f"value {y.min()} at size {size} must be positive to have a logarithm")
        slope += float(weight * np.log(np.median(y)))
        slopes += weight * np.log(np.median(rng.choice(y, (resamples, y.size)), axis=1))
    low, high = np.quantile(slopes, [(1 - confidence) / 2, (1 + confidence) / 2])
    return slope, float(low), float(high)


def _increasing(sizes: Sequence[int]) -> tuple[int, ...]:
    points = tuple(sizes)
    if len(points) < 2:
        raise ValueError(f"{len(points)} sizes show no trend: needs at least 2")
    if not points[0] > 0 or not all(b > a for a, b in itertools.pairwise(points)):
        raise ValueError(f"sizes = {points} must be positive and strictly increasing")
    return points
