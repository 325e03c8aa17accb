"""summary.md: the report for a pull request, in the Markdown that GitHub renders."""

from __future__ import annotations

import re

from theory_checks.report.compare import Comparison
from theory_checks.report.page import templates
from theory_checks.report.results import Results, headline, origins, suspects
from theory_checks.report.tables import joint_tables
from theory_checks.report.terminal import counts, described, in_order, tally
from theory_checks.report.words import cut

LONGEST = 1000  # characters of an input or a message: GitHub cuts comments off at 65536


def markdown(results: Results, comparison: Comparison | None = None) -> str:
    """The summary: the verdict of the run, broken claims with how to replay them, undecided claims,
    changes, all claims.

    A broken claim that builds on another broken one gets one line: the failure of that one says
    more.
    """
    records, suspect = in_order(results.records), suspects(results.records)
    environment = templates()
    environment.filters |= {"plain_text": plain_text, "code": code}
    text = environment.get_template("summary.md").render(
        results=results,
        headline=headline(results),
        counts=[line for line in counts(records) if not line.startswith("suspect")],
        records=records,
        suspect=suspect,
        origin=origins(suspect),
        findings=[r for r in records if r.verdict == "finding"],
        listed={
            "Also violated or in error, but they build on the claims above": [
                r for r in records if r.broken and r.id in suspect
            ],
            "Undecided": [r for r in records if not (r.broken or r.passed or r.says_nothing)],
            "Suspect: they hold, but build on claims that are violated or in error": [
                r for r in records if r.passed and r.id in suspect
            ],
        },
        comparison=comparison,
        described=described,
        tally=tally,
        tables=joint_tables(records),
    )
    return f"{text.rstrip()}\n"


def plain_text(text: str) -> str:
    """The text, escaped so that Markdown shows it unchanged, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#$~&])", r"\\\1", cut(" ".join(text.split()), LONGEST))


def code(text: str) -> str:
    """The text in a fixed-width font, unchanged."""
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{ticks} {cut(text, LONGEST)} {ticks}"
