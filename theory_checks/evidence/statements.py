"""Statements about what is sampled, and how each gathers evidence.

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

from . import betting, design, laws
from .exact import at_least, at_most, equal
from .sampling import (
    FIRST_BATCH,
    UNSEEN_BATCH,
    Array,
    Draw,
    batches,
    child,
    observe,
    require_budget,
    require_positive,
    require_probability,
    thinned,
    within,
)
from .verdict import Evidence, Verdict

__all__ = [
    "Statement",
    "all_of",
    "at_least",
    "at_most",
    "cells_follow",
    "equal",
    "events_independent",
    "follows_law",
    "frequency_at_least",
    "frequency_at_most",
    "given",
    "mean_at_least",
    "mean_at_most",
    "mean_equals",
]

STOPPED = {
    Verdict.VIOLATED: "evidence of violation",
    Verdict.HOLDS: "resolution reached",
    Verdict.INCONCLUSIVE: "budget spent",
}
IMPOSSIBLE = "no violation of this size is possible"


class Statement(Protocol):
    """What a test asserts, with the means to find out."""

    def samples_needed(self, alpha: float) -> int:
        """Samples with which both errors are met at the stated resolution."""
        ...

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """A deterministic function of its arguments."""
        ...


# Means of bounded variables


@dataclass(frozen=True)
class Mean:
    """The mean of observations in [low, high] is at most (+1 in sides) and at least (-1) the
    bound."""

    bound: float
    draw: Draw
    resolution: float
    low: float
    high: float
    sides: tuple[int, ...]
    detail: str

    def __post_init__(self) -> None:
        require_positive("resolution", self.resolution)
        require_positive("high - low", self.high - self.low)
        if not self.low <= self.bound <= self.high:
            raise ValueError(f"bound = {self.bound} must lie in [{self.low}, {self.high}]")

    def samples_needed(self, alpha: float) -> int:
        """Enough for each side at its share of alpha, for every law on [low, high]."""
        require_probability("alpha", alpha)
        share = alpha / len(self.sides)
        return max(
            design.mean_samples(self._unit_bound(side), self._step, share) for side in self.sides
        )

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Watches, on each side, one e-process for `violated` and one for `holds`, after every
        batch.

        Both errors hold at every sample size (Ville). `holds` needs every side: whichever side is
        violated by the resolution, its own e-process must fail, so that level is not split; alpha
        is.
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
        relation = "=" if len(self.sides) == 2 else ("<=" if self.sides == (1,) else ">=")
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
            detail=_line(self.detail or "mean", f"{estimate:.6g} {relation} {self.bound:.6g}"),
            path=thinned(path),
            averages=True,
            spread=self.high - self.low,
        )

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
    """The mean of observations in [low, high] is at most the bound. With bound = low, one
    observation above it refutes."""
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
    """Observed cells 0 .. k-1 have these probabilities."""

    probabilities: Array
    draw: Draw
    resolution: float
    detail: str

    def __post_init__(self) -> None:
        require_positive("resolution", self.resolution)
        if self.resolution >= 1:
            raise ValueError(f"resolution = {self.resolution} in total variation must be below 1")

    def samples_needed(self, alpha: float) -> int:
        """Enough for the e-value to see the resolution, and for the total variation to fall below
        it."""
        return design.cells_samples(self.probabilities, self.resolution, alpha)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """The e-value is watched after every batch; the total variation decides `holds` once, at
        the designed size (its bound is valid at one sample size fixed in advance). There the test
        always decides: the design makes the e-value large wherever the total variation is too large
        to pass."""
        size = self.samples_needed(alpha)
        require_budget(budget, size)
        p, last = self.probabilities, len(self.probabilities) - 1
        concentration = design.cells_concentration(p, self.resolution)
        counts = np.zeros(len(p), dtype=np.int64)
        verdict = Verdict.INCONCLUSIVE
        path: list[tuple[int, float]] = []
        for batch in batches(self.draw, stream, size):
            if batch.dtype.kind == "f":
                raise ValueError(f"draw returned dtype {batch.dtype}, cells must be integers")
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
        what = self.detail or "total variation"
        return _distance_evidence(verdict, path, self.resolution, alpha, what)


def cells_follow(
    probabilities: npt.ArrayLike, draw: Draw, *, resolution: float, detail: str = ""
) -> Cells:
    """Cells 0 .. k-1 have these probabilities; resolution in total variation. An impossible cell
    refutes at once."""
    p = np.asarray(probabilities, dtype=float)
    if p.ndim != 1 or p.size == 0 or not (p >= 0).all() or not abs(p.sum() - 1) <= 1e-9:
        raise ValueError(f"probabilities = {p} must be nonnegative and add up to 1, not {p.sum()}")
    return Cells(p / p.sum(), draw, resolution, detail)


def events_independent(draw: Draw, *, resolution: float, detail: str = "") -> Mean:
    """Two events A and B are independent; draw returns 2 A + B in {0, 1, 2, 3}. Resolution in |P(A
    and B) - P(A) P(B)|.

    A sample is a pair of draws: (A1 - A2)(B1 - B2) has mean 2 (P(A and B) - P(A) P(B)), whatever
    the marginal probabilities, so this is a mean of {-1, 0, 1} without nuisance parameters. For a
    table use all_of over its cells.
    """

    def products(stream: np.random.SeedSequence, size: int) -> Array:
        cells = observe(draw, stream, 2 * size)
        if cells.dtype.kind == "f":
            raise ValueError(f"draw returned dtype {cells.dtype}, cells must be integers")
        a, b = np.divmod(within(cells, 0, 3).astype(np.int64), 2)
        return np.asarray((a[:size] - a[size:]) * (b[:size] - b[size:]) / 2)

    what = detail or "P(A and B) - P(A) P(B)"
    return mean_equals(0.0, products, resolution=resolution, low=-0.5, high=0.5, detail=what)


# Laws on the line


@dataclass(frozen=True)
class Law:
    """Observations follow the law with this cdf."""

    cdf: Callable[[Array], Array]
    draw: Draw
    resolution: float
    detail: str

    def __post_init__(self) -> None:
        require_positive("resolution", self.resolution)
        if self.resolution >= 1:
            raise ValueError(
                f"resolution = {self.resolution} in Kolmogorov-Smirnov distance must be below 1"
            )

    def samples_needed(self, alpha: float) -> int:
        """From the Dvoretzky-Kiefer-Wolfowitz inequality with Massart's constant."""
        return design.law_samples(self.resolution, alpha)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """One Kolmogorov-Smirnov test at the designed number of samples, where it always
        decides."""
        size = self.samples_needed(alpha)
        require_budget(budget, size)
        sizes = [min(UNSEEN_BATCH, size - start) for start in range(0, size, UNSEEN_BATCH)]
        observations = np.concatenate(
            [observe(self.draw, child(stream, i), n) for i, n in enumerate(sizes)]
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
        what = self.detail or "Kolmogorov-Smirnov distance"
        return _distance_evidence(verdict, path, self.resolution, alpha, what)


def follows_law(
    cdf: Callable[[Array], Array], draw: Draw, *, resolution: float, detail: str = ""
) -> Law:
    """Observations follow the law with this (vectorised, right-continuous) cdf, continuous or not;
    resolution in Kolmogorov-Smirnov distance."""
    return Law(cdf, draw, resolution, detail)


# Frequencies over dear replicates


@dataclass(frozen=True)
class Frequency:
    """An event happens in at most (side +1) or at least (-1) the bound's share of replicates, of
    which there are few.

    A violation by `resolution` is declared `violated` with probability 95 %; one by `passing`,
    which is smaller, is declared `holds` with probability at most 5 %. Counts in between are
    inconclusive.
    """

    bound: float
    draw: Draw
    resolution: float
    replicates: int
    side: int
    detail: str
    passing: float

    def __post_init__(self) -> None:
        require_positive("resolution", self.resolution)
        require_positive("passing", self.passing)
        if self.replicates < 1:
            raise ValueError(f"replicates = {self.replicates} must be at least 1")
        if not 0 <= self.bound <= 1:
            raise ValueError(f"bound = {self.bound} must lie in [0, 1]")

    @property
    def _oriented(self) -> float:
        return self.bound if self.side == 1 else 1 - self.bound

    def samples_needed(self, alpha: float) -> int:
        """The stated replicates, or a ValueError if they do not resolve the stated resolution."""
        require_probability("alpha", alpha)
        if not design.frequency_suffices(self._oriented, self.resolution, self.replicates, alpha):
            needed = design.frequency_samples(self._oriented, self.resolution, alpha)
            raise ValueError(
                f"{self.replicates} replicates do not resolve {self.resolution} beyond {self.bound}"
                f" at alpha = {alpha}: {needed} are needed"
            )
        return self.replicates

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """One exact binomial test on all replicates, drawn in one call. With passing = resolution
        it always decides: the power of 95 % means that counts too small to be a violation are below
        the 5 % quantile."""
        n = self.samples_needed(alpha)
        require_budget(budget, n)
        events = observe(self.draw, child(stream, 0), n)
        if not np.isin(events, (0, 1)).all():
            raise ValueError(
                f"draw returned {events[~np.isin(events, (0, 1))][0]}, events must be 0 or 1"
            )
        count = int(events.sum())
        against = count if self.side == 1 else n - count
        beyond = min(self._oriented + self.passing, 1.0)
        resolvable = design.possible(self._oriented, self.passing)
        if laws.binomial_above(against, n, self._oriented) <= alpha:
            verdict = Verdict.VIOLATED
        elif not resolvable or laws.binomial_below(against, n, beyond) <= design.FALSE_PASS * (
            1 + laws.ROUNDING
        ):
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
            resolution=self.passing,
            samples=n,
            false_alarm=alpha,
            false_pass=design.FALSE_PASS,
            stopped=STOPPED[verdict] if resolvable or verdict is Verdict.VIOLATED else IMPOSSIBLE,
            detail=_line(
                self.detail or "frequency",
                f"{count}/{n} = {rate:.6g} {relation} {self.bound:.6g} (95 %: {low:.3g} to"
                f" {high:.3g})",
            ),
            path=thinned(
                [(i, float(seen / i)) for i, seen in enumerate(np.cumsum(events), start=1)]
            ),
            averages=True,
            spread=1.0,
        )


