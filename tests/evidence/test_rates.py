"""Ladders: what holds, what is wrong with what does not, exact error rates, and checkers broken on
purpose."""

import json
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import pytest
from scipy.stats import binom, norm
from synthetic import SURE, calibrated, stream

from theory_checks.evidence import (
    Verdict,
    all_of,
    at_most,
    at_most_of_order,
    fitted_exponent,
    frequency_at_least,
    stays_of_order,
    tends_to_zero,
)
from theory_checks.evidence.design import frequency_passing
from theory_checks.evidence.rates import SHUFFLE, Ladder, ladder_replicates, ladder_resolution
from theory_checks.evidence.sampling import child

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


def judge(statement, seed=0, alpha=LEDGER):
    return statement.judge(stream(seed), alpha, statement.samples_needed(alpha))


def to_zero(measure, sizes=SIZES, **rest):
    stated = {
        "exponent": 0.25,
        "level": 0.1,
        "share": 0.9,
        "resolution": 0.6,
        "replicates": 32,
    } | rest
    return tends_to_zero(sizes, measure, **stated)


def root(size):
    return size**-0.5


def of_order(measure, **rest):
    stated = {
        "low": 0.5,
        "high": 2.0,
        "drift": 1.5,
        "share": 0.9,
        "resolution": 0.6,
        "replicates": 32,
    } | rest
    return stays_of_order(SIZES, measure, root, **stated)


def bounded(measure, scale=root, **rest):
    stated = {
        "constant": 2.0,
        "drift": 1.2,
        "share": 0.9,
        "resolution": 0.6,
        "replicates": 32,
    } | rest
    return at_most_of_order(SIZES, measure, scale, **stated)


# What holds and what does not


@pytest.mark.parametrize("every_step", [False, True])
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
    make, measure, verdict, wrong_rate, wrong_constant, every_step
):
    evidence = judge(make(measure, every_step=every_step))
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
    assert evidence.resolution == pytest.approx(frequency_passing(0.1, 32, events=2))
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


def test_every_size_has_a_stream_of_its_own():
    seen = []

    def measure(size, stream, n):
        seen.append(tuple(stream.generate_state(4)))
        return np.full(n, 2 * root(size))

    judge(to_zero(measure))
    assert len({*seen, tuple(stream(0).generate_state(4))}) == len(SIZES) + 1


def test_judging_is_a_function_of_the_stream():
    statement = to_zero(power_law(1, -0.4, 1.0))
    assert judge(statement, 1) == judge(statement, 1) != judge(statement, 2)


def test_a_quantity_exactly_on_its_limits_holds_whatever_the_rounding():
    for constant in np.random.default_rng(0).uniform(0.1, 10, 20):

        def measure(size, stream, n, constant=constant):
            return np.full(n, constant * size**-0.25)

        assert (
            judge(to_zero(measure, level=measure(1024, None, 1)[0], every_step=True)).verdict
            is Verdict.HOLDS
        )
        assert judge(to_zero(measure, exponent=0.2501, level=10)).verdict is Verdict.VIOLATED


def test_every_step_sees_a_fall_that_ends_early():
    def levels_out(size, stream, n):
        return power_law(1, -0.5, 0.01)(min(size, 256), stream, n)

    assert judge(to_zero(levels_out, exponent=0.2)).verdict is Verdict.HOLDS
    evidence = judge(to_zero(levels_out, exponent=0.2, every_step=True))
    assert evidence.verdict is Verdict.VIOLATED
    assert evidence.detail.startswith("wrong rate: falls like size^-0.2 from 256 to 1024")


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
def tables(share, resolution, n, alpha):
    """The verdict on each possible count, of the level alone and of the trend alone (the other
    always happens)."""

    def verdict(count, inside, outside, level):
        def measure(size, stream, replicates):
            return np.where(np.arange(n) < count, inside, outside) if size == 4 else np.ones(n)

        stated = {
            "exponent": 1,
            "level": level,
            "share": share,
            "resolution": resolution,
            "replicates": n,
        }
        return judge(to_zero(measure, (1, 4), **stated), alpha=alpha).verdict

    level = [verdict(count, 0.20, 0.24, 0.2) for count in range(n + 1)]
    trend = [verdict(count, 0.25, 0.28, 0.3) for count in range(n + 1)]
    return np.array(level), np.array(trend)


