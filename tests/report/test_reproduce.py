"""The command that a violated claim prints shows the same violation again, in a process of its
own."""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from theory_checks.checking.registry import built_in
from theory_checks.checking.run import Run, load_subject
from theory_checks.checking.search import check

ROOT = Path(__file__).parents[2]
FAULTS = """
from dataclasses import replace
import torch
from core import PAPER
from core.routing import uniform_noise

def heavy_tails(problem, hyper, generator):
    return PAPER.initialise_experts(problem, hyper, generator) ** 3

HALF_NOISE = replace(PAPER, router_noise=lambda *inputs: 0.5 * uniform_noise(*inputs))
LEAKY_GATE = replace(PAPER, gate=lambda h: 0.9 * PAPER.gate(h))
HEAVY_TAILS = replace(PAPER, initialise_experts=heavy_tails)
RAISING = replace(PAPER, gate=lambda h: 1 / 0)
"""


def again(command: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """The printed command, run where the variant is."""
    python, *arguments = shlex.split(command)
    assert python == "python"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    options = {
        "cwd": directory,
        "env": environment,
        "capture_output": True,
        "text": True,
        "timeout": 300,
    }
    return subprocess.run([sys.executable, *arguments], check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def variants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_faults.py").write_text(FAULTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_faults", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("fault", "claim_id"), [("HALF_NOISE", "R.5"), ("LEAKY_GATE", "R.8"), ("HEAVY_TAILS", "I.4")]
)
def test_a_violation_is_seen_again_with_every_step(
    fault: str, claim_id: str, run: Run, variants: Path
) -> None:
    name = f"my_faults:{fault}"
    record = check(
        built_in()[claim_id], replace(run, subject=load_subject(name), subject_name=name)
    )
    assert record.verdict == "violated"
    result = again(record.command, variants)
    assert result.returncode == 1, result.stderr
    first, *steps, last = result.stdout.splitlines()
    assert first == f"{claim_id} {record.statement}"
    assert (
        last == f"verdict: violated, observed {record.observed:.6g} {record.sense}"
        f" {record.bound:.6g}; {record.detail}"
    )
    assert f"  {record.worst_case}" in steps
    assert (
        f"inputs: {record.examples} judged, {record.discarded} did not meet the hypotheses,"
        f" {record.samples} draws" in steps
    )
    assert any(step.startswith("search, stream") for step in steps)
    assert any(step.startswith("decision, stream") for step in steps) == (record.false_pass != 0)
    margin = (
        f"observed {record.observed:.6g} {record.sense} {record.bound:.6g}, margin"
        f" {record.margin:.6g}"
    )
    assert margin in result.stdout
    for detail in record.also:
        assert f" {detail}\n" in result.stdout


def test_an_error_is_seen_again(variants: Path) -> None:
    result = again(
        "python -m theory_checks reproduce R.8 --profile quick --subject my_faults:RAISING",
        variants,
    )
    assert result.returncode == 1
    assert "verdict: error; gate raised ZeroDivisionError: division by zero" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
