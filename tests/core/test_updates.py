"""The two updates of Algorithm 1 at every size that a gradient can have."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import EPS, EPS_32, examples, generator

from core.updates import Gradient, normalised_step, plain_step


def gradient(direction, log_scale=0.0):
    return Gradient(
        direction, torch.full((*direction.shape[:-2], 1, 1), log_scale, dtype=direction.dtype)
    )


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def unit(direction):
    """direction over its norm, in exact-enough arithmetic: logs, so that nothing under- or
    overflows."""
    direction = direction.double().numpy()
    largest = np.abs(direction).max()
    exponent = math.frexp(largest)[1]
    scaled = np.ldexp(direction, -exponent)
    return scaled / math.sqrt(math.fsum((scaled**2).flatten()))


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_each_expert_moves_by_the_rate_against_its_gradient(batch):
    M, J, d = 4, 3, 5
    W, g = normal(*batch, M, J, d, seed=1), normal(*batch, M, J, d, seed=2)
    g[..., 2, :, :] = 0
    before = W.clone()
    moved, _ = normalised_step(W, gradient(g), 0.3, None)
    assert torch.equal(W, before)
    for at in np.ndindex(*batch):
        for m in range(M):
            if m == 2:
                assert torch.equal(moved[at][m], W[at][m])
            else:
                norm = math.sqrt(sum(v**2 for v in g[at][m].flatten().tolist()))
                expected = W[at][m] - 0.3 * g[at][m] / norm
                torch.testing.assert_close(moved[at][m], expected, rtol=0, atol=30 * EPS)


@given(power=st.integers(-300, 300), log_scale=st.floats(-2e4, 2e4), spread=st.integers(0, 20))
@examples(100)
def test_normalised_step_is_scale_free(power, log_scale, spread):
    g = normal(1, 3, 4, seed=3)
    g[0, 1] *= 10.0**-spread
    g = g * 10.0**power
    moved, _ = normalised_step(torch.zeros_like(g), gradient(g, log_scale), 1.0, None)
    np.testing.assert_allclose(-moved[0].numpy(), unit(g[0]), rtol=20 * EPS, atol=1e-300)


@pytest.mark.parametrize("size", [1e-44, 1e-38, 1e-30, 1e-23, 1e-19, 1.0, 1e19, 1e30, 3e38])
def test_normalised_step_in_float32(size):
    g = torch.tensor([[[1.0, -0.5], [0.25, 0.0]]]) * size
    moved, _ = normalised_step(torch.zeros_like(g), gradient(g), 1.0, None)
    np.testing.assert_allclose(-moved[0].double().numpy(), unit(g[0]), rtol=10 * EPS_32, atol=0)


def test_the_smallest_gradient_moves_as_far_as_any():
    g = torch.zeros(1, 2, 3).double()
    g[0, 1, 2] = 5e-324
    moved, _ = normalised_step(torch.zeros_like(g), gradient(g), 0.7, None)
    assert moved[0, 1, 2] == -0.7
    assert moved.count_nonzero() == 1


def test_normalised_step_leaves_the_direction_and_the_others_alone():
    g = normal(3, 2, 4, seed=4)
    both, _ = normalised_step(torch.zeros_like(g), gradient(g), 1.0, None)
    g[1:] *= 1e200
    again, _ = normalised_step(torch.zeros_like(g), gradient(g), 1.0, None)
    torch.testing.assert_close(again, both, rtol=20 * EPS, atol=0)


def test_normalised_step_on_a_router_normalises_the_whole_of_it():
    theta, g = normal(2, 3, 4, seed=5), normal(2, 3, 4, seed=6)
    moved, _ = normalised_step(theta, gradient(g), 0.5, None)
    for replicate in range(2):
        np.testing.assert_allclose(
            (theta - moved)[replicate].numpy() / 0.5, unit(g[replicate]), rtol=0, atol=40 * EPS
        )


def test_a_gradient_that_is_not_a_number_shows():
    g = normal(2, 2, 3, seed=7)
    g[0, 0, 0] = torch.nan
    moved, _ = normalised_step(torch.zeros_like(g), gradient(g), 1.0, None)
    assert moved[0].isnan().any()
    assert moved[1].isfinite().all()


@pytest.mark.parametrize("log_scale", [0.0, -3.0, 2.0])
def test_plain_step(log_scale):
    theta, g = normal(2, 3, 4, seed=8), normal(2, 3, 4, seed=9)
    before = theta.clone()
    moved, _ = plain_step(theta, gradient(g, log_scale), 0.3, None)
    assert torch.equal(theta, before)
    for at in np.ndindex(2, 3, 4):
        expected = theta[at].item() - 0.3 * math.exp(log_scale) * g[at].item()
        assert moved[at].item() == pytest.approx(expected, abs=20 * EPS * math.exp(abs(log_scale)))


def test_plain_step_by_a_gradient_that_underflows_is_none():
    theta = normal(1, 3, 4, seed=10)
    moved, _ = plain_step(theta, gradient(theta, -1e4), 1.0, None)
    assert torch.equal(moved, theta)


@pytest.mark.parametrize("update", [normalised_step, plain_step])
def test_the_papers_updates_hand_their_state_through(update):
    state = object()
    assert update(normal(1, 2, 3), gradient(normal(1, 2, 3)), 0.1, state)[1] is state
    assert update(normal(1, 2, 3), gradient(normal(1, 2, 3)), 0.1, None)[1] is None
