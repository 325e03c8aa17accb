"""Every shape of statement on synthetic nulls at its boundary, and on violations at its resolution.

Frequencies over 20,000 runs are held against exact binomial tails; where the law of a checker can
be computed, it is. Checkers broken on purpose show that these tests would notice.
"""

import numpy as np
import pytest
from scipy.stats import binom
from synthetic import (
    at_least_95_percent,
    bernoulli,
    calibrated,
    cells,
    race,
    simulated_race,
    stream,
    uniform,
)

from core.seeds import child
from theory_checks.evidence import (
    Verdict,
    betting,
    cells_follow,
    design,
    follows_law,
    frequency_at_least,
    frequency_at_most,
    laws,
    mean_at_least,
    mean_at_most,
    mean_equals,
)
from theory_checks.evidence.sampling import batch_sizes

RUNS, ALPHA, TINY = 20_000, 0.01, 1e-8
MEANS = [(0.125, 0.05), (0.5, 0.05), (0.875, 0.05), (0.01, 0.02), (0.0, 0.02)]  # bound, resolution


def exact_race(rate, bound, resolution, alpha):
    """(P(violated), P(holds), E samples) of mean_at_most on Bernoulli(rate), by summing over counts
    at every look."""
    sizes = list(batch_sizes(design.mean_samples(bound, resolution, alpha)))
    law, looked, totals, samples, violated, holds = np.ones(1), 0, [], 0.0, 0.0, 0.0
    for size in sizes:
        law = np.convolve(law, binom.pmf(np.arange(size + 1), size, rate))
        looked += size
        samples += size * sum(totals, start=1.0 - violated - holds)
        ones = np.arange(looked + 1)
        # race() on one batch: the e-processes depend on the counts alone
        wins, passes, _ = race(ones[None], [looked], bound, resolution, alpha)
        violated, holds = violated + law[wins].sum(), holds + law[passes].sum()
        law = np.where(wins | passes, 0, law)
    return violated, holds, samples


@pytest.mark.parametrize(("bound", "resolution"), MEANS)
def test_means_raise_false_alarms_at_most_as_often_as_alpha(bound, resolution):
    violated, holds, _ = simulated_race(bound, bound, resolution, ALPHA, RUNS, seed=1)
    assert calibrated(violated.sum(), RUNS, ALPHA)
    assert bound == 0 or violated.mean() >= ALPHA / 20
    assert at_least_95_percent(holds.sum(), RUNS)


@pytest.mark.parametrize(("bound", "resolution"), [(0.125, 0.05), (0.5, 0.05), (0.875, 0.05)])
@pytest.mark.parametrize("alpha", [ALPHA, TINY])
def test_means_have_exactly_computed_error_rates(bound, resolution, alpha):
    violated, holds, _ = exact_race(bound, bound, resolution, alpha)
    assert alpha / 20 <= violated <= alpha
    assert holds >= 0.95
    violated, holds, _ = exact_race(bound + resolution, bound, resolution, alpha)
    assert violated >= 0.95
    assert 0.05 / 20 <= holds <= 0.05


def test_the_exact_computation_agrees_with_simulation():
    violated, holds, samples = simulated_race(0.16, 0.125, 0.05, ALPHA, RUNS, seed=2)
    exact = exact_race(0.16, 0.125, 0.05, ALPHA)
    assert violated.mean() == pytest.approx(exact[0], abs=0.02)
    assert holds.mean() == pytest.approx(exact[1], abs=0.02)
    assert samples.mean() == pytest.approx(exact[2], rel=0.03)


