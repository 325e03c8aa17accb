"""Theorem 4.2: the nonlinear MoE, trained by Algorithm 1, fits the training data and
generalises."""

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import strategies as st

from core import Signals, Subject
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import (
    Statement,
    all_of,
    exceptions_at_most,
    finding,
    mean_at_least,
    mean_at_most,
)
from theory_checks.experiments.initial_groups import chance_of_occupied_groups
from theory_checks.experiments.inputs import (
    GIVEN_TRAINED,
    facts_about_points,
    in_any_case,
    to_the_end,
    trained_scenarios,
)
from theory_checks.experiments.ladders import RARE
from theory_checks.experiments.mixtures import (
    FAR_GAP,
    SMALL_ERROR,
    at_points,
    divided,
    in_use_divide,
    outcomes,
    succeeds_from_any_start,
    wrong_on_fresh_examples,
)
from theory_checks.experiments.replicates import at_the_end, given_occupied_groups
from theory_checks.experiments.router import ELSEWHERE
from theory_checks.experiments.scenarios import Scenario, given_on, point_of
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
    depends_on=("X.1", "A.3", "R.12"),
    examples=1,
    visits=facts_about_points,
)
def some_iterate_fits_the_training_data(
    trained: Trained, scenarios: Sequence[Scenario]
) -> Statement:
    """Some iterate t <= T has training error exactly zero, with argmax routing. (Every 10th step is
    examined.)"""
    never = {
        point_of(s): (trained.trajectory(s).training_error != 0).all(dim=1).numpy()
        for s in scenarios
    }
    return given_occupied_groups(
        exceptions_at_most(RARE, never, detail="replicates that never reach training error 0"),
        trained,
        *scenarios,
    )


@claim(
    "N.2",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2",
    given=GIVEN_TRAINED,
    formula=(
        r"P\left(yF(x;\Theta^{(T)},W^{(T)})\le 0\right)\le 0.001"
        r"\ \text{with probability}\ 0.98,\quad\text{for}\ o(1)"
    ),
    over=trained_scenarios,
    depends_on=("N.6", "R.12"),
    examples=1,
    visits=facts_about_points,
)
def the_test_error_is_small(trained: Trained, scenarios: Sequence[Scenario]) -> Statement:
    """At T the error on fresh data is o(1), here at most 0.001, in all but 2 % of replicates.

    A replicate fails when more than 0.1 % of its 4000 fresh examples are wrong. The error is
    exactly 0 in nearly all replicates even at the smallest size, so no rate along d can be
    observed, and none is claimed.
    """
    failed = at_points(trained, scenarios, lambda o: ~(o.error <= SMALL_ERROR))
    return given_occupied_groups(
        exceptions_at_most(RARE, failed, detail="replicates with test error above 0.001"),
        trained,
        *scenarios,
    )


@claim(
    "N.3",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2; which experts fail is derived from X.1",
    given=GIVEN_TRAINED,
    formula=(
        r"[M]=\mathcal P_1\sqcup\dots\sqcup\mathcal P_K,\ \mathcal P_k\ne\emptyset:\quad "
        r"P(yf_m(x)\le 0\mid x\in\Omega_k)=o(1)\ \text{for all}\ m\in\mathcal P_k"
    ),
    over=trained_scenarios,
    depends_on=("X.1", "A.3", "I.6"),
    examples=1,
    visits=facts_about_points,
)
def all_experts_divide_the_clusters(trained: Trained, scenarios: Sequence[Scenario]) -> Statement:
    """At T all M experts fall into K non-empty sets, each good on its cluster: false at an error of
    1 % at these sizes, where it fails because of experts whose cluster gap is small. As predicted,
    every expert with a cluster gap of at least 1.5 errs on at most 5 % of its own cluster, in all
    but 2 % of replicates.

    The router settles on one expert of a cluster, in the main, and the others stay close to what
    they were at T_1. By E.6 the runner-up among the clusters of an expert ends at a_0 / (gap - 1),
    so an expert with a gap near 1 has learned two clusters, and errs on each where the other one is
    the feature noise. The error is then not o(1) for any fixed share of experts, but the share
    falls, since the law of the gap is that of I.2 and a_0 / sigma_0^(1/2) is of order d^(-2/3). For
    a gap of 1.5 the runner-up is at most 2 a_0, far below the winner. (Pilots with other
    replicates, gap below 1.1: 52 to 90 % of experts err on more than 1 %; from 1.5: 1 of 260, on
    less than 5 %.) N.6 says what remains true of the experts in use.
    """

    def undivided(scenario: Scenario) -> np.ndarray:
        errors = outcomes(trained, scenario).errors
        return ~divided(errors, torch.ones_like(errors[..., 0], dtype=torch.bool))

    surprising = at_points(
        trained,
        scenarios,
        lambda o: ((o.gap >= FAR_GAP) & ~(o.own_error <= 0.05)).any(dim=1),
    )
    return given_occupied_groups(
        finding(
            exceptions_at_most(
                RARE,
                surprising,
                detail=f"replicates where an expert with a gap of {FAR_GAP} errs on more than 5 %",
            ),
            claimed="all experts divide into K non-empty sets, each with error at most 1 % on its"
            " cluster",
            exceptions={point_of(s): undivided(s) for s in scenarios},
        ),
        trained,
        *scenarios,
    )


