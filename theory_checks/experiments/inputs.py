"""Inputs of the claims about training, in words too, and what to count about those visited."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from core import Hyperparameters, Problem, Uniform
from theory_checks.checking.claim import Inputs
from theory_checks.checking.profiles import Profile
from theory_checks.experiments.replicates import CLEAR_GAP
from theory_checks.experiments.scenarios import (
    Scenario,
    around_the_ladder,
    around_the_whole_runs,
    at_fineness,
    at_rate,
    example_ladder,
    exploration_ladder,
    facts_about,
    given_on,
    ladder,
    point_of,
    quantity,
    two_clusters,
    whole_runs,
    with_examples,
)


def along_dimensions(profile: Profile) -> Inputs:
    """The ladder of dimensions, as one input."""
    return {"scenarios": st.just(exploration_ladder(profile))}


def along_examples(profile: Profile) -> Inputs:
    """The ladder of numbers of training examples, as one input."""
    return {"scenarios": st.just(example_ladder(profile))}


def ladder_and_around(profile: Profile) -> Inputs:
    """The ladder of dimensions and the points around it, as one input: one test pools them."""
    return {**along_dimensions(profile), "around": st.just(around_the_ladder(profile))}


def both_ladders_and_around(profile: Profile) -> Inputs:
    """These, and the ladder of numbers of training examples."""
    return {**ladder_and_around(profile), "more": st.just(example_ladder(profile))}


def many_experts(profile: Profile) -> list[Scenario]:
    """Twelve experts for two clusters, more than the quick profile has elsewhere up to T_1: cheap,
    as T_1 has few steps."""
    point = at_fineness(ladder(Problem(K=2, d=48), 1000, 8, M=12), 25, 8.0)
    return [point.with_hyper(T=point.hyper.T_1)]


def both_ladders_and_all_around(profile: Profile) -> Inputs:
    """`both_ladders_and_around`, and the point with many experts."""
    return {**both_ladders_and_around(profile), "many": st.just(many_experts(profile))}


def fine_steps(profile: Profile) -> list[Scenario]:
    """The points of the ladder with d <= 256, where eta sqrt(d)/sigma_0 is at most 16/50."""
    return [point for point in exploration_ladder(profile) if point.problem.d <= 256]


def early_points(profile: Profile) -> list[Scenario]:
    """The two smallest points of the ladder and those around it."""
    return [*exploration_ladder(profile)[:2], *around_the_ladder(profile)]


def facts_about_points(**scenarios: Any) -> Mapping[str, Any]:
    """Of all points of a claim: what tells them apart, and their replicates."""
    groups = (group if isinstance(group, Sequence) else [group] for group in scenarios.values())
    points = dict.fromkeys(
        point for group in groups for point in group if isinstance(point, Scenario)
    )
    return {
        "points": "; ".join(map(point_of, points)),
        "replicates": sum(point.replicates for point in points),
    }


def facts_about_ladder(
    scenarios: Sequence[Scenario], other: Scenario | None = None, **_: Any
) -> Mapping[str, Any]:
    found = {
        **{name: ", ".join(str(quantity(s, name)) for s in scenarios) for name in ("d", "n")},
        "replicates": min(s.replicates for s in scenarios),
    }
    if other is None:
        return found
    sizes = ", ".join(f"{name} = {quantity(other, name)}" for name in "KMJP")
    return {**found, "around the ladder": f"{sizes}, D_alpha = D_gamma = {other.problem.alpha}"}


def first_to_explore(profile: Profile) -> list[Scenario]:
    """The ladder's first point."""
    return exploration_ladder(profile)[:1]


def several_K(profile: Profile) -> list[Scenario]:
    """The ladder's first point and the points around it, which differ in K, M, J, P, d and the
    laws."""
    return [exploration_ladder(profile)[0], *around_the_ladder(profile)]


def from_few_examples(profile: Profile) -> list[Scenario]:
    """n = d = 64 training examples, and the most that the example ladder has.

    From 250 to 4000 the mean over experts falls in only 90 % of pairs of replicates, because it
    depends so strongly on the gaps of both.
    """
    last = example_ladder(profile)[-1]
    return [ladder(last.problem, last.problem.d, last.replicates), last]


def to_the_end(profile: Profile) -> list[Scenario]:
    """The whole training runs of the profile."""
    return [*whole_runs(profile), *around_the_whole_runs(profile), two_clusters(profile)]


def trained_scenarios(profile: Profile) -> Inputs:
    """The whole training runs of the profile, all points as one input: one test pools them."""
    return {"scenarios": st.just(to_the_end(profile))}


def in_any_case(profile: Profile) -> list[Scenario]:
    """What N.8 tries: eight experts for two clusters, and for those of the ladder's first point
    where enough replicates are trained there."""
    first = whole_runs(profile)[0]
    return [two_clusters(profile), *([first] if first.replicates >= 32 else [])]


def many_replicates(profile: Profile) -> list[Scenario]:
    """Small problems at eta = sigma_0/16, of which many replicates are cheap; the symmetry holds
    for every n, d and eta."""
    replicates = profile.symmetric_replicates
    points = (
        ladder(Problem(K=4, d=16), 100, replicates),
        ladder(Problem(K=3, d=64), 250, replicates, M=6),
    )
    return [at_fineness(point, 16, point.hyper.sigma_0**0.5) for point in points]


facts_about_scenario = facts_about("K", "d", "n", "replicates")
GIVEN_TRAINED = given_on(to_the_end)
GIVEN_CLEAR = given_on(
    to_the_end,
    hypotheses=f"E_init; clusters whose best cluster gap in M_k is at least {CLEAR_GAP}",
)


def frozen_router(profile: Profile) -> list[Scenario]:
    """A ladder of numbers of training examples at d = 64, trained to T_1 with eta_r = 0."""
    return [point.with_hyper(eta_r=0.0) for point in with_examples(profile, profile.parallel)]


def published_setting(profile: Profile) -> list[Scenario]:
    """Setting 1 of the paper's experiments: d = 50, M = 8, J = 16, gamma ~ Unif[0.5, 3], with
    Algorithm 1 to T = 5/eta.

    It takes 250 steps, or 500 in the deep profile, since the claim does not concern groups. At n =
    1000 the claim was true of all 40 pilot replicates either way; with 200 steps it was false of
    two, and at n = 600 of one.
    """
    problem = Problem(K=4, d=50, P=4, gamma=Uniform(0.5, 3.0), C2=3.0)
    n, replicates, T = profile.published
    hyper = Hyperparameters(M=8, J=16, n=n, sigma_0=0.05, eta=5 / T, eta_r=8**2 * 5 / T, T=T)
    return [Scenario(problem, hyper, replicates)]


def single_and_mixture(profile: Profile) -> list[Scenario]:
    """A single expert and an MoE with twice as many filters, at eta = sigma_0/12.5 to T = 6/eta,
    since the claim does not concern groups.

    With 16 filters, or trained to 4/eta, one single expert in twenty or forty kept an error above 1
    % in a pilot.
    """
    mixture = ladder(Problem(K=4, d=64), 500, profile.control_replicates)
    mixture = at_rate(mixture, 4 * mixture.hyper.eta, 6.0)
    single = mixture.with_hyper(M=1, J=32, eta_r=mixture.hyper.eta)
    return [replace(single, given_occupied_groups=False), mixture]
