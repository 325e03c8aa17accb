"""Which changes to a claim make two runs incomparable."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from theory_checks import evidence
from theory_checks.checking.claim import Claim
from theory_checks.checking.profiles import QUICK
from theory_checks.checking.registry import built_in, claim_hash, described
from theory_checks.experiments import controls, inputs, scenarios

SOURCE = '''
from hypothesis import strategies as st
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import at_most

@claim(
    "R.1",
    kind=Kind.EXACT,
    source="Lemma 1",
    given="x > 0",
    over={"x": st.integers(1, 9)},
    examples=50,
    formula='y',
)
def small(x):
    """x is small.

    By inspection.
    """
    return at_most(x, 9)
'''


def hashed(claim: Claim) -> str:
    return claim_hash(claim, QUICK)


def claim_in(text: str, directory: Path) -> Claim:
    """The claim that the source defines."""
    path = directory / f"module_{abs(hash(text))}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Claim = module.small
    return found


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("    return", "    # why\n    return", True),
        ("at_most(x, 9)", "at_most(\n        x, 9\n    )", True),
        ("By inspection", "Because it is", True),
        ("formula='y'", "formula='x', visits=lambda x: {}, depends_on=('R.2',)", True),
        ('"Lemma 1"', '"Lemma 2"', True),
        ('"R.1"', '"R.2"', False),
        ("EXACT", "LAW", False),
        ("x > 0", "x >= 0", False),
        ("x is small", "x is tiny", False),
        ("at_most(x, 9)", "at_most(x, 10)", False),
        ("integers(1, 9)", "integers(1, 8)", False),
        ("examples=50", "examples=60", False),
    ],
)
def test_what_is_claimed_and_how_it_is_checked_count(
    old: str, new: str, same: bool, tmp_path: Path
) -> None:
    assert old in SOURCE
    before, after = claim_in(SOURCE, tmp_path), claim_in(SOURCE.replace(old, new), tmp_path)
    assert (hashed(before) == hashed(after)) == same


def test_the_version_of_the_evidence_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claim_in(SOURCE, tmp_path)
    before = hashed(claim)
    monkeypatch.setattr(evidence, "VERSION", "another")
    assert hashed(claim) != before


def test_every_claim_has_a_hash_of_its_own() -> None:
    claims = built_in()
    assert len(set(map(hashed, claims.values()))) == len(claims)
    assert {described(claim, QUICK).hash for claim in claims.values()} == set(
        map(hashed, claims.values())
    )


@pytest.mark.parametrize("claim_id", ["E.4", "L.1", "A.5", "C.1", "X.2"])
def test_the_size_of_the_scenarios_counts(claim_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = built_in()[claim_id]
    before = hashed(claim)
    assert hashed(claim) == before
    build = scenarios.ladder
    for module in (scenarios, inputs, controls):
        monkeypatch.setattr(
            module,
            "ladder",
            lambda *args, **named: replace(build(*args, **named), replicates=99),
            raising=False,
        )
    assert hashed(claim) != before


def test_scenarios_that_print_as_addresses_do_not_make_a_claim_incomparable(tmp_path: Path) -> None:
    text = SOURCE.replace(
        'over={"x": st.integers(1, 9)}', 'over=lambda profile: {"x": st.just(object())}'
    )
    claim = claim_in(text, tmp_path)
    assert hashed(claim) == hashed(claim)
