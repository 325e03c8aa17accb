"""Samples and resolutions are inverse to each other, and the designed samples reach the promised
power."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from theory_checks.evidence import design

ALPHAS = [0.05, 0.01, 1e-8]
CELLS = np.array([0.1, 0.2, 0.3, 0.4, 0.0])

DESIGNS = {
    "mean": (
        lambda r, a: design.mean_samples(1 / 8, r, a),
        lambda n, a: design.mean_resolution(1 / 8, n, a),
    ),
    "mean of 0": (
        lambda r, a: design.mean_samples(0.0, r, a),
        lambda n, a: design.mean_resolution(0.0, n, a),
    ),
    "cells": (
        lambda r, a: design.cells_samples(CELLS, r, a),
        lambda n, a: design.cells_resolution(CELLS, n, a),
    ),
    "law": (design.law_samples, design.law_resolution),
    "frequency": (
        lambda r, a: design.frequency_samples(0.1, r, a),
        lambda n, a: design.frequency_resolution(0.1, n, a),
    ),
}


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("name", DESIGNS)
def test_samples_and_resolution_are_inverse(name, alpha):
    samples, resolution = DESIGNS[name]
    sizes = [70, 300] if name == "frequency" else [3000, 100_000]
    for n in sizes:
        assert samples(resolution(n, alpha), alpha) <= n
        smaller = resolution(n, alpha) * (1 - 1e-6)
        if name == "frequency":  # fewer replicates may do by luck of the lattice, these do not
            assert not design.frequency_suffices(0.1, smaller, n, alpha)
        else:
            assert samples(smaller, alpha) > n
    for r in (0.3, 0.45):
        n = samples(r, alpha)
        assert resolution(n, alpha) <= r * (1 + 1e-8)
        if n > 1 and name != "frequency":  # the smallest number that suffices
            assert resolution(n - 1, alpha) > r * (1 - 1e-8)


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


def test_frequency_powers_are_the_enumerated_ones():
    bound, resolution, n, alpha = 0.1, 0.4, 40, 1e-6
    counts = np.arange(n + 1)
    violated = binom.sf(counts - 1, n, bound) <= alpha
    holds = ~violated & (binom.cdf(counts, n, bound + resolution) <= 0.05)
    power, passing = design.frequency_power(bound, resolution, n, alpha)
    assert power == pytest.approx(
        binom.pmf(counts, n, bound + resolution)[violated].sum(), abs=1e-10
    )
    assert passing == pytest.approx(binom.pmf(counts, n, bound)[holds].sum(), abs=1e-10)


@pytest.mark.parametrize(("replicates", "rate"), [(16, 0.87), (32, 0.63), (64, 0.47), (128, 0.35)])
def test_detectable_rates_of_dear_replicates(replicates, rate):
    """The figures in the design notes, for "at most 10 %" at alpha = 1e-6 / 48 and about 90 to 95 %
    power."""
    detectable = 0.1 + design.frequency_resolution(0.1, replicates, 1e-6 / 48)
    assert detectable == pytest.approx(rate, abs=0.03)


def test_impossible_designs_are_refused():
    with pytest.raises(ValueError, match="too few samples"):
        design.frequency_resolution(0.5, 3, 1e-8)
    with pytest.raises(ValueError, match="too few samples"):
        design.law_resolution(1, 1e-8)
    with pytest.raises(ValueError, match="100000 replicates"):
        design.frequency_samples(0.5, 1e-6, 1e-8)
    for bad in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="alpha"):
            design.mean_samples(0.5, 0.1, bad)
    for bad in (0.0, -0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="resolution"):
            design.mean_samples(0.5, bad, 0.01)
    with pytest.raises(ValueError, match=r"bound = 1\.2"):
        design.mean_samples(1.2, 0.1, 0.01)
