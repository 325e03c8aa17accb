"""A fault: the paper's Subject with a fault, what is wrong with it, and which claims must
notice."""

from dataclasses import dataclass, replace
from typing import Any

from core import PAPER, Subject

FAMILIES = {
    "data": ("D.",),
    "initialisation": ("I.",),
    "routing": ("R.",),
    "gate": ("R.8", "G."),
    "experts": ("G.",),
    "updates": ("G.",),
    "loss": ("G.",),
}  # the parts that can be broken, and how the ids of the claims about each of them begin


@dataclass(frozen=True)
class Fault:
    """One fault.

    wrong: what is wrong, in a sentence or two; noticed_by: the claims that must be violated, the
    designated one first; equivalent: why no claim can notice, for a fault that the theory does not
    mind; representative: whether it stands for others of its kind where claims take long, those
    that need training runs.

    Raises ValueError for an unknown family, and unless there is either a claim that must notice or
    a reason why none can.
    """

    name: str
    family: str
    wrong: str
    subject: Subject
    noticed_by: tuple[str, ...]
    equivalent: str = ""
    representative: bool = False

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(
                f"fault {self.name}: no family {self.family!r}; there are {', '.join(FAMILIES)}"
            )
        if bool(self.noticed_by) == bool(self.equivalent):
            raise ValueError(
                f"fault {self.name}: needs either claims that notice it or a reason why none can"
            )

    @property
    def broken(self) -> tuple[str, ...]:
        """The ingredients in which it differs from the paper."""
        return tuple(
            name for name, value in vars(self.subject).items() if value is not getattr(PAPER, name)
        )

    def about(self, claim: str) -> bool:
        """Whether a claim, given by its id, is about the part that is broken."""
        return any(
            claim == start or (start.endswith(".") and claim.startswith(start))
            for start in FAMILIES[self.family]
        )


def fault(
    family: str,
    name: str,
    wrong: str,
    *noticed_by: str,
    equivalent: str = "",
    representative: bool = False,
    **ingredients: Any,
) -> Fault:
    """The paper's Subject with some ingredients replaced by faulty ones."""
    return Fault(
        name, family, wrong, replace(PAPER, **ingredients), noticed_by, equivalent, representative
    )
