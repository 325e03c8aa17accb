"""The registry of faults: what each is, and that together they break every part."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import core
import theory_checks
from core import PAPER
from theory_checks.checking.registry import declared_ids
from theory_checks.checking.run import load_subject
from theory_checks.faults import FAULTS, graded
from theory_checks.faults.fault import FAMILIES, MODULES, Fault, fault

FOLDER = Path(graded.__file__).parent


def test_there_are_many_and_no_name_is_used_twice() -> None:
    sources = [(FOLDER / f"{module}.py").read_text() for module in MODULES]
    declared = sum(text.count("\n@fault(") + text.count("\n@core_edit(") for text in sources)
    assert len(FAULTS) == declared
    assert len(FAULTS) >= 190


NEW = '''

@fault("loss", noticed_by="G.8")
def loss_of_tomorrow(margin: Tensor) -> Tensor:
    """The loss is that of a margin
    which is 1 larger.

    Found in the wild.
    """
    return logistic(margin + 1)
'''
USE = """
from pathlib import Path
from theory_checks.faults import FAULTS, LOSS_OF_TOMORROW
from theory_checks.faults.cells import Cell, check_cell
fault = FAULTS["LOSS_OF_TOMORROW"]
assert fault.subject is LOSS_OF_TOMORROW
print(fault.family, fault.wrong, fault.noticed_by, fault.broken)
print(check_cell(Cell("theory_checks.faults:LOSS_OF_TOMORROW", "G.8", "quick", 1), Path()).outcome)
"""


def test_a_new_fault_touches_one_file(tmp_path: Path) -> None:
    for package in (core, theory_checks):
        source = Path(package.__path__[0])
        shutil.copytree(source, tmp_path / source.name)
    with (tmp_path / "theory_checks" / "faults" / "loss.py").open("a") as file:
        file.write(NEW)
    assert run(USE, tmp_path).splitlines() == [
        "loss The loss is that of a margin which is 1 larger. ('G.8',) ('loss',)",
        "killed",
    ]


def test_nothing_is_imported_before_a_fault_is_asked_for() -> None:
    root = Path(theory_checks.__path__[0]).parent
    assert run("import theory_checks.faults, sys; print('torch' in sys.modules)", root) == "False\n"


def run(program: str, folder: Path) -> str:
    """What a program prints that imports from this folder."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize("found", FAULTS.values(), ids=lambda found: found.name)
def test_a_fault_says_what_is_wrong_and_who_must_notice(found: Fault) -> None:
    assert found.name == found.name.upper()
    assert found.wrong.endswith(".")
    assert set(found.noticed_by) <= set(declared_ids())
    assert found.broken or found.edit, "it is the paper's subject"
    assert all(found.about(claim_id) for claim_id in found.noticed_by[:1])
    if not found.edit:
        assert load_subject(f"theory_checks.faults:{found.name}") is found.subject


def test_every_family_and_every_ingredient_is_hit() -> None:
    assert {found.family for found in FAULTS.values()} == set(FAMILIES)
    assert {name for found in FAULTS.values() for name in found.broken} == set(vars(PAPER))
    ingredients = {found.family for found in FAULTS.values() if not found.edit}
    assert {found.family for found in FAULTS.values() if found.representative} >= ingredients


def test_a_fault_needs_either_a_claim_or_a_reason() -> None:
    for claims, reason in (((), ""), (("D.1",), "it does not matter")):
        with pytest.raises(ValueError, match="needs either claims that notice it or a reason"):
            Fault("NAME", "data", "Wrong.", PAPER, claims, reason)
    with pytest.raises(ValueError, match="no family 'cats'"):
        Fault("NAME", "cats", "Wrong.", PAPER, ("D.1",))


def test_a_fault_needs_a_docstring_and_a_module_of_faults() -> None:
    def without_words(h: torch.Tensor) -> torch.Tensor:
        return h

    with pytest.raises(ValueError, match=r"fault WITHOUT_WORDS: no family 'test_registry'"):
        fault("gate", noticed_by="R.8")(without_words)
    without_words.__module__ = "theory_checks.faults.gate"
    with pytest.raises(ValueError, match="fault WITHOUT_WORDS: needs a docstring"):
        fault("gate", noticed_by="R.8")(without_words)


def test_a_fault_may_break_several_ingredients() -> None:
    def several() -> dict[str, object]:
        """Both are wrong."""
        return {"gate": len, "loss": abs}

    several.__module__ = "theory_checks.faults.gate"
    found = fault(noticed_by=("R.8", "G.8"), representative=True)(several)
    assert (found.name, found.wrong) == ("SEVERAL", "Both are wrong.")
    assert found.broken == ("gate", "loss")
    assert found.noticed_by == ("R.8", "G.8")
    assert found.representative


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
