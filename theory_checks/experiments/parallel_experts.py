"""Linear and cubic experts side by side, and how far apart experts move."""

import numpy as np
import torch
from torch import Tensor

from core.model import cubic_response, linear_response
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained


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
