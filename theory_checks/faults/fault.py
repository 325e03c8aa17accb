"""A fault: the paper's Subject with some ingredients broken, and the claims that must notice."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core import PAPER, Subject

Ingredients = Mapping[str, Any]

# the modules of faults, and how the ids of the claims about the part that each breaks begin
FAMILIES = {
    "data": ("D.",),
    "initialisation": ("I.",),
    "routing": ("R.",),
    "gate": ("R.8", "G."),
    "experts": ("G.",),
    "updates": ("G.",),
    "loss": ("G.",),
}


@dataclass(frozen=True)
class Fault:
    """One fault.

    name: in capitals, as the command line has it.
    family: the part that is broken, one of FAMILIES.
    wrong: what is wrong, in a sentence or two.
    subject: the paper's Subject with the fault.
    noticed_by: ids of the claims that must be violated, the designated one first.
    equivalent: why no claim can notice, for a change that the theory allows.
    representative: whether it stands for its kind where claims take long, those that train.

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
        if not self.wrong:
            raise ValueError(f"fault {self.name}: needs a docstring, which says what is wrong")
        if bool(self.noticed_by) == bool(self.equivalent):
            raise ValueError(
                f"fault {self.name}: needs either claims that notice it or a reason why none can"
            )

    @property
    def broken(self) -> tuple[str, ...]:
        """The ingredients in which it differs from the paper."""
        paper = vars(PAPER)
        return tuple(n for n, value in vars(self.subject).items() if value is not paper[n])

    def about(self, claim: str) -> bool:
        """Whether a claim, given by its id, is about the part that is broken."""
        return any(
            claim == start or (start.endswith(".") and claim.startswith(start))
            for start in FAMILIES[self.family]
        )


def fault(
    ingredient: str = "",
    *,
    noticed_by: str | tuple[str, ...] = (),
    equivalent: str = "",
    representative: bool = False,
) -> Callable[[Callable[..., Any]], Fault]:
    """Makes a function of a module of this package a Fault of the family named like the module.

    The function is what replaces the ingredient. Without `ingredient` it takes no argument and
    returns the ingredients that are replaced, by name: for faults that a function with parameters
    makes, or that break several ingredients. The function's name in capitals is that of the fault,
    the first paragraph of its docstring says what is wrong; for the rest see `Fault`, also for the
    errors raised.

        @fault("gate", noticed_by="R.8")
        def gate_squared(h: Tensor) -> Tensor:
            'The softmax is squared.'
            return softmax_gate(h) ** 2
    """

    def declare(function: Callable[..., Any]) -> Fault:
        ingredients = {ingredient: function} if ingredient else function()
        return Fault(
            function.__name__.upper(),
            function.__module__.rpartition(".")[2],
            " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split()),
            replace(PAPER, **ingredients),
            (noticed_by,) if isinstance(noticed_by, str) else noticed_by,
            equivalent,
            representative,
        )

    return declare
