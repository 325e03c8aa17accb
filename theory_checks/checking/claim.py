"""Claim: what the paper (or a derivation from it) says, as a record with a check that gathers
evidence for it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

if (
    TYPE_CHECKING
):  # the controller of parallel runs imports this module and needs neither Hypothesis nor SciPy
    from hypothesis.strategies import SearchStrategy

    from theory_checks.checking.pictures import Picture
    from theory_checks.checking.profiles import Profile
    from theory_checks.evidence import Statement

DEFAULT_SUBJECT, DEFAULT_SEED = "core:PAPER", 20221128
DEFAULT_ALPHA = Fraction(1, 10**6)  # probability of any false alarm in a whole run

# What the letters of ids stand for, roughly in the order in which they build on each other.
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
    "P": "asymptotics",
    "C": "necessity",
}


class Kind(StrEnum):
    """exact: an identity or inequality up to rounding; law: a distribution; probability: of an
    event, against a bound; rate: a behaviour along a ladder of problem sizes."""

    EXACT = "exact"
    LAW = "law"
    PROBABILITY = "probability"
    RATE = "rate"


Inputs = Mapping[str, "SearchStrategy[Any]"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim, with everything that identifies it; `claim` makes one.

    id: the name of the claim, of its test and of its row in the report.
    kind: what sort of statement it is.
    source: where it stands in the paper, or "derived".
    check: from the inputs, and `subject`, `profile` and `trained` (the shared training runs) where
        it names them, to a Statement. The first paragraph of its docstring states the claim, the
        rest derives it.
    over: strategies for the inputs that Hypothesis chooses, or a function from the profile to them.
    given: its hypotheses, or a function from the profile to them where they include sizes.
    depends_on: ids of the claims that it builds on.
    always: inputs that every run tries.
    examples: how many inputs the standard profile tries.
    samples: whether chance enters; a claim that declares False needs no part of alpha.
    visits: from the inputs to what to count about those visited.
    formula: the statement in LaTeX.
    picture: from the inputs of the worst case, and the arguments of check, `run` and `judged` (the
        inputs and the Evidence of everything judged) where it names them, to what the report shows.
    """

    id: str
    kind: Kind
    source: str
    check: Callable[..., Statement]
    over: Inputs | Callable[[Profile], Inputs]
    given: str | Callable[[Profile], str] = ""
    depends_on: tuple[str, ...] = ()
    always: tuple[Mapping[str, Any], ...] = ()
    examples: int = 100
    samples: bool = True
    visits: Callable[..., Mapping[str, Any]] | None = None
    formula: str = ""
    picture: Callable[..., Picture | tuple[Picture, ...]] | None = None

    def __post_init__(self) -> None:
        if not inspect.getdoc(self.check):
            raise ValueError(
                f"claim {self.id}: its check needs a docstring, which states the claim"
            )

    @property
    def statement(self) -> str:
        """The first paragraph of the docstring of the check, on one line."""
        return " ".join((inspect.getdoc(self.check) or "").split("\n\n")[0].split())

    @property
    def derivation(self) -> str:
        """The other paragraphs."""
        return "\n\n".join((inspect.getdoc(self.check) or "").split("\n\n")[1:])

    def hypotheses(self, profile: Profile) -> str:
        """What the claim presumes, with the sizes of the profile."""
        return self.given(profile) if callable(self.given) else self.given

    @property
    def trains(self) -> bool:
        """Whether the claim samples training runs, which are few and expensive."""
        return "trained" in inspect.signature(self.check).parameters


def claim(
    claim_id: str,
    /,
    *,
    kind: Kind,
    source: str,
    over: Inputs | Callable[[Profile], Inputs],
    given: str | Callable[[Profile], str] = "",
    depends_on: tuple[str, ...] = (),
    always: tuple[Mapping[str, Any], ...] = (),
    examples: int = 100,
    samples: bool = True,
    visits: Callable[..., Mapping[str, Any]] | None = None,
    formula: str = "",
    picture: Callable[..., Picture | tuple[Picture, ...]] | None = None,
) -> Callable[[Callable[..., Statement]], Claim]:
    """Makes the decorated check a Claim, which pytest collects as a test with the claim's id.

    The arguments are the fields of `Claim`. Raises ValueError if the check has no docstring.
    """
    return lambda check: Claim(
        id=claim_id,
        kind=kind,
        source=source,
        check=check,
        over=over,
        given=given,
        depends_on=depends_on,
        always=always,
        examples=examples,
        samples=samples,
        visits=visits,
        formula=formula,
        picture=picture,
    )


class Dependent(Protocol):
    """What builds on claims: a claim, its record, or its node in the graph."""

    @property
    def depends_on(self) -> tuple[str, ...]: ...


def with_dependencies(wanted: tuple[str, ...], claims: Mapping[str, Dependent]) -> set[str]:
    """The wanted ids and all that they depend on, directly or not, as far as they are among the
    claims."""
    closed: set[str] = set()
    pending = list(wanted)
    while pending:
        claim_id = pending.pop()
        if claim_id not in closed:
            closed.add(claim_id)
            pending.extend(claims[claim_id].depends_on if claim_id in claims else ())
    return closed
