"""What claims are tried on: Hypothesis strategies for problems and logits, and the pre-registered
ladder of training runs."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Discrete, Examples, Hyperparameters, Problem, Signals, Uniform
from core.data import AmplitudeLaw
from theory_checks.checking.profiles import Profile

DrawExamples = Callable[[Problem, Signals, int, torch.Generator], Examples]
LAWS = ("alpha", "beta", "gamma")
SEEDS = st.integers(0, 2**32 - 1)
# replicates: few that can both refute and pass a rate of three events; 12 cannot (evidence.rates)
QUICK_LADDER = 11


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
    h = scale * torch.randn(M, columns, generator=generator, dtype=torch.float64)
    shape = draw(st.sampled_from(["generic", "tied", "edge"]))
    if shape == "tied":
        h = h[torch.randint(0, M, (M,), generator=generator)]
    if (
        shape == "edge"
    ):  # every logit is a whole number of noise widths below another, give or take little
        steps = torch.randint(0, 3, (M, columns), generator=generator, dtype=torch.float64)
        h = (
            h[:1]
            - steps
            + draw(st.sampled_from([0.0, 1e-12, 1e-6, 1e-3]))
            * torch.randn(M, columns, generator=generator, dtype=torch.float64)
        )
    return h


@dataclass(frozen=True)
class Scenario:
    """A training run that is simulated for several claims: what is trained, and how many
    replicates.

    given_occupied_groups: whether replicates are conditional on E_init.
    """

    problem: Problem
    hyper: Hyperparameters
    replicates: int
    given_occupied_groups: bool = True

    @property
    def explores_only(self) -> bool:
        """Whether training ends with the exploration stage, at T_1."""
        return self.hyper.T <= self.hyper.T_1


POINT_VERSION = 1  # to be raised when replicates of the same point are to be drawn anew
QUANTILES = torch.tensor([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999], dtype=torch.float64)


def physical_point(scenario: Scenario) -> tuple[tuple[str, str], ...]:
    """What the replicates of a scenario are drawn from, by name: their seeds hash this and no
    record.

    How many replicates there are, T and whatever a record holds besides make no difference: more
    replicates, or longer runs, continue those that were drawn before. A law counts by its
    quantiles.
    """
    problem, hyper = scenario.problem, scenario.hyper
    numbers = {
        "version": POINT_VERSION,
        **{name: getattr(problem, name) for name in ("K", "d", "P", "sigma_p")},
        **{name: getattr(hyper, name) for name in ("M", "J", "n", "sigma_0", "eta", "eta_r")},
    }
    laws = {name: getattr(problem, name).quantile(QUANTILES).tolist() for name in LAWS}
    named = {**{name: [value] for name, value in numbers.items()}, **laws}
    # To nine digits: another order of the operations that gave a rate is not another point.
    return tuple((name, " ".join(f"{v:.9g}" for v in values)) for name, values in named.items())


def ladder(problem: Problem, n: int, replicates: int, *, M: int = 8, J: int = 8) -> Scenario:
    """Training at sigma_0 = d^(-1/3), eta = sigma_0/50, eta_r = M^2 eta, the ladder's rates, to
    T_1."""
    sigma_0 = problem.d ** (-1 / 3)
    eta = sigma_0 / 50
    hyper = Hyperparameters(M=M, J=J, n=n, sigma_0=sigma_0, eta=eta, eta_r=M**2 * eta, T=0)
    return Scenario(problem, replace(hyper, T=hyper.T_1), replicates)


def on_the_ladder(profile: Profile, d: int, n: int, replicates: int) -> Scenario:
    """A point of the pre-registered ladder: K = 4, M = J = 8; in quick K = 3, M = J = 6, which
    needs fewer examples."""
    K, M = profile.pick((3, 6), (4, 8), (4, 8))
    return ladder(Problem(K=K, d=d), n, replicates, M=M, J=M)


def at_rate(scenario: Scenario, eta: float, distance: float) -> Scenario:
    """The same at another eta, with eta_r = M^2 eta, for the T = distance / eta steps in which an
    expert moves so far."""
    return replace(
        scenario,
        hyper=replace(
            scenario.hyper, eta=eta, eta_r=scenario.hyper.M**2 * eta, T=round(distance / eta)
        ),
    )


def without_router(scenario: Scenario) -> Scenario:
    """The same with the router frozen, eta_r = 0."""
    return replace(scenario, hyper=replace(scenario.hyper, eta_r=0.0))


def without_structure(draw_examples: DrawExamples) -> DrawExamples:
    """Data in which the feature-noise patch is empty: what is left of a cluster is its feature and
    its centre."""

    def draw(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
        examples = draw_examples(problem, signals, n, generator)
        kept = torch.tensor([1.0, 1.0, 0.0]).to(examples.y)
        patches = replace(examples.patches, coefficient=examples.patches.coefficient * kept)
        return replace(examples, patches=patches, gamma=torch.zeros_like(examples.gamma))

    return draw


def whole_runs(profile: Profile) -> list[Scenario]:
    """Points of the ladder that are trained to T = 8/eta, by size; in quick one with eta =
    sigma_0/16, to 6/eta.

    Of 128 pilot replicates of the latter two had a clear cluster that went elsewhere and two
    training errors after T/2, against 4 and 3 of 64 with K = 4, M = J = 8 and eta = sigma_0/50,
    which takes three times as long.

    In standard the smallest has eta = sigma_0/32. From the same 64 pilot seeds at sigma_0/50, /32
    and /25 the same number, two, had a clear cluster that went elsewhere, and none training errors
    after T/2. At d = 128 it may matter: 4 of 40 had such a cluster at /32, none of 24 at /50.
    """
    sizes = profile.pick(  # d, n, replicates, sigma_0/eta
        ((64, 1000, 8, 16),),
        ((64, 1500, 32, 32), (128, 1500, 8, 50)),
        ((64, 4000, 64, 50), (128, 4000, 32, 50), (256, 4000, 32, 50), (1024, 4096, 8, 50)),
    )
    distance = profile.pick(6.0, 8.0, 8.0)
    points = [
        (on_the_ladder(profile, d, n, replicates), fineness) for d, n, replicates, fineness in sizes
    ]
    return [at_rate(point, point.hyper.sigma_0 / fineness, distance) for point, fineness in points]


def exploration_ladder(profile: Profile) -> list[Scenario]:
    """Points of the ladder that are trained to T_1, by size; n = max(4000, 4 d), but 3000 and 2000
    in quick."""
    sizes = profile.pick(
        ((64, 3000, QUICK_LADDER), (256, 2000, QUICK_LADDER)),
        ((64, 4000, 32), (128, 4000, 32), (256, 4000, 32)),
        ((64, 4000, 64), (128, 4000, 64), (256, 4000, 64), (1024, 4096, 32), (4096, 16_384, 24)),
    )
    return [on_the_ladder(profile, d, n, replicates) for d, n, replicates in sizes]


def example_ladder(profile: Profile) -> list[Scenario]:
    """Growing numbers of training examples at the ladder's first dimension, trained to T_1."""
    replicates = profile.pick(QUICK_LADDER, 32, 64)
    sizes = profile.pick((180, 3000), (250, 1000, 4000), (250, 1000, 4000, 16000))
    return [on_the_ladder(profile, 64, n, replicates) for n in sizes]


