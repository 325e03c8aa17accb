"""What the router has learned: alignments, the law that they follow, and where clusters go."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from theory_checks.evidence import Statement, given
from theory_checks.experiments.exploration import features
from theory_checks.experiments.ladders import moment
from theory_checks.experiments.mixtures import outcomes
from theory_checks.experiments.replicates import CLEAR_GAP, Finished, at_the_end, finished
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained, stages

# of replicates in which a clear cluster may go elsewhere than to its group: Lemma 5.3 at these
# sizes
ELSEWHERE = 0.08
# of replicates, for what cannot happen
NEVER = 0.001


def clear_clusters(replicate: Finished) -> list[int]:
    """The clusters whose best cluster gap in M_k is at least CLEAR_GAP."""
    return sorted(set(replicate.group[replicate.gap >= CLEAR_GAP].tolist()))


def given_clear_gaps(
    statement: Statement, trained: Trained, scenarios: Sequence[Scenario]
) -> Statement:
    """The statement given that a cluster's gap is clear, with the number of clusters that met
    it; vacuous if they are fewer than half as many as replicates."""
    clear = [outcomes(trained, scenario).clear for scenario in scenarios]
    met, tried = (sum(count(c) for c in clear) for count in (lambda c: int(c.sum()), Tensor.numel))
    least = max(1, sum(map(len, clear)) // 2)
    return given(statement, met=met, tried=tried, least=least, hypotheses="clear gap")


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
    """<theta_m, c_k> at t = 0 .. T_1 as simulated and as the law has it, both (R, T_1 + 1, M, K).

    The law of A.5, iterated from the simulated a_mjk.
    """
    problem, hyper = scenario.problem, scenario.hyper
    M, K = hyper.M, problem.K
    A = features(trained, scenario).pow(3).sum(dim=-2)  # A_mk(t), (R, T_1 + 1, M, K)
    others = (A.square().sum(dim=-1, keepdim=True) - A.square()) / (K - 1)
    square = moment(problem.alpha, 6) * A.square() + moment(problem.gamma, 6) * others
    pull = moment(problem.alpha, 3) * A / 2 - square / (4 * M)
    first, second = (moment(problem.beta, power) for power in (1, 2))
    routing = M**2 / (M - 1)
    aligned = torch.zeros_like(pull[:, 0])
    law = [aligned]
    for v in pull[:, :-1].unbind(dim=1):
        received = first * v + (1 + routing) * second * aligned * v
        mean = received.mean(dim=1, keepdim=True)
        step = received - mean - second * aligned * v.mean(dim=1, keepdim=True)
        aligned = aligned + hyper.eta_r / (K * M**2) * step
        law.append(aligned)
    return trained.trajectory(scenario).watched["centre of router"].double(), torch.stack(law, 1)


def residual(trained: Trained, scenario: Scenario) -> np.ndarray:
    """norm(simulated - law) / norm(law) over (m, k) at T_1, of each replicate (R,)."""
    found, law = (values[:, -1].flatten(1) for values in mechanism(trained, scenario))
    return ((found - law).norm(dim=1) / law.norm(dim=1)).numpy()


def slope(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Least-squares slope of the simulated on the law's products over (m, k) at T_1, of each
    replicate (R,)."""
    found, law = (values[:, -1].flatten(1) for values in mechanism(trained, scenario))
    return ((found * law).sum(dim=1) / law.square().sum(dim=1)).numpy()


def odd_quantities(replicate: Finished) -> tuple[float, float]:
    """What A.6 observes of the router and of the experts of one replicate."""
    along_features, _ = replicate.router
    along_centres = replicate.at.W @ replicate.signals.centres.mT  # (M, J, K)
    leader = replicate.start.amax(dim=1).argmax(dim=0)  # of each cluster, (K,)
    clusters = torch.arange(len(leader))
    products = along_centres[leader, :, clusters]
    return (
        float(along_features[leader, clusters].mean()),
        float((products.amax(dim=1) + products.amin(dim=1)).mean()),
    )


def off_centre(trained: Trained, scenario: Scenario) -> dict[str, Tensor]:
    """The largest abs(<theta_m, v_k>) up to T_1 ("features, early"), and at each of the `stages`
    the largest abs(<theta_m, v_k>) ("features") and abs(<theta_m, xi_i>) ("noise"), over the
    largest abs(<theta_m, c_k>) at T: (R,), and (R, stages) each."""
    compute = partial(_off_centre, trained, scenario)
    return trained.derived("off the centres", scenario, compute)


def _off_centre(trained: Trained, scenario: Scenario) -> dict[str, Tensor]:
    trajectory, steps = trained.trajectory(scenario), stages(scenario.hyper)
    theta = torch.stack([trajectory.parameters(t).theta for t in steps], dim=1)  # (R, stages, M, d)
    features, centres = (
        s[:, None] for s in (trajectory.signals.features, trajectory.signals.centres)
    )
    reached = (theta[:, -1:] @ centres.mT).abs().amax(dim=(2, 3))  # (R, 1)
    noise = []
    for replicate, rows in zip(at_the_end(trained, scenario), theta, strict=True):
        xi = replicate.training_examples.patches.noise.flatten(0, -2)
        noise.append(torch.stack([(xi @ row.mT).abs().amax() for row in rows]))
    early = trajectory.watched["feature of router"].abs().amax(dim=(1, 2, 3))
    return {
        "features, early": early / reached[:, 0],
        "features": (theta @ features.mT).abs().amax(dim=(2, 3)) / reached,
        "noise": torch.stack(noise) / reached,
    }


def noisy_share_of_smallest_group(trained: Trained, scenario: Scenario) -> np.ndarray:
    """The share of Omega_k that goes to M_k with router noise at T_1, for the k with the smallest
    M_k, (R,); 0 for a router that is not finite."""
    shares = []
    for replicate in finished(trained, scenario, scenario.hyper.T_1):
        k = int(replicate.group.bincount(minlength=scenario.problem.K).argmin())
        goes = replicate.group[replicate.noisily_routed] == k
        shares.append(float(goes[replicate.fresh.k == k].double().mean()))
    return np.array(shares)


def of_two(what: str, M: int) -> list[tuple[str, range]]:
    """The axes of the number first M + second, of the experts of two."""
    return [(f"{which} {what} to expert", range(M)) for which in ("second", "first")]
