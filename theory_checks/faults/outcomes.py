"""Faults that leave the single steps of training plausible and spoil what it ends with."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from core import Patches
from core.model import linear_response, router_logits
from core.routing import top_1
from core.updates import Gradient
from theory_checks.faults.fault import Ingredients, fault
from theory_checks.faults.updates import counting, normalised, plain, rate_scaled

LATE = 230  # a step in the second half of the shortest whole runs that the claims are tried on


def in_evaluation(choose: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The paper's choice with noise, and this one of the logits without."""

    def select(h: Tensor, r: Tensor) -> Tensor:
        return top_1(h, r) if bool(r.any()) else choose(h)

    return select


def second_best(h: Tensor) -> Tensor:
    return h.topk(min(2, h.shape[-2]), dim=-2).indices.select(-2, -1)


@fault(noticed_by=("N.2", "N.4", "A.3"), representative=True)
def evaluation_by_the_second_best() -> Ingredients:
    """Without noise an example goes to the expert with the second-largest logit."""
    return {"select": in_evaluation(second_best)}


@fault(noticed_by=("A.3", "N.7"))
def evaluation_by_the_smallest_logit() -> Ingredients:
    """Without noise an example goes to the expert with the smallest logit."""
    return {"select": in_evaluation(lambda h: h.min(dim=-2).indices)}


@fault("select", noticed_by="A.7")
def choice_of_steeper_logits(h: Tensor, r: Tensor) -> Tensor:
    """Logits count one and a half times against the noise."""
    return top_1(1.5 * h, r)


@fault("logits", noticed_by=("A.1", "A.3", "N.2"))
def router_blind_to_centres(theta: Tensor, x: Patches) -> Tensor:
    """The router does not see the patch of the cluster centre."""
    seen = x.coefficient * torch.tensor([1.0, 0.0, 1.0]).to(x.coefficient)
    return router_logits(theta, replace(x, coefficient=seen))


@fault("logits", noticed_by="A.8")
def router_sees_noise_enlarged(theta: Tensor, x: Patches) -> Tensor:
    """Random noise counts twenty times in the router's logits."""
    return router_logits(theta, replace(x, noise=20 * x.noise))


@fault("logits", noticed_by="A.3")
def load_never_concentrates(theta: Tensor, x: Patches) -> Tensor:
    """Logits are bounded by 1/10: noisy routing stays near uniform."""
    return (10 * router_logits(theta, x)).tanh() / 10


@fault("router_update", noticed_by=("N.5", "N.2"))
@counting
def router_forgets(theta: Tensor, gradient: Gradient, rate: float, t: int) -> Tensor:
    """From step 230 on the router is 0."""
    return plain(theta, gradient, rate) if t < LATE else torch.zeros_like(theta)


@fault(noticed_by=("A.5", "G.3"))
def router_ten_percent_faster() -> Ingredients:
    """Steps of the router are 10 % too long."""
    return {"router_update": rate_scaled(plain, 1.1)}


def resetting(
    W: Tensor, gradient: Gradient, rate: float, state: tuple[int, Tensor] | None
) -> tuple[Tensor, tuple[int, Tensor]]:
    """The paper's steps; from LATE on every second expert is what it was at the start: the
    state."""
    t, start = (0, W) if state is None else state
    moved = normalised(W, gradient, rate)
    if t >= LATE:
        moved = moved.clone()
        moved[..., ::2, :, :] = start[..., ::2, :, :]
    return moved, (t + 1, start)


@fault(noticed_by=("N.6", "N.3", "N.2"))
def trained_experts_replaced() -> Ingredients:
    """From step 230 on every second expert is what it was before training."""
    return {"expert_update": resetting}


@fault("expert_update", noticed_by="N.5")
@counting
def experts_change_places(W: Tensor, gradient: Gradient, rate: float, t: int) -> Tensor:
    """At step 230 every expert takes the place of the next one."""
    moved = normalised(W, gradient, rate)
    return moved.roll(1, dims=-3) if t == LATE else moved


@fault("expert_update", noticed_by=("N.7", "N.6"))
@counting
def experts_turn_late(W: Tensor, gradient: Gradient, rate: float, t: int) -> Tensor:
    """From step 230 on the experts climb the loss, ten times as fast."""
    return normalised(W, gradient, rate if t < LATE else -10 * rate)


@fault("respond", noticed_by=("L.2", "L.4"))
def nearly_linear(z: Tensor) -> Tensor:
    """Experts are linear up to a cube that is a thousand times too small."""
    return linear_response(z) + (z**3).sum(dim=(-2, -1)) / 1000