def around_the_ladder(profile: Profile) -> list[Scenario]:
    """Other numbers of clusters, experts, filters and patches, other dimensions and laws, trained
    to T_1; n >= 125 M K."""
    replicates = profile.pick(8, 8, 32)
    two = ladder(Problem(K=2, d=48, P=5), 1500, replicates, M=4, J=6)
    three = ladder(
        Problem(K=3, d=64, P=4, alpha=Uniform(1.0, 2.0), gamma=Uniform(1.0, 2.0)),
        2250,
        replicates,
        M=6,
        J=6,
    )
    five = ladder(Problem(K=5, d=80, P=4), 6250, replicates, M=10, J=8)
    discrete = Discrete((0.5, 1.0, 2.0), (0.25, 0.5, 0.25))
    six = ladder(
        Problem(K=6, d=64, P=5, alpha=discrete, gamma=discrete), 9000, replicates, M=12, J=6
    )
    ten = ladder(Problem(K=10, d=128, P=4), 25_000, replicates, M=20, J=8)
    return profile.pick([two, three], [two, three, five], [two, three, five, six, ten])


def around_the_whole_runs(profile: Profile) -> list[Scenario]:
    """The same for training to T = 8/eta; in standard with eta = sigma_0/32: 0 of 64 pilot
    replicates failed, as at sigma_0/50."""
    replicates = profile.pick(8, 8, 32)
    two = ladder(Problem(K=2, d=48, P=5), 1000, replicates, M=4, J=6)
    three = ladder(
        Problem(K=3, d=64, P=4, alpha=Uniform(1.0, 2.0), gamma=Uniform(1.0, 2.0)),
        2250,
        replicates,
        M=6,
        J=6,
    )
    fineness = profile.pick(50, 32, 50)
    return [
        at_rate(point, point.hyper.sigma_0 / fineness, 8.0)
        for point in profile.pick([], [two], [two, three])
    ]
