"""Cells: outcomes, what their keys depend on, and that what is known is not computed again."""

import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core import PAPER
from theory_checks.checking import fingerprint
from theory_checks.checking.claim import DEFAULT_SUBJECT
from theory_checks.checking.workers import Workers
from theory_checks.faults import FAULTS, cells
from theory_checks.faults.cells import Cell, Result, Store, check_cell, completed, key
from theory_checks.faults.matrix import untouched

CELL = Cell("theory_checks.faults:GATE_ONE", "R.8", "quick", 1)


def raising(h: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("no gate today")


RAISING = replace(PAPER, gate=raising)


def test_outcomes(tmp_path: Path) -> None:
    assert check_cell(CELL, tmp_path).outcome == "killed"
    assert check_cell(replace(CELL, claim="R.7"), tmp_path) == Result("survived")
    crashed = check_cell(Cell("test_cells:RAISING", "R.8", "quick", 1), tmp_path)
    assert (crashed.outcome, crashed.detail) == (
        "error",
        "gate raised RuntimeError: no gate today",
    )


def test_cells_say_which_ingredients_of_the_paper_s_subject_were_used(tmp_path: Path) -> None:
    def used(claim_id: str) -> tuple[str, ...]:
        return check_cell(Cell(DEFAULT_SUBJECT, claim_id, "quick", 1), tmp_path).used

    assert used("R.8") == ("gate",)
    assert used("I.3") == ("initialise_router",)
    assert "loss" in used("G.8")  # also by its method `slope`
    assert used("A.6") == tuple(sorted(vars(PAPER)))  # whatever an earlier claim had trained
    assert check_cell(CELL, tmp_path).used == ()


def test_a_claim_that_calls_nothing_broken_finds_what_it_finds_of_the_paper(tmp_path: Path) -> None:
    healthy = check_cell(Cell("core:PAPER", "R.4", "quick", 1), tmp_path)
    assert untouched(FAULTS["GATE_ONE"], healthy)
    assert not untouched(FAULTS["ARGMIN"], healthy)
    assert not untouched(FAULTS["GATE_ONE"], replace(healthy, outcome="error"))
    found = check_cell(Cell("theory_checks.faults:GATE_ONE", "R.4", "quick", 1), tmp_path)
    assert found == replace(healthy, used=())


@pytest.fixture
def no_hashes() -> Iterator[None]:
    yield
    cells.subject_hash.cache_clear()
    cells.column_hash.cache_clear()


def edited(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets one function seem to be another, for hashes computed from now on."""
    described, function = fingerprint._described, pkgutil.resolve_name(part)
    cells.subject_hash.cache_clear()
    cells.column_hash.cache_clear()
    monkeypatch.setattr(
        fingerprint,
        "_described",
        lambda value: ("edited", ()) if value is function else described(value),
    )


@pytest.mark.usefixtures("no_hashes")
@pytest.mark.parametrize(
    ("part", "claim_id", "changed"),
    [
        ("theory_checks.faults.gate.softmax_gate", "R.8", (True, False)),
        ("theory_checks.evidence.equal", "R.8", (False, True)),
        ("theory_checks.evidence.equal", "R.5", (False, False)),
        ("core.training.train", "A.6", (False, True)),
        ("core.training.train", "R.8", (False, False)),
    ],
)
def test_the_key_depends_on_subject_claim_and_core(
    part: str, claim_id: str, changed: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell("theory_checks.faults:GATE_COLDER", claim_id, "quick", 1)
    before = key(cell)
    edited(part, monkeypatch)
    assert tuple(a != b for a, b in zip(key(cell), before, strict=True)) == changed


STORED = {
    CELL: Result("killed", float("inf"), 120, "why"),
    replace(CELL, claim="R.7"): Result(),
    replace(CELL, claim="R.7", seed=2): Result("error", detail="<boom>"),
    replace(CELL, subject=DEFAULT_SUBJECT): Result(used=("gate",)),
    replace(CELL, profile="standard"): Result("inconclusive", float("nan"), 3),
}


def stored(path: Path) -> Store:
    store = Store(path)
    store.results |= STORED
    store.save()
    return store


def test_a_store_finds_what_was_saved(tmp_path: Path) -> None:
    path = stored(tmp_path / "cells.json").path
    text = path.read_text()
    assert repr(Store(path).results) == repr(STORED)  # NaN is not equal to itself
    assert Store(path).stale == []
    Store(path).save()
    assert path.read_text() == text
    assert len([line for line in text.splitlines() if '"subject"' in line]) == 4
    assert '"R.7":{}' in text


def test_what_is_gone_or_of_another_version_is_stale_and_is_forgotten(tmp_path: Path) -> None:
    path = stored(tmp_path / "cells.json").path
    text = path.read_text()
    of_fault, of_claim = key(CELL)
    for old, new, stale in (
        (of_fault, "0" * 16, [c for c in STORED if c.subject == CELL.subject]),
        (of_claim, "0" * 16, [c for c in STORED if c.claim == CELL.claim]),
        ("GATE_ONE", "GATE_NONE", [c for c in STORED if c.subject == CELL.subject]),
        ('"R.7"', '"Q.7"', [c for c in STORED if c.claim == "R.7"]),
        ('"standard"', '"lazy"', [replace(CELL, profile="standard")]),
    ):
        path.write_text(text.replace(old, new))
        store = Store(path)
        assert len(store.stale) == len(stale), old
        assert set(store.results) == set(STORED) - set(stale), old
        store.save()
        assert Store(path).stale == []


@pytest.mark.parametrize("text", ["", "[]", '{"claims": {}}', '{"claims": {}, "rows": [{}]}'])
def test_a_file_without_results_is_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cells.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"cells\.json: has no results of checks"):
        Store(path)


def test_an_interrupted_run_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[tuple[Cell, Result]]:
        yield CELL, Result("killed")
        raise KeyboardInterrupt

    monkeypatch.setattr(cells, "computed", interrupted)
    path = tmp_path / "cells.json"
    with Workers(1) as workers, pytest.raises(KeyboardInterrupt):
        completed([CELL, replace(CELL, claim="R.7")], Store(path), workers, None, "test")
    assert Store(path).results == {CELL: Result("killed")}


def test_only_what_is_missing_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Cell] = []

    def computed(
        missing: list[Cell], workers: Workers, limit: float | None
    ) -> Iterator[tuple[Cell, Result]]:
        asked.extend(missing)
        return ((cell, Result("survived")) for cell in missing)

    monkeypatch.setattr(cells, "computed", computed)
    store, other = Store(tmp_path / "cells.json"), replace(CELL, claim="R.7")
    with Workers(1) as workers:
        completed([CELL], store, workers, None, "test")
        store = Store(store.path)
        assert set(completed([CELL, other], store, workers, None, "test")) == {CELL, other}
    assert asked == [CELL, other]


def test_cells_are_checked_in_processes_of_their_own(tmp_path: Path) -> None:
    wanted = [CELL, replace(CELL, claim="Q.1"), replace(CELL, claim="R.7")]
    with Workers(1) as workers:
        found = dict(cells.computed(wanted, workers, None))
    assert [found[cell].outcome for cell in wanted] == ["killed", "error", "survived"]
