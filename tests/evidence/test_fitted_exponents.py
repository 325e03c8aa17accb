"""The line through a ladder that pictures show: no verdict rests on it."""

import numpy as np
import pytest
from scipy.stats import binom
from synthetic import SURE, stream

from theory_checks.evidence import Verdict, falls_at_least, fitted_exponent

SIZES = (64, 256, 1024)


def power_law(constant, exponent, spread=0.2):
    """constant size^exponent, times a lognormal factor."""

    def measure(size, stream, replicates):
        return (
            constant
            * size**exponent
            * np.exp(spread * np.random.default_rng(stream).standard_normal(replicates))
        )

    return measure


def test_a_fitted_line_is_no_verdict():
    """A quantity that falls and levels out has a fitted exponent well away from zero, and a trend
    that is wrong where it is asked for."""

    def levels_out(size):
        return power_law(1, -0.5, 0.05)(min(size, 256), stream(size), 32)

    _, low, high = fitted_exponent(SIZES, [levels_out(size) for size in SIZES], seed=0)
    assert low <= high < -0.2
    ends = {size: levels_out(size) for size in SIZES[1:]}
    trend = falls_at_least(ends, 0.35, slowest=0.2, detail="what levels out")
    assert trend.judge(stream(0), 1e-8, 64).verdict is Verdict.VIOLATED


@pytest.mark.parametrize(
    ("exponent", "spread", "n"),
    [(-0.5, 0.3, 32), (-0.667, 1.0, 16), (0.0, 0.5, 8), (0.3, 0.05, 64)],
)
def test_fitted_exponents_cover_the_truth(exponent, spread, n):
    runs = 200
    covered, slopes = 0, []
    for run in range(runs):
        values = [
            power_law(3, exponent, spread)(size, stream(1000 * run + size), n) for size in SIZES
        ]
        slope, low, high = fitted_exponent(SIZES, values, seed=run, resamples=300)
        assert low <= high
        covered += low <= exponent <= high
        slopes.append(slope)
    assert binom.cdf(covered, runs, 0.9) > SURE
    assert abs(np.mean(slopes) - exponent) < 5 * np.std(slopes) / np.sqrt(runs)


def test_fitted_exponents_of_exact_power_laws_are_exact():
    slope, low, high = fitted_exponent(
        SIZES, [np.full(4, 3.0 * size**-0.4) for size in SIZES], seed=0
    )
    assert [slope, low, high] == pytest.approx([-0.4] * 3)


@pytest.mark.parametrize(
    ("sizes", "values", "rest", "message"),
    [
        ((64,), [np.ones(8)], {}, "1 sizes show no trend"),
        (SIZES, [np.ones(8)] * 2, {}, "2 arrays of values for 3 sizes"),
        (
            SIZES,
            [np.ones(8), np.zeros(8), np.ones(8)],
            {},
            r"value 0.0 at size 256 must be positive",
        ),
        (SIZES, [np.ones(8), np.ones(1), np.ones(8)], {}, "1 replicates at size 256"),
        (SIZES, [np.ones(8), np.full(8, np.nan), np.ones(8)], {}, "nan among the observations"),
        (SIZES, [np.ones(8)] * 3, {"confidence": 1}, "confidence = 1"),
    ],
)
def test_fitted_exponents_refuse(sizes, values, rest, message):
    with pytest.raises(ValueError, match=message):
        fitted_exponent(sizes, values, seed=0, **rest)
