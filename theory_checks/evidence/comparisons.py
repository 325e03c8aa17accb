"""Comparisons of two samples of events, exact at every size.

Given how many events there are in both samples together, the number in the first has Fisher's
noncentral hypergeometric law, whatever the two probabilities, with their odds ratio as its only
parameter: at 1 it is the hypergeometric law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import design, laws
from .sampling import Array, require_budget, require_level, zeros_and_ones
from .statements import REPLICATES_STOPPED
from .verdict import Compared, Evidence, HypothesesNotMet, Verdict


@dataclass(frozen=True)
class MoreOften:
    """An event is at least as probable in the first sample as in the second.

    first, second: whether it happened, 0 or 1, one for each independent replicate
    detail: what the event is
    """

    first: Array
    second: Array
    detail: str

    def samples_needed(self, alpha: float) -> int:
        """All replicates of both samples. Raises HypothesesNotMet if they are too few to refute the
        statement, whatever they were."""
        require_level(alpha)
        m, n = len(self.first), len(self.second)
        if 1 / math.comb(m + n, n) > alpha:
            raise HypothesesNotMet(f"{self.detail}: {m} and {n} replicates are too few to compare")
        return m + n

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Fisher's exact test on either side; the stream is not used.

        VIOLATED if "at least as probable in the first" is rejected at alpha
        HOLDS if "at most as probable in the first" is rejected at 5 %
        """
        samples = self.samples_needed(alpha)
        require_budget(budget, samples)
        m, n = len(self.first), len(self.second)
        a, b = int(self.first.sum()), int(self.second.sum())
        fewer, more = _at_most(a, a + b, m, n), _at_most(b, a + b, n, m)
        if fewer <= alpha:
            verdict = Verdict.VIOLATED
        elif more <= design.FALSE_PASS * (1 + laws.ROUNDING):
            verdict = Verdict.HOLDS
        else:
            verdict = Verdict.INCONCLUSIVE
        ahead = a / m - b / n
        return Evidence(
            verdict=verdict,
            observed=ahead,
            bound=0.0,
            margin=ahead,
            tightness=None,
            resolution=self._resolution(b),
            samples=samples,
            false_alarm=alpha,
            false_pass=design.FALSE_PASS,
            stopped=REPLICATES_STOPPED[verdict],
            detail=(
                f"{self.detail}: {a}/{m} and {b}/{n}, claimed more often in the first, p ="
                f" {more:.2g}"
            ),
            path=((samples, ahead),),
            spread=1.0,
            sense=">=",
            compared=self._compared(a, b),
        )

    def _compared(self, a: int, b: int) -> Compared:
        """Both shares with their 95 % intervals; equal shares are what is rejected."""
        counted = ((a, len(self.first)), (b, len(self.second)))
        low, high = zip(
            *(laws.clopper_pearson(*c, design.FALSE_PASS) for c in counted), strict=True
        )
        both = (a + b) / (len(self.first) + len(self.second))
        return Compared(
            self.detail,
            ("first", "second"),
            (),
            tuple(count / of for count, of in counted),
            (both, both),
            low,
            high,
            values="share of replicates",
        )

    def _resolution(self, b: int) -> float:
        """The smallest lead that is declared `holds`, with b events in the second sample."""
        m, n = len(self.first), len(self.second)
        enough = (a for a in range(m + 1) if _at_most(b, a + b, n, m) <= design.FALSE_PASS)
        return max(next(enough, m) / m - b / n, 1 / m)


def _at_most(count: int, total: int, size: int, other: int) -> float:
    """P(at most `count` of the `total` events are in a sample of this size), if they fall anywhere
    in it and the other: the hypergeometric law, as exact integers."""
    ways = (math.comb(size, i) * math.comb(other, total - i) for i in range(count + 1))
    return sum(ways) / math.comb(size + other, total)


def happens_more_often(first: npt.ArrayLike, second: npt.ArrayLike, *, detail: str) -> MoreOften:
    """An event is more probable in the first sample than in the second: holds if "at most as
    probable" is rejected at 5 %.

    first, second: whether it happened in each replicate, 0 or 1

    Raises ValueError for other values, HypothesesNotMet for an empty sample.
    """
    samples = []
    for events in (zeros_and_ones(first, "events"), zeros_and_ones(second, "events")):
        if not len(events):
            raise HypothesesNotMet(f"{detail}: a sample is empty")
        samples.append(events)
    return MoreOften(samples[0], samples[1], detail)
