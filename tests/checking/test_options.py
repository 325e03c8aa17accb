"""The command line as a user meets it: pytest in a process of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from theory_checks.checking.registry import declared_ids

ROOT = Path(__file__).parents[2]


def pytest_run(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as report:
        options = ["-p", "no:cacheprovider", "--theory-report", report]
        command = [
            sys.executable,
            "-m",
            "pytest",
            *options,
            str(ROOT / "theory_checks"),
            *arguments,
        ]
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--theory-claim", "r5"),
            "--theory-claim r5: no such claim; did you mean R.5? `",
        ),
        (
            ("--theory-claim", "nonsense"),
            "--theory-claim nonsense: no such claim; `theory-checks claims` lists all\n",
        ),
        (
            ("--theory-seed", "tomorrow"),
            "--theory-seed tomorrow: needs a whole number >= 0 of at most 40 digits, or random",
        ),
        (("--theory-seed", "٣"), "--theory-seed ٣: needs a whole number >= 0"),
        (("--theory-alpha", "0.٣"), "--theory-alpha 0.٣: needs a number between 0 and 1"),
        (("--theory-alpha", "٣/4"), "--theory-alpha ٣/4: needs a number between 0 and 1"),
        (("--theory-seed", "-3"), "--theory-seed -3: needs a whole number >= 0"),
        (
            ("--theory-seed", "7" * 5000),
            f"--theory-seed {'7' * 41}: needs a whole number >= 0 of at most 40 digits",
        ),
        (
            ("--theory-device", "abacus"),
            "--theory-device 'abacus': needs auto, cpu, cuda, cuda:i or mps",
        ),
        (
            ("--theory-subject", "core:NOBODY"),
            "--theory-subject 'core:NOBODY': module 'core' has no 'NOBODY'",
        ),
        (("--theory-profile", "heroic"), "invalid choice: 'heroic'"),
        (("--theory-alpha", "2"), "--theory-alpha 2: needs a number between 0 and 1"),
        (
            ("--theory-alpha", "1e-9999999999"),
            "--theory-alpha 1e-9999999999: needs a number between 0 and 1",
        ),
        (("--theory-alpha", "1/0"), "--theory-alpha 1/0: needs a number between 0 and 1"),
        (("--theory-report", ""), "--theory-report '': needs a directory"),
    ],
)
def test_bad_options_end_the_run_before_any_work(arguments: tuple[str, ...], message: str) -> None:
    for parallel in ((), ("-n", "2")):
        result = pytest_run(*parallel, *arguments)
        assert result.returncode == 4
        assert message in result.stderr
        assert "Traceback" not in result.stderr + result.stdout


def test_a_claim_is_checked_with_what_it_depends_on() -> None:
    result = pytest_run("-n", "2", "--theory-claim", "R.2", "--theory-profile", "quick")
    assert result.returncode == 0
    assert "subject core:PAPER, device auto" in result.stdout
    assert "seed 20221128, profile quick" in result.stdout
    rows = [
        line.split()[:2]
        for line in result.stdout.partition(" claims ")[2].splitlines()
        if line[:2] == "R."
    ]
    assert rows == [["R.2", "holds"], ["R.3", "holds"]]
    assert "2 claims: 2 holds" in result.stdout


@pytest.mark.parametrize("quiet", [False, True])
def test_a_random_seed_is_printed_and_shared_by_the_workers(quiet: bool) -> None:
    options = (
        "-n",
        "2",
        "--theory-seed",
        "random",
        "--theory-profile",
        "quick",
        "-k",
        "R.2 or R.3",
    )
    result = pytest_run(*options, *(["-q"] if quiet else []))
    assert result.returncode == 0
    seed = result.stdout.partition("\nseed: ")[2].partition("\n")[0]
    assert seed.isdecimal()
    assert seed != "20221128"
    assert (f"seed {seed}, profile" in result.stdout) == (not quiet)


def test_a_wanted_claim_that_lies_elsewhere_is_missed() -> None:
    with tempfile.TemporaryDirectory() as report:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "theory_checks/test_data_model.py",
        ]
        options = ["--theory-claim", "G.1", "--theory-report", report]
        result = subprocess.run(
            [*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )
    assert result.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "G.1: no check of this claim was collected" in result.stdout


def test_the_path_may_lead_over_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ROOT)
    path = tmp_path / "link" / "theory_checks" / "test_routing.py::R.8"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        str(path),
        "--theory-profile",
        "quick",
    ]
    result = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0
    assert "1 claim: 1 holds" in result.stdout
    assert (tmp_path / "theory-report" / "report.json").exists()


VARIANT = """
import os
from dataclasses import replace
from core import PAPER
from core.routing import uniform_noise

HALF_NOISE = replace(PAPER, router_noise=lambda *inputs: 0.5 * uniform_noise(*inputs))
CRASHING = replace(PAPER, router_noise=lambda shape, generator, step: os._exit(1))
RAISING = replace(PAPER, router_noise=lambda shape, generator, step: 1 / 0)
"""


def variant_run(tmp_path: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "my_variant.py").write_text(VARIANT)
    return pytest_run(
        "-o",
        f"pythonpath={ROOT} {tmp_path}",
        "--theory-subject",
        f"my_variant:{name}",
        "--theory-profile",
        "quick",
        *arguments,
    )


@pytest.mark.parametrize("parallel", [(), ("-n", "2")])
def test_a_variant_that_breaks_a_claim_is_told_which_and_how_to_see_it(
    tmp_path: Path, parallel: tuple[str, ...]
) -> None:
    result = variant_run(tmp_path, "HALF_NOISE", *parallel, "-k", "R.5 or R.7")
    assert result.returncode == 1
    assert "claim R.5 violated: Training draws m_i with exactly p(h(x_i))" in result.stdout
    again = (
        "python -m theory_checks reproduce R.5 --seed 20221128 --profile quick --subject"
        " my_variant:HALF_NOISE"
    )
    assert again in result.stdout
    assert "2 claims: 1 violated, 1 holds" in result.stdout


def test_claims_of_a_crashed_worker_are_listed_as_not_run(tmp_path: Path) -> None:
    result = variant_run(
        tmp_path, "CRASHING", "-n", "2", "-k", "R.5 or R.7", "--max-worker-restart", "2"
    )
    assert result.returncode == 10
    assert "1 not run, 1 holds" in result.stdout


def test_an_exception_in_a_variant_is_an_error_not_a_violation(tmp_path: Path) -> None:
    result = variant_run(tmp_path, "RAISING", "-k", "R.5 or R.7")
    assert result.returncode == 1
    assert "1 error, 1 holds" in result.stdout
    assert "ZeroDivisionError" in result.stdout


def test_a_run_that_is_undecided_has_an_exit_status_of_its_own(tmp_path: Path) -> None:
    result = variant_run(tmp_path, "CRASHING", "-n", "2", "-k", "R.5", "--max-worker-restart", "2")
    assert result.returncode == 10


def test_the_ledger_is_printed() -> None:
    result = pytest_run("--theory-ledger", "--theory-alpha", "0.05")
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == len(declared_ids()) + 2
    assert "0.05  = alpha" in result.stdout


WATCH = """
import sys

def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        print("imported:", sorted({'torch', 'numpy', 'scipy', 'hypothesis'} & set(sys.modules)))
"""


def test_the_controller_of_workers_needs_no_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "watch.py").write_text(WATCH)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = pytest_run("-n", "2", "-p", "watch", "--theory-profile", "quick", "-k", "nothing")
    assert result.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "imported: []" in result.stdout
