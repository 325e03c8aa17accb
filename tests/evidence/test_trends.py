"""Rank-sum tests of trends: the law of the statistic, and both errors of the verdicts."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from synthetic import at_least_95_percent, calibrated, stream

from theory_checks.evidence import HypothesesNotMet, Verdict, changes_at_most, falls_at_least
from theory_checks.evidence.trends import rank_sum_tail

RUNS, ALPHA = 20_000, 0.01


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (4, 4), (5, 2)])
def test_the_law_of_the_count_is_that_of_all_orders(m, n):
    counts = np.zeros(m * n + 1)
    for places in itertools.combinations(range(m + n), n):
        others = [i for i in range(m + n) if i not in places]
        counts[sum(y < x for y in places for x in others)] += 1
    expected = [float(Fraction(int(c), math.comb(m + n, n))) for c in counts.cumsum()]
    assert rank_sum_tail(m, n).tolist() == pytest.approx(expected, rel=1e-14)


def test_the_smallest_tail_is_one_order_of_all():
    assert rank_sum_tail(64, 64)[0] == pytest.approx(1 / math.comb(128, 64), rel=1e-12)
    assert rank_sum_tail(64, 64)[-1] == 1


def judge(values, exponent=0.5, slowest=0.25, alpha=ALPHA):
    statement = falls_at_least(values, exponent, slowest=slowest, detail="error")
    return statement.judge(stream(0), alpha, statement.samples_needed(alpha))


def frequencies(true_exponent, law, n=16, runs=RUNS):
    rng = np.random.default_rng(7)
    found = []
    for _ in range(runs // 10):
        x, y = law(rng, n), law(rng, n) * 16**-true_exponent
        found.append(judge({100: x, 1600: y}).verdict)
    return {verdict: sum(v is verdict for v in found) for verdict in Verdict}, len(found)


LAWS = {
    "narrow": lambda rng, n: np.exp(0.2 * rng.standard_normal(n)),
    "heavy": lambda rng, n: rng.pareto(1.0, n),
    "few values": lambda rng, n: rng.integers(0, 3, n).astype(float),
}


@pytest.mark.parametrize("law", LAWS)
def test_a_fall_at_the_stated_exponent_is_violated_at_most_as_often_as_alpha(law):
    counts, runs = frequencies(0.5, LAWS[law])
    assert calibrated(counts[Verdict.VIOLATED], runs, ALPHA)


@pytest.mark.parametrize("law", LAWS)
def test_a_fall_at_the_slowest_exponent_holds_in_at_most_5_percent(law):
    counts, runs = frequencies(0.25, LAWS[law])
    assert calibrated(counts[Verdict.HOLDS], runs, 0.05)


def test_a_narrow_law_is_decided():
    counts, runs = frequencies(0.5, LAWS["narrow"])
    assert at_least_95_percent(counts[Verdict.HOLDS], runs)
    counts, runs = frequencies(0.0, LAWS["narrow"])
    assert at_least_95_percent(counts[Verdict.VIOLATED], runs)


def test_zeros_at_both_sizes_decide_nothing():
    assert judge({100: np.zeros(16), 1600: np.zeros(16)}).verdict is Verdict.INCONCLUSIVE


def test_a_fall_to_zero_holds():
    evidence = judge({100: np.ones(16), 1600: np.zeros(16)})
    assert evidence.verdict is Verdict.HOLDS
    assert "0 at 1600" in evidence.detail


def test_growth_within_a_factor_holds_and_beyond_is_violated():
    x = np.linspace(1, 2, 16)
    for growth, verdict in [(1.0, "holds"), (1.35, "inconclusive"), (4.0, "violated")]:
        statement = changes_at_most({64: x, 256: growth * x}, 1.2, beyond=1.5, detail="h")
        found = statement.judge(stream(0), 1e-8, statement.samples_needed(1e-8))
        assert found.verdict == verdict
        assert found.observed == pytest.approx(growth, rel=0.1)


def test_too_few_replicates_are_vacuous_and_bad_input_is_refused():
    with pytest.raises(HypothesesNotMet, match="too few to refute a trend"):
        judge({1: np.ones(4), 2: np.ones(4)}, alpha=1e-8)
    with pytest.raises(ValueError, match="show no trend"):
        changes_at_most({64: np.ones(4)}, 1.0, beyond=2.0, detail="h")
    with pytest.raises(ValueError, match="h: not a number at size 2"):
        changes_at_most({1: np.ones(4), 2: np.array([math.nan])}, 1.0, beyond=2.0, detail="h")
    with pytest.raises(ValueError, match=r"slowest = 0\.5 must lie in"):
        falls_at_least({1: np.ones(4), 2: np.ones(4)}, 0.5, slowest=0.5, detail="h")
