"""Short runs of Algorithm 1 in double precision, and runs in the precision of training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Hyperparameters, Parameters, Patches, Problem, Subject, Uniform
from core.data import EPS, AmplitudeLaw
from core.training import descent, gradients, stack
from theory_checks.evidence import Statement, equal
from theory_checks.experiments.scenarios import LAWS, SEEDS, amplitude_laws, gaussian

AXES = {
    "W": ("replicate", "expert", "filter", "coordinate"),
    "theta": ("replicate", "expert", "coordinate"),
}
HALF_THE_DIGITS = EPS**0.5
WIDE = Uniform(0.5, 2.0)
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 40))  # patches and filters


@dataclass(frozen=True)
class SmallRun:
    """A short run in double precision.

    K, P, M, J, n, T, eta, eta_r: as in the paper
    scale: size of the initial weights of experts, over that of the subject's
    seed: of everything drawn
    room: dimensions besides those of the signals, d = 2K + room
    law: of all amplitudes
    sigma_p: size of random noise
    """

    K: int
    P: int
    M: int
    J: int
    n: int
    T: int
    eta: float
    eta_r: float
    scale: float
    seed: int
    room: int = 1
    law: AmplitudeLaw = WIDE
    sigma_p: float = 1.0

    @property
    def problem(self) -> Problem:
        laws = dict.fromkeys(LAWS, self.law)
        d = 2 * self.K + self.room
        return Problem(K=self.K, d=d, P=self.P, **laws, sigma_p=self.sigma_p, C1=0.125, C2=8.0)

    @property
    def hyper(self) -> Hyperparameters:
        sizes = {"M": self.M, "J": self.J, "n": self.n, "T": self.T}
        return Hyperparameters(**sizes, sigma_0=1.0, eta=self.eta, eta_r=self.eta_r)


@dataclass(frozen=True)
class Started:
    """The data, initial parameters and router noise that a small run starts from, with a leading
    replicate axis of one."""

    hyper: Hyperparameters
    x: Patches
    y: Tensor
    start: Parameters
    noise: Tensor

    def iterates(self, subject: Subject) -> list[Parameters]:
        """Theta^(t), W^(t) for t = 0..T."""
        noise = self.noise.__getitem__
        return list(descent(subject, self.hyper, self.start, self.x, self.y, noise))

    def end(self, subject: Subject) -> Parameters:
        """Theta^(T), W^(T)."""
        return self.iterates(subject)[-1]


def small_runs(
    most_n: int = 48,
    most_M: int = 64,
    steps: int = 6,
    most_J: int = 8,
    most_K: int = 16,
) -> st.SearchStrategy[SmallRun]:
    """Short runs of every size, n < M, a single expert, filter or example, and d = 2K included."""
    return st.builds(
        SmallRun,
        K=st.integers(2, most_K),
        P=st.integers(4, 6),
        M=st.integers(1, most_M),
        J=st.integers(1, most_J),
        n=st.integers(1, most_n),
        T=st.integers(1, steps),
        eta=st.sampled_from([0.01, 0.1, 0.5]),
        eta_r=st.sampled_from([0.0, 0.1, 1.0]),
        scale=st.sampled_from([0.1, 1.0, 3.0]),
        seed=SEEDS,
        room=st.integers(0, 8),
        law=amplitude_laws(),
        sigma_p=st.sampled_from([0.25, 1.0, 2.0]),
    )


def facts_about_run(run: SmallRun, **_: Any) -> Mapping[str, Any]:
    sizes = {name: getattr(run, name) for name in ("K", "M", "J", "n", "T", "scale")}
    return {**sizes, "n < M": run.n < run.M, "M = 1": run.M == 1, "d = 2K": run.room == 0}


def random_router(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    """Theta (M, d) that breaks all ties of logits."""
    return 0.2 * gaussian(generator, hyper.M, problem.d)


def started(subject: Subject, run: SmallRun) -> Started:
    """Draws what the run starts from. The router starts at random, since the claims hold at any
    Theta."""
    problem, hyper = run.problem, run.hyper
    generator = torch.Generator().manual_seed(run.seed)
    signals = subject.draw_signals(problem, generator)
    examples = subject.draw_examples(problem, signals, run.n, generator)
    theta = random_router(problem, hyper, generator)
    W = run.scale * subject.initialise_experts(problem, hyper, generator).double()
    noise = torch.stack([subject.router_noise((run.M, run.n), generator, t) for t in range(run.T)])
    return Started(
        hyper,
        stack([examples.patches]),
        examples.y[None],
        Parameters(theta[None], W[None]),
        noise[:, None].double(),
    )


def routed(subject: Subject, run: Started, parameters: Parameters, t: int) -> Tensor:
    """The experts that step t routes to, (n,)."""
    return subject.select(subject.logits(parameters.theta, run.x), run.noise[t])[0]


def agree(
    found: Parameters, expected: Parameters, where: str, relative: float = HALF_THE_DIGITS
) -> list[Statement]:
    """Equal up to a rounding that training amplifies, by design so little that half of the digits
    are the same."""
    pairs = ((name, getattr(found, name), getattr(expected, name)) for name in AXES)
    return [
        equal(
            a,
            b,
            tolerance=relative * (1 + float(b.abs().max())),
            detail=f"{name} {where}",
            axes=AXES[name][-a.dim() :],
        )
        for name, a, b in pairs
    ]


@dataclass(frozen=True)
class LongRun:
    """A run at the ladder's rates, in single precision, with replicates side by side, as the claims
    about training have them."""

    K: int
    d: int
    M: int
    J: int
    n: int
    T: int
    seed: int
    replicates: int = 3


def long_runs() -> st.SearchStrategy[LongRun]:
    """Runs of many sizes and few steps; claims name the long ones."""
    sizes = {"K": (2, 6), "d": (12, 40), "M": (2, 12), "J": (1, 9), "n": (2, 300), "T": (1, 30)}
    return st.builds(
        LongRun, seed=SEEDS, **{name: st.integers(*limits) for name, limits in sizes.items()}
    )


@dataclass(frozen=True)
class FixedPoint:
    """Parameters at which gradients of fresh examples are compared.

    K, M, J: as in the paper; d = 2K + 1 and P = 4
    seed: of signals and parameters, both theta and W random
    """

    K: int
    M: int
    J: int
    seed: int

    def differences(
        self, subject: Subject, n: int, size: int, generator: torch.Generator
    ) -> Tensor:
        """norm(g - g') of the gradients in W and in theta of two independent halves of n examples
        and their router noise each, (2, size)."""
        problem = Problem(K=self.K, d=2 * self.K + 1)
        hyper = Hyperparameters(M=self.M, J=self.J, n=n, sigma_0=1.0, eta=1.0, eta_r=1.0, T=1)
        fixed = torch.Generator().manual_seed(self.seed)
        signals = subject.draw_signals(problem, fixed)
        W = subject.initialise_experts(problem, hyper, fixed).double()
        theta = random_router(problem, hyper, fixed)
        drawn = [subject.draw_examples(problem, signals, n, generator) for _ in range(2 * size)]
        noise = subject.router_noise((2 * size, self.M, n), generator, 0).double()
        x, y = stack([examples.patches for examples in drawn]), torch.stack([e.y for e in drawn])
        start = Parameters(theta.expand(2 * size, -1, -1), W.expand(2 * size, -1, -1, -1))
        found = (part.value.flatten(1) for part in gradients(subject, start, x, y, noise))
        return torch.stack([(g[:size] - g[size:]).norm(dim=1) for g in found])
