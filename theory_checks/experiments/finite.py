"""NaN and infinity from the code under test: reasons for a verdict, not errors of a check."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import chdtr
from torch import Tensor

from core import Examples
from theory_checks.evidence import NotANumber, Statement, equal, none_of
from theory_checks.evidence.exact import Axes


def as_numbers(values: Tensor, what: str) -> Tensor:
    """The values themselves; raises NotANumber if one of them is NaN or infinite."""
    if not bool(values.isfinite().all()):
        raise NotANumber(f"{what}: not a number")
    return values


def are_numbers(values: Tensor, detail: str) -> Statement:
    """No entry is NaN or infinite."""
    return none_of(~values.isfinite(), detail=f"{detail}: not a number")


def same_numbers(
    observed: Tensor,
    expected: Tensor,
    *,
    tolerance: Tensor | float,
    detail: str,
    axes: Axes = (),
) -> Statement:
    """`equal`; violated where an observed or expected entry, or the tolerance that follows from
    them, is not a finite number."""
    slack = torch.as_tensor(tolerance, dtype=torch.float64)
    known = observed.isfinite() & expected.isfinite() & slack.isfinite()
    if not bool(known.all()):
        return none_of(~known, detail=f"{detail}: not a number", axes=axes)
    return equal(observed, expected, tolerance=slack, detail=detail, axes=axes)


def latent_numbers(e: Examples) -> Tensor:
    """The signs and amplitudes of n examples, (5, n)."""
    return torch.stack([e.y, e.eps, e.alpha, e.beta, e.gamma])


def far_off(values: Tensor) -> np.ndarray:
    """The observations, with 1e300 for those that are not numbers: no law that claims speak of
    reaches it."""
    return values.double().nan_to_num(1e300, 1e300, -1e300).numpy()


def chi_square(degrees: int) -> Callable[[np.ndarray], np.ndarray]:
    """The distribution function of chi^2, which is 0 below 0."""
    return lambda x: np.asarray(chdtr(degrees, np.maximum(x, 0.0)))
