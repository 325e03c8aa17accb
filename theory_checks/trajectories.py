"""Training runs, simulated once for all claims and all workers of a run."""

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from core import Trajectory, train
from core.data import Signals
from core.measures import every_group_occupied, feature_alignment, router_alignment
from core.training import NotAccepted, Replicate, Watch, concatenate, draw_replicate
from theory_checks.evidence import HypothesesNotMet
from theory_checks.run import Run, digest
from theory_checks.scenarios import Scenario

SEARCH, DECIDE = 0, 1
BLOCK = 8000  # training examples simulated at a time: few enough for workers to share a scenario, enough to share the overhead


def groups_occupied(signals: Signals, W: torch.Tensor) -> bool:
    """E_init, the event on which the statements about groups are conditional."""
    return bool(every_group_occupied(feature_alignment(signals, W)))


WATCHED: Mapping[str, Watch] = {
    "feature of filter": lambda signals, at: feature_alignment(signals, at.W),  # a_mjk, (R, M, J, K)
    "feature of router": lambda signals, at: router_alignment(signals, at.theta)[0],  # <theta_m, v_k>, (R, M, K)
    "centre of router": lambda signals, at: router_alignment(signals, at.theta)[1],  # <theta_m, c_k>, (R, M, K)
}  # measured at every step up to T_1


@dataclass(frozen=True)
class Trained:
    """The training runs of one phase: those that decide are not those that raised the suspicion.

    variant: the name of what differs from the run's subject, if anything does.
    """

    run: Run
    phase: int
    variant: str = ""

    def with_ingredients(self, variant: str, **ingredients: Any) -> "Trained":
        """The same for the run's subject with some ingredients replaced; the name tells variants apart."""
        return Trained(replace(self.run, subject=replace(self.run.subject, **ingredients)), self.phase, variant)

    def seeds(self, scenario: Scenario) -> list[np.random.SeedSequence]:
        """A seed for every replicate of the scenario."""
        return [self.run.stream("trajectory", scenario, self.phase, i) for i in range(scenario.replicates)]

    def replicate(self, scenario: Scenario, seed: np.random.SeedSequence) -> Replicate:
        """Signals, training examples and initial parameters of one replicate, drawn again from its seed."""
        accept = groups_occupied if scenario.given_occupied_groups else None
        return draw_replicate(self.run.subject, scenario.problem, scenario.hyper, seed, accept=accept)

    def trajectory(self, scenario: Scenario) -> Trajectory:
        """All replicates of the scenario, with the parameters at 0, T_1 and T and the alignments WATCHED up to T_1.

        Workers share the work: each first simulates the blocks that no other is busy with, then waits for the rest.
        """
        seeds = self.seeds(scenario)
        size = max(1, BLOCK // scenario.hyper.n)
        blocks = [seeds[i : i + size] for i in range(0, len(seeds), size)]
        folder = self.run.shared / f"{digest((scenario, self.phase, self.variant))[0]:08x}"
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{i}.pt" for i in range(len(blocks))]
        for timeout in (0, -1):  # first without waiting, then with
            for path, block in zip(paths, blocks, strict=True):
                self._simulate(scenario, block, path, timeout)
        return concatenate([torch.load(io.BytesIO(path.read_bytes()), weights_only=False) for path in paths])

    def _simulate(self, scenario: Scenario, seeds: Sequence[np.random.SeedSequence], path: Path, timeout: float) -> None:
        """Writes the trajectory of a block unless it is there or, with timeout 0, another worker is at it."""
        if path.exists():
            return
        try:
            with FileLock(f"{path}.lock", timeout=timeout):
                if path.exists():
                    return
                hyper = scenario.hyper
                explored = min(hyper.T_1, hyper.T)
                try:
                    found = train(
                        self.run.subject,
                        scenario.problem,
                        hyper,
                        seeds,
                        keep=(0, explored),
                        watch=WATCHED,
                        watch_until=explored,
                        device=self.run.device,
                        accept=groups_occupied if scenario.given_occupied_groups else None,
                    )
                except NotAccepted as reason:
                    raise HypothesesNotMet(f"E_init: {reason}") from reason
                partial = path.with_suffix(f".{os.getpid()}")
                torch.save(found, partial)
                partial.replace(path)
        except Timeout:
            return
