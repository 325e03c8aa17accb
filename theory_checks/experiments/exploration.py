"""What experts have learned at the end of the exploration stage: alignments, norms, products, the
laws that they are compared with, and how far apart experts move."""

import numpy as np
import torch
from torch import Tensor

from core.measures import cluster_gap, groups
from core.model import cubic_response, linear_response
from theory_checks.experiments.ladders import of_each
from theory_checks.experiments.replicates import CLEAR_GAP, Finished
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


def off_features(replicate: Finished) -> float:
    """Norm of the part of an expert's displacement that is orthogonal to all features, the median
    over experts."""
    moved, features = replicate.at.W - replicate.initial.W, replicate.signals.features
    off = moved - moved @ features.mT @ features
    return float(off.flatten(1).norm(dim=1).quantile(0.5))


def displacement_off_features(trained: Trained, scenario: Scenario) -> np.ndarray:
    """`off_features` over eta T_1 of each replicate (R,)."""
    length = scenario.hyper.eta * scenario.hyper.T_1
    return of_each(off_features, trained)(scenario) / length


def have_clear_gaps(start: Tensor) -> Tensor:
    """Whether experts start with a clear cluster gap: a_mjk (..., J, K) to (...)."""
    return cluster_gap(start).nan_to_num(0.0) > CLEAR_GAP


def medians(values: Tensor, clear: Tensor) -> np.ndarray:
    """Medians over the clear experts of each replicate that has some: both (R, M) to (at most
    R,)."""
    rows = zip(values, clear, strict=True)
    return np.array([float(row[chosen].quantile(0.5)) for row, chosen in rows if chosen.any()])


def departure_of_winner(trained: Trained, scenario: Scenario) -> np.ndarray:
    """How far the norm of a_m.k over j at T_1 in the expert's own cluster, over eta T_1, is from 1:
    medians over the experts with a clear cluster gap, (R,); replicates without such an expert are
    left out."""
    a, hyper = features(trained, scenario), scenario.hyper
    norms = a[:, -1].norm(dim=-2).gather(-1, groups(a[:, 0])[..., None]).squeeze(-1)
    return np.abs(medians(norms, have_clear_gaps(a[:, 0])) / (hyper.eta * hyper.T_1) - 1)


def largest_other(norms: Tensor, start: Tensor) -> Tensor:
    """The largest norm among the clusters that are not the expert's own: (..., K) to (...)."""
    return norms.scatter(-1, groups(start)[..., None], 0.0).amax(dim=-1)


def others_at_the_end(trained: Trained, scenario: Scenario) -> np.ndarray:
    """The largest norm of a_m.k over j at T_1 in another cluster, over sigma_0^(1/2): medians as in
    `departure_of_winner`."""
    a = features(trained, scenario)
    norms = largest_other(a[:, -1].norm(dim=-2), a[:, 0])
    return medians(norms, have_clear_gaps(a[:, 0])) / scenario.hyper.sigma_0**0.5


def over_what_is_left(trained: Trained, scenario: Scenario) -> np.ndarray:
    """The norm of `others_at_the_end` over the most that E.6 leaves there from its start: medians
    as there, (R,).

    The largest a of an expert keeps 1/a > 0 to the end, so any other positive a ends below 1 /
    (1/a(0) - 1/max a(0)). Negative ones only shrink.
    """
    a = features(trained, scenario)
    start, end = a[:, 0], a[:, -1]
    room = 1 / start - 1 / start.amax(dim=(-2, -1), keepdim=True)
    # Infinite for the largest itself, which lies in its own cluster.
    most = torch.where(start > 0, 1 / room, start)
    left, found = (largest_other(x.norm(dim=-2), start) for x in (most, end))
    return medians(found / left, have_clear_gaps(start))


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


def linear(trained: Trained) -> Trained:
    """The training runs with linear experts."""
    return trained.with_ingredients("linear experts", respond=linear_response)


def cubic(trained: Trained) -> Trained:
    """The training runs with cubic experts, whatever the subject's are."""
    return trained.with_ingredients("cubic experts", respond=cubic_response)


def displacements(trained: Trained, scenario: Scenario) -> Tensor:
    """W^(T) - W^(0) of all replicates, (R, M, J, d)."""
    trajectory = trained.trajectory(scenario)
    return trajectory.parameters(scenario.hyper.T).W - trajectory.parameters(0).W


def departure_from_parallel(trained: Trained, scenario: Scenario) -> np.ndarray:
    """1 - the mean cosine between the displacements of two experts, 0 with one that did not move,
    of each replicate (R,)."""
    moved = displacements(trained, scenario).double().flatten(2)
    unit = moved / moved.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(moved.dtype).tiny)
    M = unit.shape[1]
    cosines = unit @ unit.mT
    return (1 - (cosines.sum(dim=(1, 2)) - M) / (M * (M - 1))).numpy()
