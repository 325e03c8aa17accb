"""Directories, files and names that are odd, busy, full or in the way."""

import contextlib
import os
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from made import record, report
from situations import CLAIM, in_process, require_no_riddle, variant, verdicts

from core import Problem
from theory_checks.__main__ import main
from theory_checks.checking.run import Run
from theory_checks.experiments.scenarios import ladder
from theory_checks.experiments.trajectories import SEARCH, Trained
from theory_checks.report import collecting
from theory_checks.report.write import reserve

HOLDS = "1 claim: 1 holds"


@pytest.mark.parametrize(
    "name",
    [
        "with spaces",
        "Übermaß 試験 \N{THUMBS UP SIGN}",
        "quo'te\"s",
        "new\nline",
        "-n",
        "--theory-seed",
        "a" * 255,
        "deep/" * 30 + "er",
        "~",
        "$HOME",
        "%s{0}",
        "a::b",
        "[R.8]",
        "bytes\udcff",
        ".",
        "..//./x",
        "<b>&amp;",
    ],
)
def test_a_report_in_a_directory_of_an_odd_name(name: str, here: Path) -> None:
    (here / "below").mkdir()
    os.chdir(here / "below")
    status, output = in_process(f"--theory-report={name}")
    assert status == 0, output
    assert HOLDS in output
    assert verdicts(here / "below" / name) == {CLAIM: "holds"}
    require_no_riddle(output)
    assert main(["report", name if name[0] != "-" else f"./{name}"]) == 0


