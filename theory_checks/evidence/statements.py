"""Statements about quantities that are sampled, and how each statement gathers evidence.

VIOLATED: "the statement is true" is rejected at alpha. HOLDS: "it is violated by the resolution or
more" is rejected at 5 %. INCONCLUSIVE: neither, within the budget. A budget below
samples_needed(alpha) is an error.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from . import betting, design, laws, tables
from .sampling import (
    FIRST_BATCH,
    UNSEEN_BATCH,
    Array,
    Draw,
    batches,
    children,
    observe,
    require_between,
    require_budget,
    require_level,
    thinned,
    within,
)
from .verdict import Compared, Evidence, HypothesesNotMet, Verdict

STOPPED = {
    Verdict.VIOLATED: "evidence of violation",
    Verdict.HOLDS: "resolution reached",
    Verdict.INCONCLUSIVE: "budget spent",
}
REPLICATES_STOPPED = {**STOPPED, Verdict.INCONCLUSIVE: "replicates spent"}
DRAWN_POINTS = 100  # of a distribution function
FAR_OFF = 1e100  # values from here on are not drawn
IMPOSSIBLE = "no violation of this size is possible"


class Statement(Protocol):
    """What a check asserts, and how to judge it."""

    def samples_needed(self, alpha: float) -> int:
        """The number of samples with which both error guarantees hold at the statement's
        resolution.

        Raises HypothesesNotMet if the measured values could not refute the statement at alpha.
        """
        ...

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """The evidence, a deterministic function of the arguments.

        stream: the seed of every draw.
        alpha: the level at which `violated` is declared.
        budget: how many samples may be drawn; at least samples_needed(alpha).
        """
        ...


# Means of bounded variables


@dataclass(frozen=True)
class Mean:
    """The mean of observations in [low, high] is at most the bound (sides (1,)), at least the bound
    (sides (-1,)), or equal to it (both)."""

    bound: float
    draw: Draw
    resolution: float
    low: float
    high: float
    sides: tuple[int, ...]
    detail: str

    def __post_init__(self) -> None:
        require_between("resolution", self.resolution, 0, math.inf)
        require_between("high - low", self.high - self.low, 0, math.inf)
        if not self.low <= self.bound <= self.high:
            raise ValueError(f"bound = {self.bound} must lie in [{self.low}, {self.high}]")

    def samples_needed(self, alpha: float) -> int:
        """Enough samples for each side at its share of alpha, for every law on [low, high]."""
        require_level(alpha)
        share = alpha / len(self.sides)
        return max(
            design.mean_samples(self._unit_bound(side), self._step, share) for side in self.sides
        )

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Watches, on each side, one e-process for `violated` and one for `holds`, after every
        batch.

        Both error guarantees hold at every sample size (Ville). `holds` needs every side. If one
        side is violated by the resolution, its own e-process has to fail, so the level of `holds`
        is not split between the sides; alpha is.
        """
        require_budget(budget, self.samples_needed(alpha))
        alarm, passing = math.log(len(self.sides) / alpha), math.log(1 / design.SEQUENTIAL_PASS)
        races = {side: self._race(side) for side in self.sides}
        passed = {side for side, (_, inside) in races.items() if inside is None}
        verdict, total, count = Verdict.INCONCLUSIVE, 0.0, 0
        path: list[tuple[int, float]] = []
        stopped = IMPOSSIBLE if len(passed) == len(races) else STOPPED[Verdict.HOLDS]
        for batch in batches(self.draw, stream, budget):
            within(batch, self.low, self.high)
            total, count = total + float(batch.sum(dtype=float)), count + len(batch)
            path.append((count, total / count))
            for side, (outside, inside) in races.items():
                x = self._unit(batch, side)
                outside = betting.update(outside, x)
                inside = None if inside is None else betting.update(inside, 1 - x)
                races[side] = outside, inside
                if outside.log_e_value >= alarm:
                    verdict = Verdict.VIOLATED
                if inside is not None and inside.log_e_value >= passing:
                    passed.add(side)
            if verdict is Verdict.INCONCLUSIVE and len(passed) == len(races):
                verdict = Verdict.HOLDS
            if verdict is not Verdict.INCONCLUSIVE:
                break
        estimate = min(max(total / count, self.low), self.high)
        sense = "~" if len(self.sides) == 2 else ("<=" if self.sides == (1,) else ">=")
        claimed = f"{'' if sense == '~' else f'{sense} '}{self.bound:.6g}"
        return Evidence(
            verdict=verdict,
            observed=estimate,
            bound=self.bound,
            margin=self._margin(estimate),
            tightness=self._tightness(estimate),
            resolution=self.resolution,
            samples=count,
            false_alarm=alpha,
            false_pass=design.FALSE_PASS,
            stopped=stopped if verdict is Verdict.HOLDS else STOPPED[verdict],
            detail=_line(self.detail or "mean", f"{estimate:.6g}, claimed {claimed}"),
            path=thinned(path),
            averages=True,
            spread=self.high - self.low,
            sense=sense,
            compared=self._compared(estimate, count) if len(path) == 1 else None,
        )

    def _compared(self, estimate: float, count: int) -> Compared:
        """Both means. Where there are several estimates, their sequence tells more."""
        names = (f"mean of {count} draws",)
        return Compared(self.detail, names, (), (estimate,), (self.bound,), values="mean")

    @property
    def _step(self) -> float:
        return self.resolution / (self.high - self.low)

    def _unit(self, x: Array, side: int) -> Array:
        """[low, high] mapped to [0, 1], so that violations lie above the bound."""
        unit = (x.astype(float) - self.low) / (self.high - self.low)
        return unit if side == 1 else 1 - unit

    def _unit_bound(self, side: int) -> float:
        return float(self._unit(np.asarray(self.bound), side))

    def _race(self, side: int) -> tuple[betting.Wealth, betting.Wealth | None]:
        """The e-processes against "the mean is inside the bound" and "it is outside by the
        resolution or more"."""
        bound, step = self._unit_bound(side), self._step
        outside = betting.start(bound, betting.portfolio(betting.kelly(bound, step)))
        if not design.possible(bound, step):
            return outside, None
        beyond = max(1 - (bound + step), 0.0)
        return outside, betting.start(beyond, betting.portfolio(betting.kelly(beyond, step)))

    def _margin(self, estimate: float) -> float:
        if len(self.sides) == 2:
            return self.resolution - abs(estimate - self.bound)
        return self.sides[0] * (self.bound - estimate) + 0.0  # not -0.0

    def _tightness(self, estimate: float) -> float | None:
        if len(self.sides) == 2 or self.bound <= 0:
            return None
        if self.sides == (1,):
            return estimate / self.bound if estimate >= 0 else None
        return self.bound / estimate if estimate > 0 else None


