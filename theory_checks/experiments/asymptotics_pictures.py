"""Pictures of the limits of the population law."""

import numpy as np

from core import Subject
from theory_checks.checking.pictures import Lines, Series, Style
from theory_checks.checking.run import Run
from theory_checks.evidence.laws import clopper_pearson
from theory_checks.experiments.asymptotics import largest_entry, problem_of
from theory_checks.experiments.population_law import (
    error_on_own_cluster,
    level_of,
    limit_of_small_steps,
    most_unclear,
    own_cluster,
    path_length,
    population,
    ratio_at_level,
    reach,
    tie_constant,
)

STEP_LENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)  # x
PICTURED_STEPS = 30  # of each length; afterwards winners hardly change
PICTURED = 200  # experts
LOW_DIMENSIONS = (64, 256, 1024, 4096)  # where late experts are frequent enough to be drawn


def share(name: str, x: list[float], events: list[np.ndarray], style: Style) -> Series:
    """How often each of several events happened, with 95 % intervals."""
    ends = [clopper_pearson(int(e.sum()), len(e), 0.05) for e in events]
    low, high = (list(values) for values in zip(*ends, strict=True))
    return Series(name, x, [float(e.mean()) for e in events], low, high, style)


def winners_by_step(
    subject: Subject, K: int, J: int, experts: int, stream: np.random.SeedSequence
) -> tuple[Series, Series]:
    """The share of experts whose winner is not where the signed, or the absolute, largest a(0) is,
    against x, on the population dynamics of the Subject."""
    signed, sized = [], []
    drawn = population(subject, K, J, experts, stream)
    for x in STEP_LENGTHS:
        winner = own_cluster(drawn.steps(x, PICTURED_STEPS)[-1])
        signed.append(winner != own_cluster(drawn.starts))
        sized.append(winner != largest_entry(np.abs(drawn.starts)) % K)
    lengths = list(STEP_LENGTHS)
    return (
        share("M_k by the largest signed a(0)", lengths, signed, Style.LINE),
        share("M_k by the largest abs(a(0))", lengths, sized, Style.LINE),
    )


def winners_against_the_step(subject: Subject, run: Run, shape: tuple[int, int]) -> Lines:
    """Both shares, with the limit and the band in which the derivation puts the first."""
    K, J = shape
    limit = J * (K - 1) / (2 * (J * K - 1))
    away = [min(1.0, most_unclear(K, J, x)) for x in STEP_LENGTHS]
    band = Series(
        "limit J(K-1)/(2(JK-1)), with the band that P.4 derives",
        STEP_LENGTHS,
        [limit] * len(away),
        [max(0.0, limit - u) for u in away],
        [min(1.0, limit + u) for u in away],
        Style.BOUND,
    )
    return Lines(
        f"Experts that specialise to another cluster, K = {K}, J = {J}",
        "x = eta sqrt(d) / sigma_0",
        "share of experts",
        (*winners_by_step(subject, K, J, PICTURED, run.stream("picture", K, J)), band),
        log_x=True,
        caption="With eta = Theta(sigma_0) x grows like sqrt(d).",
    )


def late_experts_along_dimensions(run: Run, shape: tuple[int, int]) -> Lines:
    """The share of experts above the level along d, drawn as it is, with its limit."""
    (K, J), part, s = shape, 0.6, 1 / 3
    problem = problem_of(K, "wide")
    level, constant = (
        level_of(problem, part),
        tie_constant(K, J) * reach(ratio_at_level(problem, part)),
    )
    start = np.random.default_rng(run.stream("picture", K, J)).standard_normal((2000, J, K))
    start = start[start.max(axis=(1, 2)) > 0]
    late = [
        error_on_own_cluster(
            problem, limit_of_small_steps(start, path_length(d, s)), own_cluster(start)
        )
        > level
        for d in LOW_DIMENSIONS
    ]
    sizes = [float(10**power) for power in range(2, 11)]
    return Lines(
        f"Experts with an own-cluster error above {level:.3g}, K = {K}, J = {J}",
        "d",
        "share of experts",
        (
            share(f"{len(start)} experts", [float(d) for d in LOW_DIMENSIONS], late, Style.POINTS),
            Series(
                f"{constant:.3g} d^(-2/3)",
                sizes,
                [constant / path_length(d, s) for d in sizes],
                style=Style.BOUND,
            ),
        ),
        log_x=True,
        log_y=True,
    )
