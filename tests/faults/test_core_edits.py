"""Edits of core: that each finds what it replaces, that a process imports the edited copy, and that
claims notice."""

import ast
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

import core
from theory_checks.__main__ import main
from theory_checks.checking import fingerprint
from theory_checks.checking.claim import DEFAULT_SEED
from theory_checks.checking.run import load_subject
from theory_checks.checking.workers import Unanswered, Workers
from theory_checks.faults import FAULTS
from theory_checks.faults.cells import (
    Cell,
    Result,
    Store,
    claims,
    completed,
    edit_of,
    subject_hash,
)
from theory_checks.faults.edit import SOURCE, Edit
from theory_checks.faults.fault import Fault
from theory_checks.faults.matrix import untouched

EDITS = [fault for fault in FAULTS.values() if fault.edit]
CUBE = Edit("model.py", "z**3", "z**5")


def test_there_are_many() -> None:
    assert len(EDITS) >= 30


@pytest.mark.parametrize("fault", EDITS, ids=lambda fault: fault.name)
def test_an_edit_finds_what_it_replaces_once_and_changes_it(fault: Fault) -> None:
    assert fault.edit
    source = (SOURCE / fault.edit.file).read_text()
    assert ast.dump(ast.parse(fault.edit.applied(source))) != ast.dump(ast.parse(source))


def test_an_expression_is_found_however_it_is_laid_out() -> None:
    edit = Edit("x.py", "f(a, b) + 1", "f(b, a)")
    assert edit.applied(
        "x = (\n    f(\n        a,  # first\n        b,\n    )\n    + 1\n) * 2"
    ) == ("x = f(b, a) * 2")
    assert Edit("x.py", "a + b", "a - b").applied("x = (a + b) * c") == "x = (a - b) * c"
    assert Edit("x.py", "return a", "return b").applied("def f(a, b):\n    return a") == (
        "def f(a, b):\n    return b"
    )


@pytest.mark.parametrize(("source", "times"), [("x = a - b", 0), ("x = a + b; y = (a + b)", 2)])
def test_an_edit_without_its_target_says_so(source: str, times: int) -> None:
    with pytest.raises(ValueError, match=rf"core/x.py has {times} times .* once: a \+ b"):
        Edit("x.py", "a + b", "a").applied(source)


def test_a_copy_of_core_differs_in_the_edited_file_only(tmp_path: Path) -> None:
    CUBE.write_copy(tmp_path)
    names = {path.name for path in SOURCE.iterdir() if path.is_file()}
    assert {path.name for path in (tmp_path / "core").iterdir()} == names
    changed = [
        name
        for name in names
        if (tmp_path / "core" / name).read_text() != (SOURCE / name).read_text()
    ]
    assert changed == ["model.py"]
    assert "return z ** 5" in (tmp_path / "core" / "model.py").read_text()


def test_an_edit_is_no_subject_of_a_process_without_it() -> None:
    assert not CUBE.is_made()
    with pytest.raises(ValueError, match=rf"{EDITS[0].name} is an edit of core/.*no Subject"):
        load_subject(f"theory_checks.faults:{EDITS[0].name}")


def test_an_edit_has_a_hash_of_its_own() -> None:
    names = [f"theory_checks.faults:{fault.name}" for fault in EDITS]
    assert edit_of(names[0]) is EDITS[0].edit
    assert edit_of("theory_checks.faults:GATE_ONE") is None
    assert edit_of("elsewhere:GATE_ONE") is None
    assert edit_of("core:PAPER") is None
    hashes = {subject_hash(name) for name in [*names, "core:PAPER"]}
    assert len(hashes) == len(EDITS) + 1


def test_the_hash_of_an_edit_is_the_same_wherever_core_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"theory_checks.faults:{EDITS[0].name}"
    here = subject_hash(name)
    monkeypatch.setattr(core, "__path__", [str(tmp_path / "core")])
    for known in (subject_hash, fingerprint._source):
        known.cache_clear()
    assert subject_hash(name) == here


def test_designated_claims_notice(tmp_path: Path) -> None:
    ids = {fault.name: fault.noticed_by[0] for fault in EDITS if fault.noticed_by}
    cells = [
        Cell(f"theory_checks.faults:{name}", claim_id, "quick", DEFAULT_SEED)
        for name, claim_id in ids.items()
        if not claims()[claim_id].trains
    ]
    assert len(cells) >= 30
    with Workers(2) as workers:
        found = completed(cells, Store(tmp_path / "cells.json"), workers, None, "edits of core")
    assert {cell: found[cell].detail for cell in cells if found[cell].outcome != "killed"} == {}


def nothing_is_missing(cells: list[Cell], *_: object) -> list[Cell]:
    assert cells == []
    return cells


def test_the_command_reports_an_edit_and_one_without_target(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "EXPERT_GRADIENT_WITHOUT_GATE"
    arguments = f"faults --jobs 1 --output {tmp_path} --claim G.3 --fault {name}".split()
    assert main(arguments) == 0
    (found,) = json.loads((tmp_path / "matrix.json").read_text())["faults"]
    assert found["edit"] == vars(FAULTS[name].edit)
    assert (found["killed_by"], found["localised"]) == (["G.3"], True)
    monkeypatch.setattr("theory_checks.faults.cells.computed", nothing_is_missing)
    assert main(arguments) == 0
    gone = replace(FAULTS[name], edit=Edit("training.py", "nothing_of(this)", "0"))
    monkeypatch.setitem(FAULTS, name, gone)
    capsys.readouterr()
    assert main(arguments) == 2
    assert f"fault {name}: core/training.py has 0 times" in capsys.readouterr().err


def test_every_check_may_call_what_is_edited() -> None:
    healthy = Result(used=())
    assert untouched(FAULTS["GATE_ONE"], healthy)
    assert not untouched(EDITS[0], healthy)


def where_core_is(_: str) -> str:
    spec = importlib.util.find_spec("core")
    assert spec
    assert spec.origin
    return str(Path(spec.origin).parent)


def test_calls_with_different_cores_share_no_process(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        CUBE.write_copy(tmp_path / name)
    cores = [tmp_path / "a", None, tmp_path / "b", tmp_path / "b"]
    with Workers(1) as workers:
        found = dict(workers.outcomes(where_core_is, [("",)] * 4, None, cores))
        assert [process.core for process in workers.idle] == [tmp_path / "b"]
    places = [str(folder / "core") if folder else core.__path__[0] for folder in cores]
    assert [found[number] for number in range(4)] == places


def test_a_core_that_would_not_be_imported_is_reported(tmp_path: Path) -> None:
    with Workers(1) as workers:
        (answer,) = dict(workers.outcomes(where_core_is, [("",)], None, [tmp_path])).values()
        assert workers.idle == []
    assert isinstance(answer, Unanswered)
    assert str(answer) == f"core is imported from {core.__file__}, not from {tmp_path}"
