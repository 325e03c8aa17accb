"""From a claim to its verdict: Hypothesis searches for inputs, each is judged (`decide`), and the
record keeps the results."""

import contextlib
import shlex
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

from theory_checks.checking.ambient import standard
from theory_checks.checking.claim import DEFAULT_ALPHA, DEFAULT_SUBJECT, Claim
from theory_checks.checking.decide import context_of, search_then_decide, wanted_by
from theory_checks.checking.guests import Ended, reason
from theory_checks.checking.pictures import compact, of_comparison
from theory_checks.checking.record import RAISED, Record
from theory_checks.checking.registry import described
from theory_checks.checking.run import Run, digest
from theory_checks.evidence import Evidence, Verdict
from theory_checks.evidence.verdict import ATTAINED
from theory_checks.experiments.trajectories import DECIDE, SEARCH
from theory_checks.report.words import SMALL_BUT_SIGNIFICANT, how_far, number, which_input

HARDLY_EVER = 0.1  # a claim is vacuous if a smaller share of the inputs satisfies its hypotheses
MOST_LISTED = 40  # sampled inputs that the record lists
MOST_ALSO = 4  # other violated parts that a failure lists
MOST_MARGINS = 120  # margins kept for comparisons, of inputs or members of a conjunction
MOST_JUDGED_WHILE_SHRINKING = 60  # new inputs after a violation; Hypothesis may ask for hundreds


class Violation(AssertionError):
    """An input for which the claim is violated; Hypothesis shrinks it."""


class NotHeld(AssertionError):
    """A claim neither holds nor is a finding."""


class _Stopped(BaseException):
    """Nothing more is tried. Hypothesis would try to shrink what ended a check."""


@dataclass
class _Log:
    """What one check of a claim has judged so far, by digest of the inputs."""

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
class Examined:
    """The result of checking a claim.

    record: for the report
    worst: the inputs of the worst case; None if no input satisfied the hypotheses
    """

    record: Record
    worst: Mapping[str, Any] | None


def check(claim: Claim, run: Run, *, shrink: bool = True) -> Record:
    """Judges a claim over the inputs that Hypothesis generates. A violation is recorded, not
    raised.

    shrink: whether to search for the smallest violating input instead of stopping at the first
    """
    return examine(claim, run, shrink=shrink).record


@standard()
def examine(
    claim: Claim, run: Run, progress: Callable[[], object] = lambda: None, *, shrink: bool = True
) -> Examined:
    """`check`, with the inputs of the worst case.

    progress: called after each input

    Raises what the code under test raises, and Ended if that is no Exception.
    """
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
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # sys.exit, pytest.skip, a timeout
                raise _Stopped from error
            evidence = log.judged[key][0]
            log.samples += evidence.samples
            progress()
            if claim.visits is not None:
                log.visit(claim.visits(**inputs))
        evidence = log.judged[key][0]
        # Sampled evidence would make Hypothesis climb on noise; an attained bound needs none.
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
        # Checks are slow by nature; inputs that do not satisfy the hypotheses are counted.
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    )(test)
    # Unsatisfiable: no input satisfied the hypotheses; the record says `vacuous`.
    try:
        with contextlib.suppress(Violation, Unsatisfiable), _inputs_that_depend_on_the_seed_only():
            test()
    except _Stopped as stopped:
        ending = stopped.__cause__ or stopped
        raise Ended(reason(ending)) from ending
    return _examined(claim, run, log, smallest, time.perf_counter() - started)


@contextlib.contextmanager
def _inputs_that_depend_on_the_seed_only() -> Iterator[None]:
    """Keeps Hypothesis from trying constants from the source of the project's modules.

    Workers, commands and runs of other claims load different modules, and changes of core add or
    remove constants: the same seed would give other inputs, so no run could be repeated or
    compared. Hypothesis has no setting for this; a test fails if a version lacks these names.
    """
    with (
        mock.patch.object(providers.HypothesisProvider, "_local_constants", Constants()),
        mock.patch.object(providers, "CONSTANTS_CACHE", type(providers.CONSTANTS_CACHE)(1024)),
    ):
        yield


