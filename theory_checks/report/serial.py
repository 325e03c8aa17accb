"""Dataclasses to JSON and back, and the JSON schema of what comes out.

All three follow the types of the fields; the schema takes its descriptions from docstrings that
give one field a line. Fields may be dataclasses, mappings from strings, tuples, sequences, unions,
string enumerations, bool, int, float and str. `Annotated` adds keywords of JSON schema, of which
`enum` and `minimum` are checked on the way back. Dataclasses in a union differ in the default of
their field `type`.

msgspec writes infinities and NaN as null, and pydantic takes 70 ms to import at every start of a
run; neither reads descriptions from such docstrings.
"""

from __future__ import annotations

import inspect
import math
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from theory_checks.report.words import shortened

WHOLE_OR_TEXT = (bool, int, str, type(None))  # the most frequent types, so tested first
NOT_FINITE = ("inf", "-inf", "nan")
SCALARS = {bool: (bool,), int: (int,), str: (str,), float: (int, float)}  # as JSON has them
FIELD = re.compile(r"([a-z_]\w*(?:, [a-z_]\w*)*): (.+)")


def plain(value: Any) -> Any:
    """The value as JSON has it; numbers that JSON lacks (infinities, NaN) become strings."""
    if isinstance(value, WHOLE_OR_TEXT):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    number = float(value)
    return number if math.isfinite(number) else str(number)


def restored(kind: Any, value: Any, where: str) -> Any:
    """The value of this type from which `plain` made `value`.

    where: the place of the value in its document, for the error message

    Raises ValueError, which names the place, if the value does not fit the type.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _restored_fields(kind, value, where)
    if origin is Annotated:
        base, limits = inner
        found = restored(base, value, where)
        if found not in limits.get("enum", (found,)):
            raise ValueError(
                f"{where} is {shortened(value)}, needs one of {', '.join(limits['enum'])}"
            )
        if found < limits.get("minimum", found):
            raise ValueError(f"{where} is {found}, needs at least {limits['minimum']}")
        return found
    if origin in (types.UnionType, Union):
        if value is None and type(None) in inner:
            return None
        tag = value.get("type") if isinstance(value, Mapping) else None
        chosen = [k for k in inner if getattr(k, "type", None) == tag] or inner
        return restored(chosen[0], value, where)
    if origin in (tuple, Sequence) and isinstance(value, list):
        kinds = inner if origin is tuple and inner[-1] is not ... else inner[:1] * len(value)
        if len(kinds) == len(value):
            return tuple(
                restored(k, entry, f"{where}[{i}]")
                for i, (k, entry) in enumerate(zip(kinds, value, strict=True))
            )
    elif origin is Mapping and isinstance(value, Mapping):
        return {
            name: restored(inner[1], entry, f"{where}[{name!r}]") for name, entry in value.items()
        }
    elif (
        type(value) in SCALARS.get(kind, ())
        or (kind is float and value in NOT_FINITE)
        or (isinstance(kind, type) and issubclass(kind, Enum) and value in list(kind))
    ):
        return kind(value)
    raise ValueError(f"{where} is {shortened(value)}, needs {getattr(kind, '__name__', kind)}")


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _restored_fields(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is {shortened(value)}, needs an object")
    hints = _hints(kind)
    if unknown := set(value) - set(hints):
        raise ValueError(f"{where} has {sorted(unknown)[0]!r}, which is unknown here")
    entries = {
        name: restored(hints[name], entry, f"{where}.{name}") for name, entry in value.items()
    }
    try:
        return kind(**entries)
    except TypeError as error:  # fields without a default are missing
        raise ValueError(f"{where}: {str(error).partition('() ')[2]}") from None


def schema(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of what `plain` makes of a value of this type.

    definitions: receives the schemas that this one refers to, by name
    """
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        name = kind.__name__
        if name not in definitions:
            definitions[name] = {}  # known before its fields are, which may contain it
            texts = field_texts(kind)
            definitions[name] = {
                "type": "object",
                "description": " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()),
                "properties": {
                    field: {**schema(hint, definitions), "description": texts[field]}
                    for field, hint in _hints(kind).items()
                },
                "required": list(_hints(kind)),
                "additionalProperties": False,
            }
        return {"$ref": f"#/$defs/{name}"}
    if origin is Annotated:
        return {**schema(inner[0], definitions), **plain(inner[1])}
    if origin in (types.UnionType, Union):
        return {"anyOf": [schema(k, definitions) for k in inner]}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": schema(inner[1], definitions)}
    if origin is Sequence or inner[1:] == (...,):
        return {"type": "array", "items": schema(inner[0], definitions)}
    if origin is tuple:
        items = [schema(k, definitions) for k in inner]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    if issubclass(kind, Enum):
        return {"enum": [member.value for member in kind]}
    if kind is float:
        definitions["number"] = {
            "description": "A number; infinities and NaN, which JSON lacks, as strings.",
            "anyOf": [{"type": "number"}, {"enum": list(NOT_FINITE)}],
        }
        return {"$ref": "#/$defs/number"}
    names = {bool: "boolean", int: "integer", str: "string", type(None): "null"}
    return {"type": names[kind]}


def field_texts(described: Any) -> dict[str, str]:
    """What a docstring says of each field or parameter: its paragraphs of lines `name: text`, or
    `name, name: text`, where longer texts go on in lines that are indented."""
    texts: dict[str, str] = {}
    for paragraph in (inspect.getdoc(described) or "").split("\n\n")[1:]:
        entries = re.sub(r"\n\s+", " ", paragraph).split("\n")
        matches = [FIELD.fullmatch(entry) for entry in entries]
        if all(matches):
            for match in filter(None, matches):
                texts |= dict.fromkeys(match[1].split(", "), match[2])
    return texts
