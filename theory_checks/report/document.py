"""report.json: the result of one run, as a document that outlives it.

`python -m theory_checks report --schema` prints its JSON schema. The version of the format is the
field `schema`; it changes when a reader of old documents would misread new ones.
"""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from theory_checks.checking.record import Record
from theory_checks.report.results import FORMAT, Results, headline
from theory_checks.report.serial import restored, schema
from theory_checks.report.terminal import in_order
from theory_checks.report.words import shortened

FILE = "report.json"
# The status of a run in which no claim is violated or in error, but some are undecided; pytest has
# 0 to 6 for itself.
EXIT_UNDECIDED = 10


class Report(Results):
    """The results of one run, as people look at them: `report["R.5"]`, printed, in a notebook."""

    def __getitem__(self, claim_id: str) -> Record:
        """The record of a claim. Raises KeyError, which names those there are, if it has none."""
        for record in self.records:
            if record.id == claim_id:
                return record
        raise KeyError(f"{claim_id}: no record; there are {', '.join(self)}")

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
        return tuple(record.id for record in self.records if record.verdict == "violated")

    def __repr__(self) -> str:
        """The verdict of the run, and a line for each claim that does not hold, worst first."""
        failing = (r for r in in_order(self.records) if not (r.passed or r.says_nothing))
        return "\n".join(
            [headline(self), *(f"{r.id} {r.verdict}: {r.statement or r.detail}" for r in failing)]
        )

    def _repr_html_(self) -> str:
        """The page, as a notebook shows it."""
        from theory_checks.report.page import render  # slow to import, so not at the start of a run

        page = html.escape(render(self))
        return f'<iframe srcdoc="{page}" width="100%" height="800" frameborder="0"></iframe>'


def document_schema() -> dict[str, Any]:
    """The JSON schema of report.json, from the fields of Results and their descriptions."""
    definitions: dict[str, Any] = {}
    schema(Results, definitions)
    top = definitions.pop("Results")
    top["properties"]["suspects"] = {
        **schema(Mapping[str, tuple[str, ...]], definitions),
        "description": "for each claim that builds on broken ones (violated or in error), directly"
        " or not: their ids; follows from the records",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:moe-theory-checks:report:{FORMAT}",
        "title": f"Report of a run of theory checks, version {FORMAT}",
        **top,
        "required": list(top["properties"]),
        "$defs": definitions,
    }


def read_report(path: Path) -> Report:
    """The report in a file, or in the directory that holds it.

    Raises ValueError, which names the file and what is wrong with it.
    """
    try:
        path = path / FILE if path.is_dir() else path
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON, perhaps truncated ({error})") from error
    if not isinstance(document, dict) or "schema" not in document:
        raise ValueError(f"{path}: not a report of theory checks, it has no field 'schema'")
    if document["schema"] != FORMAT:
        raise ValueError(
            f"{path}: report schema {shortened(document['schema'])}, but this version of"
            f" theory_checks reads {FORMAT!r}; run the checks again to get a new report"
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
