"""Named faults, to prove that the checks can fail: each is a Subject, `theory_checks.faults:NAME`
on the command line, or an edit of core.

A fault is a function with the decorator `fault`, in the module of its family, or with `core_edit`
in `core_edits.py`. Nothing is imported before a fault is asked for.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theory_checks.faults.fault import Fault

    FAULTS: dict[str, Fault]


@cache
def _declared() -> "dict[str, Fault]":
    from theory_checks.faults.fault import MODULES, Fault

    modules = [import_module(f"{__name__}.{module}") for module in MODULES]
    found = (value for module in modules for value in vars(module).values())
    return {value.name: value for value in found if isinstance(value, Fault)}


def __getattr__(name: str) -> Any:
    """FAULTS, all faults by name, or the Subject of the fault with this name.

    Raises ValueError for an edit of core that is not made in the core that this process imported.
    """
    if name == "FAULTS":
        return _declared()
    if name.isupper() and name in _declared():
        found = _declared()[name]
        if found.edit and not found.edit.is_made():
            raise ValueError(
                f"fault {name} is an edit of core/{found.edit.file}, no Subject: see"
                f" `theory-checks faults --fault {name}`"
            )
        return found.subject
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
