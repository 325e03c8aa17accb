"""What a run leaves behind, however it ends: pytest in a process of its own, as a user starts
it."""

import json
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import made
import pytest
from made import record
from test_document import problems

from theory_checks.checking.record import Record
from theory_checks.report import collecting
from theory_checks.report.collecting import RECORD, Reporter
from theory_checks.report.compare import compare
from theory_checks.report.document import Report, read_report
from theory_checks.report.provenance import git_state
from theory_checks.report.write import reserve

ROOT = Path(__file__).parents[2]
VARIANT = """
import os, signal, time, warnings
from dataclasses import replace
from core import PAPER
from core.routing import uniform_noise

def variant(noise):
    return replace(PAPER, router_noise=noise)

def stop(process):
    os.kill(process, signal.SIGINT)
    time.sleep(2)
    os._exit(1)

HALF_NOISE = variant(lambda shape, generator, step: 0.5 * uniform_noise(shape, generator, step))
EXITING = variant(lambda shape, generator, step: os._exit(1))
RAISING = variant(lambda shape, generator, step: 1 / 0)
INTERRUPTED = variant(lambda shape, generator, step: stop(os.getpid()))
CONTROLLER_INTERRUPTED = variant(lambda shape, generator, step: stop(os.getppid()))

def warn(shape, generator, step):
    warnings.warn("old", DeprecationWarning)
    return uniform_noise(shape, generator, step)

CAREFUL = variant(warn)
CONTROLLER_KILLED = variant(lambda shape, generator, step: os.kill(os.getppid(), signal.SIGKILL))
"""


