"""Which changes to a claim make two runs incomparable."""

import importlib.util
from pathlib import Path

import pytest

from theory_checks import evidence
from theory_checks.catalogue import catalogue, claim_hash, described
from theory_checks.claims import Claim

SOURCE = '''
from hypothesis import strategies as st
from theory_checks.claims import Kind, claim
from theory_checks.evidence import at_most

@claim(
    "R.1",
    kind=Kind.EXACT,
    source="Lemma 1",
    given="x > 0",
    over={"x": st.integers(1, 9)},
    examples=50,
    cost=2,
)
def small(x):
    """x is small.

    By inspection.
    """
    return at_most(x, 9)
'''


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
        ("cost=2", "cost=3, formula='x', visits=lambda x: {}, depends_on=('R.2',)", True),
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
def test_what_is_claimed_and_how_it_is_checked_count(old: str, new: str, same: bool, tmp_path: Path) -> None:
    assert old in SOURCE
    before, after = claim_in(SOURCE, tmp_path), claim_in(SOURCE.replace(old, new), tmp_path)
    assert (claim_hash(before) == claim_hash(after)) == same


def test_the_version_of_the_evidence_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = claim_in(SOURCE, tmp_path)
    before = claim_hash(claim)
    monkeypatch.setattr(evidence, "VERSION", "another")
    assert claim_hash(claim) != before


def test_every_claim_has_a_hash_of_its_own() -> None:
    claims = catalogue()
    assert len({claim_hash(claim) for claim in claims.values()}) == len(claims)
    assert {described(claim).hash for claim in claims.values()} == set(map(claim_hash, claims.values()))
