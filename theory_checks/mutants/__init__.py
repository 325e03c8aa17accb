"""Named faults, to prove that the checks can fail: each is a Subject, `theory_checks.mutants:NAME`
on the command line."""

from typing import TYPE_CHECKING

from theory_checks.mutants import data, experts, gate, initialisation, loss, routing, updates
from theory_checks.mutants.mutant import FAMILIES, Mutant

if TYPE_CHECKING:
    from core import Subject

__all__ = ["FAMILIES", "MUTANTS", "Mutant"]

MUTANTS: dict[str, Mutant] = {
    mutant.name: mutant
    for module in (data, initialisation, routing, gate, experts, updates, loss)
    for mutant in module.MUTANTS
}


def __getattr__(name: str) -> "Subject":
    """The Subject of the mutant with this name."""
    if name in MUTANTS:
        return MUTANTS[name].subject
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