def run(
    directory: Path, *options: str, subject: str = "", claims: str = "R.8 or R.5"
) -> subprocess.CompletedProcess[str]:
    """A quick run of two claims, of which R.5 asks the subject for noise and R.8 does not."""
    (directory / "my_variant.py").write_text(VARIANT)
    file = str(ROOT / "theory_checks" / "test_routing.py")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", file, "-k", claims]
    chosen = ["--theory-subject", f"my_variant:{subject}"] if subject else []
    settings = [
        "-o",
        f"pythonpath={ROOT} {directory}",
        "--theory-profile",
        "quick",
        *chosen,
        *options,
    ]
    return subprocess.run(
        [*command, *settings],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def report_of(directory: Path) -> Report:
    """The report in theory-report/, which fits the schema."""
    path = directory / "theory-report" / "report.json"
    assert problems(json.loads(path.read_text())) == []
    return read_report(path)


def verdicts(report: Report) -> dict[str, str]:
    return {record.id: record.verdict for record in report.records}


def test_a_run_leaves_a_report_that_fits_the_schema_and_is_the_same_with_workers(
    tmp_path: Path,
) -> None:
    found = []
    for parallel in ((), ("-n", "2")):
        result = run(tmp_path, *parallel, "--junitxml", "junit.xml", subject="HALF_NOISE")
        assert result.returncode == 1
        assert f"report: {tmp_path / 'theory-report' / 'index.html'}" in result.stdout
        report = report_of(tmp_path)
        assert properties(tmp_path / "junit.xml") == {
            record.id: {"claim": record.id, "verdict": record.verdict, "command": record.command}
            for record in report.records
        }
        found.append({record.id: repr(replace(record, seconds=0)) for record in report.records})
    assert found[0] == found[1]
    assert verdicts(report) == {"R.8": "holds", "R.5": "violated"}
    assert (report.profile, report.seed, report.alpha, report.device, report.complete) == (
        "quick",
        20221128,
        1e-6,
        "cpu",
        True,
    )
    assert report.subject == "my_variant:HALF_NOISE"
    assert report.command.startswith("pytest ")
    assert {"python", "platform", "torch", "hypothesis"} <= set(report.environment)
    assert re.fullmatch("[0-9a-f]{40}|", report.commit)
    assert sum(line.share for line in report.ledger) == pytest.approx(1e-6)
    assert all(
        record.seconds > 0 and record.hash and record.derivation for record in report.records
    )
    assert report.seconds >= max(record.seconds for record in report.records)
    assert "R.5 violated" in (tmp_path / "theory-report" / "summary.md").read_text()
    assert "R.5" in (tmp_path / "theory-report" / "index.html").read_text()


def properties(junit: Path) -> dict[str | None, dict[str | None, str | None]]:
    """The properties of every test case, by its name."""
    cases = ElementTree.parse(junit).iter("testcase")
    return {
        case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")}
        for case in cases
    }


@pytest.mark.parametrize(
    ("subject", "options", "status", "detail"),
    [
        ("EXITING", ("-n", "2", "--max-worker-restart", "2"), 10, "its worker crashed"),
        ("EXITING", (), 1, ""),
        ("INTERRUPTED", (), 2, "the run ended before it was checked"),
        ("CONTROLLER_INTERRUPTED", ("-n", "2"), 2, "the run ended before it was checked"),
        ("CONTROLLER_KILLED", ("-n", "2"), -9, ""),
    ],
    ids=[
        "crashed worker",
        "crashed",
        "interrupted",
        "interrupted with workers",
        "killed with workers",
    ],
)
def test_however_a_run_ends_what_is_missing_was_not_run(
    subject: str, options: tuple[str, ...], status: int, detail: str, tmp_path: Path
) -> None:
    assert run(tmp_path, *options, subject=subject).returncode == status
    report = report_of(tmp_path)
    found = {record.id: record for record in report.records}
    assert set(found) == {"R.8", "R.5"}
    assert (found["R.5"].verdict, found["R.5"].detail) == ("not run", detail)
    assert found["R.5"].statement.startswith("Training draws m_i with exactly p(h(x_i))")
    assert found["R.8"].verdict in ("holds", "not run")
    assert not report.complete


def test_a_run_that_stops_at_the_first_failure_says_what_it_left_out(tmp_path: Path) -> None:
    result = run(tmp_path, "-x", subject="RAISING", claims="R.8 or R.3 or R.4 or R.5")
    assert result.returncode == 1
    report = report_of(tmp_path)
    found = verdicts(report)
    assert list(found.values()).count("error") == 1
    assert "not run" in found.values()
    assert not report.complete
    assert "not run" in result.stdout


def test_report_json_is_refreshed_while_a_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "REFRESH", 0.0)
    claims = [record("R.1", "not run"), record("R.2", "not run")]
    collecting.write_selected(
        tmp_path, claims, [{"id": "R.1", "share": 0.0, "inputs": 1, "reason": ""}], "cpu"
    )
    reporter = Reporter(made.report(device="auto", ledger=()), tmp_path, tmp_path, None)
    reporter.begin()
    assert verdicts(read_report(tmp_path)) == {"R.1": "not run", "R.2": "not run"}
    assert read_report(tmp_path).device == "cpu"
    time.sleep(0.01)
    arrived: Any = pytest.TestReport("a.py::R.2", ("a.py", 0, "R.2"), {}, "passed", None, "call")
    setattr(arrived, collecting.RECORD, record("R.2").to_json())
    reporter.pytest_runtest_logreport(arrived)
    assert verdicts(read_report(tmp_path)) == {"R.1": "not run", "R.2": "holds"}
    assert not read_report(tmp_path).complete


@pytest.mark.parametrize(("options", "status"), [(("-k", "nothing"), 5), (("--collect-only",), 0)])
def test_a_run_that_checks_nothing_leaves_the_last_report_alone(
    options: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    (tmp_path / "theory-report").mkdir()
    (tmp_path / "theory-report" / "report.json").write_text("the last one")
    assert run(tmp_path, *options).returncode == status
    assert (tmp_path / "theory-report" / "report.json").read_text() == "the last one"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--theory-report", "file/below"), "file/below: cannot be written to (Not a directory)"),
        (
            ("--theory-baseline", "absent.json"),
            "absent.json: cannot be read (No such file or directory)",
        ),
        (("--theory-baseline", "file"), "file: not JSON, perhaps truncated"),
        (("--theory-baseline", "foreign.json"), "foreign.json: not a report of theory checks"),
        (
            ("--theory-baseline", "older.json"),
            "older.json: report schema '1', but this version of theory_checks reads '2'",
        ),
        (
            ("--theory-baseline", "deep.json"),
            "deep.json: of profile deep, cannot be compared with a run of profile quick",
        ),
        (("--theory-report", "busy"), "busy: another run is writing its report there"),
    ],
)
def test_what_cannot_work_ends_the_run_before_any_work(
    options: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "foreign.json").write_text('{"tests": 3}')
    (tmp_path / "older.json").write_text(
        made.report().to_json().replace('"schema": "2"', '"schema": "1"')
    )
    (tmp_path / "deep.json").write_text(made.report(profile="deep").to_json())
    with reserve(tmp_path / "busy"):
        result = run(tmp_path, *options)
    assert result.returncode == 4
    assert message in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    assert "passed" not in result.stdout
    assert not (tmp_path / "theory-report" / "report.json").exists()


