"""Two runs, claim by claim: which became worse or better, and by how much margins moved.

A margin is compared where both runs judged the same input (and, in a conjunction, the same member):
at the worst case of the new run if possible, else at that of the old one. The interval of its
change is the intersection of two:

- *Separately*. A statistic of n independent draws, each of which changes it by at most spread / n,
  is within spread sqrt(log(2 / level) / (2 n)) of its expectation (Hoeffding for means, McDiarmid
  for distances between laws); the two runs' radii add up. A test that looks after every batch may
  have stopped at any of them: the k-th look gets level / (k (k + 1)). For exact evidence the radius
  is the rounding tolerance.
- *Common random numbers*. With the same seed and claim hash, both runs drew from the same streams,
  batch by batch: if the means of corresponding batches are subtracted, what both draws share
  cancels. The differences, weighted by batch size, give Student's interval; twice 7 spread
  log(2 / level) / (3 n) is added for differences too rare to be observed (the last term of the
  empirical Bernstein bound of Maurer and Pontil 2009). Student's part is approximate where batches
  are not normal. This applies to means and frequencies whose margin is the distance to a bound on
  one side.

LEVEL holds for the whole comparison, and is shared by all margins that it could look at: whatever
the code under test does, with probability 95 % no margin is reported as moved that did not move.
The intervals are therefore wider than each would be alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from scipy.special import stdtrit

from theory_checks.checking.record import BROKEN, PASSED, RAISED, WORST_FIRST, Record
from theory_checks.evidence.sampling import looks
from theory_checks.report.results import Results
from theory_checks.report.words import natural, number

LEVEL = 0.05
FEWEST_BATCHES = 5  # fewer say too little about their variance
LOOKS_LIKE = 1e-9  # relative: margins that are bound - observed, up to rounding

Margin = tuple[float, float, int, float]  # margin, resolution, samples, spread
Interval = tuple[float, float]


@dataclass(frozen=True)
class Change:
    """How one claim changed.

    id: of the claim
    kind: unchanged; newly violated; fixed (it passes, and was violated or in error); worse or
        better (any other change of verdict); margin moved (the verdict is the same, and the
        interval of the change excludes 0); not comparable (another profile, or the claim or its
        check changed); added or removed (only one of the runs selected it)
    old, new: its records; None if the run did not select it
    low, high: ends of the interval of the margin's change, positive away from the bound; None
        without margins to compare
    place: the input of this interval, a name in `margins` of both records
    note: anything else a reader should know
    """

    id: str
    kind: str
    old: Record | None
    new: Record | None
    low: float | None = None
    high: float | None = None
    place: str = ""
    note: str = ""

    @property
    def worse(self) -> bool:
        """Whether the claim's verdict or its margin became worse.

        An exact margin depends on one input and its draws, perhaps in another order now: its change
        is reported, but only a verdict makes such a claim worse.
        """
        if self.kind == "margin moved" and self.new and self.high is not None:
            _, _, samples, _ = self.new.margins[self.place]
            return samples > 0 > self.high
        return self.kind in ("newly violated", "worse")


@dataclass(frozen=True)
class Comparison:
    """Two runs.

    old, new: their reports
    changes: of all claims, in the order of the new run, then those that it lacks
    """

    old: Results
    new: Results
    changes: tuple[Change, ...]

    @property
    def worse(self) -> bool:
        """Whether anything became worse."""
        return any(change.worse for change in self.changes)

    def worst_first(self, also_unchanged: bool = False) -> list[Change]:
        """The changes for a reader: what became worse first, then by id."""
        return sorted(
            (c for c in self.changes if also_unchanged or c.kind != "unchanged"),
            key=lambda c: (not c.worse, natural(c.id)),
        )


def compare(old: Results, new: Results) -> Comparison:
    """What changed from the old run to the new one."""
    before, after = ({record.id: record for record in run.records} for run in (old, new))
    sampled = [
        record
        for claim_id in before.keys() & after.keys()
        for record in (before[claim_id], after[claim_id])
        if record.samples
    ]
    looked_at = sum(max(len(record.margins), record.examples) for record in sampled)
    level = LEVEL / max(looked_at, 1)
    changes = []
    for claim_id in {**after, **before}:
        was, now = before.get(claim_id), after.get(claim_id)
        if was is None or now is None:
            change = Change(claim_id, "added" if was is None else "removed", was, now)
        elif old.profile != new.profile:
            note = f"profile {new.profile}, was {old.profile}"
            change = Change(claim_id, "not comparable", was, now, note=note)
        elif was.hash != now.hash:
            note = "the claim or its check changed"
            change = Change(claim_id, "not comparable", was, now, note=note)
        else:
            change = _change(was, now, level)
        changes.append(change)
    return Comparison(old, new, tuple(changes))


def _change(was: Record, now: Record, level: float) -> Change:
    if was.verdict != now.verdict:
        note = now.detail if now.verdict == RAISED else ""
        return Change(now.id, _turn(was.verdict, now.verdict), was, now, note=note)
    last, first = _worst(now), _worst(was)
    shared = [place for place in (last, first) if place in was.margins and place in now.margins]
    interval = change_of_margin(was, now, shared[0], level) if shared else None
    if interval is None:
        note = f"another worst case: margin {number(now.margin)}, was {number(was.margin)}"
        return Change(now.id, "unchanged", was, now, note="" if last == first else note)
    low, high = interval
    note = f"at the worst case of the {'new' if shared[0] == last else 'old'} run"
    return Change(
        now.id,
        "unchanged" if low <= 0 <= high else "margin moved",
        was,
        now,
        *(low, high, shared[0]),
        note="" if last == first else note,
    )


def _turn(was: str, now: str) -> str:
    """The kind of a change of verdict."""
    if now == "violated":
        return "newly violated"
    if now in PASSED and was in BROKEN:
        return "fixed"
    if now == RAISED or WORST_FIRST.index(now) < WORST_FIRST.index(was):
        return "worse"
    return "better"


def _worst(record: Record) -> str:
    return next(iter(record.margins), "")


def change_of_margin(was: Record, now: Record, place: str, level: float) -> Interval | None:
    """The interval of the change of the margin at this place (module docstring); None if the margin
    is not finite.

    level: probability that the interval misses the change
    """
    old, new = was.margins[place], now.margins[place]
    change = new[0] - old[0]
    if not math.isfinite(change):
        return None
    around = radius(old, level / 4) + radius(new, level / 4)
    farthest = max(old[3], new[3]) or math.inf  # of two means of draws in the same range
    low, high = max(change - around, -farthest), min(change + around, farthest)
    common = place == _worst(was) == _worst(now) and was.seed == now.seed
    slopes = {margin_slope(was, radius(old, level / 4)), margin_slope(now, radius(new, level / 4))}
    paired = None
    if common and slopes in ({1}, {-1}):
        paired = difference_of_means(was.path, now.path, max(old[3], new[3]), level / 2)
    if paired is None:
        return low, high
    paired_low, paired_high = sorted(slope * end for slope in slopes for end in paired)
    both = max(low, paired_low), min(high, paired_high)
    return both if both[0] <= both[1] else (low, high)


def radius(margin: Margin, level: float) -> float:
    """The distance of the margin from its expectation is at most this, except with probability
    `level`."""
    _, resolution, samples, spread = margin
    if samples == 0:
        return resolution
    k = looks(samples)
    return spread * min(1.0, math.sqrt(math.log(2 * k * (k + 1) / level) / (2 * samples)))


def margin_slope(record: Record, around: float) -> int:
    """How the margin moves with the observed mean: 1 or -1, or 0 if it is not a mean or may lie on
    either side of the expected value.

    around: uncertainty of the observed mean
    """
    if (
        not record.averages
        or record.observed is None
        or record.bound is None
        or record.margin is None
    ):
        return 0
    inside = record.bound - record.observed
    for slope in (-1, 1):
        if math.isclose(record.margin, -slope * inside, rel_tol=LOOKS_LIKE, abs_tol=LOOKS_LIKE):
            return slope
    return 0 if abs(inside) <= around else round(math.copysign(1, inside))


def difference_of_means(
    old: tuple[tuple[float, float], ...],
    new: tuple[tuple[float, float], ...],
    spread: float,
    level: float,
) -> Interval | None:
    """The interval of the mean of new minus old draws; None if they share too few batches.

    old, new: (draws so far, their mean) after each batch
    spread: width of the range of a draw
    level: probability that the interval misses the mean
    """
    before, after = dict(old), dict(new)
    points = [0.0, *sorted(before.keys() & after.keys())]
    if len(points) <= FEWEST_BATCHES:
        return None
    total = {n: n * (after[n] - before[n]) if n else 0.0 for n in points}
    sizes = [b - a for a, b in pairwise(points)]
    differences = [(total[b] - total[a]) / (b - a) for a, b in pairwise(points)]
    samples, k = points[-1], looks(int(points[-1]))
    mean = total[samples] / samples
    variance = sum(size * (d - mean) ** 2 for size, d in zip(sizes, differences, strict=True)) / (
        len(sizes) - 1
    )
    level = level / (k * (k + 1))
    student = float(stdtrit(len(sizes) - 1, 1 - level / 4)) * math.sqrt(variance / samples)
    unseen = 2 * spread * 7 * math.log(4 / level) / (3 * samples)
    return mean - student - unseen, mean + student + unseen
