"""The options of a run, as argparse and pytest take them. Imports the standard library only: every
pytest loads the plugin, which reads this."""

from collections.abc import Mapping
from typing import Any

from theory_checks.checking.profiles import PROFILES

REPEATABLE: Mapping[str, Any] = {"action": "append", "default": []}
VERDICT_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "subject": {"metavar": "module:NAME", "help": "the core.Subject to check (core:PAPER)"},
    "profile": {"choices": list(PROFILES), "help": "how much evidence to gather (standard)"},
    "seed": {"metavar": "N", "help": "a whole number, or random (the same in every run)"},
    "device": {"metavar": "NAME", "help": "auto, cpu, cuda, cuda:i or mps (auto)"},
    "claims": {
        **REPEATABLE,
        "metavar": "MODULE",
        "help": "a module of your own claims to include, or its file (repeatable)",
    },
    "alpha": {
        "metavar": "A",
        "help": "bound on the probability of any false alarm in the whole run (1e-6)",
    },
}  # on which the verdicts depend
RUN_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    **VERDICT_OPTIONS,
    "claim": {
        **REPEATABLE,
        "metavar": "ID",
        "help": "check this claim and what it depends on (repeatable)",
    },
    "report": {"metavar": "DIR", "help": "where to write the report (theory-report)"},
    "baseline": {
        "metavar": "OLD",
        "help": "report.json of an earlier run to compare with, or its directory",
    },
}
