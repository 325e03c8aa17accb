"""Inputs of the claims about limits of the population law, and what they measure."""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from core import Problem, Subject, Uniform
from core.measures import is_error
from theory_checks.evidence import HypothesesNotMet, Statement, equal
from theory_checks.evidence.sampling import Draw, children
from theory_checks.experiments.population_law import (
    Population,
    clear_in_size,
    error_on_own_cluster,
    limit_of_small_steps,
    own_cluster,
    population,
)

# (K, J); experts with more filters cost more
EXPERT_SHAPES = st.sampled_from([(2, 2), (2, 4), (3, 2), (4, 2), (4, 8)])
FEW_FILTERS = st.sampled_from([(2, 1), (2, 2), (3, 2), (2, 4), (4, 3)])
EXPONENTS = st.sampled_from([0.1, 1 / 3, 0.5])  # s of sigma_0 = d^-s
NAMED_LAWS = st.sampled_from(["wide", "narrow", "unequal"])
FLOWS = 16  # experts that are followed to the end of the stage
FLOW_TOLERANCE = 2e-3  # of the path's length; a test bounds the numerical error by a quarter of it
MOST_ROUNDS = 100  # of draws, until as many experts were found as asked for


def problem_of(K: int, law: str) -> Problem:
    """The amplitude laws of this name."""
    alpha, gamma = {
        "wide": (Uniform(0.5, 2.0), Uniform(0.5, 2.0)),
        "narrow": (Uniform(1.0, 2.0), Uniform(1.0, 2.0)),
        "unequal": (Uniform(1.0, 2.0), Uniform(0.5, 1.5)),
    }[law]
    return Problem(K=K, d=2 * K, alpha=alpha, gamma=gamma)


def with_a_large_entry(
    subject: Subject, K: int, J: int, least: float, stream: np.random.SeedSequence, experts: int
) -> Population:
    """The dynamics of experts whose largest a(0) is at least this many sigma_0 / sqrt(d)."""
    found: list[np.ndarray] = []
    for _, child in zip(range(MOST_ROUNDS), children(stream), strict=False):
        drawn = population(subject, K, J, 4 * experts, child)
        found.append(drawn.starts[drawn.starts.max(axis=(1, 2)) >= least])
        if sum(map(len, found)) >= experts:
            return population(subject, K, J, experts, stream).starting_at(
                np.concatenate(found)[:experts]
            )
    raise HypothesesNotMet(f"fewer than {experts} experts with an entry of at least {least}")


def largest_entry(a: np.ndarray) -> np.ndarray:
    """The number of the largest entry of each expert: (..., J, K) to (...)."""
    return a.reshape(*a.shape[:-2], -1).argmax(axis=-1)


def winners_elsewhere(
    subject: Subject,
    K: int,
    J: int,
    x: float,
    steps: int,
    stream: np.random.SeedSequence,
    experts: int,
) -> tuple[np.ndarray, np.ndarray]:
    """For each expert: whether its start is clear in size, and whether its largest entry after
    these steps of length x lies in another cluster than its largest signed a(0)."""
    drawn = population(subject, K, J, experts + experts % 2, stream)
    end = drawn.steps(x, steps)[-1]
    clear = clear_in_size(drawn.starts, x)
    return clear[:experts], (own_cluster(end) != own_cluster(drawn.starts))[:experts]


def where_clear(
    subject: Subject,
    K: int,
    J: int,
    x: float,
    steps: int,
    stream: np.random.SeedSequence,
    size: int,
) -> np.ndarray:
    """Whether the winner is elsewhere, for `size` experts whose start is clear in size."""
    found: list[np.ndarray] = []
    for _, child in zip(range(MOST_ROUNDS), children(stream), strict=False):
        clear, elsewhere = winners_elsewhere(subject, K, J, x, steps, child, 2 * size)
        found.append(elsewhere[clear])
        if sum(map(len, found)) >= size:
            return np.concatenate(found)[:size]
    raise HypothesesNotMet(f"fewer than {size} experts that are clear in size at x = {x}")


def first_integral_excess(a: np.ndarray, x: float) -> np.ndarray:
    """How far 1/a(0) - 1/a(t) of the positive a differ within an expert, over the most that steps
    of length x leave: a (steps + 1, experts, J, K) to (experts,)."""
    start = a[0]
    first = start.max(axis=(1, 2), keepdims=True)
    positive = start > 0
    with np.errstate(divide="ignore"):
        fallen = 1 / start - 1 / a
    of_largest = 1 / first - 1 / a.max(axis=(2, 3), keepdims=True)
    differs = np.where(positive, np.abs(fallen - of_largest), 0.0).max(axis=(0, 2, 3))
    most = x / (2 * first**2) * (1 + x / first) ** 3
    return differs / most[:, 0, 0]


