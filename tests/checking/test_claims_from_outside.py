"""A user's own claims: checked beside the built-in ones, with the same verdicts, ledger, report and
replay."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from theory_checks.checking.budget import ledger, line_of
from theory_checks.checking.claim import DEFAULT_ALPHA
from theory_checks.checking.registry import from_outside, registered

ROOT = Path(__file__).parents[2]

MINE = """
import numpy as np
from hypothesis import strategies as st
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import at_most, mean_at_most

@claim(
    "{first}",
    kind=Kind.PROBABILITY,
    source="mine",
    over={{"p": st.sampled_from([0.1, 0.2])}},
    depends_on=("R.3",),
    examples=2,
)
def coins(p):
    \"\"\"A coin with P(heads) = p shows heads at most a quarter of the time.\"\"\"
    heads = lambda stream, n: np.random.default_rng(stream).random(n) < p
    return mean_at_most(0.25, heads, resolution=0.05)

@claim("{second}", kind=Kind.EXACT, source="mine", over={{"x": st.integers(0, 100)}})
def small(x):
    \"\"\"x is at most 50.\"\"\"
    return at_most(x, 50)
"""


def module(folder: Path, name: str, first: str = "U.1", second: str = "U.2") -> str:
    (folder / f"{name}.py").write_text(MINE.format(first=first, second=second))
    return name


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    report = (
        "--theory-report",
        str(folder / "report"),
        "--theory-profile",
        "quick",
        "-p",
        "no:cacheprovider",
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(ROOT / "theory_checks"),
        "-o",
        f"pythonpath={ROOT} {folder}",
        *report,
        *arguments,
    ]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.parametrize("parallel", [(), ("-n", "2")])
def test_own_claims_are_checked_and_reported_with_what_they_depend_on(
    tmp_path: Path, parallel: tuple[str, ...]
) -> None:
    mine = module(tmp_path, "my_claims")
    found = run(
        tmp_path,
        *parallel,
        "--theory-claims",
        mine,
        "--theory-claim",
        "U.1",
        "--theory-claim",
        "U.2",
    )
    assert found.returncode == 1, found.stdout + found.stderr
    assert "3 claims: 1 violated, 2 holds" in found.stdout
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    records = {record["id"]: record for record in report["records"]}
    assert {claim_id: record["verdict"] for claim_id, record in records.items()} == {
        "U.1": "holds",
        "U.2": "violated",
        "R.3": "holds",
    }
    assert records["U.2"]["observed"] == 51
    assert {"U.1", "U.2"} <= {line["id"] for line in report["ledger"]}
    replay = records["U.2"]["command"].split()
    assert replay[-2:] == ["--claims", "my_claims"]
    again = subprocess.run(
        [sys.executable, *replay[1:]],
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert again.returncode == 1, again.stderr
    assert "violated, observed 51" in again.stdout


def test_own_claims_share_the_error_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = [module(tmp_path, "claims_with_a_budget")]
    assert [line_of(claim).weight for claim in from_outside(modules).values()] == [1, 1]
    claims = registered(modules)
    joint = ledger(DEFAULT_ALPHA, claims.values())
    assert sum((joint.share(claim_id) for claim_id in claims), Fraction(0)) == DEFAULT_ALPHA
    assert joint.share("U.1") == joint.share("U.2") == joint.share("D.2")


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("S.1", "U.1", "another claim has the id 'S.1'"),
        ("U.1", "U.1", "another claim has the id 'U.1'"),
    ],
)
def test_ids_must_be_free(
    tmp_path: Path, first: str, second: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=message):
        from_outside([module(tmp_path, f"taken_{first[0]}", first, second)])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing_there", "'nothing_there': cannot be imported (ModuleNotFoundError"),
        ("json", "'json': defines no claim"),
    ],
)
def test_a_module_without_claims_ends_the_run_before_any_work(
    tmp_path: Path, name: str, message: str
) -> None:
    found = run(tmp_path, "--theory-claims", name)
    assert found.returncode == 4
    assert f"--theory-claims {message}" in found.stderr
    assert not (tmp_path / "report").exists()
