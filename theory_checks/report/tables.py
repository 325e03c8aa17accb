"""Tables that several claims fill together: stacked heat maps that name the same `joint` table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

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
    found: dict[tuple[str, tuple[str, ...]], tuple[str, dict[str, JointRow]]] = {}
    for record in records:
        for picture in record.pictures:
            if not isinstance(picture, Heatmap) or not picture.joint:
                continue
            name = picture.joint, tuple(picture.columns)
            _, rows = found.setdefault(name, (picture.caption, {}))
            for of_row, values in zip(picture.rows, picture.values, strict=True):
                key = f"{of_row} {values}"  # as text, since NaN is not equal to itself
                row = rows.get(key, JointRow((), of_row, tuple(values)))
                rows[key] = replace(row, ids=(*row.ids, record.id))
    return tuple(
        JointTable(*name, tuple(rows.values()), caption) for name, (caption, rows) in found.items()
    )
