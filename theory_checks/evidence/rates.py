"""Rates along a ladder of sizes: statements about a quantity that is measured once per replicate.

A replicate is dear (it may be a training run), so every claim is split into a few events, fixed
before the data, that a replicate or a pair of replicates shows or does not show: LEVEL, the value
at one size lies within its limits (else the constant is wrong); TREND, between two sizes it changes
by no more than a stated factor (else the rate is wrong). Each event is claimed to happen in at
least `share` > 1/2 of cases, and is judged by an exact binomial test. All events are judged on the
same replicates.

Why the errors are what they say. The values at one size are independent of each other and of those
at other sizes (so no random numbers shared between sizes), and come in the order of replicates;
pairing the i-th with the i-th, after a shuffle, then gives independent pairs, and each count is
binomial. The shuffle is always the same: replicates that are judged again with other inputs are the
same pairs, else each look were another chance to fail. (It also keeps values that come sorted from
being paired by rank; their counts are binomial no more.) `violated`: each of the m events has alpha
/ m (Bonferroni; the events may depend on each other). `holds`: every event must reject, at 5 %,
both "it happens in at most share - resolution of cases" and "it happens in at most half of them".
The event that makes the claim false has to pass by accident, so that level is not split.

Why half. Let X and Y be the values at the smaller and the larger size, and let Y be stochastically
at least c X for some c above the stated factor f (a quantity that does not fall has c = 1; one that
falls too slowly has c in between), whatever the spread of X. With X' an independent copy of X,

    P(Y <= f X, X > 0) <= P(c X' <= f X, X > 0) <= P(X' < X) <= 1/2.

So with probability 95 % a wrong rate does not pass, however small the level, few the replicates and
coarse the resolution (a fall that is too fast is the mirror image). The resolution says which wrong
rates are called `violated` with probability 95 %; those between are `inconclusive`. X > 0 is
needed: a pair that is 0 at both sizes had nothing to fall from, and counts neither for the trend
nor against it.

For value = C size^-e exp(s Z), Z normal, a fall like size^-a over a ratio r of sizes is seen in a
share Phi((e - a) log(r) / (s sqrt(2))) of pairs: state an exponent a below the true one by that
much.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np

from . import design, laws
from .sampling import (
    Array,
    child,
    finite,
    observe,
    require_budget,
    require_positive,
    require_probability,
)
from .statements import frequency_at_least
from .verdict import Evidence, Verdict

Measure = Callable[
    [int, np.random.SeedSequence, int], Array
]  # (size, stream, replicates) to one value for each

SHUFFLE = 0  # the seed of the order in which the values at all sizes are paired
ROUNDING = 1e-9  # relative, so that a value exactly on its limit is inside
LABELS = {Verdict.VIOLATED: "wrong {}", Verdict.INCONCLUSIVE: "{} undecided", Verdict.HOLDS: "{}"}


@dataclass(frozen=True)
class Event:
    """low <= value / scale <= high at one size, or the same for its ratio from one size to a larger
    one."""

    kind: str  # what is wrong if it does not happen: "constant" or "rate"
    points: tuple[int, ...]
    low: float
    high: float
    text: str

    def happened(self, values: list[Array]) -> tuple[Array, Array]:
        """For each replicate or pair: whether it happened, and whether only because both values are
        0."""
        x = values[self.points[-1]]
        base = values[self.points[0]] if len(self.points) == 2 else np.ones_like(x)
        inside = (x >= self.low * base * (1 - ROUNDING)) & (x <= self.high * base * (1 + ROUNDING))
        return inside, inside & (base == 0)


@dataclass(frozen=True)
class Ladder:
    """Each event happens in at least this share of replicates, or of pairs of replicates."""

    sizes: tuple[int, ...]
    measure: Measure
    scales: tuple[float, ...]
    events: tuple[Event, ...]
    share: float
    resolution: float
    replicates: int
    detail: str

    def __post_init__(self) -> None:
        if not 0.5 < self.share <= 1:
            raise ValueError(
                f"share = {self.share} must lie in (1/2, 1]: a wrong rate passes in up to half of"
                " pairs"
            )
        require_positive("resolution", self.resolution)
        if self.resolution > self.share:
            raise ValueError(f"resolution = {self.resolution} must be at most share = {self.share}")
        if self.replicates < 1:
            raise ValueError(f"replicates = {self.replicates} must be at least 1")

    def samples_needed(self, alpha: float) -> int:
        """The stated replicates at every size, or a ValueError if they are too few (see
        ladder_replicates)."""
        require_probability("alpha", alpha)
        m = len(self.events)
        if not _suffices(self.share, self.resolution, self.replicates, m, alpha):
            needed = ladder_replicates(self.share, self.resolution, m, alpha)
            raise ValueError(
                f"{self.replicates} replicates at each size do not resolve {self.resolution} below"
                f" a share of {self.share}, or do not tell it from half, for {m} events at alpha ="
                f" {alpha}: {needed} are needed"
            )
        return self.replicates * len(self.sizes)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Measures every size once, each with its own child of the stream; all events are judged on
        these values. The worst verdict wins, among equals the event seen least; all that are
        violated are named."""
        samples = self.samples_needed(alpha)
        require_budget(budget, samples)
        values = self._values(stream)
        scaled = [finite(x / scale) for x, scale in zip(values, self.scales, strict=True)]
        found = [
            self._judge_event(event, scaled, alpha / len(self.events)) for event in self.events
        ]
        index = max(
            range(len(found)), key=lambda i: (found[i].verdict.severity, -found[i].observed)
        )
        worst = found[index]
        named = [e.detail for e in found if e.verdict is Verdict.VIOLATED] or [worst.detail]
        medians = ", ".join(f"{np.median(x):.3g}" for x in values)
        along = f"medians {medians} at {', '.join(map(str, self.sizes))}"
        parts = [self.detail, *named, along]
        return replace(
            worst,
            samples=samples,
            false_alarm=alpha,
            detail="; ".join(part for part in parts if part),
            members=tuple(found),
            worst=index,
        )

    def _values(self, stream: np.random.SeedSequence) -> list[Array]:
        """One array of values for each size, shuffled by SHUFFLE."""
        order = np.random.default_rng(SHUFFLE)
        values = []
        for index, size in enumerate(self.sizes):
            try:
                x = observe(
                    partial(self.measure, size), child(stream, index), self.replicates
                ).astype(float)
                if x.min() < 0:
                    raise ValueError(f"value {x.min()} must be at least 0")
            except ValueError as error:
                error.add_note(f"while measuring at size {size}")
                raise
            values.append(order.permutation(x))
        return values

    def _judge_event(self, event: Event, values: list[Array], alpha: float) -> Evidence:
        """An exact binomial test that holds only up to the counts that are likely for a true event,
        and that must also reject that the event happens in at most half of cases."""
        happened, idle = event.happened(values)
        n, passing = (
            self.replicates,
            design.frequency_passing(1 - self.share, self.replicates, len(self.events)),
        )
        bar = max(0.5, self.share - self.resolution)
        test = frequency_at_least(
            self.share,
            lambda stream, size: happened,
            resolution=self.resolution,
            passing=min(passing, self.resolution),
            replicates=n,
            detail=event.text,
        )
        evidence = test.judge(np.random.SeedSequence(0), alpha, n)
        verdict, seen = evidence.verdict, int((happened & ~idle).sum())
        if verdict is Verdict.HOLDS and laws.binomial_above(seen, n, bar) > design.FALSE_PASS:
            verdict = Verdict.INCONCLUSIVE
        stopped = "replicates spent" if verdict is Verdict.INCONCLUSIVE else evidence.stopped
        line = f"{LABELS[verdict].format(event.kind)}: {evidence.detail}"
        if idle.any():
            line += f", {int(idle.sum())} of them 0 at both sizes"
        return replace(evidence, verdict=verdict, stopped=stopped, detail=line)


