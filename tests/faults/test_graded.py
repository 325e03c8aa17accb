"""Graded faults: the design of the search, and the search itself on synthetic answers."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from scipy.stats import beta

from theory_checks.checking.registry import declared_ids
from theory_checks.checking.run import load_subject
from theory_checks.faults.cells import Cell, Result
from theory_checks.faults.graded import (
    CONFIDENCE,
    DETECTED,
    GRADED,
    STEPS,
    GradedFault,
    seeds_needed,
    smallest_detected,
    strengths_looked_at,
)

CHECKS = seeds_needed(strengths_looked_at(STEPS + 1))


def strength_of(cell: Cell) -> float:
    return float(cell.subject.partition("@")[2])


def answers(threshold: float, power: float, seed: int = 0) -> tuple[list[Cell], object]:
    """What is asked for, and a check that kills from the threshold on, and below it with this
    probability."""
    asked: list[Cell] = []
    generator = np.random.default_rng(seed)

    def check(cells: Sequence[Cell]) -> Iterator[Result]:
        for cell in cells:
            asked.append(cell)
            yield Result(
                "killed"
                if strength_of(cell) >= threshold or generator.random() < power
                else "survived"
            )

    return asked, check


def test_n_of_n_kills_suffice_by_clopper_and_pearson() -> None:
    looks = strengths_looked_at(STEPS + 1)
    for checks, enough in ((CHECKS, True), (CHECKS - 1, False)):
        lower = beta.ppf(
            (1 - CONFIDENCE) / looks, checks, 1
        )  # of the probability of a kill, given `checks` kills of as many
        assert bool(lower >= DETECTED) is enough


@pytest.mark.parametrize("fault", GRADED.values(), ids=lambda fault: fault.name)
def test_a_graded_fault_can_be_named_at_any_strength(fault: GradedFault) -> None:
    assert set(fault.noticed_by) <= set(declared_ids())
    assert fault.wrong.endswith(".")
    for strength in (fault.grid[0], fault.grid[-1]):
        subject = load_subject(f"theory_checks.faults.graded:{fault.name}@{strength!r}")
        assert subject.__class__.__name__ == "Subject"
    with pytest.raises(ValueError, match="has no"):
        load_subject(f"theory_checks.faults.graded:{fault.name}")


def test_strength_is_strength() -> None:
    h = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    gates = [GRADED["GATE_TEMPERATURE"].at(strength).gate(h)[1, 0] for strength in (0.0, 0.1, 1.0)]
    assert gates[0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert gates[2] == pytest.approx(1 / (1 + np.exp(-0.5)))
    assert gates[0] > gates[1] > gates[2]


def test_the_smallest_strength_is_found() -> None:
    fault = GRADED["STEP_LENGTH"]
    for threshold, expected in ((0.06, 0.0625), (2.0, None), (0.0, fault.grid[-1])):
        asked, check = answers(threshold, power=0.0)
        found = smallest_detected(fault, "G.2", "quick", 5, CHECKS, check)  # type: ignore[arg-type]
        assert found.strength == expected
        assert len(found.tried) <= strengths_looked_at(STEPS + 1)
        assert {cell.seed for cell in asked} <= set(range(5, 5 + CHECKS))
        assert all(
            (kills, done) in ((0, 1), (CHECKS, CHECKS)) for _, kills, done in found.tried
        )  # given up at the first miss


def test_a_strength_that_is_detected_too_rarely_is_hardly_ever_reported() -> None:
    fault, wrong, trials = GRADED["STEP_LENGTH"], 0, 400
    for seed in range(trials):
        _, check = answers(0.06, power=0.94, seed=seed)
        found = smallest_detected(fault, "G.2", "quick", 5, CHECKS, check)  # type: ignore[arg-type]
        wrong += found.strength is not None and found.strength < 0.06
    assert wrong <= 2 * (1 - CONFIDENCE) * trials
