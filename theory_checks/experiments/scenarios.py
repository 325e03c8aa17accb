"""What claims are tried on: Hypothesis strategies for problems and logits, and the pre-registered
ladder of training runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Discrete, Examples, Hyperparameters, Problem, Signals, Uniform
from core.data import AmplitudeLaw
from theory_checks.checking.profiles import Profile

DrawExamples = Callable[[Problem, Signals, int, torch.Generator], Examples]
LAWS = ("alpha", "beta", "gamma")
SEEDS = st.integers(0, 2**32 - 1)


def gaussian(generator: torch.Generator, *shape: int) -> Tensor:
    """Independent N(0, 1) in double precision."""
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@st.composite
def amplitude_laws(draw: st.DrawFn, continuous: bool = False) -> AmplitudeLaw:
    """Bounded laws inside [1/8, 8]: uniform, or with finitely many amplitudes."""
    low = draw(st.sampled_from([0.125, 0.25, 0.5, 1.0, 1.5]))
    high = low * draw(st.sampled_from([1.25, 2.0, 4.0]))
    if continuous or draw(st.booleans()):
        return Uniform(low, high)
    if draw(st.booleans()):
        return Discrete((low, (low + high) / 2, high), (0.5, 0.25, 0.25))
    return Discrete(
        tuple(low + (high - low) * i / 4 for i in range(5)), (0.25, 0.125, 0.0625, 0.1875, 0.375)
    )


@st.composite
def problems(
    draw: st.DrawFn,
    most_K: int = 16,
    most_P: int = 7,
    most_d: int = 64,
    equal_laws: bool = False,
    continuous: bool = False,
) -> Problem:
    """Problems of Definition 3.1: K clusters, P >= 4 patches, dimension from 2K up, any amplitude
    laws."""
    K = draw(st.integers(2, most_K))
    alpha, beta = draw(amplitude_laws(continuous)), draw(amplitude_laws(continuous))
    gamma = alpha if equal_laws else draw(amplitude_laws(continuous))
    return Problem(
        K=K,
        d=draw(st.integers(2 * K, max(2 * K, most_d))),
        P=draw(st.integers(4, most_P)),
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        sigma_p=draw(st.sampled_from([0.25, 1.0, 2.0])),
        C1=0.125,
        C2=8.0,
    )


@st.composite
def logits(draw: st.DrawFn, most_M: int = 64, columns: int = 8) -> Tensor:
    """Router logits (M, columns), float64: M up to 64; zero, moderate, huge, tied, and at gaps of
    almost exactly 1."""
    M = draw(st.sampled_from([1, 2, 3, 8, 16, most_M]) | st.integers(1, most_M))
    scale = draw(st.sampled_from([0.0, 1e-12, 1e-3, 0.1, 0.5, 1.0, 3.0, 1e3, 1e12]))
    generator = torch.Generator().manual_seed(draw(SEEDS))
    h = scale * gaussian(generator, M, columns)
    shape = draw(st.sampled_from(["generic", "tied", "edge"]))
    if shape == "tied":
        h = h[torch.randint(0, M, (M,), generator=generator)]
    if shape == "edge":
        # Every logit is almost a whole number of noise widths below another.
        steps = torch.randint(0, 3, h.shape, generator=generator)
        off = draw(st.sampled_from([0.0, 1e-12, 1e-6, 1e-3]))
        h = h[:1] - steps + off * gaussian(generator, M, columns)
    return h


def logits_of_spread_at_most_1() -> st.SearchStrategy[Tensor]:
    """Logits of one example and two experts or more, (M, 1), scaled so that they differ by at most
    1."""

    def scaled(h: Tensor) -> Tensor:
        h = h - h.amin(dim=0)
        return h / h.amax(dim=0).clamp(min=1)

    return logits(most_M=16, columns=1).filter(lambda h: len(h) > 1).map(scaled)


@dataclass(frozen=True)
class Scenario:
    """A training run that is simulated for several claims.

    problem, hyper: what is trained
    replicates: how often
    given_occupied_groups: whether replicates are conditional on E_init
    numbers: of the replicates, where they are not the first ones: so many
    """

    problem: Problem
    hyper: Hyperparameters
    replicates: int
    given_occupied_groups: bool = True
    numbers: tuple[int, ...] = ()

    def only(self, numbers: Sequence[int]) -> "Scenario":
        """The replicates with these numbers; those with different numbers are independent."""
        return replace(self, replicates=len(numbers), numbers=tuple(numbers))

    def with_hyper(self, **changes: Any) -> "Scenario":
        """The same with other inputs of Algorithm 1."""
        return replace(self, hyper=replace(self.hyper, **changes))

    @property
    def explores_only(self) -> bool:
        """Whether training ends with the exploration stage, at T_1."""
        return self.hyper.T <= self.hyper.T_1


def quantity(scenario: Scenario, name: str) -> Any:
    """A number of the scenario, its problem or its hyperparameters, by its name there."""
    parts = (scenario.problem, scenario.hyper, scenario)
    return next(getattr(part, name) for part in parts if hasattr(part, name))


def facts_about(*names: str) -> Callable[..., Mapping[str, Any]]:
    """Counts these numbers of the first scenario among a claim's inputs."""

    def facts(**inputs: Any) -> Mapping[str, Any]:
        scenario = next(value for value in inputs.values() if isinstance(value, Scenario))
        return {name: quantity(scenario, name) for name in names}

    return facts


