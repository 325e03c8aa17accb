"""What is measured of every expert up to T_1, on trajectories that follow the population law, and
on those of which one expert does not."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from core import PAPER, Parameters, Problem
from core.data import Signals, draw_examples, draw_signals
from core.measures import error_by_cluster
from theory_checks.checking.registry import built_in
from theory_checks.checking.run import Run
from theory_checks.checking.search import check
from theory_checks.evidence import Verdict
from theory_checks.experiments.exploration import (
    cluster_gaps,
    error_of_first_integral,
    error_of_population_law,
    error_of_steps,
    filter_gaps,
    limit_of_own_error,
    norm_in_other_clusters,
    norm_in_own_cluster,
    population_law,
    strongest_features,
    what_is_left,
)
from theory_checks.experiments.initial_groups import filter_gap
from theory_checks.experiments.ladders import largest_of_experts, rarely_at
from theory_checks.experiments.mixtures import errors_of_experts, with_other_noise_sign
from theory_checks.experiments.replicates import Finished
from theory_checks.experiments.scenarios import ladder
from theory_checks.experiments.trajectories import Trained

R, M, J, K = 6, 4, 8, 3
SCENARIO = ladder(Problem(K=K, d=64), 1000, R, M=M, J=J)


def of_the_law(change: Callable[[Tensor], Tensor] = lambda a: a) -> Trained:
    """Training runs whose a_mjk (R, T_1 + 1, M, J, K) follow the law, then changed."""
    hyper = SCENARIO.hyper
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(R, M, J, K, generator=generator, dtype=torch.float64)
    a = population_law(start * hyper.sigma_0 / 8, hyper.eta, hyper.T_1).transpose(1, 2)
    trajectory = SimpleNamespace(watched={"feature of filter": change(a)})
    return cast(Trained, SimpleNamespace(trajectory=lambda scenario: trajectory))


def first_expert(change: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A change of the path (R, T_1 + 1, J, K) of the first expert only."""

    def changed(a: Tensor) -> Tensor:
        a = a.clone()
        a[:, :, 0] = change(a[:, :, 0])
        return a

    return changed


def standing_still(path: Tensor) -> Tensor:
    return path[:, :1].expand_as(path)


def climbing(path: Tensor) -> Tensor:
    hyper = SCENARIO.hyper
    return population_law(path[:, 0], -hyper.eta, hyper.T_1)


def at_half_speed(path: Tensor) -> Tensor:
    """The path of the law at half its step."""
    hyper = SCENARIO.hyper
    return population_law(path[:, 0], hyper.eta / 2, hyper.T_1)


BROKEN = (standing_still, climbing, at_half_speed)


def test_a_path_of_the_law_has_no_error() -> None:
    trained = of_the_law()
    assert error_of_steps(trained, SCENARIO).max() < 1e-12
    assert error_of_population_law(trained, SCENARIO).max() < 1e-12
    # one step adds eta / a(0) times its share
    assert error_of_first_integral(trained, SCENARIO).max() < 0.2


@pytest.mark.parametrize("broken", BROKEN)
def test_one_expert_that_leaves_the_law_is_seen_and_no_other(
    broken: Callable[[Tensor], Tensor],
) -> None:
    trained = of_the_law(first_expert(broken))
    for measure, least in (
        (error_of_steps, 0.4),
        (error_of_population_law, 0.3),
        (error_of_first_integral, 0.4),
    ):
        values = measure(trained, SCENARIO)
        assert values.shape == (R, M)
        assert (values[:, 0] > least).all(), measure
        assert values[:, 1:].max() < 0.2, measure


def test_winners_take_all_of_a_path_of_the_law() -> None:
    trained = of_the_law()
    clear = cluster_gaps(trained, SCENARIO) >= 1.3
    assert clear.any()
    own = norm_in_own_cluster(trained, SCENARIO)
    assert ((own - 1).abs()[clear] <= 5 / 16).all()
    others = norm_in_other_clusters(trained, SCENARIO)
    assert (others <= what_is_left(trained, SCENARIO) * (1 + 0.2)).all()
    idle = of_the_law(first_expert(standing_still))
    assert (norm_in_own_cluster(idle, SCENARIO)[:, 0] < 0.5).all()


def test_the_strongest_features_are_those_of_any_step() -> None:
    def with_a_peak(a: Tensor) -> Tensor:
        a = a.clone()
        a[2, 17, 3, 0, 1] = -2.0
        return a

    found = strongest_features(of_the_law(with_a_peak), SCENARIO)
    assert found.shape == (R, M)
    assert found[2, 3] == pytest.approx(8.0, rel=0.02)
    assert found[2, 2] < 1


def test_the_filter_gap() -> None:
    a = torch.tensor([[[3.0, 1.0], [2.0, -5.0]], [[1.0, -1.0], [-2.0, -3.0]]])
    assert filter_gap(a).tolist() == [1.5, torch.inf]
    trained = of_the_law()
    assert (filter_gaps(trained, SCENARIO) <= cluster_gaps(trained, SCENARIO)).all()


