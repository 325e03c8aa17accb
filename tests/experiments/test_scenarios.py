"""The sizes that each profile promises, and the regime of the theory that every scenario keeps
to."""

import pytest

from theory_checks.checking.profiles import DEEP, PROFILES, STANDARD
from theory_checks.experiments.scenarios import (
    Scenario,
    around_the_ladder,
    around_the_whole_runs,
    example_ladder,
    exploration_ladder,
    facts_about,
    whole_runs,
)

LADDERS = (exploration_ladder, example_ladder, around_the_ladder)
WHOLE = (whole_runs, around_the_whole_runs)


def replicates_by_dimension(scenarios: list[Scenario]) -> dict[int, int]:
    return {scenario.problem.d: scenario.replicates for scenario in scenarios}


@pytest.mark.parametrize(
    ("scenarios", "profile", "promised"),
    [
        (exploration_ladder, STANDARD, {64: 32, 128: 32, 256: 32}),
        (whole_runs, STANDARD, {64: 32, 128: 8}),
        (exploration_ladder, DEEP, {64: 32, 128: 32, 256: 32, 1024: 32, 4096: 1}),
        (whole_runs, DEEP, {64: 32, 128: 8, 256: 8, 1024: 8}),
    ],
)
def test_dimensions_have_the_promised_replicates(scenarios, profile, promised):
    found = replicates_by_dimension(scenarios(profile))
    assert list(found) == list(promised), "dimensions"
    assert all(found[d] >= least for d, least in promised.items()), found


def test_deep_goes_up_to_ten_clusters():
    assert max(scenario.problem.K for scenario in around_the_ladder(DEEP)) == 10


@pytest.mark.parametrize("profile", PROFILES.values(), ids=str)
def test_every_scenario_is_in_the_regime(profile):
    """M >= 2K, J >= 6, sigma_0 = d^(-1/3), eta_r = M^2 eta, training to T_1 or to several times
    1/eta."""
    explored = [scenario for scenarios in LADDERS for scenario in scenarios(profile)]
    trained = [scenario for scenarios in WHOLE for scenario in scenarios(profile)]
    for scenario in explored + trained:
        problem, hyper = scenario.problem, scenario.hyper
        assert hyper.M >= 2 * problem.K, scenario
        assert hyper.J >= 6, scenario
        assert hyper.sigma_0 == pytest.approx(problem.d ** (-1 / 3)), scenario
        assert hyper.eta_r == pytest.approx(hyper.M**2 * hyper.eta), scenario
    assert all(
        s.hyper.T == s.hyper.T_1 and s.hyper.eta == pytest.approx(s.hyper.sigma_0 / 50)
        for s in explored
    )
    assert all(s.hyper.T * s.hyper.eta >= 5.9 for s in trained)


def test_deep_keeps_to_the_rates_and_examples_of_the_theory():
    """eta = sigma_0/50, n >= max(4000, 4 d) with K = 4 and M = 8, otherwise n >= 125 M K; the
    example ladder varies n."""
    for scenarios in (exploration_ladder, around_the_ladder, *WHOLE):
        for scenario in scenarios(DEEP):
            problem, hyper = scenario.problem, scenario.hyper
            assert hyper.eta == pytest.approx(hyper.sigma_0 / 50)
            assert hyper.n >= (
                max(4000, 4 * problem.d)
                if (problem.K, hyper.M) == (4, 8)
                else 125 * hyper.M * problem.K
            )


@pytest.mark.parametrize("profile", PROFILES.values(), ids=str)
def test_ladders_grow(profile):
    for scenarios in (exploration_ladder, whole_runs):
        dimensions = [scenario.problem.d for scenario in scenarios(profile)]
        assert dimensions == sorted(set(dimensions))
    examples = [scenario.hyper.n for scenario in example_ladder(profile)]
    assert examples == sorted(set(examples))


def test_facts_are_numbers_of_the_first_scenario_among_the_inputs():
    first, second = exploration_ladder(STANDARD)[:2]
    facts = facts_about("d", "n", "T_1", "replicates")(which=3, scenario=first, other=second)
    assert facts == {
        "d": first.problem.d,
        "n": first.hyper.n,
        "T_1": first.hyper.T_1,
        "replicates": first.replicates,
    }
