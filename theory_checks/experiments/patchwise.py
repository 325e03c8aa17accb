"""What Theorem 4.1 holds for beyond single experts on orthonormal signals: data made of any
vectors, and layers that act on each patch by itself, beside layers that do not."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from core import Examples, Patches, Problem, Signals, Subject
from theory_checks.experiments.drawn_examples import noise_patches
from theory_checks.experiments.scenarios import gaussian

Layer = Callable[[Tensor], Tensor]  # F of examples: (n, P, d) to (n,)


@dataclass(frozen=True)
class Pools:
    """Vectors of every class, one for each amplitude, which are neither orthogonal nor as long as
    the amplitude: a + b amplitude + c sin(5 amplitude) with coefficients a, b, c.

    features: those of feature signals and feature noise, (3, K, d).
    centres: those of cluster centres, (3, K, d).
    kept: the share of the examples of each pair (k, k') that is kept, symmetric, (K, K).
    """

    features: Tensor
    centres: Tensor
    kept: Tensor

    @classmethod
    def of(cls, problem: Problem, generator: torch.Generator) -> "Pools":
        """Random ones; the features of all classes have a direction in common."""
        K, d = problem.K, problem.d
        features, centres = gaussian(generator, 2, 3, K, d)
        share = torch.rand(K, K, generator=generator, dtype=torch.float64)
        return cls(features + gaussian(generator, d), centres, (share + share.mT + 2) / 4)


def at(pool: Tensor, k: Tensor, amplitude: Tensor) -> Tensor:
    """The vectors (n, d) of classes k (n,) at these amplitudes (n,)."""
    constant, linear, wave = pool[:, k]
    return constant + amplitude[:, None] * linear + (5 * amplitude[:, None]).sin() * wave


def of_pools(subject: Subject, pools: Pools) -> Subject:
    """The subject with examples whose signals come from the pools, whose pairs (k, k') are not
    uniform, and whose random noise is cubed, so that it has heavy tails."""

    def draw_examples(
        problem: Problem, signals: Signals, n: int, generator: torch.Generator
    ) -> Examples:
        # at least half of the examples are kept on average, so that n are left of 3 n + 200
        all_of_them = subject.draw_examples(problem, signals, 3 * n + 200, generator)
        u = torch.rand(len(all_of_them.y), generator=generator, dtype=torch.float64)
        chosen = u < pools.kept[all_of_them.k, all_of_them.k_prime]
        e = all_of_them.where(chosen.nonzero()[:n, 0])
        roles = [
            e.y[:, None] * at(pools.features, e.k, e.alpha),
            at(pools.centres, e.k, e.beta),
            e.eps[:, None] * at(pools.features, e.k_prime, e.gamma),
        ]
        pieces = torch.cat([torch.stack(roles, dim=1), noise_patches(problem, e) ** 3], dim=1)
        return replace(e, patches=replace(Patches.of(pieces), order=e.patches.order))

    return replace(subject, draw_examples=draw_examples)


def mixture(subject: Subject, theta: Tensor, W: Tensor, x: Tensor) -> Tensor:
    """F of examples x (n, P, d), each routed as a whole without noise: theta (M, d), W (M, J, d) to
    (n,)."""
    h = subject.logits(theta, Patches.of(x))
    m = subject.select(h, torch.zeros_like(h))
    return subject.gate(h).gather(0, m[None])[0] * subject.respond(x @ W[m].mT)


def patch_by_patch(subject: Subject, theta: Tensor, W: Tensor, x: Tensor) -> Tensor:
    """The same of every patch routed by itself, (n, P, d) to (n, P).

    The value of patch p comes from a mixture of its own, theta (P, M, d), W (P, M, J, d), on top of
    a layer in which patches do not meet either.
    """
    columns = []
    for p in range(x.shape[1]):
        patches = x[:, p]
        deeper = patches + torch.tanh(patches @ W[p, 0, 0])[:, None] * theta[p, 0]
        columns.append(mixture(subject, theta[p], W[p], deeper[:, None]))
    return torch.stack(columns, dim=1)


def interacting(subject: Subject, theta: Tensor, W: Tensor) -> dict[str, Layer]:
    """Layers in which patches or examples meet: theta (M, d), W (M, J, d)."""

    def one_by_one(x: Tensor) -> Tensor:
        return mixture(subject, theta, W, x.flatten(0, 1)[:, None]).view(x.shape[:2])

    def within_capacity(x: Tensor) -> Tensor:
        h = subject.logits(theta, Patches.of(x.flatten(0, 1)[:, None]))
        m = subject.select(h, torch.zeros_like(h))
        queue = torch.nn.functional.one_hot(m, len(theta)).cumsum(dim=0).gather(1, m[:, None])[:, 0]
        served = queue <= len(m) / (2 * len(theta))
        return (one_by_one(x) * served.view(x.shape[:2])).sum(dim=1)

    return {
        "examples are routed as a whole": lambda x: mixture(subject, theta, W, x),
        "patches are centred at their mean": lambda x: one_by_one(
            x - x.mean(dim=1, keepdim=True)
        ).sum(dim=1),
        "experts take half of their share of the batch": within_capacity,
    }
