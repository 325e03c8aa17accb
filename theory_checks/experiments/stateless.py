"""What claims about single steps presume of the experts' update: it has no memory."""

from typing import Any

import torch

from core import Subject
from core.updates import Gradient
from theory_checks.evidence import NotApplicable
from theory_checks.experiments.scenarios import gaussian

MEMORY_STEPS = 4  # a memory that does not show so soon is left to the claims


def require_stateless_experts(subject: Subject) -> None:
    """Raises NotApplicable if the experts' update returns a state, and a step with the state of the
    steps before differs from one with none: its steps do not follow from one gradient. G.9, which
    looks at the same, is violated then."""
    generator = torch.Generator().manual_seed(0)
    state: Any = None
    for _ in range(MEMORY_STEPS):
        W, direction = (gaussian(generator, 1, 3, 2, 4) for _ in range(2))
        gradient = Gradient(direction, torch.zeros(1, 3, 1, 1, dtype=torch.float64))
        alone, _ = subject.expert_update(W.clone(), gradient, 0.1, None)
        stepped, state = subject.expert_update(W.clone(), gradient, 0.1, state)
        if state is None:
            return
        if not torch.equal(alone, stepped):
            raise NotApplicable(
                "not applicable: the update of the experts has a memory of earlier steps, where"
                " this claim presumes that a step follows from the gradient at hand alone (see"
                " G.9)"
            )
