"""Draws as training makes them: which random numbers a call uses, and that no number serves
twice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core import PAPER, Hyperparameters, Problem, Signals, train
from core.seeds import child, generator_from
from core.training import Replicate, draw_replicate
from theory_checks.evidence import Statement, Verdict
from theory_checks.experiments.observed import (
    AT_ONCE,
    AT_THE_START,
    MOST_WORDS,
    Draw,
    no_random_number_is_used_twice,
    observed,
    starts_as_drawn,
    stretches,
    words,
)

HYPER = Hyperparameters(M=2, J=2, n=4, sigma_0=1.0, eta=0.1, eta_r=0.1, T=2)
SEEDS = [np.random.SeedSequence((9, r)) for r in range(3)]


def judged(statement: Statement) -> tuple[Verdict, str]:
    found = statement.judge(np.random.SeedSequence(0), 1e-6, 0)
    return found.verdict, found.detail


def drawn(draw: Callable[[torch.Generator], object]) -> Draw:
    generator = generator_from(np.random.SeedSequence(3))
    before = generator.get_state()
    draw(generator)
    return Draw("anything", (), None, before, generator.get_state())


@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_a_call_is_followed_through_the_words_that_it_uses(count: int) -> None:
    call = drawn(lambda generator: torch.rand(count, generator=generator))
    found = stretches(call)
    assert found.shape == (count, AT_ONCE)
    assert (found[:, 0] == words(call.before, count)).all()
    assert (found[:, -1] == words(call.before, count + AT_ONCE)[AT_ONCE - 1 : -1]).all()


def test_words_are_those_that_floats_are_made_of() -> None:
    generator = generator_from(np.random.SeedSequence(3))
    found = words(generator.get_state(), 50)
    floats = torch.rand(50, generator=generator)  # 24 bits of each word
    assert (floats.double() * 2**24).numpy().tolist() == (found % 2**24).tolist()


def test_a_call_that_leaves_for_another_stream_is_followed_so_far() -> None:
    assert len(stretches(drawn(lambda generator: generator.manual_seed(1)))) == MOST_WORDS


def test_calls_are_noted_with_what_they_return() -> None:
    subject, calls = observed(PAPER, ("initialise_experts", "router_noise"))
    found = train(subject, Problem(K=2, d=4), HYPER, [np.random.SeedSequence(1)], keep=(0,))
    names = [call.ingredient for call in calls]
    assert names == ["initialise_experts", "router_noise", "router_noise"]
    assert torch.equal(calls[0].result.float(), found.parameters(0).W[0])
    assert subject.draw_examples is PAPER.draw_examples


def test_the_paper_uses_no_number_twice() -> None:
    verdict, detail = judged(no_random_number_is_used_twice(PAPER, 20))
    assert verdict is Verdict.HOLDS, detail


def same_child(seed: np.random.SeedSequence, *path: int) -> np.random.SeedSequence:
    return child(seed, 0)


def of_few_streams(
    seed: np.random.SeedSequence, device: torch.device | str = "cpu"
) -> torch.Generator:
    return torch.Generator(device).manual_seed(int(seed.generate_state(1)[0]) % 64)


@pytest.mark.parametrize(
    ("name", "broken", "first"),
    [
        ("child", same_child, "router_noise and draw_signals"),
        ("generator_from", of_few_streams, "draw_signals and"),
    ],
)
def test_streams_that_training_shares_are_noticed(
    name: str, broken: object, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"core.training.{name}", broken)
    verdict, detail = judged(no_random_number_is_used_twice(PAPER, 20))
    assert verdict is Verdict.VIOLATED
    assert f"first by {first}" in detail


def judged_start() -> tuple[Verdict, str]:
    subject, calls = observed(PAPER, AT_THE_START)
    run = train(subject, Problem(K=2, d=4), HYPER, SEEDS, keep=(0,))
    return judged(starts_as_drawn(run, run.parameters(0), calls))


def test_runs_start_with_what_is_drawn() -> None:
    verdict, detail = judged_start()
    assert verdict is Verdict.HOLDS, detail


def with_other_theta(one: Replicate) -> Replicate:
    return replace(one, start=replace(one.start, theta=one.start.theta + 1))


def with_other_experts(one: Replicate) -> Replicate:
    return replace(one, start=replace(one.start, W=one.start.W * (1 + 2**-20)))


def with_other_features(one: Replicate) -> Replicate:
    return replace(one, signals=replace(one.signals, features=-one.signals.features))


def with_other_centres(one: Replicate) -> Replicate:
    return replace(one, signals=replace(one.signals, centres=one.signals.features))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (with_other_theta, "Theta^(0)"),
        (with_other_experts, "W^(0)"),
        (with_other_features, "features"),
        (with_other_centres, "centres"),
    ],
)
def test_what_is_changed_after_it_is_drawn_is_noticed(
    change: Callable[[Replicate], Replicate], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(*arguments: Any, **options: Any) -> Replicate:
        return change(draw_replicate(*arguments, **options))

    monkeypatch.setattr("core.training.draw_replicate", changed)
    verdict, detail = judged_start()
    assert verdict is Verdict.VIOLATED
    assert f"{name} against what was drawn" in detail


def test_examples_of_other_signals_are_noticed() -> None:
    subject, calls = observed(PAPER, AT_THE_START)
    run = train(subject, Problem(K=2, d=4), HYPER, SEEDS, keep=(0,))
    swapped = [
        replace(c, arguments=(c.arguments[0], Signals(v.centres, v.features), *c.arguments[2:]))
        if c.ingredient == "draw_examples" and isinstance(v := c.arguments[1], Signals)
        else c
        for c in calls
    ]
    verdict, detail = judged(starts_as_drawn(run, run.parameters(0), swapped))
    assert verdict is Verdict.VIOLATED
    assert "of the examples against what was drawn" in detail
