"""The e-process against a naive loop, and as an exact martingale."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory_checks.evidence import betting

BOUNDS = [0.03, 1 / 8, 0.5, 0.9]


def naive_e_value(observations, bound, bets):
    total = 0.0
    for fraction, log_weight in zip(bets.fractions, bets.log_weights, strict=True):
        wealth = np.exp(log_weight)
        for x in observations:
            wealth *= 1 - fraction + fraction * x / bound
        total += wealth
    return total


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("size", [1, 15, 16, 17, 100])
def test_wealth_is_that_of_a_naive_loop(bound, size):
    rng = np.random.default_rng(size)
    bets = betting.portfolio(0.05)
    for observations in (rng.random(size), (rng.random(size) < bound).astype(float)):
        wealth = betting.update(betting.start(bound, bets), observations)
        assert np.exp(wealth.log_e_value) == pytest.approx(
            naive_e_value(observations, bound, bets), rel=1e-10
        )


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("timidest", [0.01, 0.3, 0.999])
def test_wealth_is_a_martingale_under_the_boundary_law(bound, timidest):
    """Over all binary sequences of length 12, at every length: each conditional expectation is the
    present wealth."""
    length = 12
    sequences = np.array(list(product((0, 1), repeat=length))).T
    law = np.where(sequences, bound, 1 - bound)
    wealth = betting.start(bound, betting.portfolio(timidest), tests=(2**length,))
    previous = np.ones(2**length)
    for n in range(length):
        wealth = betting.update(wealth, sequences[n : n + 1])
        e_value = np.exp(wealth.log_e_value)
        blocks = (law[n] * e_value).reshape(
            -1, 2, 2 ** (length - 1 - n)
        )  # the two values of the next observation
        np.testing.assert_allclose(
            blocks.sum(axis=1), previous.reshape(blocks.shape[0], 2, -1)[:, 0], rtol=1e-10
        )
        assert (law[: n + 1].prod(axis=0) * e_value).sum() / 2 ** (length - 1 - n) == pytest.approx(
            1, abs=1e-10
        )
        previous = e_value


def test_wealth_is_a_martingale_for_any_law_with_that_mean():
    values, law = np.array([0.0, 0.2, 0.7, 1.0]), np.array([0.4, 0.3, 0.2, 0.1])
    wealth = betting.start(values @ law, tests=(4**6,))
    index = np.array(list(product(range(4), repeat=6))).T
    e_values = np.exp(betting.update(wealth, values[index]).log_e_value)
    assert law[index].prod(axis=0) @ e_values == pytest.approx(1, abs=1e-10)


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=8),
    st.sampled_from(BOUNDS),
    st.integers(0, 2**32),
)
def test_batches_of_any_size_give_the_same_wealth(cuts, bound, seed):
    x = np.random.default_rng(seed).random((sum(cuts), 3))
    x[:, 0] = x[:, 0] < bound  # one test with {0, 1} data beside two without
    whole = betting.update(betting.start(bound, tests=(3,)), x)
    pieces = betting.start(bound, tests=(3,))
    for piece in np.split(x, np.cumsum(cuts)[:-1]):
        pieces = betting.update(pieces, piece)
    np.testing.assert_allclose(pieces.log_wealth, whole.log_wealth, atol=1e-10)


def test_many_tests_at_once_are_the_single_tests():
    rng = np.random.default_rng(1)
    bounds, x = rng.uniform(0.1, 0.9, (2, 3)), rng.random((50, 2, 3))
    together = betting.update(betting.start(bounds), x).log_e_value
    for i, j in np.ndindex(2, 3):
        alone = betting.update(betting.start(bounds[i, j]), x[:, i, j]).log_e_value
        assert together[i, j] == pytest.approx(float(alone), abs=1e-10)


def test_counts_are_all_that_matters_for_binary_data():
    x = np.random.default_rng(2).random(1000) < 0.3
    by_counts = betting.update_counts(betting.start(0.25), x.sum(), (~x).sum())
    almost = betting.update(
        betting.start(0.25), np.where(x, 1.0, 1e-300)
    )  # takes the path of general data
    assert by_counts.log_e_value == pytest.approx(float(almost.log_e_value), abs=1e-9)


def test_weights_add_up_and_half_lies_on_the_smallest_bet():
    for timidest in (1e-6, 0.2, 0.7, betting.BOLDEST):
        bets = betting.portfolio(timidest)
        assert np.exp(bets.log_weights).sum() == pytest.approx(1, abs=1e-12)
        assert bets.fractions[0] == timidest
        assert len(bets.fractions) == 1 or np.exp(bets.log_weights[0]) == pytest.approx(0.5)


def test_a_bound_of_zero_is_refuted_by_one_positive_observation_and_a_bound_of_one_by_none():
    zero = betting.update(betting.start(0.0), np.zeros(1000))
    assert zero.log_e_value <= 0
    assert betting.update(zero, np.array([0.0, 1e-9, 0.0])).log_e_value == np.inf
    assert betting.update(zero, np.array([True])).log_e_value == np.inf
    assert betting.update(betting.start(1.0), np.ones(1000)).log_e_value <= 0
    assert np.isfinite(betting.update(betting.start(1e-300), np.full(64, 0.5)).log_e_value)


@pytest.mark.parametrize(
    "bad", [np.array([0.5, np.nan]), np.array([0.5, 1.1]), np.array([-0.1]), np.array([2])]
)
def test_bad_observations_are_refused(bad):
    with pytest.raises(ValueError, match=r"nan|1\.1|-0\.1|2"):
        betting.update(betting.start(0.5), bad)


@pytest.mark.parametrize("make", [lambda: betting.start(1.5), lambda: betting.portfolio(0.0)])
def test_bad_designs_are_refused(make):
    with pytest.raises(ValueError, match=r"1\.5|0\.0"):
        make()


def test_batches_of_the_wrong_shape_are_refused_and_empty_ones_change_nothing():
    wealth = betting.start(0.5)
    with pytest.raises(ValueError, match="shape"):
        betting.update(wealth, np.zeros((3, 2)))
    assert betting.update(wealth, np.zeros(0)) is wealth
