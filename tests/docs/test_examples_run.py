"""The examples run as they are, from a folder that holds nothing else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the examples."""
    return Path(shutil.copytree(EXAMPLES, tmp_path / "examples"))


def run(arguments: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs Python with these arguments in the folder."""
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def check(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """`theory-checks check` with these options, in the quick profile."""
    return run(["-m", "theory_checks", "check", "--profile", "quick", *options], folder)


def test_the_variant_violates_the_law_of_the_choice_and_keeps_lemma_5_1(folder: Path) -> None:
    subject = ("--subject", "my_variant:GAUSSIAN")
    violated = check("--claim", "R.5", *subject, folder=folder)
    assert violated.returncode == 1, violated.stdout + violated.stderr
    assert "R.5 violated" in violated.stdout
    kept = check("--claim", "R.2", *subject, folder=folder)
    assert kept.returncode == 0, kept.stdout + kept.stderr


def test_own_claims_hold_of_the_paper(folder: Path) -> None:
    done = check("--claims", "my_claims", "--claim", "U.1", "--claim", "U.2", folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "U.1 holds" in done.stdout
    assert "U.2 holds" in done.stdout


def test_own_claims_can_be_violated(folder: Path) -> None:
    broken = ("--subject", "theory_checks.faults:GATE_UNNORMALISED")
    done = check("--claims", "my_claims", "--claim", "U.1", *broken, folder=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "U.1 violated" in done.stdout


def test_the_script_shows_what_differs(folder: Path) -> None:
    done = run(["first_report.py"], folder)
    assert done.returncode == 0, done.stderr
    assert "paper: {'R.2': 'holds', 'R.5': 'holds'}" in done.stdout
    assert "variant: {'R.2': 'holds', 'R.5': 'violated'}" in done.stdout
    assert "again: " in done.stdout


def test_every_example_is_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("*.py") if f"({path.name})" not in listed] == []
