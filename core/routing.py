"""Perturbed top-1 routing (section 3) and the exact routing probabilities p(h) behind Lemma 5.1."""

import numpy as np
import torch
from torch import Tensor


def uniform_noise(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """r ~ Unif[0, 1], independent for every expert and example and fresh at every step (Algorithm
    1).

    shape: that of the noise, (M, n).
    generator: that of the replicate; the noise is made on its device.
    step: t, which this law does not depend on.
    """
    return torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32)


def no_noise(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """r = 0: routing to the argmax of the logits, as outside training. Arguments as in
    `uniform_noise`."""
    return torch.zeros(shape, device=generator.device, dtype=torch.float32)


def top_1(h: Tensor, r: Tensor) -> Tensor:
    """m_i = argmax_m (h_m(x_i) + r_mi), the expert of each example, (..., n).

    h: logits, (..., M, n).
    r: noise, (..., M, n).
    """
    # max returns the same index as argmax and is 8 times as fast along a leading axis.
    return (h + r).max(dim=-2).indices


def routing_probabilities(h: Tensor) -> Tensor:
    """p_m(h) = P(m = argmax(h + r)) for r ~ Unif[0, 1]^M, exact up to rounding (Lemma 5.1).

    h: logits, (..., M, n); the result has the same shape.

    With u = r_m + h_m the perturbed logit of the winner, p_m = int_{max h}^{h_m + 1} prod_{m' != m}
    min(u - h_m', 1) du: below max h some factor vanishes. Between the breakpoints max h and h_m' +
    1 the integrand is a polynomial of degree at most M - 1, which Gauss-Legendre with ceil(M / 2)
    nodes integrates exactly. All terms are positive, so nothing cancels.

    Raises ValueError if h is not floating point or not finite.
    """
    if not h.is_floating_point():
        raise ValueError(
            f"routing_probabilities: logits of dtype {h.dtype}: needs floating-point numbers"
        )
    if not bool(h.isfinite().all()):
        raise ValueError(
            f"routing_probabilities: a logit is {h[~h.isfinite()][0]}: needs finite numbers"
        )
    M = h.shape[-2]
    nodes, weights = (h.new_tensor(a) for a in np.polynomial.legendre.leggauss((M + 1) // 2))
    h = h.mT - h.mT.amax(
        dim=-1, keepdim=True
    )  # (..., n, M); p is invariant to a common shift, and the top logit is now 0
    breaks = torch.cat(
        [torch.zeros_like(h[..., :1]), (h.sort(dim=-1).values + 1).clamp(min=0)], dim=-1
    )
    half = breaks.diff(dim=-1)[..., None] / 2
    u = breaks[..., :-1, None] + half * (1 + nodes)  # (..., n, intervals, nodes)

    def below(m: int) -> Tensor:
        """P(r < u - h_m), the probability that the perturbed logit of expert m stays below u. On an
        empty interval it is 1; any positive number would do."""
        return torch.where(half > 0, (u - h[..., m, None, None]).clamp(max=1), 1)

    all_below = half * weights
    for m in range(M):
        all_below = all_below * below(m)
    p = [
        torch.where(u < h[..., m, None, None] + 1, all_below / below(m), 0).sum(dim=(-2, -1))
        for m in range(M)
    ]
    return torch.stack(p, dim=-2)
