"""Comparing two runs: every kind of change, and how often a margin is said to move that did not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from made import record, report, sampled
from scipy.stats import binom

from theory_checks.checking.claim import Claim, Kind, claim
from theory_checks.checking.record import Record
from theory_checks.checking.run import Run
from theory_checks.checking.search import check
from theory_checks.evidence import Statement, all_of, at_most, mean_at_least, mean_equals
from theory_checks.evidence.sampling import batch_sizes
from theory_checks.report.compare import LEVEL, Change, compare, difference_of_means
from theory_checks.report.terminal import changes

MARGINS = {"00000001": (0.25, 0.1, 100_000, 1.0)}
LOWER = {"00000001": (0.05, 0.1, 100_000, 1.0)}
ELSEWHERE = {"00000002": (0.05, 0.1, 100_000, 1.0)}


def change(old: Record | None, new: Record | None, **fields: Any) -> Change:
    """What becomes of one claim among others."""
    others = record("Z.1")
    before, after = ([others] if one is None else [others, one] for one in (old, new))
    found = {c.id: c for c in compare(report(*before), report(*after, **fields)).changes}
    assert found["Z.1"].kind in ("unchanged", "not comparable")
    return found["R.1"]


@pytest.mark.parametrize(
    ("old", "new", "kind", "worse"),
    [
        ("holds", "holds", "unchanged", False),
        ("violated", "violated", "unchanged", False),
        ("not run", "not run", "unchanged", False),
        ("holds", "violated", "newly violated", True),
        ("inconclusive", "violated", "newly violated", True),
        ("error", "violated", "newly violated", True),
        ("violated", "holds", "fixed", False),
        ("error", "holds", "fixed", False),
        ("holds", "inconclusive", "worse", True),
        ("holds", "vacuous", "worse", True),
        ("holds", "not run", "worse", True),
        ("holds", "error", "worse", True),
        ("violated", "error", "worse", True),
        ("inconclusive", "holds", "better", False),
        ("violated", "inconclusive", "better", False),
        ("not run", "holds", "better", False),
    ],
)
def test_verdicts(old: str, new: str, kind: str, worse: bool) -> None:
    found = change(record(verdict=old), record(verdict=new))
    assert (found.kind, found.worse) == (kind, worse)
    if kind == "unchanged":
        assert changes(compare(report(record(verdict=old)), report(record(verdict=new)))) == [
            "compared with 2026-01-02T03:04:05+00:00: 1 unchanged; nothing is worse"
        ]


def test_what_only_one_run_selected_is_neither_better_nor_worse() -> None:
    assert (change(None, record()).kind, change(record(), None).kind) == ("added", "removed")
    assert not compare(report(record()), report()).worse
    assert not compare(report(), report(record(verdict="violated"))).worse


@pytest.mark.parametrize(
    ("new", "fields", "note"),
    [
        (record(verdict="violated", hash="f" * 16), {}, "the claim or its check changed"),
        (record(verdict="violated"), {"profile": "deep"}, "profile deep, was quick"),
    ],
)
def test_what_differs_is_not_compared(new: Record, fields: dict[str, Any], note: str) -> None:
    found = change(record(), new, **fields)
    assert (found.kind, found.note, found.worse) == ("not comparable", note, False)


@pytest.mark.parametrize(
    ("old", "new", "kind", "worse", "note"),
    [
        (MARGINS, LOWER, "margin moved", True, ""),
        (LOWER, MARGINS, "margin moved", False, ""),
        (MARGINS, MARGINS, "unchanged", False, ""),
        (
            {"00000001": (0.25, 0.1, 100, 1.0)},
            {"00000001": (0.05, 0.1, 100, 1.0)},
            "unchanged",
            False,
            "",
        ),
        (MARGINS, ELSEWHERE, "unchanged", False, "another worst case: margin 0.25, was 0.25"),
        (
            {**MARGINS, "00000002": (0.3, 0.1, 100_000, 1.0)},
            ELSEWHERE,
            "margin moved",
            True,
            "at the worst case of the new run",
        ),
        (MARGINS, {**ELSEWHERE, **LOWER}, "margin moved", True, "at the worst case of the old run"),
        ({}, MARGINS, "unchanged", False, "another worst case: margin 0.25, was 0.25"),
        ({"00000001": (float("nan"), 0.1, 9, 1.0)}, MARGINS, "unchanged", False, ""),
        # Exact margins move by more than both tolerances or not at all; that is reported, but makes
        # nothing worse.
        (
            {"00000001": (0.25, 1e-12, 0, 0.0)},
            {"00000001": (0.25 - 1e-12, 1e-12, 0, 0.0)},
            "unchanged",
            False,
            "",
        ),
        (
            {"00000001": (0.25, 1e-12, 0, 0.0)},
            {"00000001": (0.2, 1e-12, 0, 0.0)},
            "margin moved",
            False,
            "",
        ),
    ],
)
def test_margins(old: Any, new: Any, kind: str, worse: bool, note: str) -> None:
    found = change(record(margins=old, averages=False), record(margins=new, averages=False))
    assert (found.kind, found.worse, found.note) == (kind, worse, note)
    if kind == "margin moved":
        assert found.low is not None
        assert found.high is not None
        moved = new[found.place][0] - old[found.place][0]
        assert found.low <= moved <= found.high


def test_a_change_is_reported_with_its_interval() -> None:
    old, new = (report(record(margins=margins, averages=False)) for margins in (MARGINS, LOWER))
    first, last = changes(compare(old, new))
    assert first.startswith("R.1   margin moved    margin 0.25 -> 0.05, changed by -0.2")
    assert last.endswith("1 margin moved; worse")


# How wide the intervals are, and how often they miss


def test_identical_runs_are_unchanged_within_less_than_their_noise() -> None:
    draws = np.random.default_rng(0).random(50_000)
    apart = change(
        sampled(draws, 0.6), sampled(np.random.default_rng(1).random(50_000), 0.6, seed=8)
    )
    common = change(sampled(draws, 0.6), sampled(draws, 0.6))
    assert (apart.kind, common.kind) == ("unchanged", "unchanged")
    assert apart.high is not None
    assert common.high is not None
    assert common.high < apart.high / 5


def test_common_random_numbers_show_a_change_that_independent_runs_would_not() -> None:
    draws = np.random.default_rng(0).random(50_000)
    moved = np.clip(draws + 0.005, 0, 1)
    assert change(sampled(draws, 0.6), sampled(moved, 0.6)).kind == "margin moved"
    assert change(sampled(draws, 0.6), sampled(moved, 0.6)).worse
    assert change(sampled(draws, 0.6), sampled(moved, 0.6, seed=8)).kind == "unchanged"
    assert (
        change(sampled(draws, 0.6), replace(sampled(moved, 0.6), averages=False)).kind
        == "unchanged"
    )


def test_lower_bounds_and_equalities_have_margins_too() -> None:
    draws = np.random.default_rng(0).random(50_000)
    old, new = sampled(draws, 0.4), sampled(np.clip(draws + 0.005, 0, 1), 0.4)
    at_least = [
        replace(r, margin=-r.margin, margins={"00000001": (-r.margin, 0.1, 50_000, 1.0)})
        for r in (old, new)
    ]  # type: ignore[operator]
    found = change(*at_least)
    assert (found.kind, found.worse) == ("margin moved", False)
    far = [
        replace(r, margin=0.1 + r.margin, margins={"00000001": (0.1 + r.margin, 0.1, 50_000, 1.0)})
        for r in (old, new)
    ]  # type: ignore[operator]
    assert change(*far).worse  # above the expected value, further away
    near = [
        replace(r, bound=0.5, margin=0.1, margins={"00000001": (0.1, 0.1, 50_000, 1.0)})
        for r in (old, new)
    ]
    found = change(*near)
    assert found.high is not None
    assert found.high > 0.01  # which side is not known: only the separate intervals count


Draws = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def independent(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    return rng.random(n), rng.random(n)


def mostly_common(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    old, new = rng.random(n), rng.random(n)
    return old, np.where(rng.random(n) < 0.1, new, old)


def rarely_different(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Almost all draws are a little lower, and a few, often none of them seen, so much higher that
    the mean is the same."""
    old, rare = 0.25 + 0.5 * rng.random(n), 0.7 / n
    return old, old + np.where(rng.random(n) < rare, 0.25, -0.25 * rare / (1 - rare))