def inputs_tried(claim: Claim, run: Run) -> int:
    """The number of inputs that Hypothesis generates in this profile, besides `always`, within the
    claim's line of the ledger.

    Raises ValueError if the standard profile exceeds that line.
    """
    reserved = len(claim.always) + MOST_JUDGED_WHILE_SHRINKING
    allowed = run.ledger.line(claim.id).inputs - reserved
    if claim.examples > allowed:
        raise ValueError(
            f"claim {claim.id}: {claim.examples} inputs and {reserved} reserved ones exceed its"
            f" ledger line by {claim.examples - allowed}"
        )
    return min(max(1, round(claim.examples * run.profile.inputs)), allowed)


def _with_pictures(
    record: Record, claim: Claim, run: Run, evidence: Evidence, inputs: Mapping[str, Any], log: _Log
) -> Record:
    """The record with the claim's pictures of the worst case, and with that of its evidence where
    the claim has none or is violated. An error while drawing leaves the verdict unchanged."""
    compared = next((leaf.compared for _, leaf in evidence.leaves() if leaf.compared), None)
    seen = (
        (compact(of_comparison(compared)),)
        if compared is not None and (claim.picture is None or evidence.verdict is Verdict.VIOLATED)
        else ()
    )
    if claim.picture is None:
        return replace(record, pictures=seen)
    phase = DECIDE if evidence.verdict is Verdict.VIOLATED and evidence.samples else SEARCH
    judged = tuple((case, found) for found, case in log.judged.values())
    context = {**context_of(run, phase), "run": run, "judged": judged}
    try:
        drawn = claim.picture(
            **wanted_by(claim.picture, context), **wanted_by(claim.picture, inputs)
        )
        pictures = drawn if isinstance(drawn, tuple) else (drawn,)
        return replace(record, pictures=(*map(compact, pictures), *seen))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return replace(record, pictures=seen, undrawn=reason(error))


def _examined(
    claim: Claim, run: Run, log: _Log, smallest: list[Mapping[str, Any]], seconds: float
) -> Examined:
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
        detail="no input satisfied the hypotheses",
    )
    if not log.judged:
        return Examined(found, None)
    # A few inputs that do not satisfy the hypotheses do not matter; if hardly any input does, the
    # claim is vacuous.
    clear = [judged for judged in log.judged.values() if judged[0].verdict is not Verdict.VACUOUS]
    found = replace(found, discarded=found.discarded + len(log.judged) - len(clear))
    candidates = clear if len(clear) >= HARDLY_EVER * len(log.judged) else log.judged.values()
    evidence, inputs = (
        log.judged[digest(smallest[0])] if smallest else max(candidates, key=_severity)
    )
    parts = [judged.coarsest for judged, _ in candidates if judged.coarsest is not None]
    coarsest = max(parts, default=None)
    found = replace(
        found,
        verdict=evidence.verdict.value,
        observed=evidence.observed,
        bound=evidence.bound,
        margin=evidence.margin,
        tightness=evidence.tightness if evidence.false_pass == 0 else None,
        resolution=evidence.resolution,
        coarsest=None if coarsest is None else (coarsest[0], 2 * coarsest[1]),
        sense=evidence.sense,
        interval=evidence.interval,
        detail=evidence.detail,
        also=_also_violated(evidence),
        false_alarm=float(run.ledger.share(claim.id)),
        false_pass=2
        # a violation may pass the search, or be suspicious and pass the decision
        * evidence.false_pass,
        stopped=evidence.stopped,
        worst_case=describe(inputs),
        shrunk=log.shrinking > 0,
        claimed=evidence.claimed,
        exceptions=tuple((e.where, e.count, e.of, e.low, e.high) for e in evidence.exceptions),
        path=next(evidence.leaves())[1].path,
        averages=next(evidence.leaves())[1].averages,
        margins=_margins([(evidence, inputs), *clear]),
        measured=tuple(
            f"{describe(case)}: {found.detail}"
            for found, case in list(log.judged.values())[:MOST_LISTED]
            if found.samples > 0
        ),
    )
    return Examined(_with_pictures(found, claim, run, evidence, inputs, log), inputs)


