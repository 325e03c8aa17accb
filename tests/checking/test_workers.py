"""Processes of which one that crashes or hangs takes no other with it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from theory_checks.checking.workers import Unanswered, Workers


def act(what: str) -> str:
    if what == "crash":
        os._exit(7)
    if what == "hang":
        time.sleep(60)
    return f"{what} {os.environ['OMP_NUM_THREADS']}"


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.usefixtures("one_thread")
def test_a_crash_and_a_call_without_end_are_reported_and_the_others_go_on() -> None:
    calls = [(what,) for what in ("a", "crash", "hang", "b")]
    with Workers(2) as workers:
        results = dict(workers.outcomes(act, calls, limit=3.0))
        (left,) = (process.pid.result() for process in workers.idle)
        assert list(workers.outcomes(act, [("again",)])) == [(0, "again 1")]
        assert [process.pid.result() for process in workers.idle] == [left]
    assert {number: str(result) for number, result in results.items()} == {
        0: "a 1",
        1: "crash: its process ended",
        2: "timeout: took longer than 3 seconds",
        3: "b 1",
    }
    assert isinstance(results[1], Unanswered)
    assert isinstance(results[2], Unanswered)
    assert not is_alive(left)


def test_who_reads_no_further_ends_what_is_running() -> None:
    with Workers(2) as workers:
        outcomes = workers.outcomes(act, [("a",), ("hang",), ("hang",)])
        assert next(outcomes)[0] == 0
        processes = [*workers.idle, *workers.busy]
        outcomes.close()
        assert workers.busy == []
    assert not any(is_alive(process.pid.result()) for process in processes)


KILLED = """
import os, time
from theory_checks.checking.workers import Workers

if __name__ == "__main__":
    with Workers(1) as workers:
        list(workers.outcomes(os.getpid, [()]))
        print(workers.idle[0].pid.result(), flush=True)
        time.sleep(60)
"""


def test_processes_end_with_the_one_that_waits_for_them_even_if_it_is_killed(
    tmp_path: Path,
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    waiting = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert waiting.stdout is not None
    worker = int(waiting.stdout.readline())
    waiting.stdout.close()
    waiting.kill()
    waiting.wait()
    until = time.monotonic() + 10
    while is_alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(worker)


def is_alive(pid: int) -> bool:
    """Whether there is a process with this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_nothing_to_do_starts_nothing() -> None:
    with Workers(2) as workers:
        assert list(workers.outcomes(act, [])) == []
        assert workers.idle == []