def frequency_at_most(
    bound: float,
    draw: Draw,
    *,
    resolution: float,
    replicates: int,
    passing: float | None = None,
    detail: str = "",
) -> Frequency:
    """An event (0 or 1 for each replicate) has probability at most the bound.
    `design.frequency_resolution` gives the resolution that a number of replicates affords,
    `design.frequency_passing` the smallest passing."""
    return Frequency(float(bound), draw, resolution, replicates, 1, detail, passing or resolution)


def frequency_at_least(
    bound: float,
    draw: Draw,
    *,
    resolution: float,
    replicates: int,
    passing: float | None = None,
    detail: str = "",
) -> Frequency:
    """An event (0 or 1 for each replicate) has probability at least the bound."""
    return Frequency(float(bound), draw, resolution, replicates, -1, detail, passing or resolution)


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

    def _shares(self, alpha: float) -> tuple[float, list[int]]:
        """Alpha for each member that samples (exact members need none), and the samples that each
        needs with it."""
        require_probability("alpha", alpha)
        sampled = sum(member.samples_needed(alpha) > 0 for member in self.members)
        share = alpha / max(sampled, 1)
        return share, [member.samples_needed(share) for member in self.members]

    def samples_needed(self, alpha: float) -> int:
        """The sum over members, each at its share of alpha."""
        return sum(self._shares(alpha)[1])

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """Judges members in order, each with its own child of the stream and a proportional part of
        the budget, up to the first that is violated. The worst verdict wins, among equals those
        that sample, or those that are exact if they come first, and of these the closest to its
        bound."""
        share, needs = self._shares(alpha)
        total = sum(needs)
        require_budget(budget, total)
        found: list[Evidence] = []
        for index, (member, need) in enumerate(zip(self.members, needs, strict=True)):
            found.append(member.judge(child(stream, index), share, budget * need // max(total, 1)))
            if found[-1].verdict is Verdict.VIOLATED:
                break
        ranks = [
            (e.verdict.severity, (e.false_pass == 0) == self.exact_first, e.closeness)
            for e in found
        ]
        worst = ranks.index(max(ranks))
        name = f"{self.detail}, " if self.detail else ""
        return replace(
            found[worst],
            samples=sum(evidence.samples for evidence in found),
            met=sum(evidence.met for evidence in found),
            tried=sum(evidence.tried for evidence in found),
            false_alarm=alpha if total else 0.0,
            detail=f"{name}member {worst + 1} of {len(self.members)}: {found[worst].detail}",
            members=tuple(found),
            worst=worst,
        )


def all_of(*statements: Statement, detail: str = "", exact_first: bool = False) -> AllOf:
    """The conjunction: alpha is split evenly over the members that sample (Bonferroni).

    exact_first: whether, where all hold, it is an exact member that is told of, as for an exact
    claim that samples besides.
    """
    return AllOf(statements, detail, exact_first)


# Hypotheses


@dataclass(frozen=True)
class Given:
    """A statement that is conditional on hypotheses, which `met` of `tried` draws satisfied."""

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
        """Those of the statement."""
        return self.statement.samples_needed(alpha)

    def judge(self, stream: np.random.SeedSequence, alpha: float, budget: int) -> Evidence:
        """The evidence for the statement; VACUOUS, whatever it says, where the hypotheses were met
        less than `least` times."""
        found = replace(self.statement.judge(stream, alpha, budget), met=self.met, tried=self.tried)
        if self.met >= self.least:
            return found
        detail = (
            f"{self.hypotheses} in {self.met} of {self.tried} draws, needs {self.least};"
            f" {found.detail}"
        )
        return replace(found, verdict=Verdict.VACUOUS, detail=detail)


def given(statement: Statement, *, met: int, tried: int, hypotheses: str, least: int = 1) -> Given:
    """The statement, conditional on hypotheses that `met` of `tried` draws satisfied; VACUOUS if
    those are fewer than `least`."""
    return Given(statement, met, tried, least, hypotheses)


def _line(detail: str, comparison: str) -> str:
    return f"{detail}: {comparison}"


def _distance_evidence(
    verdict: Verdict, path: list[tuple[int, float]], resolution: float, alpha: float, what: str
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
        detail=_line(what, f"{distance:.6g}, resolution {resolution:.6g}"),
        path=thinned(path),
        spread=1.0,
    )
