"""check the claims against faulty subjects: which claim notices which fault

Prints which claim notices each fault first, and writes matrix.json, matrix.md and matrix.html.
Keeps every result in cells.json: an interrupted run continues where it ended, and what is known of
the same version of a fault and a claim is not checked again. Claims that need training runs are
checked on the faults that represent their kind, or on all that are named. A claim that calls none
of the ingredients in which a fault differs finds what it finds of the paper's Subject, which is
checked first. Faults that are edits of core are checked in processes that import an edited copy of
it. Status 1 if a fault that is not equivalent was checked against every claim that must
notice it and none did, or if a fault that is said to be equivalent was noticed.
"""

import argparse
import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from theory_checks.checking.arguments import REPEATABLE
from theory_checks.checking.claim import DEFAULT_SEED, DEFAULT_SUBJECT
from theory_checks.checking.options import seed_from
from theory_checks.checking.profiles import PROFILES
from theory_checks.commands import CommandError, refusing
from theory_checks.commands.claims import available, find
from theory_checks.report.serial import plain
from theory_checks.report.write import reserve, write_whole

if TYPE_CHECKING:
    from theory_checks.faults.cells import Cell, Result
    from theory_checks.faults.fault import Fault

    Completed = Callable[[Sequence[Cell], str], dict[Cell, Result]]

EXAMPLES = (
    "faults --fault GATE_ONE --claim R.8",
    "faults --fault GATE_ONE --fault NO_NOISE --jobs 2",
    "faults --limit 600 --output theory-report/faults",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_fault(parser)
    add_cell_arguments(parser, "theory-report/faults")


def add_fault(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fault", **REPEATABLE, metavar="NAME", help="only this one (repeatable)")


def add_cell_arguments(parser: argparse.ArgumentParser, output: str) -> None:
    """The options of all commands that check many cells."""
    parser.add_argument("--claim", **REPEATABLE, metavar="ID", help="only this one (repeatable)")
    parser.add_argument("--profile", choices=list(PROFILES), default="quick", help="(%(default)s)")
    parser.add_argument(
        "--seed", default=DEFAULT_SEED, metavar="N", help="the run's seed (%(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (%(default)s)"
    )
    parser.add_argument(
        "--limit", type=float, metavar="SECONDS", help="for one claim on one subject (no limit)"
    )
    parser.add_argument(
        "--cells", type=Path, metavar="FILE", help="known and new results (DIR/cells.json)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path(output), metavar="DIR", help="(%(default)s)"
    )


@contextlib.contextmanager
def checking(arguments: argparse.Namespace) -> "Iterator[Completed]":
    """What gives the results of cells, from the file of known ones or from processes that check
    them, under a title. Raises CommandError if another run writes to the same directories, or if
    the file has no results."""
    from theory_checks.checking.workers import Workers
    from theory_checks.faults.cells import Store, completed

    path = arguments.cells or arguments.output / "cells.json"
    with contextlib.ExitStack() as stack:
        with refusing():
            for folder in {arguments.output.resolve(), path.resolve().parent}:
                stack.enter_context(reserve(folder))
            store = Store(path)
        workers = stack.enter_context(Workers(arguments.jobs))
        yield lambda cells, title: completed(cells, store, workers, arguments.limit, title)


def write(arguments: argparse.Namespace, name: str, content: Any, **texts: str) -> None:
    """Writes the content as JSON and each of the texts, to files of this name."""
    texts["json"] = json.dumps(plain(content), allow_nan=False, indent=1) + "\n"
    for suffix, text in texts.items():
        write_whole(arguments.output / f"{name}.{suffix}", text)


def run(arguments: argparse.Namespace) -> int:
    from theory_checks.faults.cells import Cell, claims
    from theory_checks.faults.matrix import Matrix, as_on_paper, cells_of
    from theory_checks.faults.pages import headline, page, table

    require_cell_arguments(arguments)
    faults = chosen(arguments.fault)
    require_targets(faults)
    order = chosen_claims(arguments.claim)
    trained = [claim_id for claim_id in order if claims()[claim_id].trains]
    profile, seed = arguments.profile, arguments.seed
    healthy = {
        claim_id: Cell(DEFAULT_SUBJECT, claim_id, profile, seed)
        for claim_id in order
        if claim_id not in trained
    }
    rows = {f.name: (f, cells_of(f, order, trained, profile, seed)) for f in faults}
    with checking(arguments) as completed:
        found = completed(list(healthy.values()), "the paper's Subject")
        known = as_on_paper(rows, {c: found[cell] for c, cell in healthy.items()})
        different = [c for _, row in rows.values() for c in row.values() if c not in known]
        results = known | completed(different, "kill matrix")
        matrix = Matrix(
            profile,
            seed,
            order,
            {claim_id: claims()[claim_id].statement for claim_id in order},
            tuple(faults),
            {
                name: {claim_id: results[cell] for claim_id, cell in row.items()}
                for name, (_, row) in rows.items()
            },
        )
        pages = {kind: page(matrix, kind) for kind in ("md", "html")}
        write(arguments, "matrix", matrix.to_json(), **pages)
    print(table(matrix))
    print(headline(matrix))
    print(arguments.output / "matrix.html")
    return int(bool(matrix.gaps or matrix.false_kills))


def require_cell_arguments(arguments: argparse.Namespace) -> None:
    """Reads the seed. Raises CommandError for numbers that make no sense."""
    with refusing():
        arguments.seed = seed_from(arguments.seed)
    for name in ("jobs", "runs", "checks"):
        number = getattr(arguments, name, None)
        if number is not None and number < 1:
            raise CommandError(f"{name} {number}: needs a whole number >= 1")
    if arguments.limit is not None and not arguments.limit > 0:
        raise CommandError(f"limit {arguments.limit}: needs a number of seconds > 0")


def chosen(names: Sequence[str]) -> "list[Fault]":
    """The faults with these names, as representatives, or all. Raises CommandError if there is no
    such fault."""
    from theory_checks.faults import FAULTS

    for name in names:
        if name not in FAULTS:
            raise CommandError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
    return [replace(FAULTS[name], representative=True) for name in names] or list(FAULTS.values())


def require_targets(faults: "Sequence[Fault]") -> None:
    """Raises CommandError if an edit of core does not find what it replaces."""
    for fault in faults:
        try:
            if fault.edit:
                fault.edit.edited()
        except ValueError as error:
            raise CommandError(f"fault {fault.name}: {error}") from error


def chosen_claims(ids: Sequence[str]) -> tuple[str, ...]:
    """These ids, or all, with what a claim builds on before it. Raises CommandError if there is no
    such claim."""
    from theory_checks.faults.cells import claims
    from theory_checks.faults.matrix import dependency_order

    wanted = {find(claim_id, available(())).id for claim_id in ids} or claims().keys()
    return tuple(claim_id for claim_id in dependency_order(claims()) if claim_id in wanted)
