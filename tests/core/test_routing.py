"""Perturbed routing, and its probabilities against exact rational integration and Monte Carlo."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import (
    EPS,
    EPS_32,
    argmax,
    assert_count,
    assert_follows,
    assert_uniform,
    examples,
    generator,
    routing_probability,
)

from core.routing import no_noise, routing_probabilities, top_1, uniform_noise


def probabilities(h, dtype=torch.float64):
    """p(h) of one list of logits."""
    return routing_probabilities(torch.tensor(h, dtype=dtype)[:, None])[:, 0].tolist()


def check(h, dtype=torch.float64, experts=None):
    """A factor u - h_m' in [0, 1] is off by a few eps, a product of M of them by M times that, and
    so is its integral."""
    h = torch.tensor(h, dtype=dtype).tolist()
    p = probabilities(h, dtype)
    tolerance = 8 * len(h) * torch.finfo(dtype).eps
    for m in experts or range(len(h)):
        assert abs(p[m] - float(routing_probability(h, m))) <= tolerance
    assert sum(p) == pytest.approx(1, abs=len(h) * tolerance)


grid = st.integers(-96, 96).map(lambda i: i / 64)
plain = st.floats(-2, 2, allow_subnormal=False)
near = st.builds(lambda i, e: i * 0.5 + e * 2.0**-50, st.integers(-3, 3), st.integers(-4, 4))
huge = st.sampled_from([-1e300, -1e10, -1e4, 0.0, 1e4])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(h=st.lists(st.one_of(grid, plain, near), min_size=1, max_size=7))
@examples(80)
def test_probabilities_are_the_integral(dtype, h):
    check(h, dtype)


@given(h=st.lists(st.one_of(grid, huge), min_size=1, max_size=6))
@examples(60)
def test_probabilities_with_huge_gaps(h):
    check(h)


@pytest.mark.parametrize(
    "h",
    [
        [0.0],
        [-7.5],
        [0.0, 0.0],
        [0.0, 1.0],
        [0.25, 0.25, 1.25, 1.25],
        [0.0, 0.5, 0.5, 1.0, 1.5],
        [1e-17, 0.0, -1e-17],
        [5e-324, 0.0],
        [1e300, -1e300, 1e300],
        [1.7e308, -1.7e308],
    ],
)
def test_probabilities_at_ties_and_ends(h):
    check(h)


@pytest.mark.parametrize("M", [1, 2, 3, 8, 63, 64])
def test_equal_logits_share_equally(M):
    assert probabilities([3.25] * M) == pytest.approx([1 / M] * M, rel=8 * M * EPS)
    assert probabilities([3.25] * M, torch.float32) == pytest.approx(
        [1 / M] * M, rel=8 * M * EPS_32
    )


def test_sixty_four_experts():
    h = np.random.default_rng(1).integers(-20, 20, size=64) / 64  # many ties
    check(h.tolist(), experts=[int(h.argmax()), int(h.argmin()), 0, 17])
    h = np.random.default_rng(2).integers(-2000, 2000, size=64) / 1024
    check(h.tolist(), experts=[int(h.argmax()), 5])


@pytest.mark.parametrize("distance", [2.0**-52, 1e-8, 1e-3, 0.25])
@pytest.mark.parametrize("others", [1, 2, 7])
def test_tail_just_inside_a_gap_of_one(distance, others):
    h = [-1 + distance, *[0.0] * others]
    distance = 1 + h[0]
    # r_1 > 1 - distance, and all others stay below r_1 + h_1: int_0^distance s^others ds.
    expected = distance ** (others + 1) / (others + 1)
    assert routing_probability(h, 0) == Fraction(distance) ** (others + 1) / (others + 1)
    assert probabilities(h)[0] == pytest.approx(expected, rel=1e-12)
    assert probabilities(h)[0] > 0


@pytest.mark.parametrize("gap", [1.0, math.nextafter(1, 2), 1.001, 5.0, 1e300])
@pytest.mark.parametrize("others", [1, 2, 63])
def test_no_chance_at_a_gap_of_one_or_more(gap, others):
    p = probabilities([-gap, *[0.0] * others])
    assert p[0] == 0
    assert p[1:] == pytest.approx([1 / others] * others, rel=8 * 64 * EPS)


@pytest.mark.parametrize("h", [[0.0, 0.0], [0.3, 0.0, -0.2], [0.0, 0.9, 0.5, 0.5, -0.05]])
def test_probabilities_against_monte_carlo(h):
    n = 200_000
    routed = (np.array(h)[:, None] + np.random.default_rng(4).random((len(h), n))).argmax(axis=0)
    for m, p in enumerate(probabilities(h)):
        if p == 0:
            assert not (routed == m).any()
        else:
            assert_count(int((routed == m).sum()), n, p, cells=len(h))


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_probabilities_under_leading_axes(batch):
    h = torch.randn(*batch, 4, 5, generator=generator(7), dtype=torch.float64)
    before = h.clone()
    p = routing_probabilities(h)
    assert torch.equal(h, before)
    assert p.shape == h.shape
    assert p.dtype == h.dtype
    for at in np.ndindex(*batch):
        for i in range(5):
            expected = [float(routing_probability(h[at][:, i].tolist(), m)) for m in range(4)]
            assert p[at][:, i].tolist() == pytest.approx(expected, abs=32 * EPS)


@pytest.mark.parametrize(
    "h",
    [[0.0, math.nan], [math.nan] * 2, [math.inf, 0.0], [-math.inf, 0.0], [math.inf, math.inf]],
    ids=lambda h: f"{h[0]},{h[1]}",
)
def test_logits_must_be_finite(h):
    value = next(v for v in h if not math.isfinite(v))
    with pytest.raises(ValueError, match=f"a logit is {value}: needs finite numbers"):
        probabilities(h)


def test_logits_must_be_floating_point():
    with pytest.raises(ValueError, match=r"logits of dtype torch.int64: needs floating-point"):
        probabilities([0, 1], torch.int64)


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_top_1_is_the_argmax_of_logits_and_noise(batch):
    h, r = (
        torch.randn(*batch, 4, 20, generator=generator(8)) / 2,
        torch.rand(*batch, 4, 20, generator=generator(9)),
    )
    routed = top_1(h, r)
    assert routed.shape == (*batch, 20)
    assert routed.dtype == torch.int64
    changed = 0
    for at in np.ndindex(*batch):
        for i in range(20):
            expected = argmax((h[at][:, i] + r[at][:, i]).tolist())
            assert routed[at][i].item() == expected
            changed += expected != argmax(h[at][:, i].tolist())
    assert changed > 0


def test_noise_is_uniform_and_fresh():
    random = generator(10)
    first, second = (uniform_noise((4, 5000), random, t) for t in (0, 1))
    assert first.shape == (4, 5000)
    for r in (first, second):
        assert_follows(r.flatten().numpy(), lambda u: np.clip(u, 0, 1))
    # Independent over experts, examples and steps: the ranks of any three are uniform on the 6
    # orders.
    for three in (
        first[:3],
        torch.stack([first[0], second[0], second[1]]),
        first[0, :4998].view(3, -1),
    ):
        assert_uniform(code(three.argsort(dim=0)), 6)
    assert torch.equal(uniform_noise((4, 5000), generator(10), 0), first)


def code(order):
    """Number 0..5 of the permutations in the columns of order (3, n)."""
    numbers = {(0, 1): 0, (0, 2): 1, (1, 0): 2, (1, 2): 3, (2, 0): 4, (2, 1): 5}
    return np.array([numbers[a, b] for a, b in order[:2].T.tolist()])


def test_no_noise_routes_to_the_largest_logit():
    h = torch.randn(3, 4, generator=generator(11))
    r = no_noise((3, 4), generator(12), 0)
    assert r.shape == (3, 4)
    assert not r.any()
    assert torch.equal(top_1(h, r), h.argmax(dim=0))
