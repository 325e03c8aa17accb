"""How experts err on clusters that are not their own, as draws."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from core import Examples
from core.measures import is_error
from core.seeds import generator_from
from theory_checks.evidence.sampling import Draw
from theory_checks.experiments.replicates import Finished, spread_over

Observed = Callable[[Finished, Examples, Tensor], Tensor]


def patchwise(replicate: Finished, examples: Examples) -> tuple[Tensor, Tensor]:
    """y f_m of every expert without the feature-noise patch, and of that patch alone with its sign
    set to +1: both (M, n)."""
    z = replicate.pre_activations(examples)
    noise = torch.nn.functional.one_hot(examples.positions[:, 2], z.shape[-2]).bool()[
        None, :, :, None
    ]
    rest = examples.y * replicate.subject.respond(z.masked_fill(noise, 0.0))
    alone = replicate.subject.respond((z * examples.eps[:, None, None]).masked_fill(~noise, 0.0))
    return rest, alone


def on_other_clusters(replicates: Sequence[Finished], observe: Observed) -> Draw:
    """Draws what is observed at a random replicate, example, and expert m of another group than its
    cluster's.

    observe: (replicate, examples (n,), experts (n,)) to values (n,); where they are NaN,
        another draw replaces them
    """

    def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        found, count = [], 0
        while count < size:
            part = []
            for replicate, examples in spread_over(replicates, size, generator):
                other = replicate.group[:, None] != examples.k
                m = (torch.rand(other.shape, generator=generator) * other).argmax(dim=0)
                part.append(observe(replicate, examples, m))
            values = torch.cat(part)
            values = values[torch.randperm(len(values), generator=generator)]
            found.append(values[~values.isnan()].double().numpy())
            count += len(found[-1])
        return np.concatenate(found)[:size]

    return draw


def errs(replicate: Finished, examples: Examples, m: Tensor) -> Tensor:
    """Whether expert m is wrong."""
    margins = examples.y * replicate.subject.respond(replicate.pre_activations(examples))
    return is_error(margins.gather(0, m[None])[0]).double()


def errs_where_noise_is_its_feature(replicate: Finished, examples: Examples, m: Tensor) -> Tensor:
    """Whether expert m is wrong; NaN unless k' = k."""
    return torch.where(
        examples.k_prime == replicate.group[m], errs(replicate, examples, m), torch.nan
    )


def beyond_chance(replicate: Finished, examples: Examples, m: Tensor) -> Tensor:
    """Whether expert m is wrong, less the probability of this when only the sign of the noise is
    random; NaN unless k' = k."""
    rest, alone = (part.gather(0, m[None])[0] for part in patchwise(replicate, examples))
    chance = (is_error(rest + alone).double() + is_error(rest - alone).double()) / 2
    wrong = is_error(rest + examples.y * examples.eps * alone).double()
    return torch.where(examples.k_prime == replicate.group[m], wrong - chance, torch.nan)
