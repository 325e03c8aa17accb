"""run all claims on one subject with many seeds, and count what was called violated, undecided or
vacuous

For a subject of which all claims are true, by default the paper's, every violated verdict is a
false alarm. Writes false-alarms.json and false-alarms.md, and keeps every result in cells.jsonl, so
that the runs can be done in batches: with a larger --runs only the further seeds are checked.
Status 1 if a claim was violated or its check raised.
"""

import argparse
import json
from collections import Counter
from collections.abc import Mapping

from theory_checks.checking.claim import DEFAULT_SUBJECT
from theory_checks.commands import CommandError
from theory_checks.commands.faults import add_cell_arguments, chosen_claims, require_cell_arguments
from theory_checks.report.write import reserve, write_whole

Counts = Mapping[str, Counter[str]]
OUTCOMES = ("violated", "error", "inconclusive", "vacuous", "holds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=int, default=50, metavar="N", help="seeds, counted from --seed (%(default)s)"
    )
    parser.add_argument(
        "--subject", default=DEFAULT_SUBJECT, metavar="module:NAME", help="(%(default)s)"
    )
    parser.add_argument(
        "--claim", action="append", default=[], metavar="ID", help="only this one (repeatable)"
    )
    add_cell_arguments(parser, "theory-report/false-alarms")


def run(arguments: argparse.Namespace) -> int:
    from theory_checks.checking.run import load_subject
    from theory_checks.faults.cells import Cell, Store, claims, completed
    from theory_checks.faults.matrix import dependency_order
    from theory_checks.faults.workers import Workers

    require_cell_arguments(arguments)
    if arguments.runs < 1:
        raise CommandError(f"runs {arguments.runs}: needs a whole number >= 1")
    wanted = chosen_claims(arguments.claim)
    order = [id for id in dependency_order(claims()) if not wanted or id in wanted]
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    cells = [Cell(arguments.subject, id, arguments.profile, seed) for seed in seeds for id in order]
    try:
        load_subject(arguments.subject)
        lock = reserve(arguments.output)
    except ValueError as error:
        raise CommandError(str(error)) from error
    with lock, Workers(arguments.jobs) as workers:
        results = completed(
            cells, Store(arguments.output / "cells.jsonl"), workers, arguments.limit, "false alarms"
        )
        counts: Counts = {id: Counter() for id in order}
        for cell in cells:
            counts[cell.claim][
                {"killed": "violated", "survived": "holds"}.get(
                    results[cell].outcome, results[cell].outcome
                )
            ] += 1
        alarms = [
            {
                "claim": cell.claim,
                "seed": cell.seed,
                "outcome": results[cell].outcome,
                "detail": results[cell].detail,
            }
            for cell in cells
            if results[cell].outcome in ("killed", "error")
        ]
        report = {
            "schema": 1,
            "subject": arguments.subject,
            "profile": arguments.profile,
            "seeds": list(seeds),
        }
        text = json.dumps({**report, "claims": counts, "alarms": alarms}, indent=1)
        write_whole(arguments.output / "false-alarms.json", f"{text}\n")
        write_whole(arguments.output / "false-alarms.md", markdown(arguments, counts))
    print(headline(counts, arguments.runs))
    print(arguments.output / "false-alarms.md")
    return int(bool(alarms))


def headline(counts: Counts, runs: int) -> str:
    """All claims and runs in one sentence."""
    found = sum(counts.values(), Counter())
    told = ", ".join(f"{found[outcome]} {outcome}" for outcome in OUTCOMES)
    return f"{runs} runs of {len(counts)} claims: {told}."


def markdown(arguments: argparse.Namespace, counts: Counts) -> str:
    """A table with a line for each claim, and how often it can be undecided at most, with 95 %
    confidence."""
    lines = [
        "# False alarms",
        "",
        headline(counts, arguments.runs),
        "",
        (
            f"Subject {arguments.subject}, {arguments.profile} profile, seeds from"
            f" {arguments.seed}. The last column bounds the probability that the claim is not found"
            " to hold, with 95 % confidence for each claim (Clopper and Pearson)."
        ),
        "",
        f"| claim | {' | '.join(OUTCOMES)} | not held at most |",
        f"|---|{'---|' * len(OUTCOMES)}---|",
    ]
    for id, count in counts.items():
        cells = " | ".join(str(count[outcome]) for outcome in OUTCOMES)
        lines.append(
            f"| {id} | {cells} | {at_most(count.total() - count['holds'], count.total()):.2g} |"
        )
    return "\n".join(lines) + "\n"


def at_most(events: int, trials: int, doubt: float = 0.05) -> float:
    """The upper Clopper-Pearson bound of a probability."""
    from theory_checks.evidence.laws import clopper_pearson

    return clopper_pearson(events, trials, 2 * doubt)[1]