def ladder_replicates(share: float, resolution: float, events: int, alpha: float) -> int:
    """The fewest replicates at each size with which (i) an event that happens in at most share -
    resolution of cases is `violated` with probability 95 %, and (ii) the verdict is `holds` with
    probability 95 % if every event happens in at least `share` of cases (pairs of zeros apart).
    Exact binomials; saw-toothed, so searched one by one.

    `events` is len(ladder.events): levels (1 for tends_to_zero, else one for each size) and trends
    (1, or with every_step one less than sizes).
    """
    candidates = np.arange(1, 4000)
    sufficient = _suffices(share, resolution, candidates, events, alpha)
    if not sufficient.any():
        most = candidates[-1]
        raise ValueError(
            f"resolution = {resolution} at share = {share} needs more than {most} replicates"
        )
    return int(candidates[sufficient.argmax()])


@lru_cache(maxsize=4096)
def ladder_resolution(share: float, replicates: int, events: int, alpha: float) -> float:
    """The smallest resolution that these replicates at each size have; inverse of
    ladder_replicates."""
    return design.smallest_resolution(
        lambda r: bool(_suffices(share, r, replicates, events, alpha)), share
    )


def _suffices(
    share: float, resolution: float, replicates: Array | int, events: int, alpha: float
) -> Array:
    bound, each = 1 - share, alpha / events
    violated, _ = design.frequency_power(bound, resolution, replicates, each)
    _, holds = design.frequency_power(bound, min(resolution, share - 0.5), replicates, each)
    return np.asarray((violated >= 1 - design.MISS) & (holds >= 1 - design.MISS / events))


