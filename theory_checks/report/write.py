"""theory-report/: each file is complete at any time, and one run at a time writes there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from theory_checks.checking.guests import reason
from theory_checks.report.document import FILE, Report

if TYPE_CHECKING:
    from theory_checks.report.compare import Comparison
    from theory_checks.report.page import Drawings

SUMMARY, PAGE = "summary.md", "index.html"


def reserve(directory: Path) -> FileLock:
    """Makes the directory and keeps other runs from writing there until the lock is released or
    this process ends, however it ends.

    Raises ValueError if the directory cannot be written to, or another run has reserved it.
    """
    lock = FileLock(directory / ".lock")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
        write_whole(directory / ".writable", "")
        (directory / ".writable").unlink()
    except Timeout:
        raise ValueError(
            f"{directory}: another run is writing its report there; wait for it, or choose another"
            " directory"
        ) from None
    except OSError as error:
        lock.release()
        # Directories may exist; what exists here is something else.
        why = "not a directory" if isinstance(error, FileExistsError) else error.strerror
        raise ValueError(f"{directory}: cannot be written to ({why})") from error
    return lock


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that readers see either the old text or the new one, even if this process is
    killed meanwhile."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Paths and messages may hold what is no text; an escape is better than no report.
        with partial.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def noting(problems: list[str], what: str) -> Iterator[None]:
    """Adds an exception of the block to the problems, in one line, instead of raising it: at the
    end of a run the verdicts matter more.

    what: was not possible, for example "report.json could not be written"
    """
    try:
        yield
    except Exception as error:
        system = error.strerror if isinstance(error, OSError) else None
        problems.append(f"{what} ({system or reason(error)})")


def begin(report: Report, directory: Path) -> None:
    """Writes report.json of a run that goes on, and removes the pages of an earlier run. If that
    fails, as on a full disk, the run goes on: it is tried again at its end."""
    with contextlib.suppress(OSError):
        write_whole(directory / FILE, report.to_json())
    for name in (SUMMARY, PAGE):
        with contextlib.suppress(OSError):
            (directory / name).unlink(missing_ok=True)


def write(
    report: Report,
    directory: Path,
    comparison: Comparison | None = None,
    drawn: Mapping[str, Drawings] = MappingProxyType({}),
) -> list[str]:
    """Writes report.json and the pages; a line for each that could not be written. The caller has
    reserved the directory."""
    problems: list[str] = []
    with noting(problems, f"{directory / FILE} could not be written; what is there is older"):
        write_whole(directory / FILE, report.to_json())
    return problems + write_pages(report, directory, comparison, drawn)


def write_pages(
    report: Report,
    directory: Path,
    comparison: Comparison | None = None,
    drawn: Mapping[str, Drawings] = MappingProxyType({}),
) -> list[str]:
    """Writes summary.md and index.html; a line for each that could not be written. The caller has
    reserved the directory.

    drawn: drawings made before, by claim
    """
    # slow to import, so not at the start of a run
    from theory_checks.report.page import render
    from theory_checks.report.summary import markdown

    problems: list[str] = []
    with noting(problems, f"{directory / SUMMARY} could not be written"):
        write_whole(directory / SUMMARY, markdown(report, comparison))
    with noting(problems, f"{directory / PAGE} could not be written"):
        write_whole(directory / PAGE, render(report, comparison, drawn))
    return problems
