"""Drawn examples: the patches of their roles; joint tables, which make one number of several events
of an example, with the law of that number where the events are independent; and the orbit of
Theorem 4.1's proof, four examples whose margins add up to 0."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core import Examples, Problem, Signals, Subject
from core.data import AmplitudeLaw
from core.seeds import generator_from
from theory_checks.evidence import (
    HypothesesNotMet,
    Statement,
    all_of,
    at_least,
    at_most,
    equal,
    given,
    none_of,
)
from theory_checks.experiments.finite import are_numbers, latent_numbers, same_numbers

# What cells of joint tables are, in words.
LABEL = ("label", ("-1", "+1"))
SIGN = ("sign of the feature noise", ("-1", "+1"))
SIZE_OF_NOISE = ("size of the random noise", ("at most its median", "above its median"))
AMPLITUDES = ("alpha", "beta", "gamma")
ROLES = ("feature signal", "cluster centre", "feature noise")
OWN_SIGNALS = ("v_k", "v_k'", "c_k")
NO_OTHER_CLUSTER = "feature noise of the example's own cluster, or not a number"


def clusters(K: int) -> tuple[str, Sequence[object]]:
    """The axis of k."""
    return "cluster", range(K)


def other_clusters(K: int) -> tuple[str, Sequence[object]]:
    """The axis of `other_cluster`."""
    return "cluster of the feature noise", [f"k + {i} (mod {K})" for i in range(1, K)]


def medians(names: Sequence[str] = AMPLITUDES) -> list[tuple[str, Sequence[object]]]:
    """The axes of whether each amplitude is above its median."""
    return [(name, ("at most its median", "above its median")) for name in names]


def facts_about_order(feature: int, centre: int, noise: int) -> tuple[str, ...]:
    """Where the three roles stand, in words: each place, and each two in their order."""
    places = {"feature signal": feature, "cluster centre": centre, "feature noise": noise}
    return (
        *(f"{role} at place {place}" for role, place in places.items()),
        *(
            f"{one} {'before' if places[one] < places[other] else 'after'} {other}"
            for one, other in itertools.combinations(places, 2)
        ),
    )


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


def drawn_again(subject: Subject, problem: Problem, seed: int) -> Statement:
    """Signals and examples are the same when they are drawn twice from equal generators."""
    once, again = (drawn(subject, problem, np.random.SeedSequence(seed), 50) for _ in range(2))

    def numbers(signals: Signals, e: Examples) -> Tensor:
        frame = torch.stack([signals.features, signals.centres])
        parts = (frame, e.x, latent_numbers(e), e.k, e.k_prime)
        return torch.cat([part.flatten().double() for part in parts])

    return same_numbers(
        numbers(*again), numbers(*once), tolerance=0.0, detail="a draw, repeated from its generator"
    )


def in_single(signals: Signals) -> Signals:
    """The same, rounded to single precision."""
    return Signals(signals.features.float(), signals.centres.float())


def noise_patches(problem: Problem, examples: Examples) -> Tensor:
    """The random-noise patches of each example in their order, (n, P - 3, d)."""
    n = len(examples.y)
    mask = torch.ones(n, problem.P, dtype=torch.bool).scatter(1, examples.positions, False)
    return examples.x[mask].view(n, problem.P - 3, problem.d)


def role_patches(signals: Signals, e: Examples) -> Tensor:
    """Feature signal, cluster centre and feature noise as each example reports them, (n, 3, d)."""
    return torch.stack(
        [
            (e.y * e.alpha)[:, None] * signals.features[e.k],
            e.beta[:, None] * signals.centres[e.k],
            (e.eps * e.gamma)[:, None] * signals.features[e.k_prime],
        ],
        dim=1,
    )


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
    n, rounding = 300, 4 * problem.C2 * torch.finfo(signals.features.dtype).eps
    e = subject.draw_examples(problem, signals, n, generator)
    everything = torch.cat([latent_numbers(e).flatten(), e.x.flatten()])
    if not bool(everything.isfinite().all()):
        return are_numbers(everything, "amplitudes, signs and patches")
    found = e.x.take_along_dim(e.positions[..., None], dim=1)
    amplitudes = torch.stack([e.alpha, e.beta, e.gamma])
    places = e.positions.sort(dim=1).values
    return all_of(
        equal(
            found,
            role_patches(signals, e),
            tolerance=rounding,
            detail="patches of the three roles",
            axes=("example", ("role", ROLES), "coordinate"),
        ),
        at_least(
            places.diff(dim=1),
            1,
            detail="distance between the places of two roles",
            axes=("example", "gap"),
        ),
        none_of(
            e.k == e.k_prime,
            detail="feature noise along the cluster's own feature",
            of="examples",
            axes=("example",),
        ),
        equal(
            torch.stack([e.y, e.eps]).abs(),
            1,
            tolerance=0,
            detail="size of the signs",
            axes=(("sign", ("y", "eps")), "example"),
        ),
        at_least(
            amplitudes,
            problem.C1,
            tolerance=rounding,
            detail="amplitudes against C1",
            axes=(("amplitude", AMPLITUDES), "example"),
        ),
        at_most(
            amplitudes,
            problem.C2,
            tolerance=rounding,
            detail="amplitudes against C2",
            axes=(("amplitude", AMPLITUDES), "example"),
        ),
        detail=f"in {str(signals.features.dtype).removeprefix('torch.')}",
    )


@dataclass(frozen=True)
class Part:
    """Part of what an example is made of: a function to whole numbers below `values`, all of them
    equally likely.

    axes: the digits of the number, the first one changing fastest
    """

    name: str
    number: Callable[[Examples], Tensor]
    values: int
    axes: Sequence[tuple[str, Sequence[object]]]

    def of(self, example: str) -> list[tuple[str, Sequence[object]]]:
        """The axes, for this one of two examples."""
        return [(f"{example}: {name}", places) for name, places in self.axes]


def orbit(
    problem: Problem, signals: Signals, examples: Examples, beta_prime: Tensor
) -> tuple[Tensor, Tensor]:
    """A, B, C, D of the proof of Theorem 4.1 for n examples that all have eps = -y, as patches (n,
    4, P, d) and labels (n, 4); beta_prime (n,): C's centre amplitude.

    A is the example itself, whatever its patches are. The others are built from what the example
    reports of itself: C exchanges the roles of (k, alpha) and (k', gamma) and has the centre beta'
    c_k'; B and D are A and C with both feature signs and the label flipped.
    """
    e, noise = examples, noise_patches(problem, examples)
    signal, centre, other = role_patches(signals, e).unbind(dim=1)
    centre_c = beta_prime[:, None] * signals.centres[e.k_prime]

    def member(*roles: Tensor) -> Tensor:
        return torch.cat([torch.stack(roles, dim=1), noise], dim=1)

    patches = [
        e.x,
        member(-signal, centre, -other),
        member(other, centre_c, signal),
        member(-other, centre_c, -signal),
    ]
    return torch.stack(patches, dim=1), labels_of_orbit(e.y)


def labels_of_orbit(y: Tensor) -> Tensor:
    """The labels of A, B, C, D from those of A, (n,) to (n, 4)."""
    return torch.stack([y, -y, -y, y], dim=1)


def terms_on_orbits(
    problem: Problem, signals: Signals, examples: Examples, f: Callable[[Tensor], Tensor]
) -> Tensor:
    """y f(x^(p)) of every patch of the orbits of examples with eps = -y, (n, 4, P): f is computed
    once for all patches that are equal."""
    patches, labels = orbit(problem, signals, examples, examples.beta.flip(0))
    values, inverse = patches.flatten(0, 2).unique(dim=0, return_inverse=True)
    return labels[..., None] * f(values)[inverse].view(patches.shape[:-1])


def orbit_in_place(x: Tensor, positions: Tensor, centre: Tensor) -> Tensor:
    """The patches (n, 4, P, d) of an orbit in which every vector keeps its position: B has both
    features of A with the other sign, C and D are A and B with another centre, that of the cluster
    of A's feature noise, which is thereby their feature signal.

    x: the patches of A, (n, P, d).
    positions: those of feature signal, cluster centre and feature noise, (n, 3).
    centre: the other centre, (n, d).
    """
    signs = torch.ones_like(x[..., 0]).scatter(1, positions[:, [0, 2]], -1.0)
    place = positions[:, 1, None, None].expand(-1, 1, x.shape[-1])
    flipped = signs[..., None] * x
    return torch.stack(
        [x, flipped, *(part.scatter(1, place, centre[:, None]) for part in (x, flipped))], dim=1
    )


def opposite_signs(
    subject: Subject, problem: Problem, signals: Signals, stream: np.random.SeedSequence, size: int
) -> Examples:
    """The first `size` examples with eps = -y among enough draws, also where eps is correlated with
    y. Raises HypothesesNotMet if there are fewer."""
    examples = subject.draw_examples(problem, signals, 4 * size + 200, generator_from(stream))
    chosen = (examples.eps == -examples.y).nonzero()[:size, 0]
    if len(chosen) < size:
        raise HypothesesNotMet(
            f"only {len(chosen)} of {len(examples.y)} examples have eps = -y, needs {size}"
        )
    return examples.where(chosen)


def some_opposite_signs(
    subject: Subject, problem: Problem, generator: torch.Generator
) -> tuple[Signals, Examples]:
    """Signals, and those of 64 examples that have eps = -y. Raises HypothesesNotMet if there are
    none."""
    signals = subject.draw_signals(problem, generator)
    drawn = subject.draw_examples(problem, signals, 64, generator)
    examples = drawn.where(drawn.eps == -drawn.y)
    if len(examples.y) == 0:
        raise HypothesesNotMet("none of 64 examples has eps = -y")
    return signals, examples


def given_opposite_signs(
    statement: Statement, subject: Subject, problem: Problem, signals: Signals, seed: int
) -> Statement:
    """The statement given eps = -y, with how often that happens in a sample of the subject's
    draws."""
    sample = subject.draw_examples(problem, signals, 1000, torch.Generator().manual_seed(seed))
    opposite = int((sample.eps == -sample.y).sum())
    return given(statement, met=opposite, tried=len(sample.y), least=10, hypotheses="eps = -y")
