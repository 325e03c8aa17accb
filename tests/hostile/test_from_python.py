"""`theory_checks.check` in a notebook or a script."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from situations import CLAIM, ROOT, variant, verdicts

import theory_checks
from core import PAPER
from theory_checks.checking.registry import built_in

MINE = "my_variant:MINE"


def test_what_cannot_be_written_at_the_end_is_a_warning(here: Path) -> None:
    (here / "r" / "index.html").mkdir(parents=True)
    with pytest.warns(RuntimeWarning, match=r"index\.html could not be written \(Is a directory\)"):
        report = theory_checks.check(claims=CLAIM, profile="quick", report="r")
    assert report.verdicts == verdicts(here / "r") == {CLAIM: "holds"}
    assert report.complete


def test_an_ingredient_that_leaves_the_directory_takes_no_report_with_it(here: Path) -> None:
    def gate(h: object) -> object:
        os.chdir("/")
        return PAPER.gate(h)  # type: ignore[arg-type]

    theory_checks.check(replace(PAPER, gate=gate), CLAIM, "quick", report="r")
    assert verdicts(here / "r") == {CLAIM: "holds"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import sys; sys.exit('no licence')", r"\(SystemExit: no licence \(it tries to end the"),
        ("import pytest; pytest.skip('x', allow_module_level=True)", r"\(Skipped: x\)"),
        ("1 / 0", r"\(ZeroDivisionError: division by zero\)"),
    ],
)
def test_a_module_that_raises_is_refused(source: str, words: str, here: Path) -> None:
    (here / "my_variant.py").write_text(source)
    sys.path.append(str(here))
    with pytest.raises(ValueError, match=f"'my_variant' cannot be imported {words}"):
        theory_checks.check(MINE, CLAIM, "quick")


def test_an_ingredient_that_exits_is_an_error_of_the_claim(here: Path) -> None:
    def gate(h: object) -> object:
        raise SystemExit(0)

    report = theory_checks.check(replace(PAPER, gate=gate), CLAIM, "quick")
    assert report[CLAIM].verdict == "error"
    assert report[CLAIM].detail == "gate raised SystemExit: 0 (it tries to end the program)"
    assert report.complete


def test_a_claim_whose_process_crashes_is_not_run_and_the_others_are(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "my_variant.py").write_text(variant(in_gate="import os; os._exit(0)"))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{here}")
    monkeypatch.syspath_prepend(here)
    report = theory_checks.check(MINE, [CLAIM, "R.7"], "quick", workers=2)
    assert report.verdicts == {CLAIM: "not run", "R.7": "holds"}
    assert report[CLAIM].detail == "its worker crashed"
    assert report[CLAIM].statement == built_in()[CLAIM].statement
    assert not report.complete
