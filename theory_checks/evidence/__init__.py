"""How samples become verdicts: statements that gather evidence under an error budget. Knows nothing of the
paper."""

from .exact import at_least, at_most, equal
from .statements import (
    Statement,
    all_of,
    cells_follow,
    events_independent,
    follows_law,
    frequency_at_least,
    frequency_at_most,
    mean_at_least,
    mean_at_most,
    mean_equals,
)
from .verdict import Evidence, Verdict

__all__ = [
    "Evidence",
    "Statement",
    "Verdict",
    "all_of",
    "at_least",
    "at_most",
    "cells_follow",
    "equal",
    "events_independent",
    "follows_law",
    "frequency_at_least",
    "frequency_at_most",
    "mean_at_least",
    "mean_at_most",
    "mean_equals",
]
