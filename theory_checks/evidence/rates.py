"""Rates along a ladder of sizes: statements about a quantity that was measured once per replicate.

A replicate is expensive (it may be a training run). So every claim is split into a few events,
fixed before the data are drawn, that a replicate or a pair of replicates shows or does not show.
LEVEL: the value at one size lies within its limits; otherwise the constant is wrong. TREND: from
the first size to the last the value changes by no more than a stated factor; otherwise the rate is
wrong. The claim is that each event happens with probability at least `often`, which is above one
half. An exact binomial test judges each event, and all events are judged on the same replicates.

Why the error probabilities are as stated. The values at one size are independent of each other and
of those at other sizes, so no random numbers may be shared between sizes. They come in the order of
replicates. The values at two sizes are shuffled, and the i-th is paired with the i-th; this gives
independent pairs, so each count is binomial. The shuffle is always the same: replicates that are
judged again with other inputs form the same pairs, because otherwise each look would be another
chance to fail. (The shuffle also keeps sorted values from being paired by rank; their counts would
not be binomial.) `violated`: each of the m events has alpha / m (Bonferroni; the events may depend
on each other). `holds`: for every event the test must reject, at 5 %, both "its probability is at
most often - resolution" and "its probability is at most one half". If the claim is false, the event
that makes it false has to pass by accident, so the 5 % are not split.

Why half. Let X and Y be the values at the smaller and the larger size, and let Y be stochastically
at least c X for some c above the stated factor f (a quantity that does not fall has c = 1; one that
falls too slowly has c in between), whatever the spread of X. With X' an independent copy of X,

    P(Y <= f X, X > 0) <= P(c X' <= f X, X > 0) <= P(X' < X) <= 1/2.

So with probability 95 % a wrong rate does not pass, however small the level, however few the
replicates and however coarse the resolution. (A fall that is too fast is the mirror image.) X > 0
is needed: a pair that is 0 at both sizes shows neither a fall nor its absence, and counts neither
for the trend nor against it.

For value = C size^-e exp(s Z), Z normal, a fall like size^-a over a ratio r of sizes is seen in a
fraction Phi((e - a) log(r) / (s sqrt(2))) of pairs. State an exponent a so far below the true one
that this fraction exceeds `often`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import design, laws
from .sampling import Array, finite, real, require_between, require_budget, require_level
from .statements import frequency_at_least
from .verdict import Evidence, HypothesesNotMet, Verdict

MOSTLY = 0.95  # how often each event of a rate is claimed to happen, unless stated otherwise
SHUFFLE = 0  # the seed of the order in which the values at all sizes are paired
ON_THE_LIMIT = 1e-9  # a value that lies outside a limit by this relative amount counts as inside
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

    def happened(self, values: Sequence[Array]) -> tuple[Array, Array]:
        """For each replicate or pair: whether the event happened, and whether it did so only
        because both values are 0."""
        x = values[self.points[-1]]
        base = values[self.points[0]] if len(self.points) == 2 else np.ones_like(x)
        low, high = self.low * (1 - ON_THE_LIMIT), self.high * (1 + ON_THE_LIMIT)
        inside = (x >= low * base) & (x <= high * base)
        return inside, inside & (base == 0)


@dataclass(frozen=True)
class Ladder:
    """Each event happens with probability at least `often`, for a replicate or a pair of
    replicates.

    sizes: in increasing order
    values: an array for each size, all of the same length, with a value >= 0 for each replicate
    scales: the unit in which the values at each size are measured
    events: the levels and the trend
    often: the probability, in (1/2, 1]
    detail: the name of the quantity, for messages
    """

    sizes: tuple[int, ...]
    values: tuple[Array, ...]
    scales: tuple[float, ...]
    events: tuple[Event, ...]
    often: float
    detail: str

    def __post_init__(self) -> None:
        if not 0.5 < self.often <= 1:
            raise ValueError(
                f"often = {self.often} must lie in (1/2, 1]: a wrong rate passes in up to half of"
                " the pairs"
            )

    def samples_needed(self, alpha: float) -> int:
        """The number of all values, at every size. Raises HypothesesNotMet if there are too few
        replicates to refute an event even if it never happened."""
        require_level(alpha)
        n = len(self.values[0])
        if laws.binomial_above(n, n, 1 - self.often) > alpha / len(self.events):
            raise HypothesesNotMet(
                f"{self.detail or 'rate'}: the statement applies to {n} replicates at each size,"
                " too few to refute it"
            )
        return n * len(self.sizes)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Judges all events on the same values; the stream is not used. The worst verdict decides,
        and among equal verdicts the event that happened least often. The detail names every event
        that is violated."""
        samples = self.samples_needed(alpha)
        require_budget(budget, samples)
        scaled = [x / scale for x, scale in zip(self._paired(), self.scales, strict=True)]
        part = alpha / len(self.events)
        found = [self._judge_event(event, scaled, part) for event in self.events]
        index = max(
            range(len(found)), key=lambda i: (found[i].verdict.severity, -found[i].observed)
        )
        worst = found[index]
        named = [e.detail for e in found if e.verdict is Verdict.VIOLATED] or [worst.detail]
        medians = ", ".join(f"{np.median(x):.3g}" for x in self.values)
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

    def _paired(self) -> list[Array]:
        """The values in a shuffled order; the i-th values at all sizes form a pair."""
        order = np.random.default_rng(SHUFFLE)
        return [order.permutation(x) for x in self.values]

    def _judge_event(self, event: Event, values: Sequence[Array], alpha: float) -> Evidence:
        """The evidence of an exact binomial test. It declares `holds` only for counts that are
        likely if the event is as frequent as claimed, and only if it also rejects that the event
        happens in at most half of the cases."""
        happened, idle = event.happened(values)
        n = len(happened)
        smallest = design.frequency_resolution(1 - self.often, n, len(self.events))
        resolution = min(smallest, self.often - 0.5)
        test = frequency_at_least(self.often, happened, resolution=resolution, detail=event.text)
        evidence = test.judge(np.random.SeedSequence(0), alpha, n)
        verdict, seen = evidence.verdict, int((happened & ~idle).sum())
        limit = design.FALSE_PASS * (1 + laws.ROUNDING)
        passes = laws.binomial_above(seen, n, self.often - resolution) <= limit
        if verdict is Verdict.HOLDS and not passes:
            verdict = Verdict.INCONCLUSIVE
        stopped = "replicates spent" if verdict is Verdict.INCONCLUSIVE else evidence.stopped
        line = f"{LABELS[verdict].format(event.kind)}: {evidence.detail}"
        if idle.any():
            line += f", {int(idle.sum())} of them 0 at both sizes"
        return replace(evidence, verdict=verdict, stopped=stopped, detail=line)