@pytest.mark.parametrize("draws", [independent, mostly_common, rarely_different])
def test_the_paired_interval_covers(draws: Draws) -> None:
    """Misses are at most what the level allows, though the level of the looks is spent as well."""
    rng, repeats, missed = np.random.default_rng(5), 400, 0
    ends = np.cumsum(list(batch_sizes(30_000)))
    for _ in range(repeats):
        paths = [tuple((float(n), float(x[:n].mean())) for n in ends) for x in draws(rng, 30_000)]
        interval = difference_of_means(paths[0], paths[1], 1.0, LEVEL)
        assert interval is not None
        missed += not interval[0] <= 0 <= interval[1]
    assert missed <= binom.isf(1e-6, repeats, LEVEL)
    assert interval[1] - interval[0] < 0.2


def test_too_few_batches_give_no_paired_interval() -> None:
    path = ((256.0, 0.1), (512.0, 0.2), (768.0, 0.1), (1024.0, 0.2))
    assert difference_of_means(path, path, 1.0, 0.05) is None


def three_members(low: float) -> Claim:
    """A claim whose inputs are the same whatever the seed, and whose margin is that of the first
    member if `low` is."""

    @claim(
        "S.3",
        kind=Kind.PROBABILITY,
        source="a test",
        over={"x": st.sampled_from([1, 2, 3])},
        examples=20,
    )
    def coins(x: int) -> Statement:
        """A coin falls on heads at least half of the time, another one a quarter, and 1 <= 2."""
        return all_of(
            mean_at_least(
                0.5,
                lambda seed, n: np.random.default_rng(seed).random(n) < low + x / 100,
                resolution=0.1,
            ),
            mean_equals(
                0.25, lambda seed, n: np.random.default_rng(seed).random(n) < 0.25, resolution=0.1
            ),
            at_most(1, 2),
        )

    return coins


def test_another_seed_alone_moves_no_margin(run: Run) -> None:
    """Checked with many seeds at its boundary, a claim's margin is said to move in at most the
    stated share of pairs; one that really moves by far is seen."""
    records = [check(three_members(0.49), replace(run, seed=seed)) for seed in range(100)]
    assert {r.verdict for r in records} == {"holds"}
    found = [
        compare(report(a), report(b)).changes[0]
        for a, b in zip(records[::2], records[1::2], strict=True)
    ]
    assert sum(c.low is not None for c in found) > 30
    assert sum(c.kind == "margin moved" for c in found) <= binom.isf(1e-3, len(found), LEVEL)
    # As if what is under test had changed, and not the claim.
    better = [
        replace(check(three_members(0.95), replace(run, seed=seed)), hash=records[0].hash)
        for seed in range(100, 120)
    ]
    found = [
        compare(report(a), report(b)).changes[0] for a, b in zip(better, records, strict=False)
    ]
    assert {c.worse for c in found if c.place.endswith(".1")} == {True}
