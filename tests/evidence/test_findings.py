"""Findings: the prediction decides; what is claimed is counted."""

import numpy as np
import pytest
from scipy.stats import binom
from synthetic import stream

from theory_checks.evidence import Verdict, all_of, equal, exceptions_at_most, finding


def judge(predicted, exceptions):
    statement = finding(predicted, claimed="every expert is good", exceptions=exceptions)
    return statement.judge(stream(0), 1e-6, statement.samples_needed(1e-6))


TRUE, FALSE = equal(1.0, 1.0, tolerance=0.0), equal(1.0, 2.0, tolerance=0.0)
FAILS = {"d = 64": np.arange(108) < 17, "d = 128": np.zeros(8)}


def test_a_claim_that_fails_as_predicted_is_a_finding_with_its_frequencies():
    found = judge(TRUE, FAILS)
    assert found.verdict is Verdict.FINDING
    assert found.claimed == "every expert is good"
    first, second = found.exceptions
    assert (first.where, first.count, first.of) == ("d = 64", 17, 108)
    assert 0.09 < first.low < 17 / 108 < first.high < 0.25
    assert (second.count, second.low) == (0, 0.0)


def test_a_finding_is_violated_or_undecided_with_its_prediction():
    assert judge(FALSE, FAILS).verdict is Verdict.VIOLATED
    few = exceptions_at_most(0.02, {"d = 64": np.arange(20) < 4}, detail="x")
    assert judge(few, FAILS).verdict is Verdict.INCONCLUSIVE


def test_what_never_fails_simply_holds():
    assert judge(TRUE, {"d = 64": np.zeros(8)}).verdict is Verdict.HOLDS


def test_a_conjunction_with_a_finding_is_one():
    statement = all_of(TRUE, finding(TRUE, claimed="every", exceptions=FAILS))
    found = statement.judge(stream(0), 1e-6, 0)
    assert (found.verdict, found.claimed) == (Verdict.FINDING, "every")
    assert len(found.exceptions) == 2


@pytest.mark.parametrize("events", [[], [0.5], [[0, 1]]])
def test_bad_events_are_refused(events):
    with pytest.raises(ValueError, match="exceptions at d = 64 must be 0 or 1"):
        finding(TRUE, claimed="every", exceptions={"d = 64": events})


def chance(rate, verdicts, alpha=1e-8, n=108, level=0.1):
    """The exact probability of these verdicts on a claim whose exceptions have this rate, where the
    prediction is that they have at most the level."""
    total = 0.0
    for count in range(n + 1):
        events = {"d = 64": np.arange(n) < count}
        predicted = exceptions_at_most(level, events, detail="replicates that fail")
        statement = finding(predicted, claimed="none fails", exceptions=events)
        if statement.judge(stream(0), alpha, n).verdict in verdicts:
            total += binom.pmf(count, n, rate)
    return total


def test_both_errors_of_a_finding_are_those_of_its_prediction():
    assert chance(0.1, [Verdict.VIOLATED], alpha=0.01) <= 0.01
    assert chance(0.1, [Verdict.FINDING, Verdict.HOLDS]) >= 0.99
    events = {"d = 64": np.zeros(108)}
    resolution = exceptions_at_most(0.1, events, detail="x").judge(stream(0), 1e-8, 108).resolution
    assert chance(0.1 + resolution, [Verdict.FINDING, Verdict.HOLDS]) <= 0.05 + 1e-9
