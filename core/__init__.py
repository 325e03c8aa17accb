"""The paper's objects: Definition 3.1, the mixture-of-experts layer, Algorithm 1, and `Subject`,
which holds them together."""

from core.data import AmplitudeLaw, Discrete, Examples, Patches, Problem, Signals, Uniform
from core.model import Parameters, PatchAdditive
from core.subject import PAPER, Subject
from core.training import Trajectory, train
from core.updates import Hyperparameters

__all__ = [
    "PAPER",
    "AmplitudeLaw",
    "Discrete",
    "Examples",
    "Hyperparameters",
    "Parameters",
    "PatchAdditive",
    "Patches",
    "Problem",
    "Signals",
    "Subject",
    "Trajectory",
    "Uniform",
    "train",
]
