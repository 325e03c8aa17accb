"""Comparison of two samples of events: both errors, by exact laws."""

import numpy as np
import pytest
from scipy.stats import binom
from synthetic import stream

from theory_checks.evidence import HypothesesNotMet, Verdict, happens_more_often

SIZES = (40, 16)


def judged(counts, alpha=1e-3):
    samples = [np.arange(n) < count for n, count in zip(SIZES, counts, strict=True)]
    statement = happens_more_often(*samples, detail="replicates that fail")
    return statement.judge(stream(0), alpha, statement.samples_needed(alpha))


def chance(rates, verdict, alpha=1e-3):
    """The exact probability of a verdict where the two samples have these rates."""
    return sum(
        binom.pmf(a, SIZES[0], rates[0]) * binom.pmf(b, SIZES[1], rates[1])
        for a in range(SIZES[0] + 1)
        for b in range(SIZES[1] + 1)
        if judged((a, b), alpha).verdict is verdict
    )


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.7])
def test_equal_rates_are_rarely_told_apart(rate):
    assert chance((rate, rate), Verdict.HOLDS) <= 0.05
    assert chance((rate, rate), Verdict.VIOLATED, alpha=0.01) <= 0.01


def test_a_clear_lead_holds_and_the_opposite_is_violated():
    assert chance((0.6, 0.05), Verdict.HOLDS) >= 0.99
    assert chance((0.05, 0.9), Verdict.VIOLATED) >= 0.99
    assert "24/40 and 1/16" in judged((24, 1)).detail


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(HypothesesNotMet, match="1 and 1 replicates are too few"):
        happens_more_often([1], [0], detail="x").samples_needed(1e-6)
    with pytest.raises(HypothesesNotMet, match="empty"):
        happens_more_often([1], [], detail="x")
    with pytest.raises(ValueError, match="0 or 1"):
        happens_more_often([0.5], [0], detail="x")
