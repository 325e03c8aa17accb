"""How the claims share the error budget of a run."""

from collections.abc import Iterable
from fractions import Fraction

from theory_checks.checking.claim import Claim
from theory_checks.evidence.ledger import Ledger, Line


def line_of(claim: Claim) -> Line:
    """A claim's line in the error budget.

    Certainty costs log(1 / share) samples: cheap where samples are, expensive in training runs.
    """
    if claim.trains:
        return Line(claim.id, 4, 100, "training runs are few and expensive: a larger share")
    if claim.samples:
        return Line(claim.id, 1, 400, "samples are cheap")
    return Line(claim.id, 0, 1000, "exact: no chance enters")


def ledger(alpha: Fraction, claims: Iterable[Claim]) -> Ledger:
    """The error budget of a run with these claims. Raises ValueError unless 0 < alpha < 1."""
    return Ledger(alpha, tuple(map(line_of, claims)))
