"""Calls in processes of their own, of which one that crashes or takes too long takes no other with
it."""

import math
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from theory_checks.checking.process import tune_process

SPAWN = multiprocessing.get_context("spawn")
BEGUN = "begun"  # what a process says first, before the result of a call


@dataclass
class _Worker:
    """A process, this end of its pipe, and what it is busy with: the number of a call, and when
    that must be over."""

    process: BaseProcess
    pipe: Connection
    busy: int | None = None
    until: float = math.inf

    def stop(self) -> None:
        """Ends the process, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Connection) -> None:
    tune_process()
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the process that waits, which ends this one
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        pipe.send(BEGUN)  # the time that a process needs to start is not the call's
        pipe.send(function(*arguments))


def _started() -> _Worker:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours)


@dataclass
class Workers:
    """Up to `jobs` processes, started when they are needed and ended with the `with` block."""

    jobs: int
    running: list[_Worker] = field(default_factory=list)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.running:
            worker.stop()
        self.running.clear()

    def outcomes(
        self,
        function: Callable[..., Any],
        calls: Sequence[tuple[Any, ...]],
        limit: float | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """The number and result of each call as it is finished; a string that says what happened if
        its process crashed or was ended after `limit` seconds. Calls begin in the order given. To
        be read to the end."""
        self.running += [_started() for _ in range(min(self.jobs, len(calls)) - len(self.running))]
        waiting = iter(range(len(calls)))
        while True:
            for worker in self.running:
                if worker.busy is None and (index := next(waiting, None)) is not None:
                    worker.pipe.send((function, calls[index]))
                    worker.busy, worker.until = index, math.inf
            busy = [worker for worker in self.running if worker.busy is not None]
            if not busy:
                return
            soonest = min(worker.until for worker in busy)
            wait(
                [worker.pipe for worker in busy],
                None if soonest == math.inf else max(0.0, soonest - time.monotonic()),
            )
            for worker in busy:
                if (answer := _answer(worker, limit)) is None:
                    continue
                index, worker.busy = worker.busy, None
                if not worker.process.is_alive():
                    worker.stop()
                    self.running[self.running.index(worker)] = _started()
                assert index is not None
                yield index, answer[0]


def _answer(worker: _Worker, limit: float | None) -> tuple[Any] | None:
    """The worker's answer, if there is one or there will be none."""
    if worker.pipe.poll():
        try:
            message = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            worker.process.join()
            return (f"its process ended with status {worker.process.exitcode}",)
        if message != BEGUN:
            return (message,)
        worker.until = math.inf if limit is None else time.monotonic() + limit
    if time.monotonic() >= worker.until:
        worker.process.kill()
        worker.process.join()
        return ("it took too long and was ended",)
    return None
