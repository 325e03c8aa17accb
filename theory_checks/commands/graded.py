"""how weak a fault each claim still detects with a probability of 95 %

Bisects over the strengths of each fault; `theory_checks/faults/graded.py` states the design.
Writes graded.json and graded.md, and keeps every result in cells.jsonl: a run that was interrupted
goes on where it ended.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from theory_checks.commands import CommandError
from theory_checks.commands.faults import add_cell_arguments, chosen_claims, require_cell_arguments
from theory_checks.report.serial import plain
from theory_checks.report.words import number
from theory_checks.report.write import reserve, write_whole

if TYPE_CHECKING:
    from theory_checks.faults.cells import Cell, Result
    from theory_checks.faults.graded import Power


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="only this one (repeatable)"
    )
    parser.add_argument(
        "--claim",
        action="append",
        default=[],
        metavar="ID",
        help="this one for every fault (repeatable)",
    )
    parser.add_argument(
        "--checks",
        type=int,
        metavar="N",
        help="at each strength, fewer than 95 %% confidence needs",
    )
    add_cell_arguments(parser, "theory-report/graded")


def run(arguments: argparse.Namespace) -> int:
    from theory_checks.faults.cells import Store, completed
    from theory_checks.faults.graded import (
        GRADED,
        STEPS,
        seeds_needed,
        smallest_detected,
        strengths_looked_at,
    )
    from theory_checks.faults.workers import Workers

    require_cell_arguments(arguments)
    checks = (
        seeds_needed(strengths_looked_at(STEPS + 1))
        if arguments.checks is None
        else arguments.checks
    )
    if checks < 1:
        raise CommandError(f"checks {checks}: needs a whole number >= 1")
    for name in arguments.fault:
        if name not in GRADED:
            raise CommandError(f"no graded fault {name!r}; there are {', '.join(GRADED)}")
    wanted = sorted(chosen_claims(arguments.claim))
    try:
        lock = reserve(arguments.output)
    except ValueError as error:
        raise CommandError(str(error)) from error
    found: list[Power] = []
    with lock, Workers(arguments.jobs) as workers:
        store = Store(arguments.output / "cells.jsonl")

        def check(cells: "Sequence[Cell]") -> "Iterator[Result]":
            """A few at a time, so that a strength that is missed is soon given up."""
            for start in range(0, len(cells), 2 * arguments.jobs):
                some = cells[start : start + 2 * arguments.jobs]
                title = f"{some[0].subject.rpartition(':')[2]} {some[0].claim}"
                results = completed(some, store, workers, arguments.limit, title)
                yield from (results[cell] for cell in some)

        for fault in (GRADED[name] for name in arguments.fault or GRADED):
            for id in wanted or fault.noticed_by:
                found.append(
                    smallest_detected(fault, id, arguments.profile, arguments.seed, checks, check)
                )
                write_whole(arguments.output / "graded.json", as_json(found, arguments, checks))
                write_whole(arguments.output / "graded.md", markdown(found, checks))
                print(f"{fault.name} {id}: {number(found[-1].strength)}")
    return 0


def as_json(found: "Sequence[Power]", arguments: argparse.Namespace, checks: int) -> str:
    """{"schema", "profile", "seed", "checks", "results": [Power]}, with tried: [[strength, kills,
    checks], ...]."""
    report = {"schema": 1, "profile": arguments.profile, "seed": arguments.seed, "checks": checks}
    return json.dumps({**report, "results": plain(tuple(found))}, allow_nan=False, indent=1) + "\n"


def markdown(found: "Sequence[Power]", checks: int) -> str:
    """A table of faults and claims."""
    from theory_checks.faults.graded import DETECTED, GRADED, STEPS, strengths_looked_at

    doubt = min(1.0, strengths_looked_at(STEPS + 1) * DETECTED**checks)
    lines = [
        "# Graded faults",
        "",
        (
            f"The smallest strength s of a grid of halves at which all of {checks} checks with"
            " different seeds were kills. One that is detected with a probability below"
            f" {DETECTED:.0%} would be reported with a probability of at most {doubt:.2g}."
        ),
        "",
        "| fault | what is wrong | claim | smallest s detected | looked at (kills of checks) |",
        "|---|---|---|---|---|",
    ]
    for power in found:
        tried = ", ".join(
            f"{number(strength)} ({kills} of {done})" for strength, kills, done in power.tried
        )
        strength = "none" if power.strength is None else number(power.strength)
        lines.append(
            f"| {power.fault} | {GRADED[power.fault].wrong} | {power.claim} | {strength} |"
            f" {tried} |"
        )
    return "\n".join(lines) + "\n"
