"""The end of a run in the terminal: the table of claims, the suspects, the changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from theory_checks.checking.record import WORST_FIRST, Record
from theory_checks.report.results import origins, suspects
from theory_checks.report.words import SUSPECT, cut, natural, number, percent, plural

if TYPE_CHECKING:
    from collections.abc import Callable

    from theory_checks.report.compare import Change, Comparison

STATEMENT_WIDTH = 30  # characters that a statement needs; columns give way to it


@dataclass(frozen=True)
class Column:
    """One column of the table.

    name: its heading
    width: in characters
    worth: on a narrow terminal the least worthy columns give way first
    cell: the text for a record
    align: < to the left, > to the right
    """

    name: str
    width: int
    worth: int
    cell: Callable[[Record], str]
    align: str = ">"

    def text(self, cell: str) -> str:
        """The cell, padded to the width."""
        return f"{cell:{self.align}{self.width}}"


COLUMNS = (
    Column("", 5, 6, lambda r: r.id, align="<"),
    Column("verdict", 12, 6, lambda r: r.verdict, align="<"),
    Column("observed", 9, 5, lambda r: number(r.observed)),
    Column("bound", 9, 4, lambda r: number(r.bound)),
    Column("tight", 6, 2, lambda r: number(r.tightness, 2)),
    Column("resolves", 9, 3, lambda r: number(r.resolves, 2)),
    Column("samples", 8, 1, lambda r: str(r.samples)),
    Column("s", 4, 0, lambda r: f"{r.seconds:.0f}"),
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


def columns_for(width: int) -> tuple[Column, ...]:
    """The columns for which a terminal of this width has room beside the statement; at least id,
    verdict and observed."""
    kept = list(COLUMNS)
    for column in sorted(COLUMNS, key=lambda column: column.worth):
        if sum(c.width + 1 for c in kept) + STATEMENT_WIDTH <= width or column.worth >= 5:
            break
        kept.remove(column)
    return tuple(kept)


def table(records: Iterable[Record], width: int) -> list[str]:
    """One line per claim, worst verdicts first, and a line of counts; at most `width` characters
    each."""
    ordered, columns = in_order(records), columns_for(width)
    origin = origins(suspects(ordered))
    lines = [" ".join([*(column.text(column.name) for column in columns), " claim"])]
    for r in ordered:
        doubt = f"(builds on {', '.join(origin[r.id])}) " if r.id in origin else ""
        cells = (column.text(column.cell(r)) for column in columns)
        lines.append(" ".join([*cells, f" {doubt}{r.statement or r.detail}"]))
    return [cut(line, width) for line in (*lines, *counts(ordered))]


def counts(records: Sequence[Record]) -> list[str]:
    """How many claims have which verdict, and which of them build on broken ones."""
    verdicts, suspect = Counter(r.verdict for r in records), suspects(records)
    by_verdict = ", ".join(f"{verdicts[v]} {v}" for v in WORST_FIRST if verdicts[v])
    lines = [f"{plural(len(records), 'claim')}: {by_verdict}"]
    if suspect:
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
