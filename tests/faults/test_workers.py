"""Processes of which one that crashes or hangs takes no other with it."""

import os
import time

import pytest

from theory_checks.faults.workers import Workers


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
def test_a_crash_and_a_call_without_end_are_told_and_the_others_go_on() -> None:
    calls = [(what,) for what in ("a", "crash", "hang", "b")]
    with Workers(2) as workers:
        found = dict(workers.outcomes(act, calls, limit=3.0))
        assert list(workers.outcomes(act, [("again",)])) == [(0, "again 1")]
    assert found == {
        0: "a 1",
        1: "its process ended with status 7",
        2: "it took too long and was ended",
        3: "b 1",
    }
    assert workers.running == []


def test_nothing_to_do_starts_nothing() -> None:
    with Workers(2) as workers:
        assert list(workers.outcomes(act, [])) == []
        assert workers.running == []
