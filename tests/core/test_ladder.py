"""The first point of the ladder, a whole run in float32: what theory.md says of it, to the last
step."""

import numpy as np
import pytest
import torch

from core import PAPER, Hyperparameters, Parameters, Problem, train
from core.measures import every_group_occupied, feature_alignment, groups, is_error
from core.seeds import generator_from
from core.training import draw_replicate, margins, stack

PROBLEM = Problem(K=4, d=64)
SIGMA_0 = 64 ** (-1 / 3)
ETA = SIGMA_0 / 50
HYPER = Hyperparameters(M=8, J=8, n=4000, sigma_0=SIGMA_0, eta=ETA, eta_r=64 * ETA, T=1600)
SEED = np.random.SeedSequence(2022)
EPS = torch.finfo(torch.float32).eps


def occupied(signals, W):
    return bool(every_group_occupied(feature_alignment(signals, W)))


@pytest.fixture(scope="module")
def trajectory():
    return train(
        PAPER,
        PROBLEM,
        HYPER,
        [SEED],
        keep=[0, HYPER.T_1],
        watch={"W": lambda _, at: at.W},
        watch_until=HYPER.T,
        accept=occupied,
    )


def test_training_error_reaches_zero_and_the_test_error_is_small(trajectory):
    assert HYPER.T_1 == 100
    assert (trajectory.training_error == 0).any()
    replicate = draw_replicate(PAPER, PROBLEM, HYPER, SEED, accept=occupied)
    fresh = PAPER.draw_examples(
        PROBLEM, replicate.signals, 20_000, generator_from(np.random.SeedSequence(1))
    )
    margin, routed = margins(
        PAPER, trajectory.parameters(HYPER.T), stack([fresh.patches]), fresh.y[None]
    )
    assert is_error(margin).float().mean() < 0.001
    own = groups(feature_alignment(replicate.signals, replicate.start.W))
    assert (own[routed[0]] == fresh.k).float().mean() > 0.99


def test_the_sum_of_router_weights_stays_zero(trajectory):
    final: Parameters = trajectory.parameters(HYPER.T)
    # Each of T steps rounds M entries of theta, by eps / 2 of their size.
    assert (
        final.theta.sum(dim=1).abs().max() <= HYPER.T * HYPER.M * EPS / 2 * final.theta.abs().max()
    )
    assert final.theta.abs().max() > 0.1


def test_every_expert_moves_by_eta_or_not_at_all_to_the_last_step(trajectory):
    lengths = trajectory.watched["W"][0].diff(dim=0).norm(dim=(-2, -1))
    assert lengths.shape == (HYPER.T, HYPER.M)
    # Subtracting a step from W rounds each of J d entries by eps / 2 of its size.
    rounding = (HYPER.J * PROBLEM.d) ** 0.5 * EPS * trajectory.parameters(HYPER.T).W.abs().max()
    assert ((lengths == 0) | ((lengths - ETA).abs() <= rounding)).all()
    assert rounding < 0.01 * ETA
    assert (lengths[-200:] > 0).any()
