"""Faults of the loss."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from theory_checks.faults.fault import fault


def logistic(margin: Tensor) -> Tensor:
    return -functional.logsigmoid(margin)


def overflowing(margin: Tensor) -> Tensor:
    return (1 + (-margin).exp()).log()


def square(margin: Tensor) -> Tensor:
    return (1 - margin) ** 2


def hinge(margin: Tensor) -> Tensor:
    return (1 - margin).relu()


def exponential(margin: Tensor) -> Tensor:
    return (-margin).clamp(max=80).exp()


def cut_off(margin: Tensor) -> Tensor:
    """softplus as torch has it."""
    return functional.softplus(-margin)


def doubled(margin: Tensor) -> Tensor:
    return 2 * logistic(margin)


def steeper(margin: Tensor) -> Tensor:
    return logistic(2 * margin) / 2


def capped(margin: Tensor) -> Tensor:
    return logistic(margin.clamp(max=10))


def large_margins_as_wrong(margin: Tensor) -> Tensor:
    return functional.softplus(margin.abs() - 2 * margin)


def smoothed_labels(margin: Tensor) -> Tensor:
    return 0.99 * logistic(margin) + 0.01 * logistic(-margin)


def every_hundredth_flipped(margin: Tensor) -> Tensor:
    flip = torch.arange(margin.numel(), device=margin.device).view_as(margin) % 100 == 99
    return logistic(torch.where(flip, -margin, margin))


def relative_to_the_mean(margin: Tensor) -> Tensor:
    return logistic(margin) * margin.numel() ** 0.5


class Backwards:
    """The logistic loss that says its slope has the opposite sign."""

    def __call__(self, margin: Tensor) -> Tensor:
        return logistic(margin)

    def slope(self, margin: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ones_like(margin), functional.logsigmoid(-margin)


class SlopeOfExponential:
    """The logistic loss with the slope of the exponential one, its limit for large margins."""

    def __call__(self, margin: Tensor) -> Tensor:
        return logistic(margin)

    def slope(self, margin: Tensor) -> tuple[Tensor, Tensor]:
        return torch.full_like(margin, -1), -margin


fault = partial(fault, "loss")

FAULTS = (
    fault("LOSS_SQUARE", "The loss is (1 - z)^2.", "G.8", representative=True, loss=square),
    fault("LOSS_HINGE", "The loss is max(1 - z, 0).", "G.8", loss=hinge),
    fault("LOSS_EXPONENTIAL", "The loss is e^-z.", "G.8", loss=exponential),
    fault("LOSS_CUT_OFF", "The loss is torch's softplus, linear from 20 on.", "G.8", loss=cut_off),
    fault(
        "LOSS_UNDERFLOWS",
        "The loss does not know its slope in log space: it is 0 from a margin of 745 on.",
        "G.8",
        loss=logistic,
    ),
    fault("LOSS_DOUBLED", "The loss is twice the logistic one.", "G.8", loss=doubled),
    fault("LOSS_STEEPER", "The loss is log(1 + e^-2z) / 2.", "G.8", loss=steeper),
    fault(
        "LOSS_CAPPED",
        "Margins above 10 count as 10: nothing is learnt from them.",
        "G.8",
        loss=capped,
    ),
    fault("LOSS_OF_SIZE", "Large margins count as wrong.", "G.8", loss=large_margins_as_wrong),
    fault("LOSS_SMOOTHED", "Labels are smoothed by 1 %.", "G.8", loss=smoothed_labels),
    fault(
        "LOSS_LABELS_FLIPPED",
        "The label of every hundredth example is flipped.",
        "G.8",
        loss=every_hundredth_flipped,
    ),
    fault(
        "LOSS_BY_BATCH",
        "The loss grows with the root of the number of examples.",
        "G.8",
        loss=relative_to_the_mean,
    ),
    fault(
        "LOSS_BACKWARDS",
        "The slope of the loss has the wrong sign.",
        "G.8",
        "G.3",
        loss=Backwards(),
    ),
    fault(
        "SLOPE_OF_EXPONENTIAL",
        "The slope of the loss is that of e^-z.",
        "G.8",
        "G.3",
        loss=SlopeOfExponential(),
    ),
    fault(
        "LOSS_OVERFLOWS",
        "The loss is computed as log(1 + exp(-z)): inf, and a slope that is no number.",
        "G.8",
        loss=overflowing,
    ),
)
