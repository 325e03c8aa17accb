"""A fault: the paper's Subject with some ingredients broken, or an edit of core, and the claims
that must notice it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core import PAPER, Subject
from theory_checks.faults.edit import Edit
from theory_checks.faults.put_back import differing

Ingredients = Mapping[str, Any]

# the parts that faults break, and how the ids of the claims about each begin
FAMILIES = {
    "data": ("D.",),
    "initialisation": ("I.",),
    "routing": ("R.",),
    "rounded_noise": ("R.2", "R.3"),
    "small_draws": ("D.", "R.5", "R.9", "R.13"),
    "gate": ("R.8", "G."),
    "experts": ("G.",),
    "updates": ("G.",),
    "single_expert_of_many": ("G.", "E."),
    "loss": ("G.",),
    "outcomes": ("A.", "N.", "L."),
    # parts of core that no ingredient stands for
    "gradients": ("G.", "R.5", "R.6"),
    "replicates": ("G.10", "G.11", "L.1"),
    "seeds": ("D.", "R.5", "R.9", "R.11", "I.4"),
    "evaluation": ("R.12", "G.11", "S.3", "N.", "A.3", "A.4", "C.6"),
    "stages": ("G.11", "E.", "A.5"),
    "patches": ("D.", "R.7", "G.3", "S.1"),
    "routing probabilities": ("R.",),
    "measures": ("I.", "E.", "X.", "A."),
}
MODULES = (
    "data",
    "initialisation",
    "routing",
    "gate",
    "experts",
    "updates",
    "single_expert_of_many",
    "loss",
    "outcomes",
    "rounded_noise",
    "evaluation",
    "small_draws",
    "core_edits",
)


@dataclass(frozen=True)
class Fault:
    """One fault.

    name: in capitals, as the command line has it.
    family: the part that is broken, one of FAMILIES.
    wrong: what is wrong, in a sentence or two.
    subject: the paper's Subject with the fault; as the paper has it, if core is edited.
    noticed_by: ids of the claims that must be violated, the designated one first.
    equivalent: why no claim can notice, for a change that the theory allows.
    representative: whether it stands for its kind where claims take long, those that train.
    edit: what is replaced in core, for a fault that no ingredient can express.

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
    edit: Edit | None = None

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
        return differing(self.subject)

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
            _first_paragraph(function),
            replace(PAPER, **ingredients),
            _ids(noticed_by),
            equivalent,
            representative,
        )

    return declare


def core_edit(
    family: str,
    file: str,
    *,
    noticed_by: str | tuple[str, ...] = (),
    equivalent: str = "",
    representative: bool = False,
) -> Callable[[Callable[[], tuple[str, str]]], Fault]:
    """Makes a function a Fault that is an edit of a file of core.

    The function takes no argument and returns the expression or statement that is replaced and what
    takes its place. Name and docstring are as in `fault`, the rest as in `Fault` and `Edit`.

        @core_edit("gradients", "training.py", noticed_by="G.3")
        def gradient_of_sum() -> tuple[str, str]:
            'The gradient is that of the sum of the losses, not of their mean.'
            return "sign * y / y.shape[-1]", "sign * y"
    """

    def declare(function: Callable[[], tuple[str, str]]) -> Fault:
        return Fault(
            function.__name__.upper(),
            family,
            _first_paragraph(function),
            PAPER,
            _ids(noticed_by),
            equivalent,
            representative,
            Edit(file, *function()),
        )

    return declare


def _first_paragraph(function: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


def _ids(noticed_by: str | tuple[str, ...]) -> tuple[str, ...]:
    return (noticed_by,) if isinstance(noticed_by, str) else noticed_by
