"""Claims of one's own: an exact one, and one that samples.

theory-checks check --claims my_claims --claim U.1 --claim U.2 --profile quick
"""

import numpy as np
from torch import Tensor

from core import Subject
from core.seeds import generator_from
from theory_checks import Kind, claim
from theory_checks.evidence import Statement, at_most, mean_at_least
from theory_checks.experiments.scenarios import logits


@claim(
    "U.1",
    kind=Kind.EXACT,
    samples=False,
    source="an example",
    over={"h": logits()},
    depends_on=("R.8",),
)
def gates_are_shares(subject: Subject, h: Tensor) -> Statement:
    """No expert's gate exceeds 1.

    A softmax is a quotient of a positive number and a sum that contains it, each rounded to a few
    eps.
    """
    return at_most(subject.gate(h), 1.0, tolerance=1e-14)


@claim(
    "U.2",
    kind=Kind.PROBABILITY,
    source="an example",
    over={"h": logits(most_M=8, columns=1)},
    examples=10,
)
def the_largest_logit_is_favoured(subject: Subject, h: Tensor) -> Statement:
    """The first of the experts with the largest logit is chosen with probability at least 1/M.

    With independent noise of one law it beats each other expert at least as often as it loses.
    """
    M, best = len(h), int(h.argmax())

    def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        r = subject.router_noise((M, size), generator_from(stream), 0).to(h.dtype)
        return (subject.select(h.expand(M, size), r) == best).numpy()

    return mean_at_least(1 / M, draw, resolution=0.02)
