"""how weak a fault each claim still detects with a probability of 95 %

Bisects over the strengths of each fault; `theory_checks/faults/graded.py` states the design.
Writes graded.json and graded.md. Keeps every result in cells.json: an interrupted run continues
where it ended.
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from theory_checks.commands import CommandError
from theory_checks.commands.faults import (
    add_cell_arguments,
    add_fault,
    checking,
    chosen_claims,
    require_cell_arguments,
    write,
)
from theory_checks.report.words import number

if TYPE_CHECKING:
    from theory_checks.faults.cells import Cell, Result
    from theory_checks.faults.graded import Power

EXAMPLES = (
    "graded --fault SIGNAL_ANGLE --checks 1",
    "graded --fault NOISE_WIDTH --claim R.5 --jobs 2",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_fault(parser)
    parser.add_argument(
        "--checks",
        type=int,
        metavar="N",
        help="at each strength (as many as 95 %% confidence needs)",
    )
    add_cell_arguments(parser, "theory-report/graded")


def run(arguments: argparse.Namespace) -> int:
    from theory_checks.faults.graded import (
        GRADED,
        STEPS,
        seeds_needed,
        smallest_detected,
        strengths_looked_at,
    )

    require_cell_arguments(arguments)
    checks = arguments.checks or seeds_needed(strengths_looked_at(STEPS + 1))
    for name in arguments.fault:
        if name not in GRADED:
            raise CommandError(f"no graded fault {name!r}; there are {', '.join(GRADED)}")
    wanted = arguments.claim and chosen_claims(arguments.claim)
    powers: list[Power] = []
    with checking(arguments) as completed:

        def check(cells: "Sequence[Cell]") -> "Iterator[Result]":
            """A few at a time, so that a strength that is missed is soon given up."""
            for start in range(0, len(cells), 2 * arguments.jobs):
                some = cells[start : start + 2 * arguments.jobs]
                name = some[0].subject.rpartition(":")[2]
                results = completed(some, f"{name} {some[0].claim}")
                yield from (results[cell] for cell in some)

        for fault in (GRADED[name] for name in arguments.fault or GRADED):
            for claim_id in wanted or fault.noticed_by:
                power = smallest_detected(
                    fault, claim_id, arguments.profile, arguments.seed, checks, check
                )
                powers.append(power)
                report = {
                    "schema": 1,
                    "profile": arguments.profile,
                    "seed": arguments.seed,
                    "checks": checks,
                    "results": powers,
                }
                write(arguments, "graded", report, md=markdown(powers, checks))
                print(f"{fault.name} {claim_id}: {number(power.strength)}")
    return 0


def markdown(powers: "Sequence[Power]", checks: int) -> str:
    """A table of faults and claims."""
    from theory_checks.faults.graded import DETECTED, GRADED, STEPS, strengths_looked_at

    doubt = min(1.0, strengths_looked_at(STEPS + 1) * DETECTED**checks)
    lines = [
        "# Graded faults",
        "",
        (
            f"The smallest strength s of a grid of halves at which all of {checks} checks with"
            f" different seeds were kills. A strength that is detected with a probability below"
            f" {DETECTED:.0%} is reported with a probability of at most {doubt:.2g}."
        ),
        "",
        "| fault | what is wrong | claim | smallest s detected | tried (kills of checks) |",
        "|---|---|---|---|---|",
    ]
    for power in powers:
        tried = ", ".join(f"{number(s)} ({kills} of {done})" for s, kills, done in power.tried)
        strength = "none" if power.strength is None else number(power.strength)
        lines.append(
            f"| {power.fault} | {GRADED[power.fault].wrong} | {power.claim} | {strength} |"
            f" {tried} |"
        )
    return "\n".join(lines) + "\n"
