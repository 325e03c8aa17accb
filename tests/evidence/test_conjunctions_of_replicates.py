"""Conjunctions over replicates divide alpha by themselves: with any number of replicates they
can say *violated*, at the level of a search and at that of a decision."""

from collections.abc import Callable

import numpy as np
import pytest
from synthetic import stream

from theory_checks.evidence import (
    HypothesesNotMet,
    Statement,
    Verdict,
    all_of,
    at_most,
    frequency_at_least,
    frequency_at_most,
    given,
)

SEARCH, DECIDE = 1e-3, 1e-6 / 37
REPLICATES = range(8, 129)
Member = Callable[[int], Statement]


AGAINST: dict[str, tuple[Member, float, int]] = {  # all of n speak against it; its rate; its events
    "at most": (lambda n: frequency_at_most(0.02, np.ones(n)), 0.02, 1),
    "at least": (lambda n: frequency_at_least(0.95, np.zeros(n)), 0.05, 1),
    "half": (lambda n: frequency_at_most(0.5, np.ones(n), resolution=0.35), 0.5, 1),
    "a sixth": (lambda n: frequency_at_least(1 / 6, np.zeros(n)), 5 / 6, 1),
}


@pytest.mark.parametrize("alpha", [SEARCH, DECIDE])
@pytest.mark.parametrize("members", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("name", AGAINST)
def test_it_says_violated_wherever_replicates_suffice(
    name: str, members: int, alpha: float
) -> None:
    """The only other answer is that they are too few to refute anything."""
    make, rate, events = AGAINST[name]
    suffices = []
    for n in REPLICATES:
        statement = all_of(at_most(1, 2), *[make(n)] * members)
        suffices.append(rate**n <= alpha / members / events)
        try:
            needed = statement.samples_needed(alpha)
            found = statement.judge(stream(n), alpha, needed)
        except HypothesesNotMet:
            assert not suffices[-1]
        else:
            assert suffices[-1]
            assert found.verdict is Verdict.VIOLATED
    assert any(suffices) == (rate**128 <= alpha / members / events)


@pytest.mark.parametrize("alpha", [SEARCH, DECIDE])
def test_conjunctions_of_conjunctions_of_all_kinds_do_too(alpha: float) -> None:
    for n in REPLICATES:
        kinds = [make(n) for make, rate, _ in AGAINST.values() if rate <= 0.05]
        inner = given(all_of(*kinds[::-1]), met=n, tried=n, hypotheses="E")
        statement = all_of(all_of(*kinds), inner, kinds[0])
        found = statement.judge(stream(n), alpha, statement.samples_needed(alpha))
        assert found.verdict is Verdict.VIOLATED


def test_alpha_is_divided_evenly_over_the_members_that_sample() -> None:
    two = [frequency_at_most(0.02, np.zeros(16)), frequency_at_most(0.02, np.zeros(32))]
    found = all_of(at_most(1, 2), *two, all_of(*two)).judge(stream(0), DECIDE, 1000)
    leaves = dict(found.leaves())
    alphas = {name: leaf.false_alarm / DECIDE for name, leaf in leaves.items()}
    assert alphas == pytest.approx(
        {".1": 0, ".2": 1 / 3, ".3": 1 / 3, ".4.1": 1 / 6, ".4.2": 1 / 6}
    )
