"""The costly part of a step: inner products of all patches with the filters of the expert that each
is routed to, and the gradient through them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.data import Patches

# How many patches of one expert a batched product takes: so few that little is wasted, and enough
# for an efficient product.
TILE = 32


def _stable_order(keys: Tensor, bound: int) -> Tensor:
    """The order (N,) that sorts the keys (N,), whole numbers in [0, bound), and leaves equal keys
    in the order in which they stand."""
    if keys.device.type != "cpu":
        return keys.argsort(stable=True)
    # NumPy sorts numbers of 16 bits by radix, several times as fast as torch.
    return torch.from_numpy(keys.numpy().astype(np.min_scalar_type(bound)).argsort(kind="stable"))


def _weighted_sums(rows: Tensor, which: Tensor, start: Tensor, factor: Tensor) -> Tensor:
    """B sums, each of some rows of a table times factors, (B, J).

    rows: the table, (A, J).
    which: the rows to add, sum after sum, (N,).
    start: where each sum begins in `which`, (B,).
    factor: the factor of each row to add, (N,).
    """
    return functional.embedding_bag(which, rows, start, mode="sum", per_sample_weights=factor)


@dataclass(frozen=True)
class RoutedProducts:
    """Inner products of the patches with the filters of the expert that their example is routed to,
    and the gradient through them.

    The products of each patch are a multiple of a row of one table, which has two parts. The first
    rows are *cells*: one for each signal of a replicate's dictionary and each expert. The others
    are *slots*, for the patches that are not along a signal. These are dealt into tiles of TILE
    slots; a tile belongs to one expert, so that one batched matrix product serves all experts,
    however skewed the routing. An empty slot holds an arbitrary patch, and no patch refers to it.

    x: patches of (R, n) examples.
    row: the row of the table that belongs to each patch, (R * n * P,).
    order: the patches in the order of their rows, (R * n * P,).
    owner: replicate * M + expert of each tile, (tiles,).
    noise: the patches in the slots, (tiles, TILE, d).
    """

    x: Patches
    row: Tensor
    order: Tensor
    owner: Tensor
    noise: Tensor

    @classmethod
    def of(cls, x: Patches, routed: Tensor, M: int) -> "RoutedProducts":
        """The products of the patches x of (R, n) examples.

        routed: the expert, of M, that each example goes to, (R, n).
        """
        R, D, d = x.dictionary.shape
        key = x.symbol.mul(M).add_(routed[..., None]).flatten()
        order = _stable_order(key, R * (D + 1) * M)
        others = order[
            x.which.numel() :
        ]  # the patches not along signals: their symbols are the last
        load = key.bincount(minlength=R * (D + 1) * M)[R * D * M :]
        tiles = (load + TILE - 1) // TILE
        empty = TILE * tiles - load
        slot = torch.arange(len(others), device=key.device) + (
            empty.cumsum(0) - empty
        ).repeat_interleave(load)
        owner = torch.repeat_interleave(tiles)
        member = slot.new_zeros(TILE * len(owner)).scatter_(
            0, slot, x.vector.flatten().index_select(0, others) - R * D
        )
        noise = x.noise.flatten(0, -2).index_select(0, member).view(len(owner), TILE, d)
        return cls(x, key.scatter_(0, others, slot + R * D * M), order, owner, noise)

    def pre_activations(self, W: Tensor) -> Tensor:
        """z = <w_mj, x^(p)> with m the example's expert, (R, n, P, J), for W (R, M, J, d)."""
        J = W.shape[-2]
        cells = self.x.dictionary.bmm(W.flatten(1, 2).mT)  # (R, D, M * J)
        slots = (
            W.flatten(0, 1).index_select(0, self.owner).bmm(self.noise.mT).mT
        )  # in this order the product is fast for small J
        table = torch.cat([cells.view(-1, J), slots.reshape(-1, J)])
        each = torch.arange(len(self.row), device=W.device)
        return _weighted_sums(table, self.row, each, self.x.multiple.flatten()).view(
            *self.x.order.shape, J
        )

    def pull_back(self, grad_z: Tensor, weight: Tensor, W: Tensor) -> Tensor:
        """The gradient in W (R, M, J, d), in its shape.

        grad_z: the gradient in the pre-activations, (R, n, P, J).
        weight: a factor for each example, (R, n).
        """
        (R, M, J, d), D = W.shape, self.x.dictionary.shape[-2]
        cells = R * D * M
        load = self.row.bincount(minlength=cells + TILE * len(self.owner))
        factor = (self.x.multiple * weight[..., None]).flatten().index_select(0, self.order)
        table = _weighted_sums(grad_z.reshape(-1, J), self.order, load.cumsum(0) - load, factor)
        grad_W = table[:cells].view(R, D, M * J).mT.bmm(self.x.dictionary).view(R * M, J, d)
        return grad_W.index_add_(
            0, self.owner, table[cells:].view(-1, TILE, J).mT.bmm(self.noise)
        ).view_as(W)
