"""The table at the end of a run."""

import pytest
from made import record, report

from theory_checks.report.results import headline
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
        (72, ["verdict", "observed", "bound", "resolves", "claim"]),
        (77, ["verdict", "observed", "bound", "tight", "resolves", "claim"]),
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
    assert [line.split()[0] for line in lines[1:5]] == ["R.5", "mean:", "G.9", "G.10"]
    assert lines[2] == "      mean: 0.25 <= 0.5"
    assert "(builds on R.5) What G.9 says" in lines[3]
    assert "builds on" not in lines[4]
    assert lines[5:] == [
        "3 claims: 1 violated, 2 holds",
        "suspect (each builds on a claim that is violated or in error): G.9",
    ]
    assert table(RECORDS[:1], 200)[2:] == ["1 claim: 1 holds"]


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    head, line, *_ = table([record("R.1", observed=12345.0, sense=">=", bound=1e-30)], 120)
    assert head == "    verdict observed    bound tight resolves samples s  claim"
    assert line.startswith("R.1 holds      12345 >= 1e-30     -      0.1    1000 0  What R.1 says")


def test_what_was_seen_of_a_violated_claim_is_wrapped_to_the_width() -> None:
    lines = table([record("R.1", "violated", detail="word " * 100)], 60)
    seen = [line for line in lines if line.startswith("      word")]
    assert len(seen) == 3
    assert max(map(len, lines)) == 60
    assert seen[-1].endswith("…")


def test_a_share_of_few_replicates_beyond_its_bound_is_marked() -> None:
    few = {"observed": 0.125, "bound": 0.05, "margin": -0.075, "interval": (0.0032, 0.527)}
    mark = "(so few replicates allow 0.3 % to 52.7 %) What C.3 says"
    assert mark in table([record("C.3", **few)], 200)[1]
    assert "so few" not in table([record("C.3", "violated", **few)], 200)[1]
    assert "so few" not in table([record("C.3", **{**few, "margin": 0.01})], 200)[1]


def test_claims_that_say_nothing_are_counted_and_not_listed() -> None:
    silent = [
        record("C.1", "vacuous", stopped="baseline fails", detail="baseline fails: 8 of 8"),
        record("C.2", "vacuous", stopped="baseline fails", detail="baseline fails: 8 of 8"),
        record(
            "G.2",
            "vacuous",
            stopped="not applicable",
            detail="not applicable: a state",
            depends_on=("R.5",),
        ),
    ]
    lines = table([record("R.1"), record("R.2", "vacuous"), *silent], 200)
    assert [line.split()[0] for line in lines[1:3]] == ["R.2", "R.1"]
    assert lines[3:] == [
        "5 claims: 4 vacuous, 1 holds",
        "not listed (baseline fails): C.1, C.2",
        "not listed (not applicable): G.2",
    ]
    assert "suspect" not in "".join(table([record("R.5", "violated"), *silent], 200)[1:])
    assert headline(report(*silent, record("R.1"))) == (
        "No claim is violated; 3 of 4 claims are not applicable, or without a baseline."
    )
