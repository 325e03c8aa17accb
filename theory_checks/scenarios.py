"""What claims are tried on: Hypothesis strategies for problems and logits, and the pre-registered ladder of training runs."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Discrete, Hyperparameters, Problem, Uniform
from core.data import AmplitudeLaw
from theory_checks.claims import Profile

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def amplitude_laws(draw: st.DrawFn, continuous: bool = False) -> AmplitudeLaw:
    """Bounded laws inside [1/8, 8]: uniform, or with finitely many amplitudes."""
    low = draw(st.sampled_from([0.125, 0.25, 0.5, 1.0, 1.5]))
    high = low * draw(st.sampled_from([1.25, 2.0, 4.0]))
    if continuous or draw(st.booleans()):
        return Uniform(low, high)
    return Discrete((low, (low + high) / 2, high), (0.5, 0.25, 0.25))


@st.composite
def problems(
    draw: st.DrawFn, most_K: int = 16, most_P: int = 7, most_d: int = 64, equal_laws: bool = False, continuous: bool = False
) -> Problem:
    """Problems of Definition 3.1: K clusters, P >= 4 patches, dimension from 2K up, any amplitude laws."""
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
    """Router logits (M, columns), float64: M up to 64; zero, moderate, huge, tied, and at gaps of almost exactly 1."""
    M = draw(st.sampled_from([1, 2, 3, 8, 16, most_M]) | st.integers(1, most_M))
    scale = draw(st.sampled_from([0.0, 1e-12, 1e-3, 0.1, 0.5, 1.0, 3.0, 1e3, 1e12]))
    generator = torch.Generator().manual_seed(draw(SEEDS))
    h = scale * torch.randn(M, columns, generator=generator, dtype=torch.float64)
    shape = draw(st.sampled_from(["generic", "tied", "edge"]))
    if shape == "tied":
        h = h[torch.randint(0, M, (M,), generator=generator)]
    if shape == "edge":  # every logit is a whole number of noise widths below another, give or take little
        steps = torch.randint(0, 3, (M, columns), generator=generator, dtype=torch.float64)
        h = (
            h[:1]
            - steps
            + draw(st.sampled_from([0.0, 1e-12, 1e-6, 1e-3])) * torch.randn(M, columns, generator=generator, dtype=torch.float64)
        )
    return h


@dataclass(frozen=True)
class Scenario:
    """A training run that is simulated for several claims: what is trained, and how many replicates."""

    problem: Problem
    hyper: Hyperparameters
    replicates: int


def ladder_point(d: int, n: int, replicates: int) -> Scenario:
    """A point of the pre-registered ladder: K = 4, M = J = 8, sigma_0 = d^(-1/3), eta = sigma_0/50, eta_r = M^2 eta, T = 8/eta."""
    sigma_0 = d ** (-1 / 3)
    eta = sigma_0 / 50
    hyper = Hyperparameters(M=8, J=8, n=n, sigma_0=sigma_0, eta=eta, eta_r=64 * eta, T=round(8 / eta))
    return Scenario(Problem(K=4, d=d), hyper, replicates)


def whole_runs(profile: Profile) -> list[Scenario]:
    """The scenarios trained to T: the ladder's first point; quick has fewer examples and replicates."""
    return [profile.pick(ladder_point(64, 1000, 8), ladder_point(64, 4000, 16), ladder_point(64, 4000, 64))]
