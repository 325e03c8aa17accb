"""Claim: what the paper (or a derivation from it) says, as a record with a check that gathers
evidence for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if (
    TYPE_CHECKING
):  # the controller of parallel runs imports this module and needs neither Hypothesis nor SciPy
    from hypothesis.strategies import SearchStrategy

    from theory_checks.checking.pictures import Picture
    from theory_checks.checking.profiles import Profile
    from theory_checks.evidence import Statement

DEFAULT_SUBJECT, DEFAULT_SEED = "core:PAPER", 20221128
DEFAULT_ALPHA = Fraction(1, 10**6)  # probability of any false alarm in a whole run

THEORY_IDS = (
    *("D.1", "D.2", "D.3", "D.4", "D.5"),
    *("S.1", "S.2", "S.3", "S.4", "S.5", "S.6", "S.7"),
    *("R.1", "R.2", "R.3", "R.4", "R.5", "R.6"),
    *("G.1", "G.2", "G.3", "G.4", "G.5", "G.6"),
    *("I.1", "I.2"),
    *("E.1", "E.2", "E.3", "E.4", "E.5", "E.6"),
    *("X.1", "X.2"),
    *("A.1", "A.2", "A.3", "A.4", "A.5", "A.6"),
    *("N.1", "N.2", "N.3", "N.4", "N.5"),
    *("L.1", "L.2", "L.3"),
)  # every claim of the paper, and what was derived from it
SUPPLEMENT_IDS = (
    # What the paper defines, and its proofs take for granted.
    *("D.6", "R.7", "R.8", "R.9", "R.10", "R.11"),
    *("G.7", "G.8", "G.9", "G.10", "G.11"),
    *("I.3", "I.4"),
    # Necessity controls: what happens to the conclusions when a hypothesis is dropped.
    *("C.1", "C.2", "C.3", "C.4", "C.5", "C.6", "C.7", "C.8", "C.9", "C.10"),
)
CLAIM_IDS = THEORY_IDS + SUPPLEMENT_IDS

GROUPS: Mapping[str, str] = {
    "D": "data",
    "R": "routing",
    "G": "algorithm",
    "I": "initialisation",
    "S": "single experts",
    "E": "exploration",
    "X": "specialisation",
    "A": "alignment",
    "N": "mixture succeeds",
    "L": "nonlinearity",
    "C": "necessity",
}  # what the letters of ids stand for, roughly in the order in which they build on each other


class Kind(StrEnum):
    """exact: an identity or inequality up to rounding; law: a distribution; probability: of an
    event, against a bound; rate: a behaviour along a ladder of problem sizes."""

    EXACT = "exact"
    LAW = "law"
    PROBABILITY = "probability"
    RATE = "rate"


Inputs = Mapping[str, "SearchStrategy[Any]"]


@dataclass(frozen=True)
class Claim:
    """One claim.

    statement: what it says; given: its hypotheses; source: where it stands in the paper, or
    "derived"; depends_on: claims it builds on; over: strategies for the inputs that Hypothesis
    chooses, or a function of the profile that gives them; examples: how many inputs are tried in
    the standard profile; always: inputs tried in every run; visits: what to count about the inputs
    visited; cost: seconds on one core in the standard profile, to schedule by (of claims that share
    training runs the first one has theirs); formula: the statement in LaTeX.

    check: from the inputs (and, where it names them, `subject`, `profile`, `trained`, `share`) to a
    Statement. The first paragraph of its docstring is the claim's statement, the rest its
    derivation.

    picture: from the inputs of the worst case (and, where it names them, those of check, `run` and
    `judged`: the inputs and the Evidence of everything judged) to what the report shows.
    """

    id: str
    kind: Kind
    source: str
    given: str
    depends_on: tuple[str, ...]
    over: Inputs | Callable[[Profile], Inputs]
    always: tuple[Mapping[str, Any], ...]
    examples: int
    cost: float
    visits: Callable[..., Mapping[str, Any]] | None
    check: Callable[..., Statement]
    formula: str = ""
    picture: Callable[..., Picture | tuple[Picture, ...]] | None = None

    @property
    def statement(self) -> str:
        return " ".join((inspect.getdoc(self.check) or "").split("\n\n")[0].split())

    @property
    def derivation(self) -> str:
        return "\n\n".join((inspect.getdoc(self.check) or "").split("\n\n")[1:])


def claim(
    id: str,
    *,
    kind: Kind,
    source: str,
    over: Inputs | Callable[[Profile], Inputs],
    given: str = "",
    depends_on: tuple[str, ...] = (),
    always: tuple[Mapping[str, Any], ...] = (),
    examples: int = 100,
    cost: float = 1.0,
    visits: Callable[..., Mapping[str, Any]] | None = None,
    formula: str = "",
    picture: Callable[..., Picture | tuple[Picture, ...]] | None = None,
) -> Callable[[Callable[..., Statement]], Claim]:
    """Makes the decorated check a Claim, which pytest collects as a test named by its id.

    Raises ValueError if the check has no docstring, the statement of the claim.
    """

    def register(check: Callable[..., Statement]) -> Claim:
        if not inspect.getdoc(check):
            raise ValueError(f"claim {id}: its check needs a docstring, the statement of the claim")
        return Claim(
            id,
            kind,
            source,
            given,
            depends_on,
            over,
            always,
            examples,
            cost,
            visits,
            check,
            formula,
            picture,
        )

    return register


def with_dependencies(wanted: tuple[str, ...], claims: Mapping[str, Claim]) -> set[str]:
    """The wanted ids and all that they depend on, directly or not, as far as they are among the
    claims."""
    closed: set[str] = set()
    pending = list(wanted)
    while pending:
        id = pending.pop()
        if id not in closed:
            closed.add(id)
            pending.extend(claims[id].depends_on if id in claims else ())
    return closed
