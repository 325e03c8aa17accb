"""Ladders: what holds, what is wrong with what does not, exact error rates, and checkers broken on
purpose."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import binom, norm
from synthetic import SURE, calibrated, stream

from core.seeds import child
from theory_checks.evidence import (
    HypothesesNotMet,
    Verdict,
    all_of,
    at_most,
    at_most_of_order,
    fitted_exponent,
    frequency_at_least,
    stays_of_order,
    tends_to_zero,
)
from theory_checks.evidence.design import frequency_resolution
from theory_checks.evidence.rates import SHUFFLE, Ladder

RUNS, ALPHA, LEDGER = 20_000, 0.01, 1e-6 / 48
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


def measured(measure, sizes=SIZES, replicates=32, seed=0):
    """Values by size, each size from a stream of its own."""
    return {
        size: measure(size, child(stream(seed), index), replicates)
        for index, size in enumerate(sizes)
    }


def judge(statement, alpha=LEDGER):
    return statement.judge(stream(0), alpha, statement.samples_needed(alpha))


def to_zero(measure, sizes=SIZES, replicates=32, seed=0, **rest):
    stated = {"exponent": 0.25, "level": 0.1, "often": 0.9} | rest
    return tends_to_zero(measured(measure, sizes, replicates, seed), **stated)


def root(size):
    return size**-0.5


def of_order(measure, replicates=32, **rest):
    stated = {"scale": root, "low": 0.5, "high": 2.0, "drift": 1.5, "often": 0.9} | rest
    return stays_of_order(measured(measure, replicates=replicates), **stated)


def bounded(measure, replicates=32, **rest):
    stated = {"scale": root, "constant": 2.0, "drift": 1.2, "often": 0.9} | rest
    return at_most_of_order(measured(measure, replicates=replicates), **stated)


# What holds and what does not


@pytest.mark.parametrize(
    ("make", "measure", "verdict", "wrong_rate", "wrong_constant"),
    [
        (to_zero, power_law(2, -0.5), Verdict.HOLDS, False, False),
        (to_zero, power_law(0.01, 0), Verdict.VIOLATED, True, False),  # small but constant
        (to_zero, power_law(0.01, -0.05), Verdict.VIOLATED, True, False),  # falls too slowly
        (to_zero, power_law(20, -0.5), Verdict.VIOLATED, False, True),  # falls, but is large
        (to_zero, power_law(1, 0), Verdict.VIOLATED, True, True),
        (bounded, power_law(1, -0.5, 0.05), Verdict.HOLDS, False, False),
        (bounded, power_law(1, -0.8, 0.05), Verdict.HOLDS, False, False),  # smaller is fine
        (bounded, power_law(4, -0.5, 0.05), Verdict.VIOLATED, False, True),
        (bounded, power_law(0.01, -0.2, 0.05), Verdict.VIOLATED, True, False),
        (of_order, power_law(1, -0.5, 0.1), Verdict.HOLDS, False, False),
        (of_order, power_law(4, -0.5, 0.1), Verdict.VIOLATED, False, True),
        (of_order, power_law(0.1, -0.5, 0.1), Verdict.VIOLATED, False, True),
        (
            lambda m, **r: of_order(m, low=0.1, high=10, **r),
            power_law(8, -1, 0.1),
            Verdict.VIOLATED,
            True,
            False,
        ),
        (
            lambda m, **r: of_order(m, low=0.1, high=10, **r),
            power_law(0.2, 0, 0.1),
            Verdict.VIOLATED,
            True,
            False,
        ),
    ],
)
def test_wrong_rates_and_wrong_constants_are_told_apart(
    make, measure, verdict, wrong_rate, wrong_constant
):
    evidence = judge(make(measure))
    assert evidence.verdict is verdict
    assert ("wrong rate" in evidence.detail, "wrong constant" in evidence.detail) == (
        wrong_rate,
        wrong_constant,
    )


def test_the_evidence():
    evidence = judge(to_zero(lambda size, stream, n: np.full(n, 2 * root(size)), detail="router"))
    assert evidence.detail == (
        "router; constant: value at most 0.1 at 1024: 32/32 = 1 >= 0.9 (95 %: 0.891 to 1); "
        "medians 0.25, 0.125, 0.0625 at 64, 256, 1024"
    )
    assert (evidence.observed, evidence.bound, evidence.tightness) == (1, 0.9, 0.9)
    assert evidence.resolution == pytest.approx(frequency_resolution(0.1, 32, events=2))
    assert (evidence.samples, evidence.false_alarm, evidence.false_pass) == (96, LEDGER, 0.05)
    text = json.dumps(asdict(evidence))
    assert json.dumps(json.loads(text)) == text
    assert [(name, leaf.observed) for name, leaf in evidence.leaves()] == [(".1", 1), (".2", 1)]
    evidence = judge(to_zero(power_law(0.01, 0)))
    assert evidence.detail.startswith(
        "wrong rate: falls like size^-0.25 from 64 to 1024: 0/32 = 0 >= 0.9"
    )
    assert evidence.margin == pytest.approx(-0.9)


def test_the_event_seen_least_is_reported():
    def mixed(size, stream, n):  # a third are too large at the end, all fall at the wrong rate
        return np.where(np.arange(n) < n // 3, 1.0, 0.05)

    evidence = judge(to_zero(mixed, level=0.5, exponent=3))
    assert (evidence.verdict, evidence.observed) == (Verdict.VIOLATED, 0)
    evidence = judge(to_zero(power_law(2, -0.5, 0.7), level=1))
    assert evidence.verdict is Verdict.HOLDS
    assert evidence.detail.startswith("rate: ")
    assert 0.7 < evidence.observed < 1


def test_a_quantity_exactly_on_its_limits_holds_whatever_the_rounding():
    for constant in np.random.default_rng(0).uniform(0.1, 10, 20):

        def measure(size, stream, n, constant=constant):
            return np.full(n, constant * size**-0.25)

        assert judge(to_zero(measure, level=measure(1024, None, 1)[0])).verdict is Verdict.HOLDS
        assert judge(to_zero(measure, exponent=0.2501, level=10)).verdict is Verdict.VIOLATED


def test_values_are_paired_in_the_order_of_replicates_and_the_first_ones_count():
    """Sizes may come in any order, and with different numbers of replicates."""
    values = measured(power_law(2, -0.5, 0.7))
    shuffled = {size: values[size] for size in (256, 1024, 64)}
    longer = {size: np.append(x, np.ones(size)) for size, x in values.items()} | {64: values[64]}
    stated = {"exponent": 0.25, "level": 1.0, "often": 0.9}
    found = [judge(tends_to_zero(v, **stated)) for v in (values, shuffled, longer)]
    assert found[0] == found[1] == found[2]
    order = np.random.default_rng(SHUFFLE)
    paired = [order.permutation(values[size]) for size in SIZES]
    falls = (paired[2] * 1024**0.25 <= paired[0] * 64**0.25).mean()
    assert found[0].members[1].observed == falls < 1


def test_zeros_are_neither_for_nor_against_a_fall():
    def zero(size, stream, n):
        return np.zeros(n)

    def zero_at_last(size, stream, n):
        return np.full(n, float(size < 1024))

    def rises_from_zero(size, stream, n):
        return np.full(n, 0.01 * (size > 64))

    evidence = judge(to_zero(zero))
    assert (evidence.verdict, evidence.stopped) == (Verdict.INCONCLUSIVE, "replicates spent")
    assert evidence.detail.startswith("rate undecided")
    assert "32 of them 0 at both sizes" in evidence.detail
    assert judge(to_zero(zero_at_last)).verdict is Verdict.HOLDS
    assert "wrong rate" in judge(to_zero(rises_from_zero)).detail
    assert "wrong constant" in judge(of_order(zero)).detail


def test_ladders_join_conjunctions():
    both = all_of(at_most(1, 2), to_zero(power_law(2, -0.5)), of_order(power_law(1, -0.5, 0.1)))
    evidence = both.judge(stream(0), LEDGER, both.samples_needed(LEDGER))
    assert (evidence.verdict, evidence.samples) == (Verdict.HOLDS, 192)


# Error rates, exactly


@lru_cache
def tables(often, n, alpha):
    """The verdict on each possible count, of the level alone and of the trend alone (the other
    always happens)."""

    def verdict(count, inside, outside, level):
        values = {1: np.ones(n), 4: np.where(np.arange(n) < count, inside, outside)}
        return judge(tends_to_zero(values, exponent=1, level=level, often=often), alpha).verdict

    level = [verdict(count, 0.20, 0.24, 0.2) for count in range(n + 1)]
    trend = [verdict(count, 0.25, 0.28, 0.3) for count in range(n + 1)]
    return np.array(level), np.array(trend)


@pytest.mark.parametrize(
    ("often", "n", "alpha"),
    [(0.9, 32, LEDGER), (0.9, 64, LEDGER), (0.9, 16, ALPHA), (0.75, 64, ALPHA), (0.95, 64, ALPHA)],
)
def test_error_rates_are_exactly_those_of_the_design(often, n, alpha):
    """Judges every possible count, and sums binomial probabilities over the verdicts."""
    for verdicts in tables(often, n, alpha):

        def chance(verdict, rate, verdicts=verdicts):
            return binom.pmf(np.arange(n + 1), n, rate)[verdicts == verdict].sum()

        # half of alpha for each of two events
        assert alpha / 40 <= chance(Verdict.VIOLATED, often) <= alpha / 2
        assert chance(Verdict.HOLDS, often) >= 1 - 0.05 / 2
        assert chance(Verdict.VIOLATED, 0.0) == 1
        resolution = frequency_resolution(1 - often, n, events=2)
        assert chance(Verdict.HOLDS, max(often - resolution, 0.5)) <= 0.05 + 1e-12


def test_the_power_curve_over_exponents():
    """Exact chances of each verdict for lognormal values, whose share of pairs that fall is
    Phi(...)."""
    n, alpha, ratio, spread, stated = 32, LEDGER, 16, 0.5, 0.5
    _, verdicts = tables(0.9, n, alpha)
    exponents = np.array([1.2, 0.9, 0.5, 0.25, 0.0])
    shares = norm.cdf((exponents - stated) * np.log(ratio) / (spread * np.sqrt(2)))
    pmf = binom.pmf(np.arange(n + 1)[:, None], n, shares)
    violated, holds = (
        pmf[verdicts == verdict].sum(axis=0) for verdict in (Verdict.VIOLATED, Verdict.HOLDS)
    )
    assert (np.diff(violated) > 0).all()
    assert holds[0] > 0.999
    assert holds[1] > 0.99
    assert holds[2] <= 0.05  # half of pairs fall as stated: the boundary of a wrong rate
    assert violated[-1] > 0.999
    assert (violated[:2] < alpha).all()


def boundary(rng, runs, n, share, spread=0.5):
    """Values at two sizes (1 and 4; exponent 1, level 1), for which both events have exactly this
    chance."""
    at_4 = np.exp(spread * (rng.standard_normal((runs, n)) - norm.ppf(share)))
    shift = norm.ppf(share) * spread * (np.sqrt(2) - 1)
    at_1 = 4 * np.exp(spread * rng.standard_normal((runs, n)) + shift)
    return at_1, at_4


def test_false_alarms_at_the_boundary_of_both_events():
    share, n = 0.75, 64
    level, trend = (table == Verdict.VIOLATED for table in tables(share, n, ALPHA))
    at_1, at_4 = boundary(np.random.default_rng(1), RUNS, n, share)
    alarms = level[(at_4 <= 1).sum(axis=1)] | trend[(at_4 <= at_1 / 4).sum(axis=1)]
    assert calibrated(alarms.sum(), RUNS, ALPHA)
    assert alarms.sum() >= RUNS * ALPHA / 20
    for run in range(50):  # judging is this computation, after shuffling
        values = {1: at_1[run], 4: at_4[run]}
        statement = tends_to_zero(values, exponent=1, level=1, often=share)
        order = np.random.default_rng(SHUFFLE)
        small, large = order.permutation(at_1[run]), order.permutation(at_4[run])
        expected = level[(large <= 1).sum()] or trend[(large <= small / 4).sum()]
        assert (judge(statement, ALPHA).verdict is Verdict.VIOLATED) == expected


@pytest.mark.parametrize("spread", [0.0, 0.5, 10.0])
def test_a_small_quantity_that_does_not_fall_passes_at_most_one_time_in_twenty(spread):
    """Also where the stated fall is slight, the spread is large, and the replicates are few."""
    law, slight = power_law(1e-9, 0, spread), {"exponent": 1e-3, "level": 1e9, "replicates": 16}
    verdicts = [judge(to_zero(law, seed=seed, **slight), 1e-8).verdict for seed in range(200)]
    assert calibrated(verdicts.count(Verdict.HOLDS), 200, 0.05)


# Broken on purpose


@dataclass(frozen=True)
class Unshuffled(Ladder):
    """Pairs the i-th with the i-th as they come."""

    def _paired(self):
        return list(self.values)


def test_pairing_sorted_values_is_noticed():
    """Sorted values make pairs depend on each other: what does not fall passes far too often.
    Shuffling repairs it."""

    def sorted_values(size, stream, n):
        return np.sort(power_law(1, 0, 1.0)(size, stream, n))

    ladders = [to_zero(sorted_values, seed=seed, exponent=1e-3, level=1e9) for seed in range(200)]
    for make, fine in ((Ladder, True), (Unshuffled, False)):
        passes = sum(judge(make(**vars(sound))).verdict is Verdict.HOLDS for sound in ladders)
        assert calibrated(passes, 200, 0.05) == fine


def test_passing_without_the_comparison_with_half_is_noticed_exactly():
    """Few replicates cannot tell a true event from one that happens half of the time at the
    resolution that they have."""
    n, often, counts = 8, 0.9, np.arange(9)
    alone = [judge(frequency_at_least(often, counts[1:] <= x)).verdict for x in counts]
    _, trend = tables(often, n, 1e-4)
    half = binom.pmf(counts, n, 0.5)
    assert half[np.array(alone) == Verdict.HOLDS].sum() > 0.05
    assert half[trend == Verdict.HOLDS].sum() <= 0.05


def test_alpha_spent_on_every_event_is_noticed_exactly():
    """Levels at five sizes are independent: at alpha each, one alarm among them is likelier than
    alpha."""
    n, share = 64, 0.75
    level, _ = tables(share, n, 2 * ALPHA)  # two events share alpha evenly: each has ALPHA
    one = binom.pmf(np.arange(n + 1), n, share)[level == Verdict.VIOLATED].sum()
    assert one <= ALPHA < 1 - (1 - one) ** 5


def test_regression_is_no_verdict():
    """A quantity that falls and levels out has a fitted exponent well away from zero, and a wrong
    rate."""

    def levels_out(size, stream, n):
        return power_law(1, -0.5, 0.05)(min(size, 256), stream, n)

    _, low, high = fitted_exponent(
        SIZES, [levels_out(size, stream(size), 32) for size in SIZES], seed=0
    )
    assert low <= high < -0.2
    assert judge(to_zero(levels_out, (256, 1024))).verdict is Verdict.VIOLATED


# Refusals


ONES = power_law(1, 0, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: to_zero(ONES, (64,)), "1 sizes show no trend"),
        (lambda: to_zero(ONES, (0, 64)), r"\(0, 64\)"),
        (lambda: to_zero(ONES, exponent=0), r"exponent = 0 must lie in \(0, inf\)"),
        (lambda: to_zero(ONES, exponent=1000), r"scale\(64\) = 0.0 must lie in \(0, inf\)"),
        (lambda: to_zero(ONES, level=-1), r"level = -1 must lie in \(0, inf\)"),
        (lambda: to_zero(ONES, level=float("nan")), "level = nan"),
        (lambda: to_zero(ONES, often=0.5), "often = 0.5 must lie in"),
        (lambda: to_zero(ONES, often=1.1), r"often = 1.1 must lie in"),
        (lambda: of_order(ONES, drift=1), r"drift = 1 must lie in \(1, high / low\) = \(1, 4\)"),
        (lambda: of_order(ONES, drift=4), "drift = 4 must lie in"),
        (lambda: of_order(ONES, low=0), r"low = 0 must lie in \(0, inf\)"),
        (lambda: of_order(ONES, high=0.4), "high - low"),
        (lambda: bounded(ONES, drift=0.9), "drift = 0.9 must be finite and at least 1"),
        (lambda: bounded(ONES, constant=0), r"constant = 0 must lie in \(0, inf\)"),
        (lambda: bounded(ONES, scale=lambda d: d - 256), r"scale\(64\) = -192.0 must lie in"),
    ],
)
def test_statements_out_of_range_are_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("replicates", [0, 1, 8])
def test_too_few_replicates_to_refute_meet_no_hypotheses(replicates):
    """0.1^8 is 1e-8, one event's part of alpha."""
    for alpha in (0.9 * 2e-8, LEDGER if replicates < 8 else 1e-9):
        statement = to_zero(power_law(2, -0.5), replicates=replicates, detail="error")
        for act in (
            lambda at, s=statement: s.samples_needed(at),
            lambda at, s=statement: s.judge(stream(0), at, 10**6),
        ):
            with pytest.raises(
                HypothesesNotMet,
                match=f"error: the statement applies to {replicates} replicates at each",
            ):
                act(alpha)


def test_just_enough_replicates_to_refute_do():
    never = tends_to_zero({1: np.ones(8), 4: 2 * np.ones(8)}, exponent=1, level=1.0, often=0.9)
    assert judge(never, 1.1 * 2e-8).verdict is Verdict.VIOLATED


def test_budgets_and_levels_are_checked():
    statement = to_zero(power_law(2, -0.5))
    with pytest.raises(ValueError, match="budget of 95 samples is below the 96"):
        statement.judge(stream(0), LEDGER, 95)
    with pytest.raises(ValueError, match="alpha = 0"):
        statement.samples_needed(0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full(32, np.nan), "nan among the observations"),
        (np.full(32, np.inf), "inf among the observations"),
        (np.linspace(-0.5, 1, 32), r"value -0.5 must be at least 0"),
        (np.ones((32, 1)), r"shape \(32, 1\)"),
        (np.full(32, 1j), "dtype"),
    ],
)
def test_bad_values_are_errors_that_name_the_size(bad, message):
    with pytest.raises(ValueError, match=message) as caught:
        to_zero(lambda size, stream, n: bad if size == 256 else np.ones(n))
    assert caught.value.__notes__ == ["among the values at size 256"]


# Exponents, for display


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
