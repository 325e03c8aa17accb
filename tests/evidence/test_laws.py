"""Laws against enumeration."""

from itertools import product
from math import comb, exp, factorial, prod

import numpy as np
import pytest
from scipy.special import xlogy
from scipy.stats import binom, kstwo

from theory_checks.evidence import design, laws


def compositions(total, parts):
    """All counts of `total` observations in `parts` cells."""
    if parts == 1:
        return [(total,)]
    return [
        (first, *rest)
        for first in range(total + 1)
        for rest in compositions(total - first, parts - 1)
    ]


def multinomial(counts, probabilities):
    ways = factorial(sum(counts)) // prod(map(factorial, counts))
    return ways * prod(p**c for p, c in zip(probabilities, counts, strict=True))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.93])
def test_binomial_tails_are_the_enumerated_ones(rate):
    trials = 12
    law = [comb(trials, x) * rate**x * (1 - rate) ** (trials - x) for x in range(trials + 1)]
    for x in range(trials + 1):
        assert laws.binomial_above(x, trials, rate) == pytest.approx(sum(law[x:]), rel=1e-10)
        assert laws.binomial_below(x, trials, rate) == pytest.approx(sum(law[: x + 1]), rel=1e-10)


@pytest.mark.parametrize("rate", [0.0, 1e-3, 0.05, 0.5, 0.95, 1.0])
def test_binomial_tails_and_their_inverses_are_those_of_scipy_stats(rate):
    trials = np.arange(1, 300)
    for successes in (-1, 0, 1, 17, 299, 300):
        x = np.minimum(successes, trials + 1)
        assert laws.binomial_above(x, trials, rate) == pytest.approx(
            binom.sf(x - 1, trials, rate), rel=1e-9
        )
        assert laws.binomial_below(x, trials, rate) == pytest.approx(
            binom.cdf(x, trials, rate), rel=1e-9
        )
    for tail in (0.05, 1e-3, 1e-9):
        most, least = laws.most_below(tail, trials, rate), laws.least_above(tail, trials, rate)
        assert (binom.cdf(most, trials, rate) <= tail * (1 + 1e-9)).all()
        assert (binom.cdf(most + 1, trials, rate) > tail * (1 - 1e-9)).all()
        assert (binom.sf(least - 1, trials, rate) <= tail * (1 + 1e-9)).all()
        assert (binom.sf(least - 2, trials, rate) > tail * (1 - 1e-9)).all()


@pytest.mark.parametrize("alpha", [0.05, 1e-8])
def test_clopper_pearson_inverts_the_binomial_tails(alpha):
    for x in range(11):
        low, high = laws.clopper_pearson(x, 10, alpha)
        assert (
            low == 0
            if x == 0
            else laws.binomial_above(x, 10, low) == pytest.approx(alpha / 2, rel=1e-8)
        )
        assert (
            high == 1
            if x == 10
            else laws.binomial_below(x, 10, high) == pytest.approx(alpha / 2, rel=1e-8)
        )


def test_clopper_pearson_refuses_what_is_no_count():
    for x, n in ((-1, 5), (6, 5), (0, 0)):
        with pytest.raises(ValueError, match=f"{x} successes in {n}"):
            laws.clopper_pearson(x, n, 0.05)


@pytest.mark.parametrize("p", [(0.5, 0.5), (0.2, 0.3, 0.5), (0.7, 0.1, 0.15, 0.05)])
@pytest.mark.parametrize("concentration", [0.0, 3.0, 200.0])
def test_the_multinomial_e_value_has_expectation_one(p, concentration):
    p = np.array(p)
    for n in (1, 5, 12):
        counts = np.array(compositions(n, len(p)))
        e_values = np.exp(laws.log_multinomial_e_value(counts, p, concentration))
        law = np.array([multinomial(c, p) for c in counts.tolist()])
        assert law @ e_values == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("concentration", [0.0, 3.0, 200.0])
def test_the_multinomial_e_value_is_a_martingale(concentration):
    p = np.array([0.2, 0.3, 0.5])
    for counts in compositions(6, 3):
        now = laws.log_multinomial_e_value(np.array(counts), p, concentration)
        after = laws.log_multinomial_e_value(
            np.array(counts) + np.eye(3, dtype=int), p, concentration
        )
        assert p @ np.exp(after - now) == pytest.approx(1, abs=1e-10)


def test_an_impossible_cell_refutes_and_takes_no_part_in_the_mixture():
    p = np.array([0.5, 0.5, 0.0])
    assert laws.log_multinomial_e_value(np.array([3, 4, 1]), p, 2.0) == np.inf
    with_it, without = laws.log_multinomial_e_value(np.array([3, 4, 0]), p, 2.0), np.array([3, 4])
    assert with_it == pytest.approx(float(laws.log_multinomial_e_value(without, p[:2], 2.0)))


