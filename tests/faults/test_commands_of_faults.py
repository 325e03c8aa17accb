"""python -m theory_checks faults, graded and false_alarms, in this process and its workers."""

import json
import re
from pathlib import Path

import pytest

from theory_checks.__main__ import main
from theory_checks.commands.false_alarms import at_most
from theory_checks.faults.graded import STEPS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("faults --fault NOBODY", "no fault 'NOBODY'; there are SIGNALS_"),
        ("faults --fault GATE_ONE --claim Q.9", "no claim 'Q.9'"),
        ("faults --jobs 0", "jobs 0: needs a whole number >= 1"),
        ("faults --seed -1", "seed -1: needs a whole number >= 0"),
        ("faults --limit 0", "limit 0.0: needs a number of seconds > 0"),
        ("graded --fault NOBODY", "no graded fault 'NOBODY'"),
        ("false_alarms --runs 0", "runs 0: needs a whole number >= 1"),
        ("false_alarms --subject core:NOBODY", "module 'core' has no 'NOBODY'"),
        ("graded --checks 0", "checks 0: needs a whole number >= 1"),
    ],
)
def test_what_is_not_there_is_reported_in_one_line(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def known(path: Path) -> set[tuple[str, str, int]]:
    """Subject, claim and seed of each result in a file."""
    return {
        (row["subject"], claim_id, row["seed"])
        for row in json.loads(path.read_text())["rows"]
        for claim_id in row["cells"]
    }


def test_a_matrix_is_written_and_goes_on_where_it_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [
        "faults",
        "--jobs",
        "1",
        "--output",
        str(tmp_path),
        "--fault",
        "GATE_ONE",
        "--fault",
        "NOISE_CENTRED",
    ]
    assert main([*common, "--claim", "R.8"]) == 0
    first = known(tmp_path / "cells.json")
    capsys.readouterr()
    assert main([*common, "--claim", "R.8", "--claim", "R.7"]) == 0
    # R.8 and R.7 of the paper's Subject, R.8 of the one that breaks the gate: R.7 needs no gate
    both = known(tmp_path / "cells.json")
    assert len(both) == 3
    assert first < both
    printed = capsys.readouterr().out
    assert re.search(r"^GATE_ONE +R\.8 +-\d", printed, re.MULTILINE)
    assert re.search(r"^NOISE_CENTRED +equivalent$", printed, re.MULTILINE)
    assert "survivors: none" in printed
    assert "1 of 2 faults are killed, 1 is equivalent: no gap." in printed
    found = json.loads((tmp_path / "matrix.json").read_text())
    assert found["order"] == ["R.7", "R.8"]
    assert found["faults"][0]["killed_by"] == ["R.8"]
    assert "GATE_ONE" in (tmp_path / "matrix.md").read_text()
    assert "GATE_ONE" in (tmp_path / "matrix.html").read_text()


def test_results_may_be_kept_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept" / "known.json"
    common = ["faults", "--jobs", "1", "--fault", "GATE_ONE", "--claim", "R.8"]
    for folder in ("a", "b"):
        assert main([*common, "--cells", str(kept), "--output", str(tmp_path / folder)]) == 0
        assert (tmp_path / folder / "matrix.json").exists()
        assert not (tmp_path / folder / "cells.json").exists()
        monkeypatch.setattr("theory_checks.faults.cells.computed", no_computation)
    kept.write_text("{}")
    assert main([*common, "--cells", str(kept), "--output", str(tmp_path)]) == 2
    assert "known.json: has no results of checks" in capsys.readouterr().err
    assert kept.read_text() == "{}"


def no_computation(missing: list[object], *_: object) -> list[object]:
    """For a run that knows everything."""
    assert missing == []
    return []


def test_a_gap_is_reported_by_the_exit_status(tmp_path: Path) -> None:
    common = [
        "faults",
        "--jobs",
        "1",
        "--output",
        str(tmp_path),
        "--fault",
        "GATE_ONE",
        "--claim",
    ]
    assert main([*common, "R.7"]) == 0  # the claim that must notice was not checked
    assert main([*common, "R.8", "--limit", "0.001"]) == 1  # a cell in error is no kill


def test_a_strength_is_searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "graded",
        "--jobs",
        "1",
        "--output",
        str(tmp_path),
        "--fault",
        "SIGNAL_ANGLE",
        "--checks",
        "1",
    ]
    assert main(arguments) == 0
    text = (tmp_path / "cells.json").read_text()
    assert main(arguments) == 0
    assert (tmp_path / "cells.json").read_text() == text
    (power,) = json.loads((tmp_path / "graded.json").read_text())["results"]
    assert 0.5 / 2**STEPS < power["strength"] < 1e-11
    assert "SIGNAL_ANGLE D.1" in capsys.readouterr().out
    assert "| SIGNAL_ANGLE |" in (tmp_path / "graded.md").read_text()


def test_false_alarms_are_counted_in_batches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [
        "false_alarms",
        "--jobs",
        "1",
        "--output",
        str(tmp_path),
        "--claim",
        "R.7",
        "--claim",
        "I.3",
        "--runs",
    ]
    assert main([*common, "1"]) == 0
    assert main([*common, "2"]) == 0
    assert len(known(tmp_path / "cells.json")) == 4
    assert (
        "2 runs of 2 claims: 0 violated, 0 error, 0 inconclusive, 0 vacuous, 4 holds."
        in capsys.readouterr().out
    )
    assert json.loads((tmp_path / "false-alarms.json").read_text())["claims"] == {
        "R.7": {"holds": 2},
        "I.3": {"holds": 2},
    }
    assert "| R.7 | 0 | 0 | 0 | 0 | 2 | 0.78 |" in (tmp_path / "false-alarms.md").read_text()
    assert main([*common, "1", "--subject", "theory_checks.faults:ROUTER_GAUSSIAN"]) == 1
    assert json.loads((tmp_path / "false-alarms.json").read_text())["alarms"][0]["claim"] == "I.3"


def test_the_bound_of_a_share() -> None:
    assert at_most(0, 50) == pytest.approx(1 - 0.05 ** (1 / 50))
    assert at_most(3, 3) == 1.0
