"""From a claim to its verdict: Hypothesis searches for inputs, the evidence of each is judged, the
record says what was found.

Search, then decide. The statement about each input is first judged on a search stream at level
SUSPICION; only a suspicious one is judged again, on a fresh independent stream at the claim's share
of the run's alpha, and only that makes it violated. Why a run's false alarms then stay below alpha
is proved in `theory_checks.evidence.ledger`.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import hypothesis
import numpy as np
import torch
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable, UnsatisfiedAssumption
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants
from torch import Tensor

from theory_checks.checking.claim import DEFAULT_ALPHA, DEFAULT_SUBJECT, Claim
from theory_checks.checking.decide import context_of, search_then_decide, wanted_by
from theory_checks.checking.pictures import to_plain
from theory_checks.checking.record import ERROR, MORE_THAN_CHANCE, Record, more_than_chance, number
from theory_checks.checking.registry import described
from theory_checks.checking.run import Run, digest
from theory_checks.evidence import Evidence, Verdict
from theory_checks.evidence.verdict import ATTAINED
from theory_checks.experiments.trajectories import DECIDE, SEARCH

HARDLY_EVER = 0.1  # of the inputs: a claim whose hypotheses fewer meet is vacuous
MOST_LISTED = 40  # inputs whose sampled evidence is listed one by one
# inputs, or members of a conjunction on one, whose margins are kept for comparisons
MOST_MARGINS = 120
# new inputs judged once a violation is known; a shrink may ask for hundreds
MOST_JUDGED_WHILE_SHRINKING = 60


class Violation(AssertionError):
    """An input for which the claim is violated; Hypothesis shrinks it."""


class NotHeld(AssertionError):
    """The verdict on a claim was not `holds`."""


@dataclass
class _Log:
    """What one check of a claim has judged so far."""

    judged: dict[tuple[int, ...], tuple[Evidence, Mapping[str, Any]]] = field(default_factory=dict)
    raised: dict[tuple[int, ...], Exception] = field(default_factory=dict)
    visited: dict[str, Counter[Any]] = field(default_factory=dict)
    tried: int = 0
    samples: int = 0
    shrinking: int = 0

    def visit(self, facts: Mapping[str, Any]) -> None:
        for name, value in facts.items():
            self.visited.setdefault(name, Counter())[value] += 1

    @property
    def shrinks(self) -> bool:
        """Whether Hypothesis has something to shrink."""
        return bool(self.raised) or any(
            evidence.verdict is Verdict.VIOLATED for evidence, _ in self.judged.values()
        )


@dataclass(frozen=True)
class Finding:
    """What checking a claim found out: the record, and the inputs of the worst case, None if no
    input met the hypotheses."""

    record: Record
    worst: Mapping[str, Any] | None


def check(claim: Claim, run: Run, *, shrink: bool = True) -> Record:
    """Judges a claim over the inputs that Hypothesis finds, and says what was found. Does not raise
    on a violation.

    shrink: whether to look for the smallest input that violates the claim, rather than be content
    with the first.
    """
    return examine(claim, run, shrink=shrink).record


def examine(
    claim: Claim, run: Run, progress: Callable[[], object] = lambda: None, *, shrink: bool = True
) -> Finding:
    """`check`, with the inputs of the worst case; calls `progress` whenever an input was judged."""
    started = time.perf_counter()
    log = _Log()
    over = claim.over(run.profile) if callable(claim.over) else claim.over
    examples = inputs_tried(claim, run)
    smallest: list[Mapping[str, Any]] = []

    def judge_input(**inputs: Any) -> None:
        key = digest(inputs)
        if key in log.raised:
            raise log.raised[key]
        if key not in log.judged:
            if log.shrinks:
                log.shrinking += 1
                if log.shrinking > MOST_JUDGED_WHILE_SHRINKING:
                    return
            log.tried += 1
            try:
                log.judged[key] = search_then_decide(claim, run, inputs), inputs
            except UnsatisfiedAssumption:
                raise
            except Exception as error:
                log.raised[key] = error
                raise
            evidence = log.judged[key][0]
            log.samples += evidence.samples
            progress()
            if claim.visits is not None:
                log.visit(claim.visits(**inputs))
        evidence = log.judged[key][0]
        # Sampled evidence would make Hypothesis climb on noise, and an attained bound needs no more
        # hunting.
        if (
            evidence.tightness is not None
            and evidence.false_pass == 0
            and evidence.tightness < ATTAINED
        ):
            hypothesis.target(evidence.tightness)
        if evidence.verdict is Verdict.VIOLATED:
            smallest[:] = [inputs]
            raise Violation(evidence.detail)

    test = hypothesis.given(**over)(judge_input)
    for inputs in claim.always:
        test = hypothesis.example(**inputs)(test)
    test = hypothesis.seed(run.stream(claim.id, "inputs").generate_state(1)[0].item())(test)
    test = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.explicit, Phase.generate, Phase.target, *([Phase.shrink] if shrink else [])),
        # Checks are slow by nature; hypotheses that are rarely met are counted and reported.
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    )(test)
    # Unsatisfiable: no input met the hypotheses, which the record will call vacuous.
    with contextlib.suppress(Violation, Unsatisfiable), _inputs_that_depend_on_the_seed_only():
        test()
    return _finding(claim, run, log, smallest, time.perf_counter() - started)


@contextlib.contextmanager
def _inputs_that_depend_on_the_seed_only() -> Iterator[None]:
    """Keeps Hypothesis from trying constants that it finds in the source of the project's modules.

    Which modules are loaded differs between a worker, the command line and a run of other claims,
    and every change of core adds constants or takes some away: the same seed would give other
    inputs, and no run could be repeated or compared with another. Hypothesis has no setting for it;
    a version in which these names are gone has to be looked at (a test notices).
    """
    with (
        mock.patch.object(providers.HypothesisProvider, "_local_constants", Constants()),
        mock.patch.object(providers, "CONSTANTS_CACHE", type(providers.CONSTANTS_CACHE)(1024)),
    ):
        yield


def inputs_tried(claim: Claim, run: Run) -> int:
    """How many inputs Hypothesis tries besides those that are always tried, by profile, within the
    claim's line of the ledger.

    Raises ValueError if the standard profile alone exceeds the line.
    """
    reserved = len(claim.always) + MOST_JUDGED_WHILE_SHRINKING
    allowed = run.ledger.line(claim.id).inputs - reserved
    if claim.examples > allowed:
        raise ValueError(
            f"claim {claim.id}: {claim.examples} inputs and {reserved} others exceed its ledger"
            f" line by {claim.examples - allowed}"
        )
    return min(max(1, round(claim.examples * run.profile.inputs)), allowed)


def _with_pictures(
    record: Record, claim: Claim, run: Run, evidence: Evidence, inputs: Mapping[str, Any], log: _Log
) -> Record:
    """The record with the claim's pictures of the worst case. They illustrate: whatever goes wrong
    leaves the verdict alone."""
    if claim.picture is None:
        return record
    phase = DECIDE if evidence.verdict is Verdict.VIOLATED and evidence.samples else SEARCH
    judged = tuple((case, found) for found, case in log.judged.values())
    context = {**context_of(run, phase), "run": run, "judged": judged}
    try:
        drawn = claim.picture(
            **wanted_by(claim.picture, context), **wanted_by(claim.picture, inputs)
        )
        pictures = drawn if isinstance(drawn, tuple) else (drawn,)
        return replace(record, pictures=tuple(map(to_plain, pictures)))
    except Exception as error:
        return replace(record, undrawn=f"{type(error).__name__}: {error}")


def _finding(
    claim: Claim, run: Run, log: _Log, smallest: list[Mapping[str, Any]], seconds: float
) -> Finding:
    found = replace(
        described(claim, run.profile),
        verdict=Verdict.VACUOUS.value,
        examples=len(log.judged),
        discarded=log.tried - len(log.judged),
        samples=log.samples,
        met=sum(evidence.met for evidence, _ in log.judged.values()),
        tried=sum(evidence.tried for evidence, _ in log.judged.values()),
        visited={name: _summary(counts) for name, counts in log.visited.items()},
        seconds=seconds,
        seed=run.seed,
        command=reproduce(claim.id, run),
        detail="the hypotheses were never met",
    )
    if not log.judged:
        return Finding(found, None)
    # An input here and there that does not meet the hypotheses says nothing; if hardly any meets
    # them, neither does the claim.
    clear = [judged for judged in log.judged.values() if judged[0].verdict is not Verdict.VACUOUS]
    found = replace(found, discarded=found.discarded + len(log.judged) - len(clear))
    candidates = clear if len(clear) >= HARDLY_EVER * len(log.judged) else log.judged.values()
    evidence, inputs = (
        log.judged[digest(smallest[0])] if smallest else max(candidates, key=_severity)
    )
    found = replace(
        found,
        verdict=evidence.verdict.value,
        observed=evidence.observed,
        bound=evidence.bound,
        margin=evidence.margin,
        tightness=evidence.tightness if evidence.false_pass == 0 else None,
        resolution=evidence.resolution,
        coarsest=(
            None if evidence.coarsest is None else (evidence.coarsest[0], 2 * evidence.coarsest[1])
        ),
        detail=evidence.detail,
        false_alarm=float(run.ledger.share(claim.id)),
        false_pass=2
        # a violation may pass the search, or be suspicious and pass the decision
        * evidence.false_pass,
        stopped=evidence.stopped,
        worst_case=describe(inputs),
        path=next(evidence.leaves())[1].path,
        averages=next(evidence.leaves())[1].averages,
        margins=_margins([(evidence, inputs), *clear]),
        measured=tuple(
            f"{describe(case)}: {found.detail}"
            for found, case in list(log.judged.values())[:MOST_LISTED]
            if found.samples > 0
        ),
    )
    return Finding(_with_pictures(found, claim, run, evidence, inputs, log), inputs)


def _margins(
    judged: Iterable[tuple[Evidence, Mapping[str, Any]]],
) -> dict[str, tuple[float, float, int, float]]:
    """The margins of a record. The names are those of the streams that the draws came from, so far
    as two runs have one seed."""
    leaves = (
        leaf
        for evidence, inputs in judged
        for leaf in evidence.leaves(f"{digest(dict(inputs))[0]:08x}")
    )
    found: dict[str, tuple[float, float, int, float]] = {}
    for name, leaf in leaves:
        if len(found) == MOST_MARGINS:
            break
        found.setdefault(name, (leaf.margin, leaf.resolution, leaf.samples, leaf.spread))
    return found


def _severity(judged: tuple[Evidence, Mapping[str, Any]]) -> tuple[int, float]:
    evidence, _ = judged
    return evidence.verdict.severity, evidence.closeness


def _summary(counts: Counter[Any]) -> str:
    """How often a fact held, or the range and number of the values visited."""
    values = list(counts)
    if all(isinstance(value, bool) for value in values):
        return f"{counts[True]} of {counts.total()}"
    if all(isinstance(value, int | float) for value in values):
        return f"{number(min(values))} to {number(max(values))} ({len(values)} values)"
    return ", ".join(f"{value} ({count})" for value, count in counts.most_common())


def describe(inputs: Mapping[str, Any]) -> str:
    """The inputs on one line; of large tensors only the corners."""
    return ", ".join(f"{name}={_shown(value)}" for name, value in inputs.items())


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        entries = np.array2string(value.numpy(), threshold=64, separator=", ", floatmode="unique")
        return f"{tuple(value.shape)} {' '.join(entries.split())}"
    return repr(value)


def reproduce(id: str, run: Run) -> str:
    """The command that checks this claim again with the same draws, and shows every step."""
    subject = "" if run.subject_name == DEFAULT_SUBJECT else f" --subject {run.subject_name}"
    device = (
        ""
        if run.device.type == "cpu" and not torch.cuda.is_available()
        else f" --device {run.device}"
    )
    alpha = "" if run.ledger.alpha == DEFAULT_ALPHA else f" --alpha {float(run.ledger.alpha)}"
    claims = "".join(f" --claims {module}" for module in run.claims_from)
    return (
        f"python -m theory_checks reproduce {id} --seed {run.seed} --profile"
        f" {run.profile}{subject}{device}{alpha}{claims}"
    )


def broken(claim: Claim, run: Run, error: Exception) -> Record:
    """The record of a claim whose check raised."""
    detail = f"{type(error).__name__}: {error}"
    return replace(
        described(claim, run.profile),
        verdict=ERROR,
        detail=detail,
        seed=run.seed,
        command=reproduce(claim.id, run),
    )


ADVICE = {
    Verdict.VIOLATED.value: "the smallest input found is given below",
    Verdict.INCONCLUSIVE.value: (
        "the samples ran out before the evidence was clear: try a larger profile or another"
        " --theory-seed"
    ),
    Verdict.VACUOUS.value: (
        "no input met the hypotheses: look at the claim's strategies and at the subject's"
        " initialisation"
    ),
}


def failure(record: Record) -> str:
    """The message of a claim that was not found to hold."""
    return "\n".join(
        [
            f"claim {record.id} {record.verdict}: {record.statement}",
            (
                f"  observed {number(record.observed)}, bound {number(record.bound)}, margin"
                f" {number(record.margin)}: {record.detail}"
            ),
            *([f"  {MORE_THAN_CHANCE}"] if more_than_chance(record) else []),
            f"  {ADVICE[record.verdict]}",
            f"  input: {record.worst_case or 'none'}",
            f"  seed {record.seed}; again: {record.command}",
        ]
    )
