"""Logits and their moves."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from core.data import EPS
from core.routing import routing_probabilities
from theory_checks.checking.pictures import Lines, Series, Style
from theory_checks.evidence import Statement, equal
from theory_checks.experiments.scenarios import SEEDS, gaussian


def rounding_of_p(M: int) -> float:
    """How far computed probabilities may be from exact ones.

    p is a sum of M ceil(M/2) positive terms, which add up to at most 1. Each is a product of M + 1
    factors that are exact to about 3 eps (the breakpoints and u - h_m' each round once, and nodes
    and weights are correct to a few eps). An absolute error eps in u - h_m' changes one factor in
    [0, 1], and so a term by eps times the weight: (M + 1) * 3 eps in all, and M eps for the
    summation. Rounding h - max h moves logits by eps, hence p by 2 eps (R.3). The result is twice
    the total, as a margin for the constants.
    """
    return 2 * (4 * M + 8) * EPS


def facts_about_logits(h: Tensor, **_: Any) -> Mapping[str, Any]:
    """What to count about the logits visited: the number of experts, ties for the top, and
    distances."""
    top = h.max(dim=0).values
    return {
        "M": h.shape[0],
        "ties at the top": bool(((h == top).sum(dim=0) > 1).any()),
        "all equal": bool((h == top).all()),
        "gap within 1e-3 of 1": bool(((top - h - 1).abs() < 1e-3).any()),
        "spread > 1": bool((top - h > 1).any()),
    }


@st.composite
def perturbations(draw: st.DrawFn) -> tuple[float, str, int]:
    """A size, a shape and a seed of a move of the logits."""
    size = draw(st.sampled_from([1e-9, 1e-6, 1e-3, 0.02, 0.1, 0.3, 0.5, 1.0, 10.0]))
    return size, draw(st.sampled_from(["one up, rest down", "signs", "generic"])), draw(SEEDS)


def moved(h: Tensor, perturbation: tuple[float, str, int]) -> Tensor:
    """The logits after the move, which has sup norm at most the size in every column."""
    size, shape, seed = perturbation
    step = 2 * torch.rand(h.shape, generator=torch.Generator().manual_seed(seed), dtype=h.dtype) - 1
    if shape == "signs":
        step = step.sign()
    if shape == "one up, rest down":
        step = torch.full_like(h, -1)
        step[seed % len(h)] = 1
    return h + size * step


def sup_norm(difference: Tensor) -> np.ndarray:
    """Largest entry of every column, in size."""
    return difference.abs().amax(dim=0).numpy()


def ratio_to_the_step(h: Tensor, perturbation: tuple[float, str, int]) -> Lines:
    """norm_inf(p(h) - p(h')) / norm_inf(h - h') by the size of the step, the largest over columns,
    with both Lipschitz constants: for the worst case's logits and move, at h = 0 where the ratio is
    largest, and for random logits."""
    M, (_, shape, seed) = len(h), perturbation
    steps = np.geomspace(1e-4, 4, 25).tolist()
    ends = [steps[0], steps[-1]]
    random = gaussian(torch.Generator().manual_seed(seed), M, 4) / 2

    def ratios(start: Tensor, shape: str) -> list[float]:
        p, found = routing_probabilities(start), []
        for size in steps:
            other = moved(start, (size, shape, seed))
            change, step = sup_norm(routing_probabilities(other) - p), sup_norm(other - start)
            seen = (step > 0) & (change > rounding_of_p(M))
            found.append(float((change[seen] / step[seen]).max()) if seen.any() else math.nan)
        return found

    curves = {
        "the worst case's h, moved likewise": (h, shape),
        "h = 0, one up, the rest down": (torch.zeros(M, 1, dtype=h.dtype), "one up, rest down"),
        "random h, random signs": (random, "signs"),
    }
    return Lines(
        f"Change of routing probabilities over change of logits, M = {M}",
        "norm_inf(h - h')",
        "ratio",
        [
            *(Series(name, steps, ratios(start, how)) for name, (start, how) in curves.items()),
            Series("2 (R.3)", ends, [2, 2], style=Style.BOUND),
            Series("M^2 (R.2, Lemma 5.1)", ends, [M**2, M**2], style=Style.REFERENCE),
        ],
        log_x=True,
        log_y=True,
    )


@st.composite
def small_logits(draw: st.DrawFn) -> Tensor:
    """Logits (M, 2) of two examples for two to eight experts, within a few noise widths of each
    other."""
    M = draw(st.integers(2, 8))
    rows = st.lists(st.integers(-8, 8), min_size=2, max_size=2)
    return torch.tensor(draw(st.lists(rows, min_size=M, max_size=M)), dtype=torch.float64) / 8


def numbers(value: Tensor) -> Tensor:
    """The values with 0 in place of NaN."""
    return torch.where(value.isnan(), 0.0, value)


def softmax_of(h: Tensor, pi: Tensor, name: str) -> Iterator[Statement]:
    """pi sums to 1 and has the ratios of a softmax of the logits h, (M, n) both."""
    eps, tiny = torch.finfo(pi.dtype).eps, torch.finfo(pi.dtype).tiny
    h, pi = h.double(), pi.double()
    top, best = h.max(dim=0, keepdim=True)
    expected = pi.gather(0, best) * (h - top).exp()
    size = (h.abs() + top.abs() + len(h) + 8) * eps * expected.abs()
    # What is smaller than tiny may be rounded to 0.
    yield equal(
        pi.sum(dim=0),
        1.0,
        tolerance=4 * len(h) * eps,
        detail=f"sum of the {name}",
        axes=("example",),
    )
    yield equal(
        pi,
        expected,
        tolerance=4 * size + tiny,
        detail=f"{name}, from that of the largest logit",
        axes=("expert", "example"),
    )
