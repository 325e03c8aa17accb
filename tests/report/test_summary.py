"""summary.md: what is broken comes first, and Markdown shows the theory's symbols as they are."""

import pytest
from made import record, report

from theory_checks.report.compare import compare
from theory_checks.report.document import Report
from theory_checks.report.summary import markdown, plain_text


def sections(text: str) -> list[str]:
    return [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]


BROKEN = report(
    record("R.1"),
    record("R.5", "violated", observed=0.1, bound=0.02, worst_case="h=`a|b`", depends_on=("R.1",)),
    record("N.2", "violated", depends_on=("R.5",)),
    record("N.3", "inconclusive", detail="ran out"),
    record("N.4", depends_on=("N.2",)),
    record("D.1", "error", detail="ZeroDivisionError: division by zero"),
    dirty=True,
    complete=False,
)


def test_what_is_broken_comes_first_with_how_to_see_it() -> None:
    text = markdown(BROKEN)
    assert sections(text) == [
        (
            "❌ 2 of 6 claims are violated, 1 is in error (the code under test raised), 1 is"
            " undecided."
        ),
        "❌ R.5 violated",
        "💥 D.1 error",
        "Also violated or in error, but they build on the claims above",
        "Undecided",
        "Suspect: they hold, but build on claims that are violated or in error",
    ]
    assert "- seen: mean: 0.25 \\<= 0.5" in text
    assert "- observed 0.1 \\<= 0.02, margin" in text
    assert "- an input that violates it: `` h=`a|b` ``" in text
    assert "- claims that build on it: N.2, N.4" in text
    assert "```bash\npython -m theory_checks reproduce R.5 --seed 7\n```" in text
    assert "- ZeroDivisionError: division by zero" in text
    assert "- ❌ **N.2** violated (builds on R.5):" in text
    assert "- ❔ **N.3** inconclusive: What N.3 says: \\|x\\| \\<= 1. — ran out" in text
    assert "- ✅ **N.4** holds (builds on R.5):" in text
    assert "commit 000000000000 with uncommitted changes; **the run ended early**." in text
    assert "6 claims: 2 violated, 1 error, 1 inconclusive, 2 holds." in text


def test_all_claims_are_in_a_table_of_their_own() -> None:
    lines = markdown(BROKEN).splitlines()
    start = lines.index("<details><summary>All claims</summary>")
    rows = [line for line in lines[start:] if line.startswith("| ")]
    assert [row.split()[1] for row in rows[1:]] == ["R.5", "N.2", "D.1", "N.3", "R.1", "N.4"]
    assert {row.replace("\\|", "").count("|") for row in rows} == {9}
    assert lines[-1] == "</details>"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (report(record(), record("R.2")), "✅ All 2 claims hold."),
        (
            report(record(), record("R.2", "not run")),
            "🚫 No claim is violated; 1 of 2 claims is undecided.",
        ),
        (
            report(record(verdict="error")),
            "💥 1 of 1 claim is in error (the code under test raised).",
        ),
        (
            report(record(verdict="violated"), record("R.2", "error")),
            "❌ 1 of 2 claims is violated, 1 is in error",
        ),
    ],
)
def test_the_verdict_of_the_whole(found: Report, expected: str) -> None:
    assert markdown(found).startswith(f"## {expected}")


def test_a_comparison_has_a_section() -> None:
    old = report(
        record(margins={"0": (0.25, 0.1, 10**6, 1.0)}), record("R.2", "violated"), record("R.3")
    )
    new = report(
        record(margins={"0": (0.05, 0.1, 10**6, 1.0)}, averages=False), record("R.2"), record("R.3")
    )
    text = markdown(new, compare(old, new))
    assert "### Since the baseline" in text
    assert "1 margin moved, 1 fixed, 1 unchanged; worse." in text
    assert "| R.1 | ⚠️ margin moved | margin 0.25 -\\> 0.05, changed by -0.2" in text
    assert "| R.2 | fixed | violated -\\> holds |" in text
    assert "R.3 | unchanged" not in text
    assert "| | change | |" not in markdown(new, compare(new, new))


def test_symbols_of_markdown_are_escaped() -> None:
    assert plain_text("a_b*c <x> | [y] $z$\n`t`") == "a\\_b\\*c \\<x\\> \\| \\[y\\] \\$z\\$ \\`t\\`"
    assert len(plain_text("x" * 10_000)) == 1000
