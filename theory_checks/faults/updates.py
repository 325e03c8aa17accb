"""Faults of the updates of experts and router."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from core.updates import Gradient, normalised_step, plain_step
from theory_checks.faults.fault import Ingredients, fault
from theory_checks.faults.signatures import Update

Step = Callable[[Tensor, Gradient, float], Tensor]
CERTAIN = torch.zeros(())  # the log scale of a gradient that is given as it is


def divided_by(norm: Tensor, value: Tensor) -> Tensor:
    """value / norm, and 0 where the norm is 0."""
    return value / norm.masked_fill(norm == 0, 1)


def length(value: Tensor, dim: tuple[int, ...]) -> Tensor:
    return torch.linalg.vector_norm(value, dim=dim, keepdim=True)


def unit(value: Tensor, dim: tuple[int, ...]) -> Tensor:
    """The value divided by its length."""
    return divided_by(length(value, dim), value)


def normalised(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """The paper's step of the experts."""
    return normalised_step(W, gradient, rate, None)[0]


def plain(theta: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """The paper's step of the router."""
    return plain_step(theta, gradient, rate, None)[0]


def against(theta: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """A step against the gradient."""
    return theta - rate * gradient.value


def stateless(step: Step) -> Update:
    """The update that makes this step and leaves the state alone."""

    @wraps(step)
    def update(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
        return step(W, gradient, rate), state

    return update


def counting(step: Callable[[Tensor, Gradient, float, int], Tensor]) -> Update:
    """The update that makes this step, given how many were made before: the state."""

    @wraps(step)
    def update(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
        return step(W, gradient, rate, state or 0), (state or 0) + 1

    return update


def along(direction: Callable[[Gradient], Tensor]) -> Update:
    """The update that goes against this direction, as far as the rate."""
    return stateless(lambda W, gradient, rate: W - rate * direction(gradient))


def at_rate(step: Step, rate_of: Callable[[float, int], float]) -> Update:
    """The update that makes this step at another rate, a function of the rate and of the number of
    steps before."""
    return counting(lambda W, gradient, rate, t: step(W, gradient, rate_of(rate, t)))


def rate_scaled(step: Step, factor: float) -> Update:
    """The update that makes this step at the rate times a factor."""
    return stateless(lambda W, gradient, rate: step(W, gradient, factor * rate))


def decaying(step: Step, share: float) -> Update:
    """The update that makes this step from a parameter that is a share smaller."""
    return stateless(lambda W, gradient, rate: step((1 - share) * W, gradient, rate))


def stale(step: Step) -> Update:
    """The update that makes this step with the gradient of the step before: the state."""
    return lambda W, gradient, rate, state: (
        step(W, gradient if state is None else state, rate),
        gradient,
    )


def with_momentum(step: Step, share: float) -> Update:
    """The update that makes this step with the gradient plus a share of its last direction, the
    state."""

    def update(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
        velocity = gradient.value + (0.0 if state is None else share * state)
        return step(W, Gradient(velocity, CERTAIN), rate), velocity

    return update


# Experts


@fault("expert_update", noticed_by="G.11")
@stateless
def experts_normalised_naively(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """In training the norm of a gradient underflows: late steps are too short.

    In single precision the gradient is divided by its norm as computed, with a small number that
    avoids 0 / 0.
    """
    if W.dtype != torch.float32:
        return normalised(W, gradient, rate)
    return W - rate * gradient.value / (length(gradient.value, (-2, -1)) + 1e-12)


@fault(noticed_by="G.2")
def experts_normalised_globally() -> Ingredients:
    """The gradient of all experts together is normalised."""
    return {"expert_update": along(lambda gradient: unit(gradient.value, (-3, -2, -1)))}


@fault("expert_update", noticed_by="G.10")
@stateless
def experts_normalised_over_replicates(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """Gradients are normalised by their mean square over replicates trained side by side."""
    norm = length(gradient.direction, (-2, -1)).square().mean(dim=0, keepdim=True).sqrt()
    return W - rate * divided_by(norm, gradient.direction)


@fault(noticed_by=("G.2", "G.3"), representative=True)
def filters_normalised() -> Ingredients:
    """Every filter's gradient is normalised alone."""
    return {"expert_update": along(lambda gradient: unit(gradient.direction, (-1,)))}


@fault(noticed_by="G.2")
def normalised_after_underflow() -> Ingredients:
    """The value of the gradient is normalised, which underflows once margins are large."""
    return {"expert_update": along(lambda gradient: unit(gradient.value, (-2, -1)))}


@fault("expert_update", noticed_by="G.2")
@stateless
def nearly_normalised(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """1e-8 is added to the norm of the gradient."""
    return W - rate * gradient.value / (length(gradient.value, (-2, -1)) + 1e-8)


@fault("expert_update", noticed_by="G.2")
@stateless
def experts_clipped(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """Gradients are clipped to norm 1, not normalised."""
    return W - rate * gradient.value / length(gradient.value, (-2, -1)).clamp(min=1)


@fault("expert_update", noticed_by="G.2")
@stateless
def experts_in_sup_norm(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """Steps have length eta in sup norm."""
    largest = gradient.direction.abs().amax(dim=(-2, -1), keepdim=True)
    return W - rate * divided_by(largest, gradient.direction)


@fault("expert_update", noticed_by="G.3")
@stateless
def experts_by_sign(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """Experts follow the signs of the gradient's entries."""
    return W - rate * gradient.direction.sign() / W[0, 0].numel() ** 0.5


@fault(noticed_by="G.2")
def expert_step_longer() -> Ingredients:
    """Steps of experts are 1 % too long."""
    return {"expert_update": rate_scaled(normalised, 1.01)}


@fault(noticed_by="G.3", representative=True)
def experts_ascend() -> Ingredients:
    """Experts climb the loss."""
    return {"expert_update": rate_scaled(normalised, -1.0)}


@fault(noticed_by="G.9")
def expert_momentum() -> Ingredients:
    """Experts have momentum 1/2."""
    return {"expert_update": with_momentum(normalised, 0.5)}


@fault(noticed_by=("G.2", "G.3"))
def expert_decay() -> Ingredients:
    """Experts decay by 1e-4 a step."""
    return {"expert_update": decaying(normalised, 1e-4)}


@fault(noticed_by="G.9")
def experts_stale() -> Ingredients:
    """Experts follow the gradient of the step before."""
    return {"expert_update": stale(normalised)}


@fault(noticed_by="G.9")
def expert_steps_shrink() -> Ingredients:
    """The rate of the experts falls as t^(-1/2)."""
    return {"expert_update": at_rate(normalised, lambda rate, t: rate / (1 + t) ** 0.5)}


@fault(noticed_by="G.9")
def expert_steps_shorter_later() -> Ingredients:
    """From step 500 on the rate of the experts is a tenth."""
    return {"expert_update": at_rate(normalised, lambda rate, t: rate if t < 500 else rate / 10)}


@fault(noticed_by="G.9")
def experts_stop_late() -> Ingredients:
    """From step 2000 on experts do not learn."""
    return {"expert_update": at_rate(normalised, lambda rate, t: rate if t < 2000 else 0.0)}


@fault("expert_update", noticed_by="G.2")
@stateless
def experts_in_place(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """Steps overwrite the experts of the iterate before."""
    return W.copy_(normalised(W, gradient, rate))


@fault("expert_update", noticed_by="G.2")
@stateless
def first_expert_frozen(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """The first expert does not learn."""
    moved = normalised(W, gradient, rate)
    return torch.cat([W[..., :1, :, :], moved[..., 1:, :, :]], dim=-3)


@fault("expert_update", noticed_by="G.2")
@stateless
def filters_bounded(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """Filters are projected into the unit ball."""
    moved = normalised(W, gradient, rate)
    norm = length(moved, (-1,))
    return moved / norm.clamp(min=1)


# Router


def times_the_rate(power: int) -> Update:
    """Plain steps at the rate times M to this power."""
    return stateless(
        lambda theta, gradient, rate: plain(theta, gradient, float(theta.shape[-2]) ** power * rate)
    )


@fault(noticed_by="G.3")
def router_rate_times_m() -> Ingredients:
    """The rate of the router is M times as large."""
    return {"router_update": times_the_rate(1)}


@fault(noticed_by="G.3")
def router_rate_over_m() -> Ingredients:
    """The rate of the router is divided by M."""
    return {"router_update": times_the_rate(-1)}


@fault(noticed_by="G.3", representative=True)
def router_rate_over_m2() -> Ingredients:
    """The rate of the router is divided by M^2."""
    return {"router_update": times_the_rate(-2)}


@fault(noticed_by="G.3")
def router_rate_doubled() -> Ingredients:
    """The rate of the router is doubled."""
    return {"router_update": rate_scaled(plain, 2.0)}


@fault(noticed_by="G.3")
def router_ascends() -> Ingredients:
    """The router climbs the loss."""
    return {"router_update": rate_scaled(plain, -1.0)}


@fault(noticed_by="G.3")
def router_frozen() -> Ingredients:
    """The router does not learn."""
    return {"router_update": rate_scaled(plain, 0.0)}


@fault(noticed_by="G.3", representative=True)
def router_normalised() -> Ingredients:
    """The router's gradient is normalised."""
    return {"router_update": along(lambda gradient: unit(gradient.direction, (-2, -1)))}


def clipped_to(most: float) -> Update:
    """Plain steps with gradients clipped to a norm."""

    @stateless
    def update(theta: Tensor, gradient: Gradient, rate: float) -> Tensor:
        return theta - rate * gradient.value / (length(gradient.value, (-2, -1)) / most).clamp(1)

    return update


@fault(noticed_by="G.3")
def router_clipped() -> Ingredients:
    """The router's gradient is clipped to norm 1/1000."""
    return {"router_update": clipped_to(1e-3)}


@fault(noticed_by="G.3")
def router_clipped_far() -> Ingredients:
    """The router's gradient is clipped to norm 100."""
    return {"router_update": clipped_to(100.0)}


@fault(noticed_by=("G.1", "G.3"))
def router_decay() -> Ingredients:
    """The router decays by 1e-4 a step."""
    return {"router_update": decaying(plain, 1e-4)}


@fault(noticed_by=("G.3", "G.9"))
def router_momentum() -> Ingredients:
    """The router has momentum 0.9."""
    return {"router_update": with_momentum(against, 0.9)}


@fault(noticed_by=("G.3", "G.9"))
def router_stale() -> Ingredients:
    """The router follows the gradient of the step before."""
    return {"router_update": stale(plain)}


@fault(noticed_by="G.9")
def router_stops_later() -> Ingredients:
    """From step 500 on the router does not learn."""
    return {"router_update": at_rate(plain, lambda rate, t: rate if t < 500 else 0.0)}


@fault("router_update", noticed_by=("G.3", "C.4"), representative=True)
@counting
def router_forgets_its_start(theta: Tensor, gradient: Gradient, rate: float, t: int) -> Tensor:
    """The first step of the router starts from 0, wherever it was."""
    return plain(theta if t else torch.zeros_like(theta), gradient, rate)


@fault(noticed_by=("G.3", "C.8"), representative=True)
def router_refuses_large_rates() -> Ingredients:
    """Steps of the router at a rate above 10 are left out."""
    return {"router_update": at_rate(plain, lambda rate, t: rate if rate <= 10 else 0.0)}


FLICKER = 130  # steps; the training error is looked at after each of these


@counting
def flickering(W: Tensor, gradient: Gradient, rate: float, t: int) -> Tensor:
    """Every so often the iterate is -W for one step, then W again."""
    if t > 0 and t % FLICKER == 0:
        return -W
    moved = normalised(W, gradient, rate)
    return -moved if (t + 1) % FLICKER == 0 else moved


@fault(noticed_by=("G.9", "N.5"), representative=True)
def experts_flicker() -> Ingredients:
    """At every 130th iterate all experts have the opposite sign, for one step."""
    # the router does not learn from experts with the opposite sign
    waiting = at_rate(plain, lambda rate, t: 0.0 if t > 0 and t % FLICKER == 0 else rate)
    return {"expert_update": flickering, "router_update": waiting}


@fault("router_update", noticed_by=("G.3", "G.1"))
@stateless
def router_centred(theta: Tensor, gradient: Gradient, rate: float) -> Tensor:
    """The mean over experts is subtracted from the router."""
    moved = plain(theta, gradient, rate)
    return moved - moved.mean(dim=-2, keepdim=True)


@fault(noticed_by="G.2", representative=True)
def experts_plain() -> Ingredients:
    """Steps of experts are not normalised."""
    return {"expert_update": plain_step}
