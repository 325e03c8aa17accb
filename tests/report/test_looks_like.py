"""Which known fault a pattern of violated claims looks like."""

import math

import pytest
from made import record, report

from theory_checks.report import looks_like
from theory_checks.report.looks_like import Known, nearest
from theory_checks.report.page import render


def known(name: str, *noticed: str, checked: str = "D.1 D.2 G.1 G.3 R.8") -> Known:
    return Known(name, "", ("gate",), "gate", frozenset(checked.split()), frozenset(noticed))


FAULTS = (
    known("GATE_ONE", "R.8", "G.3", "G.1"),
    known("OTHER_RATE", "G.3", "G.1"),
    known("LABELS", "D.2", "G.1"),
)


def verdicts(*violated: str, **others: str) -> dict[str, str]:
    claims = dict.fromkeys(("D.1", "D.2", "G.1", "G.3", "R.8"), "holds")
    return claims | dict.fromkeys(violated, "violated") | others


def test_the_same_pattern_is_nearest_and_rare_claims_weigh_more() -> None:
    same, other, *_ = nearest(verdicts("R.8", "G.3", "G.1"), FAULTS)
    assert same.fault.name == "GATE_ONE"
    assert math.isclose(same.nearness, 1.0)
    rare, common = math.log(4 / 2) + 0.1, math.log(4 / 3) + math.log(4 / 4) + 0.2
    assert other.fault.name == "OTHER_RATE"
    assert math.isclose(other.nearness, common / (rare + common))


def test_claims_that_were_not_checked_in_both_are_left_out() -> None:
    checked = {c: v for c, v in verdicts("G.3", "G.1").items() if c != "R.8"}
    assert {x.fault.name for x in nearest(checked, FAULTS) if math.isclose(x.nearness, 1.0)} == {
        "GATE_ONE",
        "OTHER_RATE",
    }
    part = known("PART", "R.8", checked="R.8")
    assert nearest(verdicts("R.8", "D.1", "D.2"), [part])[0].nearness == pytest.approx(1.0)


def test_an_error_counts_as_noticed_and_what_is_not_near_is_left_out() -> None:
    assert nearest(verdicts("G.1", "G.3") | {"R.8": "error"}, FAULTS)[0].nearness == pytest.approx(
        1.0
    )
    assert nearest(verdicts("D.1"), FAULTS) == ()
    assert nearest(verdicts(), FAULTS) == ()


def test_the_nearest_fault_of_each_ingredient_has_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    checked, noticed = FAULTS[0].checked, frozenset({"R.8"})
    labels = Known("LABELS", "Wrong.", ("draw_examples",), "data", checked, noticed)
    monkeypatch.setattr(looks_like, "known_faults", lambda: (*FAULTS, labels))
    gate, data = looks_like.words(verdicts("R.8", "G.3", "G.1"))
    assert gate == "Looks like GATE_ONE (gate; 100% of the pattern): "
    assert data.startswith("Looks like LABELS (draw_examples; ")
    assert data.endswith(": Wrong.")
    assert looks_like.words(verdicts()) == ()


def test_the_page_lists_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks_like, "words", lambda verdicts: (f"Looks like {sorted(verdicts)}",))
    assert "Looks like [&#39;A.1&#39;" in render(report(record("A.1")))
