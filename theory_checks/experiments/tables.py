"""Joint tables: several events of an example as one number, and the law of that number where the
events are independent."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from core.data import AmplitudeLaw


def as_number(*bits: Tensor) -> Tensor:
    """Booleans (n,) as binary digits, lowest first."""
    return torch.stack([bit.long() << i for i, bit in enumerate(bits)]).sum(dim=0)


def of_bits(chances: Sequence[float]) -> np.ndarray:
    """The law of `as_number` for independent bits that are true with these chances."""
    law = np.ones(1)
    for chance in chances:
        law = np.concatenate([law * (1 - chance), law * chance])
    return law


def above_median(law: AmplitudeLaw, amplitude: Tensor) -> tuple[Tensor, float]:
    """Whether an amplitude lies above the law's median, and the exact chance of that."""
    median = float(law.quantile(torch.tensor([0.5], dtype=torch.float64)))
    return amplitude > median, 1 - float(law.cdf(np.asarray(median)))
