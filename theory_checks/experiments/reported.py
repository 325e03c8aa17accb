"""What a run reports of itself, against what follows from what it kept."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from core import Hyperparameters, Problem, Signals, Subject, train
from core.training import margins, stack
from theory_checks.evidence import Statement, at_most
from theory_checks.experiments.finite import same_numbers
from theory_checks.experiments.observed import observed

AT_MOST_STEPS, LOOKS_APART = 13, 5  # a last look that is no multiple, as T need not be one


def stages_end_where_they_should(hyper: Hyperparameters) -> Statement:
    """T_1 eta <= sigma_0^(1/2) < (T_1 + 1) eta, for this run's scales and others.

    The root and the quotient round by eps each.
    """
    eps = float(np.finfo(float).eps)
    off = []
    for sigma_0 in (hyper.sigma_0, 1.0, 0.3, 0.1, 0.01):
        for ratio in (hyper.sigma_0 / hyper.eta, 2.0, 7.3, 50.0, 333.3):
            at = replace(hyper, sigma_0=sigma_0, eta=sigma_0 / ratio)
            exact = sigma_0**0.5 / at.eta
            off += [at.T_1 - exact * (1 + 2 * eps), exact * (1 - 2 * eps) - (at.T_1 + 1)]
    return at_most(off, 0.0, detail="T_1 against sigma_0^(1/2) / eta, rounded down")


def run_reports_what_it_did(
    subject: Subject,
    problem: Problem,
    hyper: Hyperparameters,
    seeds: Sequence[np.random.SeedSequence],
) -> list[Statement]:
    """A run in one chunk looks at the training error at every LOOKS_APART-th step and at T, and
    reports of each replicate the share of its examples with yF <= 0; what it watches at step t
    belongs to Theta^(t), W^(t); it starts from the first initialisation that was accepted, and
    counts those before.

    The parameters of every step are kept, and yF is computed from them for all replicates side by
    side, as the run does, so that nothing rounds differently. Replicate i is to accept its (i +
    1)-th initialisation.
    """
    hyper = replace(hyper, T=min(hyper.T, AT_MOST_STEPS))
    watched, calls = observed(subject, ("draw_examples",))
    shown: list[list[Tensor]] = [[]]

    def accept(signals: Signals, W: Tensor) -> bool:
        shown[-1].append(W)
        accepted = len(shown[-1]) == len(shown)
        if accepted:
            shown.append([])
        return accepted

    run = train(
        watched,
        problem,
        hyper,
        seeds,
        keep=range(hyper.T + 1),
        look_every=LOOKS_APART,
        watch={"theta": lambda _, at: at.theta, "W": lambda _, at: at.W},
        watch_until=hyper.T,
        accept=accept,
        memory_budget=2**30,  # one chunk
    )
    drawn = [call.result for call in calls]
    x, y = stack([e.patches for e in drawn]), torch.stack([e.y for e in drawn])
    looks = tuple(sorted({*range(0, hyper.T, LOOKS_APART), hyper.T}))
    errors = torch.stack(
        [(margins(subject, run.parameters(t), x, y)[0] > 0).logical_not().sum(-1) for t in looks],
        dim=1,
    )
    accepted = [draws[-1].to(run.W.dtype) for draws in shown if draws]
    statements = [
        _same(torch.tensor(run.looked_at), torch.tensor(looks), "steps looked at"),
        # A share in single precision is off by eps of itself, so n times it by less than n eps.
        _same(
            run.training_error.double() * hyper.n,
            errors,
            "training errors reported",
            tolerance=hyper.n * float(np.finfo(np.float32).eps),
        ),
        _same(
            torch.tensor(run.initialisations), torch.arange(1, len(seeds) + 1), "initialisations"
        ),
        _same(run.W[:, 0], torch.stack(accepted) if accepted else torch.empty(0), "accepted W^(0)"),
    ]
    return statements + [
        _same(run.watched[name], getattr(run, name), f"{name} watched, against that kept")
        for name in ("theta", "W")
    ]


def _same(reported: Tensor, expected: Tensor, detail: str, tolerance: float = 0.0) -> Statement:
    """Equal entry by entry; violated, too, if there are more or fewer."""
    if reported.shape != expected.shape:
        missing = abs(reported.numel() - expected.numel())
        return at_most(missing, 0.0, detail=f"{detail}: numbers too many or too few")
    return same_numbers(reported.double(), expected.double(), tolerance=tolerance, detail=detail)
