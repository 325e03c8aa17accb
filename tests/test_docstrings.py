"""Docstrings that give one field or parameter a line name those that there are.

That every field of a report has its line is tested with the report's schema, which is made from
them. Parameters need a line only where name and type do not explain them.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from types import FunctionType
from typing import Any

import pytest

import core
import theory_checks
from theory_checks.report.serial import field_texts

MODULES = [
    module.name
    for package in (core, theory_checks)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not module.name.endswith("__main__")
]


def defined_in(module: str) -> Iterator[Any]:
    """Every function and class that the module defines, and their methods."""
    pending: list[Any] = list(vars(importlib.import_module(module)).values())
    while pending:
        value = pending.pop()
        if isinstance(value, type | FunctionType) and value.__module__ == module:
            yield value
            pending += vars(value).values() if isinstance(value, type) else ()


def explained_but_absent(value: Any) -> set[str]:
    """Names that the docstring explains, though neither a parameter nor a field is called so."""
    if is_dataclass(value):
        return set(field_texts(value)) - {field.name for field in fields(value)}
    function = value.__init__ if isinstance(value, type) else value
    return set(field_texts(value)) - set(inspect.signature(function).parameters)


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_explain_what_there_is(module: str) -> None:
    wrong = {value.__qualname__: explained_but_absent(value) for value in defined_in(module)}
    assert {name: names for name, names in wrong.items() if names} == {}


def test_a_name_that_is_gone_would_be_noticed() -> None:
    def function(x: int) -> None:
        """Does nothing.

        x: a number
        y, z: parameters that are gone,
            though explained
        """

    @dataclass
    class Point:
        """A point.

        x: to the right
        z: in depth
        """

        x: float

    assert explained_but_absent(function) == {"y", "z"}
    assert explained_but_absent(Point) == {"z"}
    assert field_texts(function)["z"] == "parameters that are gone, though explained"