@pytest.mark.parametrize(
    ("share", "resolution", "n", "alpha"),
    [
        (0.9, 0.6, 32, LEDGER),
        (0.9, 0.4, 64, LEDGER),
        (0.9, 0.57, 16, ALPHA),
        (0.75, 0.3, 64, ALPHA),
        (0.95, 0.2, 64, ALPHA),
    ],
)
def test_error_rates_are_exactly_those_of_the_design(share, resolution, n, alpha):
    """Judges every possible count, and sums binomial probabilities over the verdicts."""
    for verdicts in tables(share, resolution, n, alpha):

        def chance(verdict, rate, verdicts=verdicts):
            return binom.pmf(np.arange(n + 1), n, rate)[verdicts == verdict].sum()

        assert (
            alpha / 40 <= chance(Verdict.VIOLATED, share) <= alpha / 2
        )  # half of alpha for each of two events
        assert chance(Verdict.HOLDS, share) >= 1 - 0.05 / 2
        assert chance(Verdict.VIOLATED, share - resolution) >= 0.95
        passing = min(resolution, frequency_passing(1 - share, n, events=2))
        assert chance(Verdict.HOLDS, max(share - passing, 0.5)) <= 0.05 + 1e-12


def test_the_power_curve_over_exponents():
    """Exact chances of each verdict for lognormal values, whose share of pairs that fall is
    Phi(...)."""
    n, alpha, ratio, spread, stated = 32, LEDGER, 16, 0.5, 0.5
    _, verdicts = tables(0.9, 0.6, n, alpha)
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
    level, trend = (table == Verdict.VIOLATED for table in tables(share, 0.3, n, ALPHA))
    at_1, at_4 = boundary(np.random.default_rng(1), RUNS, n, share)
    alarms = level[(at_4 <= 1).sum(axis=1)] | trend[(at_4 <= at_1 / 4).sum(axis=1)]
    assert calibrated(alarms.sum(), RUNS, ALPHA)
    assert alarms.sum() >= RUNS * ALPHA / 20
    for run in range(50):  # judging is this computation, after shuffling

        def measure(size, stream, replicates, run=run):
            return at_1[run] if size == 1 else at_4[run]

        statement = to_zero(
            measure, (1, 4), exponent=1, level=1, share=share, resolution=0.3, replicates=n
        )
        order = np.random.default_rng(SHUFFLE)
        small, large = order.permutation(at_1[run]), order.permutation(at_4[run])
        expected = level[(large <= 1).sum()] or trend[(large <= small / 4).sum()]
        assert (judge(statement, run, ALPHA).verdict is Verdict.VIOLATED) == expected


@pytest.mark.parametrize("spread", [0.0, 0.5, 10.0])
def test_a_small_quantity_that_does_not_fall_passes_at_most_one_time_in_twenty(spread):
    """Also where the stated fall is slight, the spread is large, and 16 replicates resolve next to
    nothing."""
    statement = to_zero(
        power_law(1e-9, 0, spread), exponent=1e-3, level=1e9, resolution=0.8, replicates=16
    )
    verdicts = [judge(statement, seed, 1e-8).verdict for seed in range(200)]
    assert calibrated(verdicts.count(Verdict.HOLDS), 200, 0.05)


# Broken on purpose


@dataclass(frozen=True)
class Unshuffled(Ladder):
    """Pairs the i-th with the i-th as they come."""

    def _values(self, stream):
        return [
            self.measure(size, child(stream, index), self.replicates)
            for index, size in enumerate(self.sizes)
        ]


def test_pairing_sorted_values_is_noticed():
    """Sorted values make pairs depend on each other: what does not fall passes far too often.
    Shuffling repairs it."""

    def sorted_values(size, stream, n):
        return np.sort(power_law(1, 0, 1.0)(size, stream, n))

    sound = to_zero(sorted_values, exponent=1e-3, level=1e9)
    broken = Unshuffled(**vars(sound))
    for statement, fine in ((sound, True), (broken, False)):
        passes = sum(judge(statement, seed).verdict is Verdict.HOLDS for seed in range(200))
        assert calibrated(passes, 200, 0.05) == fine


def test_passing_without_the_comparison_with_half_is_noticed_exactly():
    n, share, resolution, counts = 16, 0.9, 0.8, np.arange(17)

    def first(count):
        return lambda stream, size: np.arange(size) < count

    alone = [
        judge(frequency_at_least(share, first(x), resolution=resolution, replicates=n)).verdict
        for x in counts
    ]
    _, trend = tables(share, resolution, n, LEDGER)
    half = binom.pmf(counts, n, 0.5)
    assert half[np.array(alone) == Verdict.HOLDS].sum() > 0.9
    assert half[trend == Verdict.HOLDS].sum() <= 0.05


def test_alpha_spent_on_every_event_is_noticed_exactly():
    """Levels at five sizes are independent: at alpha each, one alarm among them is likelier than
    alpha."""
    n, share = 64, 0.75
    level, _ = tables(share, 0.3, n, 2 * ALPHA)  # two events share alpha evenly: each has ALPHA
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
    assert judge(to_zero(levels_out, every_step=True)).verdict is Verdict.VIOLATED


# Design


