"""Named faults, to prove that the checks can fail: each is a Subject, `theory_checks.faults:NAME`
on the command line.

A fault is a function with the decorator `fault`, in the module of its family. Nothing is imported
before a fault is asked for.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theory_checks.faults.fault import Fault

    FAULTS: dict[str, Fault]


@cache
def _declared() -> "dict[str, Fault]":
    from theory_checks.faults.fault import FAMILIES, Fault

    modules = [import_module(f"{__name__}.{family}") for family in FAMILIES]
    found = (value for module in modules for value in vars(module).values())
    return {value.name: value for value in found if isinstance(value, Fault)}


def __getattr__(name: str) -> Any:
    """FAULTS, all faults by name, or the Subject of the fault with this name."""
    if name == "FAULTS":
        return _declared()
    if name.isupper() and name in _declared():
        return _declared()[name].subject
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
