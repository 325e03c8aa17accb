"""Faults of core that no ingredient can express: edits of its source, made in a copy of core that a
process of its own imports."""

import ast
import shutil
from dataclasses import dataclass
from pathlib import Path

import core
import theory_checks

SOURCE = Path(theory_checks.__path__[0]).parent / core.__name__  # of core as it is


@dataclass(frozen=True)
class Edit:
    """What is replaced in one file of core.

    file: its name, like "training.py".
    before: an expression or a statement that occurs in it exactly once, however it is laid out.
    after: what takes its place.
    """

    file: str
    before: str
    after: str

    def applied(self, source: str) -> str:
        """The source of the file with the edit, without comments.

        Raises ValueError, which names the edit, unless the target occurs exactly once.
        """
        tree = ast.parse(source)
        target = _Replacement(_parsed(self.before), _parsed(self.after))
        edited = ast.fix_missing_locations(target.visit(tree))
        if target.count != 1:
            raise ValueError(
                f"core/{self.file} has {target.count} times what an edit replaces, needs it once:"
                f" {self.before}"
            )
        return ast.unparse(edited)

    def write_copy(self, folder: Path) -> None:
        """Writes a copy of core with the edit into the folder.

        Raises ValueError as `applied`.
        """
        copy = folder / SOURCE.name
        shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy / self.file).write_text(self.edited(), encoding="utf-8")

    def is_made(self) -> bool:
        """Whether this process has imported core with the edit."""
        imported = Path(core.__path__[0]) / self.file
        return imported.read_text(encoding="utf-8") == self.edited()

    def edited(self) -> str:
        """The source of the file with the edit. Raises ValueError as `applied`."""
        return self.applied((SOURCE / self.file).read_text(encoding="utf-8"))


class _Replacement(ast.NodeTransformer):
    """Replaces the nodes that are equal to one, and counts them."""

    def __init__(self, before: ast.AST, after: ast.AST) -> None:
        self.kind, self.before, self.after = type(before), ast.dump(before), after
        self.count = 0

    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, self.kind) and ast.dump(node) == self.before:
            self.count += 1
            return self.after
        return super().visit(node)


def _parsed(code: str) -> ast.AST:
    """An expression or a statement."""
    (statement,) = ast.parse(code).body
    return statement.value if isinstance(statement, ast.Expr) else statement
