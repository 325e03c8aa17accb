"""The population law, its limit and its near ties, against independent computations; and what must
violate each claim about them."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad, solve_ivp
from scipy.stats import norm

from core import PAPER, Problem, Uniform
from theory_checks import check
from theory_checks.checking.run import Run
from theory_checks.experiments.asymptotics import FLOW_TOLERANCE
from theory_checks.experiments.asymptotics_pictures import (
    late_experts_along_dimensions,
    winners_by_step,
)
from theory_checks.experiments.exploration import population_law
from theory_checks.experiments.population_law import (
    chance_below,
    clear_in_size,
    error_on_own_cluster,
    level_of,
    limit_of_small_steps,
    most_unclear,
    near_ties,
    own_cluster,
    population,
    ratio_at_level,
    reach,
    tie_constant,
    winner_of_ties,
)


def gaussian_starts(K: int, J: int, experts: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((experts, J, K))


def with_positive_entry(start: np.ndarray) -> np.ndarray:
    return np.where((start.max(axis=(1, 2)) > 0)[:, None, None], start, -start)


@pytest.mark.parametrize(("K", "J"), [(2, 1), (3, 2), (4, 8)])
def test_the_population_of_the_paper_follows_the_law(K: int, J: int) -> None:
    drawn = population(PAPER, K, J, 8, np.random.SeedSequence(1))
    law = population_law(torch.from_numpy(drawn.starts), 0.7, 20).movedim(-3, 0).numpy()
    np.testing.assert_allclose(drawn.steps(0.7, 20), law, atol=1e-9)


def test_what_a_population_starts_with_can_be_replaced() -> None:
    drawn, wanted = (
        population(PAPER, 3, 2, 8, np.random.SeedSequence(1)),
        gaussian_starts(3, 2, 8, 2),
    )
    moved = drawn.starting_at(wanted)
    np.testing.assert_allclose(moved.starts, wanted, atol=1e-12)
    np.testing.assert_allclose(
        (moved.start @ drawn.signals.centres[:, None].mT).numpy(),
        (drawn.start @ drawn.signals.centres[:, None].mT).numpy(),
        atol=1e-12,
    )


@pytest.mark.parametrize("length", [16.0, 1e3])
def test_the_limit_of_small_steps_solves_the_equation(length: float) -> None:
    for start in with_positive_entry(gaussian_starts(3, 2, 4, 3)):
        path = solve_ivp(
            lambda _, a: a**2 / np.sqrt((a**4).sum()),
            (0, length),
            start.ravel(),
            rtol=1e-10,
            atol=1e-10,
        )
        limit = limit_of_small_steps(start[None], length).ravel()
        np.testing.assert_allclose(limit, path.y[:, -1], atol=FLOW_TOLERANCE / 4 * length)


@pytest.mark.parametrize(("K", "J"), [(2, 2), (4, 8)])
@pytest.mark.parametrize("length", [16.0, 1e4, 5e6])
def test_the_numerical_error_of_the_flow_is_within_a_quarter_of_its_tolerance(
    K: int, J: int, length: float
) -> None:
    ties, _ = near_ties(K, J, 1, 1 / length, np.random.default_rng(0), 4)
    start = np.concatenate([ties, with_positive_entry(gaussian_starts(K, J, 4, 4))])
    flow = population(PAPER, K, J, 8, np.random.SeedSequence(1)).starting_at(start).flow(length)[0]
    limit = limit_of_small_steps(start, length)
    assert np.abs(flow - limit).max() <= FLOW_TOLERANCE / 4 * length


def test_experts_without_a_positive_entry_are_refused() -> None:
    start = -np.abs(gaussian_starts(2, 2, 4, 1))
    with pytest.raises(ValueError, match="must be positive"):
        limit_of_small_steps(start, 10.0)
    drawn = population(PAPER, 2, 2, 4, np.random.SeedSequence(1))
    with pytest.raises(ValueError, match="must be positive"):
        drawn.starting_at(start).flow(10.0)


def test_chance_below_by_adaptive_quadrature() -> None:
    first, second = Uniform(1.0, 2.0), Uniform(0.5, 1.5)
    for ratio in (0.7, 1.0, 1.9):
        exact = quad(
            lambda b, ratio=ratio: float(first.cdf(np.array(ratio * b))),
            0.5,
            1.5,
            points=[1 / ratio],
        )[0]
        assert chance_below(first, second, np.array(ratio)) == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_error_on_the_own_cluster_by_simulation(sign: int) -> None:
    problem, rng = Problem(K=3, d=6), np.random.default_rng(0)
    a = np.array([[[1.0, 0.8, -0.9], [0.2, 0.1, 0.3]]]) * np.array([sign, 1, 1])
    A, n = (a[0] ** 3).sum(axis=0), 200_000
    alpha, gamma = rng.uniform(0.5, 2, n), rng.uniform(0.5, 2, n)
    noise = rng.choice(A[1:], n) * rng.choice([-1, 1], n)
    wrong = (alpha**3 * A[0] + gamma**3 * noise <= 0).mean()
    found = error_on_own_cluster(problem, a, np.array([0]))[0]
    assert found == pytest.approx(wrong, abs=5 * (0.25 / n) ** 0.5)


def test_only_the_winner_and_its_rival_matter_up_to_the_reach() -> None:
    """With two entries, the ratio at the end passes r where u passes reach(r) / L."""
    length, ratio = 1e5, 0.7
    u = reach(ratio) / length * np.array([0.99, 1.01])
    start = np.stack([np.full(2, 1.5), 1 / (1 / 1.5 + u)], axis=1)[:, None, :]
    end = limit_of_small_steps(start, length)[:, 0]
    assert (end[:, 1] / end[:, 0] >= ratio).tolist() == [True, False]


def test_the_level_is_passed_at_its_ratio() -> None:
    problem = Problem(K=4, d=8)
    ratio = ratio_at_level(problem, 0.6)
    for r, above in ((1.01 * ratio, True), (0.99 * ratio, False)):
        a = np.array([[[1.0, r, 0.0, 0.0]]])
        error = error_on_own_cluster(problem, a, np.array([0]))[0]
        assert (error > level_of(problem, 0.6)) is np.bool_(above)


@pytest.mark.parametrize(("K", "J"), [(2, 1), (3, 2)])
def test_the_constant_of_ties_by_adaptive_quadrature(K: int, J: int) -> None:
    integral = quad(lambda z: norm.pdf(z) ** 2 * z**2 * norm.cdf(z) ** (J * K - 2), 0, 9)[0]
    assert tie_constant(K, J) == pytest.approx(J**2 * K * (K - 1) * integral, rel=1e-6)


@pytest.mark.parametrize("within", [0.01, 0.1])
def test_weighted_near_ties_have_their_probability(within: float) -> None:
    """Against starts drawn as they are, in which the runner-up is in another cluster."""
    K, J, n = 3, 2, 400_000
    start = gaussian_starts(K, J, n, 5)
    own, first = own_cluster(start), start.max(axis=(1, 2))
    others = start.max(axis=1)
    np.put_along_axis(others, own[:, None], -np.inf, axis=1)
    rival = others.max(axis=1)
    direct = ((rival > 0) & (1 / rival - 1 / first <= within)).mean()
    _, weight = near_ties(K, J, 1, within, np.random.default_rng(6), 20_000)
    found = tie_constant(K, J) * within * weight.mean()
    error = (direct / n) ** 0.5 + found * weight.std() / weight.mean() / 20_000**0.5
    assert found == pytest.approx(direct, abs=5 * error)


def test_double_ties_have_rivals_in_two_clusters() -> None:
    start, weight = near_ties(4, 2, 2, 1e-6, np.random.default_rng(0), 100)
    assert np.allclose(start[:, 0, 1:3], start[:, :1, 0], rtol=1e-4)
    assert (start[:, :, 3] < start[:, 0, 1:3].min(axis=1)[:, None]).all()
    assert np.abs(weight - 1).max() < 0.1
    assert winner_of_ties(4, 2, 2).mass.sum() > 0


@pytest.mark.parametrize("x", [3.0, 30.0, 1000.0])
def test_clear_starts_lead_by_size_from_the_first_step_on(x: float) -> None:
    start = gaussian_starts(3, 2, 4000, 7)
    clear = clear_in_size(start, x)
    law = population_law(torch.from_numpy(start), x, 30).numpy().reshape(len(start), 31, -1)
    leads = law[:, 1:].argmax(axis=-1) == np.abs(law[:, :1]).argmax(axis=-1)
    assert leads[clear].all()
    assert (~clear).mean() <= most_unclear(3, 2, x) + 5 / len(start) ** 0.5 / 2
    if x == 3.0:
        assert not leads[~clear].all()


@pytest.mark.parametrize("shape", [(2, 2), (3, 2)])
def test_the_share_of_experts_elsewhere_lies_in_the_derived_band(shape: tuple[int, int]) -> None:
    K, J = shape
    signed, sized = winners_by_step(PAPER, K, J, 400, np.random.SeedSequence(0))
    limit = J * (K - 1) / (2 * (J * K - 1))
    assert signed.low is not None
    assert signed.high is not None
    for x, low, high in zip(signed.x, signed.low, signed.high, strict=True):
        band = most_unclear(K, J, x)
        assert low <= limit + band
        assert high >= limit - band
    assert sized.y[-1] < 0.05 < sized.y[0]


def test_late_experts_are_as_frequent_as_their_limit_at_d_4096(run: Run) -> None:
    """The limit of the law is exact up to a relative order 1/L, here 1/256, times some units."""
    points, line = late_experts_along_dimensions(run, (2, 2)).series
    assert points.low is not None
    assert points.high is not None
    at = 0.167 / 256
    assert points.low[-1] <= 1.1 * at
    assert points.high[-1] >= 0.9 * at
    assert line.y[0] / line.y[3] == pytest.approx(100.0)


# What must violate the claims


BROKEN = {
    "P.1": ("EXPERT_STEP_LONGER", "QUINTIC"),
    "P.2": ("EXPERT_STEP_LONGER", "FILTERS_NORMALISED"),
    "P.3": ("FILTERS_NORMALISED", "QUINTIC"),
    "P.4": ("EXPERTS_OFF_CENTRE", "LINEAR"),
    "P.5": ("FILTERS_NORMALISED", "LINEAR"),
    "P.6": ("EXPERT_STEP_LONGER", "ROUTER_RATE_TIMES_M"),
}


@pytest.mark.parametrize(
    ("claim", "fault"), [(claim, name) for claim, names in BROKEN.items() for name in names]
)
def test_each_claim_notices_two_faults(claim: str, fault: str) -> None:
    report = check(f"theory_checks.faults:{fault}", claims=[claim], profile="quick", seed=0)
    assert report[claim].verdict == "violated"