@claim(
    "N.4",
    kind=Kind.PROBABILITY,
    source="Theorems 4.1 and 4.2",
    given=given_on(to_the_end, hypotheses="E_init; D_alpha = D_gamma"),
    formula=r"P(yF_{\mathrm{MoE}}(x)\le 0)<\tfrac18\le\min_{F\ \text{patch-additive}}P(yF(x)\le 0)",
    over=trained_scenarios,
    depends_on=("N.2", "S.3", "S.7"),
    examples=1,
    visits=facts_about_points,
)
def the_mixture_beats_every_single_expert(
    subject: Subject, trained: Trained, scenarios: Sequence[Scenario]
) -> Statement:
    """On the same D, with D_alpha = D_gamma, the MoE errs on less than 1/8, on which every single
    expert errs.

    The error of the trained MoE is below 1/8 in all but 2 % of replicates, and in the mean over the
    replicates of each point; a single cubic expert that is trained on the same D stays above 1/8.
    That no patch-additive classifier falls below is claim S.3.
    """
    equal = [s for s in scenarios if s.problem.alpha == s.problem.gamma]
    above = at_points(trained, equal, lambda o: ~(o.error < 1 / 8))
    members: list[Statement] = [
        exceptions_at_most(RARE, above, detail="replicates whose MoE errs on 1/8 or more")
    ]
    for scenario in equal:
        replicates, where = at_the_end(trained, scenario), point_of(scenario)
        signals = replicates[0].signals
        signals = Signals(signals.features.double(), signals.centres.double())
        single = trained_network(subject, scenario.problem, signals, "cubic", seed=0, steps=100)
        alone = errors_of(single, subject, scenario.problem, signals)
        members += [
            mean_at_most(
                1 / 8,
                wrong_on_fresh_examples(replicates),
                resolution=0.01,
                detail=f"error of the MoE at {where}",
            ),
            mean_at_least(
                1 / 8, alone, resolution=0.02, detail=f"error of a single expert at {where}"
            ),
        ]
    return given_occupied_groups(all_of(*members), trained, *equal)


@claim(
    "N.5",
    kind=Kind.PROBABILITY,
    source="derived: an observation",
    given=GIVEN_TRAINED,
    formula=r"\exists\,t_0\le T/2:\ \text{training error}=0\ \text{for all}\ t_0\le t\le T",
    over=trained_scenarios,
    depends_on=("N.1",),
    examples=1,
    visits=facts_about_points,
)
def once_fitted_stays_fitted(trained: Trained, scenarios: Sequence[Scenario]) -> Statement:
    """From some iterate on, at the latest from T/2, the training error stays zero up to T, in all
    but 5 % of replicates. (Every 10th step is examined.)

    In pilots with other replicates 5 of 240 had a training error after T/2, mostly for one or two
    looks.
    """
    lost = {}
    for scenario in scenarios:
        trajectory = trained.trajectory(scenario)
        late = torch.tensor(trajectory.looked_at) >= scenario.hyper.T / 2
        lost[point_of(scenario)] = (trajectory.training_error[:, late] != 0).any(dim=1).numpy()
    return given_occupied_groups(
        exceptions_at_most(0.05, lost, detail="replicates with training errors after T/2"),
        trained,
        *scenarios,
    )


