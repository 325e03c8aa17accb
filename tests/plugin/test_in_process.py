"""theory_checks.check: a run from Python."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from installed import ROOT, Run
from own_claims import small

import theory_checks
from core import PAPER
from theory_checks.checking.in_process import NO_REPLAY
from theory_checks.checking.profiles import QUICK
from theory_checks.checking.record import Record
from theory_checks.checking.registry import built_in
from theory_checks.evidence import Statement, at_most
from theory_checks.report.document import read_report

LEAKY = replace(PAPER, gate=lambda h: 0.9 * PAPER.gate(h))


def same(record: Record) -> Record:
    return replace(record, seconds=0)


@pytest.mark.parametrize("parallel", [1, 2])
def test_it_gives_the_records_of_a_run_of_pytest(
    parallel: int, tmp_path: Path, python: Run
) -> None:
    options = ["--theory-seed", "5", "--theory-profile", "quick", "-k", "R.8 or R.5"]
    found = python(
        ROOT, [], "-m", "pytest", "theory_checks", "--theory-report", str(tmp_path), *options
    )
    assert found.returncode == 0, found.stdout
    expected = {record.id: record for record in read_report(tmp_path).records}
    report = theory_checks.check(claims=["R.8", "R.5"], profile="quick", seed=5, workers=parallel)
    assert {record.id: same(record) for record in report.records} == {
        claim_id: same(record) for claim_id, record in expected.items()
    }
    assert report.verdicts == {"R.5": "holds", "R.8": "holds"}
    assert report.violated == ()


def test_a_subject_without_a_name_is_checked_but_not_replayed(tmp_path: Path) -> None:
    subject = replace(PAPER, gate=lambda h: 0.9 * PAPER.gate(h))
    report = theory_checks.check(subject, ["R.8", small], "quick", report=tmp_path)
    assert report.violated == ("R.8", "U.1")
    assert report["R.8"].verdict == "violated"
    assert report["R.8"].command == report.command == ""
    assert report.subject == NO_REPLAY
    assert NO_REPLAY in (tmp_path / "summary.md").read_text()
    assert read_report(tmp_path) == report
    assert json.loads(report.to_json())["subject"] == NO_REPLAY
    with pytest.raises(KeyError):
        report["R.1"]
    page = report._repr_html_()
    assert page.startswith("<iframe")
    assert "&lt;!doctype html&gt;" in page.lower()


def test_a_subject_of_a_module_is_found_there() -> None:
    report = theory_checks.check(LEAKY, ["R.8"], "quick")
    assert report.subject == f"{__name__}:LEAKY"
    assert f"--subject {__name__}:LEAKY" in report["R.8"].command


def test_a_profile_of_ones_own_is_checked_but_not_replayed(tmp_path: Path) -> None:
    tiny = replace(QUICK, name="tiny", inputs=0.1)
    report = theory_checks.check(claims=["R.8"], profile=tiny, report=tmp_path)
    assert (report.profile, report["R.8"].verdict) == ("tiny", "holds")
    assert report["R.8"].examples < theory_checks.check(claims="R.8", profile=QUICK)["R.8"].examples
    assert report["R.8"].command == report.command == ""
    assert read_report(tmp_path) == report


def test_letters_name_groups() -> None:
    report = theory_checks.check("core:PAPER", "R", "quick", alpha="1e-3")
    assert {record.id.partition(".")[0] for record in report.records} == {"R"}
    assert len(report.records) >= 11
    assert report.alpha == 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"claims": ["Q.9"]},
            "claims 'Q.9': no such claim or group (D, R, G, I, S, E, X, A, N, L, P, C); did you",
        ),
        ({"claims": ["r8"]}, "; did you mean R.8"),
        ({"profile": "heroic"}, "profile 'heroic': there are quick, standard, deep"),
        ({"device": "abacus"}, "device 'abacus': needs auto, cpu"),
        ({"subject": "core:NOBODY"}, "module 'core' has no 'NOBODY'"),
        ({"subject": 3}, "subject 3: needs a core.Subject"),
        ({"seed": -1}, "seed -1: needs a whole number"),
        ({"alpha": 2}, "alpha 2: needs a number between 0 and 1"),
        ({"workers": 0}, "workers 0: needs 1"),
        ({"subject": replace(PAPER), "workers": 2}, "workers 2: needs 1"),
        ({"report": "/dev/null/below"}, "cannot be written to"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(
    arguments: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("theory_checks.checking.search.check", lambda *_: pytest.fail("work"))
    with pytest.raises(ValueError, match=re.escape(message)):
        theory_checks.check(**arguments)  # type: ignore[arg-type]


def test_exports_are_lazy_and_complete(tmp_path: Path, python: Run) -> None:
    code = (
        "import theory_checks, sys; print(sorted({'torch', 'numpy', 'pytest'} & set(sys.modules)))"
    )
    assert python(tmp_path, [ROOT], "-c", code).stdout == "[]\n"
    for name in theory_checks.__all__:
        assert getattr(theory_checks, name) is not None
    assert set(theory_checks.__all__) <= set(dir(theory_checks))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = theory_checks.nothing


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"claims": []}, r"claims \[\]: needs ids"),
        ({"claims": iter(())}, r"claims \[\]: needs ids"),
        ({"claims": 3}, "claims 3: needs ids"),
        ({"workers": "2"}, "workers '2': needs 1"),
        ({"workers": 2.0}, r"workers 2\.0: needs 1"),
        ({"workers": True}, "workers True: needs 1"),
        ({"report": ""}, "report '': needs a directory"),
        ({"alpha": None}, "alpha None: needs a number"),
        ({"seed": None}, "seed None: needs a whole number"),
        ({"device": None}, "device 'None': needs auto"),
        ({"subject": None}, "subject None: needs a core.Subject"),
        ({"profile": None}, "profile 'None': there are quick"),
        ({"profile": replace(QUICK, inputs=0.1)}, "profile 'quick': is built in with other sizes"),
        ({"profile": replace(QUICK, name="tiny"), "workers": 2}, "workers 2: needs 1"),
        ({"subject": "__main__:MINE"}, "subject '__main__:MINE': give the Subject itself"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_work(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        theory_checks.check(**{"claims": ["R.8"], "profile": "quick", **given})


def test_claims_may_come_from_an_iterator() -> None:
    report = theory_checks.check(claims=(name for name in ["R.8"]), profile="quick")
    assert list(report) == ["R.8"]
    assert "R.8" in report
    assert "R.5" not in report
    with pytest.raises(KeyError, match=r"R\.5: no record; there are R\.8"):
        report["R.5"]


def test_a_claim_that_no_module_holds_under_its_id_is_refused() -> None:
    def at_odds(h: object) -> Statement:
        """Not what R.8 says."""
        return at_most(2.0, 1.0)

    for own in (replace(built_in()["R.8"], check=at_odds), replace(built_in()["R.8"], id="Q.1")):
        with pytest.raises(ValueError, match=f"claim {own.id}: needs to be an attribute"):
            theory_checks.check(claims=[own], profile="quick")
