"""Exact laws and e-values for counts and for whole distributions, without any normal or chi^2
approximation. They use scipy.special only, because the import of scipy.stats would cost every
worker a second."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrik, betainc, betainccinv, betaincinv, gammaln, xlogy

from .sampling import Array, require_level

ROUNDING = 1e-12  # a number that equals a limit may exceed it by this much after rounding


def clopper_pearson(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    """Exact confidence interval for a probability (Clopper and Pearson 1934), with error alpha / 2
    on each side.

    Raises ValueError unless 0 <= successes <= trials and trials >= 1.
    """
    require_level(alpha)
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(
            f"{successes} successes in {trials} trials: needs 0 <= successes <= trials, trials >= 1"
        )
    lower = betaincinv(successes, trials - successes + 1, alpha / 2) if successes > 0 else 0.0
    upper = betainccinv(successes + 1, trials - successes, alpha / 2) if successes < trials else 1.0
    return float(lower), float(upper)


def binomial_above(successes: Array | int, trials: Array | int, rate: float) -> Array:
    """P(Binomial(trials, rate) >= successes): the exact p-value of "the rate is at most `rate`"."""
    x, n = np.asarray(successes), np.asarray(trials)
    return np.where(x <= 0, 1.0, (x <= n) * betainc(x, n - x + 1, rate))


def binomial_below(successes: Array | int, trials: Array | int, rate: float) -> Array:
    """P(Binomial(trials, rate) <= successes): the exact p-value of "the rate is at least
    `rate`"."""
    return binomial_above(np.asarray(trials) - successes, trials, 1 - rate)


def most_below(tail: float, trials: Array | int, rate: float) -> Array:
    """The largest count x with P(Binomial(trials, rate) <= x) <= tail, up to rounding; -1 where
    there is none."""
    tail *= 1 + ROUNDING
    # The count itself or a neighbour; NaN where the rate is 0.
    near = np.floor(np.nan_to_num(bdtrik(tail, trials, rate)))
    return (
        near
        + (binomial_below(near + 1, trials, rate) <= tail)
        - (binomial_below(near, trials, rate) > tail)
    )


def least_above(tail: float, trials: Array | int, rate: float) -> Array:
    """The smallest count x with P(Binomial(trials, rate) >= x) <= tail, trials + 1 where there is
    none."""
    return trials - most_below(tail, trials, 1 - rate)


def log_multinomial_e_value(counts: Array, probabilities: Array, concentration: float) -> Array:
    """The logarithm of the anytime-valid e-value of counts (last axis) against a multinomial law.

    The e-value is the likelihood of a sequence with these counts under a Dirichlet(concentration p
    + 1/2) mixture, divided by its likelihood under p. Under p it is a martingale that starts at 1,
    so by Ville's inequality the probability that it ever exceeds 1 / alpha is at most alpha. Cells
    of probability zero take no part in the mixture; one observation there refutes the law (+inf).
    Concentration 0 is the Krichevsky-Trofimov mixture.
    """
    possible = probabilities > 0
    p, x = probabilities[possible], counts[..., possible]
    prior, total = concentration * p + 0.5, x.sum(axis=-1)
    mixture = (
        (gammaln(prior + x) - gammaln(prior)).sum(axis=-1)
        - gammaln(prior.sum() + total)
        + gammaln(prior.sum())
    )
    return np.asarray(mixture - xlogy(counts, probabilities).sum(axis=-1))


def multinomial_regret(samples: float, cells: int, concentration: float) -> float:
    """A number R with log e-value >= (c + n) KL(m, p) - R, where m = (c p + n phat) / (c + n) is
    the posterior mean.

    log Gamma(x + 1/2) = x log x - x + log(2 pi) / 2 - eta(x), where eta > 0 is decreasing (Binet's
    integral with 1 / t - 1 / (2 sinh(t / 2)) > 0). In the e-value each cell contributes this at x =
    c p_i + n_i less that at c p_i, and eta(c p_i) - eta(c p_i + n_i) >= 0 is dropped; the rest adds
    up to the claim, with R ~ (k-1)/2 log(1 + n/c).
    """
    n, c = samples, concentration
    shortfall = (
        gammaln(c + n + cells / 2) - gammaln(c + cells / 2) - xlogy(c + n, c + n) + xlogy(c, c) + n
    )
    return float(shortfall)


