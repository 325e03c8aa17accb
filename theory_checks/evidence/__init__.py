"""How samples become verdicts: statements that gather evidence under an error budget. This package
knows nothing of the paper."""

from .comparisons import happens_more_often
from .exact import at_least, at_most, equal, none_of
from .findings import finding
from .pooled import exceptions_at_most
from .statements import (
    Statement,
    about_draws,
    all_of,
    cells_follow,
    follows_law,
    frequency_at_least,
    frequency_at_most,
    given,
    mean_at_least,
    mean_at_most,
    mean_equals,
)
from .trends import changes_at_most, falls_at_least, fitted_exponent
from .verdict import (
    BaselineFails,
    Evidence,
    HypothesesNotMet,
    NotANumber,
    NotApplicable,
    Verdict,
)

# Raise this when the same draws would give another verdict or margin: runs of different versions
# are not compared.
VERSION = "2"

__all__ = [
    "VERSION",
    "BaselineFails",
    "Evidence",
    "HypothesesNotMet",
    "NotANumber",
    "NotApplicable",
    "Statement",
    "Verdict",
    "about_draws",
    "all_of",
    "at_least",
    "at_most",
    "cells_follow",
    "changes_at_most",
    "equal",
    "exceptions_at_most",
    "falls_at_least",
    "finding",
    "fitted_exponent",
    "follows_law",
    "frequency_at_least",
    "frequency_at_most",
    "given",
    "happens_more_often",
    "mean_at_least",
    "mean_at_most",
    "mean_equals",
    "none_of",
]
