"""replay the check of one claim and show every step that led to its verdict

The exit status is that of a run: 0 if the claim holds, 1 if it is violated or its check raised, 10
if it is undecided.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from theory_checks.checking.claim import Claim
from theory_checks.checking.guests import lines_from, reason
from theory_checks.checking.record import BROKEN
from theory_checks.commands import add_options, refusing, run_options
from theory_checks.commands.claims import available, find
from theory_checks.report.document import EXIT_UNDECIDED
from theory_checks.report.words import number, which_input

if TYPE_CHECKING:
    from theory_checks.checking.run import Run
    from theory_checks.checking.search import Examined
    from theory_checks.evidence import Evidence

MOST_STEPS = 8  # points of a path that are printed

EXAMPLES = (
    "reproduce R.5 --seed 20221128",
    "reproduce R.5 --profile quick --subject my_variant:GAUSSIAN",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the claim")
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    claim = find(arguments.id, available(arguments.claims))
    with tempfile.TemporaryDirectory(prefix="theory-checks-") as shared:
        found = chosen_run(arguments, Path(shared))
        print(f"{claim.id} {claim.statement}")
        if hypotheses := claim.hypotheses(found.profile):
            print(f"  given {hypotheses}")
        print(
            f"  subject {found.subject_name}, profile {found.profile}, seed {found.seed}, device"
            f" {found.device}",
            flush=True,
        )
        from theory_checks.checking.ambient import standard

        try:
            examined = replayed(claim, found)
            with standard():
                print("\n".join(steps(claim, found, examined)))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            print("\n".join([f"verdict: error; {reason(error)}", *lines_from(claim.check, error)]))
            return 1
    if examined.record.passed:
        return 0
    return 1 if examined.record.verdict in BROKEN else EXIT_UNDECIDED


@refusing()
def chosen_run(arguments: argparse.Namespace, shared: Path) -> "Run":
    """The run that the options describe. Raises CommandError if there is no such subject or
    device."""
    from theory_checks.checking.run import make_run

    return make_run(run_options(arguments), shared)


def replayed(claim: Claim, run: "Run") -> "Examined":
    """The claim checked again, with a progress bar where somebody watches."""
    from tqdm import tqdm

    from theory_checks.checking.search import examine, inputs_tried

    total = inputs_tried(claim, run) + len(claim.always)
    with tqdm(total=total, desc=claim.id, unit="input", leave=False, disable=None) as bar:
        return examine(claim, run, progress=bar.update)


def steps(claim: Claim, run: "Run", examined: "Examined") -> Iterator[str]:
    """What led to the verdict: the inputs, then the evidence of each phase on the worst of them."""
    from theory_checks.checking.decide import phases
    from theory_checks.checking.search import describe
    from theory_checks.evidence.ledger import SUSPICION
    from theory_checks.experiments.trajectories import SEARCH

    record = examined.record
    yield (
        f"inputs: {record.examples} judged, {record.discarded} did not meet the hypotheses,"
        f" {record.samples} draws"
    )
    yield from (f"  visited {name}: {summary}" for name, summary in record.visited.items())
    if examined.worst is not None:
        yield f"worst case, {which_input(record)}:"
        yield f"  {describe(examined.worst)}"
        for phase, evidence in phases(claim, run, examined.worst):
            stream = run.stream(claim.id, dict(examined.worst), phase).spawn_key[0]
            name = "search" if phase == SEARCH else "decision"
            level = (
                f"suspicious at {float(SUSPICION):g}"
                if phase == SEARCH
                else f"violated at {evidence.false_alarm:.3g}"
            )
            yield f"{name}, stream {stream:08x}, {level}:"
            yield from shown(evidence)
    observed = (
        f", observed {number(record.observed, 6)} {record.sense or 'against'}"
        f" {number(record.bound, 6)}"
        if examined.worst is not None
        else ""
    )
    yield f"verdict: {record.verdict}{observed}; {record.detail}"


def shown(evidence: "Evidence", indent: str = "  ") -> Iterator[str]:
    """The evidence, its path and, for a conjunction, that of every member that was judged."""
    yield (
        f"{indent}{evidence.verdict}: observed {number(evidence.observed, 6)}"
        f" {evidence.sense or 'against'} {number(evidence.bound, 6)}, margin"
        f" {number(evidence.margin, 6)}, resolution {number(evidence.resolution, 6)},"
        f" {evidence.samples} samples; {evidence.stopped}"
    )
    if not evidence.members:  # else that of each member follows
        yield f"{indent}  {evidence.detail}"
    if evidence.path and not evidence.members:
        chosen = evidence.path[:: -(-len(evidence.path) // MOST_STEPS)]
        yield f"{indent}  estimates: " + ", ".join(
            f"{value:.4g} after {n}" for n, value in (*chosen, evidence.path[-1])
        )
    for index, member in enumerate(evidence.members):
        yield (
            f"{indent}member {index + 1} of"
            f" {len(evidence.members)}{' (decides)' if index == evidence.worst else ''}"
        )
        yield from shown(member, indent + "  ")