def test_the_error_on_the_own_cluster_is_that_of_drawn_amplitudes() -> None:
    """Against 200 000 draws of (k', alpha, gamma, sign) for an expert that is right and one whose
    own A is negative."""
    trained = of_the_law(first_expert(lambda path: -path))
    found = limit_of_own_error(trained, SCENARIO)
    a = trained.trajectory(SCENARIO).watched["feature of filter"]
    rng = np.random.default_rng(1)
    size, problem = 200_000, SCENARIO.problem
    u = torch.from_numpy(rng.random((2, size)))
    alpha, gamma = problem.alpha.quantile(u[0]).numpy(), problem.gamma.quantile(u[1]).numpy()
    sign = rng.choice([-1, 1], size)
    for r in range(R):
        for m in range(M):
            own = int(a[r, 0, m].amax(dim=0).argmax())
            strength = a[r, -1, m].pow(3).sum(dim=0).numpy()
            other = rng.choice([k for k in range(K) if k != own], size)
            margin = alpha**3 * strength[own] + sign * gamma**3 * strength[other]
            # five standard errors of the draws, and the midpoints of the quadrature
            assert float(found[r, m]) == pytest.approx((margin <= 0).mean(), abs=0.0056 + 0.002)


def test_what_is_not_finite_is_larger_than_all_that_is() -> None:
    top = torch.finfo(torch.float64).max
    values = torch.tensor([[1.0, 2.0], [torch.nan, 3.0], [-torch.inf, 0.0]])
    assert largest_of_experts(values).tolist() == [2.0, top, top]


def test_a_replicate_with_one_bad_expert_is_an_exception() -> None:
    bad = torch.zeros(40, 4, dtype=torch.bool)
    bad[3, 2] = bad[5, 0] = bad[5, 1] = True
    scenario = replace(SCENARIO, replicates=40)
    statement = rarely_at([scenario], lambda _: bad, "x")
    evidence = statement.judge(np.random.SeedSequence(0), 1e-3, 40)
    assert evidence.observed == 2 / 40
    assert evidence.verdict is Verdict.HOLDS


def test_the_other_sign_of_the_feature_noise() -> None:
    problem = Problem(K=3, d=10)
    generator = torch.Generator().manual_seed(2)
    signals = draw_signals(problem, generator)
    examples = draw_examples(problem, signals, 50, generator)
    flipped = with_other_noise_sign(examples)
    place = examples.positions[:, 2:, None].expand(-1, -1, 10)
    change = torch.zeros_like(examples.x).scatter(1, place, -2 * examples.x.gather(1, place))
    torch.testing.assert_close(flipped.x, examples.x + change)
    assert torch.equal(flipped.eps, -examples.eps)
    torch.testing.assert_close(with_other_noise_sign(flipped).x, examples.x)


def test_the_error_of_experts_is_that_of_fresh_examples_on_average() -> None:
    """Both signs together have less variance, and the same mean."""
    scenario = ladder(Problem(K=3, d=8), 50, 1, M=4, J=2)
    generator = torch.Generator().manual_seed(3)
    signals: Signals = draw_signals(scenario.problem, generator)
    W = torch.randn(4, 2, 8, generator=generator)
    at = Parameters(torch.zeros(4, 8), W)
    seed = np.random.SeedSequence(4)
    replicate = Finished(PAPER, scenario, seed, signals, at, at, cast(Any, None))
    found = errors_of_experts(replicate)
    drawn = draw_examples(scenario.problem, signals, 40_000, generator)
    margins = replicate.expert_margins(drawn)
    expected = error_by_cluster(margins, drawn.k.expand_as(margins), 3)
    # four standard errors of a share of FRESH / 3 examples
    assert (found - expected).abs().max() < 4 * 0.5 / (4000 / 3) ** 0.5


def test_gradients_that_share_their_noise_do_not_concentrate(run: Run) -> None:
    def shared(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
        noise = torch.rand((*shape[:-1], 1), generator=generator)
        return noise.expand(shape)

    claim = built_in()["G.12"]
    assert check(claim, run).verdict == "holds"
    broken = replace(run, subject=replace(PAPER, router_noise=shared))
    assert check(claim, broken).verdict == "violated"


def test_filters_that_are_not_gaussian_have_another_gap(run: Run) -> None:
    def uniform(problem: Problem, hyper: Any, generator: torch.Generator) -> Tensor:
        W = torch.rand((hyper.M, hyper.J, problem.d), generator=generator, dtype=torch.float64)
        return (2 * W - 1) ** 3 * hyper.sigma_0

    claim = built_in()["I.5"]
    assert check(claim, run).verdict == "holds"
    broken = replace(run, subject=replace(PAPER, initialise_experts=uniform))
    assert check(claim, broken).verdict == "violated"
