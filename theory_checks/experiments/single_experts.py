"""Theorem 4.1's objects: patch-additive classifiers F(x) = sum_p f(x^(p)), the orbit of its proof,
the search for a good f."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core import Examples, PatchAdditive, Problem, Signals, Subject
from core.measures import is_error
from core.model import cube, identity
from core.seeds import generator_from

PatchFunction = Callable[[Tensor], Tensor]  # f of each patch: (..., d) to (...)

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": identity,
    "cubic": cube,
    "relu": torch.relu,
    "celu": functional.celu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
}


@dataclass(frozen=True)
class Classifier:
    """A patch-additive classifier by description: how it is found, with which activation, from
    which seed.

    how: random, trained (gradient descent on the subject's data), witness (of S.4, f-values moved
    by less than 1/4), searched (f-values found by random search from a random start) or lookup
    (arbitrary values).
    """

    how: str
    activation: str = ""
    seed: int = 0


@dataclass(frozen=True)
class OnSignals:
    """f(a v_k) = sign(a) s_k, f(b c_k) = b_k, f = 0 on any patch along no signal: s, b (K,)."""

    signals: Signals
    s: Tensor
    b: Tensor

    def __call__(self, patches: Tensor) -> Tensor:
        along_v, along_c = patches @ self.signals.features.mT, patches @ self.signals.centres.mT
        # A patch lies along a signal if that product has all its length; random noise has less,
        # surely when d > 1.
        length = patches.norm(dim=-1, keepdim=True) * (1 - 1e-9)
        on_v = along_v.sign() * (along_v.abs() >= length)
        on_c = (along_c >= length).to(patches)
        return on_v @ self.s.to(patches) + on_c @ self.b.to(patches)


@dataclass(frozen=True)
class Lookup:
    """Arbitrary but fixed values in [-1, 1]: a chaotic function of the patch's projection, equal
    for patches equal to 1e-7."""

    direction: Tensor

    def __call__(self, patches: Tensor) -> Tensor:
        cell = (patches @ self.direction * 1e6).round()
        return torch.sin(cell * 12.9898) * torch.cos(cell * 78.233)


def witness(signals: Signals) -> OnSignals:
    """S.4's classifier, which attains 1/8: s_k = 2^(K+1) - 2^k, b_k = 2^k - 1, k = 1..K."""
    K = signals.features.shape[-2]
    k = torch.arange(1, K + 1, dtype=torch.float64)
    return OnSignals(signals, 2 ** (K + 1) - 2**k, 2**k - 1)


