"""Every ingredient of the Subject is used, and only through the Subject."""

from dataclasses import FrozenInstanceError, fields, replace

import pytest
import torch
from oracles import seed_of
from test_train import same

import core
from core import (
    PAPER,
    Hyperparameters,
    Problem,
    Subject,
    data,
    measures,
    model,
    products,
    routing,
    subject,
    train,
    training,
    updates,
)
from core.model import LogisticLoss

PROBLEM = Problem(K=2, d=5)
HYPER = Hyperparameters(M=3, J=2, n=15, sigma_0=0.5, eta=0.05, eta_r=0.5, T=4)
SEEDS = [seed_of(i) for i in range(2)]
INGREDIENTS = [f.name for f in fields(Subject)]


class Used(Exception):
    """Raised by an ingredient, and by nothing else."""


def raise_used(*arguments, **named):
    raise Used


def run(of=PAPER, **named):
    return train(
        of, PROBLEM, HYPER, SEEDS, keep=range(5), look_every=1, dtype=torch.float64, **named
    )


def test_the_ingredients_are_those_of_the_design():
    assert [
        *(
            "draw_signals",
            "draw_examples",
            "initialise_router",
            "initialise_experts",
            "logits",
            "router_noise",
            "select",
            "gate",
        ),
        *("respond", "loss", "expert_update", "router_update"),
    ] == INGREDIENTS


@pytest.mark.parametrize("name", INGREDIENTS)
def test_every_ingredient_is_used(name):
    with pytest.raises(Used):
        run(replace(PAPER, **{name: raise_used}))


class Delegate:
    """Calls the ingredient, counts, and passes on what else it can do (a loss's `slope`)."""

    def __init__(self, ingredient):
        self.ingredient, self.calls = ingredient, 0
        if hasattr(ingredient, "slope"):
            self.slope = ingredient.slope

    def __call__(self, *arguments):
        self.calls += 1
        return self.ingredient(*arguments)


@pytest.mark.parametrize("name", INGREDIENTS)
def test_a_wrapper_that_delegates_changes_nothing(name):
    delegate = Delegate(getattr(PAPER, name))
    assert same(run(), run(replace(PAPER, **{name: delegate})))
    if name != "loss":  # of which only the slope is needed
        assert delegate.calls > 0


def test_a_loss_without_its_slope_is_differentiated():
    paper, plain = run(), run(replace(PAPER, loss=lambda margin: PAPER.loss(margin)))
    # Logits of order 1 in float64: both ways of taking the slope agree to rounding, which 4 steps
    # do not amplify much.
    torch.testing.assert_close(plain.W, paper.W, rtol=0, atol=1e-12)
    torch.testing.assert_close(plain.theta, paper.theta, rtol=0, atol=1e-12)


def test_the_number_of_calls_is_that_of_the_algorithm():
    delegates = {name: Delegate(getattr(PAPER, name)) for name in INGREDIENTS}
    run(replace(PAPER, **delegates))
    calls = {name: delegate.calls for name, delegate in delegates.items()}
    each_replicate, each_step, each_look = len(SEEDS), HYPER.T, HYPER.T + 1
    for name in ("draw_signals", "draw_examples", "initialise_router", "initialise_experts"):
        assert calls[name] == each_replicate
    assert calls["router_noise"] == each_replicate * each_step
    for name in ("logits", "select", "gate", "respond"):
        assert calls[name] == each_step + each_look
    assert calls["expert_update"] == calls["router_update"] == each_step


def test_nothing_reaches_around_the_subject(monkeypatch):
    """With every name of the paper's ingredients in core broken, PAPER, which holds the functions
    themselves, still runs."""
    before = run()
    ingredients = [getattr(PAPER, name) for name in INGREDIENTS]
    broken = []
    for module in (core, data, measures, model, products, routing, subject, training, updates):
        for name, value in list(vars(module).items()):
            if any(value is ingredient for ingredient in ingredients) or value is LogisticLoss:
                monkeypatch.setattr(module, name, raise_used)
                broken.append(name)
    assert {"draw_signals", "top_1", "softmax_gate", "normalised_step", "LogisticLoss"} <= set(
        broken
    )
    assert same(before, run())


CHANGES = {
    "draw_signals": lambda problem, generator: data.Signals(
        *(-s for s in vars(PAPER.draw_signals(problem, generator)).values())
    ),
    "draw_examples": lambda problem, signals, n, generator: replace(
        (e := PAPER.draw_examples(problem, signals, n, generator)), y=-e.y
    ),
    "initialise_router": lambda problem, hyper, generator: (
        PAPER.initialise_router(problem, hyper, generator) + 0.1
    ),
    "initialise_experts": lambda problem, hyper, generator: (
        2 * PAPER.initialise_experts(problem, hyper, generator)
    ),
    "logits": lambda theta, x: 2 * PAPER.logits(theta, x),
    "router_noise": routing.no_noise,
    "select": lambda h, r: (h - r).argmax(dim=-2),
    "gate": lambda h: (2 * h).softmax(dim=-2),
    "respond": model.linear_response,
    "loss": lambda margin: (1 - margin) ** 2,
    "expert_update": updates.plain_step,
    "router_update": updates.normalised_step,
}


@pytest.mark.parametrize("name", INGREDIENTS)
def test_another_ingredient_changes_the_run(name):
    changed = run(replace(PAPER, **{name: CHANGES[name]}))
    assert not torch.equal(changed.W[:, -1], run().W[:, -1]) or not torch.equal(
        changed.theta[:, -1], run().theta[:, -1]
    )
    assert changed.W.isfinite().all()


@pytest.mark.parametrize("name", ["logits", "select", "gate", "respond"])
def test_margins_use_the_same_ingredients(name):
    replicate = training.draw_replicate(PAPER, PROBLEM, HYPER, SEEDS[0])
    start = training.stack([replicate.start])
    x, y = training.stack([replicate.examples.patches]), replicate.examples.y[None]
    with pytest.raises(Used):
        training.margins(replace(PAPER, **{name: raise_used}), start, x, y)


def test_a_subject_is_frozen():
    with pytest.raises(FrozenInstanceError):
        PAPER.gate = raise_used
