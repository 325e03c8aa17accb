"""Cells: outcomes, what their keys depend on, and that what is known is not computed again."""

import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core import PAPER
from theory_checks.checking import fingerprint
from theory_checks.faults import FAULTS, cells
from theory_checks.faults.cells import Cell, Result, Store, check_cell, completed, key
from theory_checks.faults.matrix import untouched
from theory_checks.faults.workers import Workers

CELL = Cell("theory_checks.faults:GATE_ONE", "R.8", "quick", 1)


def raising(h: torch.Tensor) -> torch.Tensor:
    raise RuntimeError("no gate today")


RAISING = replace(PAPER, gate=raising)


def test_outcomes(tmp_path: Path) -> None:
    assert check_cell(CELL, tmp_path).outcome == "killed"
    assert check_cell(replace(CELL, claim="R.7"), tmp_path).outcome == "survived"
    crashed = check_cell(Cell("test_cells:RAISING", "R.8", "quick", 1), tmp_path)
    assert (crashed.outcome, crashed.detail) == ("error", "RuntimeError: no gate today")


def test_cells_say_which_ingredients_were_used(tmp_path: Path) -> None:
    assert check_cell(CELL, tmp_path).used == ("gate",)
    assert check_cell(replace(CELL, claim="I.3"), tmp_path).used == ("initialise_router",)
    assert (
        "loss" in check_cell(replace(CELL, claim="G.8"), tmp_path).used
    )  # also by its method `slope`
    trained = check_cell(replace(CELL, subject="core:PAPER", claim="A.6"), tmp_path)
    assert trained.used == tuple(sorted(vars(PAPER)))  # whatever an earlier claim had trained


def test_a_claim_that_calls_nothing_broken_finds_what_it_finds_of_the_paper(tmp_path: Path) -> None:
    healthy = check_cell(Cell("core:PAPER", "R.4", "quick", 1), tmp_path)
    assert untouched(FAULTS["GATE_ONE"], healthy)
    assert not untouched(FAULTS["ARGMIN"], healthy)
    assert not untouched(FAULTS["GATE_ONE"], replace(healthy, outcome="error"))
    found = check_cell(Cell("theory_checks.faults:GATE_ONE", "R.4", "quick", 1), tmp_path)
    assert replace(found, seconds=0) == replace(healthy, seconds=0)


def test_the_key_depends_on_everything_that_the_result_depends_on() -> None:
    others = [
        replace(CELL, subject="theory_checks.faults:GATE_COLDER"),
        replace(CELL, claim="R.7"),
        replace(CELL, profile="standard"),
        replace(CELL, seed=2),
    ]
    assert len({key(cell) for cell in [CELL, *others]}) == 5


@pytest.mark.parametrize("part", ["core.training.train", "theory_checks.checking.decide.phases"])
def test_the_key_depends_on_core_and_on_what_checks(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = fingerprint._described
    edited = pkgutil.resolve_name(part)
    before = key(CELL)
    cells._of_claim.cache_clear()
    monkeypatch.setattr(
        fingerprint,
        "_described",
        lambda value: ("edited", ()) if value is edited else described(value),
    )
    assert key(CELL) != before
    cells._of_claim.cache_clear()


def test_the_store_keeps_what_was_added_and_survives_a_line_cut_short(tmp_path: Path) -> None:
    store = Store(tmp_path / "cells.jsonl")
    assert store.read() == {}
    store.add("a", CELL, Result("killed", float("inf")))
    with store.path.open("a") as file:
        file.write('{"key": "b", "res')
    assert store.read() == {"a": Result("killed", float("inf"))}
    store.add("c", CELL, Result("survived"))
    assert store.read() == {"a": Result("killed", float("inf")), "c": Result("survived")}


def test_only_what_is_missing_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Cell] = []

    def computed(
        missing: list[Cell], workers: Workers, limit: float | None
    ) -> Iterator[tuple[Cell, Result]]:
        asked.extend(missing)
        return ((cell, Result("survived")) for cell in missing)

    monkeypatch.setattr(cells, "computed", computed)
    store, other = Store(tmp_path / "cells.jsonl"), replace(CELL, claim="R.7")
    with Workers(1) as workers:
        completed([CELL], store, workers, None, "test")
        assert set(completed([CELL, other], store, workers, None, "test")) == {CELL, other}
    assert asked == [CELL, other]


def test_cells_are_checked_in_processes_of_their_own(tmp_path: Path) -> None:
    wanted = [CELL, replace(CELL, claim="Q.1"), replace(CELL, claim="R.7")]
    with Workers(1) as workers:
        found = dict(cells.computed(wanted, workers, None))
    assert [found[cell].outcome for cell in wanted] == ["killed", "error", "survived"]
