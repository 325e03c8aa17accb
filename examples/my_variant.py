"""A variant: the paper's Subject with Gaussian router noise.

    theory-checks check --claim R.5 --subject my_variant:GAUSSIAN --profile quick

The law of the noisy choice (R.5) is violated; Lemma 5.1 (R.2) survives.
"""

from dataclasses import replace

import torch
from torch import Tensor

from core import PAPER


def gaussian_noise(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """r ~ N(0, 0.16), of density at most 1 like Unif[0, 1], independent over experts, examples and
    steps."""
    return 0.4 * torch.randn(shape, generator=generator, device=generator.device)


GAUSSIAN = replace(PAPER, router_noise=gaussian_noise)
