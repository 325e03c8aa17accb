"""Runs of the claims: from Python, and what they have in common with those that pytest starts. The
controller of parallel runs imports this module, so it imports torch where it is used."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from theory_checks.checking.claim import (
    DEFAULT_ALPHA,
    DEFAULT_SEED,
    DEFAULT_SUBJECT,
    GROUPS,
    Claim,
)
from theory_checks.checking.options import Options, options_from
from theory_checks.checking.process import require_docstrings, require_own_core
from theory_checks.checking.profiles import Profile
from theory_checks.checking.record import NOT_RUN, Record
from theory_checks.report.document import Report
from theory_checks.report.provenance import environment, git_state
from theory_checks.report.results import FORMAT, Share
from theory_checks.report.write import reserve, write

if TYPE_CHECKING:
    from core import Subject
    from theory_checks.checking.run import Run

PACKAGES = ("torch", "numpy", "scipy", "hypothesis", "pytest", "pytest-xdist")
NO_REPLAY = "a Subject that no module holds: its checks cannot be replayed"


def check(
    subject: Subject | str = DEFAULT_SUBJECT,
    claims: Iterable[str | Claim] | None = None,
    profile: str | Profile = "standard",
    seed: int | str = DEFAULT_SEED,
    alpha: Fraction | float | str = DEFAULT_ALPHA,
    device: str = "auto",
    workers: int = 1,
    report: str | Path | None = None,
) -> Report:
    """Checks claims on a subject in this process, without pytest, and returns the report.

        theory_checks.check(replace(core.PAPER, router_noise=mine), ["R", "X.3"], "quick")

    subject: a core.Subject, or the text module:NAME of one.
    claims: ids, letters of groups, or Claims of your own; exactly these, all built-in ones if None.
        (pytest's --theory-claim adds the claims that they depend on.)
    profile: quick, standard or deep, or a Profile of your own, under a name of its own; the report
        then has no command that replays a check.
    seed: a whole number >= 0, or "random".
    alpha: bound on the probability of any false alarm, over all built-in claims and yours,
        whichever of them are chosen.
    device: auto, cpu, cuda, cuda:i or mps.
    workers: how many processes check claims. More than one need a built-in profile, and a subject
        and claims that they can import; those of a notebook or of the script that calls this are
        checked in one process, and the report says that no command can replay them.
    report: a directory to write the report to. What cannot be written at the end, for instance on a
        full disk, is a RuntimeWarning.

    A claim whose process crashes is not run. With the same seed, the other records are those of a
    run of pytest.

    Raises ValueError, which names the value and what is possible, before any work; also if the
    directory cannot be written to.
    """
    started = time.monotonic()
    require_docstrings()
    require_own_core()
    import torch

    from theory_checks.checking.run import make_run

    wanted = _wanted(claims)
    own = [claim for claim in wanted or () if isinstance(claim, Claim)]
    name = subject if isinstance(subject, str) else name_of(subject)
    if name.startswith("__main__:"):
        raise ValueError(f"subject {name!r}: give the Subject itself, no process can import it")
    if report is not None and not str(report):
        raise ValueError("report '': needs a directory")
    options = options_from(
        {
            "subject": name or DEFAULT_SUBJECT,
            "profile": profile if isinstance(profile, Profile) else str(profile),
            # as texts: None is no value of an option, and would be taken for one left out
            "seed": str(seed),
            "alpha": str(alpha),
            "device": str(device),
            "claims_from": modules_of(own),
        }
    )
    with contextlib.ExitStack() as stack:
        shared = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="theory-checks-")))
        stack.callback(torch.set_num_threads, torch.get_num_threads())  # which a run sets to one
        run = make_run(options, shared)
        if not name and not isinstance(subject, str):
            run = replace(run, subject=subject, subject_name="")
        chosen = _chosen(wanted, options.claims_from)
        whole = isinstance(workers, int) and not isinstance(workers, bool) and workers >= 1
        if not whole or (workers > 1 and not run.replays):
            raise ValueError(
                f"workers {workers!r}: needs 1, or a larger number, a subject and claims that"
                " another process can import, as module:NAME, and a built-in profile"
            )
        # absolute, because the code under test may change the current directory
        directory = None if report is None else Path(report).absolute()
        if directory is not None:
            stack.enter_context(reserve(directory))
        command = (
            f"theory_checks.check({options.subject!r}, {list(chosen)}, {options.profile.name!r},"
            f" {options.seed}, {float(options.alpha)}, {device!r})"
        )
        begun = unfinished_report(options, command if run.replays else "", Path.cwd())
        records = tuple(_records(chosen, run, options, workers))
        found = replace(
            begun,
            subject=run.subject_name or NO_REPLAY,
            device=run.device.type,
            seconds=time.monotonic() - started,
            complete=all(record.verdict != NOT_RUN for record in records),
            ledger=shares(run),
            records=records,
        )
        if directory is not None:
            for problem in write(found, directory):
                warnings.warn(problem, RuntimeWarning, stacklevel=2)
        return found


def name_of(subject: Subject) -> str:
    """module:NAME of a module that has been imported, can be imported by other processes and holds
    this very subject; "" if there is none.

    Raises ValueError if it is no core.Subject.
    """
    from core import PAPER, Subject

    if not isinstance(subject, Subject):
        raise ValueError(f"subject {subject!r:.60}: needs a core.Subject, or the text module:NAME")
    if subject is PAPER:
        return DEFAULT_SUBJECT
    names = [
        f"{module}:{name}"
        for module, content in list(sys.modules.items())
        if module != "__main__" and getattr(content, "__spec__", None) is not None
        for name, value in list(vars(content).items())
        if value is subject and importlib.util.find_spec(module) is not None
    ]
    return min(names, key=lambda name: (len(name), name), default="")


def modules_of(claims: Iterable[Claim]) -> tuple[str, ...]:
    """The modules that define those of the claims that are not built in, by name, or by file where
    the name would not be found from the current directory."""
    modules = dict.fromkeys(claim.check.__module__ for claim in claims)
    ours = __name__.partition(".")[0]
    return tuple(_found_from_here(name) for name in modules if name.partition(".")[0] != ours)


def _found_from_here(module: str) -> str:
    file = inspect.getsourcefile(sys.modules[module]) if module != "__main__" else None
    if file is None:
        return module
    path, here = Path(file).resolve(), Path.cwd() / module.replace(".", "/")
    return module if path.with_suffix("") in (here, here / "__init__") else os.path.relpath(path)


def _wanted(claims: Iterable[str | Claim] | None) -> list[str | Claim] | None:
    """The claims that a user asks for, as a list.

    Raises ValueError if there is none, and for a Claim that its module does not hold: it would not
    be found again.
    """
    if claims is None:
        return None
    if not isinstance(claims, str | Claim | Iterable):
        raise ValueError(f"claims {claims!r}: needs ids, letters of groups or Claims")
    wanted: list[str | Claim]
    wanted = [claims] if isinstance(claims, str | Claim) else list(claims)
    if not wanted or not all(isinstance(claim, str | Claim) for claim in wanted):
        raise ValueError(f"claims {wanted!r:.60}: needs ids, letters of groups or Claims")
    for claim in wanted:
        if isinstance(claim, Claim):
            home = claim.check.__module__
            if not any(value is claim for value in vars(sys.modules[home]).values()):
                raise ValueError(f"claim {claim.id}: needs to be an attribute of {home!r}")
    return wanted


def _chosen(wanted: Sequence[str | Claim] | None, claims_from: Sequence[str]) -> dict[str, Claim]:
    """The wanted claims by id, those first that take long.

    Raises ValueError for an unknown id.
    """
    from theory_checks.checking.registry import meant, registered

    known = registered(claims_from)
    if wanted is None:
        ids = list(known)
    else:
        asked = [claim.id if isinstance(claim, Claim) else claim for claim in wanted]
        for claim_id in asked:
            if claim_id not in known and claim_id not in GROUPS:
                raise ValueError(
                    f"claims {claim_id!r}: no such claim or group ({', '.join(GROUPS)});"
                    f" {meant(str(claim_id), known)}"
                )
        ids = [
            claim_id
            for claim_id in known
            if claim_id in asked or claim_id.partition(".")[0] in asked
        ]
    return {
        claim_id: known[claim_id]
        for claim_id in sorted(ids, key=lambda claim_id: longest_first(known[claim_id]))
    }


def longest_first(claim: Claim) -> tuple[int, int]:
    """The place of a claim in the run, so that no worker is left alone with a long one at the end.

    Training claims come first, those that look at most scenarios before others; of the rest, those
    that try few inputs are those whose inputs take long.
    """
    return (0, -claim.examples) if claim.trains else (1, claim.examples)


def _records(
    claims: dict[str, Claim], run: Run, options: Options, workers: int
) -> Iterator[Record]:
    """The record of each claim, with a progress bar where somebody watches."""
    from tqdm import tqdm

    bar = partial(tqdm, total=len(claims), desc="claims", unit="claim", leave=False, disable=None)
    if workers == 1:
        yield from bar(_record(claim, run) for claim in claims.values())
        return
    from theory_checks.checking.workers import Unanswered, Workers

    calls = [(options, run.shared, claim_id) for claim_id in claims]
    found: dict[str, Record] = {}
    with Workers(workers) as processes:
        for index, answer in bar(processes.outcomes(_record_of, calls)):
            claim_id = calls[index][-1]
            crashed = isinstance(answer, Unanswered)
            found[claim_id] = _not_run(claims[claim_id], run) if crashed else answer
    yield from (found[claim_id] for claim_id in claims)


def _not_run(claim: Claim, run: Run) -> Record:
    from theory_checks.checking.registry import described

    return replace(described(claim, run.profile), detail="its worker crashed", seed=run.seed)


def _record(claim: Claim, run: Run) -> Record:
    from theory_checks.checking.search import broken, check

    try:
        return check(claim, run)
    except Exception as error:
        return broken(claim, run, error)


def _record_of(options: Options, shared: Path, claim_id: str) -> Record:
    """The record of the claim with this id, in a process of the pool."""
    from theory_checks.checking.registry import registered

    return _record(registered(options.claims_from)[claim_id], _run_of(options, shared))


@cache
def _run_of(options: Options, shared: Path) -> Run:
    from theory_checks.checking.run import make_run

    return make_run(options, shared)


def shares(run: Run) -> tuple[Share, ...]:
    """The error budget as the report has it."""
    return tuple(
        Share(line.id, float(run.ledger.share(line.id)), line.inputs, line.reason)
        for line in run.ledger.lines
    )


def unfinished_report(options: Options, command: str, directory: Path) -> Report:
    """The report of a run as far as it is known before anything is checked.

    The commit is that of this package, or of the directory of the run if it lies in no repository.
    """
    commit, dirty = git_state(Path(__file__).parent)
    if not commit:
        commit, dirty = git_state(directory)
    return Report(
        schema=FORMAT,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        subject=options.subject,
        profile=options.profile.name,
        device=options.device,
        seed=options.seed,
        alpha=float(options.alpha),
        command=command,
        environment=environment(PACKAGES),
        commit=commit,
        dirty=dirty,
        seconds=0.0,
        complete=False,
        ledger=(),
        records=(),
    )