def _also_violated(evidence: Evidence) -> tuple[str, ...]:
    """What the other violated parts of a conjunction say."""
    _, *others = (leaf for _, leaf in evidence.leaves())
    return tuple(leaf.detail for leaf in others if leaf.verdict is Verdict.VIOLATED)


def _margins(
    judged: Iterable[tuple[Evidence, Mapping[str, Any]]],
) -> dict[str, tuple[float, float, int, float]]:
    """The margins of a record, by input and place in a conjunction: in two runs with the same seed,
    margins of the same name come from the same streams."""
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
    """How often a fact held, or the range and number of its values."""
    values = list(counts)
    if all(isinstance(value, bool) for value in values):
        return f"{counts[True]} of {counts.total()}"
    if all(isinstance(value, int | float) for value in values):
        if len(values) == 1:
            return number(values[0])
        return f"{number(min(values))} to {number(max(values))} ({len(values)} values)"
    return ", ".join(f"{value} ({count})" for value, count in counts.most_common())


def describe(inputs: Mapping[str, Any]) -> str:
    """The inputs on one line, large tensors by their corners only."""
    return ", ".join(f"{name}={_shown(value)}" for name, value in inputs.items())


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        entries = np.array2string(value.numpy(), threshold=64, separator=", ", floatmode="unique")
        return f"{tuple(value.shape)} {' '.join(entries.split())}"
    return repr(value)


def reproduce(claim_id: str, run: Run) -> str:
    """The command that repeats this check with the same draws, step by step; "" if there is
    none."""
    if not run.replays:
        return ""
    subject = "" if run.subject_name == DEFAULT_SUBJECT else f" --subject {run.subject_name}"
    device = (
        ""
        if run.device.type == "cpu" and not torch.cuda.is_available()
        else f" --device {run.device}"
    )
    alpha = "" if run.ledger.alpha == DEFAULT_ALPHA else f" --alpha {float(run.ledger.alpha)}"
    claims = "".join(f" --claims {shlex.quote(module)}" for module in run.claims_from)
    return (
        f"python -m theory_checks reproduce {claim_id} --seed {run.seed} --profile"
        f" {run.profile}{subject}{device}{alpha}{claims}"
    )


def broken(claim: Claim, run: Run, error: BaseException) -> Record:
    """The record of a claim whose check raised."""
    return replace(
        described(claim, run.profile),
        verdict=RAISED,
        detail=reason(error),
        seed=run.seed,
        command=reproduce(claim.id, run),
    )


ADVICE = {
    Verdict.INCONCLUSIVE.value: (
        "the sample budget ran out before a decision; try a larger profile or another --theory-seed"
    ),
    Verdict.VACUOUS.value: (
        "hardly any input satisfied the hypotheses; check the claim's strategies and the subject's"
        " initialisation"
    ),
}


def failure(record: Record) -> str:
    """The error message of a claim whose verdict is not `holds`."""
    if record.says_nothing:
        return f"claim {record.id} {record.detail}"
    which = which_input(record)
    return "\n".join(
        [
            f"claim {record.id} {record.verdict}: {record.statement}",
            f"  seen: {record.detail}",
            *(f"  also: {detail}" for detail in record.also[:MOST_ALSO]),
            *(
                [f"  also: {len(record.also) - MOST_ALSO} more parts, which the replay lists"]
                if len(record.also) > MOST_ALSO
                else []
            ),
            *([f"  {how_far(record)}"] if number(record.observed) != "NaN" else []),
            *([f"  {SMALL_BUT_SIGNIFICANT}"] if record.violated_within_resolution else []),
            *([f"  {ADVICE[record.verdict]}"] if record.verdict in ADVICE else []),
            f"  {which}: {record.worst_case or '-'}",
            f"  seed {record.seed}; replay: {record.command}",
        ]
    )