def mean_at_most(
    bound: float,
    draw: Draw,
    *,
    resolution: float,
    low: float = 0.0,
    high: float = 1.0,
    detail: str = "",
) -> Mean:
    """The mean of observations in [low, high] is at most the bound. If bound = low, a single
    observation above it refutes the statement."""
    return Mean(float(bound), draw, resolution, low, high, (1,), detail)


def mean_at_least(
    bound: float,
    draw: Draw,
    *,
    resolution: float,
    low: float = 0.0,
    high: float = 1.0,
    detail: str = "",
) -> Mean:
    """The mean of observations in [low, high] is at least the bound."""
    return Mean(float(bound), draw, resolution, low, high, (-1,), detail)


def mean_equals(
    expected: float,
    draw: Draw,
    *,
    resolution: float,
    low: float = 0.0,
    high: float = 1.0,
    detail: str = "",
) -> Mean:
    """The mean of observations in [low, high] is the expected value: two one-sided tests at alpha /
    2."""
    return Mean(float(expected), draw, resolution, low, high, (1, -1), detail)


# Laws of discrete variables


@dataclass(frozen=True)
class Cells:
    """Observed cells 0 .. k-1 have these probabilities.

    table: what the cells mean
    """

    probabilities: Array
    draw: Draw
    resolution: float
    detail: str
    table: tables.Table

    def __post_init__(self) -> None:
        require_between("resolution", self.resolution, 0, 1)

    def samples_needed(self, alpha: float) -> int:
        """Enough samples for the e-value to detect a violation of the resolution, and for the total
        variation to fall below the resolution."""
        return design.cells_samples(self.probabilities, self.resolution, alpha)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Watches the e-value after every batch. The total variation decides `holds` once, at the
        designed size, because its bound is valid at one sample size that is fixed in advance. There
        the test always decides: the design makes the e-value large wherever the total variation is
        too large to pass."""
        size = self.samples_needed(alpha)
        require_budget(budget, size)
        p, last = self.probabilities, len(self.probabilities) - 1
        concentration = design.cells_concentration(p, self.resolution)
        counts = np.zeros(len(p), dtype=np.int64)
        verdict = Verdict.INCONCLUSIVE
        path: list[tuple[int, float]] = []
        for batch in batches(self.draw, stream, size):
            if batch.dtype.kind == "f":
                raise ValueError(f"draw returned dtype {batch.dtype}: cells must be integers")
            counts += np.bincount(within(batch, 0, last).astype(np.int64), minlength=len(p))
            n = int(counts.sum())
            path.append((n, float(laws.total_variation(counts / n, p))))
            if laws.log_multinomial_e_value(counts, p, concentration) >= math.log(1 / alpha):
                verdict = Verdict.VIOLATED
                break
        n, distance = path[-1]
        passing = distance + laws.hoeffding_radius(n, design.FALSE_PASS) <= self.resolution
        if verdict is Verdict.INCONCLUSIVE and passing:
            verdict = Verdict.HOLDS
        furthest, compared = tables.compared(counts, p, self.table, self.detail)
        seen = (
            f"{furthest}; total variation {distance:.3g}, resolution {self.resolution:g}"
            if verdict is not Verdict.HOLDS
            else f"total variation {distance:.3g}, resolution {self.resolution:g}"
        )
        found = _distance_evidence(verdict, path, self.resolution, alpha, _line(self.detail, seen))
        return replace(found, compared=compared)


def cells_follow(
    probabilities: npt.ArrayLike,
    draw: Draw,
    *,
    resolution: float,
    detail: str = "",
    axes: tables.Digits = (),
    of: str = "draws",
    beyond: str = "what no law allows",
) -> Cells:
    """Cells 0 .. k-1 have these probabilities; the resolution is in total variation. A single
    observation in a cell of probability 0 refutes the statement.

    axes: what the digits of a cell's number are, the first one changing fastest, for example
        ("label", (-1, 1)): the evidence names the cells, or sums of cells, that are furthest off
    of: what a draw is, in the plural
    beyond: what cells are that have larger numbers than the axes make
    """
    p = np.asarray(probabilities, dtype=float)
    if p.ndim != 1 or p.size == 0 or not (p >= 0).all() or not abs(p.sum() - 1) <= 1e-9:
        raise ValueError(f"probabilities = {p} must be nonnegative and add up to 1, not {p.sum()}")
    return Cells(p / p.sum(), draw, resolution, detail, tables.table(axes, len(p), of, beyond))


# Laws on the line


@dataclass(frozen=True)
class Law:
    """Observations follow the law with this cdf.

    of: what is observed, in the plural
    """

    cdf: Callable[[Array], Array]
    draw: Draw
    resolution: float
    detail: str
    of: str

    def __post_init__(self) -> None:
        require_between("resolution", self.resolution, 0, 1)

    def samples_needed(self, alpha: float) -> int:
        """The number of samples that follows from the Dvoretzky-Kiefer-Wolfowitz inequality with
        Massart's constant."""
        return design.law_samples(self.resolution, alpha)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Makes one Kolmogorov-Smirnov test, at the designed number of samples, where it always
        decides."""
        size = self.samples_needed(alpha)
        require_budget(budget, size)
        sizes = [min(UNSEEN_BATCH, size - start) for start in range(0, size, UNSEEN_BATCH)]
        observations = np.concatenate(
            [
                observe(self.draw, child, n)
                for n, child in zip(sizes, children(stream), strict=False)
            ]
        )
        doubling = itertools.takewhile(
            lambda n: n < size, (FIRST_BATCH << i for i in itertools.count())
        )
        path = [
            (n, laws.kolmogorov_distance(observations[:n], self.cdf)) for n in (*doubling, size)
        ]
        distance = path[-1][1]
        if laws.kolmogorov_p_value(distance, size) <= alpha:
            verdict = Verdict.VIOLATED
        elif distance + laws.hoeffding_radius(size, design.FALSE_PASS) <= self.resolution:
            verdict = Verdict.HOLDS
        else:
            verdict = Verdict.INCONCLUSIVE
        seen = f"Kolmogorov-Smirnov distance {distance:.3g}, resolution {self.resolution:g}"
        if verdict is not Verdict.HOLDS:
            gap = laws.largest_gap(observations, self.cdf)
            seen = (
                f"{100 * gap.observed:.3g} % of {size} {self.of} are"
                f" {'below' if gap.below else 'at most'} {gap.at:.3g}, claimed"
                f" {100 * gap.claimed:.3g} %; {seen}"
            )
        found = _distance_evidence(verdict, path, self.resolution, alpha, _line(self.detail, seen))
        return replace(found, compared=self._compared(observations))

    def _compared(self, observations: Array) -> Compared:
        """Both distribution functions, at some of the observations."""
        x = np.sort(observations)
        places = np.linspace(0, len(x) - 1, DRAWN_POINTS).astype(int)
        places = places[np.abs(x[places]) < FAR_OFF]
        return Compared(
            self.detail,
            (),
            tuple(map(float, x[places])),
            tuple(map(float, np.searchsorted(x, x[places], side="right") / len(x))),
            tuple(map(float, np.asarray(self.cdf(x[places]), dtype=float))),
            axis=self.detail or "value",
            values=f"share of {self.of} up to it",
        )


def follows_law(
    cdf: Callable[[Array], Array],
    draw: Draw,
    *,
    resolution: float,
    detail: str = "",
    of: str = "draws",
) -> Law:
    """Observations follow the law with this cdf, which need not be continuous; the resolution is in
    Kolmogorov-Smirnov distance.

    cdf: vectorised and right-continuous
    of: what is observed, in the plural
    """
    return Law(cdf, draw, resolution, detail, of)


# Frequencies over expensive replicates


@dataclass(frozen=True)
class Frequency:
    """An event happens with probability at most (side 1) or at least (side -1) the bound.

    events: for each replicate 1 if the event happened, else 0; replicates are few and expensive
    resolution: `holds` is declared only if a violation of this size is rejected at 5 %; None stands
        for the smallest resolution that so many replicates allow

    Counts that give neither `holds` nor `violated` are inconclusive.
    """

    bound: float
    events: Array
    side: int
    resolution: float | None
    detail: str

    def __post_init__(self) -> None:
        if not 0 <= self.bound <= 1:
            raise ValueError(f"bound = {self.bound} must lie in [0, 1]")
        if self.resolution is not None:
            require_between("resolution", self.resolution, 0, 1)
        if self.events.ndim != 1:
            raise ValueError(f"events of shape {self.events.shape}: needs one for each replicate")
        strange = self.events[~np.isin(self.events, (0, 1))]
        if len(strange):
            raise ValueError(f"event {strange[0]} must be 0 or 1")

    @property
    def _most(self) -> float:
        """The largest rate, if the statement is true, of the outcome that counts against it."""
        return self.bound if self.side == 1 else 1 - self.bound

    def samples_needed(self, alpha: float) -> int:
        """The number of all replicates. Raises HypothesesNotMet if they are too few to refute the
        statement even if all of them counted against it."""
        require_level(alpha)
        n = len(self.events)
        if laws.binomial_above(n, n, self._most) > alpha:
            raise HypothesesNotMet(
                f"{self.detail or 'frequency'}: the statement applies to {n} replicates, too few to"
                " refute it"
            )
        return n

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Makes one exact binomial test on all replicates; the stream is not used."""
        n = self.samples_needed(alpha)
        require_budget(budget, n)
        count = int(self.events.sum())
        against = count if self.side == 1 else n - count
        resolution = self.resolution or design.frequency_resolution(self._most, n)
        beyond = min(self._most + resolution, 1.0)
        limit = design.FALSE_PASS * (1 + laws.ROUNDING)
        if laws.binomial_above(against, n, self._most) <= alpha:
            verdict = Verdict.VIOLATED
        elif laws.binomial_below(against, n, beyond) <= limit:
            verdict = Verdict.HOLDS
        else:
            verdict = Verdict.INCONCLUSIVE
        rate = count / n
        ratio = (rate, self.bound) if self.side == 1 else (self.bound, rate)
        low, high = laws.clopper_pearson(count, n, design.FALSE_PASS)
        relation = "<=" if self.side == 1 else ">="
        return Evidence(
            verdict=verdict,
            observed=rate,
            bound=self.bound,
            margin=self.side * (self.bound - rate) + 0.0,  # not -0.0
            tightness=ratio[0] / ratio[1] if self.bound > 0 and ratio[1] > 0 else None,
            resolution=resolution,
            samples=n,
            false_alarm=alpha,
            false_pass=design.FALSE_PASS,
            stopped=STOPPED[verdict],
            detail=_line(
                self.detail or "frequency",
                f"{count}/{n} = {rate:.6g} (95 %: {low:.3g} to {high:.3g}), claimed {relation}"
                f" {self.bound:.6g}",
            ),
            path=thinned(
                [(i, float(seen / i)) for i, seen in enumerate(np.cumsum(self.events), start=1)]
            ),
            averages=True,
            spread=1.0,
            sense=relation,
            interval=(low, high),
            compared=Compared(
                self.detail,
                (f"{n} replicates",),
                (),
                (rate,),
                (self.bound,),
                (low,),
                (high,),
                values="share of replicates",
            ),
        )