def tends_to_zero(
    values: Mapping[int, Array],
    *,
    exponent: float,
    level: float,
    often: float = MOSTLY,
    detail: str = "",
) -> Ladder:
    """A quantity >= 0 falls at least like size^-exponent from the first size to the last, and is at
    most `level` at the last size; each with probability at least `often`.

    values: for each size, one value for each replicate; if sizes have different numbers of values,
        the first ones of each are used

    A small quantity that does not fall has a wrong rate; a quantity that falls but is still too
    large at the last size has a wrong constant. If the quantity is 0 throughout, the verdict is
    `inconclusive`: measure it more finely, or start the ladder at smaller sizes.
    """
    require_between("exponent", exponent, 0, math.inf)
    require_between("level", level, 0, math.inf)

    def scale(size: int) -> float:
        return float(size) ** -exponent

    def levels(sizes: Sequence[int]) -> list[Event]:
        last = sizes[-1]
        text = f"value at most {level:g} at {last}"
        return [Event("constant", (len(sizes) - 1,), 0.0, level / scale(last), text)]

    falls = (0.0, 1.0, f"falls like size^-{exponent:g}")
    return _ladder(values, scale, levels, falls, often, detail)


def at_most_of_order(
    values: Mapping[int, Array],
    *,
    scale: Callable[[int], float],
    constant: float,
    drift: float,
    often: float = MOSTLY,
    detail: str = "",
) -> Ladder:
    """A quantity is O(scale(size)): value / scale is at most `constant` at every size, and grows at
    most by the factor `drift` >= 1 from the first size to the last.

    values: as for `tends_to_zero`
    """
    require_between("constant", constant, 0, math.inf)
    if not 1 <= drift < math.inf:
        raise ValueError(f"drift = {drift} must be finite and at least 1")
    grows = (0.0, drift, f"value / scale grows at most {drift:g} times")
    levels = _at_every_size(0.0, constant, f"value / scale at most {constant:g}")
    return _ladder(values, scale, levels, grows, often, detail)


