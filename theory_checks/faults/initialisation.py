"""Faults of the initialisation."""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

import torch
from torch import Tensor

from core import Hyperparameters, Problem
from core.updates import gaussian_experts, zero_router
from theory_checks.faults.fault import Ingredients, fault
from theory_checks.faults.signatures import Initialise


@fault("initialise_router", noticed_by="I.3", representative=True)
def router_gaussian(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    """The router starts like the experts, not at zero."""
    shape = (hyper.M, problem.d)
    draw = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return draw * (hyper.sigma_0 / problem.d**0.5)


@fault("initialise_router", noticed_by="I.3")
def router_nearly_zero(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    """All entries of the router start at 1e-12."""
    return zero_router(problem, hyper, generator) + 1e-12


def changed(change: Callable[[Tensor, float], Tensor]) -> Initialise:
    """initialise_experts, changed afterwards as a function of (M, J, d) weights and sigma_0."""

    @wraps(change)
    def draw(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
        return change(gaussian_experts(problem, hyper, generator), hyper.sigma_0)

    return draw


def experts_scaled(factor: float) -> Initialise:
    """initialise_experts with filters multiplied by a factor."""
    return changed(lambda W, sigma_0: factor * W)


@fault(noticed_by=("I.4", "I.1"))
def experts_twice() -> Ingredients:
    """Experts start twice as large."""
    return {"initialise_experts": experts_scaled(2.0)}


@fault("initialise_experts", noticed_by=("I.1", "C.5"), representative=True)
def experts_of_one_scale(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    """Experts start at the ladder's sigma_0 = d^(-1/3), whatever sigma_0 is."""
    return gaussian_experts(problem, replace(hyper, sigma_0=problem.d ** (-1 / 3)), generator)


@fault("initialise_experts", noticed_by=("I.4", "I.1"))
@changed
def experts_of_full_size(W: Tensor, sigma_0: float) -> Tensor:
    """Experts start at N(0, sigma_0^2 I), not divided by d."""
    return W.shape[-1] ** 0.5 * W


@fault("initialise_experts", noticed_by="I.4")
@changed
def experts_smaller_with_filters(W: Tensor, sigma_0: float) -> Tensor:
    """Filters start smaller the more of them an expert has."""
    return W / W.shape[1] ** 0.5


@fault("initialise_experts", noticed_by=("I.1", "I.4"))
@changed
def experts_correlated(W: Tensor, sigma_0: float) -> Tensor:
    """All experts lean towards the first."""
    return (W + 0.5 * W[:1]) / 1.25**0.5


@fault("initialise_experts", noticed_by=("I.1", "I.4"), representative=True)
@changed
def experts_alike(W: Tensor, sigma_0: float) -> Tensor:
    """All experts start alike."""
    return W[:1].expand_as(W).contiguous()


@fault("initialise_experts", noticed_by=("I.2", "I.4"))
@changed
def filters_alike(W: Tensor, sigma_0: float) -> Tensor:
    """All filters of an expert start alike."""
    return W[:, :1].expand_as(W).contiguous()


@fault("initialise_experts", noticed_by=("I.4", "I.2"))
@changed
def filters_opposite(W: Tensor, sigma_0: float) -> Tensor:
    """Every second filter starts as the opposite of the one before."""
    W[:, 1::2] = -W[:, : W.shape[1] // 2 * 2 : 2]
    return W


@fault("initialise_experts", noticed_by="I.4")
@changed
def experts_repeat_by_eights(W: Tensor, sigma_0: float) -> Tensor:
    """Expert 8 starts like expert 0, and so on."""
    return W[torch.arange(len(W)) % 8]


@fault("initialise_experts", noticed_by="I.4")
def experts_uniform(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    """Entries start uniform, with the right variance."""
    shape = (hyper.M, hyper.J, problem.d)
    u = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return (2 * u - 1) * (hyper.sigma_0 * (3 / problem.d) ** 0.5)


@fault("initialise_experts", noticed_by=("I.4", "I.1"))
@changed
def experts_of_equal_length(W: Tensor, sigma_0: float) -> Tensor:
    """All filters start with length sigma_0."""
    return sigma_0 * W / W.norm(dim=-1, keepdim=True)


@fault("initialise_experts", noticed_by="I.4")
@changed
def experts_positive(W: Tensor, sigma_0: float) -> Tensor:
    """All entries start positive."""
    return W.abs()


@fault("initialise_experts", noticed_by="I.4")
@changed
def experts_off_centre(W: Tensor, sigma_0: float) -> Tensor:
    """Entries start with a mean of a fifth of their spread."""
    return W + 0.2 * sigma_0 / W.shape[-1] ** 0.5


@fault("initialise_experts", noticed_by="I.4")
def experts_repeated(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    """Every run starts from the same experts."""
    return gaussian_experts(problem, hyper, torch.Generator(generator.device).manual_seed(1))


@fault("initialise_experts", noticed_by="I.4")
def experts_from_global_generator(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    """The experts come from the global generator: no seed repeats a run."""
    return gaussian_experts(problem, hyper, torch.default_generator)
