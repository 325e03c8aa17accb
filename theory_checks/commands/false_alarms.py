"""check all claims on one subject with many seeds, and count the verdicts

For a subject of which all claims are true, by default the paper's, every violated verdict is a
false alarm. Writes false-alarms.json and false-alarms.md. Keeps every result in cells.json, so
that the runs can be done in batches: with a larger --runs only the further seeds are checked.
Status 1 if a claim was violated or its check raised.
"""

import argparse
from collections import Counter
from collections.abc import Mapping

from theory_checks.checking.claim import DEFAULT_SUBJECT
from theory_checks.commands import refusing
from theory_checks.commands.faults import (
    add_cell_arguments,
    checking,
    chosen_claims,
    require_cell_arguments,
    write,
)

Counts = Mapping[str, Counter[str]]
COUNTED = ("violated", "error", "inconclusive", "vacuous", "holds")
EXAMPLES = (
    "false_alarms --runs 10 --claim R.7 --claim I.3",
    "false_alarms --runs 200 --profile standard --jobs 8",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=int, default=50, metavar="N", help="seeds, counted from --seed (%(default)s)"
    )
    parser.add_argument(
        "--subject", default=DEFAULT_SUBJECT, metavar="module:NAME", help="(%(default)s)"
    )
    add_cell_arguments(parser, "theory-report/false-alarms")


def run(arguments: argparse.Namespace) -> int:
    from theory_checks.checking.run import load_subject
    from theory_checks.faults.cells import Cell

    require_cell_arguments(arguments)
    order = chosen_claims(arguments.claim)
    subject, profile = arguments.subject, arguments.profile
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    cells = [Cell(subject, claim_id, profile, seed) for seed in seeds for claim_id in order]
    with refusing():
        load_subject(subject)
    with checking(arguments) as completed:
        results = completed(cells, "false alarms")
        counts: Counts = {claim_id: Counter() for claim_id in order}
        for cell in cells:
            outcome = results[cell].outcome
            verdict = {"killed": "violated", "survived": "holds"}.get(outcome, outcome)
            counts[cell.claim][verdict] += 1
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
            "subject": subject,
            "profile": profile,
            "seeds": list(seeds),
            "claims": counts,
            "alarms": alarms,
        }
        write(arguments, "false-alarms", report, md=markdown(arguments, counts))
    print(headline(counts, arguments.runs))
    print(arguments.output / "false-alarms.md")
    return int(bool(alarms))


def headline(counts: Counts, runs: int) -> str:
    """All claims and runs in one sentence."""
    total = sum(counts.values(), Counter())
    verdicts = ", ".join(f"{total[outcome]} {outcome}" for outcome in COUNTED)
    return f"{runs} runs of {len(counts)} claims: {verdicts}."


def markdown(arguments: argparse.Namespace, counts: Counts) -> str:
    """A table with a line for each claim, and a bound on how often it does not hold."""
    lines = [
        "# False alarms",
        "",
        headline(counts, arguments.runs),
        "",
        (
            f"Subject {arguments.subject}, {arguments.profile} profile, seeds from"
            f" {arguments.seed}. The last column bounds the probability that the verdict is not"
            " holds, with 95 % confidence for each claim (Clopper and Pearson)."
        ),
        "",
        f"| claim | {' | '.join(COUNTED)} | not held at most |",
        f"|---|{'---|' * len(COUNTED)}---|",
    ]
    for claim_id, count in counts.items():
        cells = " | ".join(str(count[outcome]) for outcome in COUNTED)
        most = at_most(count.total() - count["holds"], count.total())
        lines.append(f"| {claim_id} | {cells} | {most:.2g} |")
    return "\n".join(lines) + "\n"


def at_most(events: int, trials: int, doubt: float = 0.05) -> float:
    """The upper Clopper-Pearson bound of a probability."""
    from theory_checks.evidence.laws import clopper_pearson

    return clopper_pearson(events, trials, 2 * doubt)[1]
