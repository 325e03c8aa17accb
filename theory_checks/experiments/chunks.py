"""Replicates that are trained in several chunks, against each trained alone."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from core import Parameters, Signals, Subject, train
from core.training import Trajectory
from theory_checks.evidence import Statement, equal
from theory_checks.experiments.small_runs import HALF_THE_DIGITS, SmallRun, random_router


def summed_filters(signals: Signals, at: Parameters) -> Tensor:
    """The sum of each expert's filters along each feature, (R, M, K)."""
    return at.W.sum(dim=-2) @ signals.features.mT


# The axes of one replicate's numbers.
OF_A_REPLICATE = {
    "features": ("cluster", "coordinate"),
    "centres": ("cluster", "coordinate"),
    "theta": ("step", "expert", "coordinate"),
    "W": ("step", "expert", "filter", "coordinate"),
    "training error": ("look",),
    "watched": ("step", "expert", "cluster"),
}


def by_name(run: Trajectory) -> dict[str, Tensor]:
    """All numbers of a trajectory."""
    return {
        "features": run.signals.features,
        "centres": run.signals.centres,
        "theta": run.theta,
        "W": run.W,
        "training error": run.training_error,
        **run.watched,
    }


def chunks_end_where_each_ends_alone(subject: Subject, run: SmallRun) -> Sequence[Statement]:
    """Three replicates that do not all fit into memory side by side, so that they are trained in
    two chunks, have the results of each trained alone, for up to two steps.

    The router starts at random: at equal logits, where rounding decides between experts, training
    errors may differ.
    """
    problem, precision = run.problem, torch.float64
    hyper = replace(run.hyper, T=min(run.T, 2))
    seeds = [np.random.SeedSequence((run.seed, r)) for r in range(3)]

    def trained(seeds: Sequence[np.random.SeedSequence], memory: int) -> Trajectory:
        return train(
            replace(subject, initialise_router=random_router),
            problem,
            hyper,
            seeds,
            keep=range(hyper.T + 1),
            look_every=2,
            watch={"watched": summed_filters},
            watch_until=hyper.T,
            dtype=precision,
            memory_budget=memory,
        )

    of_two = 2 * run.n * (run.P - 2) * problem.d * precision.itemsize
    together = by_name(trained(seeds, of_two))
    alone = [by_name(trained([seed], of_two)) for seed in seeds]
    statements = []
    for name, found in together.items():
        expected = torch.cat([one[name] for one in alone])
        tolerance = HALF_THE_DIGITS * (1 + float(expected.abs().max()))
        statements.append(
            equal(
                found,
                expected,
                tolerance=tolerance,
                detail=f"{name} of replicates in chunks",
                axes=("replicate", *OF_A_REPLICATE[name]),
            )
        )
    return statements
