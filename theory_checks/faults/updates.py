"""Faults of the updates of experts and router."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from core.updates import Gradient, normalised_step, plain_step
from theory_checks.faults.fault import fault
from theory_checks.faults.signatures import Update

CERTAIN = torch.zeros(())  # the log scale of a gradient that is given as it is


def divided_by(norm: Tensor, value: Tensor) -> Tensor:
    """value / norm, and 0 where the norm is 0."""
    return value / norm.masked_fill(norm == 0, 1)


def length(value: Tensor, dim: tuple[int, ...]) -> Tensor:
    return torch.linalg.vector_norm(value, dim=dim, keepdim=True)


# Experts


def naively_normalised_in_training(
    W: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    """In single precision the gradient is divided by its norm as computed, with a small number that
    avoids 0 / 0."""
    if W.dtype != torch.float32:
        return normalised_step(W, gradient, rate, state)
    return W - rate * gradient.value / (length(gradient.value, (-2, -1)) + 1e-12), state


def globally_normalised(
    W: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    return W - rate * divided_by(length(gradient.value, (-3, -2, -1)), gradient.value), state


def normalised_over_replicates(
    W: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    norm = length(gradient.direction, (-2, -1)).square().mean(dim=0, keepdim=True).sqrt()
    return W - rate * divided_by(norm, gradient.direction), state


def filter_by_filter(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return W - rate * divided_by(length(gradient.direction, (-1,)), gradient.direction), state


def normalised_as_far_as_it_shows(
    W: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    """Normalises the value of the gradient, which underflows."""
    return W - rate * divided_by(length(gradient.value, (-2, -1)), gradient.value), state


def nearly_normalised(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return W - rate * gradient.value / (length(gradient.value, (-2, -1)) + 1e-8), state


def clipped(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return W - rate * gradient.value / length(gradient.value, (-2, -1)).clamp(min=1), state


def in_sup_norm(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    largest = gradient.direction.abs().amax(dim=(-2, -1), keepdim=True)
    return W - rate * divided_by(largest, gradient.direction), state


def signs(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return W - rate * gradient.direction.sign() / W[0, 0].numel() ** 0.5, state


def step_of_length(factor: float) -> Update:
    """Normalised steps that are too long by a factor."""

    def update(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
        return normalised_step(W, gradient, factor * rate, state)

    return update


def expert_momentum(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    velocity = gradient.value + (0.0 if state is None else 0.5 * state)
    return normalised_step(W, Gradient(velocity, CERTAIN), rate, None)[0], velocity


def expert_decay(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return normalised_step((1 - 1e-4) * W, gradient, rate, state)


def stale(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return normalised_step(W, gradient if state is None else state, rate, None)[0], gradient


def slower(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    t = state or 0
    return normalised_step(W, gradient, rate / (1 + t) ** 0.5, None)[0], t + 1


def shorter_later(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    t = state or 0
    return normalised_step(W, gradient, rate if t < 500 else rate / 10, None)[0], t + 1


def stopping_late(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    t = state or 0
    return (W if t >= 2000 else normalised_step(W, gradient, rate, None)[0]), t + 1


def in_place(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return W.copy_(normalised_step(W, gradient, rate, state)[0]), state


def first_expert_frozen(
    W: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    moved, state = normalised_step(W, gradient, rate, state)
    return torch.cat([W[..., :1, :, :], moved[..., 1:, :, :]], dim=-3), state


def projected(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    moved, state = normalised_step(W, gradient, rate, state)
    norm = length(moved, (-1,))
    return moved / norm.clamp(min=1), state


# Router


def times_the_rate(power: int) -> Update:
    """A router whose rate is off by M to this power."""

    def update(theta: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
        return plain_step(theta, gradient, float(theta.shape[-2]) ** power * rate, state)

    return update


def rate_scaled(factor: float) -> Update:
    """A router whose rate is off by a factor."""

    def update(theta: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
        return plain_step(theta, gradient, factor * rate, state)

    return update


def router_normalised(
    theta: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    return theta - rate * divided_by(
        length(gradient.direction, (-2, -1)), gradient.direction
    ), state


def router_clipped(most: float) -> Update:
    """Gradients of the router are clipped to a norm."""

    def update(theta: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
        return theta - rate * gradient.value / (length(gradient.value, (-2, -1)) / most).clamp(
            min=1
        ), state

    return update


def router_decay(theta: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return plain_step((1 - 1e-4) * theta, gradient, rate, state)


def router_momentum(
    theta: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    velocity = gradient.value + (0.0 if state is None else 0.9 * state)
    return theta - rate * velocity, velocity


def router_stale(theta: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return plain_step(theta, gradient if state is None else state, rate, None)[0], gradient


def router_later_only(
    theta: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    t = state or 0
    return plain_step(theta, gradient, rate if t < 500 else 0.0, None)[0], t + 1


def router_forgets_its_start(
    theta: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    return plain_step(torch.zeros_like(theta) if state is None else theta, gradient, rate, None)[
        0
    ], "begun"


def router_refuses_large_rates(
    theta: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    return plain_step(theta, gradient, rate if rate <= 10 else 0.0, state)


# steps from one flicker to the next: all are among the steps at which the training error is looked
# at
FLICKER = 130


def experts_flicker(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    """Every so often the iterate is -W for one step, then W again."""
    t = (state or 0) + 1
    if t > 1 and (t - 1) % FLICKER == 0:
        return -W, t
    moved = normalised_step(W, gradient, rate, None)[0]
    return (-moved if t % FLICKER == 0 else moved), t


def router_waits(theta: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    """Does not learn from experts that flicker."""
    t = (state or 0) + 1
    return plain_step(theta, gradient, 0.0 if t > 1 and (t - 1) % FLICKER == 0 else rate, None)[
        0
    ], t


def router_centred(
    theta: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    moved, state = plain_step(theta, gradient, rate, state)
    return moved - moved.mean(dim=-2, keepdim=True), state


fault = partial(fault, "updates")

FAULTS = (
    fault(
        "EXPERTS_PLAIN",
        "Steps of experts are not normalised.",
        "G.2",
        representative=True,
        expert_update=plain_step,
    ),
    fault(
        "EXPERTS_NORMALISED_GLOBALLY",
        "The gradient of all experts together is normalised.",
        "G.2",
        expert_update=globally_normalised,
    ),
    fault(
        "EXPERTS_NORMALISED_OVER_REPLICATES",
        "Gradients are normalised by their mean square over replicates trained side by side.",
        "G.10",
        expert_update=normalised_over_replicates,
    ),
    fault(
        "FILTERS_NORMALISED",
        "Every filter's gradient is normalised alone.",
        "G.2",
        "G.3",
        representative=True,
        expert_update=filter_by_filter,
    ),
    fault(
        "NORMALISED_AFTER_UNDERFLOW",
        "The value of the gradient is normalised, which underflows once margins are large.",
        "G.2",
        expert_update=normalised_as_far_as_it_shows,
    ),
    fault(
        "NEARLY_NORMALISED",
        "1e-8 is added to the norm of the gradient.",
        "G.2",
        expert_update=nearly_normalised,
    ),
    fault(
        "EXPERTS_CLIPPED",
        "Gradients are clipped to norm 1, not normalised.",
        "G.2",
        expert_update=clipped,
    ),
    fault(
        "EXPERTS_IN_SUP_NORM",
        "Steps have length eta in sup norm.",
        "G.2",
        expert_update=in_sup_norm,
    ),
    fault(
        "EXPERTS_BY_SIGN",
        "Experts follow the signs of the gradient's entries.",
        "G.3",
        expert_update=signs,
    ),
    fault(
        "EXPERT_STEP_LONGER",
        "Steps of experts are 1 % too long.",
        "G.2",
        expert_update=step_of_length(1.01),
    ),
    fault(
        "EXPERTS_ASCEND",
        "Experts climb the loss.",
        "G.3",
        representative=True,
        expert_update=step_of_length(-1.0),
    ),
    fault(
        "EXPERT_MOMENTUM", "Experts have momentum 1/2.", "G.3", "G.9", expert_update=expert_momentum
    ),
    fault(
        "EXPERT_DECAY", "Experts decay by 1e-4 a step.", "G.2", "G.3", expert_update=expert_decay
    ),
    fault(
        "EXPERTS_STALE",
        "Experts follow the gradient of the step before.",
        "G.3",
        "G.9",
        expert_update=stale,
    ),
    fault(
        "EXPERT_STEPS_SHRINK",
        "The rate of the experts falls as t^(-1/2).",
        "G.2",
        "G.9",
        expert_update=slower,
    ),
    fault(
        "EXPERT_STEPS_SHORTER_LATER",
        "From step 500 on the rate of the experts is a tenth.",
        "G.9",
        expert_update=shorter_later,
    ),
    fault(
        "FIRST_EXPERT_FROZEN",
        "The first expert does not learn.",
        "G.2",
        expert_update=first_expert_frozen,
    ),
    fault(
        "FILTERS_BOUNDED",
        "Filters are projected into the unit ball.",
        "G.2",
        expert_update=projected,
    ),
    fault(
        "ROUTER_RATE_TIMES_M",
        "The rate of the router is M times as large.",
        "G.3",
        router_update=times_the_rate(1),
    ),
    fault(
        "ROUTER_RATE_OVER_M",
        "The rate of the router is M times as small.",
        "G.3",
        router_update=times_the_rate(-1),
    ),
    fault(
        "ROUTER_RATE_OVER_M2",
        "The rate of the router is M^2 times as small.",
        "G.3",
        representative=True,
        router_update=times_the_rate(-2),
    ),
    fault(
        "ROUTER_RATE_DOUBLED",
        "The rate of the router is doubled.",
        "G.3",
        router_update=rate_scaled(2.0),
    ),
    fault("ROUTER_ASCENDS", "The router climbs the loss.", "G.3", router_update=rate_scaled(-1.0)),
    fault("ROUTER_FROZEN", "The router does not learn.", "G.3", router_update=rate_scaled(0.0)),
    fault(
        "ROUTER_NORMALISED",
        "The router's gradient is normalised.",
        "G.3",
        representative=True,
        router_update=router_normalised,
    ),
    fault(
        "ROUTER_CLIPPED",
        "The router's gradient is clipped to norm 1/1000.",
        "G.3",
        router_update=router_clipped(1e-3),
    ),
    fault(
        "ROUTER_CLIPPED_FAR",
        "The router's gradient is clipped to norm 100.",
        "G.3",
        router_update=router_clipped(100.0),
    ),
    fault(
        "ROUTER_DECAY",
        "The router decays by 1e-4 a step.",
        "G.1",
        "G.3",
        router_update=router_decay,
    ),
    fault(
        "ROUTER_MOMENTUM",
        "The router has momentum 0.9.",
        "G.3",
        "G.9",
        router_update=router_momentum,
    ),
    fault(
        "ROUTER_STALE",
        "The router follows the gradient of the step before.",
        "G.3",
        "G.9",
        router_update=router_stale,
    ),
    fault(
        "ROUTER_STOPS_LATER",
        "From step 500 on the router does not learn.",
        "G.9",
        router_update=router_later_only,
    ),
    fault(
        "ROUTER_FORGETS_ITS_START",
        "The first step of the router starts from 0, wherever it was.",
        "G.3",
        "C.4",
        representative=True,
        router_update=router_forgets_its_start,
    ),
    fault(
        "ROUTER_REFUSES_LARGE_RATES",
        "Steps of the router at a rate above 10 are left out.",
        "G.3",
        "C.8",
        representative=True,
        router_update=router_refuses_large_rates,
    ),
    fault(
        "EXPERTS_FLICKER",
        "At every 130th iterate all experts have the opposite sign, for one step.",
        "G.9",
        "N.5",
        representative=True,
        expert_update=experts_flicker,
        router_update=router_waits,
    ),
    fault(
        "ROUTER_CENTRED",
        "The mean over experts is subtracted from the router.",
        "G.3",
        "G.1",
        router_update=router_centred,
    ),
    fault(
        "EXPERTS_STOP_LATE",
        "From step 2000 on experts do not learn.",
        "G.9",
        expert_update=stopping_late,
    ),
    fault(
        "EXPERTS_NORMALISED_NAIVELY",
        "In training the norm of a gradient underflows: late steps are too short.",
        "G.11",
        expert_update=naively_normalised_in_training,
    ),
    fault(
        "EXPERTS_IN_PLACE",
        "Steps overwrite the experts of the iterate before.",
        "G.2",
        expert_update=in_place,
    ),
)
