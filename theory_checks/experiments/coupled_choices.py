"""Where a router's choice changes fastest with its logits: the same noise at two logits."""

import math

import numpy as np
import torch
from torch import Tensor

from core import Subject
from core.data import EPS
from core.seeds import generator_from
from theory_checks.evidence import Statement, mean_at_most

PILOT = 200_000  # numbers of a pilot sample that shows where the noise may have atoms
# Noise has the precision of training: differences of multiples of 2^-24 in [0, 1].
GRID_OF_NOISE = 2.0**-22


def fullest_window(values: np.ndarray, width: float) -> tuple[int, float]:
    """The largest number of values in an interval of this width, and the middle of those."""
    values = np.sort(values)
    last = np.searchsorted(values, values + width, side="right") - 1
    first = int((last - np.arange(len(values))).argmax())
    return int(last[first]) - first + 1, float(values[first] + values[last[first]]) / 2


def rise_at_the_steepest(
    subject: Subject, h: Tensor, delta: float, lipschitz: float, step: int
) -> tuple[Statement, ...]:
    """P(a step of delta makes m the choice) <= lipschitz * delta, m up and the rest down, where
    that chance seems largest; nothing for a single expert, which is always chosen.

    With one noise for both logits, [m wins after] - [m won before] is 0 or 1 and has the mean
    p_m(h') - p_m(h). Expert m wins where its lead, what the best other one is ahead of it, is
    negative, and the step lowers the lead by 2 delta. A pilot sample of leads at the logits h (M,
    1) shows by how much m must be moved first, so that the step crosses an atom of the noise, or
    the part where its law is densest. The test draws noise of its own.

    lipschitz: the constant, 2 for noise of density at most 1.
    step: of training at which the noise is drawn; also the seed of the pilot sample.
    """
    M = len(h)
    if M == 1:
        return ()
    pilot = torch.Generator().manual_seed(step)
    noise = subject.router_noise((M, PILOT // M), pilot, step).double()
    score = (h + noise).nan_to_num()
    windows = []
    for m in sorted({0, M - 1, step % M}):
        others = torch.cat([score[:m], score[m + 1 :]])
        lead = others.amax(dim=0) - score[m]
        count, middle = fullest_window(lead.numpy(), 2 * delta)
        windows.append((count, m, middle))
    _, m, middle = max(windows)
    of_m = (torch.arange(M) == m)[:, None]
    at = torch.where(of_m, h + middle, h)
    move = torch.where(of_m, delta / 2, -delta / 2).to(at)

    def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        r = subject.router_noise((M, size), generator_from(stream), step).to(at)
        before, after = (
            subject.select(logits.expand_as(r), r) == m for logits in (at - move, at + move)
        )
        return (after & ~before).numpy()

    rounding = GRID_OF_NOISE + 16 * EPS * float(at.abs().max())
    bound = min(lipschitz * (delta + rounding), 1.0)
    # The fullest of 1 / bound windows has by chance sqrt(2 log(1 / bound)) standard deviations more
    # than its share; an excess that is to be found must lie above that, by two for its own chance.
    deviation = math.sqrt(bound / (PILOT // M))
    unseen = (math.sqrt(2 * math.log(1 / bound)) + 2) * deviation
    return (
        mean_at_most(
            bound,
            draw,
            resolution=max(M / 1e4, unseen),
            detail=f"choices that a step of {delta:.3g} changes, where most of them do",
        ),
    )
