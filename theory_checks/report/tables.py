"""Tables that several claims fill together: their heat maps with one and the same `joint` title,
stacked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from theory_checks.checking.pictures import Heatmap, from_plain
from theory_checks.checking.record import Record


@dataclass(frozen=True)
class JointRow:
    """ids: the claims that have this row; values: one for each column, NaN for a gap."""

    ids: tuple[str, ...]
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class JointTable:
    """A table of numbers between 0 and 1. caption: that of the first claim's picture."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[JointRow, ...]
    caption: str


def joint_tables(records: Iterable[Record]) -> tuple[JointTable, ...]:
    """The tables that the records' pictures are parts of, in the order of the records.

    A row that several claims have, with one name and the same values, is shown once. A part with
    other columns than the first's is a table of its own.
    """
    tables: dict[tuple[str, tuple[str, ...]], tuple[str, dict[tuple[str, str], list[str]]]] = {}
    values: dict[tuple[str, str], tuple[float, ...]] = {}
    for record in records:
        for picture in (from_plain(plain) for plain in record.pictures if plain.get("joint")):
            if not isinstance(picture, Heatmap):
                continue
            _, rows = tables.setdefault(
                (picture.joint, tuple(picture.columns)), (picture.caption, {})
            )
            for name, numbers in zip(picture.rows, picture.values, strict=True):
                key = (name, repr(numbers))
                values[key] = tuple(numbers)
                rows.setdefault(key, []).append(record.id)
    return tuple(
        JointTable(
            title,
            columns,
            tuple(JointRow(tuple(ids), key[0], values[key]) for key, ids in rows.items()),
            caption,
        )
        for (title, columns), (caption, rows) in tables.items()
    )
