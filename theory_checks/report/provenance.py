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
    # To look must leave nothing behind: by default status refreshes the index, and if it is killed,
    # a lock stays there.
    git = ["git", "--no-optional-locks", "-C", str(directory)]
    command = [*git, "status", "--porcelain=v2", "--branch"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "", None
    first, *rest = run.stdout.splitlines()  # "# branch.oid COMMIT", other headers, then changes
    commit = first.split()[-1]  # "(initial)" before the first one
    dirty = any(not line.startswith("#") for line in rest)
    return commit if commit.isalnum() else "", dirty
