"""The end of a run, for the terminal: the table of claims, what is suspect, what changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from theory_checks.checking.record import VERDICTS, Record, number
from theory_checks.report.document import BROKEN, origins, suspects

if TYPE_CHECKING:
    from collections.abc import Callable

    from theory_checks.report.compare import Change, Comparison

STATEMENT_WIDTH = 30  # characters that a statement should have, if need be at the cost of columns


@dataclass(frozen=True)
class Column:
    """One column of the table; the dearer, the later it gives way to the statement on a narrow
    terminal."""

    name: str
    width: int
    worth: int
    cell: Callable[[Record], str]
    left: bool = False

    def text(self, cell: str) -> str:
        return f"{cell:<{self.width}}" if self.left else f"{cell:>{self.width}}"


COLUMNS = (
    Column("", 5, 6, lambda r: r.id, left=True),
    Column("verdict", 12, 6, lambda r: r.verdict, left=True),
    Column("observed", 9, 5, lambda r: number(r.observed)),
    Column("bound", 9, 4, lambda r: number(r.bound)),
    Column("tight", 6, 2, lambda r: number(r.tightness, 2)),
    Column("resolves", 9, 3, lambda r: number(r.resolves, 2)),
    Column("samples", 8, 1, lambda r: str(r.samples)),
    Column("s", 4, 0, lambda r: f"{r.seconds:.0f}"),
)


def rank(record: Record) -> tuple[int, list[str]]:
    """Sorts by verdict, worst first, then by id, G.9 before G.10."""
    return VERDICTS.index(record.verdict), [
        part.zfill(9) if part.isdigit() else part for part in re.split(r"(\d+)", record.id)
    ]


def in_order(records: Iterable[Record]) -> list[Record]:
    """The worst first; among broken ones those whose failure may follow from another's last."""
    records = list(records)
    suspect = suspects(records)
    return sorted(
        records,
        key=lambda record: (
            rank(record)[0],
            record.verdict in BROKEN and record.id in suspect,
            rank(record),
        ),
    )


def columns_for(width: int) -> tuple[Column, ...]:
    """The columns for which a terminal of this width has room beside the statement; id, verdict and
    observed always."""
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
        lines.append(
            " ".join(
                [
                    *(column.text(column.cell(r)) for column in columns),
                    f" {doubt}{r.statement or r.detail}",
                ]
            )
        )
    return [cut(line, width) for line in (*lines, *counts(ordered))]


def counts(records: Sequence[Record]) -> list[str]:
    """How many claims have which verdict, and which of them build on broken ones."""
    found, suspect = Counter(r.verdict for r in records), suspects(records)
    claims = "1 claim" if len(records) == 1 else f"{len(records)} claims"
    lines = [f"{claims}: " + ", ".join(f"{found[v]} {v}" for v in VERDICTS if found[v])]
    if suspect:
        lines.append(
            f"suspect, since they build on what is violated or in error: {', '.join(suspect)}"
        )
    return lines


def cut(line: str, width: int) -> str:
    """The line, at most this long."""
    return line if len(line) <= width else line[: width - 1] + "…"


def details(record: Record) -> list[str]:
    """What stands behind a line of the table: source, hypotheses, what was visited, the worst case,
    cases listed by name."""
    lines = [f"{record.id} ({record.kind}; {record.source}) {record.statement}"]
    if record.given:
        lines.append(f"  given: {record.given}")
    lines.append(
        f"  {record.detail}; {record.stopped}, {record.examples} inputs, {record.samples} samples"
    )
    if record.tried:
        lines.append(
            f"  hypotheses met in {record.met} of {record.tried} draws"
            f" ({100 * record.met / record.tried:.1f} %)"
        )
    if record.visited:
        lines.append(
            "  visited: "
            + "; ".join(f"{name} {summary}" for name, summary in record.visited.items())
        )
    if record.worst_case:
        lines.append(f"  worst case: {record.worst_case}")
    lines.extend(f"  {case}" for case in record.measured)
    return lines


def changes(comparison: Comparison, also_unchanged: bool = False) -> list[str]:
    """The claims that changed, what got worse first, and how many did not."""
    ordered = sorted(comparison.changes, key=lambda change: not change.worse)
    listed = [change for change in ordered if also_unchanged or change.kind != "unchanged"]
    lines = [f"{change.id:5} {change.kind:15} {told(change)}".rstrip() for change in listed]
    return [*lines, tally(comparison)]


def tally(comparison: Comparison) -> str:
    """How many claims changed in which way, and whether anything got worse."""
    found = Counter(change.kind for change in comparison.changes)
    summary = ", ".join(
        f"{n} {kind}" for kind, n in sorted(found.items(), key=lambda item: item[0] == "unchanged")
    )
    return (
        f"compared with {comparison.old.created}: {summary or 'no claims'};"
        f" {'worse' if comparison.worse else 'nothing is worse'}"
    )


def told(change: Change) -> str:
    """A change in words, without its kind."""
    old, new = change.old, change.new
    parts = []
    if old and new and old.verdict != new.verdict:
        parts.append(f"{old.verdict} -> {new.verdict}")
    if old and new and change.low is not None and change.high is not None:
        before, after = old.margins[change.place][0], new.margins[change.place][0]
        parts.append(
            f"margin {number(before)} -> {number(after)}, changed by {number(change.low)} to"
            f" {number(change.high)}"
        )
    if change.note:
        parts.append(change.note)
    return ", ".join(parts)
