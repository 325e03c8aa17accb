"""replay the check of one claim and show every step that led to its verdict

The exit status is that of a run: 0 if the claim holds, 1 if it is violated or its check raised, 6
if it is undecided.
"""

import argparse
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from theory_checks.checking.claim import DEFAULT_ALPHA, DEFAULT_SEED, DEFAULT_SUBJECT, Claim
from theory_checks.checking.profiles import PROFILES
from theory_checks.checking.record import BROKEN
from theory_checks.commands import CommandError
from theory_checks.commands.claims import available, find
from theory_checks.report.document import EXIT_UNDECIDED
from theory_checks.report.words import number

if TYPE_CHECKING:
    from theory_checks.checking.run import Run
    from theory_checks.checking.search import Finding
    from theory_checks.evidence import Evidence

MOST_STEPS = 8  # points of a path that are printed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the claim")
    parser.add_argument(
        "--seed", type=int, default=DEFAULT_SEED, metavar="N", help="seed of the run (%(default)s)"
    )
    parser.add_argument(
        "--profile", choices=list(PROFILES), default="standard", help="(%(default)s)"
    )
    parser.add_argument(
        "--subject",
        default=DEFAULT_SUBJECT,
        metavar="module:NAME",
        help="the core.Subject to check (%(default)s)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:i or mps (%(default)s)"
    )
    parser.add_argument(
        "--claims",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of claims that took part in the run",
    )
    parser.add_argument(
        "--alpha",
        default=str(float(DEFAULT_ALPHA)),
        metavar="A",
        help="of the whole run (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    claim = find(arguments.id, available(arguments.claims))
    with tempfile.TemporaryDirectory(prefix="theory-checks-") as shared:
        found = run_of(arguments, Path(shared))
        print(f"{claim.id} {claim.statement}")
        if hypotheses := claim.hypotheses(found.profile):
            print(f"  given {hypotheses}")
        print(
            f"  subject {found.subject_name}, profile {found.profile}, seed {found.seed}, device"
            f" {found.device}",
            flush=True,
        )
        try:
            finding = replayed(claim, found)
            print("\n".join(steps(claim, found, finding)))
        except Exception:
            traceback.print_exc()
            return 1
    if finding.record.verdict == "holds":
        return 0
    return 1 if finding.record.verdict in BROKEN else EXIT_UNDECIDED


def run_of(arguments: argparse.Namespace, shared: Path) -> "Run":
    """The run that the options describe. Raises CommandError if there is no such subject, device,
    seed or alpha."""
    import torch

    from theory_checks.checking.budget import alpha_from, ledger
    from theory_checks.checking.registry import registered
    from theory_checks.checking.run import Run, load_subject, resolve_device

    torch.set_num_threads(1)
    try:
        if arguments.seed < 0:
            raise ValueError(f"seed {arguments.seed}: needs a whole number >= 0")
        subject, device = load_subject(arguments.subject), resolve_device(arguments.device)
        budget = ledger(alpha_from(arguments.alpha), registered(arguments.claims).values())
    except ValueError as error:
        raise CommandError(str(error)) from error
    return Run(
        subject,
        arguments.subject,
        PROFILES[arguments.profile],
        device,
        arguments.seed,
        budget,
        shared,
        tuple(arguments.claims),
    )


def replayed(claim: Claim, run: "Run") -> "Finding":
    """The claim checked again, with a progress bar where somebody watches."""
    from tqdm import tqdm

    from theory_checks.checking.search import examine, inputs_tried

    total = inputs_tried(claim, run) + len(claim.always)
    with tqdm(total=total, desc=claim.id, unit="input", leave=False, disable=None) as bar:
        return examine(claim, run, progress=bar.update)


def steps(claim: Claim, run: "Run", finding: "Finding") -> Iterator[str]:
    """What led to the verdict: the inputs, then the evidence of each phase on the worst of them."""
    from theory_checks.checking.decide import phases
    from theory_checks.checking.search import describe
    from theory_checks.evidence.ledger import SUSPICION
    from theory_checks.experiments.trajectories import SEARCH

    record = finding.record
    yield (
        f"inputs: {record.examples} judged, {record.discarded} did not meet the hypotheses,"
        f" {record.samples} draws"
    )
    yield from (f"  visited {name}: {summary}" for name, summary in record.visited.items())
    if finding.worst is not None:
        which = (
            "the smallest found that violates the claim"
            if record.verdict == "violated"
            else "the closest to the bound"
        )
        yield f"worst case, {which}:"
        yield f"  {describe(finding.worst)}"
        for phase, evidence in phases(claim, run, finding.worst):
            stream = run.stream(claim.id, dict(finding.worst), phase).spawn_key[0]
            name = "search" if phase == SEARCH else "decision"
            level = (
                f"suspicious at {float(SUSPICION):g}"
                if phase == SEARCH
                else f"violated at {evidence.false_alarm:.3g}"
            )
            yield f"{name}, stream {stream:08x}, {level}:"
            yield from told(evidence)
    observed = (
        f", observed {number(record.observed, 6)}, bound {number(record.bound, 6)}"
        if finding.worst is not None
        else ""
    )
    yield f"verdict: {record.verdict}{observed}; {record.detail}"


def told(evidence: "Evidence", indent: str = "  ") -> Iterator[str]:
    """The evidence, its path and, for a conjunction, that of every member that was judged."""
    numbers = ", ".join(
        f"{name} {number(getattr(evidence, name), 6)}"
        for name in ("observed", "bound", "margin", "resolution")
    )
    yield f"{indent}{evidence.verdict}: {numbers}, {evidence.samples} samples; {evidence.stopped}"
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
        yield from told(member, indent + "  ")
