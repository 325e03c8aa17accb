"""The record of a verdict: what travels from a worker to the report, as one JSON string."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from theory_checks.checking.pictures import Heatmap, Lines
from theory_checks.report import words
from theory_checks.report.serial import plain, restored

NOT_RUN = "not run"
RAISED = "error"
WORST_FIRST = tuple(words.VERDICT_WORDS)
BROKEN = ("violated", RAISED)
PASSED = ("finding", "holds")
SAY_NOTHING = ("baseline fails", "not applicable")  # why a claim stopped

Whole = Annotated[int, {"minimum": 0}]


@dataclass(frozen=True)
class Record:
    """The result of checking one claim. Fields that `Evidence` has too describe the worst case.

    id: of the claim, for example R.5
    verdict: violated: the claim was rejected at level `false_alarm`; holds: violations as large as
        `resolves` were rejected; inconclusive: the sample budget ran out first; vacuous: the
        hypotheses were hardly ever satisfied; finding: what is claimed fails at these sizes, as
        often as is predicted; error: the code under test raised; not run: no
        evidence arrived
    statement: what is claimed
    kind: exact, law, probability or rate
    given: the hypotheses; empty if there are no others than the inputs' ranges
    source: where the paper says it, or what it was derived from
    depends_on: ids of the claims that this one builds on directly
    formula: the statement in LaTeX; empty if there is no formula
    derivation: why the claim is true; an empty line separates paragraphs
    hash: equal in two runs that checked the same claim in the same way, so that their records can
        be compared
    observed: the estimate, or the worst value seen; null if nothing was judged
    bound: what `observed` is compared with
    margin: signed distance to the bound, positive inside; for an equality, inside means closer than
        the resolution
    tightness: observed / bound (for lower bounds its inverse) of the input that came nearest, 1 if
        the bound is attained; null for claims that sample
    resolution: violations of at least this size are rejected except with probability `false_pass`;
        the rounding tolerance of exact claims
    coarsest: resolution and false_pass of the part that resolves least, over all inputs; null if no
        part of the claim samples
    sense: what is claimed of `observed`: <= or >= its bound, or ~ where two things are claimed to
        be equal and `bound` is their claimed value or, for a difference, how large it may be
    interval: exact 95 % interval of `observed`, where it is a share of replicates
    detail: what was compared, in one line; the reason for error and not run
    also: of a violated claim: the same of other parts of it that are violated
    examples: number of inputs judged
    discarded: number of inputs that did not satisfy the hypotheses
    samples: number of draws over all inputs
    met: number of the counted draws that satisfied the hypotheses
    tried: number of the counted draws
    false_alarm: the claim's share of alpha, which bounds the probability that it is called violated
        although it is true; 0 for exact claims
    false_pass: bound on the probability of missing a violation of size `resolution`; 0 for exact
        claims
    stopped: why sampling stopped
    visited: what the inputs covered, by name
    worst_case: the input with the tightest evidence; one that violates the claim if there is any
    shrunk: whether `worst_case` is the smallest of several inputs that violate the claim
    measured: one line for each of the first inputs that were sampled
    claimed: of a finding: what is claimed, in words
    exceptions: of a finding, for each point: its name, how often the claim failed among how many
        replicates, and an exact 95 % interval of the probability
    path: (draws so far, running estimate of `observed`), thinned
    averages: whether the estimates in `path` are means of the draws so far
    margins: (margin, resolution, samples, spread) of the worst case, first, and of other inputs,
        named by a hash of the input and the place in a conjunction; one of n samples changes the
        margin by at most spread / n, and no samples means exact; used to compare two runs
    pictures: of the worst case
    undrawn: why there is no picture, if drawing failed
    seconds: time that the check took
    seed: of the run
    command: replays the check; empty if it was not run
    """

    id: str
    verdict: Annotated[str, {"enum": WORST_FIRST}]
    statement: str = ""
    kind: str = ""
    given: str = ""
    source: str = ""
    depends_on: tuple[str, ...] = ()
    formula: str = ""
    derivation: str = ""
    hash: str = ""
    observed: float | None = None
    bound: float | None = None
    margin: float | None = None
    tightness: float | None = None
    resolution: float | None = None
    coarsest: tuple[float, float] | None = None
    sense: str = ""
    interval: tuple[float, float] | None = None
    detail: str = ""
    also: tuple[str, ...] = ()
    examples: Whole = 0
    discarded: Whole = 0
    samples: Whole = 0
    met: Whole = 0
    tried: Whole = 0
    false_alarm: float | None = None
    false_pass: float | None = None
    stopped: str = ""
    visited: Mapping[str, str] = field(default_factory=dict)
    worst_case: str = ""
    shrunk: bool = False
    measured: tuple[str, ...] = ()
    claimed: str = ""
    exceptions: tuple[tuple[str, int, int, float, float], ...] = ()
    path: tuple[tuple[float, float], ...] = ()
    averages: bool = False
    margins: Mapping[str, tuple[float, float, int, float]] = field(default_factory=dict)
    pictures: tuple[Lines | Heatmap, ...] = ()
    undrawn: str = ""
    seconds: float = 0.0
    seed: Whole = 0
    command: str = ""

    @property
    def resolves(self) -> float | None:
        """The size from which a violation of any part of the claim would be detected."""
        return self.coarsest[0] if self.coarsest else self.resolution

    @property
    def says_nothing(self) -> bool:
        """Whether the claim is no statement about this Subject: what it presumes is not given, or a
        control's baseline fails. `detail` says which."""
        return self.verdict == "vacuous" and self.stopped in SAY_NOTHING

    @property
    def passed(self) -> bool:
        """Whether the claim holds, or its finding is as predicted."""
        return self.verdict in PASSED

    @property
    def broken(self) -> bool:
        """Whether the claim is violated or in error."""
        return self.verdict in BROKEN

    @property
    def violated_within_resolution(self) -> bool:
        """Whether the violation is smaller than the resolution, so that the observed value seems to
        lie inside its bound."""
        return self.verdict == "violated" and (self.margin or 0.0) > 0

    def to_json(self) -> str:
        """The record as one JSON string."""
        return json.dumps(plain(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The inverse of `to_json`. Raises ValueError if the text is not a record."""
        record: Record = restored(cls, json.loads(text), "record")
        return record
