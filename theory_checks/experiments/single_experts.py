"""Theorem 4.1's objects: patch-additive classifiers F(x) = sum_p f(x^(p)), and the search for a
good f."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from core import Examples, PatchAdditive, Problem, Signals, Subject
from core.measures import is_error
from core.model import cube, identity
from core.seeds import generator_from
from theory_checks.checking.pictures import Lines, Series, Style
from theory_checks.evidence import Evidence, Statement, equal
from theory_checks.evidence.sampling import Draw
from theory_checks.experiments.scenarios import SEEDS, gaussian

REPORTED_ON = 20_000  # fresh examples on which the error of a classifier is reported
SMALL_PROBLEM = Problem(K=3, d=12)

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
    """A patch-additive classifier by description.

    how: random, trained (gradient descent on the subject's data), witness (of S.4, with f-values
        moved by less than 1/4), searched (f-values found by random search from a random start),
        lookup (arbitrary values) or zero (f = 0, of which every answer is an error)
    activation: a name in ACTIVATIONS, for random and trained
    seed: of everything random about it
    """

    how: str
    activation: str = ""
    seed: int = 0

    @property
    def name(self) -> str:
        """How it is made, in words."""
        return f"{self.how} {self.activation}".strip()


def whole(along: Tensor, patches: Tensor) -> Tensor:
    """Whether patches lie along a signal, (..., K): their products with it have all their length.

    Random noise has less, surely when d > 1.
    """
    return along >= patches.norm(dim=-1, keepdim=True) * (1 - 1e-9)


@dataclass(frozen=True)
class OnSignals:
    """f(a v_k) = sign(a) s_k, f(b c_k) = b_k, f = 0 on any patch along no signal: s, b (K,)."""

    signals: Signals
    s: Tensor
    b: Tensor

    def __call__(self, patches: Tensor) -> Tensor:
        along_v, along_c = patches @ self.signals.features.mT, patches @ self.signals.centres.mT
        on_v = along_v.sign() * whole(along_v.abs(), patches)
        on_c = whole(along_c, patches).to(patches)
        return on_v @ self.s.to(patches) + on_c @ self.b.to(patches)


def lookup(direction: Tensor, patches: Tensor) -> Tensor:
    """Arbitrary but fixed values in [-1, 1]: a chaotic function of the patch's projection, equal
    for patches equal to 1e-7."""
    cell = (patches @ direction * 1e6).round()
    return torch.sin(cell * 12.9898) * torch.cos(cell * 78.233)


def zero(patches: Tensor) -> Tensor:
    """f = 0."""
    return torch.zeros_like(patches[..., 0])


def witness(signals: Signals) -> OnSignals:
    """S.4's classifier, which attains 1/8: s_k = 2^(K+1) - 2^k, b_k = 2^k - 1, k = 1..K."""
    K = signals.features.shape[-2]
    k = torch.arange(1, K + 1, dtype=torch.float64)
    return OnSignals(signals, 2 ** (K + 1) - 2**k, 2**k - 1)


def perturbed(f: OnSignals, seed: int, size: float) -> OnSignals:
    """The same with every f-value moved independently by less than `size`."""
    generator = torch.Generator().manual_seed(seed)
    s, b = size * (2 * torch.rand(2, len(f.s), generator=generator, dtype=torch.float64) - 1)
    return replace(f, s=f.s + s, b=f.b + b)


def enumerated_margins(s: Tensor, b: Tensor) -> Tensor:
    """yF of every (k, k' != k, y, eps), which only the signs of the amplitudes enter: s, b (..., K)
    to (..., 4K(K-1)).

    yF = s_k + y b_k + y eps s_k'; f = 0 on noise.
    """
    k, other = (~torch.eye(s.shape[-1], dtype=torch.bool)).nonzero().unbind(dim=1)
    s_k, b_k, s_other = s[..., k], b[..., k], s[..., other]
    return torch.cat(
        [s_k + y * b_k + y * eps * s_other for y in (-1, 1) for eps in (-1, 1)], dim=-1
    )


def enumerated_error(s: Tensor, b: Tensor) -> Tensor:
    """The error on data whose (k, k' != k, y, eps) are uniform: s, b (..., K) to (...)."""
    return (enumerated_margins(s, b) <= 0).double().mean(dim=-1)


def searched(signals: Signals, seed: int) -> OnSignals:
    """The best of 64 random searches over f-values on signals, from Gaussian starts, by the
    enumerated error.

    Each of 1000 moves changes one value at random and is kept if the error does not rise. (K = 3,
    eight seeds: some search has reached 1/8 after 31 moves.)
    """
    generator = torch.Generator().manual_seed(seed)
    values = gaussian(generator, 64, 2 * signals.features.shape[-2])
    error = enumerated_error(*values.hsplit(2))
    for _ in range(1000):
        which = torch.randint(0, values.shape[1], (64, 1), generator=generator)
        tried = values.scatter(1, which, 3 * gaussian(generator, 64, 1))
        new = enumerated_error(*tried.hsplit(2))
        values = torch.where((new <= error)[:, None], tried, values)
        error = torch.minimum(new, error)
    return OnSignals(signals, *values[error.argmin()].chunk(2))