def frequency_at_most(
    bound: float, events: npt.ArrayLike, *, resolution: float | None = None, detail: str = ""
) -> Frequency:
    """An event has probability at most the bound; it happened (1) or not (0) in each replicate."""
    return Frequency(float(bound), np.asarray(events), 1, resolution, detail)


def frequency_at_least(
    bound: float, events: npt.ArrayLike, *, resolution: float | None = None, detail: str = ""
) -> Frequency:
    """An event has probability at least the bound; it happened (1) or not (0) in each replicate."""
    return Frequency(float(bound), np.asarray(events), -1, resolution, detail)


@dataclass(frozen=True)
class AboutDraws:
    """A statement about `size` observations, which are drawn when it is judged."""

    size: int
    draw: Draw
    about: Callable[[Array], Statement]

    def samples_needed(self, alpha: float) -> int:
        """The number of observations."""
        require_level(alpha)
        return self.size

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """The evidence for the statement about the observations, which the first child of the
        stream draws."""
        observations = observe(self.draw, next(children(stream)), self.size)
        return self.about(observations).judge(stream, alpha, budget)


def about_draws(size: int, draw: Draw, about: Callable[[Array], Statement]) -> AboutDraws:
    """The statement that `about` makes of `size` observations, which are drawn anew whenever it is
    judged: for events that are expensive to draw and were not measured before."""
    return AboutDraws(size, draw, about)