def tends_to_zero(
    sizes: Sequence[int],
    measure: Measure,
    *,
    exponent: float,
    level: float,
    share: float,
    resolution: float,
    replicates: int,
    every_step: bool = False,
    detail: str = "",
) -> Ladder:
    """A quantity >= 0 falls at least like size^-exponent, from the first size to the last (with
    `every_step`: from each to the next), and is at most `level` at the last; each in at least this
    share of cases.

    A small quantity that does not fall has a wrong rate; one that falls but is still too large at
    the end has a wrong constant. A quantity that is 0 throughout is `inconclusive`: measure it more
    finely, or start the ladder earlier.
    """
    points = _ladder(sizes)
    require_positive("exponent", exponent)
    require_positive("level", level)
    scales = _scales(points, lambda size: float(size) ** -exponent)
    last = len(points) - 1
    at_the_end = Event(
        "constant", (last,), 0.0, level / scales[last], f"value at most {level:g} at {points[last]}"
    )
    falls = _trends(points, 0.0, 1.0, f"falls like size^-{exponent:g}", every_step)
    return Ladder(
        points, measure, scales, (at_the_end, *falls), share, resolution, replicates, detail
    )


def at_most_of_order(
    sizes: Sequence[int],
    measure: Measure,
    scale: Callable[[int], float],
    *,
    constant: float,
    drift: float,
    share: float,
    resolution: float,
    replicates: int,
    every_step: bool = False,
    detail: str = "",
) -> Ladder:
    """A quantity is O(scale(size)): value / scale is at most `constant` at every size, and from the
    first size to the last (with `every_step`: from each to the next) it grows at most by the factor
    `drift` >= 1."""
    points = _ladder(sizes)
    require_positive("constant", constant)
    if not 1 <= drift < math.inf:
        raise ValueError(f"drift = {drift} must be finite and at least 1")
    text = f"value / scale at most {constant:g}"
    limits = [
        Event("constant", (i,), 0.0, constant, f"{text} at {size}") for i, size in enumerate(points)
    ]
    grows = _trends(points, 0.0, drift, f"value / scale grows at most {drift:g} times", every_step)
    return Ladder(
        points,
        measure,
        _scales(points, scale),
        (*limits, *grows),
        share,
        resolution,
        replicates,
        detail,
    )