@pytest.mark.parametrize(
    "name", ["with spaces", "Übermaß 試験", "quo'te\"s", "new\nline", "bytes\udcff"]
)
def test_a_run_from_a_directory_of_an_odd_name(name: str, here: Path) -> None:
    (here / name).mkdir()
    os.chdir(here / name)
    Path("my_variant.py").write_text(variant(in_gate="return 0.9 * PAPER.gate(h)"))
    status, output = in_process("--theory-subject", "my_variant:MINE")
    assert status == 1, output
    assert "1 claim: 1 violated" in output
    require_no_riddle(output)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "needs a directory"),
        ("a" * 256, "File name too long"),
        ("file", "not a directory"),
        ("file/below", "Not a directory"),
        ("loop", "not a directory"),
        ("dangling/x", "not a directory"),
        ("/proc/none", "No such file or directory"),
        ("/dev/full", "not a directory"),
        ("taken", "Is a directory"),
        ("busy", "another run is writing its report there"),
    ],
)
def test_a_directory_that_cannot_be_had_ends_the_run_before_any_work(
    name: str, why: str, here: Path
) -> None:
    (here / "file").touch()
    (here / "loop").symlink_to("loop")
    (here / "dangling").symlink_to("nowhere/at/all")
    (here / "taken" / ".lock").mkdir(parents=True)
    with reserve(here / "busy"):
        status, output = in_process(f"--theory-report={name}")
    assert status == 4, output
    assert why in output
    assert output.count("ERROR") == 1
    require_no_riddle(output)


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """A disk that is full, as far as a file of this process is concerned."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    ("size", "missing"),
    [(0, ["report.json", "summary.md", "index.html"]), (5_000, ["report.json", "index.html"])],
)
@pytest.mark.parametrize("holds", [True, False])
def test_a_disk_that_is_full_at_the_end(
    size: int, missing: list[str], holds: bool, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = "" if holds else "return 0.9 * PAPER.gate(h)"
    (here / "my_variant.py").write_text(variant(in_gate=gate))
    write = collecting.write

    def full(*given: Any) -> list[str]:
        with no_file_larger_than(size):
            return write(*given)

    monkeypatch.setattr(collecting, "write", full)
    status, output = in_process("--theory-subject", "my_variant:MINE", "-p", "no:cacheprovider")
    assert status == (0 if holds else 1), output
    assert f"1 claim: 1 {'holds' if holds else 'violated'}" in output
    for name in missing:
        (line,) = [line for line in output.splitlines() if f"{name} could not be written" in line]
        assert line.endswith("(File too large)")
    assert output.count("could not be written") == len(missing)
    require_no_riddle(output)


def test_no_room_for_training_runs_is_said_where_it_is_missing(run: Run) -> None:
    trained, scenario = Trained(run, SEARCH), ladder(Problem(K=2, d=8), 100, 2, M=4, J=2)
    with (
        no_file_larger_than(1000),
        pytest.raises(OSError, match=r"training runs cannot be kept in .*; the variable TMPDIR"),
    ):
        trained.derived("x", scenario, lambda: torch.zeros(10_000))
    assert not list(run.shared.rglob(f"*.{os.getpid()}"))
    assert trained.derived("x", scenario, lambda: torch.zeros(10_000)).shape == (10_000,)


@pytest.mark.parametrize("name", ["report.json", "summary.md", "index.html"])
def test_a_file_of_the_report_that_is_in_the_way(name: str, here: Path) -> None:
    (here / "theory-report" / name).mkdir(parents=True)
    status, output = in_process()
    assert status == 0, output
    assert HOLDS in output
    assert f"{name} could not be written" in output
    require_no_riddle(output)


@pytest.mark.parametrize("place", [".pytest_cache", "__pycache__", ".hypothesis"])
@pytest.mark.parametrize("strict", [(), ("-W", "error")])
def test_a_cache_that_cannot_be_written(place: str, strict: tuple[str, ...], here: Path) -> None:
    (here / "my_variant.py").write_text(variant())
    (here / place).write_text("a file in place of the directory")
    options = ["--theory-subject", "my_variant:MINE", "-o", f"cache_dir={here}/.pytest_cache"]
    status, output = in_process(*options, *strict)
    assert status == 0, output
    assert HOLDS in output
    require_no_riddle(output)


BASELINES: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda path: None, "cannot be read (No such file or directory)"),
    "empty": (lambda path: path.write_text(""), "not JSON, perhaps truncated"),
    "truncated": (
        lambda path: path.write_text(report(record()).to_json()[:-200]),
        "not JSON, perhaps truncated",
    ),
    "of another schema": (
        lambda path: path.write_text('{"schema": "0.9"}'),
        "report schema '0.9', but this version of theory_checks reads",
    ),
    "of another profile": (
        lambda path: path.write_text(report(record(), profile="deep").to_json()),
        "of profile deep, cannot be compared with a run of profile quick",
    ),
    "a directory": (lambda path: path.mkdir(), "cannot be read (No such file or directory)"),
    "binary": (lambda path: path.write_bytes(bytes(range(256))), "not a text file"),
    "of zeros": (lambda path: path.write_bytes(bytes(100)), "not JSON"),
    "a list": (lambda path: path.write_text("[1]"), "not a report of theory checks"),
    "a number": (lambda path: path.write_text("3"), "not a report of theory checks"),
    "null": (lambda path: path.write_text("null"), "not a report of theory checks"),
    "nested": (lambda path: path.write_text("[" * 100_000), "not JSON"),
    "of huge numbers": (
        lambda path: path.write_text('{"schema": ' + "9" * 10_000 + "}"),
        "not JSON",
    ),
    "incomplete": (lambda path: path.write_text('{"schema": "2"}'), "not a report of theory"),
    "a loop of links": (
        lambda path: path.symlink_to(path),
        "cannot be read (Too many levels of symbolic links)",
    ),
    "of a long name": (lambda path: None, "cannot be read (File name too long)"),
}


@pytest.mark.parametrize("kind", BASELINES)
def test_a_baseline_that_is_none(kind: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, why = BASELINES[kind]
    path = here / ("x" * 300 if "long" in kind else "old.json")
    make(path)
    status, output = in_process(f"--theory-baseline={path}")
    assert status == 4, output
    assert why in output
    assert output.count("ERROR") == 1
    require_no_riddle(output)
    if kind == "of another profile":  # a report like others for the commands
        return
    for command in ("compare", "report"):
        assert main([command, str(path), *([str(path)] if command == "compare" else [])]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"theory-checks: {path}")
        assert said.count("\n") == 1
