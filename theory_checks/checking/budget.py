"""How the claims share the error budget of a run."""

from collections.abc import Iterable
from fractions import Fraction

from theory_checks.checking.claim import Claim
from theory_checks.evidence.ledger import Ledger, Line


def alpha_from(text: str) -> Fraction:
    """The probability that a text says, like 1e-6 or 1/20. Raises ValueError unless it lies between
    0 and 1."""
    try:
        # Looked at as a float first: as a fraction, 1e-999999999 would take forever.
        alpha = Fraction(text) if "/" in text or 0 < float(text) < 1 else Fraction(0)
    except (ValueError, ZeroDivisionError):  # no number at all: refused with the same words
        alpha = Fraction(0)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {text}: needs a number between 0 and 1, both excluded")
    return alpha


def line_of(claim: Claim) -> Line:
    """A claim's line in the error budget.

    Certainty costs log(1 / share) samples: cheap where samples are, dear in training runs.
    """
    if claim.trains:
        return Line(claim.id, 4, 100, "samples are training runs, few and dear: a larger share")
    if claim.samples:
        return Line(claim.id, 1, 400, "samples are cheap")
    return Line(claim.id, 0, 1000, "exact: no chance enters")


def ledger(alpha: Fraction, claims: Iterable[Claim]) -> Ledger:
    """The error budget of a run with these claims. Raises ValueError unless 0 < alpha < 1."""
    return Ledger(alpha, tuple(map(line_of, claims)))
