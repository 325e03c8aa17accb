"""How trained mixtures err, how their experts divide the clusters among them, and how experts err
on clusters that are not their own."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from torch import Tensor

from core import Examples
from core.measures import error_by_cluster, is_error
from core.seeds import generator_from
from theory_checks.evidence.sampling import Draw
from theory_checks.experiments.replicates import Finished, at_end_of_exploration, spread_over
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained

SMALL_ERROR = 0.001  # the stated level of o(1) for the test error at these sizes
GOOD = 0.01  # an expert is good on a cluster if it errs on at most this share of it

Observed = Callable[[Finished, Examples, Tensor], Tensor]


def can_be_divided(good: np.ndarray) -> bool:
    """Whether experts fall into non-empty sets, one for each cluster, each good on its cluster:
    good (experts, K), booleans.

    They do if every expert is good on some cluster, and K different ones can be matched with the K
    clusters: the others then join a cluster that they are good on.
    """
    # The expert of each cluster, or -1.
    matched = maximum_bipartite_matching(csr_array(good), perm_type="row")
    return bool(good.any(axis=1).all()) and bool((matched >= 0).all())


def divides_the_clusters(replicate: Finished) -> bool:
    """Whether the experts in use can be divided among the clusters."""
    in_use = replicate.dispatched.sum(dim=1) > 0
    return can_be_divided((replicate.errors[in_use] <= GOOD).numpy())


def wrong_on_fresh_examples(replicates: Sequence[Finished]) -> Draw:
    """Draws: whether the MoE of a random replicate is wrong on a fresh example."""

    def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        wrong = [
            is_error(replicate.margins(examples)[0])
            for replicate, examples in spread_over(replicates, size, generator)
        ]
        return torch.cat(wrong)[torch.randperm(size, generator=generator)].numpy()

    return draw


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
    return is_error(replicate.expert_margins(examples).gather(0, m[None])[0]).double()


def errs_where_noise_is_its_feature(replicate: Finished, examples: Examples, m: Tensor) -> Tensor:
    """Whether expert m is wrong; NaN unless k' = k."""
    along_its_feature = examples.k_prime == replicate.group[m]
    return torch.where(along_its_feature, errs(replicate, examples, m), torch.nan)


def beyond_chance(replicate: Finished, examples: Examples, m: Tensor) -> Tensor:
    """Whether expert m is wrong, less the probability of this when only the sign of the noise is
    random; NaN unless k' = k."""
    z, respond = replicate.pre_activations(examples), replicate.subject.respond
    noise = (torch.arange(z.shape[-2]) == examples.positions[:, 2:])[..., None]
    without = examples.y * respond(z.masked_fill(noise, 0.0))
    # The feature-noise patch with its sign set to +1.
    noisy = respond((z * examples.eps[:, None, None]).masked_fill(~noise, 0.0))
    rest, alone = (part.gather(0, m[None])[0] for part in (without, noisy))
    chance = (is_error(rest + alone).double() + is_error(rest - alone).double()) / 2
    beyond = errs(replicate, examples, m) - chance
    return torch.where(examples.k_prime == replicate.group[m], beyond, torch.nan)


def errors_of_experts(replicate: Finished) -> Tensor:
    """Error of every expert on every cluster, (M, K): the mean over the fresh examples, each with
    both signs of its feature noise."""
    examples, K = replicate.fresh, replicate.scenario.problem.K
    flipped = with_other_noise_sign(examples)
    errors = [
        error_by_cluster(margins, examples.k.expand_as(margins), K)
        for margins in (replicate.expert_margins(e) for e in (examples, flipped))
    ]
    return torch.stack(errors).mean(dim=0)


def with_other_noise_sign(examples: Examples) -> Examples:
    """The same examples with the sign of each feature noise reversed."""
    patches = examples.patches
    sign = torch.tensor([1.0, 1.0, -1.0]).to(patches.coefficient)
    patches = replace(patches, coefficient=patches.coefficient * sign)
    return replace(examples, patches=patches, eps=-examples.eps)


def own_errors(trained: Trained, scenario: Scenario) -> Tensor:
    """The error of every expert on its own cluster at T_1, (R, M)."""
    replicates = at_end_of_exploration(trained, scenario)
    return torch.stack([replicate.own_error for replicate in replicates]).double()
