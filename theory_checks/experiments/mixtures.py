"""How trained mixtures end: what becomes of fresh examples, how the experts divide the clusters
among them, and how they err on clusters that are not their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from torch import Tensor
from torch.nn.functional import one_hot

from core import Examples
from core.measures import error_by_cluster, is_error
from core.routing import routing_probabilities
from core.seeds import generator_from
from theory_checks.evidence.sampling import Draw
from theory_checks.experiments.replicates import (
    CLEAR_GAP,
    FRESH,
    Finished,
    at_end_of_exploration,
    at_the_end,
    spread_over,
)
from theory_checks.experiments.scenarios import Scenario, point_of
from theory_checks.experiments.trajectories import Trained

SMALL_ERROR = 0.001  # the stated level of o(1) for the test error at these sizes
GOOD = 0.01  # an expert is good on a cluster if it errs on at most this share of it
FAR_GAP = 1.5  # a cluster gap that leaves the other clusters far behind at T_1 (E.6)
IN_USE = 0.01  # an expert is in use if it gets more than this share of fresh examples
# a cluster goes to M_k when at least this share of it does: the stated level for 1 - o(1) at these
# sizes
ALMOST_ALL = 0.9
VERY_RARE = 0.01  # of replicates: may fail what did not fail in any pilot
WAYS = ("without noise", "with noise", "by p")  # in which examples are routed

Observed = Callable[[Finished, Examples, Tensor], Tensor]


@dataclass(frozen=True)
class Outcomes:
    """What has become of the R replicates of a scenario at T, on FRESH examples of each.

    error: of the mixture, without router noise, (R,)
    entropy: of the dispatch, nats, (R,)
    dispatched: how many fresh examples of each cluster go to each expert, without noise, (R, M, K)
    errors: of every expert on every cluster, (R, M, K)
    to_group: share of Omega_k that goes to M_k in each of WAYS, (R, 3, K); 0 if logits are not
        finite
    along_centres: <theta_m, c_k>, (R, M, K)
    group: the k of the M_k that each expert is in, (R, M)
    gap: cluster gap of each expert, (R, M), 0 for those that the definition excludes
    """

    error: Tensor
    entropy: Tensor
    dispatched: Tensor
    errors: Tensor
    to_group: Tensor
    along_centres: Tensor
    group: Tensor
    gap: Tensor

    @property
    def clear(self) -> Tensor:
        """Which clusters have an expert with a clear gap in their group, (R, K)."""
        member = one_hot(self.group, self.errors.shape[-1]).bool()
        return (member & (self.gap >= CLEAR_GAP)[..., None]).any(dim=1)

    @property
    def aligned(self) -> Tensor:
        """Whether the expert with the largest <theta_m, c_k> is in M_k, (R, K)."""
        best = self.group.gather(1, self.along_centres.argmax(dim=1))
        finite = self.along_centres.isfinite().all(dim=1)
        return (best == torch.arange(best.shape[1])) & finite

    @property
    def goes_to_group(self) -> Tensor:
        """Whether ALMOST_ALL of Omega_k goes to M_k in all of WAYS, (R, K)."""
        return (self.to_group >= ALMOST_ALL).all(dim=1)

    @property
    def in_use(self) -> Tensor:
        """Which experts get more than IN_USE of the fresh examples, (R, M)."""
        return self.dispatched.sum(dim=-1) > IN_USE * FRESH

    @property
    def own_error(self) -> Tensor:
        """Error of every expert on its own cluster, (R, M)."""
        return self.errors.gather(2, self.group[..., None]).squeeze(2)


def outcomes(trained: Trained, scenario: Scenario) -> Outcomes:
    """The outcomes of a scenario, computed once for all claims."""
    return trained.derived("outcomes", scenario, partial(_outcomes, trained, scenario))


def _outcomes(trained: Trained, scenario: Scenario) -> Outcomes:
    found = [_outcome(replicate) for replicate in at_the_end(trained, scenario)]
    names = [field.name for field in fields(Outcomes)]
    return Outcomes(*(torch.stack([row[name] for row in found]) for name in names))


def _outcome(replicate: Finished) -> Mapping[str, Tensor]:
    """The row of one replicate in Outcomes."""
    k, h = replicate.fresh.k, replicate.fresh_logits.double()
    own = replicate.group[:, None] == k  # whether each expert is in the example's group
    chosen = [
        own.gather(0, routed[None])[0].double()
        for routed in (replicate.outcome[1], replicate.noisily_routed)
    ]
    finite = bool(h.isfinite().all())
    p = routing_probabilities(h) if finite else torch.zeros_like(h)
    goes = torch.stack([*chosen, (p * own).sum(dim=0)])
    cluster = one_hot(k, replicate.scenario.problem.K).double()
    return {
        "error": torch.tensor(replicate.error),
        "entropy": torch.tensor(replicate.entropy),
        "dispatched": replicate.dispatched,
        "errors": replicate.errors,
        "to_group": goes @ cluster / cluster.sum(dim=0) * finite,
        "along_centres": replicate.router[1],
        "group": replicate.group,
        "gap": replicate.gap,
    }


def at_points(
    trained: Trained,
    scenarios: Sequence[Scenario],
    failed: Callable[[Outcomes], Tensor | np.ndarray],
) -> dict[str, np.ndarray]:
    """Whether each replicate failed, by point."""
    return {point_of(s): np.asarray(failed(outcomes(trained, s))) for s in scenarios}


def in_clear_clusters(good: Tensor, clear: Tensor) -> np.ndarray:
    """Whether some clear cluster is not good, for each replicate that has a clear one: both (R,
    K)."""
    return (clear & ~good).any(dim=1)[clear.any(dim=1)].numpy()


def can_be_divided(good: np.ndarray) -> bool:
    """Whether experts fall into non-empty sets, one for each cluster, each good on its cluster:
    good (experts, K), booleans.

    They do if every expert is good on some cluster, and K different ones can be matched with the K
    clusters: the others then join a cluster that they are good on.
    """
    # The expert of each cluster, or -1.
    matched = maximum_bipartite_matching(csr_array(good), perm_type="row")
    return bool(good.any(axis=1).all()) and bool((matched >= 0).all())


def divided(errors: Tensor, member: Tensor) -> np.ndarray:
    """Whether the chosen experts of each replicate can be divided among the clusters: errors (R, M,
    K) and member (R, M) to (R,)."""
    rows = zip(errors, member, strict=True)
    return np.array([can_be_divided((row[chosen] <= GOOD).numpy()) for row, chosen in rows])


def in_use_divide(end: Outcomes) -> np.ndarray:
    """Whether the experts in use can be divided among the clusters, (R,)."""
    return divided(end.errors, end.in_use)


def succeeds(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Whether training and test error are small at T, (R,)."""
    fits = trained.trajectory(scenario).training_error[:, -1] == 0
    return (fits & (outcomes(trained, scenario).error <= SMALL_ERROR)).numpy()


def succeeds_from_any_start(trained: Trained, scenario: Scenario) -> np.ndarray:
    """`succeeds` for the same replicates without conditioning on E_init, (R,).

    Those whose first initialisation was accepted are the same with and without the condition.
    """
    success = succeeds(trained, scenario)
    drawn = np.array(trained.trajectory(scenario).initialisations)
    rejected = np.flatnonzero(drawn > 1)
    if len(rejected):
        numbers = np.array(scenario.numbers or range(scenario.replicates))[rejected]
        unconditional = replace(scenario.only(numbers.tolist()), given_occupied_groups=False)
        success[rejected] = succeeds(trained, unconditional)
    return success


def stays_mixed(
    K: int, flat_entropy: Tensor, bent_entropy: Tensor, flat_error: Tensor, bent_error: Tensor
) -> np.ndarray:
    """Whether linear experts (flat) keep a dispatch entropy above (log K)/2 and err more than
    nonlinear ones (bent), which are below: (R,) each, to (R,)."""
    half = np.log(K) / 2
    mixed = (flat_entropy > half) & (bent_entropy < half)
    return (mixed & (flat_error > bent_error)).numpy()


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
