"""Faults of router noise that has atoms: the routing probabilities jump, and Lemma 5.1 is false."""

import torch
from torch import Tensor

from core.routing import uniform_noise
from theory_checks.faults.fault import Ingredients, fault
from theory_checks.faults.signatures import Noise


def on_grid(values: int) -> Noise:
    """Noise with so many equally likely values."""

    def noise(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
        return (values * uniform_noise(shape, generator, step)).floor() / values

    return noise


def in_precision(dtype: torch.dtype) -> Noise:
    """Noise rounded to a precision."""

    def noise(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
        return uniform_noise(shape, generator, step).to(dtype).float()

    return noise


@fault(noticed_by=("R.3", "R.2"), representative=True)
def noise_of_64_values() -> Ingredients:
    """Router noise has 64 values."""
    return {"router_noise": on_grid(64)}


@fault(noticed_by=("R.3", "R.2"))
def noise_of_100_values() -> Ingredients:
    """Router noise has 100 values."""
    return {"router_noise": on_grid(100)}


@fault(noticed_by="R.3")
def noise_of_1000_values() -> Ingredients:
    """Router noise has 1000 values."""
    return {"router_noise": on_grid(1000)}


@fault(noticed_by=("R.3", "R.2"))
def noise_in_bfloat16() -> Ingredients:
    """Router noise is rounded to bfloat16."""
    return {"router_noise": in_precision(torch.bfloat16)}


@fault(noticed_by="R.3")
def noise_in_float16() -> Ingredients:
    """Router noise is rounded to half precision."""
    return {"router_noise": in_precision(torch.float16)}


@fault("router_noise", noticed_by="R.3")
def noise_with_an_atom(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Router noise is exactly 1/2 in a tenth of the draws."""
    r = uniform_noise(shape, generator, step)
    return torch.where(uniform_noise(shape, generator, step) < 0.1, 0.5, r)


@fault("router_noise", noticed_by="R.3")
def noise_on_shifted_grids(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Router noise has 50 values, which differ between experts: there are no ties."""
    shift = torch.arange(shape[0], device=generator.device)[:, None] / (50 * shape[0])
    return on_grid(50)(shape, generator, step) + shift
