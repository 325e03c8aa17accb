"""The random initialisation: how many experts each cluster gets, and how clearly."""

import math
from functools import partial

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.special import ndtr
from torch import Tensor

from core import Problem, Subject
from core.measures import cluster_gap, every_group_occupied, groups
from core.seeds import generator_from
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import (
    Statement,
    all_of,
    cells_follow,
    equal,
    follows_law,
    mean_at_most,
    mean_equals,
)
from theory_checks.experiments.definitions import (
    Setting,
    of_alignments,
    of_outcomes,
    of_weights,
    settings,
)
from theory_checks.experiments.finite import chi_square, same_numbers
from theory_checks.experiments.initial_groups import (
    RESOLUTION,
    SIZES,
    alignments,
    chance_of_occupied_groups,
    drawn_gaps,
    filter_gap,
    gap_law,
    initialisations,
    law_of_gaps,
    of_size,
)
from theory_checks.experiments.scenarios import SEEDS, gaussian, problems


@claim(
    "I.1",
    kind=Kind.LAW,
    source="derived from W^(0) ~ N(0, sigma_0^2/d)",
    formula=(
        r"(\#\mathcal M_1,\dots,\#\mathcal"
        r" M_K)\sim\mathrm{Multinomial}(M;\tfrac1K,\dots,\tfrac1K),\qquad "
        r"P(E_{\text{init}})=\sum_i(-1)^i\binom{K}{i}\Bigl(1-\frac iK\Bigr)^M"
    ),
    over={"sizes": SIZES, "J": st.integers(1, 3), "sigma_0": st.sampled_from([0.05, 1.0])},
    always=({"sizes": (4, 4), "J": 2, "sigma_0": 0.05},),
    depends_on=("D.1", "I.6"),
    examples=3,
    visits=lambda sizes, J, sigma_0: {"K": sizes[0], "M": sizes[1], "J": J},
)
def groups_are_multinomial(
    subject: Subject, sizes: tuple[int, int], J: int, sigma_0: float
) -> Statement:
    """The group sizes are Multinomial(M; 1/K, ...), and P(E_init) = sum_i (-1)^i C(K,i) (1 - i/K)^M
    >= 1 - K e^(-M/K).

    Tested on the whole assignment of experts to groups, which is uniform on its K^M values, and on
    the law from which this follows: d norm(w_mj)^2 / sigma_0^2 is chi^2_d.
    """
    K, M = sizes
    problem, hyper = Problem(K=K, d=2 * K), of_size(M, J, sigma_0)
    draw = partial(alignments, subject, problem, hyper)
    weights = K ** torch.arange(M)

    def squared_norms(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        W = initialisations(subject, problem, hyper, generator_from(stream), size)
        return (W[:, 0, 0].square().sum(dim=-1) * (problem.d / sigma_0**2)).numpy()

    return all_of(
        follows_law(
            chi_square(problem.d),
            squared_norms,
            resolution=0.05,
            detail="squared norm of a filter, over sigma_0^2 / d",
            of="initialisations",
        ),
        cells_follow(
            np.full(K**M, K**-M),
            lambda s, n: (groups(draw(s, n)) * weights).sum(dim=-1).numpy(),
            resolution=0.07,
            detail="assignment of experts to groups",
            axes=[(f"expert {m} in group", range(K)) for m in range(M)],
            of="initialisations",
        ),
        mean_equals(
            chance_of_occupied_groups(K, M),
            lambda s, n: every_group_occupied(draw(s, n)).numpy(),
            resolution=0.04,
            detail="frequency of E_init",
        ),
    )


@claim(
    "I.2",
    kind=Kind.LAW,
    source="derived from W^(0) ~ N(0, sigma_0^2/d)",
    picture=law_of_gaps,
    formula=(
        r"\text{gap}\sim\frac{Z_{(1)}}{Z_{(2)}}\ \text{given}\ Z_{(2)}>0,\qquad Z_k=\max_{j\le"
        r" J}a_{mjk}\ "
        r"\text{in descending order}"
    ),
    given="the second largest cluster score is positive",
    over={"K": st.integers(2, 5), "J": st.integers(1, 6)},
    always=({"K": 3, "J": 4},),
    depends_on=("D.1", "I.6"),
    examples=3,
    visits=lambda K, J: {"K": K, "J": J},
)
def the_cluster_gap_has_its_exact_law(subject: Subject, K: int, J: int) -> Statement:
    """The cluster gap has the law of the ratio of the two largest among K maxima of J i.i.d.
    Gaussians, given a positive second."""
    return follows_law(
        gap_law(K, J),
        partial(drawn_gaps, subject, cluster_gap, K, J),
        resolution=RESOLUTION,
        detail="cluster gap",
        of="experts",
    )


@claim(
    "I.3",
    kind=Kind.EXACT,
    samples=False,
    source="Algorithm 1",
    formula=r"\Theta^{(0)}=0",
    over={"problem": problems(most_K=4, most_d=300), "M": st.integers(1, 32), "seed": SEEDS},
)
def the_router_starts_at_zero(subject: Subject, problem: Problem, M: int, seed: int) -> Statement:
    """Theta^(0) = 0."""
    theta = subject.initialise_router(problem, of_size(M, 2), torch.Generator().manual_seed(seed))
    return equal(theta, 0.0, tolerance=0.0, detail="Theta^(0)", axes=("expert", "coordinate"))


@claim(
    "I.4",
    kind=Kind.LAW,
    source="Algorithm 1",
    formula=(
        r"w_{mj}^{(0)}\sim\mathcal N(0,\tfrac{\sigma_0^2}{d}I_d)\ \text{independent over}\ m,\ j"
    ),
    over={
        "sizes": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "which": st.integers(0, 15),
        "d": st.sampled_from([5, 64]),
        "sigma_0": st.sampled_from([0.05, 1.0]),
    },
    always=(
        {"sizes": (3, 3), "which": 8, "d": 64, "sigma_0": 0.05},
        {"sizes": (10, 10), "which": 8, "d": 5, "sigma_0": 1.0},
        {"sizes": (12, 20), "which": 9, "d": 5, "sigma_0": 1.0},
    ),
    examples=5,
)
def filters_are_independent_gaussians(
    subject: Subject, sizes: tuple[int, int], which: int, d: int, sigma_0: float
) -> Statement:
    """W^(0) is a vector of independent Gaussians: squared norms of one filter and of all filters
    are chi^2, projections are N(0, 1), and entries are large as rarely as those of a Gaussian. It
    is a function of its generator."""
    (M, J), problem = sizes, Problem(K=2, d=d)
    # Half of the directions mix experts, filters and coordinates at random, the others weigh all
    # experts alike.
    unit = gaussian(torch.Generator().manual_seed(which), 1 if which % 2 else M, J, d)
    unit = unit.expand(M, -1, -1).flatten()
    unit = unit / unit.norm()

    def standardised(stream: np.random.SeedSequence, size: int) -> Tensor:
        hyper = of_size(M, J, sigma_0)
        W = initialisations(subject, problem, hyper, generator_from(stream), size)
        return W.flatten(1, 2) * (d**0.5 / sigma_0)

    def beyond(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        entries = standardised(stream, -(-size // (M * J * d))).flatten()[:size]
        return (entries.abs() > 3).double().numpy()

    return all_of(
        follows_law(
            chi_square(d),
            lambda s, n: standardised(s, n)[:, which % (M * J)].square().sum(-1).numpy(),
            resolution=0.05,
            detail="squared norm of one filter, over sigma_0^2 / d",
            of="initialisations",
        ),
        follows_law(
            chi_square(M * J * d),
            lambda s, n: standardised(s, n).square().sum((-2, -1)).numpy(),
            resolution=0.05,
            detail="squared norm of all filters, over sigma_0^2 / d",
            of="initialisations",
        ),
        follows_law(
            ndtr,
            lambda s, n: (standardised(s, n).flatten(1) @ unit).numpy(),
            resolution=0.05,
            detail="projection of all filters, over sigma_0 / d^(1/2)",
            of="initialisations",
        ),
        mean_equals(
            2 * ndtr(-3),
            beyond,
            resolution=7e-4,
            detail="entries beyond 3 standard deviations",
        ),
        same_numbers(
            *(standardised(np.random.SeedSequence(which), 2) for _ in range(2)),
            tolerance=0.0,
            detail="W^(0), drawn again from its generator",
        ),
    )


@claim(
    "I.5",
    kind=Kind.LAW,
    source="section 5, in spirit; the law and the constant derived from W^(0) ~ N(0, sigma_0^2/d)",
    formula=(
        r"\frac{a_{(1)}}{a_{(2)}}\ \text{of}\ JK\ \text{i.i.d. Gaussians},\qquad "
        r"P\Bigl(\exists m:\frac{a_{(2)}}{a_{(1)}}>1-\tfrac{\delta}{3MJ^2K^2}\Bigr)"
        r"\le\frac{\delta}{6\pi}\le\delta"
    ),
    given="the second largest a_mjk of the expert is positive",
    over={"K": st.integers(2, 5), "J": st.integers(1, 6), "M": st.integers(1, 8)},
    always=({"K": 3, "J": 4, "M": 6},),
    depends_on=("D.1", "I.6"),
    examples=3,
    visits=lambda K, J, M: {"K": K, "J": J, "M": M},
)
def the_filter_gap_has_its_exact_law(subject: Subject, K: int, J: int, M: int) -> Statement:
    """The filter gap, the largest over the second largest a_mjk of an expert, has the law of the
    ratio of the two largest of JK i.i.d. Gaussians, given a positive second; the chance that some
    expert has a second within the factor 1 - delta / (3 M J^2 K^2) of its first is at most delta /
    (6 pi).

    With N = JK and second s: P(s > (1 - e) first, s > 0) <= N (N - 1) int_0^inf phi(v) (Phi(v / (1
    - e)) - Phi(v)) dv = N (N - 1) arctan-type integral <= N (N - 1) e / (2 pi (1 + (1 - e)^2)). For
    e = delta / (3 M N^2) and the union over M experts that is at most delta / (6 pi (1 + (1 -
    e)^2)) <= delta / (6 pi). It is tested at the largest delta, 1. How loose it is shows in the
    tightness: a pair that nearly ties is the largest only with chance 1 / N or so, which the bound
    leaves out.
    """
    N, problem = J * K, Problem(K=K, d=2 * K + 1)
    near = 1 - 1 / (3 * M * N**2)

    def some_tie(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        gap = filter_gap(alignments(subject, problem, of_size(M, J), stream, size))
        return (gap * near < 1).any(dim=-1).numpy()

    return all_of(
        follows_law(
            gap_law(N, 1),
            partial(drawn_gaps, subject, filter_gap, K, J),
            resolution=RESOLUTION,
            detail="filter gap",
            of="experts",
        ),
        mean_at_most(
            1 / (6 * math.pi), some_tie, resolution=0.03, detail="some expert nearly ties"
        ),
    )


@claim(
    "I.6",
    kind=Kind.EXACT,
    samples=False,
    source="sections 5 and 6, the definitions of what is measured",
    formula=(
        r"\mathcal M_k=\{m:k=\operatorname*{argmax}_{k'}\max_ja_{mjk'}\},\qquad "
        r"\text{gap}_m=\frac{Z_{(1)}}{Z_{(2)}},\qquad "
        r"H=-\sum_m\frac{n_m}{n}\sum_k\frac{n_{mk}}{n_m}\log\frac{n_{mk}}{n_m}"
    ),
    over={"at": settings()},
    always=(
        {"at": Setting(K=3, M=12, J=3, n=40, shift=-2.0, grid=0.0, seed=0)},
        {"at": Setting(K=2, M=12, J=2, n=40, shift=0.0, grid=0.5, seed=1)},
    ),
    examples=40,
    visits=lambda at: {name: getattr(at, name) for name in ("K", "M", "J", "shift", "grid")},
)
def measures_are_what_they_are_defined_to_be(at: Setting) -> Statement:
    """Alignments, the groups M_k, E_init, cluster gaps, errors by cluster and the dispatch entropy
    of any weights, margins and choices are what their definitions say, entry by entry.

    An error is a margin that is not positive, NaN included; a cluster without examples has none. A
    gap is infinite if the second score is not positive, and undefined if the first is not. Entropy
    is in nats, and an expert counts by its share of the examples.
    """
    return all_of(*of_alignments(at), *of_weights(at), *of_outcomes(at))