def stays_of_order(
    sizes: Sequence[int],
    measure: Measure,
    scale: Callable[[int], float],
    *,
    low: float,
    high: float,
    drift: float,
    share: float,
    resolution: float,
    replicates: int,
    every_step: bool = False,
    detail: str = "",
) -> Ladder:
    """A quantity is of exact order scale(size): value / scale lies in [low, high] at every size,
    and from the first size to the last (with `every_step`: from each to the next) it changes at
    most by the factor `drift`, up or down. The band alone would allow high / low, so drift must be
    smaller to say anything."""
    points = _ladder(sizes)
    require_positive("low", low)
    require_positive("high - low", high - low)
    if not 1 < drift < high / low:
        raise ValueError(f"drift = {drift} must lie in (1, high / low) = (1, {high / low:g})")
    text = f"value / scale in [{low:g}, {high:g}]"
    bands = [
        Event("constant", (i,), low, high, f"{text} at {size}") for i, size in enumerate(points)
    ]
    stays = _trends(
        points, 1 / drift, drift, f"value / scale stays within a factor {drift:g}", every_step
    )
    return Ladder(
        points,
        measure,
        _scales(points, scale),
        (*bands, *stays),
        share,
        resolution,
        replicates,
        detail,
    )


def fitted_exponent(
    sizes: Sequence[int],
    values: Sequence[Array],
    seed: int,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float, float]:
    """For display only, never a verdict: (slope, low, high) of the least-squares line of log median
    on log size, with a percentile bootstrap over replicates. The interval has no finite-sample
    guarantee (nominal 95 % covered 91 to 94 % of power laws with 8 to 64 replicates), and the line
    is fitted whether or not there is a power law."""
    points = _ladder(sizes)
    require_probability("confidence", confidence)
    if len(values) != len(points):
        raise ValueError(f"{len(values)} arrays of values for {len(points)} sizes")
    x = np.log(np.asarray(points, dtype=float))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    rng = np.random.default_rng(seed)
    slope, slopes = 0.0, np.zeros(resamples)
    for size, weight, value in zip(points, weights, values, strict=True):
        y = finite(np.asarray(value, dtype=float).ravel())
        if y.size < 2:
            raise ValueError(f"{y.size} replicates at size {size}, a bootstrap needs at least 2")
        if y.min() <= 0:
            raise ValueError(f"value {y.min()} at size {size} must be positive to have a logarithm")
        slope += float(weight * np.log(np.median(y)))
        slopes += weight * np.log(np.median(rng.choice(y, (resamples, y.size)), axis=1))
    low, high = np.quantile(slopes, [(1 - confidence) / 2, (1 + confidence) / 2])
    return slope, float(low), float(high)


def _ladder(sizes: Sequence[int]) -> tuple[int, ...]:
    points = tuple(sizes)
    if len(points) < 2:
        raise ValueError(f"{len(points)} sizes show no trend, at least 2 are needed")
    if not points[0] > 0 or not all(b > a for a, b in itertools.pairwise(points)):
        raise ValueError(f"sizes = {points} must be positive and strictly increasing")
    return points


def _scales(points: tuple[int, ...], scale: Callable[[int], float]) -> tuple[float, ...]:
    scales = tuple(float(scale(size)) for size in points)
    for size, value in zip(points, scales, strict=True):
        require_positive(f"scale({size})", value)
    return scales


def _trends(
    points: tuple[int, ...], low: float, high: float, text: str, every_step: bool
) -> list[Event]:
    last = len(points) - 1
    pairs = [(i, i + 1) for i in range(last)] if every_step else [(0, last)]
    return [
        Event("rate", pair, low, high, f"{text} from {points[pair[0]]} to {points[pair[1]]}")
        for pair in pairs
    ]
