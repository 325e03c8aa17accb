"""What claims measure, computed entry by entry from the definitions, against `core.measures`."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Signals, measures
from core.data import EPS
from theory_checks.evidence import Statement, equal
from theory_checks.experiments.scenarios import SEEDS, gaussian

BATCH = 2  # replicates side by side
MARGINS = (-math.inf, -1.5, -0.0, 0.0, 5e-324, 1.0, math.inf, math.nan)
UNDEFINED = -1.0  # in place of NaN: nothing that is compared is negative otherwise


@dataclass(frozen=True)
class Setting:
    """Random weights, signals, alignments, margins and choices.

    K, M, J, n: as in the paper; d = 2K
    shift: of alignments: below 0 many experts have no positive one
    grid: what alignments are multiples of, so that they tie and vanish; 0 for none
    seed: of all of them
    """

    K: int
    M: int
    J: int
    n: int
    shift: float
    grid: float
    seed: int

    @property
    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def alignments(self) -> Tensor:
        """a_mjk, (BATCH, M, J, K)."""
        a = gaussian(self.generator, BATCH, self.M, self.J, self.K) + self.shift
        return (a / self.grid).round() * self.grid if self.grid else a


def settings() -> st.SearchStrategy[Setting]:
    return st.builds(
        Setting,
        K=st.integers(2, 5),
        M=st.integers(1, 12),
        J=st.integers(1, 4),
        n=st.integers(1, 40),
        shift=st.sampled_from([-2.0, 0.0, 1.0]),
        grid=st.sampled_from([0.0, 0.5]),
        seed=SEEDS,
    )


def tabulated(entry: Callable[..., float], *shape: int) -> np.ndarray:
    """The values of a function of whole numbers, as a table."""
    return np.array([entry(*at) for at in np.ndindex(*shape)]).reshape(shape)


def numbers(values: Tensor) -> np.ndarray:
    """The values with UNDEFINED for NaN."""
    return values.double().nan_to_num(UNDEFINED, math.inf, -math.inf).numpy()


def of_alignments(at: Setting) -> Iterator[Statement]:
    """The groups M_k, E_init and the cluster gap of alignments."""
    a = at.alignments()
    table: list[Any] = a.tolist()

    def scores(b: int, m: int) -> list[float]:
        return [max(table[b][m][j][k] for j in range(at.J)) for k in range(at.K)]

    def gap(b: int, m: int) -> float:
        *_, second, largest = sorted(scores(b, m))
        if largest <= 0:
            return UNDEFINED
        return largest / second if second > 0 else math.inf

    group = measures.groups(a).tolist()
    yield equal(
        tabulated(lambda b, m: scores(b, m)[group[b][m]], BATCH, at.M),
        tabulated(lambda b, m: max(scores(b, m)), BATCH, at.M),
        tolerance=0.0,
        detail="max_j a_mjk of the group k and of the best",
        axes=("replicate", "expert"),
    )
    yield equal(
        measures.every_group_occupied(a).double(),
        [float(set(of_batch) == set(range(at.K))) for of_batch in group],
        tolerance=0.0,
        detail="E_init",
        axes=("replicate",),
    )
    expected = tabulated(gap, BATCH, at.M)
    rounding = 2 * EPS * np.where(np.isfinite(expected), np.abs(expected), 0)
    yield equal(
        numbers(measures.cluster_gap(a)),
        expected,
        tolerance=rounding,
        detail="cluster gap",
        axes=("replicate", "expert"),
    )


def of_weights(at: Setting) -> Iterator[Statement]:
    """Alignments of router and experts with the signals.

    An inner product of d terms rounds by d eps times their sizes.
    """
    d, generator = 2 * at.K, at.generator
    v, c = (gaussian(generator, BATCH, at.K, d) for _ in range(2))
    theta = gaussian(generator, BATCH, at.M, d)
    W = gaussian(generator, BATCH, at.M, at.J, d)
    signals = Signals(v, c)
    of_features, of_centres = measures.router_alignment(signals, theta)
    cases = (
        ("<theta_m, v_k>", of_features, theta[:, :, None], v),
        ("<theta_m, c_k>", of_centres, theta[:, :, None], c),
        ("<w_mj, v_k>", measures.feature_alignment(signals, W), W, v),
    )
    for detail, found, weights, vectors in cases:
        terms = (weights[..., None, :] * vectors[:, None, None]).numpy()
        expected = np.array([math.fsum(row) for row in terms.reshape(-1, d)])
        slack = 2 * d * EPS * np.abs(terms).reshape(-1, d).sum(axis=-1)
        yield equal(found.flatten(), expected, tolerance=slack, detail=detail)


def of_outcomes(at: Setting) -> Iterator[Statement]:
    """Errors by cluster, dispatch and its entropy in nats.

    A frequency rounds by eps; entropy is a sum of M K terms, whose sizes sum to log K at most.
    """
    generator, shape = at.generator, (BATCH, at.n)
    which = torch.randint(len(MARGINS), shape, generator=generator)
    margin = torch.tensor(MARGINS, dtype=torch.float64)[which]
    k = torch.randint(at.K, shape, generator=generator)
    routed = torch.randint(at.M, shape, generator=generator)
    examples = [
        list(zip(*rows, strict=True))
        for rows in zip(margin.tolist(), k.tolist(), routed.tolist(), strict=True)
    ]

    def error(b: int, cluster: int) -> float:
        own = [not value > 0 for value, member, _ in examples[b] if member == cluster]
        return sum(own) / len(own) if own else UNDEFINED

    def count(b: int, m: int, cluster: int) -> int:
        return sum((member, to) == (cluster, m) for _, member, to in examples[b])

    def entropy(b: int) -> float:
        terms = []
        for m in range(at.M):
            row = [count(b, m, cluster) for cluster in range(at.K)]
            terms += [c / at.n * math.log(sum(row) / c) for c in row if c]
        return math.fsum(terms)

    counts = measures.dispatch_counts(routed, k, at.M, at.K)
    slack = 8 * (at.M + at.K) * EPS * (1 + math.log(at.K))
    yield equal(
        numbers(measures.error_by_cluster(margin, k, at.K)),
        tabulated(error, BATCH, at.K),
        tolerance=2 * EPS,
        detail="error by cluster",
        axes=("replicate", "cluster"),
    )
    yield equal(
        counts,
        tabulated(count, BATCH, at.M, at.K),
        tolerance=0.0,
        detail="dispatched examples",
        axes=("replicate", "expert", "cluster"),
    )
    yield equal(
        measures.dispatch_entropy(counts),
        tabulated(entropy, BATCH),
        tolerance=slack,
        detail="dispatch entropy",
        axes=("replicate",),
    )
