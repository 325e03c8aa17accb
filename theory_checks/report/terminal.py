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
    header = f"{'claim':6} {'verdict':12} {'observed':>10} {'bound':>10} {'tight':>7} {'resolves':>9} {'inputs':>6} {'samples':>9} {'s':>5}  statement"
    lines = [header]
    for r in ordered:
        lines.append(
            f"{r.id:6} {r.verdict:12} {number(r.observed):>10} {number(r.bound):>10} {number(r.tightness):>7} "
            f"{number(r.resolution):>9} {r.examples:>6} {r.samples:>9} {r.seconds:>5.1f}  {r.statement or r.detail}"
        )
    counts = Counter(r.verdict for r in ordered)
    lines.append(f"{len(ordered)} claims: " + ", ".join(f"{counts[v]} {v}" for v in ORDER if counts[v]))
    return [line if len(line) <= width else line[: width - 1] + "…" for line in lines]
