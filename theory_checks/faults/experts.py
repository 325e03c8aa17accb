"""Faults of the experts' response."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from core.model import cubic_response, linear_response
from theory_checks.faults.fault import Ingredients, fault


def summed(response: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The sum over patches and filters of a response to each pre-activation."""

    @wraps(response)
    def respond(z: Tensor) -> Tensor:
        return response(z).sum(dim=(-2, -1))

    return respond


@fault("respond", noticed_by=("G.5", "G.6"))
@summed
def quadratic(z: Tensor) -> Tensor:
    """Experts respond with z^2."""
    return z**2


@fault("respond", noticed_by=("G.5", "G.6"), representative=True)
@summed
def even(z: Tensor) -> Tensor:
    """Experts respond with |z|^3."""
    return z**2 * z.abs()


@fault("respond", noticed_by="G.5")
@summed
def quintic(z: Tensor) -> Tensor:
    """Experts respond with z^5."""
    return z**5


@fault("respond", noticed_by=("G.5", "G.6"))
@summed
def relu(z: Tensor) -> Tensor:
    """Experts respond with max(z, 0)."""
    return z.relu()


@fault("respond", noticed_by=("G.5", "G.6"))
@summed
def relu_cubed(z: Tensor) -> Tensor:
    """Experts respond with max(z, 0)^3."""
    return z.relu() ** 3


@fault("respond", noticed_by="G.5")
@summed
def saturating(z: Tensor) -> Tensor:
    """Experts respond with tanh z."""
    return z.tanh()


def with_linear_term(size: float) -> Callable[[Tensor], Tensor]:
    """z^3 + size z."""
    return summed(lambda z: z**3 + size * z)


@fault(noticed_by=("G.5", "G.7"))
def linear_term() -> Ingredients:
    """Experts respond with z^3 + z/1000."""
    return {"respond": with_linear_term(1e-3)}


@fault("respond", noticed_by="G.5")
def clipped(z: Tensor) -> Tensor:
    """Pre-activations are clipped to [-3, 3]."""
    return cubic_response(z.clamp(-3, 3))


@fault("respond", noticed_by="G.5")
def clipped_far(z: Tensor) -> Tensor:
    """Pre-activations are clipped to [-100, 100]."""
    return cubic_response(z.clamp(-100, 100))


@fault("respond", noticed_by="G.5")
def dead_zone(z: Tensor) -> Tensor:
    """Pre-activations below 1/100 count as 0."""
    return cubic_response(torch.where(z.abs() < 0.01, 0.0, z))


@fault("respond", noticed_by="G.7")
def mean_over_patches(z: Tensor) -> Tensor:
    """Responses are averaged over patches."""
    return cubic_response(z) / z.shape[-2]


@fault("respond", noticed_by="G.7")
def mean_over_filters(z: Tensor) -> Tensor:
    """Responses are averaged over filters."""
    return cubic_response(z) / z.shape[-1]


@fault("respond", noticed_by=("G.7", "S.7"))
def cube_of_sum(z: Tensor) -> Tensor:
    """Pre-activations are summed over patches before they are cubed."""
    return (z.sum(dim=-2) ** 3).sum(dim=-1)


@fault("respond", noticed_by=("G.5", "G.7"))
def largest_patch(z: Tensor) -> Tensor:
    """Only the patch with the largest response counts."""
    return (z**3).amax(dim=-2).sum(dim=-1)


@fault("respond", noticed_by=("G.7", "G.4"))
def first_patch_dropped(z: Tensor) -> Tensor:
    """The first patch is left out."""
    return cubic_response(z) - (z[..., 0, :] ** 3).sum(dim=-1)


@fault("respond", noticed_by="G.7")
def last_filter_dropped(z: Tensor) -> Tensor:
    """The last filter is left out."""
    return cubic_response(z) - (z[..., -1] ** 3).sum(dim=-1)


@fault("respond", noticed_by="G.7")
def doubled(z: Tensor) -> Tensor:
    """Experts respond with 2 z^3."""
    return 2 * cubic_response(z)


@fault("respond", noticed_by="G.7")
def filters_of_opposite_signs(z: Tensor) -> Tensor:
    """Every second filter counts negatively."""
    sign = torch.ones_like(z[..., 0, :])
    sign[..., 1::2] = -1
    return ((z**3).sum(dim=-2) * sign).sum(dim=-1)


@fault("respond", noticed_by=("G.5", "G.3", "E.6"), representative=True)
def first_filter_frozen(z: Tensor) -> Tensor:
    """No gradient reaches the first filter."""
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


@fault("respond", noticed_by="G.5")
@summed
def slope_bounded(z: Tensor) -> Tensor:
    """Gradients are computed as if pre-activations were at most 10."""
    return CubeWithBoundedSlope.apply(z)  # type: ignore[no-untyped-call]


@fault("respond", noticed_by="G.7")
def sixteen_filters(z: Tensor) -> Tensor:
    """Filters beyond the sixteenth are left out."""
    return cubic_response(z[..., :16])


@fault("respond", noticed_by="G.11")
def responses_in_half_precision(z: Tensor) -> Tensor:
    """In training experts respond in bfloat16.

    In single precision, that of training, cubes are taken and summed in bfloat16.
    """
    return cubic_response(z.bfloat16()).float() if z.dtype == torch.float32 else cubic_response(z)


@fault(noticed_by="G.5", representative=True)
def linear() -> Ingredients:
    """Experts are linear."""
    return {"respond": linear_response}
