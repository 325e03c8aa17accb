"""Faults of the initialisation."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from core import Hyperparameters, Problem
from core.updates import gaussian_experts, zero_router
from theory_checks.faults.fault import fault
from theory_checks.faults.signatures import Initialise


def router_gaussian(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    shape = (hyper.M, problem.d)
    draw = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return draw * (hyper.sigma_0 / problem.d**0.5)


def router_nearly_zero(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    return zero_router(problem, hyper, generator) + 1e-12


def experts_scaled(factor: float) -> Initialise:
    """initialise_experts with filters too large by a factor."""

    def draw(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
        return factor * gaussian_experts(problem, hyper, generator)

    return draw


def experts_of_one_scale(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    return gaussian_experts(problem, replace(hyper, sigma_0=problem.d ** (-1 / 3)), generator)


def experts_of_full_size(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    return problem.d**0.5 * gaussian_experts(problem, hyper, generator)


def experts_smaller_with_filters(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    return gaussian_experts(problem, hyper, generator) / hyper.J**0.5


def experts_correlated(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    W = gaussian_experts(problem, hyper, generator)
    return (W + 0.5 * W[:1]) / 1.25**0.5


def experts_alike(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    W = gaussian_experts(problem, hyper, generator)
    return W[:1].expand_as(W).contiguous()


def filters_alike(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    W = gaussian_experts(problem, hyper, generator)
    return W[:, :1].expand_as(W).contiguous()


def filters_in_opposite_pairs(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    W = gaussian_experts(problem, hyper, generator)
    W[:, 1::2] = -W[:, : hyper.J // 2 * 2 : 2]
    return W


def experts_repeating(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    W = gaussian_experts(problem, hyper, generator)
    return W[torch.arange(hyper.M) % 8]


def experts_uniform(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    shape = (hyper.M, hyper.J, problem.d)
    u = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return (2 * u - 1) * (hyper.sigma_0 * (3 / problem.d) ** 0.5)


def experts_of_equal_length(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    W = gaussian_experts(problem, hyper, generator)
    return hyper.sigma_0 * W / W.norm(dim=-1, keepdim=True)


def experts_positive(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    return gaussian_experts(problem, hyper, generator).abs()


def experts_off_centre(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    return gaussian_experts(problem, hyper, generator) + 0.2 * hyper.sigma_0 / problem.d**0.5


def experts_the_same_every_time(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    return gaussian_experts(problem, hyper, torch.Generator(generator.device).manual_seed(1))


fault = partial(fault, "initialisation")

FAULTS = (
    fault(
        "ROUTER_GAUSSIAN",
        "The router starts like the experts, not at zero.",
        "I.3",
        representative=True,
        initialise_router=router_gaussian,
    ),
    fault(
        "ROUTER_NEARLY_ZERO",
        "All entries of the router start at 1e-12.",
        "I.3",
        initialise_router=router_nearly_zero,
    ),
    fault(
        "EXPERTS_TWICE",
        "Experts start twice as large.",
        "I.4",
        "I.1",
        initialise_experts=experts_scaled(2.0),
    ),
    fault(
        "EXPERTS_OF_ONE_SCALE",
        "Experts start at the ladder's sigma_0 = d^(-1/3), whatever sigma_0 is.",
        "I.1",
        "C.5",
        representative=True,
        initialise_experts=experts_of_one_scale,
    ),
    fault(
        "EXPERTS_OF_FULL_SIZE",
        "Experts start at N(0, sigma_0^2 I), not divided by d.",
        "I.4",
        "I.1",
        initialise_experts=experts_of_full_size,
    ),
    fault(
        "EXPERTS_SMALLER_WITH_FILTERS",
        "Filters start smaller the more of them an expert has.",
        "I.4",
        initialise_experts=experts_smaller_with_filters,
    ),
    fault(
        "EXPERTS_CORRELATED",
        "All experts lean towards the first.",
        "I.1",
        "I.4",
        initialise_experts=experts_correlated,
    ),
    fault(
        "EXPERTS_ALIKE",
        "All experts start alike.",
        "I.1",
        "I.4",
        representative=True,
        initialise_experts=experts_alike,
    ),
    fault(
        "FILTERS_ALIKE",
        "All filters of an expert start alike.",
        "I.2",
        "I.4",
        initialise_experts=filters_alike,
    ),
    fault(
        "FILTERS_OPPOSITE",
        "Every second filter starts as the opposite of the one before.",
        "I.4",
        "I.2",
        initialise_experts=filters_in_opposite_pairs,
    ),
    fault(
        "EXPERTS_UNIFORM",
        "Entries start uniform, with the right variance.",
        "I.4",
        initialise_experts=experts_uniform,
    ),
    fault(
        "EXPERTS_OF_EQUAL_LENGTH",
        "All filters start with length sigma_0.",
        "I.4",
        "I.1",
        initialise_experts=experts_of_equal_length,
    ),
    fault(
        "EXPERTS_POSITIVE",
        "All entries start positive.",
        "I.4",
        initialise_experts=experts_positive,
    ),
    fault(
        "EXPERTS_OFF_CENTRE",
        "Entries start around a fifth of their spread.",
        "I.4",
        initialise_experts=experts_off_centre,
    ),
    fault(
        "EXPERTS_REPEATED",
        "Every run starts from the same experts.",
        "I.4",
        initialise_experts=experts_the_same_every_time,
    ),
    fault(
        "EXPERTS_REPEAT_BY_EIGHTS",
        "Expert 8 starts like expert 0, and so on.",
        "I.4",
        initialise_experts=experts_repeating,
    ),
)
