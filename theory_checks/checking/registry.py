"""The claims that there are, and what can be said of one before it is checked."""

import ast
import hashlib
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import theory_checks
from theory_checks import evidence
from theory_checks.checking.claim import CLAIM_IDS, Claim
from theory_checks.checking.profiles import Profile
from theory_checks.checking.record import NOT_RUN, Record

WITHOUT_EFFECT = {
    "cost",
    "visits",
    "picture",
    "formula",
    "source",
    "depends_on",
}  # arguments of `claim` on no verdict


def claims_of(module: str) -> list[Claim]:
    """The claims that a module defines, in its order. Raises ImportError if it cannot be
    imported."""
    return [
        value
        for value in vars(importlib.import_module(module)).values()
        if isinstance(value, Claim) and defined_in(value, module)
    ]


def defined_in(claim: Claim, module: str) -> bool:
    """Whether the claim belongs to the module, rather than being imported there from another
    one."""
    return claim.check.__module__ == module


def catalogue() -> dict[str, Claim]:
    """All claims by id, in the order of their groups' modules."""
    modules = sorted(path.stem for path in Path(theory_checks.__file__).parent.glob("test_*.py"))
    return {
        claim.id: claim
        for module in modules
        for claim in claims_of(f"{theory_checks.__name__}.{module}")
    }


def from_outside(modules: Sequence[str]) -> list[Claim]:
    """The claims that a user's own modules define.

    Raises ValueError if a module cannot be imported or defines no claim, or if two claims, the
    built-in ones included, share an id.
    """
    claims: list[Claim] = []
    for module in modules:
        try:
            found = claims_of(module)
        except Exception as error:  # whatever the user's module raises while it is imported
            raise ValueError(
                f"claims {module!r}: cannot be imported ({type(error).__name__}: {error})"
            ) from error
        if not found:
            raise ValueError(f"claims {module!r}: defines no claim")
        for claim in found:
            if claim.id in CLAIM_IDS or claim.id in [other.id for other in claims]:
                raise ValueError(
                    f"claims {module!r}: there is another claim with the id {claim.id!r}"
                )
            claims.append(claim)
    return claims


def described(claim: Claim, profile: Profile) -> Record:
    """The record of a claim that has not been checked in this profile."""
    return Record(
        claim.id,
        NOT_RUN,
        statement=claim.statement,
        kind=claim.kind.value,
        given=claim.given,
        source=claim.source,
        depends_on=claim.depends_on,
        formula=claim.formula,
        derivation=claim.derivation,
        hash=claim_hash(claim, profile),
    )


def claim_hash(claim: Claim, profile: Profile) -> str:
    """Equal for two versions of a claim whose evidence can be compared: they say the same and check
    it in the same way.

    It covers id, kind, statement and hypotheses, the source of the check with its strategies, the
    scenarios that it has in this profile, and the version of the evidence. Comments, layout, the
    derivation and what only schedules or shows make no difference. Not covered are functions that
    the check calls: those of `core` are what is under test, and a change to those of
    `theory_checks` that changes what is claimed changes the statement as well, or should.
    """
    scenarios = (
        re.sub(" at 0x[0-9a-f]+", "", repr(claim.over(profile))) if callable(claim.over) else ""
    )
    parts = (
        claim.id,
        claim.kind.value,
        claim.statement,
        claim.given,
        _source(claim.check),
        scenarios,
        evidence.VERSION,
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


# asked for at the start of a run and with every verdict; Python looks through the whole file each
# time
@cache
def _source(check: Callable[..., Any]) -> str:
    """The check, without what has no effect on verdicts; empty where Python has no source, as in an
    interactive session."""
    try:
        (function,) = ast.parse(textwrap.dedent(inspect.getsource(check))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return ""
    if not isinstance(function, ast.FunctionDef):
        return ""
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:]
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call):
            decorator.keywords = [
                keyword for keyword in decorator.keywords if keyword.arg not in WITHOUT_EFFECT
            ]
    return ast.unparse(function)
