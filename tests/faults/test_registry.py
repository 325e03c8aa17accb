"""The registry of faults: what each is, and that together they break every part."""

import ast
from pathlib import Path

import pytest

import theory_checks
from core import PAPER
from theory_checks.checking.registry import declared_ids
from theory_checks.checking.run import load_subject
from theory_checks.faults import (
    FAMILIES,
    FAULTS,
    Fault,
    data,
    experts,
    gate,
    initialisation,
    loss,
    routing,
    updates,
)
from theory_checks.faults.fault import fault

MODULES = (data, initialisation, routing, gate, experts, updates, loss)


def test_there_are_many_and_no_name_is_used_twice() -> None:
    assert len(FAULTS) == sum(len(module.FAULTS) for module in MODULES)
    assert len(FAULTS) >= 40


@pytest.mark.parametrize("found", FAULTS.values(), ids=lambda found: found.name)
def test_a_fault_says_what_is_wrong_and_who_must_notice(found: Fault) -> None:
    assert found.name == found.name.upper()
    assert found.wrong.endswith(".")
    assert set(found.noticed_by) <= set(declared_ids())
    assert found.broken, "it is the paper's subject"
    assert all(found.about(id) for id in found.noticed_by[:1])
    assert load_subject(f"theory_checks.faults:{found.name}") is found.subject


def test_every_family_and_every_ingredient_is_hit() -> None:
    assert {found.family for found in FAULTS.values()} == set(FAMILIES)
    assert {name for found in FAULTS.values() for name in found.broken} == set(vars(PAPER))
    assert {found.family for found in FAULTS.values() if found.representative} == set(FAMILIES)


def test_a_fault_needs_either_a_claim_or_a_reason() -> None:
    for claims, reason in (((), ""), (("D.1",), "it does not matter")):
        with pytest.raises(ValueError, match="needs either claims that notice it or a reason"):
            fault("data", "NAME", "Wrong.", *claims, equivalent=reason)
    with pytest.raises(ValueError, match="no family 'cats'"):
        fault("cats", "NAME", "Wrong.", "D.1")


def test_no_such_fault() -> None:
    with pytest.raises(ValueError, match="has no 'NOBODY'"):
        load_subject("theory_checks.faults:NOBODY")


def test_no_claim_compares_with_the_paper_s_subject() -> None:
    folder = Path(theory_checks.__file__).parent
    for path in folder.glob("*.py"):
        named = {
            node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)
        }
        imported = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        assert "PAPER" not in named | imported, path
