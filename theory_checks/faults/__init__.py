"""Named faults, to prove that the checks can fail: each is a Subject, `theory_checks.faults:NAME`
on the command line."""

from typing import TYPE_CHECKING

from theory_checks.faults import data, experts, gate, initialisation, loss, routing, updates
from theory_checks.faults.fault import FAMILIES, Fault

if TYPE_CHECKING:
    from core import Subject

__all__ = ["FAMILIES", "FAULTS", "Fault"]

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for module in (data, initialisation, routing, gate, experts, updates, loss)
    for fault in module.FAULTS
}


def __getattr__(name: str) -> "Subject":
    """The Subject of the fault with this name."""
    if name in FAULTS:
        return FAULTS[name].subject
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
