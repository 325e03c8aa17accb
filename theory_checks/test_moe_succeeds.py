"""Theorem 4.2: the nonlinear MoE, trained by Algorithm 1, fits the training data and
generalises."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from core import Signals, Subject
from core.measures import dispatch_counts, is_error
from core.seeds import generator_from
from theory_checks.checking.claim import Kind, claim
from theory_checks.checking.pictures import Lines, Series
from theory_checks.evidence import HypothesesNotMet, Statement, all_of, mean_at_least, mean_at_most
from theory_checks.evidence.sampling import Draw
from theory_checks.experiments.ladders import rarely
from theory_checks.experiments.replicates import Finished, given_occupied_groups
from theory_checks.experiments.scenarios import Scenario, given_on
from theory_checks.experiments.single_experts import trained_network, wrong
from theory_checks.experiments.trajectories import Trained
from theory_checks.test_router_alignment import (
    GIVEN,
    at_the_end,
    facts_about,
    trained_scenarios,
    whole,
)

SMALL = 0.001  # the stated level of o(1) for the test error at these sizes
GOOD = 0.01  # an expert is good on a cluster if it errs on at most this share of it


def training_errors(trained: Trained, scenario: Scenario) -> Lines:
    """Training error of the first replicates over time."""
    trajectory, hyper = trained.trajectory(scenario), scenario.hyper
    t = [step / hyper.T_1 for step in trajectory.looked_at]
    series = [
        Series(f"replicate {i}", t, trajectory.training_error[i].tolist())
        for i in range(min(6, scenario.replicates))
    ]
    return Lines(
        f"Training error, d = {scenario.problem.d}, n = {hyper.n}",
        "t / T_1",
        "error without router noise",
        series,
    )


@claim(
    "N.1",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2",
    given=GIVEN,
    formula=r"\exists\,t\le T:\ y_iF(x_i;\Theta^{(t)},W^{(t)})>0\ \text{for all}\ i",
    picture=training_errors,
    over=trained_scenarios,
    depends_on=("X.1", "A.3"),
    examples=8,
    visits=facts_about,
)
def some_iterate_fits_the_training_data(trained: Trained, scenario: Scenario) -> Statement:
    """Some iterate t <= T has training error exactly zero, with argmax routing. (Looked for at
    every 10th step.)"""
    never = (trained.trajectory(scenario).training_error != 0).all(dim=1).numpy()
    return given_occupied_groups(
        rarely(never, "replicates that never reach training error 0"), trained, scenario
    )


@claim(
    "N.2",
    kind=Kind.RATE,
    source="Theorem 4.2",
    given=GIVEN,
    formula=r"P\left(yF(x;\Theta^{(T)},W^{(T)})\le 0\right)=o(1)",
    over=trained_scenarios,
    depends_on=("N.3",),
    examples=8,
    visits=facts_about,
)
def the_test_error_is_small(subject: Subject, trained: Trained, scenario: Scenario) -> Statement:
    """At T the error on fresh data is o(1), here at most 0.001.

    A replicate fails when more than 0.1 % of its 4000 fresh examples are wrong. The error is
    exactly 0 in nearly all replicates at the smallest size already, so there is no rate along d to
    see.
    """
    failed = np.array(
        [
            float(is_error(r.outcome[0]).double().mean()) > SMALL
            for r in at_the_end(subject, trained, scenario)
        ]
    )
    return given_occupied_groups(
        rarely(failed, "replicates with test error above 0.001"), trained, scenario
    )


def can_be_divided(good: np.ndarray) -> bool:
    """Whether experts fall into non-empty sets, one for each cluster, each good on its cluster:
    good (experts, K), booleans.

    They do if every expert is good on some cluster, and K different ones can be matched with the K
    clusters: the others then join a cluster that they are good on.
    """
    matched = maximum_bipartite_matching(
        csr_array(good), perm_type="row"
    )  # of each cluster, its expert or -1
    return bool(good.any(axis=1).all()) and bool((matched >= 0).all())


def divides_the_clusters(replicate: Finished) -> bool:
    """Whether the experts in use can be divided among the clusters."""
    hyper, K = replicate.scenario.hyper, replicate.scenario.problem.K
    in_use = dispatch_counts(replicate.outcome[1], replicate.fresh.k, hyper.M, K).sum(dim=1) > 0
    return can_be_divided((replicate.errors[in_use] <= GOOD).numpy())


@claim(
    "N.3",
    kind=Kind.PROBABILITY,
    source="Theorem 4.2",
    given=GIVEN,
    formula=(
        r"[M]\supseteq\text{experts in use}=\mathcal P_1\sqcup\dots\sqcup\mathcal P_K,\ \mathcal"
        r" P_k\ne\emptyset:\quad "
        r"P(yf_m(x)\le 0\mid x\in\Omega_k)\ \text{small for}\ m\in\mathcal P_k"
    ),
    over=trained_scenarios,
    depends_on=("X.1", "A.3"),
    examples=8,
    visits=facts_about,
)
def the_experts_in_use_divide_the_clusters(
    subject: Subject, trained: Trained, scenario: Scenario
) -> Statement:
    """At T there is a partition of the experts in use into K non-empty sets, each good on its
    cluster (error at most 1 %).

    In use: some of 4000 fresh examples are routed to it. The partition is found after training: the
    existential form, which holds also where a coarse eta or a small n lets clusters go to other
    experts than their initialisation marked (compare A.3).
    """
    failed = np.array([not divides_the_clusters(r) for r in at_the_end(subject, trained, scenario)])
    return given_occupied_groups(
        rarely(failed, "replicates without such a partition"), trained, scenario
    )


def wrong_on_fresh_examples(subject: Subject, replicates: Sequence[Finished]) -> Draw:
    """Draws: whether the MoE of a random replicate is wrong on a fresh example."""

    def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        which = torch.randint(0, len(replicates), (size,), generator=generator).bincount(
            minlength=len(replicates)
        )
        wrong = []
        for replicate, n in zip(replicates, which.tolist(), strict=True):
            if n:
                examples = subject.draw_examples(
                    replicate.scenario.problem, replicate.signals, n, generator
                )
                wrong.append(is_error(replicate.margins(examples)[0]))
        return torch.cat(wrong)[torch.randperm(size, generator=generator)].numpy()

    return draw


@claim(
    "N.4",
    kind=Kind.PROBABILITY,
    source="Theorems 4.1 and 4.2",
    given=given_on(whole, hypotheses="E_init; D_alpha = D_gamma"),
    formula=r"P(yF_{\mathrm{MoE}}(x)\le 0)<\tfrac18\le\min_{F\ \text{patch-additive}}P(yF(x)\le 0)",
    over=trained_scenarios,
    depends_on=("N.2", "S.3", "S.7"),
    examples=8,
    visits=facts_about,
)
def the_mixture_beats_every_single_expert(
    subject: Subject, trained: Trained, scenario: Scenario
) -> Statement:
    """On one and the same D, with D_alpha = D_gamma, the MoE errs less than the 1/8 that every
    single expert errs.

    The trained MoE's error is below 1/8 in mean over the trained replicates and in every replicate
    but rare ones; a single cubic expert that is trained on the same D stays above. That no
    patch-additive classifier at all gets below is S.3's.
    """
    problem = scenario.problem
    if problem.alpha != problem.gamma:
        raise HypothesesNotMet(f"D_alpha = {problem.alpha} and D_gamma = {problem.gamma} differ")
    replicates = at_the_end(subject, trained, scenario)
    above = np.array([float(is_error(r.outcome[0]).double().mean()) >= 1 / 8 for r in replicates])
    signals = replicates[0].signals
    signals = Signals(signals.features.double(), signals.centres.double())
    single = trained_network(subject, problem, signals, "cubic", seed=0, steps=100)

    def wrong_alone(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        return wrong(single, subject.draw_examples(problem, signals, size, generator_from(stream)))

    statement = all_of(
        rarely(above, "replicates whose MoE errs on 1/8 or more"),
        mean_at_most(
            1 / 8,
            wrong_on_fresh_examples(subject, replicates),
            resolution=0.01,
            detail="error of the MoE",
        ),
        mean_at_least(1 / 8, wrong_alone, resolution=0.02, detail="error of a single expert"),
    )
    return given_occupied_groups(statement, trained, scenario)


@claim(
    "N.5",
    kind=Kind.PROBABILITY,
    source="derived: an observation",
    given=GIVEN,
    formula=r"\exists\,t_0\le T/2:\ \text{training error}=0\ \text{for all}\ t_0\le t\le T",
    over=trained_scenarios,
    depends_on=("N.1",),
    examples=8,
    visits=facts_about,
)
def once_fitted_stays_fitted(trained: Trained, scenario: Scenario) -> Statement:
    """From some iterate on the training error stays zero up to T: at the latest from T/2 on.
    (Looked at every 10th step.)"""
    trajectory = trained.trajectory(scenario)
    late = torch.tensor(trajectory.looked_at) >= scenario.hyper.T / 2
    lost = (trajectory.training_error[:, late] != 0).any(dim=1).numpy()
    return given_occupied_groups(
        rarely(lost, "replicates with training errors after T/2"), trained, scenario
    )
