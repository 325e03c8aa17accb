"""say which ingredient of a variant, or which changed file of core, each violation follows

Checks the claims on a variant, puts the ingredients that differ from the paper's back, one by one
and, where that does not settle it, several at a time, and checks again what was violated. With
--against it takes back the changed files of core/ instead: each in a copy of core, which processes
of their own import. Files that do not import without each other are taken back together. Writes
blame.json and blame.md. Keeps every result in cells.json: an interrupted run continues where it
ended. Status 1 if a violation follows no part of the change.
"""

import argparse
import importlib
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from theory_checks.checking.claim import DEFAULT_SUBJECT
from theory_checks.commands import CommandError, refusing
from theory_checks.commands.faults import (
    add_cell_arguments,
    checking,
    chosen_claims,
    require_cell_arguments,
    write,
)
from theory_checks.report.words import plural

if TYPE_CHECKING:
    from theory_checks.faults.blame import Change, Files, Ingredients
    from theory_checks.faults.causes import Parts

EXAMPLES = (
    "blame my_variant:MINE",
    "blame my_variant:MINE --claim R.5 --claim A.3",
    "blame --against HEAD~1",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "subject", metavar="module:NAME", nargs="?", help="the variant; with --against, core:PAPER"
    )
    parser.add_argument(
        "--against", metavar="REV", help="take back files of core/ to this revision of git"
    )
    add_cell_arguments(parser, "theory-report/blame")


def run(arguments: argparse.Namespace) -> int:
    require_cell_arguments(arguments)
    change = chosen_change(arguments)
    from theory_checks.faults.blame import headline, markdown, table, to_json, violations

    order = chosen_claims(arguments.claim)
    with checking(arguments) as completed:
        found, verdicts = violations(change, order, arguments.profile, arguments.seed, completed)
        if not found:
            seen = ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items())
            raise CommandError(
                f"nothing to blame: no violation among {plural(verdicts.total(), 'claim')} ({seen};"
                f" {arguments.profile} profile, seed {arguments.seed})"
            )
        report = {
            "schema": 1,
            "subject": arguments.subject or DEFAULT_SUBJECT,
            "against": arguments.against,
            "profile": arguments.profile,
            "seed": arguments.seed,
            "parts": change.parts,
            "verdicts": verdicts,
            "violations": to_json(found),
        }
        title = f"What the violations of {report['subject']} follow"
        write(arguments, "blame", report, md=markdown(found, verdicts, change, title))
    print(table(found, change))
    print(f"{headline(found, verdicts)} {change.note}".strip())
    print(arguments.output / "blame.md")
    return int(not all(violation.is_traced for violation in found))


def chosen_change(arguments: argparse.Namespace) -> "Change":
    """What may have caused violations. Raises CommandError if there is nothing."""
    if arguments.against is None:
        if arguments.subject is None:
            raise CommandError("which variant? blame module:NAME, or --against REV for core/")
        return chosen_ingredients(arguments.subject)
    try:
        importlib.import_module("core")
    except Exception as error:  # whatever the user's edit raises
        what = f"{type(error).__name__}: {error}"
        raise CommandError(f"core cannot be imported as it is now ({what})") from error
    return chosen_files(arguments.subject or DEFAULT_SUBJECT, arguments.against, arguments.jobs)


@refusing()
def chosen_ingredients(subject: str) -> "Ingredients":
    """The ingredients of the subject that are not the paper's. Raises CommandError if there are
    none, or no such subject."""
    from theory_checks.checking.run import load_subject
    from theory_checks.faults.blame import Ingredients
    from theory_checks.faults.put_back import differing

    parts = differing(load_subject(subject))
    if not parts:
        raise CommandError(
            f"subject {subject!r}: has the paper's ingredients alone; --against REV looks for the"
            " cause in core/"
        )
    return Ingredients(subject, parts)


@refusing()
def chosen_files(subject: str, revision: str, jobs: int) -> "Files":
    """The files of core that differ from the revision. Raises CommandError if there are none, or no
    such subject or revision, or if core at the revision cannot be imported."""
    from theory_checks.checking.run import load_subject
    from theory_checks.faults.blame import Files
    from theory_checks.faults.causes import NOTHING, apart
    from theory_checks.faults.taken_back import changed, resolved

    load_subject(subject)
    commit = resolved(revision)
    files = changed(commit)
    if not files:
        raise CommandError(f"core/ does what it did at {revision}: no file of it differs in code")
    single = Files(subject, commit, tuple((name,) for name in files))
    errors: dict[Parts, str] = {}  # of all sets of files that were tried, "" where there is none

    def works(sets: "Collection[Parts]") -> "Collection[Parts]":
        untried = [kept for kept in dict.fromkeys(sets) if kept not in errors]
        errors.update(import_errors(single, untried, jobs))
        return [kept for kept in sets if not errors[kept]]

    if not works([NOTHING]):
        raise CommandError(
            f"core at {revision} cannot be used with the claims as they are now ({errors[NOTHING]})"
        )
    return Files(subject, commit, apart(files, works))


def import_errors(files: "Files", sets: "Sequence[Parts]", jobs: int) -> "dict[Parts, str]":
    """Why core and the claims cannot be imported if these files alone stay changed; "" if they
    can."""
    from tqdm import tqdm

    from theory_checks.checking.workers import Workers
    from theory_checks.faults.blame import import_error
    from theory_checks.faults.taken_back import taken_back

    names = [files.subject(kept) for kept in sets]
    with tempfile.TemporaryDirectory(prefix="theory-blame-") as folder, Workers(jobs) as workers:
        cores = [Path(folder) / str(number) for number in range(len(sets))]
        copies = map(taken_back, names)
        for core, copy in zip(cores, copies, strict=True):
            if copy:
                copy.write_copy(core)
        outcomes = workers.outcomes(
            import_error,
            [(name,) for name in names],
            None,
            [c if c.exists() else None for c in cores],
        )
        bar = tqdm(outcomes, "what imports", len(sets), leave=False, unit="core", disable=None)
        return {sets[number]: str(answer) for number, answer in bar}