@pytest.mark.parametrize("p", [(0.5, 0.5), (0.01, 0.29, 0.7), (0.7, 0.1, 0.15, 0.05)])
@pytest.mark.parametrize("concentration", [1e-9, 3.0, 200.0])
def test_the_regret_bounds_the_e_value_for_all_counts(p, concentration):
    p, c, slack = np.array(p), concentration, []
    for n in (1, 2, 5, 12):
        for counts in map(np.array, compositions(n, len(p))):
            m = (c * p + counts) / (c + n)
            divergence = (c + n) * xlogy(m, m / p).sum()
            bound = divergence - laws.multinomial_regret(n, len(p), c)
            slack.append(laws.log_multinomial_e_value(counts, p, c) - bound)
    assert min(slack) >= -1e-10
    assert (
        min(slack) < len(p) * np.log(2) / 2 + 1e-8
    )  # eta(0) = log(2) / 2 is the most that a cell drops


@pytest.mark.parametrize("true", [(0.5, 0.5, 0.0), (0.3, 0.3, 0.4), (0.05, 0.35, 0.6)])
def test_a_law_at_the_resolution_passes_with_probability_at_most_five_percent(true):
    """Enumerated: P(TV(phat, p0) + radius <= TV(p, p0)) for the statement of `hoeffding_radius`."""
    p0, p, n = np.array([0.2, 0.3, 0.5]), np.array(true), 40
    delta, radius = laws.total_variation(p, p0), laws.hoeffding_radius(n, 0.05)
    passing = [
        c for c in compositions(n, 3) if laws.total_variation(np.array(c) / n, p0) + radius <= delta
    ]
    assert sum(multinomial(c, p) for c in passing) <= 0.05


def test_total_variation_of_the_empirical_law_obeys_its_bounds():
    p, n = np.array([0.2, 0.3, 0.5]), 30
    counts = compositions(n, 3)
    weights = np.array([multinomial(c, p) for c in counts])
    distances = laws.total_variation(np.array(counts) / n, p)
    limit = laws.expected_total_variation(p) / n**0.5
    assert 0.7 * limit < weights @ distances <= limit
    for tail in (0.05, 1e-3):
        assert weights[distances >= limit + laws.hoeffding_radius(n, tail)].sum() <= tail


def test_total_variation_is_the_largest_difference_over_events():
    p, q = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.25, 0.25, 0.25, 0.25])
    events = [np.array(event) for event in product((0, 1), repeat=4)]
    assert laws.total_variation(p, q) == pytest.approx(max(event @ (p - q) for event in events))


def test_the_kolmogorov_distance_is_the_supremum_for_continuous_laws():
    x = np.random.default_rng(0).random(200)
    grid = np.concatenate([np.linspace(0, 1, 20001), x, np.nextafter(x, 0)])
    brute = np.abs((x[None] <= grid[:, None]).mean(axis=1) - grid).max()
    assert laws.kolmogorov_distance(x, lambda t: np.clip(t, 0, 1)) == pytest.approx(
        brute, abs=1e-10
    )


def test_the_kolmogorov_distance_is_the_supremum_for_discrete_and_mixed_laws():
    x = np.random.default_rng(1).integers(0, 3, 50).astype(float)

    def thirds(t):
        return np.clip((np.floor(t) + 1) / 3, 0, 1)

    assert laws.kolmogorov_distance(x, thirds) == pytest.approx(
        max(abs((x <= v).mean() - thirds(v)) for v in range(3))
    )
    # an atom of one half at 0, and Unif[0, 1]
    y = np.maximum(np.random.default_rng(2).uniform(-1, 1, 40), 0)

    def atom(t):
        return np.where(t < 0, 0, 0.5 + np.clip(t, 0, 1) / 2)

    grid = np.concatenate([np.linspace(-0.1, 1.1, 12001), y, np.nextafter(y, -1)])
    brute = np.abs((y[None] <= grid[:, None]).mean(axis=1) - atom(grid)).max()
    assert laws.kolmogorov_distance(y, atom) == pytest.approx(brute, abs=1e-10)


@pytest.mark.parametrize("n", [1, 10, 100, 4000, 100_000])
def test_the_kolmogorov_p_value_bounds_the_exact_one_and_is_close_to_it_for_many_samples(n):
    for p_value in (0.5, 0.05, 1e-3, 1e-8, 1e-10):
        bound = laws.kolmogorov_p_value(kstwo.isf(p_value, n), n)
        assert p_value * (1 - 1e-6) <= bound
        assert (
            n < 4000 or bound <= 1.1 * p_value
        )  # by design: log(1.1) / log(2 / 1e-8) is 0.5 % of the samples


def test_a_cdf_that_is_none_is_refused():
    for cdf in (lambda t: 2 * t, lambda t: t * np.nan, lambda t: 0.5):
        with pytest.raises(ValueError, match="cdf must return"):
            laws.kolmogorov_distance(np.array([0.7, 0.9]), cdf)


def test_massart_bounds_the_exact_kolmogorov_law():
    n = np.array([10, 100, 1000])
    for alpha in (0.05, 1e-3, 1e-8):
        assert (kstwo.isf(alpha, n) <= np.sqrt(np.log(2 / alpha) / (2 * n))).all()
    assert exp(-2 * 50 * laws.hoeffding_radius(50, 0.05) ** 2) == pytest.approx(0.05)
    assert design.law_samples(0.1, 0.05) < 1000
