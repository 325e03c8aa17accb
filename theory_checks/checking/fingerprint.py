"""One hash of source code: for claims in two reports, cells of the kill matrix, and caches.

`fingerprint` covers the source of what it is given and of everything of this project that this
refers to, directly or not: functions, classes, constants, what functions close over, their
defaults, what they import when they are called, and the classes that annotations name, whose
methods are called. It does not change with

- comments, docstrings, layout, or the order of definitions;
- a move to another module, or another way to import the same thing;
- annotations of arguments and of local variables, but for the classes of this project among them;
- anything in Python's library or in an installed package, of which the name alone counts.

A container that a module fills after its assignment, as decorators do, counts with its content
besides. Other changes of a value after its assignment do not count, and names that are looked up
while the program runs (`getattr`, `import_module`) are not followed. Where Python has no source, as
in some interactive sessions, the bytecode counts.
"""

import ast
import hashlib
import importlib
import importlib.util
import linecache
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from dis import get_instructions
from enum import Enum
from functools import cache, partial
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import core
import theory_checks
from theory_checks.checking.claim import Claim

Described = tuple[str, tuple[Any, ...]]  # a text, and what else it refers to, in order

LITERALS = (bool, int, float, complex, str, bytes, type(None))
CONTAINERS = (list, set, dict)  # whose content a module may change after the assignment
ROOTS = [Path(package.__path__[0]) for package in (core, theory_checks)]
DECLARE = {"claim", "fault"}  # decorators that say something of a function and leave it as it is
# what they say that a verdict depends on, and what a claim says that none depends on
INPUTS = {"over", "always"}
INERT = {"source", "given", "depends_on", "visits", "formula", "picture", "check"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
NAMES, IMPORTS = (ast.Name, ast.Attribute), (ast.Import, ast.ImportFrom)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
DEFINED = (FunctionType, type)
GLOBAL = {"LOAD_GLOBAL", "LOAD_NAME"}  # of the module, or of Python
MISSING = object()
IGNORED = {"ctx", "kind", "type_comment", "type_ignores", "type_params"}


def fingerprint(*values: Any, without: tuple[str, ...] = ()) -> str:
    """Sixteen hexadecimal digits that depend on the values and on their source (module docstring).

    without: packages of which the names count and the source does not.
    """
    numbers: dict[Any, int] = {}
    pending: list[Any] = []  # keeps values alive: an id is taken again once its owner is gone

    def numbered(value: Any) -> str:
        if isinstance(value, LITERALS):
            return repr(value)
        key = value if isinstance(value, FunctionType | type | _Expressions) else ("id", id(value))
        if key not in numbers:
            numbers[key] = len(pending)
            pending.append(value)
        return f"#{numbers[key]}"

    lines = [" ".join(map(numbered, values))]
    for value in pending:  # which grows meanwhile
        if _module_of(value).partition(".")[0] in without:
            lines.append(_name_of(value))
        else:
            text, parts = _described(value)
            lines.append(" ".join([text, *map(numbered, parts)]))
    return hashlib.sha256("\0".join(lines).encode()).hexdigest()[:16]


def without_addresses(value: Any) -> str:
    """The value as it prints itself, equal in all processes."""
    return re.sub(" at 0x[0-9a-f]+", "", repr(value))


@dataclass(frozen=True)
class _Expressions:
    """What a name of a module is bound to, or an argument of a decorator, as syntax trees.

    known: the values of the names that the trees use.
    """

    name: str
    nodes: tuple[ast.AST, ...]
    known: Mapping[str, Any] = field(compare=False)


def _module_of(value: Any) -> str:
    if isinstance(value, _Expressions):
        return str(value.known.get("__name__", ""))
    return (value.__module__ or "") if isinstance(value, DEFINED) else ""


def _name_of(value: Any) -> str:
    return value.name if isinstance(value, _Expressions) else value.__qualname__


def _described(value: Any) -> Described:
    """One value: its own text, and what it refers to."""
    if isinstance(value, DEFINED):
        return _source(value)
    if isinstance(value, _Expressions):
        return _read(value.nodes, value.known["__file__"], value.known)
    if isinstance(value, Claim):
        said = {k: v for k, v in vars(value).items() if k not in INERT}
        return "claim", (value.check, value.statement, said)
    if isinstance(value, partial):
        return "partial", (value.func, value.args, value.keywords)
    if isinstance(value, MethodType):
        return "method", (value.__func__, value.__self__)
    if isinstance(value, Mapping):
        return "mapping", tuple(part for item in value.items() for part in item)
    if isinstance(value, list | tuple):
        return "sequence", (type(value), *value)
    if isinstance(value, set | frozenset):
        return "set", tuple(sorted(value, key=without_addresses))
    if isinstance(value, Enum):
        return value.name, (type(value),)
    if hasattr(value, "__wrapped__"):  # by functools.cache, for instance
        return "wrapped", (value.__wrapped__,)
    if hasattr(value, "__array__"):
        array = value.__array__()
        return f"array {array.shape} {array.dtype}", (array.tobytes(),)
    if _is_ours(_file_of(type(value))):
        return "instance", (type(value), getattr(value, "__dict__", {}))
    return without_addresses(value), ()


@cache
def _source(value: FunctionType | type) -> Described:
    """The definition of a function or class."""
    file = _file_of(value)
    if isinstance(value, type):
        if not _is_ours(file):
            return value.__qualname__, ()
        node = _class(file, value.__qualname__)
        if node is None:
            return value.__qualname__, (value.__bases__, *filter(callable, vars(value).values()))
        return _read((node,), file, vars(sys.modules[value.__module__]))
    runtime = (_closure(value), value.__defaults__, value.__kwdefaults__)
    if not _is_ours(file):
        return value.__qualname__, runtime
    found = _function(file, value.__code__)
    if not found:
        names = (value.__globals__.get(name) for name in value.__code__.co_names)
        return _bytecode(value.__code__), (*runtime, *names)
    text, parts = _read(found, file, value.__globals__)
    return text, (*parts, *runtime)


def _closure(function: FunctionType) -> tuple[Any, ...]:
    return tuple(_content(cell) for cell in function.__closure__ or ())


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet, or no longer
        return None


def _bytecode(code: CodeType) -> str:
    inner = (_bytecode(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return " ".join([code.co_code.hex(), *code.co_names, *inner])


# Files and what they define


def _file_of(value: Any) -> str:
    if isinstance(value, FunctionType):
        return value.__code__.co_filename
    module = value if isinstance(value, ModuleType) else sys.modules.get(value.__module__ or "")
    places = (getattr(module, "__file__", None), *getattr(module, "__path__", ()), "<built in>")
    return next(filter(None, places))


@cache
def _is_ours(file: str) -> bool:
    """Whether a file belongs to the project or its user, rather than to an installed package."""
    if file.startswith("<"):  # typed in, or made by a library
        return file == "<stdin>" or bool(linecache.getlines(file))
    path = Path(file)
    return any(map(path.is_relative_to, ROOTS)) or not (
        path.is_relative_to(sysconfig.get_path("stdlib"))
        or {"site-packages", "dist-packages"} & set(path.parts)
    )


@cache
def _module(name: str) -> ModuleType | None:
    """The module, imported, if it belongs to the project or its user and can be imported."""
    try:
        spec = importlib.util.find_spec(name.partition(".")[0])
        places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
        if any(place and Path(place).exists() and _is_ours(place) for place in places):
            return importlib.import_module(name)
    except (ImportError, ValueError):
        pass
    return None


@cache
def _tree(file: str) -> ast.Module:
    try:
        return ast.parse("".join(linecache.getlines(file)))
    except SyntaxError:  # changed since it was imported
        return ast.Module([], [])


def _function(file: str, code: CodeType) -> tuple[ast.AST, ...]:
    """The definitions on the line where this code begins: one, or several lambdas that cannot be
    told apart; none if there is no source."""
    found = _functions(file).get((code.co_firstlineno, code.co_name), ())
    if code.co_name == "<lambda>" and len(found) > 1:
        inside = [node for node in found if _contains(node.body, code)]
        found = inside[-1:] or found  # of nested ones the inner, which is walked through later
    return tuple(found)


@cache
def _functions(file: str) -> Mapping[tuple[int, str], list[Any]]:
    """The definitions of functions by their first line and name."""
    found: dict[tuple[int, str], list[Any]] = {}
    for node in ast.walk(_tree(file)):
        if isinstance(node, FUNCTIONS):
            line = min(n.lineno for n in (node, *getattr(node, "decorator_list", ())))
            found.setdefault((line, getattr(node, "name", "<lambda>")), []).append(node)
    return found


def _contains(body: ast.expr, code: CodeType) -> bool:
    """Whether all that this code computes stands in an expression."""
    first, last = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
    places = [(a, c, b, d) for a, b, c, d in code.co_positions() if d]  # 0 or None: no place
    return all(first <= (a, c) and (b, d) <= last for a, c, b, d in places)


def _class(file: str, qualname: str) -> ast.AST | None:
    node: ast.AST | None = _tree(file)
    for name in qualname.split("."):
        if name != "<locals>" and node is not None:
            node = next((n for n in ast.walk(node) if getattr(n, "name", "") == name), None)
    return node


@cache
def _bindings(file: str) -> Mapping[str, tuple[ast.AST, ...]]:
    """Where a module binds its names: values that it assigns, and imports from other modules."""
    found: dict[str, tuple[ast.AST, ...]] = {}
    pending: list[Any] = list(_tree(file).body)
    for node in pending:
        if isinstance(node, ast.ImportFrom):
            found |= {a.asname or a.name: (node,) for a in node.names}
        elif isinstance(node, ASSIGNMENTS):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for name in (n for target in targets for n in ast.walk(target)):
                if isinstance(name, ast.Name) and node.value is not None:
                    found[name.id] = (*found.get(name.id, ()), node.value)
        elif not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.expr)):
            pending.extend(ast.iter_child_nodes(node))
    return found


@cache
def _globals(file: str) -> set[tuple[int | None, str]]:
    """The lines and names at which the compiler looks outside all functions."""
    found: set[tuple[int | None, str]] = set()
    pending: list[Any] = [compile(_tree(file), file, "exec", dont_inherit=True, optimize=0)]
    for code in pending:
        pending += [c for c in code.co_consts if isinstance(c, CodeType)]
        for step in get_instructions(code):
            if step.opname in GLOBAL and step.positions:
                found.add((step.positions.lineno, step.argval))
    return found


def _constant(known: Mapping[str, Any], name: str) -> _Expressions | None:
    """The expressions that a name stands for, in the module that assigns it; None if no assignment
    is found."""
    file = known.get("__file__") or "<built in>"
    nodes = _bindings(file).get(name, ()) if _is_ours(file) else ()
    if not nodes or not isinstance(nodes[0], ast.ImportFrom):
        return _Expressions(name, nodes, known) if nodes else None
    origin = sys.modules.get(_imported_from(nodes[0], known))
    original = next(a.name for a in nodes[0].names if name == (a.asname or a.name))
    return None if origin is None else _constant(vars(origin), original)


def _imported_from(node: ast.ImportFrom, known: Mapping[str, Any]) -> str:
    relative = "." * node.level + (node.module or "")
    return resolve_name(relative, known.get("__package__") or None) if node.level else relative


# From a syntax tree to its text


def _read(nodes: tuple[ast.AST, ...], file: str, known: Mapping[str, Any]) -> Described:
    """Trees of a file as text, with a mark for each name of `known`, and what these names stand
    for."""
    reader = _Reader(file, known)
    for node in nodes:
        for inner in ast.walk(node):
            if isinstance(inner, IMPORTS):
                reader.imported |= reader.imports(inner)
    reader.read(list(nodes))
    return hashlib.sha256(" ".join(reader.text).encode()).hexdigest(), tuple(reader.parts)


class _Reader:
    """Collects `text` and `parts` of the trees that it reads.

    known: the names of the module that holds the trees.

    `imported` has the names that functions of the trees import from the project, or its user, when
    they are called.
    """

    def __init__(self, file: str, known: Mapping[str, Any]) -> None:
        self.globals = _globals(file)
        self.known = known
        self.imported: dict[str, Any] = {}
        self.text: list[str] = []
        self.parts: list[Any] = []

    def read(self, node: Any) -> None:
        if isinstance(node, NAMES) and self._resolved(node):
            return
        if isinstance(node, IMPORTS) and self.imports(node):
            return  # what it imports counts where it is used
        if isinstance(node, list):
            for entry in node:
                self.read(entry)
            self.text.append("]")
        elif isinstance(node, ast.AnnAssign):
            self._annotation(node.annotation)
            if node.value is not None:
                self.read(ast.Assign([node.target], node.value))
        elif isinstance(node, ast.AST):
            self.text.append(type(node).__name__)
            if isinstance(node, ast.ClassDef):  # annotations make the fields of dataclasses
                fields = [n for n in node.body if isinstance(n, ast.AnnAssign)]
                self.read([part for n in fields for part in (n.target, n.annotation)])
            for name, value in ast.iter_fields(node):
                self._field(name, value)
            self.text.append(")")
        else:
            self.text.append(repr(node))

    def _field(self, name: str, value: Any) -> None:
        if name in {"annotation", "returns"}:
            self._annotation(value)
        elif name == "decorator_list":
            for decorator in value:
                called = getattr(decorator, "func", decorator)
                if getattr(called, "id", getattr(called, "attr", "")) in DECLARE:
                    self.read([k.value for k in decorator.keywords if k.arg in INPUTS])
                else:
                    self.read(decorator)
        elif name not in IGNORED and value is not None and value != []:
            self.text.append(name)
            match value:
                case [ast.Expr(value=ast.Constant(value=str())), *rest]:  # a docstring
                    self.read(rest)
                case _:
                    self.read(value)

    def imports(self, node: ast.Import | ast.ImportFrom) -> dict[str, Any]:
        """What names an import binds to something of the project, or its user."""
        if isinstance(node, ast.ImportFrom):
            found = _module(_imported_from(node, self.known))
            return {
                a.asname or a.name: getattr(found, a.name, MISSING) for a in node.names if found
            }
        modules = {a.asname or a.name.partition(".")[0]: a for a in node.names if _module(a.name)}
        return {n: _module(a.name if a.asname else n) for n, a in modules.items()}

    def _annotation(self, node: ast.AST | None) -> None:
        """Refers to the classes of the project that an annotation names; its text is left out."""
        for name in ast.walk(node) if node is not None else ():
            if isinstance(name, NAMES):
                value = self._value(name, self.known)
                if isinstance(value, type) and _is_ours(_file_of(value)):
                    self.parts.append(value)

    def _value(self, node: ast.AST, names: Mapping[str, Any] | None = None) -> Any:
        """What a name or an attribute of a module stands for, by default where it stands; MISSING
        if it is local or unknown."""
        if isinstance(node, ast.Name) and not node.id.startswith("__"):
            if names is None:
                outside = (node.lineno, node.id) in self.globals
                names = self.known if outside else self.imported
            return names.get(node.id, MISSING)
        if isinstance(node, ast.Attribute):
            module = self._value(node.value, names)
            if isinstance(module, ModuleType) and _is_ours(_file_of(module)):
                return getattr(module, node.attr, MISSING)
        return MISSING

    def _resolved(self, node: Any) -> bool:
        """Refers to what a name stands for, rather than to the name, if it belongs to the
        project."""
        value = self._value(node)
        if value is MISSING:
            return False
        if isinstance(value, ModuleType):
            self.text.append(value.__name__)
            return True
        if isinstance(value, DEFINED):
            # A decorator of a library may have put a function of its own around one of ours.
            module = sys.modules.get(value.__module__ or "", sys)
            if not (_is_ours(_file_of(value)) or _is_ours(_file_of(module))):
                return False
            self.parts.append(value)
        else:
            attribute = isinstance(node, ast.Attribute)
            holder = vars(self._value(node.value)) if attribute else self.known
            expressions = _constant(holder, node.attr if attribute else node.id)
            self.parts.append(expressions or value)
            if isinstance(value, CONTAINERS):  # as it is now
                self.parts.append(value)
        self.text.append("@")
        return True
