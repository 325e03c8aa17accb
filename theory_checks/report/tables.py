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
    captions: dict[tuple[str, tuple[str, ...]], str] = {}
    rows: dict[tuple[str, tuple[str, ...]], dict[str, JointRow]] = {}
    for record in records:
        for picture in record.pictures:
            if not isinstance(picture, Heatmap) or not picture.joint:
                continue
            table = picture.joint, tuple(picture.columns)
            captions.setdefault(table, picture.caption)
            of_table = rows.setdefault(table, {})
            for name, values in zip(picture.rows, picture.values, strict=True):
                key = f"{name} {values}"  # as text, since NaN is not equal to itself
                ids = of_table[key].ids if key in of_table else ()
                of_table[key] = JointRow((*ids, record.id), name, tuple(values))
    return tuple(
        JointTable(title, columns, tuple(rows[title, columns].values()), caption)
        for (title, columns), caption in captions.items()
    )