POINT_VERSION = 1  # to be raised when replicates of the same point are to be drawn anew
QUANTILES = torch.tensor([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999], dtype=torch.float64)


def physical_point(scenario: Scenario) -> tuple[tuple[str, str], ...]:
    """What the replicates of a scenario are drawn from, by name: their seeds hash this and no
    record.

    How many replicates there are, T and whatever a record holds besides make no difference: more
    replicates, or longer runs, continue those that were drawn before. A law counts by its
    quantiles.
    """
    numbers = ("K", "d", "P", "sigma_p", "M", "J", "n", "sigma_0", "eta", "eta_r")
    named = {
        "version": [POINT_VERSION],
        **{name: [quantity(scenario, name)] for name in numbers},
        **{name: quantity(scenario, name).quantile(QUANTILES).tolist() for name in LAWS},
    }
    # To nine digits: another order of the operations that gave a rate is not another point.
    return tuple((name, " ".join(f"{v:.9g}" for v in values)) for name, values in named.items())


def ladder(problem: Problem, n: int, replicates: int, *, M: int = 8, J: int = 8) -> Scenario:
    """Training at sigma_0 = d^(-1/3), eta = sigma_0/50, eta_r = M^2 eta, the ladder's rates, to
    T_1."""
    sigma_0 = problem.d ** (-1 / 3)
    eta = sigma_0 / 50
    hyper = Hyperparameters(M=M, J=J, n=n, sigma_0=sigma_0, eta=eta, eta_r=M**2 * eta, T=0)
    return Scenario(problem, hyper, replicates).with_hyper(T=hyper.T_1)


def on_the_ladder(profile: Profile, d: int, n: int, replicates: int) -> Scenario:
    """A point of the pre-registered ladder: K and M = J as the profile has them."""
    problem = Problem(K=profile.clusters, d=d)
    return ladder(problem, n, replicates, M=profile.experts, J=profile.experts)


def at_rate(scenario: Scenario, eta: float, distance: float) -> Scenario:
    """The same at another eta, with eta_r = M^2 eta, for the T = distance / eta steps in which an
    expert moves so far."""
    eta_r = scenario.hyper.M**2 * eta
    return scenario.with_hyper(eta=eta, eta_r=eta_r, T=round(distance / eta))


def at_fineness(scenario: Scenario, fineness: float, distance: float) -> Scenario:
    """`at_rate` with eta = sigma_0/fineness."""
    return at_rate(scenario, scenario.hyper.sigma_0 / fineness, distance)


