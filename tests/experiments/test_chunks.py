"""Replicates in chunks: that the runs have several, and that a mistake in any part of a trajectory
is noticed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core import PAPER, Signals
from core.training import Trajectory, concatenate, in_chunks
from theory_checks.evidence import Verdict, all_of
from theory_checks.experiments.chunks import chunks_end_where_each_ends_alone
from theory_checks.experiments.small_runs import SmallRun

RUN = SmallRun(K=3, P=5, M=4, J=2, n=10, T=4, eta=0.1, eta_r=0.1, scale=1.0, seed=7)


def judged(run: SmallRun) -> tuple[Verdict, str]:
    statement = all_of(*chunks_end_where_each_ends_alone(PAPER, run))
    found = statement.judge(np.random.SeedSequence(0), 1e-6, 0)
    return found.verdict, found.detail


@pytest.mark.parametrize("run", [RUN, replace(RUN, n=1, M=1, T=1), replace(RUN, n=24, P=6, room=8)])
def test_they_end_where_each_ends_alone_and_there_are_two(
    run: SmallRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def counted(*arguments: Any) -> list[Sequence[Any]]:
        chunks = in_chunks(*arguments)
        sizes.append([len(chunk) for chunk in chunks])
        return chunks

    monkeypatch.setattr("core.training.in_chunks", counted)
    verdict, detail = judged(run)
    assert verdict is Verdict.HOLDS, detail
    assert sizes == [[1, 2], [1], [1], [1]]


def theta(run: Trajectory, other: Trajectory) -> Trajectory:
    return replace(run, theta=other.theta)


def experts(run: Trajectory, other: Trajectory) -> Trajectory:
    return replace(run, W=other.W)


def features(run: Trajectory, other: Trajectory) -> Trajectory:
    return replace(run, signals=Signals(other.signals.features, run.signals.centres))


def errors(run: Trajectory, other: Trajectory) -> Trajectory:
    return replace(run, training_error=other.training_error)


def watched(run: Trajectory, other: Trajectory) -> Trajectory:
    return replace(run, watched=other.watched)


@pytest.mark.parametrize(
    ("swap", "name"),
    [
        (theta, "theta"),
        (experts, "W"),
        (features, "features"),
        (errors, "training error"),
        (watched, "watched"),
    ],
)
def test_parts_in_another_order_are_noticed(
    swap: Callable[[Trajectory, Trajectory], Trajectory],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mixed(parts: Sequence[Trajectory]) -> Trajectory:
        return swap(concatenate(parts), concatenate(parts[::-1]))

    monkeypatch.setattr("core.training.concatenate", mixed)
    verdict, detail = judged(RUN)
    assert verdict is Verdict.VIOLATED
    assert f"{name} of replicates in chunks" in detail


def test_a_replicate_in_two_chunks_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def overlapping(items: Sequence[Any], *sizes: Any) -> list[Sequence[Any]]:
        return [items[: len(chunk)] for chunk in in_chunks(items, *sizes)]

    monkeypatch.setattr("core.training.in_chunks", overlapping)
    assert judged(RUN)[0] is Verdict.VIOLATED
