"""theory-report/: each file is complete at any time, and one run at a time writes there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

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
        raise ValueError(f"{directory}: cannot be written to ({error.strerror})") from error
    return lock


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that readers see either the old text or the new one, even if this process is
    killed meanwhile."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def begin(report: Report, directory: Path) -> None:
    """Writes report.json of a run that goes on, and removes the pages of an earlier run."""
    write_whole(directory / FILE, report.to_json())
    for name in (SUMMARY, PAGE):
        (directory / name).unlink(missing_ok=True)


def write(
    report: Report,
    directory: Path,
    comparison: Comparison | None = None,
    drawn: Mapping[str, Drawings] = MappingProxyType({}),
) -> None:
    """Writes report.json and the pages. The caller has reserved the directory."""
    write_whole(directory / FILE, report.to_json())
    write_pages(report, directory, comparison, drawn)


def write_pages(
    report: Report,
    directory: Path,
    comparison: Comparison | None = None,
    drawn: Mapping[str, Drawings] = MappingProxyType({}),
) -> None:
    """Writes summary.md and index.html. The caller has reserved the directory.

    drawn: drawings made before, by claim
    """
    # slow to import, so not at the start of a run
    from theory_checks.report.page import render
    from theory_checks.report.summary import markdown

    write_whole(directory / SUMMARY, markdown(report, comparison))
    write_whole(directory / PAGE, render(report, comparison, drawn))
