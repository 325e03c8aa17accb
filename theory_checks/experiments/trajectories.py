"""Training runs, simulated once for all claims and all workers of a run."""

import contextlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from filelock import FileLock, Timeout

from core import Hyperparameters, Trajectory, train
from core.data import Signals
from core.measures import every_group_occupied, feature_alignment, router_alignment
from core.training import NotAccepted, Replicate, Watch, concatenate, draw_replicate
from theory_checks.checking.run import Run, digest
from theory_checks.evidence import HypothesesNotMet
from theory_checks.experiments.scenarios import Scenario, physical_point

SEARCH, DECIDE = 0, 1
LOOK_EVERY = 10  # steps between two looks at the training error
Value = TypeVar("Value")
# training examples simulated at a time: few enough for workers to share a scenario, enough to share
# the overhead
BLOCK = 10_000


def groups_occupied(signals: Signals, W: torch.Tensor) -> bool:
    """E_init, the event on which the statements about groups are conditional."""
    return bool(every_group_occupied(feature_alignment(signals, W)))


# Measured at every step up to T_1: a_mjk, (R, M, J, K), and <theta_m, v_k> and <theta_m, c_k>, both
# (R, M, K).
WATCHED: Mapping[str, Watch] = {
    "feature of filter": lambda signals, at: feature_alignment(signals, at.W),
    "feature of router": lambda signals, at: router_alignment(signals, at.theta)[0],
    "centre of router": lambda signals, at: router_alignment(signals, at.theta)[1],
}


def in_blocks(items: Sequence[Value], most: int) -> list[Sequence[Value]]:
    """The items in blocks of nearly equal size, at most `most` each: one block, or an even number
    where there are items for it, so that neither of two workers waits for the other."""
    count = -(-len(items) // most)
    if count > 1:
        count = min(len(items), count + count % 2)
    ends = [len(items) * i // count for i in range(count + 1)]
    return [items[start:end] for start, end in pairwise(ends)]


def stages(hyper: Hyperparameters) -> tuple[int, ...]:
    """Steps from T_1 to T at which parameters are kept: both ends and two between, at equal
    ratios. T alone where it comes first."""
    start, end = min(hyper.T_1, hyper.T), hyper.T
    if not 0 < start < end:
        return tuple(sorted({start, end}))
    return tuple(sorted({round(start * (end / start) ** (i / 3)) for i in range(4)}))


@dataclass(frozen=True)
class Trained:
    """The training runs of one phase: those that decide are not those that raised the suspicion.

    variant: the name of what differs from the run's subject, if anything does.
    """

    run: Run
    phase: int
    variant: str = ""

    def with_ingredients(self, variant: str, **ingredients: Any) -> "Trained":
        """The same for the run's subject with some ingredients replaced; the name tells variants
        apart."""
        return Trained(
            replace(self.run, subject=replace(self.run.subject, **ingredients)), self.phase, variant
        )

    def seeds(self, scenario: Scenario) -> list[np.random.SeedSequence]:
        """A seed for every replicate of the scenario; the i-th depends on the run's seed, the phase
        and the physical point only."""
        return [
            self.run.stream("replicate", physical_point(scenario), self.phase, i)
            for i in scenario.numbers or range(scenario.replicates)
        ]

    def replicate(self, scenario: Scenario, seed: np.random.SeedSequence) -> Replicate:
        """Signals, training examples and initial parameters of one replicate, drawn again from its
        seed."""
        accept = groups_occupied if scenario.given_occupied_groups else None
        return draw_replicate(
            self.run.subject, scenario.problem, scenario.hyper, seed, accept=accept
        )

    def trajectory(self, scenario: Scenario) -> Trajectory:
        """All replicates of the scenario, with the parameters at 0 and at its `stages`, and the
        alignments WATCHED up to T_1.

        Workers share the work: each first simulates the blocks that no other is busy with, then
        waits for the rest.
        """
        seeds = self.seeds(scenario)
        blocks = in_blocks(seeds, max(1, BLOCK // scenario.hyper.n))
        folder = self._folder(scenario)
        parts = [
            (folder / f"{i}.pt", partial(self._simulate, scenario, block))
            for i, block in enumerate(blocks)
        ]
        for path, simulate in parts:
            with contextlib.suppress(Timeout):
                _make(path, simulate, timeout=0)
        for path, simulate in parts:
            _make(path, simulate)
        return _put_together(tuple(path for path, _ in parts))

    def derived(self, name: str, scenario: Scenario, compute: Callable[[], Value]) -> Value:
        """compute(), a quantity of all replicates of the scenario by this name, done by the first
        claim or worker that asks."""
        return _once(self._folder(scenario) / f"{name}.pt", compute)

    def _folder(self, scenario: Scenario) -> Path:
        words = digest((scenario, self.phase, self.variant))
        folder = self.run.shared / "".join(f"{word:08x}" for word in words)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _simulate(self, scenario: Scenario, seeds: Sequence[np.random.SeedSequence]) -> Trajectory:
        """A block of replicates. The training error of runs that only explore is computed at their
        ends only."""
        hyper = scenario.hyper
        explored = min(hyper.T_1, hyper.T)
        try:
            return train(
                self.run.subject,
                scenario.problem,
                hyper,
                seeds,
                keep=(0, *stages(hyper)),
                look_every=max(1, hyper.T) if scenario.explores_only else LOOK_EVERY,
                watch=WATCHED,
                watch_until=explored,
                device=self.run.device,
                accept=groups_occupied if scenario.given_occupied_groups else None,
            )
        except NotAccepted as reason:
            raise HypothesesNotMet(f"E_init: {reason}") from reason


def _once(path: Path, compute: Callable[[], Value]) -> Value:
    """compute(), kept at `path` for the other workers of the run."""
    _make(path, compute)
    value: Value = _read(path)
    return value


def _make(path: Path, compute: Callable[[], Any], timeout: float = -1) -> None:
    """Has compute() at `path`, if it is not there yet. Raises Timeout if another worker is still
    computing it after `timeout` seconds."""
    if not path.exists():
        with FileLock(f"{path}.lock", timeout=timeout):
            if not path.exists():
                _keep(compute(), path)


def _keep(value: Any, path: Path) -> None:
    """Has the value at `path`, at once as a whole. Raises OSError, which says where there is no
    room, where torch has only an error of its own."""
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        torch.save(value, unfinished)
    except (OSError, RuntimeError) as error:
        unfinished.unlink(missing_ok=True)
        raise OSError(
            f"training runs cannot be kept in {path.parent}, perhaps because the disk is full; the"
            " variable TMPDIR chooses another directory for temporary files"
        ) from error
    unfinished.replace(path)


def _read(path: Path) -> Any:
    return torch.load(io.BytesIO(path.read_bytes()), weights_only=False)


@lru_cache(maxsize=16)
def _put_together(paths: tuple[Path, ...]) -> Trajectory:
    """The replicates of all blocks of a scenario; cached, as most claims use the same few
    scenarios."""
    return concatenate([_read(path) for path in paths])
