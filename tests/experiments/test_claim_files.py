"""What stands in a file of claims, and that a name means one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

import theory_checks

FOLDER = Path(theory_checks.__file__).parent
CLAIM_FILES = sorted(FOLDER.glob("test_*.py"))
in_claim_files = pytest.mark.parametrize("path", CLAIM_FILES, ids=lambda path: path.stem)


def imported(tree: ast.AST) -> set[str]:
    """The modules that a file imports, or imports from, anywhere in it, and what from them."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=module, names=names, level=level):
                found |= {f"{'.' * level}{module or ''}.{alias.name}" for alias in names}
    return found


@in_claim_files
def test_no_file_of_claims_imports_another(path: Path) -> None:
    others = {other.stem for other in CLAIM_FILES}
    modules = imported(ast.parse(path.read_text(encoding="utf-8")))
    assert not {name for name in modules if others & set(name.split("."))}


def test_imports_of_every_kind_are_seen() -> None:
    source = "import a.b\nfrom . import c\nfrom d import e\ndef f():\n    from .g import h as i"
    assert imported(ast.parse(source)) == {"a.b", "..c", "d.e", ".g.h"}


@in_claim_files
def test_a_file_of_claims_holds_claims_only(path: Path) -> None:
    """Beside them the levels that they state, and which hypotheses a control drops."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    claims = [node for node in functions if node.decorator_list]
    dropped = {
        keyword.value.id
        for node in claims
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        for keyword in decorator.keywords
        if keyword.arg == "controls" and isinstance(keyword.value, ast.Name)
    }
    assert claims
    assert {node.name for node in functions if not node.decorator_list} == dropped
    assert not [node for node in tree.body if isinstance(node, ast.ClassDef)]


def constants(folder: Path) -> dict[str, list[Path]]:
    """The files that give a constant its value, by its name."""
    found = defaultdict(list)
    for path in folder.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
                for name in filter(str.isupper, names):
                    found[name].append(path.relative_to(folder))
    return found


def test_a_constant_of_claims_experiments_and_evidence_has_its_name_for_itself() -> None:
    everywhere = constants(FOLDER)
    assert {"FRESH", "CLEAR_GAP"} <= everywhere.keys()
    elsewhere = {"checking", "commands", "faults", "report"}
    shared = {
        name: files
        for name, files in everywhere.items()
        if len(files) > 1 and not {path.parts[0] for path in files} <= elsewhere
    }
    assert not shared


@pytest.mark.parametrize("path", [*CLAIM_FILES, *(FOLDER / "experiments").glob("*.py")], ids=str)
def test_no_check_is_given_its_part_of_alpha(path: Path) -> None:
    arguments = {
        argument.arg
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
    }
    assert not arguments & {"share", "alpha", "ledger"}
