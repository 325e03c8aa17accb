"""What experts have learned at the end of the exploration stage: alignments, norms, products, and
the laws that they are compared with."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from core import Signals
from core.measures import cluster_gap, groups
from theory_checks.experiments.ladders import by_size
from theory_checks.experiments.replicates import CLEAR_GAP, Finished, at_end_of_exploration
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained


def features(trained: Trained, scenario: Scenario) -> Tensor:
    """a_mjk at t = 0 .. T_1, (R, T_1 + 1, M, J, K), double precision."""
    return trained.trajectory(scenario).watched["feature of filter"].double()


def largest_logit(replicate: Finished) -> float:
    """max over i, m of abs(h_m(x_i)) over the training examples."""
    x = replicate.training_examples.patches
    return float(replicate.subject.logits(replicate.at.theta, x).abs().max())


def population_law(start: Tensor, eta: float, steps: int) -> Tensor:
    """a <- a + eta a^2 / sqrt(sum_{j,k} a^4), iterated `steps` times: start (..., J, K) to (...,
    steps + 1, J, K)."""
    iterates = [start]
    for _ in range(steps):
        a = iterates[-1]
        iterates.append(a + eta * a**2 / (a**4).sum(dim=(-2, -1), keepdim=True).sqrt())
    return torch.stack(iterates, dim=-3)


def error_of_population_law(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Relative error of the feature displacement up to T_1, the median over experts of each
    replicate (R,)."""
    a = features(trained, scenario)
    predicted = population_law(a[:, 0], scenario.hyper.eta, scenario.hyper.T_1)[..., -1, :, :]
    error = (a[:, -1] - predicted).flatten(2).norm(dim=-1) / (predicted - a[:, 0]).flatten(2).norm(
        dim=-1
    )
    return error.quantile(0.5, dim=1).numpy()


def off_features(signals: Signals, displacement: Tensor) -> Tensor:
    """The part of a displacement (M, J, d) that is orthogonal to all feature signals."""
    along: Tensor = displacement @ signals.features.mT @ signals.features
    return displacement - along


def displacement_off_features(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Norm of the displacement off the features over eta T_1, the median over experts of each
    replicate (R,)."""
    length = scenario.hyper.eta * scenario.hyper.T_1
    found = []
    for replicate in at_end_of_exploration(trained, scenario):
        off = off_features(replicate.signals, replicate.at.W - replicate.initial.W)
        found.append(float(off.flatten(1).norm(dim=1).quantile(0.5)) / length)
    return np.array(found)


def winners_and_others(trained: Trained, scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Two norms of a_m.k over j at T_1: in the expert's own cluster, over eta T_1, and the largest
    of the other clusters, over sigma_0^(1/2). Medians over the experts with a clear cluster gap,
    (R,); replicates without such an expert are left out."""
    a, hyper = features(trained, scenario), scenario.hyper
    clear, own = cluster_gap(a[:, 0]).nan_to_num(0.0) > CLEAR_GAP, groups(a[:, 0])[..., None]
    norms = a[:, -1].norm(dim=-2)  # (R, M, K)
    winner, others = norms.gather(-1, own).squeeze(-1), norms.scatter(-1, own, 0.0).amax(dim=-1)
    rows = [r for r in range(len(a)) if bool(clear[r].any())]
    return (
        np.array([float(winner[r][clear[r]].quantile(0.5)) for r in rows])
        / (hyper.eta * hyper.T_1),
        np.array([float(others[r][clear[r]].quantile(0.5)) for r in rows]) / hyper.sigma_0**0.5,
    )


def over_what_is_left(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Norm of a_m.k over j at T_1 in the largest of the other clusters, over the most that E.6
    leaves there from its start: medians over the experts with a clear cluster gap, (R,).

    The largest a of an expert keeps 1/a > 0 to the end, so any other positive a ends below 1 /
    (1/a(0) - 1/max a(0)). Negative ones only shrink.
    """
    a = features(trained, scenario)
    start, end, own = a[:, 0], a[:, -1], groups(a[:, 0])[..., None]
    clear = cluster_gap(start).nan_to_num(0.0) > CLEAR_GAP
    room = 1 / start - 1 / start.amax(dim=(-2, -1), keepdim=True)
    # Infinite for the largest itself, which lies in its own cluster.
    most = torch.where(start > 0, 1 / room, start)
    left, found = (x.norm(dim=-2).scatter(-1, own, 0.0).amax(dim=-1) for x in (most, end))
    return np.array(
        [
            float((found[r] / left[r])[clear[r]].quantile(0.5))
            for r in range(len(a))
            if bool(clear[r].any())
        ]
    )


def excess_and_others(
    trained: Trained, scenarios: Sequence[Scenario]
) -> tuple[Mapping[int, np.ndarray], Mapping[int, np.ndarray]]:
    """By d: how far the winner's norm is from 1, and the norm of the largest other cluster
    (`winners_and_others`)."""
    found = [winners_and_others(trained, s) for s in scenarios]
    winner, others = (by_size(scenarios, list(values)) for values in zip(*found, strict=True))
    return {d: np.abs(values - 1) for d, values in winner.items()}, others


def largest_noise_product(replicate: Finished) -> float:
    """max over i, m, j of abs(<w_mj, xi_i>)."""
    noise = replicate.training_examples.patches.noise.flatten(0, -2)
    return float((noise @ replicate.at.W.flatten(0, 1).mT).abs().max())


def growth_along_centres(replicate: Finished) -> float:
    """Norm of all <w_mj, c_k> over the same norm at the start."""
    centres = replicate.signals.centres.mT
    return float((replicate.at.W @ centres).norm() / (replicate.initial.W @ centres).norm())


def scale_of_noise_products(scenario: Scenario) -> float:
    """sigma_0^(1/2) d^(-1/2) sqrt(log(n M J))."""
    hyper = scenario.hyper
    return float((hyper.sigma_0 * np.log(hyper.n * hyper.M * hyper.J) / scenario.problem.d) ** 0.5)


def spread_of_first_integral(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Relative standard deviation of 1/a(0) - 1/a(T_1) over the large a_mjk of an expert, the mean
    over experts (R,)."""
    a = features(trained, scenario)
    start, end = a[:, 0], a[:, -1]
    large = start > start.amax(dim=(-2, -1), keepdim=True) / 2
    integral = (1 / start - 1 / end).where(large, torch.nan).flatten(2)
    mean = integral.nanmean(dim=-1, keepdim=True)
    spread = ((integral - mean).square().nanmean(dim=-1)).sqrt() / mean.squeeze(-1).abs()
    several = large.flatten(2).sum(dim=-1) > 1
    return spread.where(several, torch.nan).nanmean(dim=-1).numpy()
