"""Lemma 5.3: by the end of training the router sends each cluster to the experts that its initialisation marked for it."""

import numpy as np

from core import Parameters, Subject
from core.measures import cluster_gap, feature_alignment, groups
from core.seeds import child, generator_from
from core.training import margins, stack
from theory_checks.claims import Kind, claim
from theory_checks.evidence import HypothesesNotMet, Statement, all_of, given
from theory_checks.scenarios import Scenario
from theory_checks.test_moe_succeeds import GIVEN, facts_about, rarely, trained_scenarios
from theory_checks.trajectories import Trained

CLEAR_GAP = 1.1
MOSTLY = 0.9  # a cluster goes to M_k when at least this share of it does: the stated level for 1 - o(1) at this size


@claim(
    "A.3",
    kind=Kind.PROBABILITY,
    source="Lemma 5.3",
    given=f"{GIVEN}; clusters whose best cluster gap in M_k is at least {CLEAR_GAP}",
    over=trained_scenarios,
    depends_on=("I.1", "I.2", "R.5", "G.2", "G.3"),
    examples=1,
    cost=195,
    visits=facts_about,
)
def clusters_go_to_their_group_of_experts(subject: Subject, trained: Trained, share: float, scenario: Scenario) -> Statement:
    """At T an x in Omega_k goes to an expert of M_k with probability 1 - o(1), without router noise and with it.

    Without noise by argmax h, with it by the subject's own noisy choice; at this size 1 - o(1) is read as at least 0.9 of 1000
    fresh examples or so.
    """
    trajectory = trained.trajectory(scenario)
    problem, hyper = scenario.problem, scenario.hyper
    final = trajectory.parameters(hyper.T)
    quiet, noisy, clear = [], [], 0
    for i, seed in enumerate(trained.seeds(scenario)):
        replicate = trained.replicate(scenario, seed)
        a = feature_alignment(replicate.signals, replicate.start.W)
        group, gap = groups(a), cluster_gap(a).nan_to_num(0.0)
        fresh = subject.draw_examples(problem, replicate.signals, 4000, generator_from(child(seed, 3)))
        one = Parameters(final.theta[i : i + 1], final.W[i : i + 1])
        _, routed = margins(subject, one, stack([fresh.patches]), fresh.y[None])
        h = subject.logits(final.theta[i], fresh.patches)
        noisily = subject.select(h, subject.router_noise(tuple(h.shape), generator_from(child(seed, 4)), hyper.T))
        without, with_noise = [], []
        for k in range(problem.K):
            if bool((gap[group == k] >= CLEAR_GAP).any()):
                clear += 1
                cluster = fresh.k == k
                without.append(float((group[routed[0][cluster]] == k).double().mean()))
                with_noise.append(float((group[noisily[cluster]] == k).double().mean()))
        if without:  # a replicate without a clear gap says nothing
            quiet.append(not min(without) >= MOSTLY)
            noisy.append(not min(with_noise) >= MOSTLY)
    if len(quiet) < scenario.replicates / 2:
        raise HypothesesNotMet(f"{len(quiet)} of {scenario.replicates} replicates have a cluster with a gap of {CLEAR_GAP}")
    statement = all_of(
        rarely(np.array(quiet), share / 2, "replicates where a cluster goes elsewhere, without noise"),
        rarely(np.array(noisy), share / 2, "replicates where a cluster goes elsewhere, with noise"),
    )
    return given(statement, met=clear, tried=scenario.replicates * problem.K, least=scenario.replicates, hypotheses="clear gap")