@claim(
    "N.6",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2, weakened to the experts in use: derived",
    given=GIVEN_TRAINED,
    formula=(
        r"[M]\supseteq\text{experts in use}=\mathcal P_1\sqcup\dots\sqcup\mathcal P_K,\ \mathcal"
        r" P_k\ne\emptyset:\quad "
        r"P(yf_m(x)\le 0\mid x\in\Omega_k)\le 0.01\ \text{for}\ m\in\mathcal P_k"
    ),
    over=trained_scenarios,
    depends_on=("X.1", "A.3", "I.6", "R.12"),
    examples=1,
    visits=facts_about_points,
)
def the_experts_in_use_divide_the_clusters(
    trained: Trained, scenarios: Sequence[Scenario]
) -> Statement:
    """At T there is a partition of the experts in use into K non-empty sets, each good on its
    cluster (error at most 1 %), in all but 2 % of replicates.

    An expert is in use if more than 1 % of 4000 fresh examples are routed to it. The partition is
    found after training. This existential form, weaker than the theorem's (N.3), also holds where a
    coarse eta or a small n sends clusters to other experts than their initialisation marked
    (compare A.3).
    """
    failed = at_points(trained, scenarios, lambda o: ~in_use_divide(o))
    return given_occupied_groups(
        exceptions_at_most(RARE, failed, detail="replicates without such a partition"),
        trained,
        *scenarios,
    )


@claim(
    "N.7",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2 and Lemma 5.3 together, with N.6 for N.3",
    given=GIVEN_TRAINED,
    formula=(
        r"P\bigl(\text{at}\ T:\ \text{training error}=0,\ \text{test error}\le 0.001,"
        r"\ \text{clear}\ \Omega_k\to\mathcal M_k,\ \text{N.6}\bigr)\ge 0.92"
    ),
    over=trained_scenarios,
    depends_on=("N.1", "N.2", "N.5", "N.6", "A.3"),
    examples=1,
    visits=facts_about_points,
)
def all_conclusions_hold_together(trained: Trained, scenarios: Sequence[Scenario]) -> Statement:
    """At t = T, within E_init, in all but 8 % of replicates, all of this is true of one and the
    same run: zero training error, test error at most 0.001, clear clusters go to their groups
    (A.3), and the experts in use divide the clusters (N.6).

    The paper states one conclusion, not four. The share that is allowed is that of A.3, which
    decides it: in pilots with other replicates the four failed together in no more than A.3 alone.
    """
    failed = {}
    for scenario in scenarios:
        end, where = outcomes(trained, scenario), point_of(scenario)
        fits = trained.trajectory(scenario).training_error[:, -1] == 0
        together = fits & (end.error <= SMALL_ERROR) & (end.goes_to_group | ~end.clear).all(dim=1)
        failed[where] = ~(together.numpy() & in_use_divide(end))
    return given_occupied_groups(
        exceptions_at_most(ELSEWHERE, failed, detail="replicates where a conclusion fails"),
        trained,
        *scenarios,
    )


@claim(
    "N.8",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2 without the condition: derived",
    given=given_on(in_any_case, hypotheses="not conditional on E_init"),
    formula=(
        r"P(\text{success})\ge 0.98\,P(E_{\mathrm{init}}),\qquad P(E_{\mathrm{init}})="
        r"\sum_i(-1)^i\binom Ki\Bigl(1-\frac iK\Bigr)^M"
    ),
    over=lambda profile: {"scenarios": st.just(in_any_case(profile))},
    depends_on=("I.1", "N.1", "N.2"),
    examples=1,
    visits=facts_about_points,
)
def training_succeeds_from_any_start(trained: Trained, scenarios: Sequence[Scenario]) -> Statement:
    """Without conditioning on E_init, training succeeds with probability at least 0.98 P(E_init),
    which tends to 0.98 as M grows: zero training error, and test error at most 0.001, at T.

    Success says nothing of M_k, so it is possible outside of E_init too. 0.98 is the allowance of
    N.2; P(E_init) is 0.992 at K = 2, M = 8 and 0.623 at K = 4, M = 8. Replicates whose first
    initialisation met E_init are those of the other claims; the rest are trained from the first
    one.
    """
    members = []
    for scenario in scenarios:
        K, M = scenario.problem.K, scenario.hyper.M
        level = 1 - (1 - RARE) * chance_of_occupied_groups(K, M)
        failed = ~succeeds_from_any_start(trained, scenario)
        members.append(
            exceptions_at_most(
                level,
                {point_of(scenario): failed},
                detail="replicates without success",
                together=len(scenarios),
            )
        )
    return all_of(*members)