def follows_limit(
    subject: Subject, start: np.ndarray, length: float, stream: np.random.SeedSequence
) -> Statement:
    """From these starts the Subject's own gradient flow ends where the limit of small steps
    says."""
    _, J, K = start.shape
    flow = population(subject, K, J, len(start), stream).starting_at(start).flow(length)[0]
    limit = limit_of_small_steps(start, length)
    return equal(
        (flow - limit) / length,
        0.0,
        tolerance=FLOW_TOLERANCE,
        detail="end of the Subject's flow against the limit, over the length of its path",
    )


def facts_about_law(shape: tuple[int, int], **others: Any) -> Mapping[str, Any]:
    shown = {
        name: value for name, value in others.items() if name in ("d", "s", "x", "part", "law")
    }
    return {"K": shape[0], "J": shape[1], **shown}


def left_behind(start: np.ndarray) -> np.ndarray:
    """Where each entry ends as the largest grows without bound, 1 / (1/a(0) - 1/max a(0)); infinite
    for the largest itself."""
    with np.errstate(divide="ignore"):
        return 1 / (1 / start - 1 / start.max(axis=(1, 2), keepdims=True))


def late_replicates(
    subject: Subject,
    problem: Problem,
    J: int,
    M: int,
    level: float,
    length: float,
    stream: np.random.SeedSequence,
    size: int,
) -> tuple[np.ndarray, np.ndarray]:
    """For each of `size` mixtures: whether some expert errs on its own cluster above the level at
    the end of a path of this length, or has no positive a(0); and whether no M_k is empty.

    Experts whose rivals from other clusters are so far behind that gamma^3 J a_2^3 < alpha^3 a_1^3
    for all amplitudes never err.
    """
    K = problem.K
    start = population(subject, K, J, M * size, stream).starts
    first, own = start.max(axis=(1, 2)), own_cluster(start)
    late = first <= 0
    others = start.max(axis=1)
    np.put_along_axis(others, own[:, None], -np.inf, axis=1)
    rival = others.max(axis=1)
    spread = problem.gamma.support[1] / problem.alpha.support[0]
    least = (J ** (1 / 3) * spread - 1) * (J * K) ** 0.5 / length
    close = (rival > 0) & (1 / rival - 1 / first <= least)
    end = limit_of_small_steps(start[close], length)
    late[close] = error_on_own_cluster(problem, end, own[close]) > level
    occupied = np.eye(K, dtype=bool)[own].reshape(size, M, K).any(axis=1).all(axis=1)
    return late.reshape(size, M).any(axis=1), occupied


def occupied_and_late(
    draw: Callable[[np.random.SeedSequence, int], tuple[np.ndarray, np.ndarray]],
) -> Draw:
    """Draws of the first kind of `late_replicates`, given the second."""

    def given_occupied(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        found: list[np.ndarray] = []
        for _, child in zip(range(MOST_ROUNDS), children(stream), strict=False):
            late, occupied = draw(child, size)
            found.append(late[occupied])
            if sum(map(len, found)) >= size:
                return np.concatenate(found)[:size]
        raise HypothesesNotMet(f"fewer than {size} initialisations without an empty group")

    return given_occupied


def errors_on_others(
    subject: Subject, problem: Problem, start: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Error of experts on every other cluster where the feature noise lies along their own feature,
    (pairs of an expert and a cluster,): of those experts for which the law is sure that only the
    sign of the noise decides.

    Sure, if gamma^3 A_k > alpha^3 J a_l^3 for all amplitudes, where no a_l ends above 1 / (1/a_2(0)
    - 1/a_1(0)), a_2(0) the largest in other clusters. Looks at all signs and at the ends of the
    amplitude laws.
    """
    K, J, own = problem.K, end.shape[1], own_cluster(start)
    behind = left_behind(start).max(axis=1)
    np.put_along_axis(behind, own[:, None], 0.0, axis=1)
    mine = np.take_along_axis((end**3).sum(axis=1), own[:, None], axis=1)[:, 0]
    weakest, strongest = problem.gamma.support[0], problem.alpha.support[1]
    sure = mine * weakest**3 > J * (behind.max(axis=1) * strongest) ** 3
    found = []
    for expert in np.flatnonzero(sure):
        for other in set(range(K)) - {int(own[expert])}:
            cells = np.array(
                list(product((-1, 1), (-1, 1), problem.alpha.support, problem.gamma.support))
            )
            label, eps, alpha, gamma = cells.T[:, :, None]
            z = np.zeros((len(cells), 4, J))
            z[:, 0] = label * alpha * end[expert, :, other]
            z[:, 2] = eps * gamma * end[expert, :, own[expert]]
            margins = torch.from_numpy(label[:, 0]) * subject.respond(torch.from_numpy(z))
            found.append(float(is_error(margins).double().mean()))
    return np.array(found)