def margins_as_enumerated(f: OnSignals, e: Examples) -> Statement:
    """The margin of drawn examples is s_k + y b_k + y eps s_k': nothing else matters."""
    expected = f.s[e.k] + e.y * f.b[e.k] + e.y * e.eps * f.s[e.k_prime]
    margins = e.y * f(e.x).sum(dim=-1)
    return equal(margins, expected, tolerance=0, detail="margins of drawn examples")


def along_features(
    signals: Signals, sigma: Callable[[Tensor], Tensor], w: Tensor, b: Tensor
) -> PatchFunction:
    """A network of the amplitude of patches along a feature, f(a v_k) = sigma(w_k a + b_k), and
    exactly 0 on all other patches."""

    def f(patches: Tensor) -> Tensor:
        along = patches @ signals.features.mT
        return (sigma(w * along + b) * whole(along.abs(), patches)).sum(dim=-1)

    return f


def stream_of(classifier_seed: int, purpose: int) -> torch.Generator:
    """A generator of its own for each purpose: signals (0), filters (1), training data (2)."""
    return generator_from(np.random.SeedSequence((classifier_seed, purpose)))


def random_network(problem: Problem, activation: str, seed: int) -> PatchAdditive:
    """Random filters, biases and output weights."""
    J, generator = 40, stream_of(seed, 1)
    W = gaussian(generator, J, problem.d)
    b, a = gaussian(generator, 2, J)
    return PatchAdditive(ACTIVATIONS[activation], W, b, a / J)


def trained_network(
    subject: Subject,
    problem: Problem,
    signals: Signals,
    activation: str,
    seed: int,
    *,
    steps: int,
    n: int = 1500,
) -> PatchAdditive:
    """A random network trained on n examples by full-batch Adam on the subject's loss, like the
    paper's single models.

    Training uses single precision, for speed; the result is evaluated in double precision.
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
            return partial(lookup, gaussian(stream_of(seed, 1), problem.d))
        case Classifier("zero"):
            return zero
    raise ValueError(f"unknown classifier {classifier}")


def wrong(f: PatchFunction, examples: Examples) -> np.ndarray:
    """Whether yF(x) <= 0, for each example."""
    return is_error(examples.y * f(examples.x).sum(dim=-1)).numpy()


def errors_of(f: PatchFunction, subject: Subject, problem: Problem, signals: Signals) -> Draw:
    """Draws: whether f is wrong on a fresh example."""
    return lambda stream, size: wrong(
        f, subject.draw_examples(problem, signals, size, generator_from(stream))
    )


def classifiers() -> st.SearchStrategy[Classifier]:
    """Every kind of classifier that needs no training."""
    return st.one_of(
        st.builds(Classifier, st.just("random"), st.sampled_from(sorted(ACTIVATIONS)), SEEDS),
        st.builds(Classifier, st.sampled_from(["witness", "lookup"]), st.just(""), SEEDS),
    )


def always_tried() -> tuple[dict[str, object], ...]:
    """The trained, the searched, the witness and the zero classifiers, on one small problem."""
    trained = [Classifier("trained", activation, 1) for activation in ACTIVATIONS]
    others = [Classifier(how, "", 1) for how in ("searched", "witness", "zero")]
    found = [*trained, *others]
    return tuple({"classifier": classifier, "problem": SMALL_PROBLEM} for classifier in found)


def errors_of_classifiers(judged: Sequence[tuple[Mapping[str, Any], Evidence]]) -> Lines:
    """The error of every classifier that was judged, smallest first, as its evidence reports it,
    with 95 % intervals."""
    found = []
    for inputs, evidence in judged:
        if shown := re.match(r"error ([\d.]+) on", evidence.detail):
            found.append((float(shown[1]), inputs["classifier"].name))
    found.sort()
    errors = np.array([error for error, _ in found])
    off = 1.96 * (errors * (1 - errors) / REPORTED_ON) ** 0.5
    low, high = (errors - off).tolist(), (errors + off).tolist()
    places, ends = list(range(len(found))), [-0.5, len(found) - 0.5]
    return Lines(
        "No classifier errs on less than an eighth",
        "",
        "error",
        [
            Series(
                f"error on {REPORTED_ON} fresh examples",
                places,
                errors.tolist(),
                low,
                high,
                Style.POINTS,
            ),
            Series("1/8", ends, [1 / 8] * 2, style=Style.BOUND),
            Series("1/4, blind to the centre (S.6)", ends, [1 / 4] * 2, style=Style.REFERENCE),
        ],
        ticks=[name for _, name in found],
    )
