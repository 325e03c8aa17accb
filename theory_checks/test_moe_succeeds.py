"""Theorem 4.2: the nonlinear MoE, trained by Algorithm 1, fits the training data and generalises."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from core import Parameters, Subject, Trajectory
from core.measures import is_error
from core.seeds import child, generator_from
from core.training import margins, stack
from theory_checks.claims import Inputs, Kind, Profile, claim
from theory_checks.evidence import Statement, frequency_at_most, given
from theory_checks.evidence.design import frequency_passing, frequency_resolution
from theory_checks.scenarios import Scenario, whole_runs
from theory_checks.trajectories import Trained

RARE = 0.02  # replicates that may fail a claim of the form "with probability 1 - o(1)", by design
GIVEN = (
    "E_init; the ladder's first point: K = 4, M = J = 8, d = 64, sigma_0 = d^(-1/3), eta = sigma_0/50, eta_r = M^2 eta, T = 8/eta"
)


def trained_scenarios(profile: Profile) -> Inputs:
    """The whole training runs of the profile."""
    return {"scenario": st.sampled_from(whole_runs(profile))}


def facts_about(scenario: Scenario, **_: Any) -> Mapping[str, Any]:
    return {"d": scenario.problem.d, "n": scenario.hyper.n, "replicates": scenario.replicates}


def given_occupied_groups(statement: Statement, trajectory: Trajectory) -> Statement:
    """The statement given E_init, with the number of initialisations that it took."""
    drawn = trajectory.initialisations
    return given(statement, met=len(drawn), tried=sum(drawn), hypotheses="E_init")


def rarely(events: np.ndarray, share: float, detail: str) -> Statement:
    """The event happens in at most RARE of replicates, with the smallest resolutions that they afford at this share of alpha."""
    n = len(events)
    return frequency_at_most(
        RARE,
        lambda stream, size: events,
        resolution=frequency_resolution(RARE, n, share),
        passing=frequency_passing(RARE, n),
        replicates=n,
        detail=detail,
    )


@claim(
    "N.1",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2",
    given=GIVEN,
    over=trained_scenarios,
    depends_on=("G.2", "G.3", "R.5", "I.1", "A.3"),
    examples=1,
    cost=200,
    visits=facts_about,
)
def some_iterate_fits_the_training_data(trained: Trained, share: float, scenario: Scenario) -> Statement:
    """Some iterate t <= T has training error exactly zero, with argmax routing. (Looked for at every 10th step.)"""
    trajectory = trained.trajectory(scenario)
    never = (trajectory.training_error != 0).all(dim=1).numpy()
    return given_occupied_groups(rarely(never, share, "replicates that never reach training error 0"), trajectory)


@claim(
    "N.2",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2",
    given=GIVEN,
    over=trained_scenarios,
    depends_on=("N.1",),
    examples=1,
    cost=190,
    visits=facts_about,
)
def the_test_error_is_small(subject: Subject, trained: Trained, share: float, scenario: Scenario) -> Statement:
    """At T the error on fresh data is at most 0.001 (the stated level for o(1) at the ladder's first point).

    A replicate counts as failed when more than 0.1 % of 20,000 fresh examples are wrong.
    """
    trajectory = trained.trajectory(scenario)
    final = trajectory.parameters(scenario.hyper.T)
    failed = []
    for i, seed in enumerate(trained.seeds(scenario)):
        replicate = trained.replicate(scenario, seed)
        fresh = subject.draw_examples(scenario.problem, replicate.signals, 20_000, generator_from(child(seed, 2)))
        one = Parameters(final.theta[i : i + 1], final.W[i : i + 1])
        margin, _ = margins(subject, one, stack([fresh.patches]), fresh.y[None])
        failed.append(float(is_error(margin).double().mean()) > 0.001)
    return given_occupied_groups(rarely(np.array(failed), share, "replicates with test error above 0.001"), trajectory)
