"""How trained mixtures err, and how their experts divide the clusters among them."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from core.measures import dispatch_counts, is_error
from core.seeds import generator_from
from theory_checks.evidence.sampling import Draw
from theory_checks.experiments.replicates import Finished, spread_over

SMALL_ERROR = 0.001  # the stated level of o(1) for the test error at these sizes
GOOD = 0.01  # an expert is good on a cluster if it errs on at most this share of it


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
    hyper, K = replicate.scenario.hyper, replicate.scenario.problem.K
    in_use = dispatch_counts(replicate.outcome[1], replicate.fresh.k, hyper.M, K).sum(dim=1) > 0
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
