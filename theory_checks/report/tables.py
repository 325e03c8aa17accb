"""Tables that several claims fill together: stacked heat maps that name the same `joint` table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from theory_checks.checking.pictures import Heatmap
from theory_checks.checking.record import Record


@dataclass(frozen=True)
class JointRow:
    """A row of a joint table.

    ids: of the claims that have this row
    name: of the row
    values: one for each column; NaN is a gap
    """

    ids: tuple[str, ...]
    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class JointTable:
    """A table of numbers between 0 and 1.

    title: as the claims name it
    columns: their names
    rows: of all claims
    caption: of the first claim's picture
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[JointRow, ...]
    caption: str


def joint_tables(records: Iterable[Record]) -> tuple[JointTable, ...]:
    """The tables to which the records' pictures belong, in the order of the records.

    A row that several claims share, with its name and values, appears once. A part whose columns
    differ is a table of its own.
    """
    tables: dict[tuple[str, tuple[str, ...]], tuple[str, dict[tuple[str, str], list[str]]]] = {}
    values: dict[tuple[str, str], tuple[float, ...]] = {}
    for record in records:
        for picture in record.pictures:
            if not isinstance(picture, Heatmap) or not picture.joint:
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