def stays_of_order(
    values: Mapping[int, Array],
    *,
    scale: Callable[[int], float],
    low: float,
    high: float,
    drift: float,
    often: float = MOSTLY,
    detail: str = "",
) -> Ladder:
    """A quantity is of exact order scale(size): value / scale lies in [low, high] at every size,
    and changes at most by the factor `drift`, up or down, from the first size to the last. The
    limits alone allow the factor high / low, so a drift says something only if it is smaller.

    values: as for `tends_to_zero`
    """
    require_between("low", low, 0, math.inf)
    require_between("high - low", high - low, 0, math.inf)
    if not 1 < drift < high / low:
        raise ValueError(f"drift = {drift} must lie in (1, high / low) = (1, {high / low:g})")
    stays = (1 / drift, drift, f"value / scale stays within a factor {drift:g}")
    levels = _at_every_size(low, high, f"value / scale in [{low:g}, {high:g}]")
    return _ladder(values, scale, levels, stays, often, detail)


def fitted_exponent(
    sizes: Sequence[int],
    values: Sequence[Array],
    seed: int,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
) -> tuple[float, float, float]:
    """The slope of the least-squares line of log median on log size, and the limits of its
    percentile bootstrap interval over replicates: (slope, low, high). For display only, never for a
    verdict.

    The interval has no finite-sample guarantee: of power laws with 8 to 64 replicates, intervals of
    nominally 95 % covered the exponent in 91 to 94 % of cases. The line is fitted whether or not
    there is a power law.
    """
    points = _increasing(sizes)
    require_between("confidence", confidence, 0, 1)
    if len(values) != len(points):
        raise ValueError(f"{len(values)} arrays of values for {len(points)} sizes")
    x = np.log(np.asarray(points, dtype=float))
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    rng = np.random.default_rng(seed)
    slope, slopes = 0.0, np.zeros(resamples)
    for size, weight, value in zip(points, weights, values, strict=True):
        y = finite(np.asarray(value, dtype=float).ravel())
        if y.size < 2:
            raise ValueError(f"{y.size} replicates at size {size}: a bootstrap needs at least 2")
        if y.min() <= 0:
            raise ValueError(f"value {y.min()} at size {size} must be positive to have a logarithm")
        slope += float(weight * np.log(np.median(y)))
        slopes += weight * np.log(np.median(rng.choice(y, (resamples, y.size)), axis=1))
    low, high = np.quantile(slopes, [(1 - confidence) / 2, (1 + confidence) / 2])
    return slope, float(low), float(high)


def _increasing(sizes: Sequence[int]) -> tuple[int, ...]:
    points = tuple(sizes)
    if len(points) < 2:
        raise ValueError(f"{len(points)} sizes show no trend: needs at least 2")
    if not points[0] > 0 or not all(b > a for a, b in itertools.pairwise(points)):
        raise ValueError(f"sizes = {points} must be positive and strictly increasing")
    return points


def _at_every_size(low: float, high: float, text: str) -> Callable[[Sequence[int]], list[Event]]:
    return lambda sizes: [
        Event("constant", (i,), low, high, f"{text} at {size}") for i, size in enumerate(sizes)
    ]


def _ladder(
    values: Mapping[int, Array],
    scale: Callable[[int], float],
    levels: Callable[[Sequence[int]], list[Event]],
    trend: tuple[float, float, str],
    often: float,
    detail: str,
) -> Ladder:
    """The ladder with these levels and one trend, (low, high, text), from the first size to the
    last. Raises ValueError, with a note of the size, unless all values are finite and >= 0."""
    sizes = _increasing(sorted(values))
    scales = tuple(float(scale(size)) for size in sizes)
    for size, value in zip(sizes, scales, strict=True):
        require_between(f"scale({size})", value, 0, math.inf)
    replicates = min(len(values[size]) for size in sizes)
    measured = tuple(_measured(values[size], size)[:replicates] for size in sizes)
    low, high, text = trend
    ends = f"{text} from {sizes[0]} to {sizes[-1]}"
    change = Event("rate", (0, len(sizes) - 1), low, high, ends)
    return Ladder(sizes, measured, scales, (*levels(sizes), change), often, detail)


def _measured(values: Array, size: int) -> Array:
    try:
        x = real(np.asarray(values)).astype(float)
        if x.ndim != 1:
            raise ValueError(f"values of shape {x.shape}: needs one for each replicate")
        if (x < 0).any():
            raise ValueError(f"value {x.min()} must be at least 0")
    except ValueError as error:
        error.add_note(f"among the values at size {size}")
        raise
    return x
