"""The layer's parts against naive loops, under leading batch axes."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from oracles import (
    EPS,
    EPS_32,
    double,
    generator,
    instance,
    pre_activations,
    random_patches,
    softmax,
    sum_logits,
    summed,
    vectors,
)

from core.model import (
    LogisticLoss,
    PatchAdditive,
    cube,
    cubic_response,
    identity,
    linear_response,
    response,
    router_logits,
    softmax_gate,
)

BATCHES = [(), (3,), (2, 3)]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(("M", "n", "P", "d"), [(3, 4, 5, 6), (1, 1, 4, 4), (8, 2, 4, 9)])
def test_router_logits(batch, M, n, P, d):
    theta, patches = normal(*batch, M, d, seed=1), random_patches(2, *batch, n=n, P=P, d=d, Q=3)
    x = torch.from_numpy(vectors(patches))
    h = router_logits(theta, patches)
    assert h.shape == (*batch, M, n)
    for at in np.ndindex(*batch):
        for i in range(n):
            expected = sum_logits(theta[at].numpy(), x[at][i].numpy())
            sizes = sum_logits(theta[at].abs().numpy(), x[at][i].abs().numpy())
            assert np.all(
                np.abs(h[at][:, i].numpy() - expected) <= 2 * (P + d) * EPS * np.array(sizes)
            )


@pytest.mark.parametrize("batch", BATCHES)
def test_softmax_gate(batch):
    h = 5 * normal(*batch, 4, 3)
    pi = softmax_gate(h)
    assert pi.shape == h.shape
    for at in np.ndindex(*batch):
        for i in range(3):
            assert pi[at][:, i].tolist() == pytest.approx(
                softmax(h[at][:, i].tolist()), rel=64 * EPS
            )


def test_softmax_gate_at_huge_gaps():
    pi = softmax_gate(double([[1e4, 1e300], [0.0, 0.0], [-1e4, -1e300]]))
    assert pi.tolist() == [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(
    ("respond", "sigma"),
    [
        (cubic_response, lambda z: z**3),
        (linear_response, lambda z: z),
        (response(cube), lambda z: z * z * z),
        (response(identity), lambda z: z),
        (response(torch.tanh), math.tanh),
        (response(torch.relu), lambda z: max(z, 0.0)),
    ],
)
def test_response_adds_up_patches_and_filters(batch, respond, sigma):
    z = normal(*batch, 6, 5, 2, seed=3)
    f = respond(z)
    assert f.shape == (*batch, 6)
    for at in np.ndindex(*batch, 6):
        rows = z[at].tolist()
        sizes = summed(lambda v: abs(sigma(v)))(rows)
        assert abs(f[at].item() - summed(sigma)(rows)) <= 20 * EPS * sizes


@pytest.mark.parametrize(("dtype", "eps"), [(torch.float32, EPS_32), (torch.float64, EPS)])
def test_logistic_loss_and_its_slope_at_any_margin(dtype, eps):
    for z in (-1e4, -800.0, -30.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 20.0, 50.0, 800.0, 1e4):
        margin = torch.tensor([z], dtype=dtype)
        z = margin.item()
        # To rounding: torch's softplus turns linear above 20, which drops e^-20 = 2e-9.
        assert LogisticLoss()(margin).item() == pytest.approx(
            float(np.logaddexp(0, -z)), rel=4 * eps, abs=1e-44
        )
        sign, log_size = LogisticLoss().slope(margin)
        assert sign.item() == -1
        assert log_size.dtype == dtype
        # |l'(z)| = 1 / (1 + e^z)
        assert log_size.item() == pytest.approx(-float(np.logaddexp(0, z)), rel=8 * eps, abs=1e-44)


def test_logistic_slope_is_the_derivative_of_the_loss():
    margin = torch.linspace(-15, 15, 31, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(LogisticLoss()(margin).sum(), margin)
    sign, log_size = LogisticLoss().slope(margin.detach())
    torch.testing.assert_close(sign * log_size.exp(), slope, rtol=64 * EPS, atol=0)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(
    ("sigma", "naive"),
    [(cube, lambda z: z**3), (torch.tanh, math.tanh), (torch.relu, lambda z: max(z, 0.0))],
)
def test_patch_additive_classifier(batch, sigma, naive):
    J, d = 3, 5
    W, b, a = normal(J, d, seed=4), normal(J, seed=5), normal(J, seed=6)
    patches = normal(*batch, 7, 4, d, seed=7)
    f = PatchAdditive(sigma, W, b, a)(patches)
    assert f.shape == (*batch, 7, 4)
    for at in np.ndindex(*batch, 7, 4):
        terms = [
            float(a[j]) * naive(float(W[j].numpy() @ patches[at].numpy()) + float(b[j]))
            for j in range(J)
        ]
        # The pre-activation's rounding error, d * eps * (its size), is amplified by a slope of at
        # most 3 z^2 < 100.
        assert f[at].item() == pytest.approx(
            sum(terms), abs=100 * d * EPS * (1 + sum(map(abs, terms)))
        )


def test_a_single_expert_is_patch_additive():
    it = instance(1, R=1, M=1)
    single = PatchAdditive(cube, it.W[0, 0], torch.zeros(2).double(), torch.ones(2).double())
    for x in vectors(it.x)[0]:
        expected = summed(lambda z: z**3)(pre_activations(it.W[0, 0].numpy(), x))
        assert single(torch.from_numpy(x)).sum().item() == pytest.approx(
            expected, rel=1000 * EPS, abs=1000 * EPS
        )


def test_homogeneity_is_exact_for_powers_of_two():
    z = normal(3, 4, 2)
    assert torch.equal(cubic_response(4 * z), 64 * cubic_response(z))
    assert torch.equal(cubic_response(-z), -cubic_response(z))
    assert Fraction(cubic_response(double([[0.5, -0.25]])).item()) == Fraction(1, 8) - Fraction(
        1, 64
    )
