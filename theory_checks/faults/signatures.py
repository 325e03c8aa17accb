"""The types of the ingredients that faults replace."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from core import Hyperparameters, Problem
from core.updates import Gradient

Initialise = Callable[[Problem, Hyperparameters, torch.Generator], Tensor]
Noise = Callable[[tuple[int, ...], torch.Generator, int], Tensor]
Gate = Callable[[Tensor], Tensor]
Update = Callable[[Tensor, Gradient, float, Any], tuple[Tensor, Any]]
