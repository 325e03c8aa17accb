"""Algorithm 1's inputs, its initial parameters and its update rules."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from core.data import Problem, require_count, require_positive


@dataclass(frozen=True)
class Hyperparameters:
    """The inputs of Algorithm 1.

    M: number of experts.
    J: number of filters of an expert.
    n: number of training examples.
    sigma_0: initialisation scale.
    eta: learning rate of the experts.
    eta_r: learning rate of the router.
    T: number of steps.

    Raises ValueError unless M, J, n >= 1, T >= 0, sigma_0, eta > 0 and eta_r >= 0.
    """

    M: int
    J: int
    n: int
    sigma_0: float
    eta: float
    eta_r: float
    T: int

    def __post_init__(self) -> None:
        for name in ("M", "J", "n"):
            require_count(name, getattr(self, name), 1)
        require_count("T", self.T, 0)
        require_positive("sigma_0", self.sigma_0)
        require_positive("eta", self.eta)
        require_positive("eta_r", self.eta_r, or_zero=True)

    @property
    def T_1(self) -> int:
        """End of the exploration stage, floor(sigma_0^(1/2) / eta)."""
        return int(self.sigma_0**0.5 / self.eta)


@dataclass(frozen=True, eq=False)
class Gradient:
    """A gradient, direction * exp(log_scale). The direction survives even where the size of the
    gradient is below the smallest float.

    direction: shaped like the parameter.
    log_scale: natural logarithm of the scale, broadcasting against direction.
    """

    direction: Tensor
    log_scale: Tensor

    @property
    def value(self) -> Tensor:
        """The gradient itself; zero where it underflows."""
        return self.direction * self.log_scale.exp()


def normalised_step(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    """W_m <- W_m - rate * grad_m / norm(grad_m)_F for every expert m (Algorithm 1); an
    expert with a zero gradient does not move.

    W: the experts, (..., M, J, d).
    gradient: the gradient in W.
    rate: eta.
    state: returned as it is; this rule has no state.
    """
    # Dividing by the largest entry first keeps the squares in the norm from underflowing.
    tiny = torch.finfo(W.dtype).tiny  # in place of 0, where the gradient is zero
    largest = gradient.direction.abs().amax(dim=(-2, -1), keepdim=True)
    scaled = gradient.direction / largest.clamp(min=tiny)
    norm: Tensor = torch.linalg.vector_norm(scaled, dim=(-2, -1), keepdim=True)
    return W.addcdiv(scaled, norm.clamp(min=tiny), value=-rate), state


def plain_step(
    parameter: Tensor, gradient: Gradient, rate: float, state: Any
) -> tuple[Tensor, Any]:
    """theta <- theta - rate * grad (Algorithm 1). Arguments as in `normalised_step`, for a
    parameter of any shape."""
    return parameter.sub(gradient.value, alpha=rate), state


def zero_router(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    """Theta^(0) = 0, (M, d), float64."""
    return torch.zeros(hyper.M, problem.d, device=generator.device, dtype=torch.float64)


def gaussian_experts(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    """w_mj^(0) ~ N(0, (sigma_0^2 / d) I_d), (M, J, d), float64."""
    shape = (hyper.M, hyper.J, problem.d)
    draw: Tensor = torch.randn(
        shape, generator=generator, device=generator.device, dtype=torch.float64
    )
    return draw * (hyper.sigma_0 / problem.d**0.5)
