"""report.json: the result of one run, as a document that outlives it.

`python -m theory_checks report --schema` prints its JSON schema. The version of the format is the
field `schema`; it changes when a reader of old documents would misread new ones.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from theory_checks.checking.claim import with_dependencies
from theory_checks.checking.record import BROKEN, Record, Whole
from theory_checks.report.serial import plain, restored, schema
from theory_checks.report.words import natural, plural, shortened

SCHEMA = "2"
FILE = "report.json"
EXIT_UNDECIDED = 6  # exit status if no claim is violated or in error, but not all hold


@dataclass(frozen=True)
class Share:
    """One claim's line in the error budget.

    id: of the claim
    share: its part of alpha; 0 for exact claims
    inputs: the largest number of inputs that it may try
    reason: of both numbers
    """

    id: str
    share: float
    inputs: Whole
    reason: str


@dataclass(frozen=True)
class Report:
    """The result of one run.

    schema: version of this format
    created: when the run began, ISO 8601 in UTC
    subject: the Subject under test, module:NAME
    profile: how much evidence was gathered
    device: where training ran
    seed: determines every draw of the run
    alpha: bound on the probability of any false alarm in the run
    command: the command line
    environment: versions, platform and number of processors
    commit: of git; empty outside a repository
    dirty: whether there were uncommitted changes or untracked files; null outside a repository
    seconds: wall time, so far if the run is not complete
    complete: false while the run goes on, and if it ended before every claim was checked
    ledger: how alpha is divided among the claims
    records: one for each claim that was selected
    """

    schema: Annotated[str, {"enum": (SCHEMA,)}]
    created: str
    subject: str
    profile: str
    device: str
    seed: Whole
    alpha: float
    command: str
    environment: Mapping[str, str]
    commit: str
    dirty: bool | None
    seconds: float
    complete: bool
    ledger: tuple[Share, ...]
    records: tuple[Record, ...]

    def __getitem__(self, claim_id: str) -> Record:
        """The record of a claim. Raises KeyError, which names those there are, if it has none."""
        if claim_id not in self.verdicts:
            raise KeyError(f"{claim_id}: no record; there are {', '.join(self)}")
        return {record.id: record for record in self.records}[claim_id]

    def __iter__(self) -> Iterator[str]:
        """The ids of the claims, in the order of their records."""
        return iter(self.verdicts)

    def __contains__(self, claim_id: object) -> bool:
        return claim_id in self.verdicts

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict on each claim, by id."""
        return {record.id: record.verdict for record in self.records}

    @property
    def violated(self) -> tuple[str, ...]:
        """The ids of the violated claims."""
        return tuple(
            claim_id for claim_id, verdict in self.verdicts.items() if verdict == "violated"
        )

    def _repr_html_(self) -> str:
        """The page, as a notebook shows it."""
        from theory_checks.report.page import render

        page = html.escape(render(self))
        return f'<iframe srcdoc="{page}" width="100%" height="800" frameborder="0"></iframe>'

    def to_json(self) -> str:
        """The document. It adds `suspects`, which follows from the records, for other programs.

        Indented only once it is complete: until then it is written again and again, and the fast
        encoder cannot indent.
        """
        document = {**plain(self), "suspects": plain(suspects(self.records))}
        return json.dumps(document, allow_nan=False, indent=1 if self.complete else None)


def document_schema() -> dict[str, Any]:
    """The JSON schema of report.json, from the fields of Report and their descriptions."""
    definitions: dict[str, Any] = {}
    schema(Report, definitions)
    top = definitions.pop("Report")
    top["properties"]["suspects"] = {
        **schema(Mapping[str, tuple[str, ...]], definitions),
        "description": "for each claim that builds on broken ones (violated or in error), directly"
        " or not: their ids; follows from the records",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:moe-theory-checks:report:{SCHEMA}",
        "title": f"Report of a run of theory checks, version {SCHEMA}",
        **top,
        "required": list(top["properties"]),
        "$defs": definitions,
    }


def read_report(path: Path) -> Report:
    """The report in a file, or in the directory that holds it.

    Raises ValueError, which names the file and what is wrong with it.
    """
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
            f"{path}: report schema {shortened(document['schema'])}, but this version of"
            f" theory_checks reads {SCHEMA!r}; run the checks again to get a new report"
        )
    document.pop("suspects", None)
    try:
        report: Report = restored(Report, document, "report")
        (twice, times), *_ = [*Counter(r.id for r in report.records).most_common(1), ("", 0)]
        if times > 1:
            raise ValueError(f"report.records has {times} records of {shortened(twice)}")
    except ValueError as error:
        raise ValueError(f"{path}: not a report of theory checks, {error}") from error
    return report


def headline(report: Report) -> str:
    """The verdict of the whole run in one sentence."""
    verdicts, total = Counter(r.verdict for r in report.records), len(report.records)
    claims = plural(total, "claim")
    if not total:
        return "No claim was checked."
    if verdicts["holds"] == total:
        return "The claim holds." if total == 1 else f"All {claims} hold."
    undecided = total - verdicts["holds"] - sum(verdicts[verdict] for verdict in BROKEN)
    parts = [
        f"{n} {'is' if n == 1 else 'are'} {what}"
        for n, what in (
            (verdicts["violated"], "violated"),
            (verdicts["error"], "in error (the code under test raised)"),
            (undecided, "undecided"),
        )
        if n
    ]
    parts[0] = parts[0].replace(" ", f" of {claims} ", 1)
    nothing_worse = "" if any(verdicts[v] for v in BROKEN) else "No claim is violated; "
    return f"{nothing_worse}{', '.join(parts)}."


def suspects(records: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    """For each claim that builds on broken ones, directly or not: those; all in the order of ids.

    If a lemma is broken, what was derived from it is in doubt whatever its own verdict; if that is
    `violated` too, the lemma may be the cause.
    """
    by_id = {record.id: record for record in sorted(records, key=lambda r: natural(r.id))}
    suspect = {}
    for claim_id, record in by_id.items():
        below = with_dependencies(record.depends_on, by_id)
        if broken := tuple(lemma for lemma in by_id if lemma in below and by_id[lemma].broken):
            suspect[claim_id] = broken
    return suspect


def origins(suspect: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Of the broken claims that each suspect builds on, those that are no suspects themselves:
    where to start."""
    return {
        claim_id: tuple(lemma for lemma in lemmas if lemma not in suspect)
        for claim_id, lemmas in suspect.items()
    }
