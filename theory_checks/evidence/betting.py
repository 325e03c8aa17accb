"""Anytime-valid tests of the mean of bounded variables, by betting.

For observations in [0, 1] and the null "every conditional mean is at most m", a gambler who stakes
the fraction f of his wealth on the asset x / m turns wealth W into W (1 - f + f x / m), whose
conditional expectation is at most W. A fixed mixture over several f is then a nonnegative
supermartingale that starts at 1 (a martingale if the mean is m), and Ville's inequality gives P(it
ever reaches 1 / alpha) <= alpha: valid at every sample size and under any stopping rule
(Waudby-Smith and Ramdas 2023, "Estimating means of bounded random variables by betting"). Lower
bounds are tested on 1 - x.

The bets are fixed rather than predictable. So the wealth does not depend on the order of the data
or on how they are cut into batches; for {0, 1} data it depends on counts only. Fractions a factor 2
apart lose at most 1/9 of the growth rate: at c times the best small bet the rate is 2c - c^2 of the
best, and the nearest grid point has c in [2/3, 4/3].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from .sampling import Array, finite, within

# A gambler who stakes everything loses it for good at the first zero, and 0 * inf is not a number.
BOLDEST = 1 - 2.0**-10
# Keeps a product of CHUNK payoffs finite; raising a bound only enlarges the null hypothesis.
SMALLEST_BOUND = 1e-18
CHUNK = 16  # observations multiplied before a logarithm is taken


@dataclass(frozen=True)
class Portfolio:
    """Fractions of wealth staked, with the logarithms of their prior weights."""

    fractions: Array
    log_weights: Array


def portfolio(timidest: float = 2.0**-12) -> Portfolio:
    """Fractions timidest, 2 timidest, 4 timidest, ... up to the boldest, with weights 1/2, 1/6,
    1/12, ...

    The weights 1/(j(j+1)) telescope, and the last bet has what is left of 1. Half of the prior lies
    on the timidest bet because it serves the smallest violation, the only one that is expensive in
    samples.

    Raises ValueError unless timidest lies in (0, 1).
    """
    if not 0 < timidest < 1:
        raise ValueError(f"smallest fraction staked = {timidest} must lie in (0, 1)")
    doublings = timidest * 2.0 ** np.arange(64)
    fractions = np.append(doublings[doublings < BOLDEST], BOLDEST)
    left = 1 / np.arange(1, len(fractions) + 1)  # the prior on bet j and bolder
    return Portfolio(fractions, np.log(left - np.append(left[1:], 0.0)))


def kelly(bound: float, resolution: float) -> float:
    """The fraction staked with which wealth grows fastest against "mean <= bound", for
    Bernoulli(bound + resolution) observations.

    It maximises p log(1 - f + f/m) + (1 - p) log(1 - f). Any other law with that mean has a smaller
    variance.
    """
    return min(resolution / (1 - bound), BOLDEST) if bound < 1 else BOLDEST


@dataclass(frozen=True)
class Wealth:
    """The wealth of a portfolio that bets against "mean <= bound", for many tests at once."""

    bound: Array  # (*tests)
    bets: Portfolio
    log_wealth: Array  # (bets, *tests), of each bet alone

    @property
    def log_e_value(self) -> npt.NDArray[np.float64]:
        """The logarithm of the e-process, shape (*tests): reject at level alpha once it reaches
        log(1 / alpha)."""
        weights = self.bets.log_weights.reshape(-1, *[1] * self.bound.ndim)
        return np.asarray(np.logaddexp.reduce(self.log_wealth + weights, axis=0))


def start(
    bound: npt.ArrayLike, bets: Portfolio | None = None, tests: tuple[int, ...] = ()
) -> Wealth:
    """Wealth 1 before any observation; one test for each entry of bound, or `tests` of them."""
    bound = np.broadcast_to(np.asarray(bound, dtype=float), tests or np.shape(bound))
    if not ((bound >= 0) & (bound <= 1)).all():
        raise ValueError(f"bound = {bound} must lie in [0, 1]")
    bound = np.where(bound > 0, np.maximum(bound, SMALLEST_BOUND), 0.0)
    bets = portfolio() if bets is None else bets
    return Wealth(bound, bets, np.zeros((len(bets.fractions), *bound.shape)))


def update(wealth: Wealth, batch: Array) -> Wealth:
    """The wealth after a batch of shape (size, *tests), of any size, with values in [0, 1]."""
    if batch.shape[1:] != wealth.bound.shape:
        raise ValueError(f"batch of shape {batch.shape} for tests of shape {wealth.bound.shape}")
    if batch.size == 0:
        return wealth
    within(finite(batch), 0.0, 1.0)
    if batch.dtype.kind in "bui" or ((batch == 0) | (batch == 1)).all():
        ones = batch.sum(axis=0, dtype=np.int64)
        return update_counts(wealth, ones, len(batch) - ones)
    with np.errstate(divide="ignore", invalid="ignore"):
        payoff = np.where(batch == 0, 0.0, batch / wealth.bound)  # infinite where the bound is 0
    factors = np.empty_like(payoff)
    gains = np.empty_like(wealth.log_wealth)
    for j, fraction in enumerate(wealth.bets.fractions):
        np.multiply(payoff, fraction, out=factors)
        factors += 1 - fraction
        gains[j] = _log_product(factors)
    return replace(wealth, log_wealth=wealth.log_wealth + gains)


def update_counts(wealth: Wealth, ones: npt.ArrayLike, zeros: npt.ArrayLike) -> Wealth:
    """The wealth after `ones` observations 1 and `zeros` observations 0, in any order."""
    ones, zeros = np.asarray(ones), np.asarray(zeros)
    fractions = wealth.bets.fractions.reshape(-1, *[1] * wealth.bound.ndim)
    with np.errstate(divide="ignore"):
        payoff = 1 - fractions + fractions / wealth.bound
    gains = xlogy(ones, payoff) + zeros * np.log1p(-fractions)
    return replace(wealth, log_wealth=wealth.log_wealth + gains)


def _log_product(factors: Array) -> npt.NDArray[np.float64]:
    """The logarithm of the product along axis 0. It is several times faster to multiply CHUNK
    factors before each logarithm. The factors lie in [2^-10, 1 / SMALLEST_BOUND], or are infinite
    where the bound is 0, so the product of a chunk neither under- nor overflows."""
    chunks = len(factors) // CHUNK
    head = factors[: CHUNK * chunks].reshape(CHUNK, chunks, *factors.shape[1:])
    tail = factors[CHUNK * chunks :]
    product = np.log(np.multiply.reduce(head, axis=0)).sum(axis=0) + np.log(
        np.multiply.reduce(tail, axis=0)
    )
    return cast(npt.NDArray[np.float64], product)
