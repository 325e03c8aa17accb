"""The claims that there are, and what can be said of one before it is checked."""

import ast
import difflib
import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType

import theory_checks
from theory_checks.checking.claim import Claim
from theory_checks.checking.guests import imported
from theory_checks.checking.profiles import Profile
from theory_checks.checking.record import NOT_RUN, Record

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
    return [
        claim_id for decorator in decorators if (claim_id := _declared_id(decorator)) is not None
    ]


def _declared_id(decorator: ast.expr) -> str | None:
    match decorator:
        # of `claim`, or of what makes claims
        case ast.Call(args=[ast.Constant(value=str(claim_id)), *_]):
            return claim_id
    return None


def meant(claim_id: str, known: Iterable[str]) -> str:
    """For a message about an unknown id: those like it, and where all are listed."""
    close = difflib.get_close_matches(claim_id.upper(), known)
    question = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{question}`theory-checks claims` lists all"


def module_at(given: str) -> str:
    """The name of a module that is given by its name or by its file, which can be imported from
    here on."""
    if not given.endswith(".py"):
        return given
    path = Path(given).resolve().with_suffix("")
    folder = next(f for f in path.parents if not (f / "__init__.py").exists())
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return ".".join(path.relative_to(folder).parts)


def claims_of(module: ModuleType) -> list[Claim]:
    """The claims that a module defines, in its order."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, Claim) and value.check.__module__ == module.__name__
    ]


@cache
def built_in() -> Mapping[str, Claim]:
    """The built-in claims by id, in the order of their files."""
    names = [f"{theory_checks.__name__}.{path.stem}" for path in claim_files()]
    modules = [importlib.import_module(name) for name in names]
    return MappingProxyType({claim.id: claim for module in modules for claim in claims_of(module)})


def from_outside(modules: Sequence[str]) -> dict[str, Claim]:
    """The claims of a user's own modules, given by name or by file, by id.

    Raises ValueError if a module cannot be imported or defines no claim, or if two claims, the
    built-in ones included, share an id.
    """
    claims: dict[str, Claim] = {}
    for module in modules:
        try:
            own = claims_of(imported(module_at(module)))
        except ImportError as error:
            raise ValueError(f"claims {module!r}: cannot be imported ({error})") from error
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

    It covers what `fingerprint` covers of the claim, its hypotheses and scenarios in this profile,
    the profile where the check asks for it, and the version of the evidence; not `core`, which is
    what is under test.
    """
    from theory_checks import evidence  # imports SciPy, which takes time
    from theory_checks.checking.fingerprint import fingerprint, without_addresses

    over = claim.over(profile) if callable(claim.over) else claim.over
    asked = "profile" in inspect.signature(claim.check).parameters
    return fingerprint(
        claim,
        claim.hypotheses(profile),
        without_addresses(over),
        vars(profile) if asked else None,
        evidence.VERSION,
        without=("core",),
    )
