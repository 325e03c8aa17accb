"""Modules of the user leave the process as it was, whatever they do and however they end."""

import os
import signal
import sys
import warnings
from pathlib import Path

import pytest

from theory_checks.checking.guests import MOST_SHOWN, Ended, imported, reason

EVERYTHING = """
import io, os, signal, sys, warnings
os.chdir("/")
sys.stdin = sys.stdout = sys.stderr = io.StringIO()
sys.argv[:] = ["mine"]
signal.signal(signal.SIGINT, signal.SIG_IGN)
warnings.simplefilter("error")
"""


def state() -> tuple[object, ...]:
    streams = sys.stdin, sys.stdout, sys.stderr
    return os.getcwd(), *streams, sys.argv[:], signal.getsignal(2), list(warnings.filters)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_guest", raising=False)
    monkeypatch.setattr(sys, "argv", sys.argv[:])
    return tmp_path / "my_guest.py"


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise KeyboardInterrupt"])
def test_the_process_is_as_it_was(end: str, module: Path) -> None:
    module.write_text(EVERYTHING + end)
    before = state()
    expected = {"": (), "sys.exit(3)": ImportError}.get(end, KeyboardInterrupt)
    if expected:
        with pytest.raises(expected):  # type: ignore[arg-type]
            imported("my_guest")
    else:
        imported("my_guest")
    assert state() == before


def test_warnings_are_no_errors_and_those_that_python_hides_stay_hidden(
    module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"warnings.warn('{kind}', {kind})" for kind in ("DeprecationWarning", "UserWarning")]
    module.write_text("\n".join(["import warnings", *lines]))
    warnings.simplefilter("error")
    with warnings.catch_warnings(record=True) as shown:
        imported("my_guest")
    assert [str(warning.message) for warning in shown] == ["UserWarning"]


def test_a_fork_ends_with_the_import(module: Path, tmp_path: Path) -> None:
    module.write_text("import os; CHILD = os.fork()")
    child = imported("my_guest").CHILD
    (tmp_path / str(os.getpid())).touch()  # a child that went on would make a second file
    assert os.waitpid(child, 0)[1] == 0
    assert {path.suffix for path in tmp_path.iterdir() if path.is_file()} == {".py", ""}
    assert sum(path.suffix == "" for path in tmp_path.iterdir() if path.is_file()) == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("a\n  b"), "ValueError: a b"),
        (ValueError(), "ValueError"),
        (SystemExit(2), "SystemExit: 2 (it tries to end the program)"),
        (SystemExit(), "SystemExit (it tries to end the program)"),
        (OSError(2, "No such file", "x.npy"), "FileNotFoundError: [Errno 2] No such file: 'x.npy'"),
        (Ended("Skipped: x"), "Skipped: x"),
        (type("Odd", (Exception,), {"__str__": lambda self: 1 / 0})(), "Odd"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_an_error_is_one_line(error: BaseException, words: str) -> None:
    assert reason(error) == words


def test_a_long_message_is_cut() -> None:
    said = reason(ValueError("x" * 10_000))
    assert said == f"ValueError: {'x' * (MOST_SHOWN - 3)}..."
