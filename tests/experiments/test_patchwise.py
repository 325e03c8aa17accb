"""Data from pools of vectors, orbits in place, and layers with and without interaction, against
formulas written out."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import theory_checks
from core import PAPER, Examples, Parameters, Patches, Problem, Subject
from core.training import margins, stack
from theory_checks.experiments.drawn_examples import labels_of_orbit, noise_patches, orbit_in_place
from theory_checks.experiments.patchwise import (
    Pools,
    at,
    interacting,
    mixture,
    of_pools,
    patch_by_patch,
)
from theory_checks.experiments.scenarios import gaussian

PROBLEM = Problem(K=3, d=8, P=5)


def pools_and_examples(n: int) -> tuple[Pools, Examples]:
    generator = torch.Generator().manual_seed(3)
    pools = Pools.of(PROBLEM, generator)
    signals = PAPER.draw_signals(PROBLEM, generator)
    return pools, of_pools(PAPER, pools).draw_examples(PROBLEM, signals, n, generator)


def test_examples_of_pools_hold_what_they_report() -> None:
    pools, e = pools_and_examples(50)
    for i in range(50):
        features, centres = pools.features[:, e.k[i]], pools.centres[:, e.k[i]]
        a, b = e.alpha[i], e.beta[i]
        signal = e.y[i] * (features[0] + a * features[1] + (5 * a).sin() * features[2])
        centre = centres[0] + b * centres[1] + (5 * b).sin() * centres[2]
        torch.testing.assert_close(e.x[i, e.positions[i, 0]], signal)
        torch.testing.assert_close(e.x[i, e.positions[i, 1]], centre)
    other = e.eps[:, None] * at(pools.features, e.k_prime, e.gamma)
    torch.testing.assert_close(e.x[torch.arange(50), e.positions[:, 2]], other)


def test_pairs_are_symmetric_and_not_uniform() -> None:
    pools, e = pools_and_examples(60_000)
    counts = torch.zeros(3, 3).index_put((e.k, e.k_prime), torch.ones(60_000), accumulate=True)
    expected = pools.kept.float().fill_diagonal_(0)
    # six standard deviations of a count
    torch.testing.assert_close(
        counts, 60_000 * expected / expected.sum(), rtol=0, atol=6 * 60_000**0.5
    )
    assert expected[0, 1] != expected[0, 2]
    assert torch.equal(expected, expected.mT)


def test_noise_of_pools_has_heavy_tails() -> None:
    _, e = pools_and_examples(20_000)
    noise = noise_patches(PROBLEM, e)
    # of the cube of a Gaussian: E z^12 / (E z^6)^2 = 10395 / 225
    assert noise.pow(4).mean() / noise.pow(2).mean() ** 2 > 10


def test_an_orbit_in_place_is_written_out() -> None:
    u, c, w, xi, c2 = (torch.tensor([float(i)]) for i in range(1, 6))
    x = torch.stack([xi, w, u, c])[None]
    found = orbit_in_place(x, torch.tensor([[2, 3, 1]]), c2[None])[0]
    expected = [[xi, w, u, c], [xi, -w, -u, c], [xi, w, u, c2], [xi, -w, -u, c2]]
    assert torch.equal(found, torch.stack([torch.stack(member) for member in expected]))
    assert labels_of_orbit(torch.tensor([1.0, -1.0])).tolist() == [[1, -1, -1, 1], [-1, 1, 1, -1]]


def parameters(*lead: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return gaussian(generator, *lead, 3, 8), gaussian(generator, *lead, 3, 2, 8)


def test_a_mixture_is_what_core_evaluates() -> None:
    _, e = pools_and_examples(20)
    theta, W = parameters()
    expected, _ = margins(PAPER, Parameters(theta[None], W[None]), stack([e.patches]), e.y[None])
    torch.testing.assert_close(e.y * mixture(PAPER, theta, W, e.x), expected[0])


def test_patches_are_routed_one_by_one() -> None:
    _, e = pools_and_examples(20)
    theta, W = parameters(5)
    found = patch_by_patch(PAPER, theta, W, e.x)
    for i in range(0, 20, 7):
        for p in range(5):
            u = e.x[i, p]
            u = u + torch.tanh(u @ W[p, 0, 0]) * theta[p, 0]
            h = theta[p] @ u
            m = int(h.argmax())
            torch.testing.assert_close(found[i, p], h.softmax(0)[m] * (W[p, m] @ u).pow(3).sum())


def test_where_examples_meet_an_expert_serves_half_of_its_share() -> None:
    _, e = pools_and_examples(20)
    theta, W = parameters()
    layer = interacting(PAPER, theta, W)["experts take half of their share of the batch"]
    each = mixture(PAPER, theta, W, e.x.flatten(0, 1)[:, None])
    m = PAPER.logits(theta, Patches.of(e.x.flatten(0, 1)[:, None])).argmax(dim=0)
    taken, expected = [0] * 3, torch.zeros(20, dtype=torch.float64)
    for patch in range(100):
        taken[m[patch]] += 1
        if taken[m[patch]] <= 100 / 6:
            expected[patch // 5] += each[patch]
    torch.testing.assert_close(layer(e.x), expected)


def normalised_over_the_batch(z: Tensor) -> Tensor:
    f = PAPER.respond(z)
    return f / f.abs().amax()


def blind(theta: Tensor, x: Patches) -> Tensor:
    return 0 * PAPER.logits(theta, x)


@pytest.mark.parametrize(
    ("variant", "detail"),
    [
        (replace(PAPER, respond=normalised_over_the_batch), "patch by patch"),
        (replace(PAPER, logits=blind), "where examples are routed as a whole"),
    ],
)
def test_the_claim_sees_layers_that_are_not_what_it_says(variant: Subject, detail: str) -> None:
    record = theory_checks.check(variant, claims=["S.9"], profile="quick")["S.9"]
    assert record.verdict == "violated"
    assert detail in record.detail


def test_the_floor_fails_where_features_and_feature_noise_have_different_pools() -> None:
    def small_noise(problem: Problem, *rest: Any) -> Examples:
        e = PAPER.draw_examples(problem, *rest)
        return replace(e, gamma=torch.zeros_like(e.gamma))

    variant = replace(PAPER, draw_examples=small_noise)
    report = theory_checks.check(variant, claims=["S.8"], profile="quick")
    assert report["S.8"].verdict == "violated"