@pytest.mark.parametrize("alpha", [ALPHA, LEDGER])
@pytest.mark.parametrize(("share", "events"), [(0.75, 2), (0.9, 2), (0.9, 4), (1.0, 4)])
def test_replicates_and_resolution_are_inverse(share, events, alpha):
    for resolution in (0.45, 0.6):
        n = ladder_replicates(share, resolution, events, alpha)
        afforded = ladder_resolution(share, n, events, alpha)
        assert afforded <= resolution
        assert ladder_replicates(share, afforded, events, alpha) <= n
        one_fewer = {"share": share, "resolution": resolution, "replicates": n - 1}
        statement = to_zero(None, **one_fewer) if events == 2 else of_order(None, **one_fewer)
        with pytest.raises(ValueError, match=f": {n} are needed"):
            statement.samples_needed(alpha)


def test_figures_of_the_design():
    """The replicates that a run pays for; a change here is a change of the design."""
    assert [
        ladder_replicates(0.9, resolution, 2, LEDGER) for resolution in (0.77, 0.6, 0.4, 0.3)
    ] == [16, 27, 56, 91]
    assert ladder_replicates(0.9, 0.77, 4, LEDGER) == 18  # more events may miss `holds`
    assert ladder_replicates(1.0, 0.5, 2, LEDGER) == ladder_replicates(1.0, 0.5, 2, ALPHA)


# Refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: to_zero(None, (64,)), "1 sizes show no trend"),
        (lambda: to_zero(None, (64, 64)), "strictly increasing"),
        (lambda: to_zero(None, (0, 64)), r"\(0, 64\)"),
        (lambda: to_zero(None, exponent=0), "exponent = 0 must be positive"),
        (lambda: to_zero(None, exponent=1000), r"scale\(64\) = 0.0 must be positive"),
        (lambda: to_zero(None, level=-1), "level = -1 must be positive"),
        (lambda: to_zero(None, level=float("nan")), "level = nan"),
        (lambda: to_zero(None, share=0.5), "share = 0.5 must lie in"),
        (lambda: to_zero(None, share=1.1), r"share = 1.1 must lie in"),
        (lambda: to_zero(None, resolution=0), "resolution = 0 must be positive"),
        (lambda: to_zero(None, resolution=0.95), "resolution = 0.95 must be at most share = 0.9"),
        (lambda: to_zero(None, replicates=0), "replicates = 0 must be at least 1"),
        (lambda: of_order(None, drift=1), r"drift = 1 must lie in \(1, high / low\) = \(1, 4\)"),
        (lambda: of_order(None, drift=4), "drift = 4 must lie in"),
        (lambda: of_order(None, low=0), "low = 0 must be positive"),
        (lambda: of_order(None, high=0.4), "high - low"),
        (lambda: bounded(None, drift=0.9), "drift = 0.9 must be finite and at least 1"),
        (lambda: bounded(None, constant=0), "constant = 0 must be positive"),
        (lambda: bounded(None, lambda d: d - 256), r"scale\(64\) = -192.0 must be positive"),
    ],
)
def test_statements_out_of_range_are_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("replicates", [8, 16, 24])
def test_too_few_replicates_are_an_error_that_names_how_many_are_needed(replicates):
    statement = to_zero(power_law(2, -0.5), replicates=replicates)
    for act in (
        lambda: statement.samples_needed(LEDGER),
        lambda: statement.judge(stream(0), LEDGER, 10**6),
    ):
        with pytest.raises(
            ValueError, match=rf"{replicates} replicates .* for 2 events .*: 27 are needed"
        ):
            act()


def test_a_design_that_cannot_tell_its_share_from_half_is_an_error():
    with pytest.raises(ValueError, match="more than 3999 replicates"):
        to_zero(None, share=0.51, resolution=0.1).samples_needed(LEDGER)


def test_budgets_and_levels_are_checked():
    statement = to_zero(power_law(2, -0.5))
    with pytest.raises(ValueError, match="budget of 95 samples is below the 96"):
        statement.judge(stream(0), LEDGER, 95)
    with pytest.raises(ValueError, match="alpha = 0"):
        statement.samples_needed(0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (lambda n: np.full(n, np.nan), "nan is not finite"),
        (lambda n: np.full(n, np.inf), "inf is not finite"),
        (lambda n: np.linspace(-0.5, 1, n), r"value -0.5 must be at least 0"),
        (lambda n: np.ones(n - 1), "shape"),
        (lambda n: np.full(n, 1j), "dtype"),
    ],
)
def test_bad_values_are_errors_that_name_the_size(bad, message):
    def measure(size, stream, n):
        return bad(n) if size == 256 else np.ones(n)

    with pytest.raises(ValueError, match=message) as caught:
        judge(to_zero(measure))
    assert caught.value.__notes__ == ["while measuring at size 256"]


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
        (SIZES, [np.ones(8), np.full(8, np.nan), np.ones(8)], {}, "nan is not finite"),
        (SIZES, [np.ones(8)] * 3, {"confidence": 1}, "confidence = 1"),
    ],
)
def test_fitted_exponents_refuse(sizes, values, rest, message):
    with pytest.raises(ValueError, match=message):
        fitted_exponent(sizes, values, seed=0, **rest)
