"""The move of the logits that changes most choices."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import Tensor

from core import PAPER
from core.routing import uniform_noise
from theory_checks.evidence import Verdict
from theory_checks.experiments.coupled_choices import fullest_window, rise_at_the_steepest
from theory_checks.faults.signatures import Noise


def test_the_fullest_window_by_counting() -> None:
    values = np.random.default_rng(0).random(60).round(2)
    for width in (0.0, 0.05, 0.3):
        count, middle = fullest_window(values, width)
        inside = np.abs(values - middle) <= width / 2 + 1e-12
        assert count == inside.sum()
        assert count == max(((values >= v) & (values <= v + width)).sum() for v in values)


def verdict(noise: Noise, M: int, delta: float, lipschitz: float = 2.0, seed: int = 0) -> Verdict:
    h = torch.linspace(0, 0.3, M, dtype=torch.float64)[:, None]
    (rise,) = rise_at_the_steepest(
        replace(PAPER, router_noise=noise), h, delta, lipschitz, step=seed
    )
    found = rise.judge(np.random.SeedSequence(seed), 1e-6, rise.samples_needed(1e-6))
    return found.verdict


@pytest.mark.parametrize("M", [2, 3, 20])
@pytest.mark.parametrize("delta", [1e-6, 1e-2, 0.1])
def test_uniform_noise_passes(M: int, delta: float) -> None:
    assert all(verdict(uniform_noise, M, delta, seed=s) is Verdict.HOLDS for s in range(10))


ALPHA = 0.05


def frequencies(noise: Noise, delta: float, runs: int = 25) -> Counter[Verdict]:
    """The verdicts for two experts with equal logits, at a large alpha."""
    subject, found = replace(PAPER, router_noise=noise), Counter[Verdict]()
    for seed in range(runs):
        (rise,) = rise_at_the_steepest(subject, torch.zeros(2, 1).double(), delta, 2.0, seed)
        budget = rise.samples_needed(ALPHA)
        found[rise.judge(np.random.SeedSequence(seed), ALPHA, budget).verdict] += 1
    return found


def test_at_the_bound_at_most_alpha_is_violated() -> None:
    """Two uniform numbers are delta-close with probability 2 delta (1 - delta / 2)."""
    assert binom.sf(frequencies(uniform_noise, 1e-3)[Verdict.VIOLATED] - 1, 25, ALPHA) > 1e-6


def test_an_atom_of_the_stated_resolution_holds_in_at_most_5_percent() -> None:
    (rise,) = rise_at_the_steepest(PAPER, torch.zeros(2, 1).double(), 1e-3, 2.0, 0)
    alike = math.sqrt(rise.resolution)

    def with_an_atom(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
        u = uniform_noise(shape, generator, step)
        return u.where(torch.rand(shape, generator=generator) > alike, 0.5)

    assert binom.sf(frequencies(with_an_atom, 1e-3)[Verdict.HOLDS] - 1, 25, 0.05) > 1e-6


def of_expert(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """On a grid of 64 values, which every expert has at another place."""
    r = (64 * uniform_noise(shape, generator, step)).floor() / 64
    return r + torch.rand(shape[0], 1, generator=torch.Generator().manual_seed(8)) / 64


def narrow(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Of density 4/3."""
    return 0.75 * uniform_noise(shape, generator, step)


@pytest.mark.parametrize(("noise", "delta"), [(of_expert, 1e-6), (of_expert, 1e-3), (narrow, 0.1)])
@pytest.mark.parametrize("M", [2, 3])
def test_noise_that_is_too_dense_somewhere_is_found(noise: Noise, delta: float, M: int) -> None:
    assert verdict(noise, M, delta) is Verdict.VIOLATED


def test_a_single_expert_has_nothing_to_move() -> None:
    assert rise_at_the_steepest(PAPER, torch.zeros(1, 1), 0.1, 2.0, 0) == ()
