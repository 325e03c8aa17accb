"""The closed forms that claims compare with, against independent computations."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from core import PAPER, Problem
from core.data import draw_examples, draw_signals
from theory_checks.experiments.initial_groups import chance_of_occupied_groups, gap_law
from theory_checks.experiments.mixtures import can_be_divided
from theory_checks.experiments.single_experts import (
    Classifier,
    adam,
    build,
    enumerated_error,
    enumerated_margins,
    searched,
    witness,
)


@pytest.mark.parametrize(("K", "M"), [(2, 2), (2, 6), (3, 3), (3, 7), (4, 8), (5, 4)])
def test_chance_of_occupied_groups_by_enumeration(K: int, M: int) -> None:
    enumerated = np.mean([len(set(each)) == K for each in itertools.product(range(K), repeat=M)])
    assert chance_of_occupied_groups(K, M) == pytest.approx(enumerated, abs=1e-12)
    assert enumerated >= 1 - K * math.exp(-M / K)


@pytest.mark.parametrize(("K", "J"), [(2, 1), (2, 6), (3, 2), (5, 4)])
def test_gap_law_by_adaptive_quadrature(K: int, J: int) -> None:
    def F(u: float) -> float:
        return float(norm.cdf(u)) ** J

    def density(u: float) -> float:
        return J * float(norm.cdf(u)) ** (J - 1) * float(norm.pdf(u))

    def chance(g: float) -> float:
        """P(second > 0, largest <= g second)"""
        return quad(
            lambda v: K * (K - 1) * F(v) ** (K - 2) * density(v) * (F(g * v) - F(v)),
            0,
            12,
            epsabs=1e-12,
            limit=200,
        )[0]

    law = gap_law(K, J)
    total = chance(1e6)
    for g in (1.0, 1.01, 1.3, 2.0, 5.0, 50.0):
        assert law(np.array([g]))[0] == pytest.approx(chance(g) / total, abs=1e-6)
    assert law(np.array([0.5, 1e12])) == pytest.approx([0, 1], abs=1e-6)


@pytest.mark.parametrize("K", [2, 3, 4])
def test_enumerated_margins_are_those_of_drawn_examples(K: int) -> None:
    generator = torch.Generator().manual_seed(K)
    problem = Problem(K=K, d=2 * K + 2)
    signals = draw_signals(problem, generator)
    f = witness(signals)
    e = draw_examples(problem, signals, 4000, generator)
    drawn = set((e.y * f(e.x).sum(dim=-1)).tolist())
    assert drawn == set(enumerated_margins(f.s, f.b).tolist())


@pytest.mark.parametrize("K", [2, 3, 4])
def test_search_from_random_starts_gets_within_a_two_hundredth_of_an_eighth(K: int) -> None:
    signals = draw_signals(Problem(K=K, d=2 * K), torch.Generator().manual_seed(0))
    f = searched(signals, seed=1)
    error = float(enumerated_error(f.s, f.b))
    assert 1 / 8 <= error <= 1 / 8 + 0.005


def test_adam_is_that_of_torch() -> None:
    target = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64)

    def loss(w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return ((w - target) ** 4).sum() + (b * w[0]).sum().tanh()

    start = [torch.zeros(2, 2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)]
    found = adam(start, lambda p: torch.autograd.grad(loss(*p), p), steps=50)
    parameters = [p.clone().requires_grad_() for p in start]
    optimiser = torch.optim.Adam(parameters, lr=0.02, weight_decay=5e-4)
    for _ in range(50):
        optimiser.zero_grad()
        loss(*parameters).backward()
        optimiser.step()
    for ours, theirs in zip(found, parameters, strict=True):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-12, atol=1e-12)


def test_unknown_classifiers_are_refused() -> None:
    problem = Problem()
    with pytest.raises(ValueError, match="unknown classifier"):
        build(
            Classifier("guessed"),
            PAPER,
            problem,
            draw_signals(problem, torch.Generator().manual_seed(0)),
        )


@pytest.mark.parametrize(
    ("good", "expected"),
    [
        ([[1, 0], [0, 1]], True),
        ([[1, 1], [1, 1]], True),  # whoever is perfect everywhere may serve any cluster
        (
            [[1, 1], [1, 0]],
            True,
        ),  # the second must take cluster 0, so that the first is free for cluster 1
        ([[1, 0], [1, 0]], False),  # nobody for cluster 1
        ([[1, 0], [0, 1], [0, 0]], False),  # the third is in use and good nowhere
        ([[1, 1]], False),  # one expert cannot be in two sets
        ([[1, 1, 0], [1, 1, 0], [1, 1, 0]], False),
        ([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0]], True),
    ],
)
def test_experts_are_divided_among_clusters_whenever_they_can_be(
    good: list[list[int]], expected: bool
) -> None:
    assert can_be_divided(np.array(good, dtype=bool)) is expected
