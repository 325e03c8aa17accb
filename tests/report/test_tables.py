"""Tables that several claims fill together."""

import math

from made import report

from theory_checks.checking.pictures import Heatmap, compact
from theory_checks.checking.record import Record
from theory_checks.report.summary import markdown
from theory_checks.report.tables import joint_tables


def record(
    claim_id: str,
    rows: list[str],
    values: list[list[float]],
    joint: str = "Controls",
    columns: tuple[str, ...] = ("a", "b"),
) -> Record:
    picture = compact(
        Heatmap(
            f"of {claim_id}",
            rows,
            columns,
            values,
            caption="shares",
            low=0.0,
            high=1.0,
            joint=joint,
        )
    )
    return Record(claim_id, "holds", pictures=(picture,))


BOTH = [
    record("C.1", ["all", "no noise"], [[1.0, 1.0], [0.0, 0.5]]),
    record("C.2", ["all", "linear"], [[1.0, 1.0], [0.25, math.nan]]),
]


def test_parts_are_stacked_and_a_row_that_all_have_is_shown_once() -> None:
    (table,) = joint_tables(BOTH)
    assert (table.title, table.columns, table.caption) == ("Controls", ("a", "b"), "shares")
    assert [(row.name, row.ids) for row in table.rows] == [
        ("all", ("C.1", "C.2")),
        ("no noise", ("C.1",)),
        ("linear", ("C.2",)),
    ]
    assert table.rows[2].values[0] == 0.25
    assert math.isnan(table.rows[2].values[1])


def test_a_row_with_other_values_is_another_row() -> None:
    (table,) = joint_tables([BOTH[0], record("C.2", ["all"], [[1.0, 0.9]])])
    assert [row.ids for row in table.rows] == [("C.1",), ("C.1",), ("C.2",)]


def test_parts_with_other_columns_or_titles_are_other_tables_and_other_pictures_none() -> None:
    others = [
        record("C.3", ["x"], [[1.0]], columns=("c",)),
        record("C.4", ["x"], [[1.0, 0.0]], joint="More"),
        record("C.5", ["x"], [[0, 0]], ""),
    ]
    assert [(t.title, t.columns) for t in joint_tables([*BOTH, *others])] == [
        ("Controls", ("a", "b")),
        ("Controls", ("c",)),
        ("More", ("a", "b")),
    ]


def test_the_table_in_the_summary() -> None:
    rows = [
        "| | a | b | |",
        "|---|--:|--:|---|",
        "| all | 100 % | 100 % |  |",
        "| no noise | 0 % | 50 % | C.1 |",
        "| linear | 25 % |  | C.2 |",
    ]
    lines = "\n".join(rows)
    assert f"<summary>Controls</summary>\n\n{lines}\n\n" in markdown(report(*BOTH))
