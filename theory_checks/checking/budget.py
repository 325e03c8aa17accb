"""How the claims share the error budget of a run."""

import inspect
from collections.abc import Iterable
from fractions import Fraction

from theory_checks.checking.claim import CLAIM_IDS, Claim, Kind
from theory_checks.evidence.ledger import Ledger, Line

EXACT_IDS = {
    "D.1",
    "D.5",
    "S.1",
    "S.4",
    "S.6",
    "R.1",
    "R.7",
    "R.8",
    "R.10",
    *(f"G.{i}" for i in range(1, 12)),
    "I.3",
}
TRAINED_GROUPS = "EXANLC"  # their samples are training runs


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


def line(id: str, *, exact: bool, trained: bool) -> Line:
    """A claim's line in the error budget. Certainty costs log(1 / share) samples: cheap where
    samples are, dear in replicates."""
    if exact:
        return Line(id, 0, 1000, "exact: no chance enters")
    if trained:
        return Line(id, 4, 100, "samples are training runs, few and dear: a larger share")
    return Line(id, 1, 400, "samples are cheap")


def line_of(claim: Claim) -> Line:
    """The line of a claim from outside: it draws on training runs if its check asks for
    `trained`."""
    return line(
        claim.id,
        exact=claim.kind is Kind.EXACT,
        trained="trained" in inspect.signature(claim.check).parameters,
    )


def ledger(alpha: Fraction, outside: Iterable[Claim] = ()) -> Ledger:
    """The error budget of a run with these claims from outside. Raises ValueError unless 0 < alpha
    < 1."""
    built_in = (
        line(id, exact=id in EXACT_IDS, trained=id[0] in TRAINED_GROUPS) for id in CLAIM_IDS
    )
    return Ledger(alpha, (*built_in, *map(line_of, outside)))
