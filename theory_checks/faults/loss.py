"""Faults of the loss."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from theory_checks.faults.fault import Ingredients, fault


def logistic(margin: Tensor) -> Tensor:
    return -functional.logsigmoid(margin)


@fault(noticed_by="G.8")
def loss_underflows() -> Ingredients:
    """The loss does not know its slope in log space: it is 0 from a margin of 745 on."""
    return {"loss": logistic}


@fault("loss", noticed_by="G.8")
def loss_overflows(margin: Tensor) -> Tensor:
    """The loss is computed as log(1 + exp(-z)): it overflows to inf, its slope to NaN."""
    return (1 + (-margin).exp()).log()


@fault("loss", noticed_by="G.8", representative=True)
def loss_square(margin: Tensor) -> Tensor:
    """The loss is (1 - z)^2."""
    return (1 - margin) ** 2


@fault("loss", noticed_by="G.8")
def loss_hinge(margin: Tensor) -> Tensor:
    """The loss is max(1 - z, 0)."""
    return (1 - margin).relu()


@fault("loss", noticed_by="G.8")
def loss_exponential(margin: Tensor) -> Tensor:
    """The loss is e^-z."""
    return (-margin).clamp(max=80).exp()


@fault("loss", noticed_by="G.8")
def loss_cut_off(margin: Tensor) -> Tensor:
    """The loss is torch's softplus, linear from 20 on."""
    return functional.softplus(-margin)


@fault("loss", noticed_by="G.8")
def loss_doubled(margin: Tensor) -> Tensor:
    """The loss is twice the logistic one."""
    return 2 * logistic(margin)


@fault("loss", noticed_by="G.8")
def loss_steeper(margin: Tensor) -> Tensor:
    """The loss is log(1 + e^-2z) / 2."""
    return logistic(2 * margin) / 2


@fault("loss", noticed_by="G.8")
def loss_capped(margin: Tensor) -> Tensor:
    """Margins above 10 count as 10: nothing is learnt from them."""
    return logistic(margin.clamp(max=10))


@fault("loss", noticed_by="G.8")
def loss_of_size(margin: Tensor) -> Tensor:
    """Large margins count as wrong."""
    return functional.softplus(margin.abs() - 2 * margin)


@fault("loss", noticed_by="G.8")
def loss_smoothed(margin: Tensor) -> Tensor:
    """Labels are smoothed by 1 %."""
    return 0.99 * logistic(margin) + 0.01 * logistic(-margin)


@fault("loss", noticed_by="G.8")
def loss_labels_flipped(margin: Tensor) -> Tensor:
    """The label of every hundredth example is flipped."""
    flip = torch.arange(margin.numel(), device=margin.device).view_as(margin) % 100 == 99
    return logistic(torch.where(flip, -margin, margin))


@fault("loss", noticed_by="G.8")
def loss_by_batch(margin: Tensor) -> Tensor:
    """The loss grows with the root of the number of examples."""
    return logistic(margin) * margin.numel() ** 0.5


@dataclass(frozen=True)
class WithSlope:
    """The logistic loss that says of its slope what it is not: its sign and the logarithm of its
    size."""

    slope: Callable[[Tensor], tuple[Tensor, Tensor]]

    def __call__(self, margin: Tensor) -> Tensor:
        return logistic(margin)


@fault(noticed_by=("G.8", "G.3"))
def loss_backwards() -> Ingredients:
    """The slope of the loss has the wrong sign."""
    return {"loss": WithSlope(lambda z: (torch.ones_like(z), functional.logsigmoid(-z)))}


@fault(noticed_by=("G.8", "G.3"))
def slope_of_exponential() -> Ingredients:
    """The slope of the loss is that of e^-z."""
    # it is the limit of the right one for large margins
    return {"loss": WithSlope(lambda z: (torch.full_like(z, -1), -z))}
