"""The table of claims at the end of a run."""

from collections import Counter
from collections.abc import Iterable

from theory_checks.records import Record, number

ORDER = ("violated", "error", "not run", "vacuous", "inconclusive", "holds")  # worst first


def rank(record: Record) -> tuple[int, str]:
    """Sorts by verdict, worst first, then by id."""
    return ORDER.index(record.verdict), record.id


def table(records: Iterable[Record], width: int) -> list[str]:
    """One line per claim, worst verdicts first, and a line of counts; at most `width` characters each."""
    ordered = sorted(records, key=rank)
    lines = [f"{'':5} {'verdict':12} {'observed':>9} {'bound':>9} {'tight':>6} {'resolves':>9} {'samples':>8} {'s':>4}  claim"]
    for r in ordered:
        lines.append(
            f"{r.id:5} {r.verdict:12} {number(r.observed):>9} {number(r.bound):>9} {number(r.tightness, 2):>6} "
            f"{number(r.resolution, 2):>9} {r.samples:>8} {r.seconds:>4.0f}  {r.statement or r.detail}"
        )
    counts = Counter(r.verdict for r in ordered)
    lines.append(f"{len(ordered)} claims: " + ", ".join(f"{counts[v]} {v}" for v in ORDER if counts[v]))
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]


def details(record: Record) -> list[str]:
    """What stands behind a line of the table: source, hypotheses, what was visited, the worst case, cases listed by name."""
    lines = [f"{record.id} ({record.kind}; {record.source}) {record.statement}"]
    if record.given:
        lines.append(f"  given: {record.given}")
    lines.append(f"  {record.detail}; {record.stopped}, {record.examples} inputs, {record.samples} samples")
    if record.tried:
        lines.append(f"  hypotheses met in {record.met} of {record.tried} draws ({100 * record.met / record.tried:.1f} %)")
    if record.visited:
        lines.append("  visited: " + "; ".join(f"{name} {summary}" for name, summary in record.visited.items()))
    if record.worst_case:
        lines.append(f"  worst case: {record.worst_case}")
    lines.extend(f"  {case}" for case in record.measured)
    return lines
