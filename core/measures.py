"""What the claims measure: errors by cluster, dispatch entropy, alignment, the groups M_k and the
initial gaps (sections 5 and 6 of the paper)."""

import torch
from torch import Tensor

from core.data import Signals


def is_error(margin: Tensor) -> Tensor:
    """Whether yF <= 0, element-wise; a margin that is NaN is an error too."""
    return ~(margin > 0)


def error_by_cluster(margin: Tensor, k: Tensor, K: int) -> Tensor:
    """Share of errors among the examples of each cluster, (..., K); NaN for an empty one.

    margin: y F(x) of each example, (..., n).
    k: its cluster, (..., n).
    """
    member = torch.nn.functional.one_hot(k, K).to(margin.dtype)
    return (is_error(margin).to(margin.dtype)[..., None] * member).sum(dim=-2) / member.sum(dim=-2)


def dispatch_counts(routed: Tensor, k: Tensor, M: int, K: int) -> Tensor:
    """How many examples of cluster k went to expert m, (..., M, K).

    routed: the expert of each example, (..., n).
    k: its cluster, (..., n).
    """
    cells: Tensor = torch.nn.functional.one_hot(routed * K + k, M * K)
    counts: Tensor = cells.sum(dim=-2)
    return counts.view(*counts.shape[:-1], M, K)


def dispatch_entropy(counts: Tensor) -> Tensor:
    """Sum over experts of (share of the examples) * (entropy in nats of its cluster mix), (...).

    counts: as `dispatch_counts` returns them, (..., M, K).
    """
    counts = counts.double()
    mix = counts / counts.sum(dim=-1, keepdim=True).clamp(min=1)
    entropy = torch.special.entr(mix).sum(dim=-1)
    share: Tensor = counts.sum(dim=-1) / counts.sum(dim=(-2, -1))[..., None]
    dispatched: Tensor = (share * entropy).sum(dim=-1)
    return dispatched


def router_alignment(signals: Signals, theta: Tensor) -> tuple[Tensor, Tensor]:
    """<theta_m, v_k> and <theta_m, c_k>, each (..., M, K), for theta (..., M, d)."""
    return theta @ signals.features.mT, theta @ signals.centres.mT


def feature_alignment(signals: Signals, W: Tensor) -> Tensor:
    """a_mjk = <w_mj, v_k>, (..., M, J, K), for W (..., M, J, d)."""
    return W @ signals.features[..., None, :, :].mT


def groups(a: Tensor) -> Tensor:
    """The number k of the group M_k that each expert belongs to: the largest max_j a_mjk, (..., M).

    a: as `feature_alignment` returns it, (..., M, J, K).
    """
    return a.amax(dim=-2).argmax(dim=-1)


def every_group_occupied(a: Tensor) -> Tensor:
    """Whether E_init holds, the event that no group M_k is empty: booleans (...), for a
    (..., M, J, K)."""
    return torch.nn.functional.one_hot(groups(a), a.shape[-1]).sum(dim=-2).gt(0).all(dim=-1)


def cluster_gap(a: Tensor) -> Tensor:
    """The largest cluster score max_j a_mjk of each expert divided by its second-largest, (..., M),
    for a (..., M, J, K).

    Infinite if the second score is <= 0; NaN if all scores are <= 0, which excludes the expert.
    """
    largest, second = a.amax(dim=-2).topk(2, dim=-1).values.unbind(dim=-1)
    gap = torch.where(second > 0, largest / second, torch.inf)
    return torch.where(largest > 0, gap, torch.nan)
