"""Subject: the ingredients that all claims are about, as one record; PAPER is the paper's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core import data, model, routing, updates


@dataclass(frozen=True)
class Subject:
    """Data law, model and algorithm. `dataclasses.replace(PAPER, router_noise=no_noise)` makes a
    variant.

    Logits are (..., M, n), experts before examples. Functions of tensors must work with any leading
    axes (...). The docstrings of PAPER's functions describe every argument.

    draw_signals: the 2K orthonormal vectors of a replicate, (K, d) each (Definition 3.1).
    draw_examples: n labelled examples made of them (Definition 3.1).
    initialise_router: Theta^(0), (M, d).
    initialise_experts: W^(0), (M, J, d).
    logits: from the router (..., M, d) and n examples, h (..., M, n).
    router_noise: from a shape (M, n), a generator and the step, r of that shape.
    select: from h and r, the expert of each example, (..., n).
    gate: from h, the weight pi of each expert, (..., M, n).
    respond: from an expert's pre-activations (..., P, J), its output f (...).
    loss: from margins y F(x), the loss of each.
    expert_update: from W, its gradient, eta and a state, the next W and state.
    router_update: from Theta, its gradient, eta_r and a state, the next Theta and state.
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
