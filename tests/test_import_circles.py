"""Dependencies point one way: no module imports itself, however many others lie between."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def code(folder: Path) -> dict[str, str]:
    """The sources of all modules below the folder, by name: `p.__init__` of a package p."""
    return {
        ".".join(path.relative_to(folder).with_suffix("").parts): path.read_text(encoding="utf-8")
        for package in ("core", "theory_checks")
        for path in sorted(folder.glob(f"{package}/**/*.py"))
    }


def imports(node: ast.AST, package: str) -> Iterator[str]:
    """What is imported anywhere below the node, also within functions; except for the type checker,
    since that imports nothing when the program runs."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise):
                for statement in otherwise:
                    yield from imports(ast.Module([statement], []), package)
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                origin = resolve_name("." * level + (module or ""), package)
                yield from (f"{origin}.{alias.name}" for alias in names)
            case _:
                yield from imports(child, package)


def circle(modules: dict[str, str]) -> list[str]:
    """Modules each of which is imported by the next one, the last of which is the first; empty if
    there is no such circle."""

    def module_of(target: str) -> str:
        """The module of this name, or that which holds what has this name; else empty."""
        above = target.rpartition(".")[0]
        places = target, f"{target}.__init__", above, f"{above}.__init__"
        return next((place for place in places if place in modules), "")

    imported = {
        name: set(map(module_of, imports(ast.parse(source), name.rpartition(".")[0])))
        for name, source in modules.items()
    }
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_imports_go_in_a_circle() -> None:
    modules = code(ROOT)
    assert {"core.routing", "theory_checks.__init__", "theory_checks.report.page"} <= modules.keys()
    assert circle(modules) == []


@pytest.mark.parametrize(
    ("of_b", "found"),
    [
        ("from p.a import f", True),
        ("import p.a", True),
        ("def f():\n    if 1:\n        from p import a", True),
        ("from . import a", True),
        ("from .a import f", True),
        ("class C:\n    def f(self):\n        from p.a import f", True),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import p.a", True),
        ("if TYPE_CHECKING:\n    from p.a import f", False),
        ("import p", False),
        ("from p import x", False),
    ],
)
def test_a_circle_would_be_found(of_b: str, found: bool) -> None:
    modules = {"p.__init__": "", "p.a": "from p import b", "p.b": of_b}
    assert bool(circle(modules)) == found
