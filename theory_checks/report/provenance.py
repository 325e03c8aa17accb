"""The environment of a run: versions, machine and commit."""

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path


def environment(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python and of the packages, the platform and the number of processors."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
        **{name: version(name) for name in packages},
    }


def git_state(directory: Path) -> tuple[str, bool | None]:
    """The commit that is checked out there, and whether anything differs from it; ("", None)
    outside a repository."""
    commit, status = (
        _git(directory, *arguments)
        for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain"))
    )
    return (
        (commit.strip(), bool(status)) if commit is not None and status is not None else ("", None)
    )


def _git(directory: Path, *arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(directory), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=10
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
