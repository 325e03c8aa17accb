"""The end of a run in the terminal: the table of claims, the suspects, the changes."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from theory_checks.checking.record import SAY_NOTHING, WORST_FIRST, Record
from theory_checks.report.results import origins, suspects
from theory_checks.report.words import SUSPECT, cut, natural, number, percent, plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from theory_checks.report.compare import Change, Comparison

MOST_SEEN = 3  # lines about what was seen of a violated claim
STATEMENT_WIDTH = 30  # characters that a statement needs; columns give way to it


@dataclass(frozen=True)
class Column:
    """One column of the table, as wide as what stands in it.

    name: its heading
    worth: on a narrow terminal the least worthy columns give way first
    cell: the text for a record
    align: < to the left, > to the right
    """

    name: str
    worth: int
    cell: Callable[[Record], str]
    align: str = ">"

    def texts(self, records: Sequence[Record]) -> list[str]:
        """The heading and the cells, all of one width."""
        cells = [self.name, *map(self.cell, records)]
        width = max(map(len, cells))
        return [f"{cell:{self.align}{width}}" for cell in cells]


COLUMNS = (
    Column("", 6, lambda r: r.id, align="<"),
    Column("verdict", 6, lambda r: r.verdict, align="<"),
    Column("observed", 5, lambda r: number(r.observed)),
    Column("", 4, lambda r: r.sense),
    Column("bound", 4, lambda r: number(r.bound), align="<"),
    Column("tight", 2, lambda r: number(r.tightness, 2)),
    Column("resolves", 3, lambda r: number(r.resolves, 2)),
    Column("samples", 1, lambda r: str(r.samples)),
    Column("s", 0, lambda r: f"{r.seconds:.0f}"),
)


def in_order(records: Iterable[Record]) -> list[Record]:
    """The worst verdicts first, then by id; broken claims that build on other broken ones follow
    those."""
    records = list(records)
    suspect = suspects(records)
    return sorted(
        records,
        key=lambda r: (WORST_FIRST.index(r.verdict), r.broken and r.id in suspect, natural(r.id)),
    )


def columns_for(width: int, records: Sequence[Record]) -> list[list[str]]:
    """The texts of the columns for which a terminal of this width has room beside the statement; at
    least id, verdict and observed."""
    texts = [column.texts(records) for column in COLUMNS]
    kept = list(range(len(COLUMNS)))
    for worth in sorted({column.worth for column in COLUMNS}):
        if sum(len(texts[i][0]) + 1 for i in kept) + STATEMENT_WIDTH <= width or worth >= 5:
            break
        kept = [i for i in kept if COLUMNS[i].worth != worth]
    return [texts[i] for i in kept]


def table(records: Iterable[Record], width: int) -> list[str]:
    """One line per claim, worst verdicts first, and lines of counts; at most `width` characters
    each. What is violated has lines of what was seen. Claims that say nothing are counted only."""
    ordered = in_order(records)
    listed = [r for r in ordered if not r.says_nothing]
    origin = origins(suspects(ordered))
    head, *rows = zip(*columns_for(width, listed), strict=True)
    lines = [" ".join([*head, " claim"])]
    for r, cells in zip(listed, rows, strict=True):
        doubt = f"(builds on {', '.join(origin[r.id])}) " if r.id in origin else ""
        lines.append(" ".join([*cells, f" {doubt}{exceptional(r)}{r.statement or r.detail}"]))
        if r.verdict == "violated" and r.statement:
            lines += seen(r, width)
    return [cut(line, width) for line in (*lines, *counts(ordered))]


def exceptional(record: Record) -> str:
    """The interval of a share of few replicates that lies beyond its bound although the claim
    passes; empty for other claims."""
    if record.interval is None or not record.passed or (record.margin or 0.0) >= 0:
        return ""
    low, high = record.interval
    return f"(so few replicates allow {percent(low, 1)} to {percent(high, 1)}) "


def seen(record: Record, width: int) -> list[str]:
    """What was claimed and seen, on at most MOST_SEEN lines."""
    indent = " " * 6
    lines = textwrap.wrap(record.detail, max(width - len(indent), STATEMENT_WIDTH))
    if len(lines) > MOST_SEEN:
        lines = [*lines[: MOST_SEEN - 1], " ".join(lines[MOST_SEEN - 1 :])]
    return [indent + line for line in lines]


def counts(records: Sequence[Record]) -> list[str]:
    """How many claims have which verdict, and which of them build on broken ones."""
    verdicts, doubtful = Counter(r.verdict for r in records), suspects(records)
    by_verdict = ", ".join(f"{verdicts[v]} {v}" for v in WORST_FIRST if verdicts[v])
    lines = [f"{plural(len(records), 'claim')}: {by_verdict}"]
    for reason in SAY_NOTHING:
        if quiet := [r.id for r in records if r.says_nothing and r.stopped == reason]:
            lines.append(f"not listed ({reason}): {', '.join(quiet)}")
    says_something = {r.id for r in records if not r.says_nothing}
    if suspect := [claim_id for claim_id in doubtful if claim_id in says_something]:
        lines.append(f"suspect (each {SUSPECT}): {', '.join(suspect)}")
    return lines


def details(record: Record) -> list[str]:
    """What stands behind a line of the table: source, hypotheses, inputs, the worst case, and the
    cases that were sampled."""
    lines = [f"{record.id} ({record.kind}; {record.source}) {record.statement}"]
    if record.given:
        lines.append(f"  given: {record.given}")
    tried = f"{plural(record.examples, 'input')}, {plural(record.samples, 'sample')}"
    lines.append(f"  {record.detail}; {record.stopped}, {tried}")
    if record.tried:
        lines.append(
            f"  hypotheses satisfied in {record.met} of {record.tried} draws"
            f" ({percent(record.met / record.tried, 1)})"
        )
    if record.visited:
        covered = (f"{name} {summary}" for name, summary in record.visited.items())
        lines.append(f"  visited: {'; '.join(covered)}")
    if record.worst_case:
        lines.append(f"  worst case: {record.worst_case}")
    return [*lines, *(f"  {case}" for case in record.measured)]


def changes(comparison: Comparison, also_unchanged: bool = False) -> list[str]:
    """The claims that changed, one line each, and the summary."""
    return [
        *(
            f"{change.id:5} {change.kind:15} {described(change)}".rstrip()
            for change in comparison.worst_first(also_unchanged)
        ),
        tally(comparison),
    ]


def tally(comparison: Comparison) -> str:
    """How many claims changed in which way, and whether anything became worse."""
    kinds = Counter(change.kind for change in comparison.changes)
    ordered = sorted(kinds.items(), key=lambda item: item[0] == "unchanged")
    summary = ", ".join(f"{n} {kind}" for kind, n in ordered) or "no claims"
    worse = "worse" if comparison.worse else "nothing is worse"
    return f"compared with {comparison.old.created}: {summary}; {worse}"


def described(change: Change) -> str:
    """A change in words, without its kind."""
    old, new = change.old, change.new
    parts = []
    if old and new and old.verdict != new.verdict:
        parts.append(f"{old.verdict} -> {new.verdict}")
    if old and new and change.low is not None:
        before, after = (number(run.margins[change.place][0]) for run in (old, new))
        moved = f"{number(change.low)} to {number(change.high)}"
        parts.append(f"margin {before} -> {after}, changed by {moved}")
    return ", ".join(filter(None, [*parts, change.note]))
