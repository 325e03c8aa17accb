"""Design before data: samples needed for a resolution, and the resolution that given samples have.

`x_samples(..., resolution, alpha)` guarantees, for every law: a violation of at least `resolution`
is declared `violated` with probability >= 95 %, and a statement that is true, at its boundary or
inside, is declared `holds` with probability >= 95 % - alpha. `x_resolution(..., samples, alpha)` is
the smallest resolution for which those samples suffice. All figures are finite-sample bounds
(Chernoff, Hoeffding, McDiarmid, Massart, exact binomials).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.special import betaincinv

from .betting import kelly, portfolio
from .laws import (
    ROUNDING,
    binomial_above,
    binomial_below,
    expected_total_variation,
    hoeffding_radius,
    least_above,
    most_below,
    multinomial_regret,
)
from .sampling import Array, require_positive, require_probability

FALSE_PASS = 0.05
MISS = 0.05  # 1 - power
# Where both errors are watched sequentially, a violation can be missed by passing first or by being
# too slow.
SEQUENTIAL_PASS, SEQUENTIAL_MISS = 0.04, 0.01


def smallest(enough: Callable[[int], bool], limit: int = 1 << 50) -> int:
    """The smallest n >= 1 with enough(n), for a predicate that once true stays true."""
    high = 1
    while not enough(high):
        high *= 2
        if high > limit:
            raise ValueError(f"more than {limit} samples would be needed")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def smallest_resolution(enough: Callable[[float], bool], largest: float) -> float:
    """The smallest resolution in (0, largest] with enough(resolution), to a relative 1e-9, rounded
    up."""
    if not enough(largest):
        raise ValueError(f"too few samples even for the largest possible resolution {largest}")
    low, high = 0.0, largest
    while high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def kl_bernoulli(q: float, p: float) -> float:
    """Kullback-Leibler divergence of Bernoulli(q) from Bernoulli(p), for p in (0, 1]."""
    ones = q * math.log(q / p) if q > 0 else 0.0
    zeros = (
        (1 - q) * math.log((1 - q) / (1 - p)) if q < 1 and p < 1 else (0.0 if q == 1 else math.inf)
    )
    return ones + zeros


def chernoff_quantile(mean: float, samples: int, tail: float) -> float:
    """q with P(average of n variables in [0, 1] with this mean <= q) <= tail (Hoeffding 1963,
    Theorem 1)."""
    level = math.log(1 / tail) / samples
    if mean >= 1:
        return 1.0
    if kl_bernoulli(0.0, mean) <= level:
        return 0.0
    low, high = 0.0, mean
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if kl_bernoulli(middle, mean) > level else (low, middle)
    return low


def possible(bound: float, resolution: float) -> bool:
    """Whether a mean in [0, 1] can exceed the bound by the resolution."""
    return bound + resolution <= 1 + ROUNDING


@lru_cache(maxsize=4096)
def betting_samples(bound: float, resolution: float, alpha: float) -> int:
    """Samples after which betting rejects "mean <= bound" at alpha with probability 0.99, for every
    law on [0, 1] with mean >= bound + resolution; 0 when there is no such law.

    log(1 - f + f x / m) is concave in x, so the bet that fits the resolution has won at least S
    log(1 - f + f / m) + (n - S) log(1 - f), with S the sum of the observations; Chernoff bounds S
    from below, and the whole portfolio is worth at least this bet's share of it. This is Wald's
    log(1/alpha) / KL plus fluctuations.
    """
    if not possible(bound, resolution):
        return 0
    mean = min(bound + resolution, 1.0)
    bets = portfolio(kelly(bound, resolution))
    fraction = float(bets.fractions[0])
    win = math.log(1 - fraction + fraction / bound) if bound > 0 else math.inf
    loss = math.log1p(-fraction)
    target = math.log(1 / alpha) - float(bets.log_weights[0])

    def enough(n: int) -> bool:
        q = chernoff_quantile(mean, n, SEQUENTIAL_MISS)
        return q > 0 and n * (q * win + (1 - q) * loss) >= target

    return smallest(enough)


def mean_samples(bound: float, resolution: float, alpha: float) -> int:
    """Samples for "mean <= bound" with observations in [0, 1] (for "mean >= bound" pass 1 - bound),
    at alpha.

    The larger of what `violated` needs at bound + resolution and what `holds` needs at the bound,
    where it must reject "mean >= bound + resolution", which is an upper bound on the mean of 1 - x.
    0.01 + 0.04 = 5 %.
    """
    _require(bound, resolution, alpha)
    if not possible(bound, resolution):
        return 1
    beyond = max(1 - (bound + resolution), 0.0)
    return max(
        betting_samples(bound, resolution, alpha),
        betting_samples(beyond, resolution, SEQUENTIAL_PASS),
    )


@lru_cache(maxsize=4096)
def mean_resolution(bound: float, samples: int, alpha: float) -> float:
    """The smallest violation of "mean <= bound" that these samples resolve; inverse of
    mean_samples."""
    return smallest_resolution(lambda r: mean_samples(bound, r, alpha) <= samples, 1 - bound)


def cells_concentration(probabilities: Array, resolution: float) -> float:
    """The concentration of a Dirichlet prior whose draws are typically as far away as the
    resolution: violations are then searched for where they are hardest to see, instead of all over
    the simplex."""
    return (expected_total_variation(probabilities) / resolution) ** 2


def cells_samples(probabilities: Array, resolution: float, alpha: float) -> int:
    """Samples for "the cells follow these probabilities", resolution in total variation.

    `holds`: TV(phat, p0) exceeds E TV by one Hoeffding radius with probability 5 % (McDiarmid), and
    must be below the resolution by another. `violated`: t = TV(phat, p0) >= resolution - radius
    except with probability 5 %; the log e-value is at least (c + n) KL(m, p0) - regret >= 2 n^2 t^2
    / (c + n) - regret (Pinsker; TV(m, p0) = t n / (c + n)).
    """
    _require(0.0, resolution, alpha)
    cells, c = int((probabilities > 0).sum()), cells_concentration(probabilities, resolution)
    expected = expected_total_variation(probabilities)

    def enough(n: int) -> bool:
        missing, passing = hoeffding_radius(n, MISS), hoeffding_radius(n, FALSE_PASS)
        away = max(resolution - missing, 0.0)
        growth = 2 * (n * away) ** 2 / (c + n) - multinomial_regret(n, cells, c)
        return expected / math.sqrt(n) + missing + passing <= resolution and growth >= math.log(
            1 / alpha
        )

    return smallest(enough)


def cells_resolution(probabilities: Array, samples: int, alpha: float) -> float:
    """The smallest total variation that these samples resolve; inverse of cells_samples."""
    return smallest_resolution(lambda r: cells_samples(probabilities, r, alpha) <= samples, 1.0)


def law_samples(resolution: float, alpha: float) -> int:
    """Samples for "observations follow this law", resolution in Kolmogorov-Smirnov distance D.

    The critical value is at most that of the Dvoretzky-Kiefer-Wolfowitz inequality with Massart's
    constant, 2 exp(-2 n d^2). `violated` needs resolution - radius(5 %) beyond it at alpha, `holds`
    at 5 %.
    """
    _require(0.0, resolution, alpha)
    radius = math.sqrt(math.log(1 / min(FALSE_PASS, MISS)) / 2)
    critical = math.sqrt(math.log(2 / min(alpha, MISS)) / 2)
    return math.ceil(((radius + critical) / resolution) ** 2)


@lru_cache(maxsize=4096)
def law_resolution(samples: int, alpha: float) -> float:
    """The smallest Kolmogorov-Smirnov distance that these samples resolve; inverse of
    law_samples."""
    return smallest_resolution(lambda r: law_samples(r, alpha) <= samples, 1.0)


def frequency_power(
    bound: float, resolution: float, replicates: Array | int, alpha: float
) -> tuple[Array, Array]:
    """Exact (P(violated) at rate bound + resolution, P(holds) at rate bound) of the test of "rate
    <= bound".

    `violated` from the smallest count x with P(Bin(bound) >= x) <= alpha on; `holds` up to the
    largest count x with P(Bin(bound + resolution) <= x) <= 5 %, unless `violated`.
    """
    n, beyond = np.asarray(replicates), min(bound + resolution, 1.0)
    violated_from, holds_to = least_above(alpha, n, bound), most_below(FALSE_PASS, n, beyond)
    return binomial_above(violated_from, n, beyond), binomial_below(
        np.minimum(holds_to, violated_from - 1), n, bound
    )


def frequency_suffices(
    bound: float, resolution: float, replicates: Array | int, alpha: float
) -> Array:
    """Whether `violated` has power 95 % and `holds` 95 % - alpha; True where no rate exceeds the
    bound by the resolution."""
    if not possible(bound, resolution):
        return np.ones(np.shape(replicates), dtype=bool)
    violated, holds = frequency_power(bound, resolution, replicates, alpha)
    return np.asarray((violated >= 1 - MISS) & (holds >= 1 - MISS - alpha))


def frequency_samples(bound: float, resolution: float, alpha: float) -> int:
    """The fewest replicates for "rate <= bound" (for "rate >= bound" pass 1 - bound), by exact
    binomials.

    Binomial powers are saw-toothed in n, so the numbers of replicates are searched one by one.
    """
    _require(bound, resolution, alpha)
    for first in range(1, 100_000, 2000):
        candidates = np.arange(first, first + 2000)
        sufficient = frequency_suffices(bound, resolution, candidates, alpha)
        if sufficient.any():
            return int(candidates[sufficient.argmax()])
    raise ValueError(
        f"resolution = {resolution} needs more than 100000 replicates at alpha = {alpha}"
    )


@lru_cache(maxsize=4096)
def frequency_passing(bound: float, replicates: int, events: int = 1) -> float:
    """The smallest violation of "rate <= bound" that these replicates reject at 5 % whenever they
    hold, if a true claim at its boundary is to hold with probability 95 %, of so many events
    together: with up to the quantile of Bin(bound) counts against it that a true one exceeds with
    probability 5 % / events."""
    accepted = int(least_above(MISS / events, replicates, bound)) - 1
    if accepted >= replicates:
        return 1 - bound
    return float(betaincinv(accepted + 1, replicates - accepted, 1 - FALSE_PASS)) - bound


@lru_cache(maxsize=4096)
def frequency_resolution(bound: float, replicates: int, alpha: float) -> float:
    """The smallest violation of "rate <= bound" that these replicates resolve; inverse of
    frequency_samples."""
    return smallest_resolution(
        lambda r: bool(frequency_suffices(bound, r, replicates, alpha)), 1 - bound
    )


def _require(bound: float, resolution: float, alpha: float) -> None:
    require_probability("alpha", alpha)
    require_positive("resolution", resolution)
    if not 0 <= bound <= 1:
        raise ValueError(f"bound = {bound} must lie in [0, 1]")
