"""Faults of the gate, and of the gradient that passes through it."""

from functools import partial

import torch
from torch import Tensor

from core import Patches
from core.model import router_logits, softmax_gate
from theory_checks.faults.fault import fault
from theory_checks.faults.signatures import Gate


def of_temperature(temperature: float) -> Gate:
    """The softmax of h / temperature."""

    def gate(h: Tensor) -> Tensor:
        return softmax_gate(h / temperature)

    return gate


def unnormalised(h: Tensor) -> Tensor:
    return h.clamp(max=80).exp()


def over_examples(h: Tensor) -> Tensor:
    return h.softmax(dim=-1)


def raw(h: Tensor) -> Tensor:
    return 1.0 * h


def one(h: Tensor) -> Tensor:
    return torch.ones_like(h) + 0 * h


def sigmoid(h: Tensor) -> Tensor:
    return h.sigmoid()


def squared(h: Tensor) -> Tensor:
    return softmax_gate(h) ** 2


def smoothed(h: Tensor) -> Tensor:
    return 0.99 * softmax_gate(h) + 0.01 / h.shape[-2]


def truncated(h: Tensor) -> Tensor:
    pi = softmax_gate(h)
    return torch.where(pi < 1e-3, 0.0, pi)


def overflowing(h: Tensor) -> Tensor:
    return h.exp() / h.exp().sum(dim=-2, keepdim=True)


def of_two_experts(h: Tensor) -> Tensor:
    """A softmax over the two largest logits."""
    second = h.topk(min(2, h.shape[-2]), dim=-2).values[..., -1:, :]
    return softmax_gate(h.masked_fill(h < second, -torch.inf))


def constant(h: Tensor) -> Tensor:
    """A softmax through which no gradient passes."""
    return softmax_gate(h).detach() + 0 * h


def without_competition(h: Tensor) -> Tensor:
    """A softmax whose gradient lacks the -pi term."""
    h = h.clamp(max=80)
    return h.exp() / h.exp().sum(dim=-2, keepdim=True).detach()


def steeper_backwards(h: Tensor) -> Tensor:
    """A softmax whose gradient is doubled."""
    pi = softmax_gate(h)
    return 2 * pi - pi.detach()


def competing_evenly(h: Tensor) -> Tensor:
    """A softmax whose gradient is pi_m (1[m = m'] - 1/M), as it is at equal logits."""
    pi = softmax_gate(h)
    linear = pi.detach() * (h - h.mean(dim=-2, keepdim=True))
    return pi.detach() + linear - linear.detach()


def in_half_precision(h: Tensor) -> Tensor:
    """Where training is in single precision the softmax is computed in bfloat16."""
    return softmax_gate(h.bfloat16()).float() if h.dtype == torch.float32 else softmax_gate(h)


def detached(theta: Tensor, x: Patches) -> Tensor:
    h = router_logits(theta, x)
    return h.detach() + 0 * h


fault = partial(fault, "gate")

FAULTS = (
    fault(
        "GATE_WARMER", "The gate is a softmax of temperature 2.", "R.8", gate=of_temperature(2.0)
    ),
    fault(
        "GATE_COLDER", "The gate is a softmax of temperature 0.9.", "R.8", gate=of_temperature(0.9)
    ),
    fault("GATE_UNNORMALISED", "The gate is exp(h), not normalised.", "R.8", gate=unnormalised),
    fault(
        "GATE_OVER_EXAMPLES",
        "The softmax goes over examples instead of experts.",
        "R.8",
        gate=over_examples,
    ),
    fault("GATE_RAW", "The gate is the logit itself.", "R.8", gate=raw),
    fault("GATE_ONE", "The gate is 1.", "R.8", representative=True, gate=one),
    fault("GATE_SIGMOID", "The gate is a sigmoid of each logit.", "R.8", gate=sigmoid),
    fault("GATE_SQUARED", "The softmax is squared.", "R.8", gate=squared),
    fault("GATE_SMOOTHED", "A hundredth of the gate is shared out evenly.", "R.8", gate=smoothed),
    fault("GATE_TRUNCATED", "Gates below 1/1000 are set to 0.", "R.8", gate=truncated),
    fault("GATE_CONSTANT", "The gradient of the gate is dropped.", "G.3", gate=constant),
    fault(
        "GATE_WITHOUT_COMPETITION",
        "The gradient of the gate lacks the -pi term.",
        "G.1",
        "G.3",
        representative=True,
        gate=without_competition,
    ),
    fault(
        "GATE_STEEPER_BACKWARDS",
        "The gradient of the gate is doubled.",
        "G.3",
        gate=steeper_backwards,
    ),
    fault(
        "GATE_COMPETES_EVENLY",
        "The gradient of the gate is that at equal logits.",
        "R.8",
        "G.3",
        gate=competing_evenly,
    ),
    fault(
        "GATE_IN_HALF_PRECISION",
        "In training the gate is computed in bfloat16.",
        "G.11",
        gate=in_half_precision,
    ),
    fault(
        "GATE_OVERFLOWS",
        "The softmax is computed without subtracting the largest logit: inf / inf.",
        "R.8",
        gate=overflowing,
    ),
    fault(
        "GATE_OF_TWO",
        "The softmax goes over the two largest logits only.",
        "R.8",
        gate=of_two_experts,
    ),
    fault(
        "LOGITS_DETACHED",
        "No gradient passes through the gate to the logits.",
        "G.3",
        logits=detached,
    ),
)
