"""Definition 3.1: signals and examples, their structure exactly and their laws with exact
thresholds."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import (
    EPS,
    EPS_32,
    SURE,
    assert_count,
    assert_follows,
    assert_uniform,
    examples,
    generator,
)
from scipy.stats import beta as beta_law
from scipy.stats import chi2, norm

from core import Problem, Signals, Uniform
from core.data import draw_examples, draw_signals


def draw(problem, n, seed, dtype=torch.float64):
    signals = draw_signals(problem, generator(seed))
    signals = Signals(signals.features.to(dtype), signals.centres.to(dtype))
    return signals, draw_examples(problem, signals, n, generator(seed + 1))


@given(K=st.integers(2, 16), spare=st.integers(0, 20), seed=st.integers(0, 2**31))
@examples(40)
def test_signals_are_orthonormal(K, spare, seed):
    problem = Problem(K=K, d=2 * K + spare)
    signals = draw_signals(problem, generator(seed))
    assert signals.features.shape == signals.centres.shape == (K, problem.d)
    assert signals.features.dtype == signals.centres.dtype == torch.float64
    frame = np.concatenate([signals.features.numpy(), signals.centres.numpy()])
    # Householder QR is orthonormal to a small multiple of (number of columns) * eps.
    assert np.abs(frame @ frame.T - np.eye(2 * K)).max() <= 10 * 2 * K * EPS


def test_signals_are_uniformly_distributed():
    problem, draws = Problem(K=2, d=4), 4000
    random = generator(3)
    frames = []
    for _ in range(draws):
        signals = draw_signals(problem, random)
        frames.append(torch.cat([signals.features, signals.centres]).numpy())
    frames = np.array(frames)
    # A coordinate u of a uniform unit vector in R^d: (1 + u) / 2 ~ Beta((d - 1) / 2, (d - 1) / 2).
    # Also in any fixed direction.
    direction = np.array([0.5, -0.5, 0.5, 0.5])
    for vector in range(4):
        for sample in (frames[:, vector, 0], frames[:, vector, 3], frames[:, vector] @ direction):
            assert_follows((1 + sample) / 2, beta_law(1.5, 1.5).cdf)
    # A QR decomposition without fixed signs has a frame of constant determinant.
    assert_count(int((np.linalg.det(frames) > 0).sum()), draws, 0.5)
    # The frame is uniform under rotations from the other side too: v_1 + c_2 over sqrt(2) is a
    # uniform unit vector.
    assert_follows(
        (1 + (frames[:, 0, 1] + frames[:, 3, 1]) / math.sqrt(2)) / 2, beta_law(1.5, 1.5).cdf
    )


shapes = st.integers(2, 6).flatmap(
    lambda K: st.tuples(st.just(K), st.integers(2 * K, 2 * K + 5), st.integers(4, 8))
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(shape=shapes, n=st.integers(1, 12), seed=st.integers(0, 2**31))
@examples(30)
def test_every_example_is_built_as_defined(dtype, shape, n, seed):
    K, d, P = shape
    problem = Problem(K=K, d=d, P=P, gamma=Uniform(0.6, 1.1))
    signals, e = draw(problem, n, seed, dtype)
    assert e.x.shape == (n, P, d)
    assert e.positions.shape == (n, 3)
    for name in ("y", "eps", "alpha", "beta", "gamma", "k", "k_prime"):
        assert getattr(e, name).shape == (n,)
    for name in ("x", "y", "eps", "alpha", "beta", "gamma"):
        assert getattr(e, name).dtype == dtype
    for i in range(n):
        k, k_prime = int(e.k[i]), int(e.k_prime[i])
        assert 0 <= k < K
        assert 0 <= k_prime < K
        assert k != k_prime
        assert e.y[i].item() in (-1.0, 1.0)
        assert e.eps[i].item() in (-1.0, 1.0)
        eps = EPS if dtype == torch.float64 else EPS_32
        for amplitude, law in (
            (e.alpha, problem.alpha),
            (e.beta, problem.beta),
            (e.gamma, problem.gamma),
        ):
            assert law.low * (1 - eps) <= amplitude[i].item() <= law.high * (1 + eps)
        places = e.positions[i].tolist()
        assert len(set(places)) == 3
        assert all(0 <= p < P for p in places)
        roles = (
            e.y[i] * e.alpha[i] * signals.features[k],
            e.beta[i] * signals.centres[k],
            e.eps[i] * e.gamma[i] * signals.features[k_prime],
        )
        for place, role in zip(places, roles, strict=True):
            torch.testing.assert_close(e.x[i, place], role, rtol=4 * eps, atol=0)
        # The other patches are noise: along no signal, and no two are the same.
        rest = [e.x[i, p] for p in range(P) if p not in places]
        assert len({tuple(patch.tolist()) for patch in rest}) == P - 3
        for patch in rest:
            assert not any(torch.allclose(patch.abs(), role.abs(), rtol=1e-3) for role in roles)


@pytest.mark.parametrize("K", [2, 3, 5])
def test_clusters_labels_and_signs_are_uniform_on_their_cells(K):
    _, e = draw(Problem(K=K, d=2 * K), 20000, seed=10 + K)
    other = (e.k_prime - e.k) % K - 1  # 0 .. K - 2
    cell = ((e.k * (K - 1) + other) * 2 + (e.y > 0).long()) * 2 + (e.eps > 0).long()
    assert_uniform(cell.numpy(), 4 * K * (K - 1))


@pytest.mark.parametrize("P", [4, 5, 6])
def test_places_of_the_roles_are_uniform_on_triples(P):
    _, e = draw(Problem(K=2, d=4, P=P), 20000, seed=20 + P)
    number = {triple: i for i, triple in enumerate(permutations(range(P), 3))}
    assert_uniform(np.array([number[tuple(t)] for t in e.positions.tolist()]), len(number))


def test_places_are_independent_of_labels_and_clusters():
    _, e = draw(Problem(K=2, d=4), 40000, seed=30)
    number = {triple: i for i, triple in enumerate(permutations(range(4), 3))}
    place = np.array([number[tuple(t)] for t in e.positions.tolist()])
    cell = (e.k * 4 + (e.y > 0).long() * 2 + (e.eps > 0).long()).numpy()
    assert_uniform(place * 8 + cell, 24 * 8)


def test_amplitudes_are_independent_of_the_rest():
    n = 40000
    _, e = draw(
        Problem(K=2, d=4, alpha=Uniform(1, 2), beta=Uniform(1, 2), gamma=Uniform(1, 2)), n, seed=40
    )
    halves = [(a > 1.5).long() for a in (e.alpha, e.beta, e.gamma)]
    signs = [(e.y > 0).long(), (e.eps > 0).long(), e.k]
    early = (e.positions < 2).long().unbind(dim=1)
    assert_uniform(sum(bit * 2**i for i, bit in enumerate((*halves, *signs))).numpy(), 64)
    for half in halves:
        for place in early:
            assert_uniform((half * 2 + place).numpy(), 4)


def noise_patches(problem, n, seed):
    signals, e = draw(problem, n, seed)
    others = torch.ones(n, problem.P, dtype=torch.bool).scatter(1, e.positions, False)
    return signals, e, e.x[others].view(n, problem.P - 3, problem.d)


def assert_variance(sample, variance):
    """Independent centred Gaussians: their sum of squares over the variance is chi^2, their mean
    Gaussian."""
    n = sample.numel()
    assert SURE / 2 < chi2(n).cdf((sample**2).sum().item() / variance) < 1 - SURE / 2
    assert abs(sample.mean().item()) <= norm.isf(SURE / 2) * math.sqrt(variance / n)


@pytest.mark.parametrize(("d", "P", "sigma_p"), [(4, 4, 1.0), (9, 6, 2.0), (30, 5, 0.1)])
def test_noise_patches_have_covariance_sigma_p_squared_over_d(d, P, sigma_p):
    signals, e, xi = noise_patches(Problem(K=2, d=d, P=P, sigma_p=sigma_p), 4000, seed=50 + d)
    variance = sigma_p**2 / d
    assert_variance(xi, variance)
    for projection in (xi[..., 0], xi @ signals.features[0], xi @ signals.centres[1]):
        assert_variance(projection, variance)
        assert_follows(projection.flatten().numpy(), norm(scale=math.sqrt(variance)).cdf)
    # Uncorrelated: sums of two components, of two patches, of two examples; unrelated to label and
    # sign.
    assert_variance(xi[..., 0] + xi[..., 1], 2 * variance)
    assert_variance(xi[::2] + xi[1::2], 2 * variance)
    if P > 4:
        assert_variance(xi[:, 0] + xi[:, 1], 2 * variance)
    for sign in (e.y, e.eps, e.y * e.eps):
        assert_variance(sign[:, None, None] * xi, variance)
        assert_variance(xi[sign > 0], variance)
    # And of a length unrelated to the amplitudes.
    assert_variance(xi[e.alpha > 1.25], variance)


def test_examples_are_in_the_given_frame_and_generator():
    problem = Problem(K=3, d=7)
    signals = draw_signals(problem, generator(1))
    one, again, other = (draw_examples(problem, signals, 5, generator(s)) for s in (2, 2, 3))
    assert torch.equal(one.x, again.x)
    assert not torch.equal(one.x, other.x)
    flipped = draw_examples(problem, Signals(-signals.features, signals.centres), 5, generator(2))
    at = one.positions[:, :1, None].expand(-1, -1, 7)
    torch.testing.assert_close(one.x.gather(1, at), -flipped.x.gather(1, at), rtol=0, atol=0)


def test_global_generators_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    _, one = draw(Problem(K=2, d=4), 5, seed=60)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    torch.manual_seed(6)
    _, again = draw(Problem(K=2, d=4), 5, seed=60)
    assert torch.equal(one.x, again.x)
