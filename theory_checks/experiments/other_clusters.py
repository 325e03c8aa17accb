"""How experts err on clusters that are not their own, as draws."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from core import Examples, Subject
from core.measures import is_error
from core.seeds import generator_from
from theory_checks.experiments.replicates import Finished

Observed = Callable[[Subject, Finished, Examples, Tensor], Tensor]


def patchwise(subject: Subject, replicate: Finished, examples: Examples) -> tuple[Tensor, Tensor]:
    """y f_m of every expert without the feature-noise patch, and of that patch alone with its sign
    set to +1: both (M, n)."""
    z = replicate.pre_activations(examples)
    noise = torch.nn.functional.one_hot(examples.positions[:, 2], z.shape[-2]).bool()[
        None, :, :, None
    ]
    rest = examples.y * subject.respond(z.masked_fill(noise, 0.0))
    alone = subject.respond((z * examples.eps[:, None, None]).masked_fill(~noise, 0.0))
    return rest, alone


def on_other_clusters(
    subject: Subject, replicates: Sequence[Finished], observe: Observed
) -> Callable[..., np.ndarray]:
    """Draws what is observed at a random replicate, example, and expert m of another group than its
    cluster's.

    observe: (subject, replicate, examples (n,), experts (n,)) to values (n,); where they are NaN,
        another draw replaces them
    """

    def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        found, count = [], 0
        while count < size:
            part = []
            which = torch.randint(0, len(replicates), (size,), generator=generator).bincount(
                minlength=len(replicates)
            )
            for replicate, n in zip(replicates, which.tolist(), strict=True):
                if n:
                    examples = subject.draw_examples(
                        replicate.scenario.problem, replicate.signals, n, generator
                    )
                    other = replicate.group[:, None] != examples.k
                    m = (torch.rand(other.shape, generator=generator) * other).argmax(dim=0)
                    part.append(observe(subject, replicate, examples, m))
            values = torch.cat(part)
            values = values[torch.randperm(len(values), generator=generator)]
            found.append(values[~values.isnan()].double().numpy())
            count += len(found[-1])
        return np.concatenate(found)[:size]

    return draw


def errs(subject: Subject, replicate: Finished, examples: Examples, m: Tensor) -> Tensor:
    """Whether expert m is wrong."""
    margin = (examples.y * subject.respond(replicate.pre_activations(examples))).gather(0, m[None])[
        0
    ]
    return is_error(margin).double()


def errs_where_noise_is_its_feature(
    subject: Subject, replicate: Finished, examples: Examples, m: Tensor
) -> Tensor:
    """Whether expert m is wrong; NaN unless k' = k."""
    return torch.where(
        examples.k_prime == replicate.group[m], errs(subject, replicate, examples, m), torch.nan
    )


def beyond_chance(subject: Subject, replicate: Finished, examples: Examples, m: Tensor) -> Tensor:
    """Whether expert m is wrong, less the probability of this when only the sign of the noise is
    random; NaN unless k' = k."""
    rest, alone = (part.gather(0, m[None])[0] for part in patchwise(subject, replicate, examples))
    chance = (is_error(rest + alone).double() + is_error(rest - alone).double()) / 2
    wrong = is_error(rest + examples.y * examples.eps * alone).double()
    return torch.where(examples.k_prime == replicate.group[m], wrong - chance, torch.nan)
