"""The reference for evaluation: right for the paper's layer, and held against what may go wrong."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core import PAPER, Parameters, Patches, Problem, Subject
from core import training as core_training
from core.model import cubic_response, router_logits, softmax_gate
from core.routing import top_1
from theory_checks.checking.decide import search_then_decide
from theory_checks.checking.registry import built_in
from theory_checks.checking.run import Run
from theory_checks.evidence import Evidence, Verdict
from theory_checks.experiments import evaluation
from theory_checks.experiments.drawn_examples import drawn
from theory_checks.experiments.evaluation import Reference

CLAIM = built_in()["R.12"]
PLAIN: dict[str, Any] = {
    "problem": Problem(K=2, d=6),
    "sizes": (4, 2, 60),
    "scale": 0.3,
    "dtype": "float64",
    "seed": 3,
}


def found(run: Run, subject: Subject, **inputs: Any) -> Evidence:
    return search_then_decide(CLAIM, replace(run, subject=subject), {**PLAIN, **inputs})


def test_the_reference_is_the_layer_by_loops() -> None:
    _, e = drawn(PAPER, PLAIN["problem"], np.random.SeedSequence(1), 5)
    generator = torch.Generator().manual_seed(2)
    theta, W = torch.randn(3, 6, generator=generator), torch.randn(3, 2, 6, generator=generator)
    reference = Reference.of(PAPER, Parameters(theta, W), e)
    for i in range(5):
        for m in range(3):
            h = sum(float(theta[m] @ patch) for patch in e.x[i])
            f = sum(float(w @ patch) ** 3 for patch in e.x[i] for w in W[m])
            assert float(reference.h[m, i]) == pytest.approx(h, abs=1e-5)
            assert float(reference.f[m, i]) == pytest.approx(f, abs=1e-5)
            assert abs(float(reference.f[m, i]) - f) <= float(reference.f_slack[m, i])


@pytest.mark.parametrize("scale", [0.0, 0.01, 30.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_paper_passes_at_every_scale(run: Run, scale: float, dtype: str) -> None:
    for seed in range(5):
        evidence = found(run, PAPER, scale=scale, dtype=dtype, seed=seed)
        assert evidence.verdict is Verdict.HOLDS, evidence.detail


def second_call_differs() -> Subject:
    calls = iter(range(10_000))
    return replace(PAPER, respond=lambda z: cubic_response(z) * (1 + 0.01 * (next(calls) % 2)))


def noise_if_recorded(h: Tensor) -> Tensor:
    """Another gate in training."""
    return softmax_gate(2 * h if h.requires_grad else h)


def logits_of_a_batch(theta: Tensor, x: Patches) -> Tensor:
    h = router_logits(theta, x)
    return h if torch.is_grad_enabled() else h + 0.1 * h.mean(dim=-1, keepdim=True).sin()


def capacity(h: Tensor, r: Tensor) -> Tensor:
    """Without noise, an expert takes twice its share of more than 400 examples."""
    chosen = top_1(h, r)
    if bool((r != 0).any()) or h.shape[-1] <= 400:
        return chosen
    place = torch.nn.functional.one_hot(chosen, h.shape[-2]).cumsum(dim=-2)
    late = place.gather(-1, chosen[..., None]).squeeze(-1) > 2 * h.shape[-1] / h.shape[-2]
    return torch.where(late, 0 * chosen + h.shape[-2] - 1, chosen)


def noise_of_one_seed(h: Tensor, r: Tensor) -> Tensor:
    """The same noise at every call."""
    noise = torch.rand(h.shape, generator=torch.Generator().manual_seed(1), dtype=h.dtype)
    return top_1(h, r if bool((r != 0).any()) else 0.5 * noise)


def not_a_number(z: Tensor) -> Tensor:
    return cubic_response(z) * (1.0 if torch.is_grad_enabled() else torch.nan)


def only_outside(usual: Callable[..., Tensor], changed: Callable[..., Tensor]) -> Any:
    return lambda *a: (usual if torch.is_grad_enabled() else changed)(*a)


def overflows(h: Tensor) -> Tensor:
    return h.exp() / h.exp().sum(dim=-2, keepdim=True)


def overflows_in_double_precision(h: Tensor) -> Tensor:
    return overflows(h) if h.dtype == torch.float64 else softmax_gate(h)


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (lambda: replace(PAPER, gate=only_outside(softmax_gate, overflows)), "gate of torch.float"),
        (
            lambda: replace(PAPER, gate=only_outside(softmax_gate, overflows_in_double_precision)),
            "gate of torch.float64, up to 1e.04",
        ),
        (
            lambda: replace(
                PAPER,
                logits=only_outside(router_logits, lambda *a: router_logits(*a).clamp(-99, 99)),
            ),
            "logits of a large router",
        ),
        (
            lambda: replace(
                PAPER,
                respond=only_outside(cubic_response, lambda z: cubic_response(z.clamp(-99, 99))),
            ),
            "response to large patches",
        ),
        (second_call_differs, "respond is not deterministic"),
        (lambda: replace(PAPER, gate=noise_if_recorded), "gate"),
        (lambda: replace(PAPER, logits=logits_of_a_batch), "logits"),
        (lambda: replace(PAPER, select=capacity), "500 times the same example"),
        (
            lambda: replace(PAPER, select=noise_of_one_seed),
            "all examples: gap of the chosen expert",
        ),
        (lambda: replace(PAPER, respond=not_a_number), "respond returned NaN"),
    ],
)
def test_what_differs_outside_training_is_found(
    subject: Callable[[], Subject], reason: str, run: Run
) -> None:
    evidence = found(run, subject())
    assert evidence.verdict is Verdict.VIOLATED
    assert re.search(reason, evidence.detail), evidence.detail


def margin_without_gate(*arguments: Any) -> tuple[Tensor, Tensor]:
    margin, routed = core_training.margins(*arguments)
    return margin.sign() * margin.abs().sqrt(), routed


def routed_to_the_next(*arguments: Any) -> tuple[Tensor, Tensor]:
    margin, routed = core_training.margins(*arguments)
    return margin, (routed + 1) % arguments[1].theta.shape[-2]


@pytest.mark.parametrize(
    ("margins", "reason"),
    [
        (margin_without_gate, "y F against y pi_m f_m"),
        (routed_to_the_next, "gap of the chosen expert"),
    ],
)
def test_the_margins_of_core_are_held_to_the_definition(
    margins: Callable[..., tuple[Tensor, Tensor]],
    reason: str,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluation, "margins", margins)
    evidence = found(run, PAPER)
    assert evidence.verdict is Verdict.VIOLATED
    assert reason in evidence.detail
