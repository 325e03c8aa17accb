"""Whole runs of Algorithm 1 against a naive implementation that is fed the same noise."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from oracles import (
    EPS,
    Naive,
    algorithm_1,
    generator,
    paper_gradients,
    seed_of,
    tensors_of,
    vectors,
)

from core import PAPER, Hyperparameters, Parameters, Patches, Problem, train
from core.model import linear_response
from core.routing import no_noise
from core.seeds import child, generator_from
from core.training import descent, draw_replicate, gradients, stack
from core.updates import normalised_step, plain_step

PROBLEM = Problem(K=2, d=6, P=5)
HYPER = Hyperparameters(M=3, J=2, n=24, sigma_0=0.5, eta=0.05, eta_r=0.5, T=30)


def run(subject, hyper, start, x, y, noise):
    """All iterates: theta (T + 1, R, M, d) and W (T + 1, R, M, J, d)."""
    iterates = list(descent(subject, hyper, start, x, y, noise))
    return torch.stack([p.theta for p in iterates]), torch.stack([p.W for p in iterates])


class Data(NamedTuple):
    """Training examples of all replicates: for core, for the oracle, and their labels."""

    patches: Patches
    x: torch.Tensor
    y: torch.Tensor


def replicates(count=2, dtype=torch.float64, hyper=HYPER):
    """Starts, data and noise seeds of the first replicates."""
    drawn = [draw_replicate(PAPER, PROBLEM, hyper, seed_of(i), dtype=dtype) for i in range(count)]
    patches = stack([r.examples.patches for r in drawn])
    data = Data(
        patches, torch.from_numpy(vectors(patches)), torch.stack([r.examples.y for r in drawn])
    )
    return stack([r.start for r in drawn]), data, [r.noise_seed for r in drawn]


def noises(count=2, hyper=HYPER):
    rng = np.random.default_rng(1)
    return rng.random((hyper.T, count, hyper.M, hyper.n))


def test_a_run_is_the_naive_one():
    start, e, _ = replicates()
    r = noises()
    theta, W = run(PAPER, HYPER, start, e.patches, e.y, lambda t: torch.from_numpy(r[t]))
    assert len(theta) == HYPER.T + 1
    for i in range(2):
        begin = start.theta[i].numpy(), start.W[i].numpy()
        data = e.x[i].numpy(), e.y[i].numpy(), HYPER.eta, HYPER.eta_r, r[:, i]
        expected = algorithm_1(*begin, *data)
        # A rounding error grows as any small displacement does: measure that growth on the oracle,
        # displaced by 1e-9.
        shifted = algorithm_1(
            begin[0],
            begin[1] + 1e-9 * np.random.default_rng(2).choice([-1, 1], begin[1].shape),
            *data,
        )
        for t, ((theta_t, W_t), (theta_s, W_s)) in enumerate(zip(expected, shifted, strict=True)):
            growth = 1 + max(np.abs(theta_s - theta_t).max(), np.abs(W_s - W_t).max()) / 1e-9
            # Each step adds errors of about n P d eps relative to steps of size 1 at most.
            tolerance = growth * (1 + t) * HYPER.n * PROBLEM.P * PROBLEM.d * EPS
            assert tolerance < 1e-8
            assert np.abs(theta[t, i].numpy() - theta_t).max() <= tolerance
            assert np.abs(W[t, i].numpy() - W_t).max() <= tolerance
        # The run went somewhere: the router moved, and its choices followed it at least once.
        assert theta[-1, i].abs().max() > 0.05
        last = paper_gradients(theta[-1, i].numpy(), W[-1, i].numpy(), *data[:2], r[-1, i])
        assert last.routed != r[-1, i].argmax(axis=0).tolist()


def test_train_is_descent_with_the_replicates_own_noise():
    keep = range(HYPER.T + 1)
    trajectory = train(
        PAPER,
        PROBLEM,
        HYPER,
        [seed_of(i) for i in range(2)],
        keep=keep,
        look_every=7,
        dtype=torch.float64,
    )
    start, e, noise_seeds = replicates()
    generators = [generator_from(s) for s in noise_seeds]
    r = [
        torch.stack([PAPER.router_noise((HYPER.M, HYPER.n), g, t) for g in generators])
        for t in range(HYPER.T)
    ]
    theta, W = run(PAPER, HYPER, start, e.patches, e.y, lambda t: r[t])
    assert trajectory.steps == tuple(keep)
    assert torch.equal(trajectory.theta, theta.transpose(0, 1))
    assert torch.equal(trajectory.W, W.transpose(0, 1))
    # And the noise differs between replicates and steps.
    assert not torch.equal(r[0][0], r[0][1])
    assert not torch.equal(r[0][0], r[1][0])


def test_each_step_is_the_updates_on_the_gradients():
    start, e, _ = replicates()
    r = torch.from_numpy(noises())
    iterates = list(descent(PAPER, HYPER, start, e.patches, e.y, lambda t: r[t]))
    for t in (0, 3, 29):
        g_W, g_theta = gradients(PAPER, iterates[t], e.patches, e.y, r[t])
        assert torch.equal(
            iterates[t + 1].W, normalised_step(iterates[t].W, g_W, HYPER.eta, None)[0]
        )
        assert torch.equal(
            iterates[t + 1].theta, plain_step(iterates[t].theta, g_theta, HYPER.eta_r, None)[0]
        )


def test_experts_move_by_eta_if_and_only_if_they_have_examples():
    hyper = replace(HYPER, M=10, n=8, T=15)
    start, e, _ = replicates(hyper=hyper)
    r = noises(hyper=hyper)
    theta, W = run(PAPER, hyper, start, e.patches, e.y, lambda t: torch.from_numpy(r[t]))
    idle = 0
    for t in range(hyper.T):
        for i in range(2):
            routed = Naive().routes(theta[t, i].numpy(), e.x[i].numpy(), r[t, i])
            for m in range(hyper.M):
                if m in routed:
                    length = (W[t + 1, i, m] - W[t, i, m]).norm().item()
                    assert length == pytest.approx(
                        hyper.eta, abs=100 * EPS * W[t, i, m].norm().item()
                    )
                else:
                    idle += 1
                    assert torch.equal(W[t + 1, i, m], W[t, i, m])
    assert idle > 0


@pytest.mark.parametrize("M", [1, 3, 8])
def test_the_sum_of_the_router_is_conserved(M):
    hyper = replace(HYPER, M=M)
    start, e, _ = replicates(hyper=hyper)
    r = noises(hyper=hyper)
    begin = torch.randn(start.theta.shape, generator=generator(3), dtype=torch.float64) / 10
    theta, _ = run(
        PAPER, hyper, Parameters(begin, start.W), e.patches, e.y, lambda t: torch.from_numpy(r[t])
    )
    steps = theta.diff(dim=0)
    # Each of the n terms of a step cancels over the experts up to a few eps, and each addition
    # rounds once.
    sizes = theta.abs().amax(dim=(0, 2)).sum() + M * hyper.n * steps.abs().sum(dim=(0, 2)).max()
    assert (theta.sum(dim=2) - begin.sum(dim=1)).abs().max() <= 10 * EPS * sizes
    if M == 1:
        assert torch.equal(theta[-1], begin)
    else:
        assert steps.abs().max() > 1e-4


def test_nothing_is_changed_in_place():
    start, e, _ = replicates()
    given = [start.theta, start.W, *tensors_of(e.patches)]
    before = [tensor.clone() for tensor in given]
    r = torch.from_numpy(noises())
    iterates = descent(PAPER, HYPER, start, e.patches, e.y, lambda t: r[t])
    first = next(iterates)
    assert first is start
    second = next(iterates)
    copy = second.W.clone()
    list(iterates)
    assert torch.equal(second.W, copy)
    for now, then in zip(given, before, strict=True):
        assert torch.equal(now, then)


def test_no_steps():
    start, e, _ = replicates()
    (only,) = descent(
        PAPER,
        replace(HYPER, T=0),
        start,
        e.patches,
        e.y,
        lambda t: pytest.fail("no noise is needed"),
    )
    assert only is start


def test_noise_is_asked_for_once_a_step_in_order():
    start, e, _ = replicates()
    r = torch.from_numpy(noises())
    asked = []
    list(descent(PAPER, HYPER, start, e.patches, e.y, lambda t: asked.append(t) or r[t]))
    assert asked == list(range(HYPER.T))


# Variants


def momentum(parameter, gradient, rate, state):
    """Heavy ball: needs its state."""
    velocity = gradient.value + (0.9 * state if state is not None else 0)
    return parameter - rate * velocity, velocity


def test_updates_keep_a_state_each():
    subject = replace(PAPER, expert_update=momentum, router_update=momentum)
    hyper = replace(HYPER, T=6)
    start, e, _ = replicates(count=1)
    r = noises(count=1, hyper=hyper)
    theta, W = run(subject, hyper, start, e.patches, e.y, lambda t: torch.from_numpy(r[t]))
    at_theta, at_W = start.theta[0].numpy(), start.W[0].numpy()
    v_theta, v_W = np.zeros_like(at_theta), np.zeros_like(at_W)
    for t in range(hyper.T):
        g = paper_gradients(at_theta, at_W, e.x[0].numpy(), e.y[0].numpy(), r[t, 0])
        v_theta, v_W = 0.9 * v_theta + g.theta, 0.9 * v_W + g.W
        at_theta, at_W = at_theta - hyper.eta_r * v_theta, at_W - hyper.eta * v_W
        np.testing.assert_allclose(theta[t + 1, 0].numpy(), at_theta, rtol=0, atol=1e-11)
        np.testing.assert_allclose(W[t + 1, 0].numpy(), at_W, rtol=0, atol=1e-11)


def test_experts_may_take_plain_steps():
    start, e, _ = replicates()
    r = torch.from_numpy(noises())
    _, W = run(
        replace(PAPER, expert_update=plain_step),
        replace(HYPER, T=1),
        start,
        e.patches,
        e.y,
        lambda t: r[t],
    )
    for i in range(2):
        g = paper_gradients(
            start.theta[i].numpy(),
            start.W[i].numpy(),
            e.x[i].numpy(),
            e.y[i].numpy(),
            r[0, i].numpy(),
        )
        np.testing.assert_allclose(
            W[1, i].numpy(), start.W[i].numpy() - HYPER.eta * g.W, rtol=0, atol=1e-13
        )


def test_the_router_may_take_normalised_steps():
    start, e, _ = replicates()
    r = torch.from_numpy(noises())
    theta, _ = run(
        replace(PAPER, router_update=normalised_step), HYPER, start, e.patches, e.y, lambda t: r[t]
    )
    np.testing.assert_allclose(
        theta.diff(dim=0).norm(dim=(-2, -1)).numpy(), HYPER.eta_r, rtol=1e-12
    )


def test_without_noise_the_first_of_equal_experts_gets_everything():
    subject = replace(PAPER, router_noise=no_noise)
    trajectory = train(
        subject, PROBLEM, replace(HYPER, T=1), [seed_of(1)], keep=[0], dtype=torch.float64
    )
    moved = trajectory.W.diff(dim=1)[0, 0].abs().amax(dim=(-2, -1)) > 0
    assert moved.tolist() == [True, False, False]


def test_filters_of_a_linear_expert_move_together():
    trajectory = train(
        replace(PAPER, respond=linear_response),
        PROBLEM,
        HYPER,
        [seed_of(1)],
        keep=[0],
        dtype=torch.float64,
    )
    moved = trajectory.W.diff(dim=1)[0, 0]
    assert (moved[:, 0] - moved[:, 1]).abs().max() <= 10 * HYPER.T * EPS
    assert moved.abs().max() > HYPER.eta


def test_noise_seeds_are_children_of_the_replicates_seed():
    replicate = draw_replicate(PAPER, PROBLEM, HYPER, seed_of(5))
    assert replicate.noise_seed.entropy == 5
    assert replicate.noise_seed.spawn_key == child(seed_of(5), 1).spawn_key
