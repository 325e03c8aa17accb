"""check the claims against faulty subjects: who notices which fault

Writes matrix.json, matrix.md and matrix.html, and keeps every result in cells.jsonl: a run that was
interrupted goes on where it ended, and what has not changed is not checked again. Claims that need
training runs are checked on the faults that represent their kind, or on all that are named. A
claim that calls none of the ingredients in which a fault differs finds what it finds of the
paper's Subject, which is checked first. Status 1 if a fault that is not equivalent was checked
against every claim that must notice it and none did, or if one that is said to be equivalent was
noticed.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from theory_checks.checking.claim import DEFAULT_SEED, DEFAULT_SUBJECT
from theory_checks.checking.profiles import PROFILES
from theory_checks.commands import CommandError
from theory_checks.commands.claims import available, find
from theory_checks.report.write import reserve, write_whole

if TYPE_CHECKING:
    from theory_checks.faults import Fault


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="only this one (repeatable)"
    )
    parser.add_argument(
        "--claim", action="append", default=[], metavar="ID", help="only this one (repeatable)"
    )
    add_cell_arguments(parser, "theory-report/faults")


def add_cell_arguments(parser: argparse.ArgumentParser, output: str) -> None:
    """The options of all commands that check many cells."""
    parser.add_argument("--profile", choices=list(PROFILES), default="quick", help="(%(default)s)")
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, metavar="N", help="the run's seed (%(default)s)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (%(default)s)"
    )
    parser.add_argument(
        "--limit",
        type=float,
        metavar="SECONDS",
        help="that one claim may take on one fault (no limit)",
    )
    parser.add_argument(
        "--output", type=Path, default=Path(output), metavar="DIR", help="(%(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    from theory_checks.faults import FAULTS
    from theory_checks.faults.cells import Cell, Store, claims, completed
    from theory_checks.faults.matrix import Matrix, cells_of, dependency_order, untouched
    from theory_checks.faults.pages import headline, html, markdown
    from theory_checks.faults.workers import Workers

    require_cell_arguments(arguments)
    faults = chosen(arguments.fault)
    order = tuple(
        id
        for id in dependency_order(claims())
        if not arguments.claim or id in chosen_claims(arguments.claim)
    )
    trained = [id for id in order if claims()[id].trains]
    cells = cells_of(faults, order, trained, arguments.profile, arguments.seed)
    healthy = {
        id: Cell(DEFAULT_SUBJECT, id, arguments.profile, arguments.seed)
        for id in order
        if id not in trained
    }
    try:
        lock = reserve(arguments.output)
    except ValueError as error:
        raise CommandError(str(error)) from error
    with lock, Workers(arguments.jobs) as workers:
        store = Store(arguments.output / "cells.jsonl")
        paper = completed(
            list(healthy.values()), store, workers, arguments.limit, "the paper's Subject"
        )
        results = {}
        for cell in cells:
            if cell.claim in healthy and untouched(
                FAULTS[cell.subject.rpartition(":")[2]], paper[healthy[cell.claim]]
            ):
                results[cell] = paper[healthy[cell.claim]]
        different = [cell for cell in cells if cell not in results]
        results |= completed(different, store, workers, arguments.limit, "kill matrix")
        matrix = Matrix(
            arguments.profile,
            arguments.seed,
            order,
            {id: claims()[id].statement for id in order},
            tuple(faults),
            {
                fault.name: {
                    cell.claim: results[cell]
                    for cell in cells
                    if cell.subject.endswith(f":{fault.name}")
                }
                for fault in faults
            },
        )
        write_whole(
            arguments.output / "matrix.json",
            json.dumps(matrix.to_json(), allow_nan=False, indent=1) + "\n",
        )
        write_whole(arguments.output / "matrix.md", markdown(matrix))
        write_whole(arguments.output / "matrix.html", html(matrix))
    print(headline(matrix))
    print(arguments.output / "matrix.html")
    return int(bool(matrix.gaps or matrix.false_kills))


def require_cell_arguments(arguments: argparse.Namespace) -> None:
    """Raises CommandError for numbers that make no sense."""
    if arguments.seed < 0:
        raise CommandError(f"seed {arguments.seed}: needs a whole number >= 0")
    if arguments.jobs < 1:
        raise CommandError(f"jobs {arguments.jobs}: needs a whole number >= 1")
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


def chosen_claims(ids: Sequence[str]) -> set[str]:
    """These ids. Raises CommandError if there is no such claim."""
    known = available(())
    return {find(id, known).id for id in ids}
