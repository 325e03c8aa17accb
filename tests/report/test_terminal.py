"""The table at the end of a run."""

import pytest
from made import record

from theory_checks.report.terminal import table

RECORDS = [
    record("G.10"),
    record("G.9", depends_on=("R.5",)),
    record(
        "R.5",
        "violated",
        statement=(
            "A statement that is much too long for a narrow terminal, and for most wide ones."
        ),
    ),
]


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (60, ["verdict", "observed", "claim"]),
        (80, ["verdict", "observed", "bound", "resolves", "claim"]),
        (90, ["verdict", "observed", "bound", "tight", "resolves", "claim"]),
        (120, ["verdict", "observed", "bound", "tight", "resolves", "samples", "s", "claim"]),
    ],
)
def test_columns_give_way_to_the_statement(width: int, columns: list[str]) -> None:
    head, *lines = table(RECORDS, width)
    assert head.split() == columns
    assert max(map(len, lines)) <= width
    (violated,) = [line for line in lines if line.startswith("R.5")]
    assert violated.endswith("…")
    assert len(violated.partition("A statement")[2]) > 15
    assert violated.split()[2] == "0.25"


def test_the_worst_come_first_and_what_builds_on_them_is_suspect() -> None:
    lines = table(RECORDS, 200)
    assert [line.split()[0] for line in lines[1:4]] == ["R.5", "G.9", "G.10"]
    assert "(builds on R.5) What G.9 says" in lines[2]
    assert "builds on" not in lines[3]
    assert lines[4:] == [
        "3 claims: 1 violated, 2 holds",
        "suspect (each builds on a claim that is violated or in error): G.9",
    ]
    assert table(RECORDS[:1], 200)[2:] == ["1 claim: 1 holds"]