# Conjunctions


@dataclass(frozen=True)
class AllOf:
    """Every member is true."""

    members: tuple[Statement, ...]
    detail: str
    exact_first: bool

    def __post_init__(self) -> None:
        if not self.members:
            raise ValueError("all_of needs at least one statement, got 0")

    def _parts(self, alpha: float) -> tuple[float, list[int]]:
        """The part of alpha of each member that samples (exact members need none), and the samples
        that each member needs with it."""
        require_level(alpha)
        sampled = sum(member.samples_needed(alpha) > 0 for member in self.members)
        part = alpha / max(sampled, 1)
        return part, [member.samples_needed(part) for member in self.members]

    def samples_needed(self, alpha: float) -> int:
        """The sum over members, each at its part of alpha."""
        return sum(self._parts(alpha)[1])

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Judges members in order, each with its own child of the stream and a proportional part of
        the budget, up to the first that is violated; after it only those that need no samples.

        The worst verdict decides. Among equal verdicts, members that sample go before exact ones
        (exact_first: the other way round), and of these the member closest to its bound decides.
        """
        part, needs = self._parts(alpha)
        total = sum(needs)
        require_budget(budget, total)
        found: list[Evidence] = []
        first_violated: int | None = None
        for member, need, child in zip(self.members, needs, children(stream), strict=False):
            if first_violated is not None and need:
                continue
            found.append(member.judge(child, part, budget * need // max(total, 1)))
            if found[-1].verdict is Verdict.VIOLATED and first_violated is None:
                first_violated = len(found) - 1
        ranks = [
            (e.verdict.severity, (e.false_pass == 0) == self.exact_first, e.closeness)
            for e in found
        ]
        worst = ranks.index(max(ranks)) if first_violated is None else first_violated
        name = f"{self.detail}: " if self.detail else ""
        return replace(
            found[worst],
            samples=sum(evidence.samples for evidence in found),
            met=sum(evidence.met for evidence in found),
            tried=sum(evidence.tried for evidence in found),
            false_alarm=alpha if total else 0.0,
            detail=f"{name}{found[worst].detail}",
            members=tuple(found),
            worst=worst,
        )


def all_of(*statements: Statement, detail: str = "", exact_first: bool = False) -> AllOf:
    """The conjunction: alpha is split evenly over the members that sample (Bonferroni).

    exact_first: whether the evidence is that of an exact member where verdicts are equal, as for an
        exact claim that also samples.
    """
    return AllOf(statements, detail, exact_first)


# Hypotheses


@dataclass(frozen=True)
class Given:
    """A statement that is conditional on hypotheses.

    statement: what is claimed under the hypotheses
    met, tried: how many of how many draws met the hypotheses
    least: the verdict is VACUOUS if fewer draws did
    hypotheses: the name of the hypotheses
    """

    statement: Statement
    met: int
    tried: int
    least: int
    hypotheses: str

    def __post_init__(self) -> None:
        if not 0 <= self.met <= self.tried or self.tried < 1 or self.least < 1:
            raise ValueError(
                f"met {self.met} of {self.tried}, least {self.least}: needs 0 <= met <= tried,"
                " tried, least >= 1"
            )

    def samples_needed(self, alpha: float) -> int:
        """The samples that the statement needs."""
        return self.statement.samples_needed(alpha)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """The evidence for the statement. The verdict is VACUOUS, whatever that of the statement
        is, if fewer than `least` draws met the hypotheses."""
        found = replace(self.statement.judge(stream, alpha, budget), met=self.met, tried=self.tried)
        if self.met >= self.least:
            return found
        detail = (
            f"{self.hypotheses} in {self.met} of {self.tried} draws, needs {self.least};"
            f" {found.detail}"
        )
        return replace(found, verdict=Verdict.VACUOUS, detail=detail)


def given(statement: Statement, *, met: int, tried: int, hypotheses: str, least: int = 1) -> Given:
    """The statement, conditional on hypotheses that `met` of `tried` draws met; VACUOUS if these
    are fewer than `least`."""
    return Given(statement, met, tried, least, hypotheses)


def _line(detail: str, comparison: str) -> str:
    return f"{detail}: {comparison}" if detail else comparison


def _distance_evidence(
    verdict: Verdict, path: list[tuple[int, float]], resolution: float, alpha: float, detail: str
) -> Evidence:
    samples, distance = path[-1]
    return Evidence(
        verdict=verdict,
        observed=distance,
        bound=resolution,
        margin=resolution - distance,
        tightness=None,
        resolution=resolution,
        samples=samples,
        false_alarm=alpha,
        false_pass=design.FALSE_PASS,
        stopped=STOPPED[verdict],
        detail=detail,
        path=thinned(path),
        spread=1.0,
        sense="~",
    )
