"""One exact test over all replicates of several points, for an event that is rare at each of them.

A claim about replicates has few of them at each point, but often many in all. If the event has
probability at most `level` at every point, the number of exceptions among all N replicates is
stochastically at most Binomial(N, level), whatever the points have in common: one test of N
replicates then resolves what no point resolves alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import design, laws
from .sampling import Array, require_budget, require_level, zeros_and_ones
from .statements import REPLICATES_STOPPED
from .verdict import Compared, Evidence, HypothesesNotMet, Verdict

TRUE_PASSES = 0.99  # the least probability with which a true statement, at its level, holds


@dataclass(frozen=True)
class Pooled:
    """An exception has probability at most `level` at every point.

    level: in (0, 1)
    points: by name, whether each replicate is an exception, 0 or 1
    detail: what an exception is
    together: how many such statements are to hold together
    """

    level: float
    points: Mapping[str, Array]
    detail: str
    together: int = 1

    @property
    def events(self) -> Array:
        """All replicates, point by point."""
        return np.concatenate(list(self.points.values()))

    def samples_needed(self, alpha: float) -> int:
        """All replicates. Raises HypothesesNotMet if they are too few to refute the statement even
        if all of them were exceptions."""
        require_level(alpha)
        n = len(self.events)
        if laws.binomial_above(n, n, self.level) > alpha / 2:
            raise HypothesesNotMet(
                f"{self.detail}: it applies to {n} replicates, too few to refute it"
            )
        return n

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Exact binomial tests; the stream is not used.

        VIOLATED if all replicates together reject at alpha / 2, or those of one point at the same
        share of the other half. HOLDS if all together reject, at 5 %, that exceptions have the mean
        probability `level` + `resolution`. (Hoeffding 1956: a sum of independent events with this
        mean is at most a count below it with at most the binomial probability.)
        """
        n = self.samples_needed(alpha)
        require_budget(budget, n)
        resolution = _resolution(self.level, n, self.together)
        count = int(self.events.sum())
        part = alpha / 2 / len(self.points)
        refuted = [
            name
            for name, events in self.points.items()
            if laws.binomial_above(events.sum(), len(events), self.level) <= part
        ]
        limit = design.FALSE_PASS * (1 + laws.ROUNDING)
        if refuted or laws.binomial_above(count, n, self.level) <= alpha / 2:
            verdict = Verdict.VIOLATED
        elif laws.binomial_below(count, n, min(self.level + resolution, 1.0)) <= limit:
            verdict = Verdict.HOLDS
        else:
            verdict = Verdict.INCONCLUSIVE
        low, high = laws.clopper_pearson(count, n, design.FALSE_PASS)
        rate = count / n
        where = ", ".join(
            f"{name} {int(events.sum())}/{len(events)}" for name, events in self.points.items()
        )
        at = f"; too many at {', '.join(refuted)}" if refuted else ""
        return Evidence(
            verdict=verdict,
            observed=rate,
            bound=self.level,
            margin=self.level - rate,
            tightness=rate / self.level,
            resolution=resolution,
            samples=n,
            false_alarm=alpha,
            false_pass=design.FALSE_PASS,
            stopped=REPLICATES_STOPPED[verdict],
            detail=(
                f"{self.detail}: {count}/{n} = {rate:.6g} (95 %: {low:.3g} to {high:.3g}), claimed"
                f" <= {self.level:.6g}{at}; {where}"
            ),
            path=((n, rate),),
            averages=True,
            spread=1.0,
            sense="<=",
            interval=(low, high),
            compared=self._compared(),
        )

    def _compared(self) -> Compared:
        """The rate at each point, with its 95 % interval, and the level."""
        counted = [(int(events.sum()), len(events)) for events in self.points.values()]
        low, high = zip(
            *(laws.clopper_pearson(*c, design.FALSE_PASS) for c in counted), strict=True
        )
        return Compared(
            self.detail,
            tuple(self.points),
            (),
            tuple(count / of for count, of in counted),
            (self.level,) * len(counted),
            low,
            high,
            values="share of replicates",
        )


def exceptions_at_most(
    level: float, points: Mapping[str, npt.ArrayLike], *, detail: str, together: int = 1
) -> Pooled:
    """An exception has probability at most `level` at every point; one exact test over all.

    points: by name, whether each replicate is an exception, 0 or 1; points without any are left out
    together: how many such statements are to hold together with probability TRUE_PASSES

    Raises ValueError for a level outside (0, 1) or events that are not 0 or 1, HypothesesNotMet if
    there is no replicate at all.
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level} must lie in (0, 1)")
    measured = {
        name: zeros_and_ones(events, f"events at {name}")
        for name, events in points.items()
        if np.size(events)
    }
    if not measured:
        raise HypothesesNotMet(f"{detail}: it applies to no replicate")
    return Pooled(float(level), measured, detail, together)


def _resolution(level: float, replicates: int, together: int = 1) -> float:
    """The smallest excess of the mean probability that is rejected at 5 %, if a true statement is
    to hold with probability TRUE_PASSES, together with others."""
    statements = round(together * design.MISS / (1 - TRUE_PASSES))
    return design.frequency_resolution(level, replicates, statements)
