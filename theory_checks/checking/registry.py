"""The claims that there are, and what can be said of one before it is checked."""

import ast
import hashlib
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import theory_checks
from theory_checks.checking.claim import Claim
from theory_checks.checking.profiles import Profile
from theory_checks.checking.record import NOT_RUN, Record

WITHOUT_EFFECT = {"visits", "picture", "formula", "source", "depends_on"}  # of `claim`, on verdicts
FOLDER = Path(theory_checks.__file__).parent


def claim_files() -> list[Path]:
    """The files of built-in claims, one for each group."""
    return sorted(FOLDER.glob("test_*.py"))


@cache
def declared_ids() -> list[str]:
    """The ids of the built-in claims as their files declare them, read without importing torch."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in claim_files()]
    functions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    decorators = [decorator for function in functions for decorator in function.decorator_list]
    return [id for decorator in decorators if (id := _declared_id(decorator)) is not None]


def _declared_id(decorator: ast.expr) -> str | None:
    match decorator:
        # of `claim`, or of what makes claims
        case ast.Call(args=[ast.Constant(value=str(id)), *_]):
            return id
    return None


def claims_of(module: str) -> list[Claim]:
    """The claims that a module defines, in its order. Raises ImportError if it cannot be
    imported."""
    values = vars(importlib.import_module(module)).values()
    return [v for v in values if isinstance(v, Claim) and v.check.__module__ == module]


@cache
def built_in() -> Mapping[str, Claim]:
    """The built-in claims by id, in the order of their files."""
    modules = [f"{theory_checks.__name__}.{path.stem}" for path in claim_files()]
    return MappingProxyType({claim.id: claim for module in modules for claim in claims_of(module)})


def from_outside(modules: Sequence[str]) -> dict[str, Claim]:
    """The claims of a user's own modules, by id.

    Raises ValueError if a module cannot be imported or defines no claim, or if two claims, the
    built-in ones included, share an id.
    """
    claims: dict[str, Claim] = {}
    for module in modules:
        try:
            own = claims_of(module)
        except Exception as error:  # whatever the user's module raises while it is imported
            what = f"{type(error).__name__}: {error}"
            raise ValueError(f"claims {module!r}: cannot be imported ({what})") from error
        if not own:
            raise ValueError(f"claims {module!r}: defines no claim")
        for claim in own:
            if claim.id in claims or claim.id in declared_ids():
                raise ValueError(f"claims {module!r}: another claim has the id {claim.id!r}")
            claims[claim.id] = claim
    return claims


def registered(modules: Sequence[str] = ()) -> dict[str, Claim]:
    """The built-in claims and those of a user's own modules, by id. Raises as `from_outside`."""
    return {**built_in(), **from_outside(modules)}


def described(claim: Claim, profile: Profile) -> Record:
    """The record of a claim that has not been checked in this profile."""
    return Record(
        claim.id,
        NOT_RUN,
        statement=claim.statement,
        kind=claim.kind.value,
        given=claim.hypotheses(profile),
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
    from theory_checks import evidence  # imports SciPy, which takes time

    scenarios = (
        re.sub(" at 0x[0-9a-f]+", "", repr(claim.over(profile))) if callable(claim.over) else ""
    )
    parts = (
        claim.id,
        claim.kind.value,
        claim.statement,
        claim.hypotheses(profile),
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
