"""Profiles: one table, from which sizes and the texts about them follow."""

from dataclasses import replace

import pytest

from theory_checks.checking.claim import Claim
from theory_checks.checking.profiles import PROFILES, QUICK, STANDARD, named
from theory_checks.checking.registry import built_in, described
from theory_checks.checking.run import Run
from theory_checks.checking.search import check
from theory_checks.experiments.scenarios import in_words, other_point, whole_runs

TINY = replace(
    QUICK,
    name="tiny",
    inputs=0.1,
    whole_runs=((48, 700, 8, 12),),
    exploration=((48, 700, 8), (96, 700, 8)),
    replicates=9,
    control_replicates=9,
    examples=(200, 2000),
    parallel=(200, 700),
    published=(900, 6, 200),
    two_clusters=(1000, 13, 25),
    coarse_replicates=105,
    symmetric_replicates=65,
)


@pytest.mark.parametrize("claim", built_in().values(), ids=lambda claim: claim.id)
def test_a_new_row_of_the_table_is_all_that_a_new_profile_takes(claim: Claim) -> None:
    record = described(claim, TINY)
    assert record.hash
    if claim.trains:
        assert record.given != described(claim, QUICK).given
    if callable(claim.over):
        assert claim.over(TINY).keys() == claim.over(QUICK).keys()


def test_claims_are_checked_with_the_sizes_of_a_new_profile(run: Run) -> None:
    record = check(built_in()["R.8"], replace(run, profile=TINY))
    assert record.verdict == "holds"
    assert record.examples < 0.5 * check(built_in()["R.8"], run).examples


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    assert named("quick") is QUICK
    with pytest.raises(ValueError, match="profile 'fast': there are quick, standard, deep"):
        named("fast")


def test_profiles_have_the_names_they_are_listed_under() -> None:
    assert all(profile.name == str(profile) == name for name, profile in PROFILES.items())


def test_sizes_are_told_once_where_runs_share_them() -> None:
    first, second = whole_runs(STANDARD)
    assert in_words([first]) == (
        "K = 4, d = 64, P = 4, M = 8, J = 8, n = 1500, sigma_0 = d^(-1/3), sigma_0/eta = 32,"
        " eta_r = M^2 eta, T = 8/eta, replicates = 32"
    )
    assert in_words([first, second]) == (
        "K = 4, P = 4, M = 8, J = 8, n = 1500, sigma_0 = d^(-1/3), eta_r = M^2 eta, T = 8/eta;"
        " (d, sigma_0/eta, replicates) = (64, 32, 32), (128, 50, 8)"
    )
    longer = replace(first, hyper=replace(first.hyper, T=2 * first.hyper.T))
    assert in_words([first, longer]).endswith("; T = 8/eta, 16/eta")
    assert "T = T_1" in in_words([other_point(2, 1500, 8)])
