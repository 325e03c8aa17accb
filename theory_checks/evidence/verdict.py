"""The verdict of a check, and the evidence that it rests on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

ATTAINED = 0.999  # the tightness from which an exact bound counts as attained


class Verdict(StrEnum):
    """The answers of a check. `holds` and `finding` pass: a finding is a claim that fails at the
    sizes that are tried, in the way that is predicted for it."""

    HOLDS = "holds"
    FINDING = "finding"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    VACUOUS = "vacuous"

    @property
    def severity(self) -> int:
        """Rank among the verdicts of a conjunction: the most severe one decides."""
        return (
            Verdict.HOLDS,
            Verdict.FINDING,
            Verdict.INCONCLUSIVE,
            Verdict.VACUOUS,
            Verdict.VIOLATED,
        ).index(self)


class HypothesesNotMet(Exception):
    """No draw meets the hypotheses of a statement, or too few do to refute it: the verdict is
    VACUOUS."""

    @property
    def stopped(self) -> str:
        """Why nothing was drawn."""
        return "no draws"


class BaselineFails(HypothesesNotMet):
    """What a comparison starts from is not as it should be, so that the comparison says nothing."""

    @property
    def stopped(self) -> str:
        return "baseline fails"


class NotApplicable(HypothesesNotMet):
    """The statement presumes something that the code under test does not have."""

    @property
    def stopped(self) -> str:
        return "not applicable"


class NotANumber(ValueError):
    """What the code under test returned is NaN, or infinite where a number is claimed: the verdict
    is VIOLATED."""


@dataclass(frozen=True)
class Exceptions:
    """How often what is claimed failed at one point.

    where: the point
    count, of: exceptions among how many replicates (or experts)
    low, high: exact 95 % interval of their probability
    """

    where: str
    count: int
    of: int
    low: float
    high: float


@dataclass(frozen=True)
class Compared:
    """What was expected and what was seen, side by side, for a picture.

    what: is compared, one line
    names: of the events or points; empty where `at` tells them apart
    at: the places on a line; empty where there are names
    observed, expected: one value for each of them
    low, high: ends of an interval around each observed value; empty if there is none
    axis: what `at` is, or what has the names
    values: what is observed and expected
    """

    what: str
    names: tuple[str, ...]
    at: tuple[float, ...]
    observed: tuple[float, ...]
    expected: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    axis: str = ""
    values: str = "share"


@dataclass(frozen=True)
class Evidence:
    """A verdict with everything that is needed to judge it, as plain Python values, so that it can
    be sent as JSON.

    verdict: what the check concludes
    observed: the estimate, or the worst value
    bound: what it is compared with
    margin: signed distance to the bound, positive inside. For statements of equality (`equal`,
        `mean_equals`, `cells_follow`, `follows_law`) "inside" means closer than the tolerance or
        resolution; a violation smaller than that can still be detected.
    tightness: the worst observed / bound (the inverse for lower bounds); 1 if the bound is
        attained, above 1 if it is exceeded; None where the ratio has no meaning
    resolution: violations of this size or more are rejected at false_pass; the tolerance for exact
        checks
    samples: how many were drawn or measured
    false_alarm: the level at which `violated` is declared; 0 for exact checks
    false_pass: the level at which `holds` is declared; 0 for exact checks
    stopped: why sampling stopped
    detail: what was compared, on one line
    met, tried: how many of how many draws met the hypotheses; both 0 if they are not counted
    path: pairs of the draws so far and the estimate of `observed` from them; the verdict rests on
        the last estimate
    averages: whether these estimates are means of the draws so far
    spread: one of n draws can change `observed` by at most spread / n
    members: the evidence of each member of a conjunction, up to the first that is violated; after
        it, of those that need no samples
    worst: the index of the member whose evidence this is
    claimed: of a finding: what is claimed, in words
    exceptions: of a finding: how often that failed, point by point
    sense: what is claimed of `observed`: <= or >= its bound, or ~ where two things are claimed to
        be equal and `bound` is their claimed value or, for a difference, how large it may be
    interval: exact 95 % interval of `observed`, where it is a share of replicates
    compared: what was expected and what was seen, for a picture
    """

    verdict: Verdict
    observed: float
    bound: float
    margin: float
    tightness: float | None
    resolution: float
    samples: int
    false_alarm: float
    false_pass: float
    stopped: str
    detail: str
    met: int = 0
    tried: int = 0
    path: tuple[tuple[int, float], ...] = ()
    averages: bool = False
    spread: float = 0.0
    members: tuple[Evidence, ...] = ()
    worst: int = 0
    claimed: str = ""
    exceptions: tuple[Exceptions, ...] = ()
    sense: str = ""
    interval: tuple[float, float] | None = None
    compared: Compared | None = None

    @property
    def closeness(self) -> float:
        """How close the observed value came to the bound, from 0 to 1 at the bound; the worst of
        several checks is the closest. For exact checks this is the tightness. Sampled estimates are
        compared in units of the resolution, because their ratio to a small bound is mostly
        noise."""
        if self.false_pass == 0:
            return min(self.tightness or 0.0, 1.0)
        ratio = 1 - self.margin / self.resolution
        return min(max(ratio, 0.0), 1.0) if math.isfinite(ratio) else 0.0

    @property
    def coarsest(self) -> tuple[float, float] | None:
        """Resolution and false_pass of the sampled member with the coarsest resolution; None if no
        member samples."""
        sampled = (
            (leaf.resolution, leaf.false_pass) for _, leaf in self.leaves() if leaf.false_pass > 0
        )
        return max(sampled, default=None)

    def leaves(self, name: str = "") -> Iterator[tuple[str, Evidence]]:
        """The members that are not conjunctions themselves, the worst first, with their names. A
        name gives the place: `.2.1` is the first member of the second member."""
        if not self.members:
            yield name, self
        for index in sorted(range(len(self.members)), key=lambda i: i != self.worst):
            yield from self.members[index].leaves(f"{name}.{index + 1}")
