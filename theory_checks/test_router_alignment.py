"""Lemma 5.3: by the end of training the router sends each cluster to the experts that its
initialisation marked for it."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from core.routing import routing_probabilities
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import Statement, all_of, at_most_of_order, tends_to_zero
from theory_checks.experiments.inputs import (
    GIVEN_CLEAR,
    GIVEN_TRAINED,
    along_dimensions,
    along_examples,
    facts_about_ladder,
    facts_about_scenario,
    first_whole_run,
    many_replicates,
    trained_scenarios,
    with_other,
)
from theory_checks.experiments.ladders import (
    SURE_FALL,
    by_examples,
    by_size,
    mostly,
    positive_half_of_the_time,
    rarely,
    sampling_error,
)
from theory_checks.experiments.replicates import (
    Finished,
    at_the_end,
    finished,
    given_occupied_groups,
)
from theory_checks.experiments.router import (
    ALMOST_ALL,
    features_over_centres,
    for_clear_clusters,
    given_clear_gaps,
    largest,
    mean_square,
    residual,
    slope,
)
from theory_checks.experiments.scenarios import (
    Scenario,
    around_the_ladder,
    example_ladder,
    exploration_ladder,
    given_on,
)
from theory_checks.experiments.training_pictures import (
    features_along_examples,
    mechanism_pictures,
    router_pictures,
)
from theory_checks.experiments.trajectories import Trained


@claim(
    "A.1",
    kind=Kind.PROBABILITY,
    source="Lemma 5.3",
    given=GIVEN_CLEAR,
    formula=r"\operatorname*{argmax}_m\langle\theta_m^{(T)},c_k\rangle\in\mathcal M_k",
    picture=router_pictures,
    over=trained_scenarios,
    depends_on=("X.1", "X.2", "A.5", "I.1"),
    examples=8,
    visits=facts_about_scenario,
)
def the_best_aligned_expert_is_in_the_group(trained: Trained, scenario: Scenario) -> Statement:
    """At T the expert with the largest <theta_m, c_k> is in M_k."""

    def aligned(replicate: Finished, k: int) -> bool:
        _, along_centres = replicate.router
        return int(replicate.group[along_centres[:, k].argmax()]) == k

    failed, met = for_clear_clusters(at_the_end(trained, scenario), aligned)
    return given_clear_gaps(
        rarely(failed, "replicates with a cluster aligned elsewhere"), scenario, met
    )


@claim(
    "A.2",
    kind=Kind.RATE,
    source="Lemma 5.3, with the rate derived from A.6",
    given=given_on(example_ladder, first_whole_run),
    picture=features_along_examples,
    formula=(
        r"\frac{\max_{m,k}|\langle\theta_m,v_k\rangle|}{\max_{m,k}|\langle\theta_m,c_k\rangle|}"
        r"\ \text{small},\qquad "
        r"\frac{\|(\langle\theta_m,v_k\rangle)\|_F}{\|(\langle\theta_m,c_k\rangle)\|_F}"
        r"\ \text{falling with}\ n"
    ),
    over=lambda profile: {
        **along_examples(profile),
        "whole": st.just(*first_whole_run(profile)),
    },
    depends_on=("A.5", "A.6"),
    examples=1,
    visits=facts_about_ladder,
)
def the_router_learns_centres_not_features(
    trained: Trained, scenarios: Sequence[Scenario], whole: Scenario
) -> Statement:
    """max abs(<theta_m, v_k>) / max abs(<theta_m, c_k>) is small, and the ratio of the root mean
    squares falls with n.

    By A.6 the products with features have mean 0, so they are sampling errors, of order n^(-1/2)
    against the products with centres. At T_1 and the largest n the ratio is at most twice the
    sampling error of one step (`sampling_error`): the maximum over M K products is two to three
    standard deviations, which many steps average. At T it is at most 1/2, by design: centres then
    lead whatever the signs. The fall, at least like n^(-1/8), is observed in root mean squares over
    (m, k): a single maximum fluctuates by a factor of 1.4 between replicates, and falls by n^(-1/4)
    from 250 to 4000 in only 83 % of pairs (40 of 48 in a pilot).
    """
    peaks = features_over_centres(trained, largest, scenarios[-1])
    ratios = by_examples(partial(features_over_centres, trained, mean_square), scenarios)
    failed = []
    for replicate in at_the_end(trained, whole):
        along_features, along_centres = (along.abs().amax() for along in replicate.router)
        failed.append(bool(along_features > along_centres / 2))
    level = 2 * sampling_error(scenarios[-1])
    return given_occupied_groups(
        all_of(
            mostly(
                peaks <= level,
                f"replicates with features at most {level:.3g} of their centres at T_1",
            ),
            tends_to_zero(
                ratios, exponent=SURE_FALL, level=level, detail="root mean squares at T_1"
            ),
            rarely(
                np.array(failed),
                "replicates whose features are above half of their centres, at T",
            ),
        ),
        trained,
        *scenarios,
        whole,
    )


@claim(
    "A.3",
    kind=Kind.PROBABILITY,
    source="Lemma 5.3",
    given=GIVEN_CLEAR,
    formula=r"P\left(m(x)\in\mathcal M_k\mid x\in\Omega_k\right)=1-o(1)",
    over=trained_scenarios,
    depends_on=("A.1", "A.2", "R.5"),
    examples=8,
    visits=facts_about_scenario,
)
def clusters_go_to_their_group_of_experts(trained: Trained, scenario: Scenario) -> Statement:
    """At T an x in Omega_k goes to an expert of M_k with probability 1 - o(1), without router noise
    and with it.

    Without noise the expert is argmax h. With noise it is the subject's own noisy choice; besides,
    the exact p_m(h(x)) are summed over M_k. 1 - o(1) is read as at least 0.9 of the fresh examples
    of the cluster.
    """

    def goes(chosen: Callable[[Finished], Tensor], replicate: Finished, k: int) -> bool:
        """Whether ALMOST_ALL of a cluster goes to its group, where `chosen` gives the expert of
        each example, (FRESH,), or the chances of all experts, (M, FRESH)."""
        fresh, member, found = replicate.fresh, replicate.group == k, chosen(replicate)
        to_group = found[member].sum(dim=0) if found.dim() == 2 else member[found].to(fresh.y)
        return float(to_group[fresh.k == k].mean()) >= ALMOST_ALL

    ways: dict[str, Callable[[Finished], Tensor]] = {
        "without noise": lambda r: r.outcome[1],
        "with noise": lambda r: r.noisily_routed,
        "by p": lambda r: routing_probabilities(r.fresh_logits.double()),
    }
    replicates = at_the_end(trained, scenario)
    found = [for_clear_clusters(replicates, partial(goes, chosen)) for chosen in ways.values()]
    statement = all_of(
        *(
            rarely(failed, f"replicates where a cluster goes elsewhere, {way}")
            for way, (failed, _) in zip(ways, found, strict=True)
        )
    )
    return given_clear_gaps(statement, scenario, found[0][1])


@claim(
    "A.4",
    kind=Kind.RATE,
    source="Lemma 5.3; section 6 for the definition",
    given=GIVEN_TRAINED,
    formula=r"\sum_m\frac{n_m}{n}\,H(k\mid m)\to 0",
    over=trained_scenarios,
    depends_on=("A.3",),
    examples=8,
    visits=facts_about_scenario,
)
def the_dispatch_entropy_vanishes(trained: Trained, scenario: Scenario) -> Statement:
    """The dispatch entropy tends to 0: along training it falls from log K, with all examples at one
    expert, to below 0.05 at T.

    At reachable sizes it is exactly 0 in most replicates at T, so no rate along d can be observed.
    For comparison with 0.05 nats: if every expert had two clusters, the smaller with 1 % of the
    examples, the entropy would be 0.056. The start is log K up to the frequencies of the clusters
    in the sample, which lower it by (K - 1) / (2 n) in the mean: above 0.99 log K.
    """
    log_K = float(np.log(scenario.problem.K))
    starts = np.array([r.entropy < 0.99 * log_K for r in finished(trained, scenario, 0)])
    ends = np.array([r.entropy > 0.05 for r in at_the_end(trained, scenario)])
    statement = all_of(
        rarely(starts, "replicates that start below 0.99 log K"),
        rarely(ends, "replicates with dispatch entropy above 0.05"),
    )
    return given_occupied_groups(statement, trained, scenario)


@claim(
    "A.5",
    kind=Kind.RATE,
    source="derived from Algorithm 1 at h = 0",
    given=given_on(exploration_ladder, example_ladder, around_the_ladder),
    formula=(
        r"\langle\theta_m,c_k\rangle\approx\frac{\eta_r\,\mathbb E[\beta]\,\mathbb"
        r" E[\alpha^3]}{2M^2K}\sum_t"
        r"\Bigl(A_{mk}^{(t)}-\overline{A_{\cdot k}^{(t)}}\Bigr),\qquad A_{mk}=\sum_j a_{mjk}^3"
    ),
    picture=mechanism_pictures,
    over=with_other(
        lambda profile: {**along_dimensions(profile), "more": st.just(example_ladder(profile))}
    ),
    depends_on=("E.1", "E.2", "E.3", "G.3", "G.8", "R.7", "R.8"),
    examples=4,
    visits=facts_about_ladder,
)
def the_router_follows_what_experts_learn(
    trained: Trained,
    scenarios: Sequence[Scenario],
    more: Sequence[Scenario],
    other: Scenario,
) -> Statement:
    """Up to T_1, <theta_m, c_k> follows eta_r E[beta] E[alpha^3] / (2 M^2 K) sum_t (A_mk(t) - mean
    over m' of A_m'k(t)).

    With h = 0 the gate is 1/M and the slope of the loss -1/2, and only A_mk alpha^3 of y f_m(x)
    survives the mean over signs. The residual at T_1, relative in norm over (m, k), is at most 1.5
    times the sampling error of one step (`sampling_error`) at every d, K, M and law, and falls at
    least like n^(-1/8) in pairs of replicates (`SURE_FALL`). The slope of the simulated products on
    those of the law is within 0.1 of 1 at every d. (The neglected terms are of relative order
    sigma_0^2: those of h in the gate, and of the margin in the slope of the loss.)
    """
    along_n = by_examples(partial(residual, trained), more)
    along_d = by_size(partial(residual, trained), scenarios)
    slopes = [
        mostly(
            np.abs(slope(trained, s) - 1) <= 0.1,
            f"replicates with a slope within 0.1 of 1 at d = {s.problem.d}",
        )
        for s in scenarios
    ]
    elsewhere = residual(trained, other) > 1.5 * sampling_error(other)
    errors = by_size(lambda s: 1.5 * sampling_error(s), scenarios)
    return given_occupied_groups(
        all_of(
            tends_to_zero(
                along_n,
                exponent=SURE_FALL,
                level=1.5 * sampling_error(more[-1]),
                detail="along n",
            ),
            at_most_of_order(
                along_d, scale=errors.__getitem__, constant=1.0, drift=2.0, detail="along d"
            ),
            rarely(
                elsewhere,
                f"replicates beyond 1.5 times the sampling error at K = {other.problem.K}",
            ),
            *slopes,
        ),
        trained,
        *scenarios,
        *more,
        other,
    )


@claim(
    "A.6",
    kind=Kind.LAW,
    source="derived from G.4 and G.6",
    given=given_on(many_replicates, hypotheses="E_init, which the symmetry preserves"),
    formula=(
        r"\langle\theta_m,v_k\rangle\ \text{and}\ \langle w_{mj},c_k\rangle\ \text{are symmetric"
        r" about}\ 0"
    ),
    over=lambda profile: {"scenario": st.sampled_from(many_replicates(profile))},
    depends_on=("G.4", "G.6", "D.2"),
    examples=8,
    visits=facts_about_scenario,
)
def what_is_not_learned_is_symmetric(trained: Trained, scenario: Scenario) -> Statement:
    """<theta_m, v_k> and <w_mj, c_k> are symmetric about 0 over replicates at T_1, as at every t,
    for every n and d.

    Reflecting all v_k and flipping all labels maps the law of the data to itself. Training commutes
    with this map if W is reflected and its sign flipped (G.4, G.6): all a_mjk, and so all groups,
    stay the same; Theta is reflected; W is reflected and flipped. So a quantity that is odd under
    the map has a symmetric law. The sign tests are exact and use one value per replicate at T_1:
    the mean over k of <theta_m, v_k>, and of max_j <w_mj, c_k> + min_j <w_mj, c_k>, each at the
    expert m with the largest initial score max_j a_mjk of cluster k.
    """
    router, experts = [], []
    for replicate in finished(trained, scenario, scenario.hyper.T_1):
        along_features, _ = replicate.router
        along_centres = replicate.at.W @ replicate.signals.centres.mT  # (M, J, K)
        leader = replicate.start.amax(dim=1).argmax(dim=0)  # of each cluster, (K,)
        clusters = torch.arange(len(leader))
        router.append(float(along_features[leader, clusters].mean()))
        products = along_centres[leader, :, clusters]
        experts.append(float((products.amax(dim=1) + products.amin(dim=1)).mean()))
    statement = all_of(
        positive_half_of_the_time(np.array(router), "<theta_m, v_k> at T_1"),
        positive_half_of_the_time(np.array(experts), "<w_mj, c_k> at T_1"),
    )
    return given_occupied_groups(statement, trained, scenario)