def without_structure(draw_examples: DrawExamples) -> DrawExamples:
    """Data in which the feature-noise patch is empty: a cluster keeps its feature and its
    centre."""

    def draw(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
        examples = draw_examples(problem, signals, n, generator)
        kept = torch.tensor([1.0, 1.0, 0.0]).to(examples.y)
        patches = replace(examples.patches, coefficient=examples.patches.coefficient * kept)
        return replace(examples, patches=patches, gamma=torch.zeros_like(examples.gamma))

    return draw


def whole_runs(profile: Profile) -> list[Scenario]:
    """Points of the ladder that are trained to T = distance/eta, by size."""
    points = [(on_the_ladder(profile, *size), fineness) for *size, fineness in profile.whole_runs]
    return [at_fineness(point, fineness, profile.distance) for point, fineness in points]


def exploration_ladder(profile: Profile) -> list[Scenario]:
    """Points of the ladder that are trained to T_1, by size."""
    return [on_the_ladder(profile, *size) for size in profile.exploration]


def with_examples(profile: Profile, numbers: Sequence[int]) -> list[Scenario]:
    """These numbers of training examples at d = 64, trained to T_1."""
    return [on_the_ladder(profile, 64, n, profile.example_replicates) for n in numbers]


def example_ladder(profile: Profile) -> list[Scenario]:
    """Growing numbers of training examples."""
    return with_examples(profile, profile.examples)


def other_point(K: int, n: int, replicates: int) -> Scenario:
    """A point of other numbers of clusters, experts, filters and patches, other dimensions and laws
    than the ladder's, trained to T_1."""
    narrow, discrete = Uniform(1.0, 2.0), Discrete((0.5, 1.0, 2.0), (0.25, 0.5, 0.25))
    problem = {
        2: Problem(K=2, d=48, P=5),
        3: Problem(K=3, d=64, P=4, alpha=narrow, gamma=narrow),
        5: Problem(K=5, d=80, P=4),
        6: Problem(K=6, d=64, P=5, alpha=discrete, gamma=discrete),
        10: Problem(K=10, d=128, P=4),
    }[K]
    return ladder(problem, n, replicates, M=2 * K, J=8 if K in (5, 10) else 6)


def around_the_ladder(profile: Profile) -> list[Scenario]:
    """Points around the ladder, trained to T_1; n >= 125 M K."""
    sizes = ((2, 1500), (3, 2250), (5, 6250), (6, 9000), (10, 25_000))
    return [other_point(K, n, profile.replicates) for K, n in sizes[: profile.around]]


def around_the_whole_runs(profile: Profile) -> list[Scenario]:
    """Points around the ladder, trained to T = 8/eta."""
    sizes = ((2, 1000), (3, 2250))[: profile.around_whole]
    points = [other_point(K, n, profile.replicates) for K, n in sizes]
    return [at_fineness(point, profile.around_fineness, 8.0) for point in points]


def two_clusters(profile: Profile) -> Scenario:
    """A small problem with four experts for each of its two clusters, trained to T = 6/eta: cheap,
    and in the regime."""
    n, replicates, fineness = profile.two_clusters
    point = ladder(Problem(K=2, d=48), n, replicates, M=8, J=8)
    return at_fineness(point, fineness, 6.0)


def point_of(scenario: Scenario) -> str:
    """The name of a scenario among the points of a claim."""
    return ", ".join(f"{name} = {quantity(scenario, name)}" for name in ("K", "M", "d", "n"))


def given_on(
    *scenarios: Callable[[Profile], Sequence[Scenario]], hypotheses: str = "E_init"
) -> Callable[[Profile], str]:
    """The hypotheses of a claim about training runs, with the sizes that a profile trains."""
    return lambda profile: "; ".join([hypotheses, *(in_words(s(profile)) for s in scenarios)])


def in_words(scenarios: Sequence[Scenario]) -> str:
    """The sizes of training runs: first what they have in common, then what differs, run by run.

    Example: "P = 4, M = J = 8, ...; (d, n) = (64, 4000), (128, 4000)".
    """
    runs = [_described(scenario) for scenario in scenarios]
    columns = {name: [run[name] for run in runs] for name in runs[0]}
    common = [f"{name} = {values[0]}" for name, values in columns.items() if len(set(values)) == 1]
    names = [name for name, values in columns.items() if len(set(values)) > 1]
    if not names:
        return ", ".join(common)
    points = [", ".join(run[name] for name in names) for run in runs]
    left, right = ("(", ")") if len(names) > 1 else ("", "")
    listed = ", ".join(f"{left}{point}{right}" for point in points)
    return f"{', '.join(common)}; {left}{', '.join(names)}{right} = {listed}"


def _described(scenario: Scenario) -> dict[str, str]:
    """What is said of one training run, by name."""
    hyper, usual = scenario.hyper, scenario.problem.d ** (-1 / 3)
    follows = hyper.eta_r == hyper.M**2 * hyper.eta
    return {
        **{name: str(quantity(scenario, name)) for name in ("K", "d", "P", "M", "J", "n")},
        "sigma_0": "d^(-1/3)" if hyper.sigma_0 == usual else f"{hyper.sigma_0:.3g}",
        "sigma_0/eta": f"{hyper.sigma_0 / hyper.eta:.3g}",
        "eta_r": "M^2 eta" if follows else f"{hyper.eta_r:.3g}",
        "T": "T_1" if scenario.explores_only else f"{hyper.T * hyper.eta:.3g}/eta",
        "replicates": str(scenario.replicates),
    }
