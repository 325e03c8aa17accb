"""Findings: what is claimed in the limit is false at the sizes that are tried, as predicted.

A statement such as "every expert errs on at most 1 %" may be true as sizes grow and false at any
size that can be trained. A weaker statement under the same name would hide that. A finding says
what is claimed, how often it fails at each point, and tests a prediction of these failures instead:
so it can still be violated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from . import design, laws
from .sampling import zeros_and_ones
from .statements import Statement
from .verdict import Evidence, Exceptions, Verdict


@dataclass(frozen=True)
class Finding:
    """A prediction of how often a claimed statement fails.

    predicted: what is tested
    claimed: the statement as it is claimed, in words
    exceptions: how often it failed, point by point
    """

    predicted: Statement
    claimed: str
    exceptions: tuple[Exceptions, ...]

    def samples_needed(self, alpha: float) -> int:
        """Those of the prediction."""
        return self.predicted.samples_needed(alpha)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """The evidence for the prediction. Where it holds, the verdict is FINDING if the claimed
        statement failed anywhere."""
        evidence = self.predicted.judge(stream, alpha, budget)
        failed = any(exceptions.count for exceptions in self.exceptions)
        if evidence.verdict is Verdict.HOLDS and failed:
            evidence = replace(evidence, verdict=Verdict.FINDING)
        return replace(evidence, claimed=self.claimed, exceptions=self.exceptions)


def finding(
    predicted: Statement, *, claimed: str, exceptions: Mapping[str, npt.ArrayLike]
) -> Finding:
    """A statement about how a claim fails at the sizes that are tried.

    predicted: what is tested in its place; violated, inconclusive or vacuous as any statement
    claimed: the claim as it stands in the paper, in words
    exceptions: by point, whether the claim failed, 0 or 1 for each replicate (or expert)
    """
    counted = []
    for where, events in exceptions.items():
        failed = zeros_and_ones(events, f"exceptions at {where}")
        if not failed.size:
            raise ValueError(f"exceptions at {where} must be 0 or 1, and at least one")
        count, of = int(failed.sum()), len(failed)
        counted.append(
            Exceptions(where, count, of, *laws.clopper_pearson(count, of, design.FALSE_PASS))
        )
    return Finding(predicted, claimed, tuple(counted))
