"""The mixture-of-experts layer of section 3, with its parts as functions, and the patch-additive
single classifiers.

Axes: replicates lead (...); logits have experts before examples, (..., M, n), because operations
along the experts are an order of magnitude cheaper when the examples lie contiguously.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from core.data import Patches


@dataclass(frozen=True, eq=False)
class Parameters:
    """The parameters that Algorithm 1 trains; leading axes (...) are replicates.

    theta: the router, (..., M, d).
    W: the experts with J filters each, (..., M, J, d).
    """

    theta: Tensor
    W: Tensor


def router_logits(theta: Tensor, x: Patches) -> Tensor:
    """h_m(x; Theta) = sum_p <theta_m, x^(p)>, the logits (..., M, n) of n examples x, for theta
    (..., M, d)."""
    return theta @ x.total.mT


def softmax_gate(h: Tensor) -> Tensor:
    """pi, the softmax over experts of the logits h: (..., M, n) to the same shape."""
    return h.softmax(dim=-2)


def response(sigma: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The response of an expert with activation sigma (element-wise): a function from
    pre-activations z (..., P, J) to sum_j sum_p sigma(z), (...)."""

    def respond(z: Tensor) -> Tensor:
        return sigma(z).sum(dim=(-2, -1))

    return respond


def cube(z: Tensor) -> Tensor:
    """sigma(z) = z^3, the paper's nonlinearity."""
    return z**3


def identity(z: Tensor) -> Tensor:
    """sigma(z) = z, linear experts."""
    return z


cubic_response = response(cube)
linear_response = response(identity)


class LogisticLoss:
    """l(z) = log(1 + e^-z), element-wise. Its slope is given in log space, because l' underflows
    long before the margins stop growing in training."""

    def __call__(self, margin: Tensor) -> Tensor:
        return -functional.logsigmoid(margin)  # softplus would cut off at 20

    def slope(self, margin: Tensor) -> tuple[Tensor, Tensor]:
        """Sign and logarithm of the size of l'(z) = -1 / (1 + e^z), element-wise."""
        return torch.full_like(margin, -1), functional.logsigmoid(-margin)


@dataclass(frozen=True, eq=False)
class PatchAdditive:
    """A single classifier F(x) = sum_p f(x^(p)) with f(u) = sum_j a_j sigma(<w_j, u> + b_j)
    (section 4.1). A single expert of section 3 has b = 0, a = 1.

    sigma: the activation, element-wise.
    W: the J filters, (J, d).
    b: a bias for each filter, (J,).
    a: an output weight for each filter, (J,).
    """

    sigma: Callable[[Tensor], Tensor]
    W: Tensor
    b: Tensor
    a: Tensor

    def __call__(self, patches: Tensor) -> Tensor:
        """f of each patch u: (..., d) to (...)."""
        return (self.sigma(patches @ self.W.mT + self.b) * self.a).sum(dim=-1)
