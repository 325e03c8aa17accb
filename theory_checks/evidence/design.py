"""Design before data: the samples that a resolution needs, and the resolution that few replicates
allow.

`x_samples(..., resolution, alpha)` guarantees, for every law: a violation of at least `resolution`
is declared `violated` with probability >= 95 %, and a statement that is true, at its boundary or
inside, is declared `holds` with probability >= 95 % - alpha. All figures are finite-sample bounds
(Chernoff, Hoeffding, McDiarmid, Massart, exact binomials).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from scipy.special import betaincinv

from .betting import kelly, portfolio
from .laws import (
    ROUNDING,
    expected_total_variation,
    hoeffding_radius,
    least_above,
    multinomial_regret,
)
from .sampling import Array, require_between, require_level

FALSE_PASS = 0.05
MISS = 0.05  # 1 - power
# Where both errors are watched sequentially, a violation is missed if `holds` is declared first, or
# if the evidence of the violation grows too slowly.
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

    log(1 - f + f x / m) is concave in x. So the bet that fits the resolution has won at least S
    log(1 - f + f / m) + (n - S) log(1 - f), where S is the sum of the observations. Chernoff's
    inequality bounds S from below, and the whole portfolio is worth at least the prior weight of
    this bet times its wealth. The result is Wald's log(1/alpha) / KL plus fluctuations.
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

    Two numbers are computed, and the larger is returned: the samples that `violated` needs where
    the mean is bound + resolution, and those that `holds` needs where the mean is the bound. There
    it must reject "mean >= bound + resolution", which is an upper bound on the mean of 1 - x. A
    violation is missed with probability at most 0.04 + 0.01 = 5 %.
    """
    _require(bound, resolution, alpha)
    if not possible(bound, resolution):
        return 1
    beyond = max(1 - (bound + resolution), 0.0)
    return max(
        betting_samples(bound, resolution, alpha),
        betting_samples(beyond, resolution, SEQUENTIAL_PASS),
    )


def cells_concentration(probabilities: Array, resolution: float) -> float:
    """The concentration of a Dirichlet prior whose draws are typically as far from the
    probabilities as the resolution. The prior then lies where violations are hardest to see,
    instead of all over the simplex."""
    return (expected_total_variation(probabilities) / resolution) ** 2


def cells_samples(probabilities: Array, resolution: float, alpha: float) -> int:
    """Samples for "the cells follow these probabilities", resolution in total variation.

    `holds`: TV(phat, p0) exceeds E TV by one Hoeffding radius with probability at most 5 %
    (McDiarmid), and must be below the resolution by another one. `violated`: t = TV(phat, p0) is at
    least resolution - radius, except with probability 5 %; the log e-value is at least (c + n)
    KL(m, p0) - regret >= 2 n^2 t^2 / (c + n) - regret (Pinsker; TV(m, p0) = t n / (c + n)).
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


def law_samples(resolution: float, alpha: float) -> int:
    """Samples for "observations follow this law", resolution in Kolmogorov-Smirnov distance D.

    The critical value is at most that of the Dvoretzky-Kiefer-Wolfowitz inequality with Massart's
    constant, 2 exp(-2 n d^2). `violated` needs resolution - radius(5 %) to exceed the critical
    value at alpha, and `holds` needs it to exceed that at 5 %.
    """
    _require(0.0, resolution, alpha)
    radius = math.sqrt(math.log(1 / min(FALSE_PASS, MISS)) / 2)
    critical = math.sqrt(math.log(2 / min(alpha, MISS)) / 2)
    return math.ceil(((radius + critical) / resolution) ** 2)


@lru_cache(maxsize=4096)
def frequency_resolution(bound: float, replicates: int, events: int = 1) -> float:
    """The resolution of "rate <= bound" with this many replicates, if a statement that is true at
    its boundary is to be declared `holds` with probability 95 %.

    `holds` is declared up to the count that Binomial(replicates, bound) exceeds with probability at
    most 5 % / events. The resolution is the smallest violation that is rejected at 5 % by every
    such count.

    events: how many such statements must hold together.
    """
    accepted = int(least_above(MISS / events, replicates, bound)) - 1
    if accepted >= replicates:
        return 1 - bound
    return float(betaincinv(accepted + 1, replicates - accepted, 1 - FALSE_PASS)) - bound


def _require(bound: float, resolution: float, alpha: float) -> None:
    require_level(alpha)
    require_between("resolution", resolution, 0, math.inf)
    if not 0 <= bound <= 1:
        raise ValueError(f"bound = {bound} must lie in [0, 1]")
