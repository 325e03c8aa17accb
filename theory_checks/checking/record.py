"""The record of a verdict: what travels from a worker to the report, as one JSON string."""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

NOT_RUN = "not run"
ERROR = "error"
VERDICTS = ("violated", ERROR, NOT_RUN, "vacuous", "inconclusive", "holds")  # worst first


@dataclass(frozen=True)
class Record:
    """All that a run found out about one claim; the fields of `theory_checks.evidence.Evidence` are
    those of the worst case.

    verdict: holds, violated, inconclusive, vacuous, error or not run; formula: the statement in
    LaTeX; hash: equal in two runs that checked the same claim in the same way; examples: inputs
    judged; discarded: inputs that did not meet the hypotheses; samples: draws over all inputs; met,
    tried: how many of the draws that were counted met the hypotheses; visited: what the inputs
    covered; coarsest: where the evidence is exact, but parts of the claim sample, resolution and
    false_pass of the part that resolves least; worst_case: the input with the tightest (or
    violated, then smallest) evidence; measured: one line for each of the first inputs that were
    sampled; pictures: of the worst case, as `theory_checks.checking.pictures.to_plain` gives them;
    undrawn: why there are none, if drawing them failed.

    path: (samples, running estimate of `observed`) in the worst case; averages: whether these are
    means of the draws so far. margins: of the worst case, first, and of others, by input and member
    of a conjunction: (margin, resolution, samples, spread), as in Evidence; two runs are compared
    by them.
    """

    id: str
    verdict: str
    statement: str = ""
    kind: str = ""
    given: str = ""
    source: str = ""
    depends_on: tuple[str, ...] = ()
    formula: str = ""
    derivation: str = ""
    hash: str = ""
    observed: float | None = None
    bound: float | None = None
    margin: float | None = None
    tightness: float | None = None
    resolution: float | None = None
    coarsest: tuple[float, float] | None = None
    detail: str = ""
    examples: int = 0
    discarded: int = 0
    samples: int = 0
    met: int = 0
    tried: int = 0
    false_alarm: float | None = None
    false_pass: float | None = None
    stopped: str = ""
    visited: Mapping[str, str] = field(default_factory=dict)
    worst_case: str = ""
    measured: tuple[str, ...] = ()
    path: tuple[tuple[float, float], ...] = ()
    averages: bool = False
    margins: Mapping[str, tuple[float, float, int, float]] = field(default_factory=dict)
    pictures: tuple[Mapping[str, Any], ...] = ()
    undrawn: str = ""
    seconds: float = 0.0
    seed: int = 0
    command: str = ""

    @property
    def resolves(self) -> float | None:
        """How small a violation would have been seen, whichever part of the claim it concerns."""
        return self.coarsest[0] if self.coarsest else self.resolution

    def to_json(self) -> str:
        """One JSON string; numbers that JSON lacks (infinity, NaN) become strings."""
        return json.dumps(plain(self), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """The inverse of `to_json`. Raises ValueError if the text is no record."""
        found: Record = restored(cls, json.loads(text), "record")
        return found


WHOLE_OR_TEXT = (bool, int, str, type(None))  # what most parts of a record are, so looked for first


def plain(value: Any) -> Any:
    """The value as JSON has it."""
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
    """The value of this type that `plain` gave. Raises ValueError, which says where, if it is none.

    Knows the types that records are made of: dataclasses, mappings from strings, tuples, unions
    with None, bool, int, float, str.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if is_dataclass(kind) and isinstance(kind, type):
        return _restored_fields(kind, value, where)
    if origin is types.UnionType:
        return None if value is None else restored(inner[0], value, where)
    if origin is tuple and isinstance(value, list):
        if inner[-1] is ...:
            return tuple(
                restored(inner[0], entry, f"{where}[{i}]") for i, entry in enumerate(value)
            )
        if len(value) == len(inner):
            return tuple(
                restored(k, entry, f"{where}[{i}]")
                for i, (k, entry) in enumerate(zip(inner, value, strict=True))
            )
    elif origin is Mapping and isinstance(value, Mapping):
        return {
            name: restored(inner[1], entry, f"{where}[{name!r}]") for name, entry in value.items()
        }
    elif (
        kind is float
        and not isinstance(value, bool)
        and (isinstance(value, int | float) or value in ("inf", "-inf", "nan"))
    ):
        return float(value)
    elif kind in (bool, int, str) and type(value) is kind:
        return value
    raise ValueError(f"{where} is {shortened(value)}, needs {getattr(kind, '__name__', kind)}")


def _restored_fields(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is {shortened(value)}, needs an object")
    hints = get_type_hints(kind)
    if unknown := set(value) - set(hints):
        raise ValueError(f"{where} has {sorted(unknown)[0]!r}, which is unknown here")
    try:
        return kind(
            **{
                name: restored(hints[name], entry, f"{where}.{name}")
                for name, entry in value.items()
            }
        )
    except TypeError as error:  # fields without a default that are missing
        raise ValueError(f"{where}: {str(error).partition('() ')[2]}") from None


def shortened(value: Any, length: int = 40) -> str:
    """The value for an error message."""
    text = repr(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


MORE_THAN_CHANCE = "less than what the run promises to see, but more than chance explains"


def more_than_chance(record: Record) -> bool:
    """Whether a violation is smaller than the resolution, so that the observed value seems to lie
    inside its bound."""
    return record.verdict == "violated" and (record.margin or 0.0) > 0


def number(value: Any, digits: int = 3) -> str:
    """A number for people: a few significant digits, a dash for none."""
    return "-" if value is None else f"{float(value):.{digits}g}"