def test_the_power_curve_rises():
    rates = np.linspace(0.125, 0.2, 6)
    power = [exact_race(rate, 0.125, 0.05, ALPHA)[0] for rate in rates]
    assert (np.diff(power) > 0).all()
    assert power[0] <= ALPHA
    assert power[-1] > 0.99


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.3, 0.7)])
def test_means_of_continuous_variables_are_calibrated(low, high):
    """The path for general bounded data, at both variances: the smaller one is cheaper to see
    through."""
    bound, resolution, runs = 0.5, 0.1, RUNS
    rng, alarms, passes = np.random.default_rng(3), 0, 0
    sizes = list(batch_sizes(design.mean_samples(bound, resolution, ALPHA)))
    for _ in range(10):
        outside = betting.start(
            bound, betting.portfolio(betting.kelly(bound, resolution)), tests=(runs // 10,)
        )
        inside = betting.start(
            0.4, betting.portfolio(betting.kelly(0.4, resolution)), tests=(runs // 10,)
        )
        alarm, passed = np.zeros((2, runs // 10), bool)
        for size in sizes:
            x = rng.uniform(low, high, (size, runs // 10))
            outside, inside = betting.update(outside, x), betting.update(inside, 1 - x)
            alarm |= outside.log_e_value >= np.log(1 / ALPHA)
            passed |= inside.log_e_value >= np.log(1 / design.SEQUENTIAL_PASS)
        alarms, passes = alarms + alarm.sum(), passes + passed.sum()
    assert calibrated(alarms, runs, ALPHA)
    assert high - low < 1 or alarms / runs >= ALPHA / 20
    assert at_least_95_percent(passes, runs)


def test_two_sided_means_are_calibrated():
    bound, resolution = 0.3, 0.1
    sizes = list(
        batch_sizes(max(design.mean_samples(b, resolution, ALPHA / 2) for b in (bound, 1 - bound)))
    )
    rng, alarm = np.random.default_rng(4), np.zeros(RUNS, bool)
    above = betting.start(bound, betting.portfolio(betting.kelly(bound, resolution)), tests=(RUNS,))
    below = betting.start(
        1 - bound, betting.portfolio(betting.kelly(1 - bound, resolution)), tests=(RUNS,)
    )
    for size in sizes:
        ones = rng.binomial(size, bound, RUNS)
        above = betting.update_counts(above, ones, size - ones)
        below = betting.update_counts(below, size - ones, ones)
        alarm |= np.maximum(above.log_e_value, below.log_e_value) >= np.log(2 / ALPHA)
    assert calibrated(alarm.sum(), RUNS, ALPHA)
    assert alarm.mean() >= ALPHA / 20


@pytest.mark.parametrize(("bound", "resolution"), [(0.125, 0.05), (0.5, 0.1), (0.0, 0.1)])
def test_judging_is_the_vectorised_race(bound, resolution):
    for seed in range(30):
        rate = min(bound + resolution * (seed % 3) / 2, 1)
        statement = mean_at_most(bound, bernoulli(rate), resolution=resolution)
        sizes = list(batch_sizes(statement.samples_needed(ALPHA)))
        ones = [[bernoulli(rate)(child(stream(seed), i), n).sum()] for i, n in enumerate(sizes)]
        violated, holds, samples = race(np.array(ones), sizes, bound, resolution, ALPHA)
        evidence = statement.judge(stream(seed), ALPHA, sum(sizes))
        expected = (
            Verdict.VIOLATED if violated else Verdict.HOLDS if holds else Verdict.INCONCLUSIVE
        )
        assert (evidence.verdict, evidence.samples) == (expected, samples[0])


def test_judging_two_sides_spends_half_of_alpha_on_each():
    """Four e-processes, one for each side and verdict, against judge on the same data."""
    statement = mean_equals(0.5, bernoulli(0.45), resolution=0.1)
    sizes = list(batch_sizes(statement.samples_needed(ALPHA)))
    alarm, passing = np.log(2 / ALPHA), np.log(1 / design.SEQUENTIAL_PASS)
    between = 0
    for seed in range(60):
        # bets on ones and on zeros, against the bound 1/2 and against the resolution 0.1 away from
        # it
        outside = [betting.start(0.5, betting.portfolio(betting.kelly(0.5, 0.1)))] * 2
        inside = [betting.start(0.4, betting.portfolio(betting.kelly(0.4, 0.1)))] * 2
        passed, expected = np.zeros(2, bool), Verdict.INCONCLUSIVE
        for i, n in enumerate(sizes):
            ones = bernoulli(0.45)(child(stream(seed), i), n).sum()
            split = [(ones, n - ones), (n - ones, ones)]
            outside = [betting.update_counts(w, *c) for w, c in zip(outside, split, strict=True)]
            inside = [betting.update_counts(w, *c) for w, c in zip(inside, split, strict=True)]
            highest = max(w.log_e_value for w in outside)
            between += np.log(1 / ALPHA) <= highest < alarm
            passed |= [w.log_e_value >= passing for w in inside]
            if highest >= alarm or passed.all():
                expected = Verdict.VIOLATED if highest >= alarm else Verdict.HOLDS
                break
        evidence = statement.judge(stream(seed), ALPHA, sum(sizes))
        assert (evidence.verdict, evidence.samples) == (expected, sum(sizes[: i + 1]))
    assert between > 0  # so that a level that is not split would have been seen


@pytest.mark.parametrize(
    "draw", [bernoulli(0.6), lambda s, n: np.random.default_rng(s).beta(6, 4, n)]
)
@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        (lambda draw: mean_at_most(0.5, draw, resolution=0.1), Verdict.VIOLATED),
        (lambda draw: mean_at_most(0.6, draw, resolution=0.1), Verdict.HOLDS),
        (lambda draw: mean_at_least(0.7, draw, resolution=0.1), Verdict.VIOLATED),
        (lambda draw: mean_at_least(0.6, draw, resolution=0.1), Verdict.HOLDS),
        (lambda draw: mean_equals(0.7, draw, resolution=0.1), Verdict.VIOLATED),
        (lambda draw: mean_equals(0.5, draw, resolution=0.1), Verdict.VIOLATED),
        (lambda draw: mean_equals(0.6, draw, resolution=0.1), Verdict.HOLDS),
    ],
)
def test_judging_reaches_the_designed_power_on_both_sides(draw, statement, verdict):
    made = statement(draw)
    needed = made.samples_needed(TINY)
    verdicts = [made.judge(stream(seed), TINY, needed).verdict for seed in range(100)]
    assert at_least_95_percent(verdicts.count(verdict), 100)


def test_violations_are_caught_within_a_few_times_the_wald_expectation():
    violated, _, samples = simulated_race(
        0.9, 0.875, 0.005, TINY, 2000, seed=5
    )  # 0.10 against "at least 1/8"
    wald = np.log(1 / TINY) / design.kl_bernoulli(0.10, 0.125)
    assert violated.all()
    assert samples.mean() <= 1.6 * wald  # the bar is 4


P0 = np.full(4, 0.25)


def cells_race(p, p0, resolution, alpha, runs, seed):
    """Verdicts of cells_follow for many runs."""
    rng, c = np.random.default_rng(seed), design.cells_concentration(p0, resolution)
    counts, violated = np.zeros((runs, len(p0)), int), np.zeros(runs, bool)
    for size in batch_sizes(design.cells_samples(p0, resolution, alpha)):
        counts += rng.multinomial(size, p, runs)
        violated |= laws.log_multinomial_e_value(counts, p0, c) >= np.log(1 / alpha)
    n = counts[0].sum()
    distance = laws.total_variation(counts / n, p0)
    return violated, ~violated & (distance + laws.hoeffding_radius(n, 0.05) <= resolution)


@pytest.mark.parametrize("p0", [(0.5, 0.5), (0.25,) * 4, (0.6, 0.3, 0.05, 0.05), (0.1,) * 10])
def test_cells_are_calibrated_and_powerful(p0):
    p0, resolution = np.array(p0), 0.1
    violated, holds = cells_race(p0, p0, resolution, ALPHA, RUNS, seed=6)
    assert calibrated(violated.sum(), RUNS, ALPHA)
    assert violated.mean() >= ALPHA / 20
    assert at_least_95_percent(holds.sum(), RUNS)
    half = len(p0) // 2
    shift = np.where(np.arange(len(p0)) < half, 1 / half, -1 / (len(p0) - half)) * resolution
    worst = p0 - shift if (p0 - shift >= 0).all() else p0 + shift
    for alpha in (ALPHA, TINY):
        violated, holds = cells_race(np.abs(worst), p0, resolution, alpha, 2000, seed=7)
        assert at_least_95_percent(violated.sum(), 2000)
        assert calibrated(holds.sum(), 2000, 0.05)


def test_cells_are_calibrated_at_the_alphas_in_use():
    """Importance sampling: under the mixture itself crossings are common, and their probability
    under the null is the mean of 1 / e-value at the first crossing."""
    for alpha in (TINY, 1e-10):
        rng, weights = np.random.default_rng(8), np.zeros(RUNS)
        c = design.cells_concentration(P0, 0.05)
        p = rng.dirichlet(c * P0 + 0.5, RUNS)
        counts = np.zeros((RUNS, 4), int)
        for size in batch_sizes(design.cells_samples(P0, 0.05, alpha)):
            counts += rng.multinomial(size, p)
            log_e = laws.log_multinomial_e_value(counts, P0, c)
            weights = np.where(
                (weights == 0) & (log_e >= np.log(1 / alpha)), np.exp(-log_e), weights
            )
        assert weights.max() <= alpha
        assert weights.mean() >= alpha / 20


def test_laws_are_calibrated_and_powerful():
    """At one fixed size the test rejects with probability at most alpha, and nearly that; 20,000
    runs agree."""
    resolution = 0.1
    n = design.law_samples(resolution, ALPHA)
    rng, position = np.random.default_rng(11), np.arange(n) / n
    critical = np.sqrt(np.log(2 / ALPHA) / (2 * n))
    assert laws.kolmogorov_p_value(critical, n) == pytest.approx(ALPHA)

    def distances(cdf, runs):
        u = cdf(np.sort(rng.random((runs, n)), axis=1))
        return np.maximum(u - position, position + 1 / n - u).max(axis=1)

    d = np.concatenate([distances(lambda u: u, RUNS // 10) for _ in range(10)])
    alarms = (d >= critical).sum()
    assert calibrated(alarms, RUNS, ALPHA)
    assert alarms / RUNS >= ALPHA / 2
    assert at_least_95_percent((d + laws.hoeffding_radius(n, 0.05) <= resolution).sum(), RUNS)
    shifted = distances(lambda u: np.clip(u - resolution, 0, 1), 2000)  # D = 0.1 for u uniform
    assert at_least_95_percent((shifted >= critical).sum(), 2000)
    assert calibrated((shifted + laws.hoeffding_radius(n, 0.05) <= resolution).sum(), 2000, 0.05)


def test_discrete_laws_raise_fewer_false_alarms():
    n = design.law_samples(0.1, ALPHA)
    counts = np.random.default_rng(12).multinomial(n, [1 / 3] * 3, RUNS)
    d = np.abs(counts.cumsum(axis=1) / n - [1 / 3, 2 / 3, 1]).max(axis=1)
    assert calibrated((d >= np.sqrt(np.log(2 / ALPHA) / (2 * n))).sum(), RUNS, ALPHA)


def verdicts_of(make, at, n, alpha, **stated):
    """The verdict on every possible count of events."""
    counts = np.arange(n + 1)
    made = [make(at, counts[:n] < x, **stated) for x in counts]
    return np.array([statement.judge(stream(0), alpha, n).verdict for statement in made])


@pytest.mark.parametrize(("make", "side"), [(frequency_at_most, 1), (frequency_at_least, -1)])
@pytest.mark.parametrize(
    ("alpha", "bound", "resolution", "n"),
    [(0.01, 0.1, None, 64), (TINY, 0.1, None, 64), (0.01, 0.5, 0.3, 60)],
)
def test_frequencies_have_exactly_computed_error_rates(make, side, alpha, bound, resolution, n):
    """Sums binomial probabilities over the verdicts on every possible count of events."""
    at, counts = bound if side == 1 else 1 - bound, np.arange(n + 1)
    verdicts = verdicts_of(make, at, n, alpha, resolution=resolution)
    stated = resolution or design.frequency_resolution(bound, n)
    null, beyond = binom.pmf(counts, n, at), binom.pmf(counts, n, at + side * stated)
    assert alpha / 20 <= null[verdicts == Verdict.VIOLATED].sum() <= alpha
    assert null[verdicts == Verdict.HOLDS].sum() >= 0.95 - alpha
    assert beyond[verdicts == Verdict.HOLDS].sum() <= 0.05 + 1e-9


@pytest.mark.parametrize(("replicates", "rate"), [(16, 0.87), (32, 0.63), (64, 0.47), (128, 0.35)])
def test_detectable_rates_of_dear_replicates(replicates, rate):
    """The figures in the design notes, for "at most 10 %" at alpha = 1e-6 / 48 and 95 % power."""
    verdicts = verdicts_of(frequency_at_most, 0.1, replicates, 1e-6 / 48)
    rates = np.linspace(0, 1, 1001)
    counts = np.arange(replicates + 1)[verdicts == Verdict.VIOLATED]
    power = binom.pmf(counts[:, None], replicates, rates).sum(axis=0)
    assert rates[(power >= 0.95).argmax()] == pytest.approx(rate, abs=0.03)


@pytest.mark.parametrize(
    ("make", "truth", "wrong"),
    [
        (
            lambda draw: cells_follow(P0, draw, resolution=0.05),
            cells(P0),
            cells([0.3, 0.25, 0.25, 0.2]),
        ),
        (
            lambda draw: follows_law(lambda x: np.clip(x, 0, 1), draw, resolution=0.05),
            uniform,
            lambda s, n: 0.05 + 0.95 * uniform(s, n),
        ),
    ],
)
def test_judging_laws_reaches_the_designed_power(make, truth, wrong):
    for draw, verdict in ((truth, Verdict.HOLDS), (wrong, Verdict.VIOLATED)):
        statement = make(draw)
        needed = statement.samples_needed(TINY)
        verdicts = [statement.judge(stream(seed), TINY, needed).verdict for seed in range(60)]
        assert at_least_95_percent(verdicts.count(verdict), 60)


# Broken on purpose


def looks(rate, bound, seed):
    """log e-values and exact binomial p-values at every look, for runs at the boundary."""
    rng, ones, n = np.random.default_rng(seed), 0, 0
    wealth = betting.start(bound, betting.portfolio(betting.kelly(bound, 0.05)), tests=(RUNS,))
    for size in batch_sizes(design.mean_samples(bound, 0.05, ALPHA)):
        new = rng.binomial(size, rate, RUNS)
        ones, n = ones + new, n + size
        wealth = betting.update_counts(wealth, new, size - new)
        yield wealth.log_e_value, binom.sf(ones - 1, n, bound)


def test_a_factor_two_in_the_exponent_is_noticed():
    alarm = np.zeros((2, RUNS), bool)
    for log_e, _ in looks(0.125, 0.125, seed=13):
        alarm |= np.array([log_e, 2 * log_e]) >= np.log(1 / ALPHA)
    assert calibrated(alarm[0].sum(), RUNS, ALPHA)
    assert not calibrated(alarm[1].sum(), RUNS, ALPHA)


def test_peeking_without_correction_is_noticed():
    p_values = np.array([p for _, p in looks(0.125, 0.125, seed=14)])
    assert calibrated(
        (p_values[-1] <= ALPHA).sum(), RUNS, ALPHA
    )  # one look at a fixed size is fine
    assert not calibrated((p_values <= ALPHA).any(axis=0).sum(), RUNS, ALPHA)


def test_a_likelihood_ratio_without_its_regret_is_noticed():
    rng, counts, alarm = np.random.default_rng(15), np.zeros((RUNS, 4), int), np.zeros(RUNS, bool)
    for size in batch_sizes(3000):
        counts += rng.multinomial(size, P0, RUNS)
        n = counts[0].sum()
        maximised = (counts * np.log(np.maximum(counts, 1) / n / P0)).sum(axis=1)
        alarm |= maximised >= np.log(1 / ALPHA)
    assert not calibrated(alarm.sum(), RUNS, ALPHA)


def test_alpha_spent_twice_on_two_sides_is_noticed_exactly():
    """A one-sided exact test at alpha on each side has size up to 2 alpha: seen without any
    sampling."""
    n, counts = 400, np.arange(401)
    either = (binom.sf(counts - 1, n, 0.5) <= ALPHA) | (binom.cdf(counts, n, 0.5) <= ALPHA)
    assert binom.pmf(counts, n, 0.5)[either].sum() > ALPHA
