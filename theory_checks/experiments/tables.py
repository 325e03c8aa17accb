"""Drawn examples in joint tables: several events of an example as one number, and the law of that
number where the events are independent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core import Examples, Problem, Signals, Subject
from core.data import AmplitudeLaw
from core.seeds import generator_from
from theory_checks.evidence import Statement, all_of, at_least, at_most, equal


def as_number(*bits: Tensor) -> Tensor:
    """Booleans (n,) as binary digits, lowest first."""
    return torch.stack([bit.long() << i for i, bit in enumerate(bits)]).sum(dim=0)


def of_bits(chances: Sequence[float]) -> np.ndarray:
    """The law of `as_number` for independent bits that are true with these chances."""
    law = np.ones(1)
    for chance in chances:
        law = np.concatenate([law * (1 - chance), law * chance])
    return law


def above_median(law: AmplitudeLaw, amplitude: Tensor) -> tuple[Tensor, float]:
    """Whether an amplitude lies above the law's median, and the exact chance of that."""
    median = float(law.quantile(torch.tensor([0.5], dtype=torch.float64)))
    return amplitude > median, 1 - float(law.cdf(np.asarray(median)))


def facts_about_problem(problem: Problem, **_: Any) -> Mapping[str, Any]:
    return {"K": problem.K, "d": problem.d, "P": problem.P, "d = 2K": problem.d == 2 * problem.K}


def drawn(
    subject: Subject, problem: Problem, stream: np.random.SeedSequence, n: int
) -> tuple[Signals, Examples]:
    """Signals and n examples in single precision, as training draws them, a function of the
    stream."""
    generator = generator_from(stream)
    signals = subject.draw_signals(problem, generator)
    return signals, subject.draw_examples(problem, in_single(signals), n, generator)


def in_single(signals: Signals) -> Signals:
    """The same, rounded to single precision."""
    return Signals(signals.features.float(), signals.centres.float())


def noise_patches(problem: Problem, examples: Examples) -> Tensor:
    """The random-noise patches of each example in their order, (n, P - 3, d)."""
    n = len(examples.y)
    mask = torch.ones(n, problem.P, dtype=torch.bool).scatter(1, examples.positions, False)
    return examples.x[mask].view(n, problem.P - 3, problem.d)


def in_a_half(law: AmplitudeLaw, amplitude: Tensor, seed: int) -> tuple[Tensor, float]:
    """Whether an amplitude lies in a random half of sixteen parts of the law, and the exact
    probability of that.

    Such a half shows a dependence that is the same on both sides of the median. Parts end slightly
    above quantiles, so that an atom, rounded or not, lies in one part.
    """
    quantiles = law.quantile(torch.arange(1, 16, dtype=torch.float64) / 16) * (1 + 1e-6)
    half = torch.randperm(16, generator=torch.Generator().manual_seed(seed)) < 8
    below = np.concatenate([[0.0], law.cdf(quantiles.numpy()), [1.0]])
    part = torch.searchsorted(quantiles, amplitude.double().contiguous())
    return half[part], float(np.diff(below)[half.numpy()].sum())


def signs(examples: Examples) -> Tensor:
    """The number of (y, eps) among four."""
    return as_number(examples.y > 0, examples.eps > 0)


def other_cluster(examples: Examples, K: int) -> Tensor:
    """The number of k' among the K - 1 clusters that it may be, -1 if it is k, which no law
    allows."""
    return (examples.k_prime - examples.k) % K - 1


def cell(examples: Examples, K: int) -> Tensor:
    """The number of (k, k', y, eps) among its 4K(K-1) cells, -1 if k' is k."""
    other = other_cluster(examples, K)
    return torch.where(other < 0, -1, (examples.k * (K - 1) + other) * 4 + signs(examples))


def one_patch_of_each(
    subject: Subject, problem: Problem, signals: Signals, generator: torch.Generator
) -> Statement:
    """D.5 for some hundred examples in the precision of the signals."""
    n, eps = 300, torch.finfo(signals.features.dtype).eps
    e = subject.draw_examples(problem, signals, n, generator)
    rows = torch.arange(n)
    roles = torch.stack(
        [
            (e.y * e.alpha)[:, None] * signals.features[e.k],
            e.beta[:, None] * signals.centres[e.k],
            (e.eps * e.gamma)[:, None] * signals.features[e.k_prime],
        ],
        dim=1,
    )
    amplitudes = torch.stack([e.alpha, e.beta, e.gamma])
    places = e.positions.sort(dim=1).values
    return all_of(
        equal(
            e.x[rows[:, None], e.positions],
            roles,
            tolerance=4 * problem.C2 * eps,
            detail="patches of the three roles",
        ),
        at_least(places.diff(dim=1), 1, detail="distance between the places of two roles"),
        at_most(
            (e.k == e.k_prime).double(), 0, detail="feature noise along the cluster's own feature"
        ),
        equal(torch.stack([e.y, e.eps]).abs(), 1, tolerance=0, detail="size of the signs"),
        at_least(
            amplitudes, problem.C1, tolerance=4 * eps * problem.C2, detail="amplitudes against C1"
        ),
        at_most(
            amplitudes, problem.C2, tolerance=4 * eps * problem.C2, detail="amplitudes against C2"
        ),
    )


@dataclass(frozen=True)
class Part:
    """Part of what an example is made of: a function to whole numbers below `values`, all of them
    equally likely."""

    name: str
    number: Callable[[Examples], Tensor]
    values: int
