"""The samples that a resolution needs, and the resolution that few replicates have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from theory_checks.evidence import design

ALPHAS = [0.05, 0.01, 1e-8]


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 0.9), st.floats(0.01, 0.09), st.sampled_from(ALPHAS))
def test_smaller_violations_and_smaller_alphas_need_more(bound, resolution, alpha):
    n = design.mean_samples(bound, resolution, alpha)
    assert n <= design.mean_samples(bound, resolution / 2, alpha)
    assert n <= design.mean_samples(bound, resolution, alpha / 10)


def test_chernoff_quantiles_hold_for_binomials():
    for mean in (0.01, 0.3, 0.97, 1.0):
        for n in (10, 1000):
            q = design.chernoff_quantile(mean, n, 0.01)
            assert q == 0 or mean == 1 or binom.cdf(np.floor(q * n - 1e-9), n, mean) <= 0.01


def test_the_design_for_means_is_within_a_small_factor_of_wald():
    """log(1/alpha) / KL is what a known alternative takes on average; the design promises 99 % and
    pays for it."""
    wald = np.log(1e8) / design.kl_bernoulli(0.15, 0.125)
    assert wald < design.mean_samples(0.125, 0.025, 1e-8) < 3 * wald


@pytest.mark.parametrize(
    ("bound", "replicates", "events"), [(0.02, 8, 1), (0.1, 64, 1), (0.5, 64, 1), (0.05, 32, 3)]
)
def test_the_resolution_of_a_frequency_is_rejected_at_5_percent_whenever_it_holds(
    bound, replicates, events
):
    """`holds` goes up to the last count that a true statement exceeds with 5 % / events."""
    counts = np.arange(replicates + 1)
    most = int(counts[binom.sf(counts, replicates, bound) <= 0.05 / events][0])
    resolution = design.frequency_resolution(bound, replicates, events)
    assert binom.cdf(most, replicates, bound + resolution) == pytest.approx(0.05, abs=1e-9)
    assert design.frequency_resolution(0.5, 2) == 0.5  # even two of two are likely enough


def test_impossible_designs_are_refused():
    for bad in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="alpha"):
            design.mean_samples(0.5, 0.1, bad)
    for bad in (0.0, -0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="resolution"):
            design.mean_samples(0.5, bad, 0.01)
    with pytest.raises(ValueError, match=r"bound = 1\.2"):
        design.mean_samples(1.2, 0.1, 0.01)
