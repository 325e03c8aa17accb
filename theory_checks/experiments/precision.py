"""Rounding: what floating point cannot tell apart."""

import torch

EPS = torch.finfo(torch.float64).eps
SMALLEST = EPS * torch.finfo(torch.float64).smallest_normal
HALF_THE_DIGITS = EPS**0.5
SINGLE = torch.finfo(torch.float32).eps
