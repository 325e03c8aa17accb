"""Faults of the update of one expert, while all others learn as they should.

Medians and totals over experts hide them. G.2, G.3 and G.11 look at single steps of every expert;
E.3 and E.6 notice the same faults in what every expert has learned by T_1.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from core.updates import Gradient
from theory_checks.faults.fault import Ingredients, fault
from theory_checks.faults.signatures import Update
from theory_checks.faults.updates import at_rate, counting, normalised, rate_scaled, stateless

FIRST, LAST = 0, -1
OFTEN = 4  # steps: every fourth is wrong


def of_expert(m: int, broken: Update) -> Ingredients:
    """Expert m has this update, all others the paper's."""

    def update(W: Tensor, gradient: Gradient, rate: float, state: object) -> tuple[Tensor, object]:
        moved = normalised(W, gradient, rate).clone()
        wrong, state = broken(W, gradient, rate, state)
        moved[..., m, :, :] = wrong[..., m, :, :]
        return moved, state

    return {"expert_update": update}


def towards(direction: Callable[[Tensor], Tensor]) -> Update:
    """The update by the paper's step, changed by this function."""
    return stateless(lambda W, gradient, rate: W + direction(normalised(W, gradient, rate) - W))


@fault(noticed_by=("E.3", "E.4", "E.6", "G.3"), representative=True)
def one_expert_ascends() -> Ingredients:
    """The first expert climbs the loss."""
    return of_expert(FIRST, rate_scaled(normalised, -1.0))


@fault(noticed_by=("E.3", "G.4"), representative=True)
def one_of_eight_ascends() -> Ingredients:
    """The seventh expert climbs the loss where there are eight or more."""
    ascending = of_expert(6, rate_scaled(normalised, -1.0))["expert_update"]

    def update(W: Tensor, gradient: Gradient, rate: float, state: object) -> tuple[Tensor, object]:
        if W.shape[-3] < 8:
            return normalised(W, gradient, rate), state
        return ascending(W, gradient, rate, state)

    return {"expert_update": update}


@fault(noticed_by=("E.3", "E.4", "E.6", "G.2"), representative=True)
def one_expert_stands_still() -> Ingredients:
    """The last expert does not move."""
    return of_expert(LAST, rate_scaled(normalised, 0.0))


@fault(noticed_by=("E.3", "E.6", "G.2"), representative=True)
def one_expert_at_half_its_step() -> Ingredients:
    """The steps of the first expert have half their length."""
    return of_expert(FIRST, rate_scaled(normalised, 0.5))


@fault(noticed_by=("E.3", "G.3"), representative=True)
def one_expert_follows_another() -> Ingredients:
    """The first expert makes the steps of the last one."""
    return of_expert(FIRST, towards(lambda step: step.roll(1, dims=-3)))


@fault(noticed_by="G.9", representative=True)
def one_expert_is_noisy() -> Ingredients:
    """To each step of the first expert noise is added that is as long as the step."""

    @counting
    def noisy(W: Tensor, gradient: Gradient, rate: float, t: int) -> Tensor:
        generator = torch.Generator().manual_seed(t)
        noise = torch.randn(W.shape, generator=generator).to(W)
        length = torch.linalg.vector_norm(noise, dim=(-2, -1), keepdim=True)
        return normalised(W, gradient, rate) + rate * noise / length

    return of_expert(FIRST, noisy)


@fault(noticed_by=("E.3", "G.3"), representative=True)
def one_expert_learns_one_filter() -> Ingredients:
    """Only the first filter of the last expert moves, as far as all of them together should."""

    def first_filter(step: Tensor) -> Tensor:
        kept = torch.zeros_like(step)
        kept[..., 0, :] = step[..., 0, :]
        length, whole = (
            torch.linalg.vector_norm(v, dim=(-2, -1), keepdim=True) for v in (kept, step)
        )
        return kept * (whole / length.masked_fill(length == 0, 1))

    return of_expert(LAST, towards(first_filter))


@fault(noticed_by=("E.3", "G.3"), representative=True)
def one_expert_mixes_its_filters() -> Ingredients:
    """Each filter of the first expert makes the step of the filter before."""
    return of_expert(FIRST, towards(lambda step: step.roll(1, dims=-2)))


@fault(noticed_by="G.9", representative=True)
def one_expert_climbs_now_and_then() -> Ingredients:
    """The first expert climbs the loss at every fourth step."""
    return of_expert(FIRST, at_rate(normalised, lambda rate, t: -rate if t % OFTEN == 3 else rate))


@fault(noticed_by=("E.3", "E.6", "G.9"), representative=True)
def one_expert_stops_early() -> Ingredients:
    """The last expert does not move after 20 steps."""
    return of_expert(LAST, at_rate(normalised, lambda rate, t: rate if t < 20 else 0.0))


@fault(noticed_by=("E.3", "E.6", "G.2"), representative=True)
def one_expert_drifts() -> Ingredients:
    """The steps of the first expert go half along its gradient, half along one direction that has
    to do with nothing, for all of its filters."""

    @stateless
    def drifting(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
        d, J = W.shape[-1], W.shape[-2]
        return W + (normalised(W, gradient, rate) - W) / 2 + rate / 2 / (J * d) ** 0.5

    return of_expert(FIRST, drifting)
