"""Core with some files as they were at another revision: copies that processes of their own import.

A copy differs from a worktree of git in that it leaves the repository alone, and has the files that
stay as they are now, committed or not.
"""

import ast
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import core
from core import Subject
from theory_checks.checking.run import load_subject
from theory_checks.faults.edit import SOURCE


@dataclass(frozen=True)
class TakenBack:
    """A subject, on core with some files taken back.

    subject: module:NAME.
    revision: as git names it.
    files: of core, like "training.py", sorted.
    """

    subject: str
    revision: str
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        """It as module:NAME, for processes that import its core."""
        return f"{__name__}:{self.subject}@{self.revision}@{'+'.join(self.files)}"

    def sources(self) -> dict[str, str]:
        """The source of every file of core. Raises ValueError as `sources_at`."""
        then = sources_at(self.revision)
        now = sources_in(SOURCE)
        return {name: text for name, text in now.items() if name not in self.files} | {
            name: then[name] for name in self.files if name in then
        }

    def write_copy(self, folder: Path) -> None:
        """Writes its core into the folder. Raises ValueError as `sources_at`."""
        copy, sources = folder / SOURCE.name, self.sources()
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        for name in self.files:
            (copy / name).unlink(missing_ok=True)
        for name in sources.keys() & set(self.files):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_text(sources[name], encoding="utf-8")


def taken_back(name: str) -> TakenBack | None:
    """What a name, module:NAME, stands for, if it is one of `TakenBack`."""
    module, _, rest = name.partition(":")
    if module != __name__ or rest.count("@") < 2:
        return None
    subject, revision, files = rest.rsplit("@", 2)
    return TakenBack(subject, revision, tuple(files.split("+")))


def __getattr__(name: str) -> Subject:
    """The Subject with this name.

    Raises ValueError unless this process has imported its core.
    """
    found = taken_back(f"{__name__}:{name}")
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if sources_in(Path(core.__path__[0])) != found.sources():
        raise ValueError(
            f"{found.subject} with {', '.join(found.files)} of revision {found.revision} needs a"
            " copy of core: see `theory-checks blame --against`"
        )
    return load_subject(found.subject)


def changed(revision: str) -> tuple[str, ...]:
    """The files of core that differ from the revision in more than comments and layout, sorted.

    Raises ValueError as `sources_at`.
    """
    then, now = sources_at(revision), sources_in(SOURCE)
    return tuple(
        name for name in sorted({*then, *now}) if _code(then.get(name)) != _code(now.get(name))
    )


def _code(source: str | None) -> str | None:
    """What Python reads of a file; None of one that is not there."""
    try:
        return None if source is None else ast.dump(ast.parse(source))
    except SyntaxError:
        return source


def sources_in(folder: Path) -> dict[str, str]:
    """The source of each file of a package, by its path in the folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.py")
    }


@cache
def sources_at(revision: str) -> Mapping[str, str]:
    """The source of each file of core at a revision.

    Raises ValueError if there is no git, no repository, no such revision, or no core in it.
    """
    commit = resolved(revision)
    listed = _git("ls-tree", "-r", "-z", "--name-only", commit, "--", ".") or ""
    names = [name for name in listed.split("\0") if name.endswith(".py")]
    if not names:
        raise ValueError(f"revision {revision} has no {SOURCE.name}/")
    return {name: _git("show", f"{commit}:./{name}") or "" for name in names}


def resolved(revision: str) -> str:
    """The short hash of the revision. Raises ValueError as `sources_at`."""
    if not _git("ls-files", "--", "__init__.py"):
        raise ValueError(
            f"{SOURCE} is kept by no git repository: only a clone of the project has revisions"
        )
    found = _git("rev-parse", "--verify", "--quiet", "--short=12", f"{revision}^{{commit}}")
    if not found:
        raise ValueError(f"no revision {revision!r} in the git repository of {SOURCE}")
    return found.strip()


def _git(*arguments: str) -> str | None:
    """What git prints about core; None if it fails. Raises ValueError if there is no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(SOURCE), *arguments],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except OSError as error:
        raise ValueError(f"git cannot be run ({error.strerror})") from error
    return None if done.returncode else done.stdout
