"""The measures against naive loops, under leading batch axes."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import EPS, examples, generator

from core import Signals, measures

BATCHES = [(), (3,), (2, 3)]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def whole(high, *shape, seed=0):
    return torch.randint(0, high, shape, generator=generator(seed))


@pytest.mark.parametrize("batch", BATCHES)
def test_error_by_cluster(batch):
    n, K = 20, 4
    margin, k = (
        normal(*batch, n, seed=1).round(),
        whole(K - 1, *batch, n, seed=2),
    )  # cluster K - 1 is empty, some margins are 0
    assert (margin == 0).any()
    error = measures.error_by_cluster(margin, k, K)
    assert error.shape == (*batch, K)
    for at in np.ndindex(*batch):
        for cluster in range(K - 1):
            own = [margin[at][i].item() for i in range(n) if k[at][i] == cluster]
            assert error[at][cluster].item() == pytest.approx(
                sum(v <= 0 for v in own) / len(own), rel=EPS
            )
        assert math.isnan(error[at][K - 1])


def test_errors_are_margins_that_are_not_positive():
    margin = torch.tensor(
        [-math.inf, -1.0, -0.0, 0.0, 5e-324, 1.0, math.inf, math.nan], dtype=torch.float64
    )
    assert measures.is_error(margin).tolist() == [True, True, True, True, False, False, False, True]


def test_a_margin_that_is_not_a_number_is_an_error():
    assert (
        measures.error_by_cluster(torch.tensor([math.nan, 1.0]), torch.tensor([0, 0]), 2)[0] == 0.5
    )


@pytest.mark.parametrize("batch", BATCHES)
def test_dispatch_counts(batch):
    n, M, K = 30, 5, 3
    routed, k = whole(M - 1, *batch, n, seed=3), whole(K, *batch, n, seed=4)
    counts = measures.dispatch_counts(routed, k, M, K)
    assert counts.shape == (*batch, M, K)
    for at in np.ndindex(*batch, M, K):
        *lead, m, cluster = at
        pairs = zip(routed[tuple(lead)].tolist(), k[tuple(lead)].tolist(), strict=True)
        assert counts[at] == sum(pair == (m, cluster) for pair in pairs)


tables = st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=5)


@given(counts=tables.filter(lambda c: any(map(any, c))))
@examples(100)
def test_dispatch_entropy(counts):
    total = sum(map(sum, counts))
    expected = 0.0
    for row in counts:
        for c in row:
            if c:
                expected -= sum(row) / total * (c / sum(row)) * math.log(c / sum(row))
    assert measures.dispatch_entropy(torch.tensor(counts)).item() == pytest.approx(
        expected, abs=32 * EPS
    )


def test_dispatch_entropy_of_pure_and_even_experts():
    assert measures.dispatch_entropy(torch.tensor([[7, 0, 0], [0, 0, 3], [0, 0, 0]])).item() == 0
    assert measures.dispatch_entropy(torch.tensor([[5, 5], [1, 1]])).item() == pytest.approx(
        math.log(2), rel=4 * EPS
    )


def test_dispatch_entropy_under_leading_axes():
    counts = whole(9, 2, 3, 4, 5, seed=5)
    entropy = measures.dispatch_entropy(counts)
    assert entropy.shape == (2, 3)
    for at in np.ndindex(2, 3):
        assert entropy[at] == pytest.approx(
            measures.dispatch_entropy(counts[at]).item(), rel=8 * EPS
        )


@pytest.mark.parametrize("batch", BATCHES)
def test_alignments(batch):
    K, M, J, d = 3, 4, 2, 7
    signals = Signals(normal(*batch, K, d, seed=6), normal(*batch, K, d, seed=7))
    theta, W = normal(*batch, M, d, seed=8), normal(*batch, M, J, d, seed=9)
    v, c = measures.router_alignment(signals, theta)
    a = measures.feature_alignment(signals, W)
    assert v.shape == c.shape == (*batch, M, K)
    assert a.shape == (*batch, M, J, K)

    def inner(p, q):
        return pytest.approx(
            float(p.numpy() @ q.numpy()), abs=2 * d * EPS * float(p.abs().numpy() @ q.abs().numpy())
        )

    for at in np.ndindex(*batch):
        for m in range(M):
            for k in range(K):
                assert v[at][m, k].item() == inner(theta[at][m], signals.features[at][k])
                assert c[at][m, k].item() == inner(theta[at][m], signals.centres[at][k])
                for j in range(J):
                    assert a[at][m, j, k].item() == inner(W[at][m, j], signals.features[at][k])


def naive_scores(a):
    """max_j a_jk of one expert, a (J, K)."""
    return [max(float(a[j][k]) for j in range(len(a))) for k in range(len(a[0]))]


def naive_ratio(values):
    second, largest = sorted(values)[-2:]
    if largest <= 0:
        return math.nan
    return largest / second if second > 0 else math.inf


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(("M", "J", "K"), [(5, 3, 4), (40, 1, 2), (1, 4, 3)])
def test_groups_and_gaps(batch, M, J, K):
    a = normal(*batch, M, J, K, seed=10)
    group, occupied = measures.groups(a), measures.every_group_occupied(a)
    cluster_gap = measures.cluster_gap(a)
    assert group.shape == cluster_gap.shape == (*batch, M)
    assert occupied.shape == batch
    for at in np.ndindex(*batch):
        seen = set()
        for m in range(M):
            scores = naive_scores(a[at][m].tolist())
            best = max(range(K), key=lambda k, scores=scores: scores[k])
            seen.add(best)
            assert group[at][m] == best
            assert cluster_gap[at][m].item() == pytest.approx(
                naive_ratio(scores), rel=2 * EPS, nan_ok=True
            )
        assert bool(occupied[at]) == (len(seen) == K)


def test_groups_are_signed_and_gaps_have_their_exceptions():
    #                    J = 1, K = 3: the largest value decides, not the largest size
    a = torch.tensor(
        [
            [[1.0, -5.0, 0.5]],
            [[2.0, -1.0, 0.0]],
            [[-1.0, -2.0, -3.0]],
            [[3.0, 3.0, 1.0]],
            [[0.0, -1.0, -2.0]],
        ]
    )
    assert measures.groups(a).tolist()[:3] == [0, 0, 0]
    assert measures.cluster_gap(a).tolist() == pytest.approx(
        [2.0, math.inf, math.nan, 1.0, math.nan], nan_ok=True
    )
    # Another filter of the same cluster makes no gap.
    assert measures.cluster_gap(torch.tensor([[[4.0, 1.0], [2.0, -1.0]]])).tolist() == [4.0]


def test_occupation_of_the_groups():
    one_each = torch.eye(3)[:, None, :]
    assert measures.every_group_occupied(one_each)
    assert not measures.every_group_occupied(one_each[:2])
    assert measures.every_group_occupied(torch.stack([one_each, one_each[[0, 0, 1]]])).tolist() == [
        True,
        False,
    ]
