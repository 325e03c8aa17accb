"""Theorem 4.2: the nonlinear MoE, trained by Algorithm 1, fits the training data and
generalises."""

import numpy as np
import torch

from core import Signals, Subject
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import HypothesesNotMet, Statement, all_of, mean_at_least, mean_at_most
from theory_checks.experiments.inputs import (
    GIVEN_TRAINED,
    facts_about_scenario,
    to_the_end,
    trained_scenarios,
)
from theory_checks.experiments.ladders import rarely
from theory_checks.experiments.mixtures import (
    SMALL_ERROR,
    divides_the_clusters,
    wrong_on_fresh_examples,
)
from theory_checks.experiments.replicates import at_the_end, given_occupied_groups
from theory_checks.experiments.scenarios import Scenario, given_on
from theory_checks.experiments.single_experts import errors_of, trained_network
from theory_checks.experiments.training_pictures import training_errors
from theory_checks.experiments.trajectories import Trained


@claim(
    "N.1",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2",
    given=GIVEN_TRAINED,
    formula=r"\exists\,t\le T:\ y_iF(x_i;\Theta^{(t)},W^{(t)})>0\ \text{for all}\ i",
    picture=training_errors,
    over=trained_scenarios,
    depends_on=("X.1", "A.3"),
    examples=8,
    visits=facts_about_scenario,
)
def some_iterate_fits_the_training_data(trained: Trained, scenario: Scenario) -> Statement:
    """Some iterate t <= T has training error exactly zero, with argmax routing. (Every 10th step is
    examined.)"""
    never = (trained.trajectory(scenario).training_error != 0).all(dim=1).numpy()
    return given_occupied_groups(
        rarely(never, "replicates that never reach training error 0"), trained, scenario
    )


@claim(
    "N.2",
    kind=Kind.RATE,
    source="Theorem 4.2",
    given=GIVEN_TRAINED,
    formula=r"P\left(yF(x;\Theta^{(T)},W^{(T)})\le 0\right)=o(1)",
    over=trained_scenarios,
    depends_on=("N.3",),
    examples=8,
    visits=facts_about_scenario,
)
def the_test_error_is_small(trained: Trained, scenario: Scenario) -> Statement:
    """At T the error on fresh data is o(1), here at most 0.001.

    A replicate fails when more than 0.1 % of its 4000 fresh examples are wrong. The error is
    exactly 0 in nearly all replicates even at the smallest size, so no rate along d can be
    observed.
    """
    failed = np.array([r.error > SMALL_ERROR for r in at_the_end(trained, scenario)])
    return given_occupied_groups(
        rarely(failed, "replicates with test error above 0.001"), trained, scenario
    )


@claim(
    "N.3",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2",
    given=GIVEN_TRAINED,
    formula=(
        r"[M]\supseteq\text{experts in use}=\mathcal P_1\sqcup\dots\sqcup\mathcal P_K,\ \mathcal"
        r" P_k\ne\emptyset:\quad "
        r"P(yf_m(x)\le 0\mid x\in\Omega_k)\ \text{small for}\ m\in\mathcal P_k"
    ),
    over=trained_scenarios,
    depends_on=("X.1", "A.3"),
    examples=8,
    visits=facts_about_scenario,
)
def the_experts_in_use_divide_the_clusters(trained: Trained, scenario: Scenario) -> Statement:
    """At T there is a partition of the experts in use into K non-empty sets, each good on its
    cluster (error at most 1 %).

    An expert is in use if some of 4000 fresh examples are routed to it. The partition is found
    after training. This existential form also holds where a coarse eta or a small n sends clusters
    to other experts than their initialisation marked (compare A.3).
    """
    failed = np.array([not divides_the_clusters(r) for r in at_the_end(trained, scenario)])
    return given_occupied_groups(
        rarely(failed, "replicates without such a partition"), trained, scenario
    )


@claim(
    "N.4",
    kind=Kind.PROBABILITY,
    source="Theorems 4.1 and 4.2",
    given=given_on(to_the_end, hypotheses="E_init; D_alpha = D_gamma"),
    formula=r"P(yF_{\mathrm{MoE}}(x)\le 0)<\tfrac18\le\min_{F\ \text{patch-additive}}P(yF(x)\le 0)",
    over=trained_scenarios,
    depends_on=("N.2", "S.3", "S.7"),
    examples=8,
    visits=facts_about_scenario,
)
def the_mixture_beats_every_single_expert(
    subject: Subject, trained: Trained, scenario: Scenario
) -> Statement:
    """On the same D, with D_alpha = D_gamma, the MoE errs on less than 1/8, on which every single
    expert errs.

    The error of the trained MoE is below 1/8 in the mean over trained replicates, and in every
    replicate with rare exceptions; a single cubic expert that is trained on the same D stays above
    1/8. That no patch-additive classifier falls below is claim S.3.
    """
    problem = scenario.problem
    if problem.alpha != problem.gamma:
        raise HypothesesNotMet(f"D_alpha = {problem.alpha} and D_gamma = {problem.gamma} differ")
    replicates = at_the_end(trained, scenario)
    above = np.array([r.error >= 1 / 8 for r in replicates])
    signals = replicates[0].signals
    signals = Signals(signals.features.double(), signals.centres.double())
    single = trained_network(subject, problem, signals, "cubic", seed=0, steps=100)
    alone = errors_of(single, subject, problem, signals)
    statement = all_of(
        rarely(above, "replicates whose MoE errs on 1/8 or more"),
        mean_at_most(
            1 / 8,
            wrong_on_fresh_examples(replicates),
            resolution=0.01,
            detail="error of the MoE",
        ),
        mean_at_least(1 / 8, alone, resolution=0.02, detail="error of a single expert"),
    )
    return given_occupied_groups(statement, trained, scenario)


@claim(
    "N.5",
    kind=Kind.PROBABILITY,
    source="derived: an observation",
    given=GIVEN_TRAINED,
    formula=r"\exists\,t_0\le T/2:\ \text{training error}=0\ \text{for all}\ t_0\le t\le T",
    over=trained_scenarios,
    depends_on=("N.1",),
    examples=8,
    visits=facts_about_scenario,
)
def once_fitted_stays_fitted(trained: Trained, scenario: Scenario) -> Statement:
    """From some iterate on, at the latest from T/2, the training error stays zero up to T. (Every
    10th step is examined.)"""
    trajectory = trained.trajectory(scenario)
    late = torch.tensor(trajectory.looked_at) >= scenario.hyper.T / 2
    lost = (trajectory.training_error[:, late] != 0).any(dim=1).numpy()
    return given_occupied_groups(
        rarely(lost, "replicates with training errors after T/2"), trained, scenario
    )
