"""Faults of the gate, and of the gradient that passes through it."""

import torch
from torch import Tensor

from core import Patches
from core.model import router_logits, softmax_gate
from theory_checks.faults.fault import Ingredients, fault
from theory_checks.faults.signatures import Gate


def of_temperature(temperature: float) -> Gate:
    """The softmax of h / temperature."""

    def gate(h: Tensor) -> Tensor:
        return softmax_gate(h / temperature)

    return gate


@fault(noticed_by="R.8")
def gate_warmer() -> Ingredients:
    """The gate is a softmax of temperature 2."""
    return {"gate": of_temperature(2.0)}


@fault(noticed_by="R.8")
def gate_colder() -> Ingredients:
    """The gate is a softmax of temperature 0.9."""
    return {"gate": of_temperature(0.9)}


@fault("gate", noticed_by="R.8")
def gate_unnormalised(h: Tensor) -> Tensor:
    """The gate is exp(h), not normalised."""
    return h.clamp(max=80).exp()


@fault("gate", noticed_by="R.8")
def gate_over_examples(h: Tensor) -> Tensor:
    """The softmax goes over examples instead of experts."""
    return h.softmax(dim=-1)


@fault("gate", noticed_by="R.8")
def gate_raw(h: Tensor) -> Tensor:
    """The gate is the logit itself."""
    return 1.0 * h


@fault("gate", noticed_by="R.8", representative=True)
def gate_one(h: Tensor) -> Tensor:
    """The gate is 1."""
    return torch.ones_like(h) + 0 * h


@fault("gate", noticed_by="R.8")
def gate_sigmoid(h: Tensor) -> Tensor:
    """The gate is a sigmoid of each logit."""
    return h.sigmoid()


@fault("gate", noticed_by="R.8")
def gate_squared(h: Tensor) -> Tensor:
    """The softmax is squared."""
    return softmax_gate(h) ** 2


@fault("gate", noticed_by="R.8")
def gate_smoothed(h: Tensor) -> Tensor:
    """A hundredth of the gate is shared out evenly."""
    return 0.99 * softmax_gate(h) + 0.01 / h.shape[-2]


@fault("gate", noticed_by="R.8")
def gate_truncated(h: Tensor) -> Tensor:
    """Gates below 1/1000 are set to 0."""
    pi = softmax_gate(h)
    return torch.where(pi < 1e-3, 0.0, pi)


@fault("gate", noticed_by="R.8")
def gate_overflows(h: Tensor) -> Tensor:
    """The softmax is computed without subtracting the largest logit: inf / inf."""
    return h.exp() / h.exp().sum(dim=-2, keepdim=True)


@fault("gate", noticed_by="R.8")
def gate_of_two(h: Tensor) -> Tensor:
    """The softmax goes over the two largest logits only."""
    second = h.topk(min(2, h.shape[-2]), dim=-2).values[..., -1:, :]
    return softmax_gate(h.masked_fill(h < second, -torch.inf))


@fault("gate", noticed_by="G.3")
def gate_constant(h: Tensor) -> Tensor:
    """The gradient of the gate is dropped."""
    return softmax_gate(h).detach() + 0 * h


@fault("gate", noticed_by=("G.1", "G.3"), representative=True)
def gate_without_competition(h: Tensor) -> Tensor:
    """The gradient of the gate lacks the -pi term."""
    h = h.clamp(max=80)
    return h.exp() / h.exp().sum(dim=-2, keepdim=True).detach()


@fault("gate", noticed_by="G.3")
def gate_steeper_backwards(h: Tensor) -> Tensor:
    """The gradient of the gate is doubled."""
    pi = softmax_gate(h)
    return 2 * pi - pi.detach()


@fault("gate", noticed_by=("R.8", "G.3"))
def gate_competes_evenly(h: Tensor) -> Tensor:
    """The gradient of the gate is that at equal logits.

    It is pi_m (1[m = m'] - 1/M).
    """
    pi = softmax_gate(h)
    linear = pi.detach() * (h - h.mean(dim=-2, keepdim=True))
    return pi.detach() + linear - linear.detach()


@fault("gate", noticed_by="G.11")
def gate_in_half_precision(h: Tensor) -> Tensor:
    """In training the gate is computed in bfloat16.

    In single precision, that of training, the softmax is computed in bfloat16.
    """
    return softmax_gate(h.bfloat16()).float() if h.dtype == torch.float32 else softmax_gate(h)


@fault("logits", noticed_by="G.3")
def logits_detached(theta: Tensor, x: Patches) -> Tensor:
    """No gradient passes through the gate to the logits."""
    h = router_logits(theta, x)
    return h.detach() + 0 * h


@fault("gate", noticed_by="R.8")
def gate_overflows_in_single_precision(h: Tensor) -> Tensor:
    """In single precision the softmax does not subtract the largest logit first."""
    if h.dtype != torch.float32:
        return softmax_gate(h)
    return h.exp() / h.exp().sum(dim=-2, keepdim=True)