def perturbed(f: OnSignals, seed: int, size: float) -> OnSignals:
    """The same with every f-value moved independently by less than `size`."""
    s, b = size * (
        2
        * torch.rand(
            2, len(f.s), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        - 1
    )
    return replace(f, s=f.s + s, b=f.b + b)


def enumerated_margins(s: Tensor, b: Tensor) -> Tensor:
    """yF of every (k, k' != k, y, eps), which only the signs of the amplitudes enter: s, b (..., K)
    to (..., 4K(K-1)).

    yF = s_k + y b_k + y eps s_k'; f = 0 on noise.
    """
    K = s.shape[-1]
    k, other = (
        index.flatten() for index in torch.meshgrid(torch.arange(K), torch.arange(K), indexing="ij")
    )
    k, other = k[k != other], other[k != other]
    s_k, b_k, s_other = s[..., k], b[..., k], s[..., other]
    return torch.cat(
        [s_k + y * b_k + y * eps * s_other for y in (-1, 1) for eps in (-1, 1)], dim=-1
    )


def searched(signals: Signals, seed: int, starts: int = 64, moves: int = 4000) -> OnSignals:
    """The best of many random searches over f-values on signals, from Gaussian starts, by the
    enumerated error.

    A move changes one value at random and is kept if the error does not rise.
    """
    K = signals.features.shape[-2]
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(starts, 2 * K, generator=generator, dtype=torch.float64)
    error = (enumerated_margins(values[:, :K], values[:, K:]) <= 0).double().mean(dim=-1)
    for _ in range(moves):
        which = torch.randint(0, 2 * K, (starts, 1), generator=generator)
        tried = values.scatter(
            1, which, 3 * torch.randn(starts, 1, generator=generator, dtype=torch.float64)
        )
        new = (enumerated_margins(tried[:, :K], tried[:, K:]) <= 0).double().mean(dim=-1)
        values, error = (
            torch.where((new <= error)[:, None], tried, values),
            torch.minimum(new, error),
        )
    best = values[error.argmin()]
    return OnSignals(signals, best[:K], best[K:])


@dataclass(frozen=True)
class AlongFeatures:
    """A network of the amplitude of patches along a feature, f(a v_k) = sigma(w_k a + b_k), and
    exactly 0 on all other patches."""

    signals: Signals
    sigma: Callable[[Tensor], Tensor]
    w: Tensor
    b: Tensor

    def __call__(self, patches: Tensor) -> Tensor:
        along = patches @ self.signals.features.mT
        on_v = along.abs() >= patches.norm(dim=-1, keepdim=True) * (1 - 1e-9)
        return (self.sigma(self.w * along + self.b) * on_v).sum(dim=-1)


def stream_of(classifier_seed: int, purpose: int) -> torch.Generator:
    """A generator of its own for each purpose: signals (0), filters (1), training data (2)."""
    return generator_from(np.random.SeedSequence((classifier_seed, purpose)))


def random_network(problem: Problem, activation: str, seed: int, J: int = 40) -> PatchAdditive:
    """J random filters, biases and output weights."""
    generator = stream_of(seed, 1)
    W = torch.randn(J, problem.d, generator=generator, dtype=torch.float64)
    b, a = torch.randn(2, J, generator=generator, dtype=torch.float64)
    return PatchAdditive(ACTIVATIONS[activation], W, b, a / J)


def trained_network(
    subject: Subject,
    problem: Problem,
    signals: Signals,
    activation: str,
    seed: int,
    *,
    n: int = 1500,
    steps: int = 300,
) -> PatchAdditive:
    """A random network trained on n examples by full-batch Adam on the subject's loss, as the
    paper's single models were.

    In single precision, for speed; what it has learned is then evaluated in double.
    """
    examples = subject.draw_examples(problem, signals, n, stream_of(seed, 2))
    x, y = examples.x.float(), examples.y.float()
    start = random_network(problem, activation, seed)

    def gradient(parameters: Sequence[Tensor]) -> Sequence[Tensor]:
        F = PatchAdditive(start.sigma, *parameters)(x).sum(dim=-1)
        return torch.autograd.grad(subject.loss(y * F).mean(), parameters)

    trained = adam([p.float() for p in (0.3 * start.W, 0.3 * start.b, start.a)], gradient, steps)
    return PatchAdditive(start.sigma, *(p.double() for p in trained))


def adam(
    start: Sequence[Tensor],
    gradient: Callable[[Sequence[Tensor]], Sequence[Tensor]],
    steps: int,
    rate: float = 0.02,
) -> list[Tensor]:
    """Adam (Kingma and Ba 2015) with its usual constants and weight decay 5e-4. torch.optim takes
    two seconds to import."""
    parameters = list(start)
    mean, square = [torch.zeros_like(p) for p in start], [torch.zeros_like(p) for p in start]
    for t in range(1, steps + 1):
        found = gradient([p.detach().requires_grad_() for p in parameters])
        for i, p in enumerate(parameters):
            g = found[i] + 5e-4 * p
            mean[i], square[i] = 0.9 * mean[i] + 0.1 * g, 0.999 * square[i] + 0.001 * g**2
            parameters[i] = p - rate * (mean[i] / (1 - 0.9**t)) / (
                (square[i] / (1 - 0.999**t)).sqrt() + 1e-8
            )
    return parameters


def build(
    classifier: Classifier, subject: Subject, problem: Problem, signals: Signals, steps: int = 300
) -> PatchFunction:
    """The classifier's f for a problem and its signals. Raises ValueError for an unknown
    description."""
    match classifier:
        case Classifier("random", activation, seed):
            return random_network(problem, activation, seed)
        case Classifier("trained", activation, seed):
            return trained_network(subject, problem, signals, activation, seed, steps=steps)
        case Classifier("witness", _, seed):
            return perturbed(witness(signals), seed, 0.2499)
        case Classifier("searched", _, seed):
            return searched(signals, seed)
        case Classifier("lookup", _, seed):
            return Lookup(torch.randn(problem.d, generator=stream_of(seed, 1), dtype=torch.float64))
    raise ValueError(f"unknown classifier {classifier}")


@dataclass(frozen=True)
class Orbit:
    """The four members of the orbit of each of n examples with eps = -y, as patches (n, 4, P, d)
    and labels (n, 4)."""

    patches: Tensor
    labels: Tensor


def orbit(problem: Problem, signals: Signals, examples: Examples, beta_prime: Tensor) -> Orbit:
    """A, B, C, D of the proof of Theorem 4.1, for examples that all have eps = -y; beta_prime (n,):
    C's centre amplitude.

    A is the example itself, whatever its patches are. The others are made of what the example says
    it was made of: C exchanges the roles of (k, alpha) and (k', gamma) and has the centre beta'
    c_k'; B and D are A and C with both feature signs and the label flipped.
    """
    e, n = examples, len(examples.y)
    mask = torch.ones(n, problem.P, dtype=torch.bool).scatter(1, e.positions, False)
    noise = e.x[mask].view(n, problem.P - 3, problem.d)
    signal, other = (
        (e.y * e.alpha)[:, None] * signals.features[e.k],
        (e.eps * e.gamma)[:, None] * signals.features[e.k_prime],
    )
    centre, centre_c = (
        e.beta[:, None] * signals.centres[e.k],
        beta_prime[:, None] * signals.centres[e.k_prime],
    )

    def member(feature: Tensor, c: Tensor, feature_noise: Tensor) -> Tensor:
        return torch.cat([torch.stack([feature, c, feature_noise], dim=1), noise], dim=1)

    patches = [
        e.x,
        member(-signal, centre, -other),
        member(other, centre_c, signal),
        member(-other, centre_c, -signal),
    ]
    return Orbit(torch.stack(patches, dim=1), torch.stack([e.y, -e.y, -e.y, e.y], dim=1))


def wrong(f: PatchFunction, examples: Examples) -> np.ndarray:
    """Whether yF(x) <= 0, for each example."""
    return is_error(examples.y * f(examples.x).sum(dim=-1)).numpy()
