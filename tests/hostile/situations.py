"""What hostile situations have in common: how a run of one cheap claim is started, and what its end
must look like whatever happened."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "theory_checks" / "test_routing.py"
CLAIM = "R.8"  # exact; of the subject it calls the gate only
RIDDLES = ("Traceback (most recent call last)", "INTERNALERROR", "Exception ignored", "FATAL")
# What a test sets itself; from the outer run nothing may leak in.
CLEARED = (
    *("PYTEST_ADDOPTS", "CI", "COLUMNS", "NO_COLOR", "FORCE_COLOR"),
    *("PYTHONOPTIMIZE", "PYTHONUNBUFFERED", "PYTHONWARNINGS"),
)

VARIANT = """
from dataclasses import replace
from core import PAPER

seen = []

def gate(h):
    {in_gate}
    return PAPER.gate(h)

MINE = replace(PAPER, gate=gate)
{at_import}
"""


def variant(at_import: str = "", in_gate: str = "") -> str:
    """The source of a module with a Subject MINE that is right, and does something more when it is
    imported or when its gate is called."""
    return VARIANT.format(at_import=at_import, in_gate=in_gate or "pass")


def arguments(*options: str) -> list[str]:
    """Of pytest, for a quick run of the claim."""
    alone = ["--disable-plugin-autoload", "-p", "xdist", "-p", "theory_checks.plugin"]
    return [*alone, f"{FILE}::{CLAIM}", "--theory-profile", "quick", *options]


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """That of a process that finds the package, with these variables."""
    kept = {name: value for name, value in os.environ.items() if name not in CLEARED}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def process(
    directory: Path, *command: str, flags: tuple[str, ...] = (), **given: Any
) -> subprocess.CompletedProcess[str]:
    """A run of Python in the directory. given: environment variables in capitals; others are
    arguments of subprocess.run."""
    others = {name: value for name, value in given.items() if not name.isupper()}
    return subprocess.run(
        [sys.executable, *flags, *command],
        cwd=directory,
        env=environment({name: value for name, value in given.items() if name.isupper()}),
        stdout=others.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        timeout=300,
        check=False,
        **others,
    )


def verdicts(report: Path) -> dict[str, str]:
    """The verdicts in the report of this directory."""
    document = json.loads((report / "report.json").read_text())
    return {record["id"]: record["verdict"] for record in document["records"]}


def require_no_riddle(output: str) -> None:
    """Fails if the output has a traceback that is not of the code under test."""
    for riddle in RIDDLES:
        assert riddle not in output, output


def in_process(*options: str) -> tuple[int, str]:
    """A run of pytest in this process and the current directory: its exit status, and what it
    wrote."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = pytest.main(arguments(*options))
    return int(status), output.getvalue()