def test_a_run_is_compared_with_its_baseline(tmp_path: Path) -> None:
    path = tmp_path / "theory-report" / "report.json"
    assert "compared with" not in run(tmp_path, claims="R.8").stdout
    result = run(tmp_path, "--theory-baseline", str(path), claims="R.8")
    assert result.returncode == 0
    assert re.search("compared with .*: 1 unchanged; nothing is worse", result.stdout)
    assert "Since the baseline" in (tmp_path / "theory-report" / "summary.md").read_text()


FELL = {"0": (0.9, 0.1, 10**9, 1.0)}, {"0": (0.1, 0.1, 10**9, 1.0)}


@pytest.mark.parametrize(
    ("old", "new", "pytest_says", "status"),
    [
        (record(), record(), 0, 0),
        (record(verdict="violated"), record(), 0, 0),
        (record(margins=FELL[1]), record(margins=FELL[0]), 0, 0),
        (record(margins=FELL[0]), record(margins=FELL[1]), 0, 1),
        (record(), record(verdict="violated"), 1, 1),
        (record(), record(verdict="error"), 1, 1),
        (record(), record(verdict="inconclusive"), 1, 10),
        (record(verdict="inconclusive"), record(verdict="not run"), 1, 10),
        (record(), record(verdict="not run"), 2, 2),
        (record(margins=FELL[0]), record(margins=FELL[1]), 2, 2),
    ],
)
def test_the_exit_status(
    old: Record, new: Record, pytest_says: int, status: int, tmp_path: Path
) -> None:
    reporter = Reporter(made.report(), tmp_path, tmp_path, None)
    reporter.records = {new.id: new}
    reporter.comparison = compare(made.report(old), made.report(new))
    assert reporter.exit_status(pytest_says) == status
    reporter.something_else_failed = True
    assert reporter.exit_status(pytest_says) == (1 if status == 10 else status)


@pytest.mark.parametrize(("when", "record_comes"), [("call", True), ("teardown", False)])
def test_a_claim_that_holds_is_in_error_if_anything_around_its_check_failed(
    when: Any, record_comes: bool, tmp_path: Path
) -> None:
    reporter = Reporter(made.report(), tmp_path, tmp_path, None)
    reporter.records = {"R.1": record("R.1")}
    outcome = pytest.TestReport(
        "theory_checks/test_routing.py::R.1",
        ("", 0, ""),
        {},
        "failed",
        "a\nResourceWarning: b",
        when,
    )
    if record_comes:
        setattr(outcome, RECORD, record("R.1").to_json())
    reporter.pytest_runtest_logreport(outcome)
    assert reporter.records["R.1"].verdict == "error"
    assert reporter.records["R.1"].detail == "ResourceWarning: b"
    assert reporter.exit_status(1) == 1


def test_a_warning_of_the_subject_is_no_error(tmp_path: Path) -> None:
    found = run(tmp_path, subject="CAREFUL", claims="R.4")
    assert found.returncode == 0, found.stdout
    assert verdicts(report_of(tmp_path)) == {"R.4": "holds"}


def test_to_look_at_the_commit_leaves_the_repository_alone(tmp_path: Path) -> None:
    """`git status` refreshes the index, under a lock that stays if git is killed."""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "file").write_text("text")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *command], check=True)
    before = (tmp_path / ".git" / "index").read_bytes()
    os.utime(tmp_path / "file", (1, 1))
    commit, dirty = git_state(tmp_path)
    assert (len(commit), dirty) == (40, False)
    assert (tmp_path / ".git" / "index").read_bytes() == before
