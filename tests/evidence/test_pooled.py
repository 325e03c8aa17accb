"""One exact test over replicates of several points: both errors, by exact laws."""

import numpy as np
import pytest
from scipy.stats import binom
from synthetic import stream

from theory_checks.evidence import HypothesesNotMet, Verdict, exceptions_at_most

ALPHA = 1e-8
POINTS = {"d = 64": 32, "d = 128": 32, "K = 2": 8}


def judged(counts, level=0.05, alpha=ALPHA):
    events = {
        where: np.arange(n) < count
        for (where, n), count in zip(POINTS.items(), counts, strict=True)
    }
    statement = exceptions_at_most(level, events, detail="replicates that fail")
    return statement.judge(stream(0), alpha, statement.samples_needed(alpha))


def chance(rates, verdict, level=0.05, alpha=ALPHA):
    """The exact probability of a verdict where the points have these rates."""
    total = 0.0
    for counts in np.ndindex(*(n + 1 for n in POINTS.values())):
        p = np.prod(
            [binom.pmf(c, n, r) for c, n, r in zip(counts, POINTS.values(), rates, strict=True)]
        )
        if p > 1e-12 and judged(counts, level, alpha).verdict is verdict:
            total += p
    return total


def test_a_true_statement_holds_in_99_percent_and_is_never_violated():
    at_its_level = (0.05, 0.05, 0.05)
    assert chance(at_its_level, Verdict.HOLDS) >= 0.99
    assert chance(at_its_level, Verdict.VIOLATED, alpha=0.01) <= 0.01


@pytest.mark.parametrize("where", [(1, 1, 1), (72 / 64, 72 / 64, 0)])
def test_a_violation_by_the_resolution_holds_in_at_most_5_percent(where):
    beyond = 0.05 + judged((0, 0, 0)).resolution
    rates = [beyond * w for w in where]
    assert np.dot(rates, list(POINTS.values())) / 72 == pytest.approx(beyond)
    assert chance(rates, Verdict.HOLDS) <= 0.05


def test_one_point_where_everything_fails_is_violated_and_named():
    evidence = judged((0, 0, 8), alpha=1e-6)
    assert evidence.verdict is Verdict.VIOLATED
    assert "too many at K = 2" in evidence.detail
    assert "d = 64 0/32, d = 128 0/32, K = 2 8/8" in evidence.detail


def test_what_cannot_be_refuted_is_vacuous_and_bad_events_are_refused():
    with pytest.raises(HypothesesNotMet, match="2 replicates, too few"):
        exceptions_at_most(0.05, {"a": [0, 1]}, detail="x").samples_needed(ALPHA)
    with pytest.raises(HypothesesNotMet, match="no replicate"):
        exceptions_at_most(0.05, {"a": []}, detail="x")
    with pytest.raises(ValueError, match="events at a must be 0 or 1"):
        exceptions_at_most(0.05, {"a": [0.5]}, detail="x")
    with pytest.raises(ValueError, match=r"level = 1 must lie in \(0, 1\)"):
        exceptions_at_most(1, {"a": [0]}, detail="x")
