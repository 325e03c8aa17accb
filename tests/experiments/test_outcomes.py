"""What becomes of whole runs: which clusters count, who divides them, unconditional success,
balanced load."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import PAPER, Problem
from core.seeds import generator_from
from core.training import stack
from theory_checks.checking.run import Run
from theory_checks.experiments.balanced import balance_gradient, balanced_ends
from theory_checks.experiments.mixtures import (
    FRESH,
    Outcomes,
    in_clear_clusters,
    in_use_divide,
    outcomes,
    stays_mixed,
    succeeds,
    succeeds_from_any_start,
)
from theory_checks.experiments.replicates import at_the_end
from theory_checks.experiments.router import mechanism, off_centre
from theory_checks.experiments.scenarios import at_fineness, ladder
from theory_checks.experiments.trajectories import SEARCH, Trained, stages

WHOLE = at_fineness(ladder(Problem(K=2, d=32), 200, 4, M=4, J=4), 8, 3.0)


@pytest.fixture
def trained(run: Run) -> Trained:
    return Trained(run, SEARCH)


def made(**changes: torch.Tensor) -> Outcomes:
    """One replicate with K = 2 and M = 3: experts 0 and 1 in M_0, 2 in M_1."""
    found = Outcomes(
        error=torch.zeros(1),
        entropy=torch.zeros(1),
        dispatched=torch.tensor([[[FRESH // 2, 0], [0, 0], [0, FRESH // 2]]]),
        errors=torch.tensor([[[0.0, 0.5], [0.2, 0.5], [0.5, 0.0]]]),
        to_group=torch.ones(1, 3, 2),
        along_centres=torch.tensor([[[2.0, -1.0], [0.0, 0.0], [-2.0, 1.0]]]),
        group=torch.tensor([[0, 0, 1]]),
        gap=torch.tensor([[1.5, 1.0, 1.05]]),
    )
    return replace(found, **changes)


def test_a_cluster_is_clear_by_the_best_gap_in_its_group() -> None:
    assert made().clear.tolist() == [[True, False]]
    assert made(gap=torch.tensor([[1.0, 1.0, 9.0]])).clear.tolist() == [[False, True]]


def test_only_clear_clusters_count_and_replicates_without_one_are_left_out() -> None:
    good = torch.tensor([[True, False], [False, True], [False, False]])
    clear = torch.tensor([[True, False], [True, False], [False, False]])
    assert in_clear_clusters(good, clear).tolist() == [False, True]


def test_alignment_is_with_the_group_and_not_finite_is_not_aligned() -> None:
    assert made().aligned.tolist() == [[True, True]]
    along = torch.tensor([[[0.0, 1.0], [0.0, 0.0], [1.0, 0.0]]])
    assert made(along_centres=along).aligned.tolist() == [[False, False]]
    assert not made(along_centres=along * torch.nan).aligned.any()


def test_every_way_of_routing_counts() -> None:
    share = torch.ones(1, 3, 2)
    share[0, 2, 1] = 0.89
    assert made(to_group=share).goes_to_group.tolist() == [[True, False]]


def test_an_idle_expert_need_not_be_good_and_one_in_use_must() -> None:
    assert in_use_divide(made()).tolist() == [True]
    busy = torch.tensor([[[FRESH // 2, 0], [FRESH // 50, 0], [0, FRESH // 2]]])
    assert in_use_divide(made(dispatched=busy)).tolist() == [False]


def test_outcomes_agree_with_the_replicates(trained: Trained) -> None:
    found = outcomes(trained, WHOLE)
    for i, replicate in enumerate(at_the_end(trained, WHOLE)):
        assert found.error[i] == replicate.error
        assert torch.equal(found.dispatched[i], replicate.dispatched)
        assert torch.equal(found.own_error[i], replicate.own_error)
        member = replicate.group[replicate.outcome[1]] == 0
        share = member[replicate.fresh.k == 0].double().mean()
        assert found.to_group[i, 0, 0] == pytest.approx(float(share))


def test_replicates_by_number_are_those_of_longer_lists(trained: Trained) -> None:
    some = outcomes(trained, WHOLE.only((1, 3)))
    assert torch.equal(some.error, outcomes(trained, WHOLE).error[[1, 3]])
    assert torch.equal(some.group, outcomes(trained, WHOLE).group[[1, 3]])


def test_success_from_any_start_is_that_of_unconditional_training(trained: Trained) -> None:
    """K = 2 and M = 2: half of the first initialisations miss E_init."""
    few = at_fineness(ladder(Problem(K=2, d=32), 200, 8, M=2, J=4), 8, 3.0)
    drawn = trained.trajectory(few).initialisations
    assert 1 < sum(n > 1 for n in drawn) < 8
    unconditional = replace(few, given_occupied_groups=False)
    expected = succeeds(trained, unconditional)
    assert succeeds_from_any_start(trained, few).tolist() == expected.tolist()


def test_stages_go_from_T_1_to_T() -> None:
    steps = stages(WHOLE.hyper)
    assert (steps[0], steps[-1], len(steps)) == (WHOLE.hyper.T_1, WHOLE.hyper.T, 4)
    explored = ladder(Problem(K=2, d=32), 200, 4, M=4, J=4)
    assert stages(explored.hyper) == (explored.hyper.T,)


def test_what_is_off_the_centres_is_measured_in_what_centres_reach(trained: Trained) -> None:
    found = off_centre(trained, WHOLE)
    for i, replicate in enumerate(at_the_end(trained, WHOLE)):
        features, centres = (along.abs().max() for along in replicate.router)
        assert found["features"][i, -1] == pytest.approx(float(features / centres), rel=1e-5)
    assert found["noise"].shape == (4, 4)
    assert (found["features, early"] >= found["features"][:, 0] - 1e-6).all()


def test_the_law_of_the_router_sums_to_zero_over_experts(trained: Trained) -> None:
    simulated, law = mechanism(trained, WHOLE)
    assert simulated.shape == law.shape
    assert law.sum(dim=2).abs().max() <= 1e-9 * law.abs().max()
    assert (law[:, 0] == 0).all()


def test_without_a_coefficient_balanced_runs_are_the_plain_ones(trained: Trained) -> None:
    ends, plain = balanced_ends(trained, WHOLE, 0.0), outcomes(trained, WHOLE)
    assert ends.error.numpy() == pytest.approx(plain.error.numpy(), abs=2 / FRESH)
    assert ends.entropy.numpy() == pytest.approx(plain.entropy.numpy(), abs=0.01)


def test_the_gradient_of_the_load_is_that_of_differences() -> None:
    generator = generator_from(np.random.SeedSequence(1))
    problem = Problem(K=2, d=8)
    signals = PAPER.draw_signals(problem, generator)
    x = stack([PAPER.draw_examples(problem, signals, 20, generator).patches])
    theta = 0.1 * torch.randn(1, 3, 8, generator=generator, dtype=torch.float64)
    r = torch.rand(1, 3, 20, generator=generator, dtype=torch.float64)
    chosen = PAPER.select(PAPER.logits(theta, x), r)[0]
    share = torch.bincount(chosen, minlength=3).double() / 20

    def loss(theta: torch.Tensor) -> float:
        return float(3 * (share * PAPER.gate(PAPER.logits(theta, x))[0].mean(dim=-1)).sum())

    found = balance_gradient(PAPER, theta, x, r)
    step = torch.zeros_like(theta)
    for m, i in ((0, 0), (1, 3), (2, 7)):
        step.zero_()[0, m, i] = 1e-6
        slope = (loss(theta + step) - loss(theta - step)) / 2e-6
        assert float(found[0, m, i]) == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_staying_mixed_needs_both_entropies_and_the_errors() -> None:
    high, low = torch.tensor([1.2, 1.2, 0.1, 1.2]), torch.tensor([0.0, 1.0, 0.0, 0.0])
    more, less = torch.tensor([0.1, 0.1, 0.1, 0.0]), torch.zeros(4)
    assert stays_mixed(4, high, low, more, less).tolist() == [True, False, False, False]
