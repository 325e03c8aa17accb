"""Calls in processes of their own: one that crashes or takes too long takes no other with it.

Each process is a `ProcessPoolExecutor` of one, as a crash breaks a whole executor and would not say
which call it was.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any

from theory_checks.checking.process import tune_process

SPAWN = multiprocessing.get_context("spawn")


class Unanswered(Exception):
    """Why a call has no result: its process crashed or was ended."""


def _begin() -> None:
    tune_process()
    # Ctrl-C is for the process that waits, which ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _ready(function: Callable[..., Any]) -> int:
    """The id of this process, which has imported the module of the function to read its
    argument."""
    return os.getpid()


@dataclass(frozen=True)
class _Process:
    pool: ProcessPoolExecutor
    pid: Future[int]

    def kill(self) -> None:
        """Ends the process, whatever it is doing."""
        with contextlib.suppress(BrokenProcessPool, ProcessLookupError):
            os.kill(self.pid.result(), signal.SIGTERM)


@dataclass
class Workers:
    """Up to `jobs` processes, started when they are needed and ended with the `with` block."""

    jobs: int
    idle: list[_Process] = field(default_factory=list)
    busy: list[_Process] = field(default_factory=list)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.idle:
            process.kill()
            process.pool.shutdown()
        self.idle.clear()

    def outcomes(
        self,
        function: Callable[..., Any],
        calls: Sequence[tuple[Any, ...]],
        limit: float | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """The number and result of each call as it is finished, or an Unanswered. The function must
        not raise.

        limit: seconds that a call may take, the start of its process not counted.

        Calls begin in the order given.
        """
        with ThreadPoolExecutor(self.jobs) as threads:
            numbers = {
                threads.submit(self._outcome, function, arguments, limit): number
                for number, arguments in enumerate(calls)
            }
            try:
                for future in as_completed(numbers):
                    yield numbers[future], future.result()
            finally:  # also when the caller reads no further
                threads.shutdown(wait=False, cancel_futures=True)
                for process in tuple(self.busy):
                    process.kill()

    def _outcome(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], limit: float | None
    ) -> Any:
        process = self.idle.pop() if self.idle else _started(function)
        self.busy.append(process)
        timeout = False
        try:
            process.pid.result()
            future = process.pool.submit(function, *arguments)
            if timeout := not wait([future], limit).done:
                process.kill()
            result = future.result()
        except BrokenProcessPool:
            process.pool.shutdown()
            return Unanswered(
                f"timeout: took longer than {limit:g} seconds"
                if timeout
                else "crash: its process ended"
            )
        finally:
            self.busy.remove(process)
        self.idle.append(process)
        return result


def _started(function: Callable[..., Any]) -> _Process:
    pool = ProcessPoolExecutor(1, mp_context=SPAWN, initializer=_begin)
    return _Process(pool, pool.submit(_ready, function))
