"""The record of a verdict: what travels from a worker to the report, as one JSON string."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

PROPERTY = "theory-record"
NOT_RUN = "not run"


@dataclass(frozen=True)
class Record:
    """All that a run found out about one claim; the fields of `theory_checks.evidence.Evidence` are those of the worst case.

    verdict: holds, violated, inconclusive, vacuous, error or not run; examples: inputs judged; discarded: inputs that did not meet
    the hypotheses; samples: draws over all inputs; met, tried: how many of the draws that were counted met the hypotheses; visited:
    what the inputs covered; worst_case: the input with the tightest (or violated, then smallest) evidence; measured: one line for
    each of the first inputs that were sampled; pictures: of the worst case, as `theory_checks.pictures.to_plain` gives them;
    undrawn: why there are none, if drawing them failed.
    """

    id: str
    verdict: str
    statement: str = ""
    kind: str = ""
    given: str = ""
    source: str = ""
    depends_on: tuple[str, ...] = ()
    observed: float | None = None
    bound: float | None = None
    margin: float | None = None
    tightness: float | None = None
    resolution: float | None = None
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
    pictures: tuple[Mapping[str, Any], ...] = ()
    undrawn: str = ""
    seconds: float = 0.0
    seed: int = 0
    command: str = ""

    def to_json(self) -> str:
        """One JSON string; numbers that JSON lacks (infinity, NaN) become strings."""
        return json.dumps(_plain(asdict(self)), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "Record":
        """The inverse of `to_json`, up to the type of sequences. Raises ValueError if the text is no record."""
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"not a record of a claim: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else str(number)


def number(value: Any, digits: int = 3) -> str:
    """A number for people: a few significant digits, a dash for none."""
    return "-" if value is None else f"{float(value):.{digits}g}"
