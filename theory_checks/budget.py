"""How the claims share the error budget of a run."""

from fractions import Fraction

from theory_checks.claims import CLAIM_IDS
from theory_checks.evidence.ledger import Ledger, Line

EXACT_IDS = {"D.1", "D.5", "S.1", "S.4", "S.6", "R.1", "R.7", "R.8", *(f"G.{i}" for i in range(1, 11)), "I.3"}
TRAINED_GROUPS = "EXANLC"  # their samples are training runs


def ledger_line(id: str) -> Line:
    """The claim's line in the error budget. Certainty costs log(1 / share) samples: cheap where samples are, dear in replicates."""
    if id in EXACT_IDS:
        return Line(id, 0, 1000, "exact: no chance enters")
    if id[0] in TRAINED_GROUPS:
        return Line(id, 4, 100, "samples are training runs, few and dear: a larger share")
    return Line(id, 1, 400, "samples are cheap")


def ledger(alpha: Fraction) -> Ledger:
    """The error budget of a run. Raises ValueError unless 0 < alpha < 1."""
    return Ledger(alpha, tuple(map(ledger_line, CLAIM_IDS)))
