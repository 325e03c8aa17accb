"""Calls in processes of their own: one that crashes or takes too long takes no other with it.

Each process is a `ProcessPoolExecutor` of one, as a crash breaks a whole executor and would not say
which call it was.
"""

import contextlib
import importlib.util
import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from theory_checks.checking.process import begin_worker

SPAWN = multiprocessing.get_context("spawn")


class Unanswered(Exception):
    """Why a call has no result: its process crashed or was ended."""


def _begin(core: Path | None) -> None:
    if core:
        sys.path.insert(0, str(core))
    begin_worker()
    # Ctrl-C is for the process that waits, which ends this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _ready(function: str, core: Path | None) -> int:
    """The id of this process, which has imported the module of the function, module:NAME.

    Raises ImportError if that fails, or if its `core` is not the one in that folder, because what
    started it imports core, too.
    """
    try:
        pkgutil.resolve_name(function)
    except Exception as error:  # whatever a core raises that its user has edited
        raise ImportError(f"{type(error).__name__}: {error}") from None
    origin = getattr(importlib.util.find_spec("core"), "origin", None)
    if core and not (origin and Path(origin).is_relative_to(core)):
        raise ImportError(f"core is imported from {origin}, not from {core}")
    return os.getpid()


@dataclass(frozen=True)
class _Process:
    pool: ProcessPoolExecutor
    pid: Future[int]
    core: Path | None

    def kill(self) -> None:
        """Ends the process, whatever it is doing."""
        with contextlib.suppress(BrokenProcessPool, ProcessLookupError, ImportError):
            os.kill(self.pid.result(), signal.SIGTERM)

    def end(self) -> None:
        self.kill()
        self.pool.shutdown()


@dataclass
class Workers:
    """Up to `jobs` processes, started when they are needed and ended with the `with` block."""

    jobs: int
    idle: list[_Process] = field(default_factory=list)
    busy: list[_Process] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.idle:
            process.end()
        self.idle.clear()

    def outcomes(
        self,
        function: Callable[..., Any],
        calls: Sequence[tuple[Any, ...]],
        limit: float | None = None,
        cores: Sequence[Path | None] = (),
    ) -> Iterator[tuple[int, Any]]:
        """The number and result of each call as it is finished, or an Unanswered. The function must
        not raise.

        limit: seconds that a call may take, the start of its process not counted.
        cores: for each call the folder to import `core` from, None for the usual one; by default
        that is so for all. Calls with different ones share no process.

        Calls begin in the order given.
        """
        cores = cores or [None] * len(calls)
        with ThreadPoolExecutor(self.jobs) as threads:
            numbers = {
                threads.submit(self._outcome, function, arguments, limit, core): number
                for number, (arguments, core) in enumerate(zip(calls, cores, strict=True))
            }
            try:
                for future in as_completed(numbers):
                    yield numbers[future], future.result()
            finally:  # also when the caller reads no further
                threads.shutdown(wait=False, cancel_futures=True)
                for process in tuple(self.busy):
                    process.kill()

    def _process(self, function: Callable[..., Any], core: Path | None) -> _Process:
        """An idle process or, in the place of an idle one with another core, a new one."""
        with self.lock:
            alike = [process for process in self.idle if process.core == core]
            taken = (alike or self.idle)[:1]
            for process in taken:
                self.idle.remove(process)
        if alike:
            return taken[0]
        for process in taken:
            process.end()
        return _started(function, core)

    def _outcome(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        limit: float | None,
        core: Path | None,
    ) -> Any:
        process = self._process(function, core)
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
        except ImportError as error:
            process.pool.shutdown()
            return Unanswered(str(error))
        finally:
            self.busy.remove(process)
        self.idle.append(process)
        return result


def _started(function: Callable[..., Any], core: Path | None) -> _Process:
    pool = ProcessPoolExecutor(1, mp_context=SPAWN, initializer=_begin, initargs=(core,))
    name = f"{function.__module__}:{function.__qualname__}"
    return _Process(pool, pool.submit(_ready, name, core), core)
