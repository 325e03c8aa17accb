"""Where everything stands in the graph of dependencies; the template of the page draws it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from theory_checks.checking.claim import with_dependencies
from theory_checks.checking.record import Record
from theory_checks.report.words import group_of

COLUMN, ROW, HALF_BOX = 76, 25, 22  # points; the template knows the size of a box, too


@dataclass(frozen=True)
class Graph:
    """The graph, in points from the upper left corner.

    width, height: of the whole
    headings: (x, name of the group) of each column
    edges: (lemma, id of a claim that builds on it, path of the curve, whether it carries doubt),
        those that carry doubt last, since they are drawn above others
    nodes: (record, x, y, whether it is in doubt)
    """

    width: float
    height: float
    headings: Sequence[tuple[float, str]]
    edges: Sequence[tuple[str, str, str, bool]]
    nodes: Sequence[tuple[Record, float, float, bool]]


def graph(records: Sequence[Record], doubted: Container[str], groups: Mapping[str, str]) -> Graph:
    """Which claim builds on which, without the edges that follow from others.

    doubted: ids of the claims that build on broken ones
    groups: names of the groups, in the order of their columns
    """
    by_id = {record.id: record for record in records}
    members = {g: [claim_id for claim_id in by_id if group_of(claim_id) == g] for g in groups}
    columns = list(filter(None, members.values()))
    edges = _reduced(by_id)
    heights = _heights(columns, edges)
    xs = {group_of(column[0]): (index + 0.5) * COLUMN for index, column in enumerate(columns)}
    places = {i: (xs[group_of(i)], (height + 1.5) * ROW) for i, height in heights.items()}
    curves = [
        (
            lemma,
            claim_id,
            _curve(places[lemma], places[claim_id]),
            claim_id in doubted and (lemma in doubted or by_id[lemma].broken),
        )
        for lemma, claim_id in edges
    ]
    return Graph(
        len(columns) * COLUMN,
        (max(map(len, columns)) + 1) * ROW,
        [(x, groups[group]) for group, x in xs.items()],
        sorted(curves, key=lambda curve: curve[-1]),
        [(record, *places[record.id], record.id in doubted) for record in records],
    )


def _reduced(records: Mapping[str, Record]) -> list[tuple[str, str]]:
    """The edges (lemma, id) that do not follow from others: no other lemma of the same claim builds
    on this one. In a cycle all edges stay."""
    below = {i: with_dependencies(record.depends_on, records) for i, record in records.items()}
    direct = {i: set(record.depends_on) & records.keys() for i, record in records.items()}
    return sorted(
        (lemma, claim_id)
        for claim_id, lemmas in direct.items()
        for lemma in lemmas
        if not any(lemma in below[other] and other not in below[lemma] for other in lemmas)
    )


def _heights(columns: Sequence[list[str]], edges: Iterable[tuple[str, str]]) -> dict[str, float]:
    """The height of each node, in rows: columns are centred, and sorted by the mean height of
    neighbours in other columns, so that few edges cross."""
    near = defaultdict(list)
    for one, other in edges:
        if group_of(one) != group_of(other):
            near[one].append(other)
            near[other].append(one)
    tallest, height = max(map(len, columns)), dict[str, float]()

    def mean(claim_id: str) -> float:
        return fmean(height[other] for other in near.get(claim_id, [claim_id]))

    def settle(column: Sequence[str]) -> None:
        height.update((i, y + (tallest - len(column)) / 2) for y, i in enumerate(column))

    for column in columns:
        settle(column)
    for step in (1, -1) * 6:
        for column in columns[::step]:
            column.sort(key=mean)
            settle(column)
    return height


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    """The path from the side of one box to that of another, which bends around others in the same
    column."""
    (x0, y0), (x1, y1) = start, end
    leaving = 1 if x0 <= x1 else -1
    arriving = leaving if x0 == x1 else -leaving
    x0, x1 = x0 + leaving * HALF_BOX, x1 + arriving * HALF_BOX
    bend = 8 + 0.14 * abs(y1 - y0) if arriving == leaving else max(18.0, 0.4 * abs(x1 - x0))
    return (
        f"M {x0:.4g} {y0:.4g} C {x0 + leaving * bend:.4g} {y0:.4g}"
        f" {x1 + arriving * bend:.4g} {y1:.4g} {x1:.4g} {y1:.4g}"
    )
