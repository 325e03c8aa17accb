"""Interpreters, locales, signals and limits: runs in processes of their own."""

import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from situations import (
    CLAIM,
    ROOT,
    arguments,
    environment,
    process,
    require_no_riddle,
    variant,
    verdicts,
)

VIOLATED = "1 claim: 1 violated"
WRONG = "return 0.9 * PAPER.gate(h)"
MINE = ("--theory-subject", "my_variant:MINE")


@pytest.fixture(autouse=True)
def _variant(tmp_path: Path) -> None:
    (tmp_path / "my_variant.py").write_text(variant(in_gate=WRONG))


@pytest.mark.parametrize(
    ("flags", "variables"),
    [
        (("-O", "-W", "error"), {"MPLCONFIGDIR": "/dev/null", "HOME": "/nonexistent"}),
        (("-I", "-c", f"import sys; sys.path[:0] = {[str(ROOT)]!r}"), {}),
        (
            ("-B", "-X", "utf8=0"),
            {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
        ),
        (("-X", "dev"), {"LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "0", "TMPDIR": "/nonexistent"}),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else " ".join(given.keys()),
)
def test_any_interpreter_and_environment_gives_the_verdict(
    flags: tuple[str, ...], variables: dict[str, str], tmp_path: Path
) -> None:
    started = ["-m", "pytest", *arguments(*MINE)]
    if "-c" in flags:  # -I ignores PYTHONPATH and the current directory
        *flags_, code = flags
        main = f"{code}; import pytest; sys.exit(pytest.main({arguments(*MINE)!r}))"
        started, flags = [main], tuple(flags_)
    found = process(tmp_path, *started, flags=flags, **variables)
    assert found.returncode == 1, found.stdout + found.stderr
    assert VIOLATED in found.stdout
    assert verdicts(tmp_path / "theory-report") == {CLAIM: "violated"}
    require_no_riddle(found.stdout + found.stderr)


@pytest.mark.parametrize(
    "command", [("-m", "pytest", *arguments()), ("-m", "theory_checks", "check")]
)
def test_without_docstrings_there_is_nothing_to_check(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    found = process(tmp_path, *command, flags=("-OO",))
    assert found.returncode == (4 if "pytest" in command else 2)
    assert "python -OO removes docstrings" in found.stderr
    require_no_riddle(found.stdout + found.stderr)


def limited(limit: int, size: int) -> None:
    resource.setrlimit(limit, (size, size))


def test_workers_whose_disk_is_full_say_so(tmp_path: Path) -> None:
    full = partial(limited, resource.RLIMIT_FSIZE, 4096)
    command = arguments(*MINE, "-n", "1", "-p", "no:cacheprovider")
    found = process(tmp_path, "-m", "pytest", *command, preexec_fn=full)
    assert found.returncode == 4, found.stdout + found.stderr
    assert "cannot be written to (File too large); the variable TMPDIR chooses" in found.stderr
    require_no_riddle(found.stdout + found.stderr)


@pytest.mark.parametrize(
    ("gate", "options", "status", "says"),
    [
        (WRONG, ("-x", "--dist", "worksteal"), 1, "1 violated"),
        ("import sys; sys.exit(0)", ("--maxfail", "1", "--dist", "loadfile"), 1, "1 error"),
    ],
)
def test_workers(
    gate: str, options: tuple[str, ...], status: int, says: str, tmp_path: Path
) -> None:
    (tmp_path / "my_variant.py").write_text(variant(in_gate=gate))
    command = [*arguments(*MINE, "-n", "1", "--max-worker-restart", "0", *options)]
    found = process(tmp_path, "-m", "pytest", *command)
    assert found.returncode == status, found.stdout + found.stderr
    assert says in found.stdout
    complete = json.loads((tmp_path / "theory-report" / "report.json").read_text())["complete"]
    assert complete
    require_no_riddle(found.stdout + found.stderr)


SCHEMA = (sys.executable, "-m", "theory_checks", "report", "--schema")


@pytest.mark.parametrize(
    ("redirect", "status", "says"),
    [
        (">/dev/full", 2, "theory-checks: standard output: No space left on device\n"),
        (">&-", 0, ""),
        ("2>&-", 0, ""),
    ],
)
@pytest.mark.parametrize("command", [SCHEMA, (*SCHEMA[:3], "--help")], ids=["long", "short"])
def test_output_that_cannot_be_written(
    command: tuple[str, ...], redirect: str, status: int, says: str, tmp_path: Path
) -> None:
    found = subprocess.run(
        ["bash", "-c", f"{shlex.join(command)} {redirect}"],
        cwd=tmp_path,
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (found.returncode, found.stderr) == (status, says)


def test_output_that_nobody_reads(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        found = process(tmp_path, *SCHEMA[1:], stdout=writing)
    finally:
        os.close(writing)
    assert (found.returncode, found.stderr) == (141, "theory-checks: nobody reads on\n")


def test_a_directory_that_has_been_removed(tmp_path: Path) -> None:
    remove: Callable[[], None] = partial(os.rmdir, tmp_path / "gone")
    (tmp_path / "gone").mkdir()
    found = process(tmp_path / "gone", "-m", "theory_checks", "claims", preexec_fn=remove)
    assert found.returncode == 2
    assert found.stderr == "theory-checks: the current directory does not exist any more\n"


def test_commands_are_interrupted_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "my_variant.py").write_text(
        variant(in_gate="import time; open('begun', 'w').close(); time.sleep(60)")
    )
    command = ["reproduce", CLAIM, "--profile", "quick", "--subject", "my_variant:MINE"]
    running = subprocess.Popen(
        [sys.executable, "-m", "theory_checks", *command],
        cwd=tmp_path,
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "begun").exists() and running.poll() is None:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said == "theory-checks: interrupted\n"
