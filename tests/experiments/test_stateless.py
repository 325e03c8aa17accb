"""Claims about single steps are not applicable to an update with a state, and G.9 is violated."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from core import PAPER, Subject
from core.updates import Gradient, normalised_step, plain_step
from theory_checks.checking.registry import built_in
from theory_checks.checking.run import Run
from theory_checks.checking.search import check, failure
from theory_checks.evidence import NotApplicable
from theory_checks.experiments.stateless import require_stateless_experts


def adam(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    """One step of Adam."""
    m, v, t = state or (torch.zeros_like(W), torch.zeros_like(W), 0)
    g, t = gradient.value, t + 1
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    step = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-12)
    return W - rate * step, (m, v, t)


def counting(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    """A normalised step with a state that does not matter for the first hundred."""
    count = 0 if state is None else state
    return normalised_step(W, gradient, rate if count < 100 else 0.0, None)[0], count + 1


def with_update(update: Callable[..., Any]) -> Subject:
    return replace(PAPER, expert_update=update)


def test_an_update_with_a_memory_is_told_from_one_without() -> None:
    for update in (normalised_step, plain_step, counting):
        require_stateless_experts(with_update(update))
    with pytest.raises(NotApplicable, match="has a memory of earlier steps"):
        require_stateless_experts(with_update(adam))


@pytest.mark.parametrize("claim_id", ["G.2", "G.3", "G.11", "E.3", "E.4", "E.5", "E.6"])
def test_claims_about_single_steps_are_not_applicable_to_adam(claim_id: str, run: Run) -> None:
    record = check(built_in()[claim_id], replace(run, subject=with_update(adam)))
    assert record.says_nothing
    assert record.verdict == "vacuous"
    assert failure(record).startswith(f"claim {claim_id} not applicable: the update of the experts")
    assert "\n" not in failure(record)


def test_adam_has_a_memory(run: Run) -> None:
    record = check(built_in()["G.9"], replace(run, subject=with_update(adam)), shrink=False)
    assert record.verdict == "violated"
    assert record.detail.startswith("W after step 1: ")
