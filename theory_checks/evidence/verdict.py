"""What a check concludes, and the evidence it concludes from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

ATTAINED = 0.999  # the tightness from which an exact bound counts as attained


class Verdict(StrEnum):
    """The four answers of a check; only `holds` passes."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    VACUOUS = "vacuous"

    @property
    def severity(self) -> int:
        """Rank among the verdicts of a conjunction: the most severe one decides."""
        return (Verdict.HOLDS, Verdict.INCONCLUSIVE, Verdict.VACUOUS, Verdict.VIOLATED).index(self)


class HypothesesNotMet(Exception):
    """The hypotheses of a statement cannot be met by drawing; the verdict is VACUOUS."""


@dataclass(frozen=True)
class Evidence:
    """A verdict with everything needed to judge it; plain Python values, so that it can be sent as
    JSON.

    For statements of equality (`equal`, `mean_equals`, `cells_follow`, `events_independent`,
    `follows_law`) "inside" means closer than the tolerance or resolution; a violation smaller than
    that can still be found.
    """

    verdict: Verdict
    observed: float  # estimate, or worst value seen
    bound: float  # what it is compared with
    margin: float  # signed distance to the bound, positive = inside
    tightness: (
        float | None
    )  # worst observed / bound (its inverse for lower bounds): 1 = attained, > 1 beyond
    resolution: (
        float  # violations of this size or more are rejected at false_pass; exact checks: tolerance
    )
    samples: int
    false_alarm: float  # level at which `violated` is declared; 0 for exact checks
    false_pass: float  # level at which `holds` is declared; 0 for exact checks
    stopped: str  # why sampling stopped
    detail: str  # one line: what was compared
    met: int = 0  # how often the hypotheses were met
    tried: int = 0  # among how many draws; 0 where there are none to count
    path: tuple[
        tuple[int, float], ...
    ] = ()  # (draws so far, running estimate of `observed`), the last of them the verdict's
    averages: bool = False  # whether these estimates are means of the draws so far
    spread: float = 0.0  # what one of n draws can change about `observed` is at most spread / n
    members: tuple[Evidence, ...] = ()  # of a conjunction, as far as they were judged
    worst: int = 0  # which of the members this evidence is that of

    @property
    def closeness(self) -> float:
        """How near the bound this came, to find the worst of several: 1 is at the bound. For exact
        checks that is the tightness; sampled estimates are compared in units of the resolution,
        since their ratio to a small bound is mostly noise."""
        if self.false_pass == 0:
            return min(self.tightness or 0.0, 1.0)
        ratio = 1 - self.margin / self.resolution
        return min(max(ratio, 0.0), 1.0) if math.isfinite(ratio) else 0.0

    @property
    def coarsest(self) -> tuple[float, float] | None:
        """Resolution and false_pass of the member that resolves least, where this evidence is exact
        and others sample."""
        sampled = [
            (leaf.resolution, leaf.false_pass) for _, leaf in self.leaves() if leaf.false_pass > 0
        ]
        return max(sampled) if sampled and self.false_pass == 0 else None

    def leaves(self, name: str = "") -> Iterator[tuple[str, Evidence]]:
        """The members of this conjunction that are none themselves, the worst first, named by their
        places: `.2.1` is the first member of the second one."""
        if not self.members:
            yield name, self
        for index in sorted(range(len(self.members)), key=lambda i: i != self.worst):
            yield from self.members[index].leaves(f"{name}.{index + 1}")