def total_variation(first: Array, second: Array) -> Array:
    """Half the l1 distance along the last axis: the largest difference in probability over
    events."""
    return np.asarray(0.5 * np.abs(first - second).sum(axis=-1))


def expected_total_variation(probabilities: Array) -> float:
    """A number c with E TV(empirical, true) <= c / sqrt(n): by Jensen E|phat_i - p_i| <= sqrt(p_i
    (1 - p_i) / n)."""
    return float(0.5 * np.sqrt(probabilities * (1 - probabilities)).sum())


def hoeffding_radius(samples: float, tail: float) -> float:
    """The t with exp(-2 n t^2) = tail: a mean of n variables in [0, 1] exceeds its expectation by t
    with at most this probability.

    It decides `holds` for whole distributions, at one sample size fixed in advance. Suppose sup_A
    |p(A) - q(A)| >= delta over a class of events (all: total variation; half-lines:
    Kolmogorov-Smirnov). Then for each eps > 0 some event A, fixed by p and q, has probabilities
    that differ by delta - eps. The empirical distance from q is at least |phat(A) - q(A)|, so it is
    below delta - t only if phat(A) errs by t - eps towards q. For eps -> 0 this has probability at
    most exp(-2 n t^2). Since one fixed event suffices, neither the number of cells nor Massart's
    factor 2 enters. In the other direction McDiarmid's inequality applies: one observation moves
    TV(phat, p) by at most 1 / n, so it exceeds its expectation by t with probability at most exp(-2
    n t^2).
    """
    return math.sqrt(math.log(1 / tail) / (2 * samples))


@dataclass(frozen=True)
class Gap:
    """Where an empirical law is furthest from the claimed one.

    distance: sup_x |F_n(x) - F(x)|
    at: the x
    below: whether the shares are those of values below x instead of at most x
    observed, claimed: shares
    """

    distance: float
    at: float
    below: bool
    observed: float
    claimed: float


def largest_gap(observations: Array, cdf: Callable[[Array], Array]) -> Gap:
    """Where |F_n(x) - F(x)| is largest, for any law F, atoms included.

    Between two neighbouring observations F_n is constant and F rises from F(x_i) to F(x_{i+1}-);
    the left limit is the value at the float before, which for a continuous law is F(x_{i+1}) up to
    rounding.
    """
    x = np.sort(observations)
    n = len(x)
    here, before = (
        np.asarray(cdf(x), dtype=float),
        np.asarray(cdf(np.nextafter(x, -np.inf)), dtype=float),
    )
    for values in (here, before):
        if values.shape != x.shape or not ((values >= 0) & (values <= 1)).all():
            raise ValueError(
                f"cdf must return one value in [0, 1] for each observation, but returned {values}"
            )
    up_to = np.searchsorted(x, x, side="right") / n
    until = np.searchsorted(x, x, side="left") / n
    sides = ((np.abs(up_to - here), up_to, here), (np.abs(before - until), until, before))
    (away, seen, claimed), below = max(
        zip(sides, (False, True), strict=True), key=lambda side: float(side[0][0].max())
    )
    i = int(away.argmax())
    return Gap(float(away[i]), float(x[i]), below, float(seen[i]), float(claimed[i]))


def kolmogorov_distance(observations: Array, cdf: Callable[[Array], Array]) -> float:
    """sup_x |F_n(x) - F(x)| for any law F, atoms included."""
    return largest_gap(observations, cdf).distance


def kolmogorov_p_value(distance: float, samples: int) -> float:
    """P(sup |F_n - F| >= distance), bounded for any F by Dvoretzky, Kiefer and Wolfowitz with
    Massart's constant.

    From 4000 samples on, the bound is within 10 % of the exact probability down to 1e-10. The exact
    probability would take 20 ms at 100,000 samples.
    """
    return min(1.0, 2 * math.exp(-2 * samples * distance**2))
