"""A finding passes; terminal, page, summary and comparison show what is claimed, how often it
fails."""

from dataclasses import replace
from pathlib import Path

import pytest
from browser import PHONE, started
from made import record, report

from theory_checks.checking.record import Record
from theory_checks.report import terminal
from theory_checks.report.compare import compare
from theory_checks.report.page import render
from theory_checks.report.results import headline
from theory_checks.report.summary import markdown

FINDING = record(
    "X.1",
    "finding",
    pictures=(),
    claimed="every expert errs on nothing",
    exceptions=(("d = 64", 17, 108, 0.0945, 0.24), ("d = 128", 0, 8, 0.0, 0.369)),
)


def test_a_finding_passes_and_survives_its_json() -> None:
    assert FINDING.passed
    assert not FINDING.broken
    assert Record.from_json(FINDING.to_json()) == FINDING


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (["holds", "holds", "finding"], "2 claims hold, 1 is a finding."),
        (["holds", "finding", "finding"], "1 claim holds, 2 are findings."),
        (["finding", "violated"], "1 of 2 claims is violated."),
        (["finding", "vacuous"], "No claim is violated; 1 of 2 claims is undecided."),
    ],
)
def test_the_headline_counts_findings(verdicts: list[str], sentence: str) -> None:
    found = report(*(record(f"R.{i}", verdict) for i, verdict in enumerate(verdicts)))
    assert headline(found) == sentence


def test_the_terminal_lists_findings_before_what_holds() -> None:
    lines = terminal.table([record("R.1"), FINDING], 100)
    assert [line.split()[:2] for line in lines[1:3]] == [["X.1", "finding"], ["R.1", "holds"]]
    assert lines[-1] == "2 claims: 1 finding, 1 holds"


def test_the_page_and_the_summary_have_a_section_of_findings() -> None:
    page = render(report(record("R.1"), FINDING))
    assert page.count('<section class="exceptions" id="findings">') == 1
    assert "Claimed: every expert errs on nothing." in page
    assert '<td>d = 64</td><td class="r">17 of 108</td><td class="r">15.7 %</td>' in page
    assert 'id="findings"' not in render(report(record("R.1")))
    text = markdown(report(record("R.1"), FINDING))
    assert "### Findings" in text
    assert "17 of 108 (95 %: 9.4 % to 24.0 %), d = 128 0 of 8" in text
    assert "### Undecided" not in text


def test_a_claim_that_held_and_is_a_finding_now_is_worse() -> None:
    before, after = report(record("X.1")), report(FINDING)
    assert [c.kind for c in compare(before, after).changes] == ["worse"]
    assert [c.kind for c in compare(after, before).changes] == ["better"]
    assert [c.kind for c in compare(report(record("X.1", "violated")), after).changes] == ["fixed"]


def test_a_long_table_of_exceptions_does_not_widen_the_page_on_a_phone(tmp_path: Path) -> None:
    points = (("a point with a long name, K = 2, M = 4, J = 8, d = 48, n = 1000", 1, 9, 0.0, 0.5),)
    (tmp_path / "index.html").write_text(
        render(report(replace(FINDING, exceptions=points))), encoding="utf-8"
    )
    with started() as browser:
        browser.open(tmp_path / "index.html", PHONE)
        assert browser.run("return document.documentElement.scrollWidth") <= PHONE[0]
