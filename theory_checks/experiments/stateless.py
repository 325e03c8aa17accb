"""What claims about single steps presume of an update: it has no state."""

import torch

from core import Subject
from core.updates import Gradient
from theory_checks.evidence import NotApplicable


def require_stateless_experts(subject: Subject) -> None:
    """Raises NotApplicable if the experts' update returns a state when it is given none: its steps
    are then not those of one gradient. G.9 says so of every update."""
    W = torch.ones(1, 1, 1, dtype=torch.float64)
    _, state = subject.expert_update(W, Gradient(W, torch.zeros_like(W)), 1.0, None)
    if state is not None:
        raise NotApplicable(
            f"not applicable: the update of the experts has a state ({type(state).__name__}), where"
            " this claim presumes that a step follows from the gradient at hand alone (G.9)"
        )
