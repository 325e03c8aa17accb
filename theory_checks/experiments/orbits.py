"""The orbit of Theorem 4.1's proof: four examples whose margins add up to 0, and the examples with
eps = -y that have one."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core import Examples, Problem, Signals, Subject
from core.seeds import child, generator_from
from theory_checks.evidence import HypothesesNotMet, Statement, given


@dataclass(frozen=True)
class Orbit:
    """The four members of the orbit of each of n examples with eps = -y, as patches (n, 4, P, d)
    and labels (n, 4)."""

    patches: Tensor
    labels: Tensor


def orbit(problem: Problem, signals: Signals, examples: Examples, beta_prime: Tensor) -> Orbit:
    """A, B, C, D of the proof of Theorem 4.1, for examples that all have eps = -y; beta_prime (n,):
    C's centre amplitude.

    A is the example itself, whatever its patches are. The others are built from what the example
    reports of itself: C exchanges the roles of (k, alpha) and (k', gamma) and has the centre beta'
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
    subject: Subject, problem: Problem, signals: Signals, generator: torch.Generator
) -> Examples:
    """Those of 64 examples that have eps = -y. Raises HypothesesNotMet if there are none."""
    drawn = subject.draw_examples(problem, signals, 64, generator)
    examples = drawn.where(drawn.eps == -drawn.y)
    if len(examples.y) == 0:
        raise HypothesesNotMet("none of 64 examples has eps = -y")
    return examples


def given_opposite_signs(
    statement: Statement, subject: Subject, problem: Problem, signals: Signals, seed: int
) -> Statement:
    """The statement given eps = -y, with how often that happens in a sample of the subject's
    draws."""
    sample = subject.draw_examples(problem, signals, 1000, torch.Generator().manual_seed(seed))
    opposite = int((sample.eps == -sample.y).sum())
    return given(statement, met=opposite, tried=len(sample.y), least=10, hypotheses="eps = -y")


def beta_prime(
    subject: Subject, problem: Problem, stream: np.random.SeedSequence, size: int
) -> Tensor:
    """Fresh centre amplitudes, from the subject's own draws."""
    generator = generator_from(child(stream, 1000))
    return subject.draw_examples(
        problem, subject.draw_signals(problem, generator), size, generator
    ).beta
