"""Faults of continuous strength, and the smallest strength that a claim detects with a probability
of 95 %.

Design. The grid of strengths starts at `most` and is halved STEPS times. Detection is taken to be
monotone, so that bisection needs few of them. At each strength the claim is checked with the same
number N of seeds; the strength counts as detected if every check is a kill. If the probability of a
kill were below 95 %, all N checks would be kills with a probability below 0.95^N, the exact
(Clopper-Pearson) bound for N of N. N is chosen so that the sum of this over all strengths that
bisection may try is at most 5 %. So, with 95 % confidence, the reported strength is detected with a
probability of at least 95 %, whether or not detection is monotone. If it is, the reported strength
is also the smallest such of the grid, except where a detectable strength was missed once. Checks of
a strength stop at the first miss.

A Subject of strength s is `theory_checks.faults.graded:NAME@s` on the command line.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from core import PAPER, Subject
from core.updates import Gradient
from theory_checks.faults.cells import Cell, Result
from theory_checks.faults.data import noise_scaled, sign_is_label_in, tilted
from theory_checks.faults.experts import with_linear_term
from theory_checks.faults.gate import of_temperature
from theory_checks.faults.initialisation import experts_scaled
from theory_checks.faults.routing import uniform_of_width
from theory_checks.faults.signatures import Update
from theory_checks.faults.updates import (
    decaying,
    length,
    normalised,
    plain,
    rate_scaled,
    stateless,
)

DETECTED, CONFIDENCE = 0.95, 0.95
STEPS = 48  # halvings of the largest strength, down to where double precision ends


@dataclass(frozen=True)
class GradedFault:
    """A fault for every strength.

    name: in capitals, as the command line has it.
    wrong: what is wrong at strength s.
    most: the largest strength.
    noticed_by: the claims whose power is measured by default.
    ingredient: the one that it replaces.
    made: from a strength to what replaces the paper's.
    """

    name: str
    wrong: str
    most: float
    noticed_by: tuple[str, ...]
    ingredient: str
    made: Callable[[float], Any]

    def at(self, strength: float) -> Subject:
        """The Subject with the fault at this strength."""
        return replace(PAPER, **{self.ingredient: self.made(strength)})

    @property
    def grid(self) -> tuple[float, ...]:
        """The strengths, largest first."""
        return tuple(self.most / 2**i for i in range(STEPS + 1))


def turned_by(share: float) -> Update:
    """expert_update that adds a share of the expert, relative to the lengths of both, to the
    direction of its gradient."""

    @stateless
    def update(W: Tensor, gradient: Gradient, rate: float) -> Tensor:
        direction = gradient.direction
        ratio = length(direction, (-2, -1)) / length(W, (-2, -1)).clamp(min=1e-30)
        return normalised(W, Gradient(direction + share * ratio * W, gradient.log_scale), rate)

    return update


GRADED = {
    fault.name: fault
    for fault in (
        GradedFault(
            "SIGN_CORRELATION",
            "The sign of the feature noise has correlation s with the label.",
            0.5,
            ("D.2", "S.3"),
            "draw_examples",
            sign_is_label_in,
        ),
        GradedFault(
            "NOISE_WIDTH",
            "Router noise is Unif[0, 1 - s].",
            0.5,
            ("R.5", "R.9"),
            "router_noise",
            lambda s: uniform_of_width(1 - s),
        ),
        GradedFault(
            "GATE_TEMPERATURE",
            "The gate is a softmax of temperature 1 + s.",
            1.0,
            ("R.8",),
            "gate",
            lambda s: of_temperature(1 + s),
        ),
        GradedFault(
            "ROUTER_RATE",
            "The rate of the router is 1 + s times as large.",
            1.0,
            ("G.3",),
            "router_update",
            lambda s: rate_scaled(plain, 1 + s),
        ),
        GradedFault(
            "SIGNAL_ANGLE",
            "Features are turned by an angle s towards their centres.",
            0.5,
            ("D.1",),
            "draw_signals",
            tilted,
        ),
        GradedFault(
            "STEP_LENGTH",
            "Steps of experts are 1 + s times as long.",
            1.0,
            ("G.2",),
            "expert_update",
            lambda s: rate_scaled(normalised, 1 + s),
        ),
        GradedFault(
            "STEP_DIRECTION",
            "Before it is normalised, a share s of the expert is added to its gradient: steps turn,"
            " and keep their length.",
            1.0,
            ("G.3",),
            "expert_update",
            turned_by,
        ),
        GradedFault(
            "ROUTER_DECAY",
            "The router decays by a share s a step.",
            0.1,
            ("G.1", "G.3"),
            "router_update",
            lambda s: decaying(plain, s),
        ),
        GradedFault(
            "RANDOM_NOISE",
            "Random noise is 1 - s times as large.",
            0.5,
            ("D.3",),
            "draw_examples",
            lambda s: noise_scaled(1 - s),
        ),
        GradedFault(
            "INITIAL_SCALE",
            "Experts start 1 + s times as large.",
            1.0,
            ("I.1", "I.4"),
            "initialise_experts",
            lambda s: experts_scaled(1 + s),
        ),
        GradedFault(
            "LINEAR_TERM",
            "Experts respond with z^3 + s z.",
            1.0,
            ("G.5", "G.7"),
            "respond",
            with_linear_term,
        ),
    )
}


def __getattr__(name: str) -> Subject:
    """The Subject called NAME@strength."""
    fault, _, strength = name.partition("@")
    if fault in GRADED and strength:
        return GRADED[fault].at(float(strength))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def strengths_looked_at(strengths: int) -> int:
    """How many of an ordered list bisection asks about, at most."""
    return math.ceil(math.log2(strengths + 1))


def seeds_needed(looks: int) -> int:
    """The least N with looks * DETECTED^N <= 1 - CONFIDENCE."""
    return math.ceil(math.log((1 - CONFIDENCE) / looks) / math.log(DETECTED))


@dataclass(frozen=True)
class Power:
    """The result of the search for one fault and claim.

    fault: its name.
    claim: its id.
    strength: the smallest that is detected; None if not even the largest is.
    tried: (strength, kills, checks) in the order tried.
    """

    fault: str
    claim: str
    strength: float | None
    tried: tuple[tuple[float, int, int], ...]


def smallest_detected(
    fault: GradedFault,
    claim: str,
    profile: str,
    seed: int,
    checks: int,
    check: Callable[[Sequence[Cell]], Iterator[Result]],
) -> Power:
    """Bisection over the fault's grid (module docstring). check: the results of cells one by one,
    as far as they are asked for."""
    grid, tried = fault.grid, []
    low, high = 0, len(grid)  # grid[:low] is detected, grid[high:] is not
    while low < high:
        middle = (low + high) // 2
        strength = grid[middle]
        cells = [
            Cell(f"{__name__}:{fault.name}@{strength!r}", claim, profile, seed + i)
            for i in range(checks)
        ]
        done = kills = 0
        for result in check(cells):
            done, kills = done + 1, kills + (result.outcome == "killed")
            if kills < done:
                break
        tried.append((strength, kills, done))
        low, high = (middle + 1, high) if kills == checks else (low, middle)
    return Power(fault.name, claim, grid[low - 1] if low else None, tuple(tried))
