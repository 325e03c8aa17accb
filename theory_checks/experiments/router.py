"""What the router has learned: alignments, the law that they follow, and where clusters go."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from theory_checks.evidence import HypothesesNotMet, Statement, given
from theory_checks.experiments.exploration import features
from theory_checks.experiments.ladders import moment
from theory_checks.experiments.replicates import CLEAR_GAP, Finished
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained

# a cluster goes to M_k when at least this share of it does: the stated level for 1 - o(1) at these
# sizes
ALMOST_ALL = 0.9


def clear_clusters(replicate: Finished) -> list[int]:
    """The clusters whose best cluster gap in M_k is at least CLEAR_GAP."""
    return sorted(set(replicate.group[replicate.gap >= CLEAR_GAP].tolist()))


def for_clear_clusters(
    replicates: Sequence[Finished], good: Callable[[Finished, int], bool]
) -> tuple[np.ndarray, int]:
    """Whether some clear cluster is not good, for each replicate that has a clear cluster, and the
    number of clear clusters.

    Raises HypothesesNotMet if fewer than half of the replicates have a clear cluster.
    """
    clear = [(replicate, found) for replicate in replicates if (found := clear_clusters(replicate))]
    if len(clear) < len(replicates) / 2:
        raise HypothesesNotMet(
            f"{len(clear)} of {len(replicates)} replicates have a cluster with a gap of {CLEAR_GAP}"
        )
    failed = [not all(good(replicate, k) for k in clusters) for replicate, clusters in clear]
    return np.array(failed), sum(len(clusters) for _, clusters in clear)


def given_clear_gaps(statement: Statement, scenario: Scenario, met: int) -> Statement:
    """The statement given that a cluster's gap is clear, with the number of clusters that met
    it."""
    tried = scenario.replicates * scenario.problem.K
    return given(
        statement, met=met, tried=tried, least=scenario.replicates // 2, hypotheses="clear gap"
    )


def largest(products: Tensor) -> Tensor:
    """max over (m, k) of abs(products): (R, M, K) to (R,)."""
    return products.abs().amax(dim=(1, 2))


def mean_square(products: Tensor) -> Tensor:
    """Root of the mean over (m, k) of products^2: (R, M, K) to (R,)."""
    return products.square().mean(dim=(1, 2)).sqrt()


def features_over_centres(
    trained: Trained, size: Callable[[Tensor], Tensor], scenario: Scenario
) -> np.ndarray:
    """The size of <theta_m, v_k> over that of <theta_m, c_k> of each replicate at T_1 (R,)."""
    watched = trained.trajectory(scenario).watched
    features, centres = (size(watched[f"{of} of router"][:, -1]) for of in ("feature", "centre"))
    return (features / centres).double().numpy()


def mechanism(trained: Trained, scenario: Scenario) -> tuple[Tensor, Tensor]:
    """<theta_m, c_k> at t = 0 .. T_1 as simulated and as the law has it, both (R, T_1 + 1, M,
    K)."""
    problem, hyper = scenario.problem, scenario.hyper
    strength = features(trained, scenario).pow(3).sum(dim=-2)  # A_mk(t)
    ahead = (strength - strength.mean(dim=2, keepdim=True)).cumsum(dim=1)
    summed = torch.cat([torch.zeros_like(ahead[:, :1]), ahead[:, :-1]], dim=1)
    rate = (
        hyper.eta_r
        * moment(problem.beta, 1)
        * moment(problem.alpha, 3)
        / (2 * hyper.M**2 * problem.K)
    )
    return trained.trajectory(scenario).watched["centre of router"].double(), rate * summed


def residual(trained: Trained, scenario: Scenario) -> np.ndarray:
    """norm(simulated - law) / norm(law) over (m, k) at T_1, of each replicate (R,)."""
    found, law = (values[:, -1].flatten(1) for values in mechanism(trained, scenario))
    return ((found - law).norm(dim=1) / law.norm(dim=1)).numpy()


def slope(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Least-squares slope of the simulated on the law's products over (m, k) at T_1, of each
    replicate (R,)."""
    found, law = (values[:, -1].flatten(1) for values in mechanism(trained, scenario))
    return ((found * law).sum(dim=1) / law.square().sum(dim=1)).numpy()
