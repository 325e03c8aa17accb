"""Random initialisations: the groups of experts, their chance, and the law of the cluster gap."""

from collections.abc import Callable

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.special import comb, ndtr, ndtri
from torch import Tensor

from core import Hyperparameters, Problem, Subject
from core.measures import cluster_gap, feature_alignment
from core.seeds import child, generator_from
from theory_checks.checking.pictures import Lines, Series, Style
from theory_checks.checking.run import Run
from theory_checks.evidence import HypothesesNotMet

# (K, M) with at most 256 assignments of experts to groups
SIZES = st.sampled_from([(2, 3), (2, 6), (3, 4), (3, 5), (4, 4)])
RESOLUTION = 0.03  # of the law of the cluster gap


def of_size(M: int, J: int, sigma_0: float = 0.1) -> Hyperparameters:
    """With what the initialisation depends on; all else is arbitrary."""
    return Hyperparameters(M=M, J=J, n=1, sigma_0=sigma_0, eta=1.0, eta_r=1.0, T=100)


def initialisations(
    subject: Subject,
    problem: Problem,
    hyper: Hyperparameters,
    generator: torch.Generator,
    size: int,
) -> Tensor:
    """W^(0) of `size` independent initialisations, (size, M, J, d), double precision."""
    draws = [subject.initialise_experts(problem, hyper, generator) for _ in range(size)]
    return torch.stack(draws).double()


def alignments(
    subject: Subject,
    problem: Problem,
    hyper: Hyperparameters,
    stream: np.random.SeedSequence,
    size: int,
) -> Tensor:
    """a_mjk of `size` independent initialisations, (size, M, J, K), for one set of signals, on
    which the law does not depend."""
    generator = generator_from(stream)
    signals = subject.draw_signals(problem, generator)
    return feature_alignment(signals, initialisations(subject, problem, hyper, generator, size))


def chance_of_occupied_groups(K: int, M: int) -> float:
    """P(E_init) = sum_i (-1)^i C(K, i) (1 - i / K)^M, by inclusion and exclusion."""
    return float(sum((-1) ** i * comb(K, i) * (1 - i / K) ** M for i in range(K + 1)))


def gap_law(K: int, J: int) -> Callable[[np.ndarray], np.ndarray]:
    """The cdf of the ratio of the two largest among K maxima of J standard Gaussians, given that
    the second is positive.

    With F = Phi^J the law of one maximum, P(ratio <= g, second in dv) = K (K-1) F(v)^(K-2) F'(v)
    (F(g v) - F(v)) dv. In the variable q = F(v), uniform quadrature nodes follow the law.
    Gauss-Legendre with 100 nodes on [F(0), 1] is exact to 1e-5 for J <= 6, as the integrand is
    smooth except at the ends.
    """
    nodes, weights = np.polynomial.legendre.leggauss(100)
    low = 0.5**J
    q = low + (1 - low) * (1 + nodes) / 2
    v = ndtri(q ** (1 / J))
    density = weights * K * (K - 1) * q ** (K - 2)
    total = density @ (1 - q)

    def cdf(g: np.ndarray) -> np.ndarray:
        g = np.maximum(np.asarray(g, dtype=float), 1.0)
        below = [
            ndtr(part[:, None] * v) ** J - q
            for part in np.array_split(g.ravel(), max(1, g.size // 4096))
        ]
        return (np.concatenate(below) @ density / total).clip(0, 1).reshape(g.shape)

    return cdf


def filter_gap(a: Tensor) -> Tensor:
    """The largest over the second-largest a_mjk of each expert, (...), for a (..., J, K); infinite
    if the second is not positive."""
    largest, second = a.flatten(-2).topk(2, dim=-1).values.unbind(dim=-1)
    return torch.where(second > 0, largest / second, torch.inf)


def drawn_gaps(
    subject: Subject,
    gap_of: Callable[[Tensor], Tensor],
    K: int,
    J: int,
    stream: np.random.SeedSequence,
    size: int,
) -> np.ndarray:
    """Gaps of experts whose second largest score is positive, (size,). Raises HypothesesNotMet if
    there are hardly any.

    gap_of: `cluster_gap` or `filter_gap`
    """
    problem = Problem(K=K, d=2 * K + 1)
    hyper = of_size(4, J)
    found, draws = np.empty(0), size // 2 + 64
    for i in range(20):
        gap = gap_of(alignments(subject, problem, hyper, child(stream, i), draws)).numpy()
        found = np.append(found, gap[np.isfinite(gap)])
        if len(found) >= size:
            return found[:size]
    raise HypothesesNotMet(f"{len(found)} positive second scores in {20 * draws * 4} experts")


def law_of_gaps(subject: Subject, run: Run, K: int, J: int) -> Lines:
    """The law of the gap, and the share of drawn gaps below each value."""
    drawn = np.sort(drawn_gaps(subject, cluster_gap, K, J, run.stream("picture", K, J), 1000))
    g = np.geomspace(1, np.quantile(drawn, 0.98), 100)
    law, below = gap_law(K, J)(g), np.searchsorted(drawn, g, side="right") / len(drawn)
    low, high = law - RESOLUTION, law + RESOLUTION
    name = "the law, with the band that the claim cannot resolve"
    return Lines(
        f"Cluster gap, K = {K}, J = {J}",
        "gap",
        "share of experts below",
        [
            Series(f"{len(drawn)} drawn experts", g.tolist(), below.tolist()),
            Series(name, g.tolist(), law.tolist(), low.tolist(), high.tolist(), Style.BOUND),
        ],
        log_x=True,
    )
