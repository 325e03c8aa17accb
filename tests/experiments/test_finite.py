"""NaN and infinity from the code under test are verdicts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from torch import Tensor

from core import PAPER, Subject
from core.data import draw_examples, draw_signals
from core.model import router_logits
from core.routing import uniform_noise
from theory_checks.checking.registry import built_in
from theory_checks.checking.run import Run
from theory_checks.checking.search import check
from theory_checks.evidence import Verdict
from theory_checks.experiments.finite import are_numbers, chi_square, far_off, same_numbers

ONE, NAN, INFINITE = (torch.tensor([value]) for value in (1.0, torch.nan, torch.inf))


def verdict(statement: Any) -> Verdict:
    found: Verdict = statement.judge(np.random.SeedSequence(0), 0.1, 0).verdict
    return found


def test_what_is_not_a_number_is_equal_to_nothing() -> None:
    assert verdict(same_numbers(ONE, ONE, tolerance=0.0, detail="x")) is Verdict.HOLDS
    for pair in ((NAN, NAN), (ONE, NAN), (INFINITE, INFINITE), (INFINITE, ONE)):
        found = same_numbers(*pair, tolerance=0.0, detail="length of a step")
        assert verdict(found) is Verdict.VIOLATED
        assert found.judge(np.random.SeedSequence(0), 0.1, 0).detail.startswith(
            "length of a step: not a number"
        )
    assert verdict(same_numbers(ONE, ONE, tolerance=NAN, detail="x")) is Verdict.VIOLATED
    assert verdict(are_numbers(torch.cat([ONE, NAN]), "x")) is Verdict.VIOLATED
    assert verdict(are_numbers(ONE, "x")) is Verdict.HOLDS


def test_chi_square_has_no_mass_below_0() -> None:
    x = np.array([-np.inf, -1.0, np.nextafter(0, -1), 0.0, 0.5, 3.0])
    assert chi_square(3)(x) == pytest.approx(chi2(3).cdf(x))


def test_observations_that_are_no_numbers_are_far_off() -> None:
    assert far_off(torch.cat([ONE, NAN, INFINITE, -INFINITE])).tolist() == [1, 1e300, 1e300, -1e300]


def with_noise(factor: float) -> Subject:
    """The paper's subject with the random noise multiplied by a factor in some examples."""

    def draw(problem: Any, signals: Any, n: int, generator: torch.Generator) -> Any:
        e = draw_examples(problem, signals, n, generator)
        rare = torch.rand(n, 1, 1, generator=generator) < 0.3
        noise = torch.where(rare, factor * e.patches.noise, e.patches.noise)
        return replace(e, patches=replace(e.patches, noise=noise))

    return replace(PAPER, draw_examples=draw)


def with_alpha(value: float) -> Subject:
    def draw(problem: Any, signals: Any, n: int, generator: torch.Generator) -> Any:
        e = draw_examples(problem, signals, n, generator)
        rare = torch.rand(n, generator=generator) < 0.01
        return replace(e, alpha=torch.where(rare, value, e.alpha))

    return replace(PAPER, draw_examples=draw)


def noise_that_overflows(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    r = uniform_noise(shape, generator, step)
    return torch.where(r < 0.01, torch.nan, r)


CASES: dict[str, tuple[Subject, str]] = {
    "no signals": (
        replace(
            PAPER,
            draw_signals=lambda p, g: replace(
                draw_signals(p, g), centres=NAN * torch.ones(p.K, p.d)
            ),
        ),
        "D.1",
    ),
    "rare amplitudes": (with_alpha(torch.nan), "D.2"),
    "noise NaN": (with_noise(torch.nan), "D.3"),
    "noise infinite": (with_noise(torch.inf), "D.3"),
    "noise 0": (with_noise(0.0), "D.3"),
    "patches": (with_noise(torch.nan), "D.5"),
    "router noise": (replace(PAPER, router_noise=noise_that_overflows), "R.11"),
    "gradients": (replace(PAPER, respond=lambda z: torch.nan * z.sum(dim=(-2, -1))), "R.6"),
    "logits": (replace(PAPER, logits=lambda t, x: router_logits(t, x) / 0), "R.7"),
    "response": (replace(PAPER, respond=lambda z: torch.nan * z.sum(dim=(-2, -1))), "R.12"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_is_violated(case: str, run: Run) -> None:
    subject, claim_id = CASES[case]
    found = check(built_in()[claim_id], replace(run, subject=subject), shrink=False)
    assert found.verdict == Verdict.VIOLATED.value, found.detail
