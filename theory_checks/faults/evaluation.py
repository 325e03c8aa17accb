"""Faults of what the model does outside training, with gradients off and without noise."""

from collections.abc import Callable

import torch
from torch import Tensor

from core import Patches
from core.model import cubic_response, router_logits, softmax_gate
from core.routing import top_1
from theory_checks.faults.fault import Ingredients, fault


def outside_training(
    usual: Callable[..., Tensor], changed: Callable[..., Tensor]
) -> Callable[..., Tensor]:
    """The usual function where gradients are on, the changed one where they are off."""

    def ingredient(*arguments: Tensor | Patches) -> Tensor:
        return (usual if torch.is_grad_enabled() else changed)(*arguments)

    return ingredient


def select_outside_training(
    changed: Callable[[Tensor], Tensor],
) -> Callable[[Tensor, Tensor], Tensor]:
    """The paper's choice, and another function of the logits where there is no noise at all."""

    def select(h: Tensor, r: Tensor) -> Tensor:
        return top_1(h, r) if bool((r != 0).any()) else changed(h)

    return select


@fault(noticed_by="R.12", representative=True)
def noise_left_on() -> Ingredients:
    """Outside training the choice adds noise of its own."""
    return {"select": select_outside_training(lambda h: top_1(h, torch.rand_like(h)))}


@fault(noticed_by="R.12")
def ties_broken_at_random() -> Ingredients:
    """Outside training equal logits are a matter of chance at every call."""

    def choose(h: Tensor) -> Tensor:
        tied = h == h.amax(dim=-2, keepdim=True)
        return torch.rand_like(h).masked_fill(~tied, -1.0).argmax(dim=-2)

    return {"select": select_outside_training(choose)}


@fault(noticed_by="R.12")
def capacity_outside_training() -> Ingredients:
    """Outside training half of the examples at most get the first expert; others get their second
    choice."""

    def choose(h: Tensor) -> Tensor:
        first, second = h.topk(min(2, h.shape[-2]), dim=-2).indices[..., [0, -1], :].unbind(dim=-2)
        full = (first == 0).cumsum(dim=-1) > h.shape[-1] / 2
        return torch.where((first == 0) & full, second, first)

    return {"select": select_outside_training(choose)}


@fault(noticed_by="R.12", representative=True)
def gate_dropped_outside_training() -> Ingredients:
    """Outside training the gate of every expert is 1."""
    return {"gate": outside_training(softmax_gate, torch.ones_like)}


@fault(noticed_by="R.12")
def gate_colder_outside_training() -> Ingredients:
    """Outside training the gate is a softmax of temperature 1/2."""
    return {"gate": outside_training(softmax_gate, lambda h: softmax_gate(2 * h))}


@fault(noticed_by="R.12")
def logits_centred_outside_training() -> Ingredients:
    """Outside training the logits of a batch have mean 0 for every expert."""

    def centred(theta: Tensor, x: Patches) -> Tensor:
        h = router_logits(theta, x)
        return h - h.mean(dim=-1, keepdim=True)

    return {"logits": outside_training(router_logits, centred)}


@fault(noticed_by="R.12")
def logits_rounded_outside_training() -> Ingredients:
    """Outside training logits are rounded to bfloat16."""

    def rounded(theta: Tensor, x: Patches) -> Tensor:
        return router_logits(theta, x).bfloat16().to(theta.dtype)

    return {"logits": outside_training(router_logits, rounded)}


@fault(noticed_by="R.12")
def response_clipped_outside_training() -> Ingredients:
    """Outside training the cubes of an expert are clipped to [-1, 1]."""

    def clipped(z: Tensor) -> Tensor:
        return cubic_response(z.clamp(-1, 1))

    return {"respond": outside_training(cubic_response, clipped)}


def overflowing_gate(h: Tensor) -> Tensor:
    """A softmax that does not subtract the largest logit first."""
    return h.exp() / h.exp().sum(dim=-2, keepdim=True)


@fault(noticed_by="R.12")
def gate_overflows_outside_training() -> Ingredients:
    """Outside training the exponentials of large logits overflow."""
    return {"gate": outside_training(softmax_gate, overflowing_gate)}


@fault(noticed_by="R.12")
def logits_clipped_outside_training() -> Ingredients:
    """Outside training logits are clipped to [-1000, 1000]."""

    def clipped(theta: Tensor, x: Patches) -> Tensor:
        return router_logits(theta, x).clamp(-1000, 1000)

    return {"logits": outside_training(router_logits, clipped)}


@fault(noticed_by="R.12")
def large_response_clipped_outside_training() -> Ingredients:
    """Outside training an expert clips pre-activations to [-100, 100]."""

    def clipped(z: Tensor) -> Tensor:
        return cubic_response(z.clamp(-100, 100))

    return {"respond": outside_training(cubic_response, clipped)}
