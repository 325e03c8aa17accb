"""Synthetic laws with known parameters, the races of many runs at once, and exact limits for
measured frequencies."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from theory_checks.evidence import betting, design
from theory_checks.evidence.sampling import batch_sizes

# probability with which a test in this folder may fail although all is well (its seeds are fixed)
SURE = 1e-6


def stream(seed: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(seed)


def bernoulli(rate):
    return lambda stream, size: np.random.default_rng(stream).random(size) < rate


def uniform(stream, size):
    return np.random.default_rng(stream).random(size)


def cells(probabilities):
    return lambda stream, size: np.random.default_rng(stream).choice(
        len(probabilities), size, p=probabilities
    )


def calibrated(alarms: int, runs: int, alpha: float) -> bool:
    """Whether a count of false alarms agrees with a probability of at most alpha, at an exact
    binomial tail."""
    return binom.sf(alarms - 1, runs, alpha) > SURE


def at_least_95_percent(successes: int, runs: int) -> bool:
    """Whether a count of successes agrees with a probability of at least 95 %, at an exact binomial
    tail."""
    return binom.cdf(successes, runs, 0.95) > SURE


def race(counts, sizes, bound, resolution, alpha):
    """The verdicts of mean_at_most for many runs: counts of ones (batches, runs) to (violated,
    holds, samples)."""
    runs = counts.shape[1]
    beyond = 1 - (bound + resolution)
    outside = betting.start(
        bound, betting.portfolio(betting.kelly(bound, resolution)), tests=(runs,)
    )
    inside = betting.start(
        beyond, betting.portfolio(betting.kelly(beyond, resolution)), tests=(runs,)
    )
    violated, holds, samples = np.zeros(runs, bool), np.zeros(runs, bool), np.zeros(runs, int)
    for ones, size in zip(counts, sizes, strict=True):
        running = ~violated & ~holds
        samples[running] += size
        outside = betting.update_counts(outside, ones, size - ones)
        inside = betting.update_counts(inside, size - ones, ones)
        violated |= running & (outside.log_e_value >= np.log(1 / alpha))
        holds |= running & ~violated & (inside.log_e_value >= np.log(1 / design.SEQUENTIAL_PASS))
    return violated, holds, samples


def simulated_race(rate, bound, resolution, alpha, runs, seed):
    """A race of {0, 1} observations with this rate, within the designed budget."""
    sizes = list(batch_sizes(design.mean_samples(bound, resolution, alpha)))
    rng = np.random.default_rng(seed)
    return race(
        np.stack([rng.binomial(n, rate, runs) for n in sizes]), sizes, bound, resolution, alpha
    )
