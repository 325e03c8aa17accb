"""Training runs and what is derived from them: computed once for all claims and workers of a
run."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch

from core import Discrete, Problem, Uniform
from theory_checks.checking.run import Run
from theory_checks.experiments import trajectories
from theory_checks.experiments.ladders import sampling_error
from theory_checks.experiments.scenarios import Scenario, at_rate, ladder
from theory_checks.experiments.trajectories import DECIDE, SEARCH, Trained, in_blocks


def small(replicates: int = 6, n: int = 4000) -> Scenario:
    """Of few steps; BLOCK examples are two replicates."""
    scenario = ladder(Problem(K=2, d=8), n, replicates, M=4, J=2)
    return replace(scenario, hyper=replace(scenario.hyper, T=2))


def test_blocks_are_simulated_once_and_put_together_in_order(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = []
    simulate = Trained._simulate
    monkeypatch.setattr(
        Trained,
        "_simulate",
        lambda self, s, seeds: blocks.append(len(seeds)) or simulate(self, s, seeds),
    )
    trained, scenario = Trained(run, SEARCH), small()
    found = trained.trajectory(scenario)
    assert blocks == [1, 2, 1, 2]
    assert len(found.W) == 6
    assert Trained(run, SEARCH).trajectory(scenario) is found
    trajectories._put_together.cache_clear()  # as in another worker
    again = Trained(run, SEARCH).trajectory(scenario)
    assert blocks == [1, 2, 1, 2]
    assert torch.equal(found.W, again.W)
    for i, seed in enumerate(trained.seeds(scenario)):
        drawn = trained.replicate(scenario, seed)
        assert torch.equal(found.parameters(0).W[i], drawn.start.W)
        assert torch.equal(found.signals.features[i], drawn.signals.features)
        assert torch.equal(found.signals.centres[i], drawn.signals.centres)


@pytest.mark.parametrize(
    ("items", "most", "sizes"),
    [
        (1, 3, [1]),
        (3, 3, [3]),
        (4, 3, [2, 2]),
        (7, 3, [1, 2, 2, 2]),  # three blocks would do, but two workers would not share them
        (3, 1, [1, 1, 1]),
        (24, 10, [6, 6, 6, 6]),
    ],
)
def test_blocks_are_nearly_equal_and_even_in_number(
    items: int, most: int, sizes: list[int]
) -> None:
    blocks = in_blocks(range(items), most)
    assert [len(block) for block in blocks] == sizes
    assert [i for block in blocks for i in block] == list(range(items))


def test_a_run_that_only_explores_looks_at_the_training_error_at_its_ends(run: Run) -> None:
    whole = replace(small(2), hyper=replace(small().hyper, T=25, eta=0.1))
    assert not whole.explores_only
    assert Trained(run, SEARCH).trajectory(whole).looked_at == (0, 10, 20, 25)
    assert Trained(run, SEARCH).trajectory(small(2)).looked_at == (0, 2)


def test_derived_quantities_are_computed_once_for_a_scenario_phase_and_variant(run: Run) -> None:
    calls = []

    def derive(trained: Trained, scenario: Scenario, name: str = "x") -> float:
        return trained.derived(name, scenario, lambda: calls.append(1) or float(len(calls)))

    search = Trained(run, SEARCH)
    assert derive(search, small()) == derive(search, small()) == 1
    others = [
        derive(search, small(), "y"),
        derive(search, small(2)),
        derive(Trained(run, DECIDE), small()),
        derive(search.with_ingredients("a variant"), small()),
    ]
    assert others == [2, 3, 4, 5]


def test_a_worker_that_is_not_to_wait_goes_on_with_other_work(run: Run) -> None:
    begun, looked = Barrier(2, timeout=60), Barrier(2, timeout=60)

    def slow() -> str:
        begun.wait()
        looked.wait()
        return "slow"

    path = run.shared / "value.pt"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(trajectories._once, path, slow)
        begun.wait()
        with pytest.raises(trajectories.Timeout):
            trajectories._make(path, lambda: "fast", timeout=0)
        looked.wait()
        assert trajectories._once(path, lambda: "fast") == "slow" == first.result()


def test_a_computation_that_fails_leaves_nothing_behind(run: Run) -> None:
    path = run.shared / "value.pt"
    with pytest.raises(ZeroDivisionError):
        trajectories._once(path, lambda: 1 / 0)
    assert trajectories._once(path, lambda: 2.0) == 2.0


def test_the_sampling_error_is_that_of_drawn_gradients() -> None:
    """sum over examples of 1[k] alpha^3 + 1[k' = k] y eps gamma^3, drawn, for one expert's n / M
    examples."""
    scenario = ladder(Problem(K=3, d=16), 6000, 1, M=6)
    rng = np.random.default_rng(0)
    examples, draws = 1000, 4000
    role = rng.integers(0, 3, (draws, examples))  # this cluster's feature, its noise, or neither
    alpha, gamma = rng.uniform(0.5, 2.0, (2, draws, examples))
    terms = (role == 0) * alpha**3 + (role == 1) * gamma**3 * rng.choice([-1, 1], (draws, examples))
    means = terms.mean(axis=1)
    relative = means.std() / means.mean()
    assert sampling_error(scenario) == pytest.approx(
        relative, rel=0.05
    )  # the standard error of a deviation: 1 / sqrt(2 draws)


def test_at_rate_keeps_the_distance() -> None:
    scenario = at_rate(ladder(Problem(K=3, d=64), 600, 1, M=6), 0.01, 3.0)
    assert (scenario.hyper.T, scenario.hyper.eta, scenario.hyper.eta_r) == (300, 0.01, 0.36)


def test_more_replicates_continue_those_that_were_drawn_before(run: Run) -> None:
    eight, sixteen = small(8), small(16)
    assert trajectories.BLOCK // eight.hyper.n == 2  # so that blocks are the same
    first, more = (Trained(run, SEARCH).trajectory(scenario) for scenario in (eight, sixteen))
    assert torch.equal(first.W, more.W[:8])
    assert torch.equal(first.theta, more.theta[:8])
    assert torch.equal(first.training_error, more.training_error[:8])
    assert len({tuple(seed.spawn_key) for seed in Trained(run, SEARCH).seeds(sixteen)}) == 16


def test_the_seeds_of_replicates_depend_on_the_physical_point_only(run: Run) -> None:
    @dataclass(frozen=True)
    class Extended(Problem):
        tilt: float = 0.0

    def seeds(scenario: Scenario, phase: int = SEARCH, at: Run = run) -> list[tuple[Any, ...]]:
        return [(s.entropy, *s.spawn_key) for s in Trained(at, phase).seeds(scenario)]

    plain = small(2)
    names = [f.name for f in fields(Problem)]
    extended = Extended(**{name: getattr(plain.problem, name) for name in names})
    same = [
        replace(plain, given_occupied_groups=False),
        replace(plain, hyper=replace(plain.hyper, T=50)),
        replace(plain, hyper=replace(plain.hyper, eta=plain.hyper.sigma_0 * 0.02)),
        replace(plain, problem=extended),
        replace(plain, problem=replace(plain.problem, C1=0.25)),
    ]
    assert all(seeds(scenario) == seeds(plain) for scenario in same)
    problems: list[dict[str, Any]] = [
        {"K": 3},
        {"d": 9},
        {"P": 5},
        {"alpha": Uniform(0.5, 1.5)},
        {"beta": Uniform(1.5, 2.0)},
        {"gamma": Discrete((0.5, 2.0), (0.5, 0.5))},
        {"sigma_p": 2.0},
    ]
    hypers: list[dict[str, Any]] = [
        {"M": 5},
        {"J": 3},
        {"n": 4001},
        {"sigma_0": 0.4},
        {"eta": 0.1},
        {"eta_r": 0.0},
    ]
    other = [replace(plain, problem=replace(plain.problem, **change)) for change in problems]
    other += [replace(plain, hyper=replace(plain.hyper, **change)) for change in hypers]
    found = [seeds(scenario) for scenario in other]
    found += [seeds(plain), seeds(plain, DECIDE), seeds(plain, at=replace(run, seed=run.seed + 1))]
    assert len({key for keys in found for key in keys}) == 2 * len(found)
