"""Faults of the experts' response."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from core.model import cubic_response, linear_response
from theory_checks.faults.fault import fault


def quadratic(z: Tensor) -> Tensor:
    return (z**2).sum(dim=(-2, -1))


def even(z: Tensor) -> Tensor:
    return (z**2 * z.abs()).sum(dim=(-2, -1))


def quintic(z: Tensor) -> Tensor:
    return (z**5).sum(dim=(-2, -1))


def relu(z: Tensor) -> Tensor:
    return z.relu().sum(dim=(-2, -1))


def relu_cubed(z: Tensor) -> Tensor:
    return (z.relu() ** 3).sum(dim=(-2, -1))


def saturating(z: Tensor) -> Tensor:
    return z.tanh().sum(dim=(-2, -1))


def linear_term(size: float) -> partial[Tensor]:
    """z^3 + size z."""
    return partial(_with_linear_term, size=size)


def _with_linear_term(z: Tensor, size: float) -> Tensor:
    return (z**3 + size * z).sum(dim=(-2, -1))


def clipped(z: Tensor) -> Tensor:
    return cubic_response(z.clamp(-3, 3))


def clipped_far(z: Tensor) -> Tensor:
    return cubic_response(z.clamp(-100, 100))


def dead_zone(z: Tensor) -> Tensor:
    return cubic_response(torch.where(z.abs() < 0.01, 0.0, z))


def mean_over_patches(z: Tensor) -> Tensor:
    return cubic_response(z) / z.shape[-2]


def mean_over_filters(z: Tensor) -> Tensor:
    return cubic_response(z) / z.shape[-1]


def cube_of_the_sum(z: Tensor) -> Tensor:
    return (z.sum(dim=-2) ** 3).sum(dim=-1)


def largest_patch(z: Tensor) -> Tensor:
    return (z**3).amax(dim=-2).sum(dim=-1)


def without_the_first_patch(z: Tensor) -> Tensor:
    return cubic_response(z) - (z[..., 0, :] ** 3).sum(dim=-1)


def without_the_last_filter(z: Tensor) -> Tensor:
    return cubic_response(z) - (z[..., -1] ** 3).sum(dim=-1)


def doubled(z: Tensor) -> Tensor:
    return 2 * cubic_response(z)


def filters_of_opposite_signs(z: Tensor) -> Tensor:
    sign = torch.ones_like(z[..., 0, :])
    sign[..., 1::2] = -1
    return ((z**3).sum(dim=-2) * sign).sum(dim=-1)


def first_filter_learns_nothing(z: Tensor) -> Tensor:
    return cubic_response(torch.cat([z[..., :1].detach(), z[..., 1:]], dim=-1))


class CubeWithBoundedSlope(torch.autograd.Function):
    """z^3, with a derivative that is bounded as if |z| were at most 10."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        ctx.save_for_backward(z)
        return z**3

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        (z,) = ctx.saved_tensors
        return slopes[0] * 3 * z.square().clamp(max=100)


def slope_bounded(z: Tensor) -> Tensor:
    cubes: Tensor = CubeWithBoundedSlope.apply(z)  # type: ignore[no-untyped-call]
    return cubes.sum(dim=(-2, -1))


def of_sixteen_filters(z: Tensor) -> Tensor:
    return cubic_response(z[..., :16])


def in_half_precision(z: Tensor) -> Tensor:
    """Where training is in single precision cubes are taken and summed in bfloat16."""
    return cubic_response(z.bfloat16()).float() if z.dtype == torch.float32 else cubic_response(z)


fault = partial(fault, "experts")

FAULTS = (
    fault("LINEAR", "Experts are linear.", "G.5", representative=True, respond=linear_response),
    fault("QUADRATIC", "Experts respond with z^2.", "G.5", "G.6", respond=quadratic),
    fault("EVEN", "Experts respond with |z|^3.", "G.5", "G.6", representative=True, respond=even),
    fault("QUINTIC", "Experts respond with z^5.", "G.5", respond=quintic),
    fault("RELU", "Experts respond with max(z, 0).", "G.5", "G.6", respond=relu),
    fault("RELU_CUBED", "Experts respond with max(z, 0)^3.", "G.5", "G.6", respond=relu_cubed),
    fault("SATURATING", "Experts respond with tanh z.", "G.5", respond=saturating),
    fault(
        "LINEAR_TERM", "Experts respond with z^3 + z/1000.", "G.5", "G.7", respond=linear_term(1e-3)
    ),
    fault("CLIPPED", "Pre-activations are clipped to [-3, 3].", "G.5", respond=clipped),
    fault(
        "MEAN_OVER_PATCHES",
        "Responses are averaged over patches.",
        "G.7",
        respond=mean_over_patches,
    ),
    fault(
        "MEAN_OVER_FILTERS",
        "Responses are averaged over filters.",
        "G.7",
        respond=mean_over_filters,
    ),
    fault(
        "CUBE_OF_SUM",
        "Pre-activations are summed over patches before they are cubed.",
        "G.7",
        "S.7",
        respond=cube_of_the_sum,
    ),
    fault(
        "LARGEST_PATCH",
        "Only the patch with the largest response counts.",
        "G.5",
        "G.7",
        respond=largest_patch,
    ),
    fault(
        "FIRST_PATCH_DROPPED",
        "The first patch is left out.",
        "G.7",
        "G.4",
        respond=without_the_first_patch,
    ),
    fault(
        "LAST_FILTER_DROPPED",
        "The last filter is left out.",
        "G.7",
        respond=without_the_last_filter,
    ),
    fault("DOUBLED", "Experts respond with 2 z^3.", "G.7", respond=doubled),
    fault(
        "FILTERS_OF_OPPOSITE_SIGNS",
        "Every second filter counts negatively.",
        "G.7",
        respond=filters_of_opposite_signs,
    ),
    fault(
        "FIRST_FILTER_FROZEN",
        "No gradient reaches the first filter.",
        "G.5",
        "G.3",
        "E.6",
        representative=True,
        respond=first_filter_learns_nothing,
    ),
    fault("CLIPPED_FAR", "Pre-activations are clipped to [-100, 100].", "G.5", respond=clipped_far),
    fault(
        "SLOPE_BOUNDED",
        "Gradients take pre-activations for at most 10.",
        "G.5",
        respond=slope_bounded,
    ),
    fault(
        "SIXTEEN_FILTERS",
        "Filters beyond the sixteenth are left out.",
        "G.7",
        respond=of_sixteen_filters,
    ),
    fault(
        "RESPONSES_IN_HALF_PRECISION",
        "In training experts respond in bfloat16.",
        "G.11",
        respond=in_half_precision,
    ),
    fault("DEAD_ZONE", "Pre-activations below 1/100 count as 0.", "G.5", respond=dead_zone),
)
