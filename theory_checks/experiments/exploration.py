"""What experts have learned at the end of the exploration stage: alignments, norms, products, the
laws that they are compared with, and how far apart experts move."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.data import Signals
from core.measures import cluster_gap, groups
from core.model import cubic_response, linear_response
from core.routing import routing_probabilities
from core.training import loss_slope
from theory_checks.experiments.finite import as_numbers
from theory_checks.experiments.initial_groups import filter_gap
from theory_checks.experiments.population_law import error_on_own_cluster
from theory_checks.experiments.replicates import Finished, finished
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained


def features(trained: Trained, scenario: Scenario) -> Tensor:
    """a_mjk at t = 0 .. T_1, (R, T_1 + 1, M, J, K), double precision."""
    return trained.trajectory(scenario).watched["feature of filter"].double()


def largest_logit(replicate: Finished) -> float:
    """max over i, m of abs(h_m(x_i)) over the training examples."""
    x = replicate.training_examples.patches
    return float(replicate.subject.logits(replicate.at.theta, x).abs().max())


def step_of_law(a: Tensor) -> Tensor:
    """a^2 / sqrt(sum_{j,k} a^4), of a (..., J, K)."""
    return a**2 / (a**4).sum(dim=(-2, -1), keepdim=True).sqrt()


def population_law(start: Tensor, eta: float, steps: int) -> Tensor:
    """a <- a + eta a^2 / sqrt(sum_{j,k} a^4), iterated `steps` times: start (..., J, K) to (...,
    steps + 1, J, K)."""
    iterates = [start]
    for _ in range(steps):
        iterates.append(iterates[-1] + eta * step_of_law(iterates[-1]))
    return torch.stack(iterates, dim=-3)


def length_explored(scenario: Scenario) -> float:
    """eta T_1, the path of every expert up to T_1: sigma_0^(1/2), up to rounding T_1."""
    return scenario.hyper.eta * scenario.hyper.T_1


def amplification(gap: Tensor) -> Tensor:
    """g / (g - 1): what a relative error of the first integral is multiplied by, where two a's
    start at the ratio g; 1 for an infinite gap."""
    return torch.where(gap.isinf(), 1.0, gap / (gap - 1))


# Of every expert: (R, M)


def error_of_steps(trained: Trained, scenario: Scenario) -> Tensor:
    """Root mean square over the steps up to T_1 of norm(step / eta - the law's step from the
    expert's own a)."""
    a = features(trained, scenario)
    before = a[:, :-1]
    off = (a[:, 1:] - before) / scenario.hyper.eta - step_of_law(before)
    return off.flatten(3).norm(dim=-1).square().mean(dim=1).sqrt()


def error_of_population_law(trained: Trained, scenario: Scenario) -> Tensor:
    """Relative error of the feature displacement up to T_1 against the law iterated from a(0)."""
    a = features(trained, scenario)
    predicted = population_law(a[:, 0], scenario.hyper.eta, scenario.hyper.T_1)[..., -1, :, :]
    error, path = a[:, -1] - predicted, predicted - a[:, 0]
    return error.flatten(2).norm(dim=-1) / path.flatten(2).norm(dim=-1)


def displacement(trained: Trained, scenario: Scenario) -> tuple[Tensor, Signals]:
    """W^(T_1) - W^(0), (R, M, J, d), and the signals, (R, 1, K, d) each."""
    trajectory = trained.trajectory(scenario)
    moved = trajectory.parameters(scenario.hyper.T_1).W - trajectory.parameters(0).W
    signals = trajectory.signals
    return moved, Signals(signals.features[:, None], signals.centres[:, None])


def displacement_off_features(trained: Trained, scenario: Scenario) -> Tensor:
    """Norm of the part of the displacement that is orthogonal to all features, over eta T_1."""
    moved, signals = displacement(trained, scenario)
    off = moved - moved @ signals.features.mT @ signals.features
    return off.flatten(2).norm(dim=-1).double() / length_explored(scenario)


def displacement_along_centres(trained: Trained, scenario: Scenario) -> Tensor:
    """Norm over (j, k) of what <w_mj, c_k> changed by, over eta T_1."""
    moved, signals = displacement(trained, scenario)
    return (moved @ signals.centres.mT).flatten(2).norm(dim=-1).double() / length_explored(scenario)


def starts(trained: Trained, scenario: Scenario) -> Tensor:
    """a_mjk(0), (R, M, J, K)."""
    return features(trained, scenario)[:, 0]


def filter_gaps(trained: Trained, scenario: Scenario) -> Tensor:
    """The largest a_mjk(0) over the second largest; infinite if that is not positive."""
    return filter_gap(starts(trained, scenario))


def cluster_gaps(trained: Trained, scenario: Scenario) -> Tensor:
    """The cluster gap; 0 for an expert that the definition excludes."""
    return cluster_gap(starts(trained, scenario)).nan_to_num(0.0)


def norm_in_own_cluster(trained: Trained, scenario: Scenario) -> Tensor:
    """The norm of a_m.k over j at T_1 in the expert's own cluster, over eta T_1."""
    a = features(trained, scenario)
    norms = a[:, -1].norm(dim=-2).gather(-1, groups(a[:, 0])[..., None]).squeeze(-1)
    return norms / length_explored(scenario)


def largest_other(norms: Tensor, start: Tensor) -> Tensor:
    """The largest norm among the clusters that are not the expert's own: (..., K) to (...)."""
    return norms.scatter(-1, groups(start)[..., None], 0.0).amax(dim=-1)


def norm_in_other_clusters(trained: Trained, scenario: Scenario) -> Tensor:
    """The largest norm of a_m.l over j at T_1 in another cluster, over sigma_0^(1/2)."""
    a = features(trained, scenario)
    return largest_other(a[:, -1].norm(dim=-2), a[:, 0]) / scenario.hyper.sigma_0**0.5


def what_is_left(trained: Trained, scenario: Scenario) -> Tensor:
    """The most that E.6 leaves of that norm, from the start.

    The largest a of an expert keeps 1/a > 0 to the end, so any other positive a ends below 1 /
    (1/a(0) - 1/max a(0)). Negative ones only shrink.
    """
    start = starts(trained, scenario)
    room = 1 / start - 1 / start.amax(dim=(-2, -1), keepdim=True)
    # Infinite for the largest itself, which lies in its own cluster.
    most = torch.where(start > 0, 1 / room, start)
    return largest_other(most.norm(dim=-2), start) / scenario.hyper.sigma_0**0.5


def error_of_first_integral(trained: Trained, scenario: Scenario) -> Tensor:
    """How far 1/a(0) - 1/a(T_1) is from sum_t eta / norm(a(t)^2), relative to that: root mean
    square over the (j, k) of the expert that start above half of its largest a."""
    a = features(trained, scenario)
    start, end = a[:, 0], a[:, -1]
    clock = (scenario.hyper.eta / (a[:, :-1] ** 4).sum(dim=(-2, -1), keepdim=True).sqrt()).sum(1)
    large = start > start.amax(dim=(-2, -1), keepdim=True) / 2
    off = ((1 / start - 1 / end) / clock - 1).square()
    return (off.where(large, 0.0).sum(dim=(-2, -1)) / large.sum(dim=(-2, -1))).sqrt()


def noise_products(trained: Trained, scenario: Scenario) -> Tensor:
    """max over i, j of abs(<w_mj, xi_i>) at T_1."""
    found = []
    for replicate in finished(trained, scenario, scenario.hyper.T_1):
        noise = replicate.training_examples.patches.noise.flatten(0, -2)
        products = noise @ replicate.at.W.flatten(0, 1).mT  # (n (P - Q), M J)
        found.append(products.abs().amax(dim=0).unflatten(0, replicate.at.W.shape[:2]).amax(dim=1))
    return torch.stack(found).double()


def scale_of_noise_products(scenario: Scenario) -> float:
    """sigma_0^(1/2) d^(-1/2) sqrt(log(n M J))."""
    hyper = scenario.hyper
    return float((hyper.sigma_0 * np.log(hyper.n * hyper.M * hyper.J) / scenario.problem.d) ** 0.5)


def strongest_features(trained: Trained, scenario: Scenario) -> Tensor:
    """max over t <= T_1 and k of abs(A_mk(t)), A_mk = sum_j a_mjk^3."""
    return features(trained, scenario).pow(3).sum(dim=-2).abs().amax(dim=(1, 3))


@dataclass(frozen=True)
class Responses:
    """The largest over the training examples of each replicate at T_1.

    response: abs(f_m(x_i)), (R, M)
    gate, probability: abs(pi_m - 1/M) and abs(p_m - 1/M), (R, M)
    beyond_slope: abs(l' + 1/2) - abs(pi_m f_m) / 4, (R, M)
    """

    response: Tensor
    gate: Tensor
    probability: Tensor
    beyond_slope: Tensor


def responses(trained: Trained, scenario: Scenario) -> Responses:
    """These largest values, in double precision but for pre-activations."""
    found: list[tuple[Tensor, ...]] = []
    for replicate in finished(trained, scenario, scenario.hyper.T_1):
        subject, examples = replicate.subject, replicate.training_examples
        h = as_numbers(subject.logits(replicate.at.theta, examples.patches).double(), "logits")
        pi, p, M = subject.gate(h), routing_probabilities(h), scenario.hyper.M
        margin = replicate.expert_margins(examples).double()
        output = pi * margin
        sign, log_size = loss_slope(subject.loss, output)
        slope = sign * log_size.exp()
        found.append(
            (
                margin.abs().amax(dim=1),
                (pi - 1 / M).abs().amax(dim=1),
                (p - 1 / M).abs().amax(dim=1),
                ((slope + 0.5).abs() - output.abs() / 4).amax(dim=1),
            )
        )
    return Responses(*map(torch.stack, zip(*found, strict=True)))


def limit_of_own_error(trained: Trained, scenario: Scenario) -> Tensor:
    """The error of each expert on its own cluster at T_1 if only its <w_mj, v_k> mattered: centre
    and random noise, which vanish as d grows, are left out."""
    a = features(trained, scenario)
    own = groups(a[:, 0])
    end = a[:, -1].flatten(0, 1).numpy()
    found = error_on_own_cluster(scenario.problem, end, own.flatten().numpy())
    return torch.from_numpy(found).view(own.shape)


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
