"""The claims of the paper as tests, and what turns their samples into verdicts.

    import theory_checks
    report = theory_checks.check("my_variant:MINE", claims=["R", "X.3"], profile="quick", seed=0)
    report["R.5"].verdict; report.violated; report    # a notebook shows the page

For claims of your own: `claim` and `Kind` from here, statements from `theory_checks.evidence`,
strategies for inputs from `theory_checks.experiments.scenarios`.

Names are imported when they are first used: pytest loads `theory_checks.plugin` in every project of
an environment, and must not have to wait for torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from theory_checks.checking.claim import Claim, Kind, claim
    from theory_checks.checking.in_process import check
    from theory_checks.checking.profiles import Profile
    from theory_checks.checking.record import Record
    from theory_checks.report.document import Report

    __version__: str

_HOMES = {
    "Claim": "checking.claim",
    "Kind": "checking.claim",
    "Profile": "checking.profiles",
    "Record": "checking.record",
    "Report": "report.document",
    "check": "checking.in_process",
    "claim": "checking.claim",
}
__all__ = ["Claim", "Kind", "Profile", "Record", "Report", "__version__", "check", "claim"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("moe-theory-checks")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
