"""Subject: the ingredients that all claims are about, as one record; PAPER is the paper's choice of
each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core import data, model, routing, updates


@dataclass(frozen=True)
class Subject:
    """Data law, model and algorithm. A variant is `dataclasses.replace(PAPER,
    router_noise=no_noise)`.

    Shapes as in the PAPER functions; logits are (..., M, n), experts before examples, and functions
    of batches must work under any leading axes (...).
    """

    draw_signals: Callable[[data.Problem, torch.Generator], data.Signals]
    draw_examples: Callable[[data.Problem, data.Signals, int, torch.Generator], data.Examples]
    initialise_router: Callable[[data.Problem, updates.Hyperparameters, torch.Generator], Tensor]
    initialise_experts: Callable[[data.Problem, updates.Hyperparameters, torch.Generator], Tensor]
    logits: Callable[[Tensor, data.Patches], Tensor]
    router_noise: Callable[[tuple[int, ...], torch.Generator, int], Tensor]
    select: Callable[[Tensor, Tensor], Tensor]
    gate: Callable[[Tensor], Tensor]
    respond: Callable[[Tensor], Tensor]
    loss: Callable[[Tensor], Tensor]
    expert_update: Callable[[Tensor, updates.Gradient, float, Any], tuple[Tensor, Any]]
    router_update: Callable[[Tensor, updates.Gradient, float, Any], tuple[Tensor, Any]]


PAPER = Subject(
    draw_signals=data.draw_signals,
    draw_examples=data.draw_examples,
    initialise_router=updates.zero_router,
    initialise_experts=updates.gaussian_experts,
    logits=model.router_logits,
    router_noise=routing.uniform_noise,
    select=routing.top_1,
    gate=model.softmax_gate,
    respond=model.cubic_response,
    loss=model.LogisticLoss(),
    expert_update=updates.normalised_step,
    router_update=updates.plain_step,
)
