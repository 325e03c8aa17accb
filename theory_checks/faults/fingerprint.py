"""What the result of a check depends on, as a hash: the source of functions, and of what they call
in this project."""

import ast
import functools
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import core

OURS = __package__.partition(".")[0]
PLAIN = (bool, int, float, str, bytes, type(None))


def fingerprint(*values: Any) -> str:
    """Equal for the same functions, classes, records and plain values; other for another source of
    any of them, or of a function, class or constant of this project that they name, directly or
    not. Comments, layout and docstrings make no difference."""
    seen: dict[int, Any] = {}
    parts = [_described(value, seen) for value in values]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@functools.cache
def source_of_core() -> str:
    """The source of the package core as a hash."""
    folder = Path(inspect.getfile(core)).parent
    return fingerprint(
        *(_without_docstrings(ast.parse(path.read_text())) for path in sorted(folder.glob("*.py")))
    )


def _described(value: Any, seen: dict[int, Any]) -> str:
    """seen: what was described before by its id, which also keeps it alive: an id is taken again
    once its owner is gone."""
    if isinstance(value, PLAIN):
        return repr(value)
    if id(value) in seen:
        return "again"
    seen[id(value)] = value
    if isinstance(value, functools.partial):
        return " ".join(
            _described(part, seen) for part in (value.func, *value.args, value.keywords)
        )
    if isinstance(value, FunctionType | type):
        if value.__module__.partition(".")[0] != OURS:
            # of core, of a library: hashed elsewhere or not ours
            name = f"{value.__module__}.{value.__qualname__}"
            inner = (
                inspect.getclosurevars(value).nonlocals if isinstance(value, FunctionType) else {}
            )
            # functions made by one function differ in what they close over
            return f"{name} {_described(inner, seen)}"
        return " ".join(_parts(value, seen))
    if isinstance(value, dict):
        return " ".join(f"{key!r} {_described(inner, seen)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_described(inner, seen) for inner in value)
    if isinstance(value, set | frozenset):
        return " ".join(sorted(map(repr, value)))  # sets have no order of their own
    if type(value).__module__.partition(".")[0] in (OURS, "core"):
        return f"{_described(type(value), seen)} {_described(getattr(value, '__dict__', {}), seen)}"
    return (
        type(value).__qualname__
    )  # a tensor, a module, a strategy: what makes it stands in the source that names it


def _parts(value: Any, seen: dict[int, Any]) -> Iterator[str]:
    """The source of a function or class, then what it closes over and names."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
    except (OSError, SyntaxError):
        yield value.__qualname__
        return
    yield _without_docstrings(tree)
    known = vars(sys.modules[value.__module__])
    if isinstance(value, FunctionType):
        closure = inspect.getclosurevars(value).nonlocals
        yield _described(closure, seen)
    names = sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})
    for name in names:
        if name in known:
            yield f"{name} {_described(known[name], seen)}"


def _without_docstrings(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)
