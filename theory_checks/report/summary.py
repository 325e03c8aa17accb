"""summary.md: the report for a pull request, in the Markdown that GitHub renders."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from theory_checks.checking.record import MORE_THAN_CHANCE, Record, more_than_chance, number
from theory_checks.report.document import BROKEN, Report, headline, origins, suspects
from theory_checks.report.tables import JointTable, joint_tables
from theory_checks.report.terminal import counts, cut, in_order, tally, told

if TYPE_CHECKING:
    from theory_checks.report.compare import Comparison

MARKS = {
    "violated": "❌",
    "error": "💥",
    "not run": "🚫",
    "vacuous": "⚪",
    "inconclusive": "❔",
    "holds": "✅",
}
LONGEST = 1000  # characters of an input or a message: GitHub cuts comments off at 65536


def markdown(report: Report, comparison: Comparison | None = None) -> str:
    """The summary: the verdict of the whole, what is broken and how to see it, what is undecided,
    what changed, all claims.

    A claim that is broken together with one that it builds on is told in a line: the failure of
    that one says more.
    """
    records, suspect = in_order(report.records), suspects(report.records)
    origin = origins(suspect)
    broken = [record for record in records if record.verdict in BROKEN]
    mark = MARKS[records[0].verdict] if records else ""
    blocks = [f"## {mark} {headline(report)}", about(report), counts(records)[0] + "."]
    blocks += [failure(record, suspect) for record in broken if record.id not in suspect]
    for title, chosen in (
        ("Broken too, and building on what is broken", [r for r in broken if r.id in suspect]),
        ("Undecided", [r for r in records if r.verdict not in (*BROKEN, "holds")]),
        (
            "Suspect: they hold, but build on what is broken",
            [r for r in records if r.verdict == "holds" and r.id in suspect],
        ),
    ):
        if chosen:
            blocks += [f"### {title}", "\n".join(f"- {line(record, origin)}" for record in chosen)]
    if comparison is not None:
        blocks += compared(comparison)
    for joint in joint_tables(records):
        blocks += [
            f"<details><summary>{joint.title}</summary>",
            joint_table(joint),
            plain_text(joint.caption),
            "</details>",
        ]
    blocks += ["<details><summary>All claims</summary>", table(records), "</details>"]
    return "\n\n".join(blocks) + "\n"


def about(report: Report) -> str:
    """What was run, where and when."""
    changes = {True: " with uncommitted changes", False: "", None: ""}[report.dirty]
    commit = f", commit {report.commit[:12]}{changes}" if report.commit else ""
    ended = "" if report.complete else "; **the run ended early**"
    run = f"Subject `{report.subject}`, profile {report.profile}, seed {report.seed}"
    return f"{run}, {report.created}, {report.seconds:.0f} s{commit}{ended}."


def failure(record: Record, suspect: Mapping[str, Sequence[str]]) -> str:
    """A broken claim: what it says, what was found, how to see it."""
    dependants = [id for id, lemmas in suspect.items() if record.id in lemmas]
    items = [
        f"observed **{number(record.observed)}**, bound {number(record.bound)}:"
        f" {plain_text(record.detail)}"
    ]
    if record.verdict == "error":
        items = [plain_text(record.detail)]
    if more_than_chance(record):
        items.append(MORE_THAN_CHANCE)
    if record.given:
        items.append(f"given {plain_text(record.given)}")
    if record.worst_case:
        items.append(f"smallest input found: {code(record.worst_case)}")
    if dependants:
        items.append(f"claims that build on it: {', '.join(dependants)}")
    found = "\n".join(f"- {item}" for item in items)
    title = f"### {MARKS[record.verdict]} {record.id} {record.verdict}"
    return (
        f"{title}\n\n{plain_text(record.statement)}"
        f" ({plain_text(record.source)})\n\n{found}\n\n```bash\n{record.command}\n```"
    )


def line(record: Record, origin: Mapping[str, Sequence[str]]) -> str:
    """A claim in one line."""
    builds_on = f" (builds on {', '.join(origin[record.id])})" if record.id in origin else ""
    detail = (
        "" if record.verdict == "holds" or not record.detail else f" — {plain_text(record.detail)}"
    )
    return (
        f"{MARKS[record.verdict]} **{record.id}** {record.verdict}{builds_on}:"
        f" {plain_text(record.statement)}{detail}"
    )


def compared(comparison: Comparison) -> list[str]:
    """What changed since the baseline, worse first."""
    rows = [
        f"| {change.id} | {'⚠️ ' if change.worse else ''}{change.kind} |"
        f" {plain_text(told(change))} |"
        for change in sorted(comparison.changes, key=lambda change: not change.worse)
        if change.kind != "unchanged"
    ]
    found = ["### Since the baseline", plain_text(tally(comparison)) + "."]
    return [*found, "\n".join(["| | change | |", "|---|---|---|", *rows])] if rows else found


def table(records: Sequence[Record]) -> str:
    """All claims, a row each."""
    rows = [
        "| | verdict | observed | bound | tightness | resolution | samples | claim |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for r in records:
        numbers = (
            number(r.observed),
            number(r.bound),
            number(r.tightness, 2),
            number(r.resolves, 2),
            str(r.samples),
        )
        rows.append(
            f"| {r.id} | {MARKS[r.verdict]} {r.verdict} | {' | '.join(numbers)} |"
            f" {plain_text(r.statement)} |"
        )
    return "\n".join(rows)


def joint_table(joint: JointTable) -> str:
    """A table that several claims fill together."""
    rows = [
        f"| | {' | '.join(map(plain_text, joint.columns))} | |",
        f"|---|{'--:|' * len(joint.columns)}---|",
    ]
    for row in joint.rows:
        shares = ["" if value != value else f"{100 * value:.0f} %" for value in row.values]
        rows.append(
            f"| {plain_text(row.name)} | {' | '.join(shares)} |"
            f" {row.ids[0] if len(row.ids) == 1 else ''} |"
        )
    return "\n".join(rows)


def plain_text(text: str) -> str:
    """The text so that Markdown shows it as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#$~&])", r"\\\1", cut(" ".join(text.split()), LONGEST))


def code(text: str) -> str:
    """The text in a fixed-width font, as it is."""
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{ticks} {cut(text, LONGEST)} {ticks}"
