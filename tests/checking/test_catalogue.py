"""The catalogue of claims: every id of the theory once, and a dependency graph that makes sense."""

import importlib
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import theory_checks
from theory_checks.checking.claim import CLAIM_IDS, SUPPLEMENT_IDS, THEORY_IDS, Claim

MODULES = sorted(path.stem for path in Path(theory_checks.__file__).parent.glob("test_*.py"))
CLAIMS = [
    value
    for name in MODULES
    for value in vars(importlib.import_module(f"theory_checks.{name}")).values()
    if isinstance(value, Claim) and value.check.__module__ == f"theory_checks.{name}"
]


def test_every_id_is_claimed_exactly_once() -> None:
    assert Counter(claim.id for claim in CLAIMS) == Counter(CLAIM_IDS)


def test_the_theory_has_48_claims_and_each_group_counts_from_1() -> None:
    assert len(THEORY_IDS) == 48
    assert not set(THEORY_IDS) & set(SUPPLEMENT_IDS)
    for group in {id[0] for id in CLAIM_IDS}:
        numbers = [int(id[2:]) for id in CLAIM_IDS if id[0] == group]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


def test_dependencies_are_claims_and_have_no_cycle() -> None:
    graph = {claim.id: claim.depends_on for claim in CLAIMS}
    assert {id for wanted in graph.values() for id in wanted} <= set(CLAIM_IDS)
    assert len(list(TopologicalSorter(graph).static_order())) == len(CLAIM_IDS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_says_what_it_says_and_where_it_stands(claim: Claim) -> None:
    assert claim.statement.endswith(".") or claim.statement.endswith(")")
    assert claim.source
