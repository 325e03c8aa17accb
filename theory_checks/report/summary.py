"""summary.md: the report for a pull request, in the Markdown that GitHub renders."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from theory_checks.checking.record import Record
from theory_checks.report.results import Results, headline, origins, suspects
from theory_checks.report.tables import JointTable, joint_tables
from theory_checks.report.terminal import counts, described, in_order, tally
from theory_checks.report.words import SMALL_BUT_SIGNIFICANT, VERDICT_WORDS, cut, number, percent

if TYPE_CHECKING:
    from theory_checks.report.compare import Comparison

LONGEST = 1000  # characters of an input or a message: GitHub cuts comments off at 65536


def markdown(report: Results, comparison: Comparison | None = None) -> str:
    """The summary: the verdict of the run, broken claims with how to replay them, undecided claims,
    changes, all claims.

    A broken claim that builds on another broken one gets one line: the failure of that one says
    more.
    """
    records, suspect = in_order(report.records), suspects(report.records)
    origin = origins(suspect)
    mark = VERDICT_WORDS[records[0].verdict].mark if records else ""
    blocks = [f"## {mark} {headline(report)}", about(report), counts(records)[0] + "."]
    blocks += [failure(r, suspect) for r in records if r.broken and r.id not in suspect]
    for title, chosen in (
        (
            "Also violated or in error, but they build on the claims above",
            [r for r in records if r.broken and r.id in suspect],
        ),
        ("Undecided", [r for r in records if not r.broken and r.verdict != "holds"]),
        (
            "Suspect: they hold, but build on claims that are violated or in error",
            [r for r in records if r.verdict == "holds" and r.id in suspect],
        ),
    ):
        if chosen:
            blocks += [f"### {title}", "\n".join(f"- {line(record, origin)}" for record in chosen)]
    if comparison is not None:
        blocks += compared(comparison)
    for joint in joint_tables(records):
        blocks += folded(joint.title, joint_table(joint), plain_text(joint.caption))
    blocks += folded("All claims", table(records))
    return "\n\n".join(blocks) + "\n"


def folded(title: str, *blocks: str) -> list[str]:
    """Blocks that GitHub shows once the reader opens them."""
    return [f"<details><summary>{title}</summary>", *blocks, "</details>"]


def about(report: Results) -> str:
    """What was run, where and when."""
    changes = " with uncommitted changes" if report.dirty else ""
    commit = f", commit {report.commit[:12]}{changes}" if report.commit else ""
    ended = "" if report.complete else "; **the run ended early**"
    run = f"Subject `{report.subject}`, profile {report.profile}, seed {report.seed}"
    return f"{run}, {report.created}, {report.seconds:.0f} s{commit}{ended}."


def failure(record: Record, suspect: Mapping[str, Sequence[str]]) -> str:
    """A broken claim: its statement, what was observed, how to replay it."""
    dependants = [claim_id for claim_id, lemmas in suspect.items() if record.id in lemmas]
    observed = f"observed **{number(record.observed)}**, bound {number(record.bound)}: "
    items = [
        ("" if record.verdict == "error" else observed) + plain_text(record.detail),
        SMALL_BUT_SIGNIFICANT if record.violated_within_resolution else "",
        f"given {plain_text(record.given)}" if record.given else "",
        f"smallest violating input: {code(record.worst_case)}" if record.worst_case else "",
        f"claims that build on it: {', '.join(dependants)}" if dependants else "",
    ]
    listed = "\n".join(f"- {item}" for item in items if item)
    title = f"### {VERDICT_WORDS[record.verdict].mark} {record.id} {record.verdict}"
    command = f"\n\n```bash\n{record.command}\n```" if record.command else ""
    return (
        f"{title}\n\n{plain_text(record.statement)}"
        f" ({plain_text(record.source)})\n\n{listed}{command}"
    )


def line(record: Record, origin: Mapping[str, Sequence[str]]) -> str:
    """A claim in one line."""
    builds_on = f" (builds on {', '.join(origin[record.id])})" if record.id in origin else ""
    detail = (
        f" — {plain_text(record.detail)}" if record.verdict != "holds" and record.detail else ""
    )
    return (
        f"{VERDICT_WORDS[record.verdict].mark} **{record.id}** {record.verdict}{builds_on}:"
        f" {plain_text(record.statement)}{detail}"
    )


def compared(comparison: Comparison) -> list[str]:
    """What changed since the baseline, worse first."""
    rows = [
        f"| {c.id} | {'⚠️ ' if c.worse else ''}{c.kind} | {plain_text(described(c))} |"
        for c in comparison.worst_first()
    ]
    head = ["### Since the baseline", plain_text(tally(comparison)) + "."]
    return [*head, "\n".join(["| | change | |", "|---|---|---|", *rows])] if rows else head


def table(records: Sequence[Record]) -> str:
    """All claims, a row each."""
    rows = [
        "| | verdict | observed | bound | tightness | resolution | samples | claim |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for r in records:
        cells = (
            r.id,
            f"{VERDICT_WORDS[r.verdict].mark} {r.verdict}",
            number(r.observed),
            number(r.bound),
            number(r.tightness, 2),
            number(r.resolves, 2),
            str(r.samples),
            plain_text(r.statement),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def joint_table(joint: JointTable) -> str:
    """A table that several claims fill together."""
    rows = [
        f"| | {' | '.join(map(plain_text, joint.columns))} | |",
        f"|---|{'--:|' * len(joint.columns)}---|",
    ]
    for row in joint.rows:
        shares = ["" if math.isnan(value) else percent(value) for value in row.values]
        claim_id = row.ids[0] if len(row.ids) == 1 else ""
        rows.append(f"| {plain_text(row.name)} | {' | '.join(shares)} | {claim_id} |")
    return "\n".join(rows)


def plain_text(text: str) -> str:
    """The text, escaped so that Markdown shows it unchanged, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>|#$~&])", r"\\\1", cut(" ".join(text.split()), LONGEST))


def code(text: str) -> str:
    """The text in a fixed-width font, unchanged."""
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{ticks} {cut(text, LONGEST)} {ticks}"
