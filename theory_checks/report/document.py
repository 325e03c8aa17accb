"""report.json: what one run found, as a document that outlives it.

`report.schema.json`, beside this file, describes it. Its version is the field `schema`; it changes
when a reader of the old documents would misread the new ones.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from theory_checks.checking.record import ERROR, VERDICTS, Record, plain, restored, shortened

SCHEMA = "1"
BROKEN = ("violated", ERROR)
FILE = "report.json"
# the exit status of a run in which no claim is violated, but not all were found to hold
EXIT_UNDECIDED = 6


@dataclass(frozen=True)
class Report:
    """One run.

    created: when it began, ISO 8601 in UTC; device: as asked for; command: the command line;
    commit: of git, "" if there is none; dirty: whether there were uncommitted changes; seconds:
    wall time; complete: False while the run goes on, and if it ended early; ledger: id, share of
    alpha, inputs allowed and reason of every claim; records: one for each claim that was selected,
    `not run` if it left no evidence.
    """

    schema: str
    created: str
    subject: str
    profile: str
    device: str
    seed: int
    alpha: float
    command: str
    environment: Mapping[str, str]
    commit: str
    dirty: bool | None
    seconds: float
    complete: bool
    ledger: tuple[Mapping[str, Any], ...]
    records: tuple[Record, ...]

    def to_json(self) -> str:
        """The document; it adds `suspects`, which follows from the records, for readers that are
        not this program.

        Laid out for reading once it is complete: before, it is written again and again, and the
        fast encoder knows no layout.
        """
        document = {**plain(self), "suspects": plain(suspects(self.records))}
        return json.dumps(document, allow_nan=False, indent=1 if self.complete else None)


def read_report(path: Path) -> Report:
    """The report in a file, or in the directory that holds it. Raises ValueError that names the
    file and says what is wrong."""
    path = path / FILE if path.is_dir() else path
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON, perhaps truncated ({error})") from error
    if not isinstance(document, dict) or "schema" not in document:
        raise ValueError(f"{path}: not a report of theory checks, it has no field 'schema'")
    if document["schema"] != SCHEMA:
        raise ValueError(
            f"{path}: a report of schema {shortened(document['schema'])}, this version reads"
            f" {SCHEMA!r}; run the checks again"
        )
    document.pop("suspects", None)
    try:
        found: Report = restored(Report, document, "report")
        _require_sound(found.records)
    except ValueError as error:
        raise ValueError(f"{path}: not a report of theory checks, {error}") from error
    return found


def _require_sound(records: Iterable[Record]) -> None:
    """Raises ValueError unless every verdict is one and no claim has two."""
    seen: set[str] = set()
    for i, record in enumerate(records):
        if record.verdict not in VERDICTS:
            raise ValueError(
                f"report.records[{i}].verdict is {shortened(record.verdict)}, needs one of"
                f" {', '.join(VERDICTS)}"
            )
        if record.id in seen:
            raise ValueError(f"report.records[{i}] is a second record of {shortened(record.id)}")
        seen.add(record.id)


def headline(report: Report) -> str:
    """The verdict of the whole run in one sentence."""
    found, total = Counter(record.verdict for record in report.records), len(report.records)
    claims = "1 claim" if total == 1 else f"{total} claims"
    undecided = total - found["holds"] - sum(found[verdict] for verdict in BROKEN)
    if not total:
        return "No claim was checked."
    if found["holds"] == total:
        return "The claim holds." if total == 1 else f"All {claims} hold."
    parts = [
        f"{number} {'is' if number == 1 else 'are'} {what}"
        for number, what in (
            (found["violated"], "violated"),
            (found["error"], "in error, since the code under test raised"),
            (undecided, "undecided"),
        )
        if number
    ]
    parts[0] = parts[0].replace(" ", f" of {claims} ", 1)
    nothing_worse = "" if found["violated"] or found["error"] else "No claim is violated; "
    return f"{nothing_worse}{', '.join(parts)}."


def suspects(records: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    """For each claim that builds on broken ones (violated or in error), directly or not: those, in
    the order of the records.

    What a broken lemma implies is not known any more, whatever its own verdict; if that is
    `violated` too, the lemma may be why.
    """
    by_id = {record.id: record for record in records}
    found = {}
    for id in by_id:
        below = _builds_on(id, by_id)
        broken = tuple(
            lemma for lemma in by_id if lemma in below and by_id[lemma].verdict in BROKEN
        )
        if broken:
            found[id] = broken
    return found


def origins(suspect: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Of the broken claims that each suspect builds on, those that build on no broken one
    themselves: where to look first."""
    return {
        id: tuple(lemma for lemma in lemmas if lemma not in suspect)
        for id, lemmas in suspect.items()
    }


def _builds_on(id: str, records: Mapping[str, Record]) -> set[str]:
    """All that a claim depends on, directly or not, as far as the records tell."""
    below: set[str] = set()
    pending = list(records[id].depends_on)
    while pending:
        lemma = pending.pop()
        if lemma not in below:
            below.add(lemma)
            pending.extend(records[lemma].depends_on if lemma in records else ())
    return below
