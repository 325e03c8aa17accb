"""Patches kept as multiples of signals, against the patches themselves one by one."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from oracles import EPS, generator, random_patches, vectors

from core import Patches, Problem
from core.data import draw_examples, draw_signals
from core.training import stack

BATCHES = [(), (2,), (2, 3)]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(
    ("n", "P", "d", "Q"), [(6, 5, 4, 3), (3, 4, 6, 0), (3, 4, 6, 4), (1, 7, 4, 2)]
)
def test_dense_and_total(batch, n, P, d, Q):
    patches = random_patches(1, *batch, n=n, P=P, d=d, Q=Q)
    expected = vectors(patches)
    assert patches.dense.shape == (*batch, n, P, d)
    np.testing.assert_array_equal(patches.dense.numpy(), expected)
    total = np.zeros((*batch, n, d))
    for p in range(P):
        total += expected[..., p, :]
    assert patches.total.shape == (*batch, n, d)
    assert np.all(
        np.abs(patches.total.numpy() - total) <= 2 * P * EPS * np.abs(expected).sum(axis=-2)
    )


@pytest.mark.parametrize("batch", BATCHES)
def test_arbitrary_patches(batch):
    x = torch.randn(*batch, 3, 4, 5, generator=generator(3), dtype=torch.float64)
    patches = Patches.of(x)
    assert torch.equal(patches.dense, x)
    np.testing.assert_array_equal(vectors(patches), x.numpy())
    torch.testing.assert_close(patches.total, x.sum(dim=-2), rtol=0, atol=20 * EPS)


@pytest.mark.parametrize("replicates", [1, 3])
def test_stacked_records_are_on_the_device(replicates):
    parts = [random_patches(seed, n=3, P=4, d=3, Q=3) for seed in range(replicates)]
    here, elsewhere = stack(parts), stack(parts, "meta")
    for f in fields(Patches):
        found, moved = getattr(here, f.name), getattr(elsewhere, f.name)
        assert len(found) == replicates
        assert all(torch.equal(found[r], getattr(part, f.name)) for r, part in enumerate(parts))
        assert (moved.device.type, moved.shape) == ("meta", found.shape)


def test_a_changed_copy_forgets_what_was_computed():
    patches = random_patches(5, n=3, P=4, d=3, Q=3)
    before = patches.dense.clone(), patches.total.clone()
    negative = replace(patches, coefficient=-patches.coefficient, noise=-patches.noise)
    assert torch.equal(negative.dense, -before[0])
    assert torch.equal(negative.total, -before[1])


@pytest.mark.parametrize("chosen", [[True, False, True, True, False], [4, 0, 0], [], [False] * 5])
def test_choosing_examples(chosen):
    problem = Problem(K=2, d=5, P=5)
    e = draw_examples(problem, draw_signals(problem, generator(6)), 5, generator(7))
    index = torch.tensor(
        chosen, dtype=torch.bool if chosen and isinstance(chosen[0], bool) else torch.int64
    )
    part = e.where(index)
    rows = [i for i, yes in enumerate(chosen) if yes] if index.dtype == torch.bool else chosen
    for name in ("x", "positions", "y", "eps", "k", "k_prime", "alpha", "beta", "gamma"):
        kept, all_of_it = getattr(part, name), getattr(e, name)
        assert len(kept) == len(rows)
        for at, i in enumerate(rows):
            assert torch.equal(kept[at], all_of_it[i])
