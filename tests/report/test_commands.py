"""python -m theory_checks, in this process."""

import re
import shlex
from pathlib import Path

import pytest
from made import record, report

from theory_checks.__main__ import COMMANDS, main, parser
from theory_checks.checking.registry import built_in
from theory_checks.report.document import read_report
from theory_checks.report.write import reserve, write

LOWER = {"00000001": (0.05, 0.1, 100_000, 1.0)}
HIGHER = {"00000001": (0.25, 0.1, 100_000, 1.0)}


def written(directory: Path, *records, **fields) -> str:  # type: ignore[no-untyped-def]
    with reserve(directory):
        write(report(*records, **fields), directory)
    return str(directory)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("dance", "invalid choice: 'dance'"),
        ("claims Q.9", "no claim 'Q.9'"),
        ("claims r.5", "no claim 'r.5'; did you mean R.5"),
        ("claims --kind green", "invalid choice: 'green'"),
        ("reproduce Q.9", "no claim 'Q.9'"),
        ("reproduce R.1 --profile heroic", "invalid choice: 'heroic'"),
        (
            "reproduce R.1 --subject core:NOBODY",
            "subject 'core:NOBODY': module 'core' has no 'NOBODY'",
        ),
        ("reproduce R.1 --device abacus", "device 'abacus': needs auto, cpu, cuda, cuda:i or mps"),
        ("reproduce R.1 --seed -1", "seed -1: needs a whole number >= 0"),
        ("reproduce R.1 --alpha 1", "alpha 1: needs a number between 0 and 1"),
        ("compare nowhere nowhere", "nowhere: cannot be read"),
        ("report nowhere", "nowhere: cannot be read"),
        ("mutants", "the command mutants is now faults"),
        (
            "reproduce R.1 --subject theory_checks.mutants:NO_NOISE",
            "subject 'theory_checks.mutants:NO_NOISE': is now theory_checks.faults:NO_NOISE",
        ),
        ("check --seed tomorrow", "seed tomorrow: needs a whole number >= 0"),
        ("check --alpha 2", "alpha 2: needs a number between 0 and 1"),
        ("check --profile heroic", "invalid choice: 'heroic'"),
        ("check --jobs ٣", "jobs ٣: needs a whole number, or auto"),
        ("check --jobs some", "jobs some: needs a whole number, or auto"),
        ("check --claims nothing_there --claim R.1", "claims 'nothing_there': cannot be imported"),
        ("check --dance", "unrecognized arguments: --dance"),
        ("faults --fault NOBODY", "no fault 'NOBODY'"),
        ("faults --seed x", "seed x: needs a whole number >= 0"),
        ("faults --seed ٣", "seed ٣: needs a whole number >= 0"),
        ("graded --fault NOBODY", "NOBODY"),
        ("graded --jobs 0", "jobs 0: needs a whole number >= 1"),
        ("false_alarms --runs 0", "runs 0: needs a whole number >= 1"),
        ("false_alarms --claim Q.9", "no claim 'Q.9'"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(arguments.split())
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    told = capsys.readouterr().err
    assert status == 2
    assert message in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device"), "standard output: No space left on device"),
        (OSError(13, "Permission denied", "a.json"), "a.json: Permission denied"),
        (OSError("training runs cannot be kept"), "training runs cannot be kept"),
    ],
)
def test_what_the_system_refuses_is_told_in_one_line(
    error: OSError,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(arguments: object) -> int:
        raise error

    monkeypatch.setattr("theory_checks.commands.claims.run", refused)
    monkeypatch.setattr("theory_checks.__main__.discard_output", lambda: None)
    assert main(["claims"]) == 2
    assert capsys.readouterr().err == f"theory-checks: {told}\n"


@pytest.mark.parametrize("command", ["", *(m.__name__.rpartition(".")[2] for m in COMMANDS)])
def test_every_command_has_help_with_examples_that_parse(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert command in text
    examples = re.findall(r"^  theory-checks (.*)", text.partition("examples:")[2], re.MULTILINE)
    assert examples
    for example in examples:
        assert parser().parse_args(shlex.split(example)).run


def test_claims_are_listed_and_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    everything = built_in()
    of_lemma = {
        claim_id
        for claim_id, claim in everything.items()
        if "Lemma 5.1" in claim.source and claim_id.startswith("R.")
    }
    for arguments, expected in [
        ([], set(everything)),
        (["--group", "s"], {claim_id for claim_id in everything if claim_id.startswith("S.")}),
        (
            ["--kind", "law"],
            {claim_id for claim_id, claim in everything.items() if claim.kind.value == "law"},
        ),
        (["--text", "LEMMA 5.1", "--group", "R"], of_lemma),
        (["--text", "no claim says this"], set()),
    ]:
        assert main(["claims", *arguments]) == 0
        *lines, total = capsys.readouterr().out.splitlines()
        assert {line.split()[0] for line in lines} >= expected
        assert total.startswith(f"{len(lines)} of {len(everything)} claims")
        assert all(len(line) <= 80 for line in lines)
        if arguments != [
            "--text",
            "LEMMA 5.1",
            "--group",
            "R",
        ]:  # which is also mentioned by some derivations
            assert len(lines) == len(expected)
    assert of_lemma


def test_a_claim_is_shown_with_its_derivation(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    claim = built_in()["R.2"]
    assert main(["claims", "R.2", "R.3"]) == 0
    first, second = re.split(r"\n\n(?=R\.3)", capsys.readouterr().out)
    assert first.startswith(f"R.2 {claim.statement}")
    assert "source    Lemma 5.1" in first
    assert "builds on R.3 norm_inf" in first
    assert "test_routing.py:" in first
    assert " ".join(claim.derivation.split()) in first
    assert re.search(r"needed by .*R\.2", second)


def test_comparing_says_what_changed_and_whether_it_got_worse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = {"averages": False}
    old = written(
        tmp_path / "old",
        record("R.1", margins=HIGHER, **common),
        record("R.2", "violated"),
        record("R.3"),
    )
    new = written(
        tmp_path / "new", record("R.1", margins=LOWER, **common), record("R.2"), record("R.3")
    )
    assert main(["compare", old, new]) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == ["R.1", "R.2", "compared"]
    assert told[-1].endswith("1 margin moved, 1 fixed, 1 unchanged; worse")
    assert main(["compare", "--all", new, new + "/report.json"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "R.1",
        "R.2",
        "R.3",
        "compared",
    ]
    assert main(["compare", new, old]) == 1  # R.2 is newly violated
    deep = written(tmp_path / "deep", record(), profile="deep")
    assert main(["compare", old, deep]) == 2
    assert "nothing to compare" in capsys.readouterr().err


def test_pages_are_built_again_from_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = written(tmp_path / "old", record("R.1"))
    new = written(tmp_path / "new", record("R.1", "violated"))
    before = read_report(Path(new)).to_json()
    for name in ("index.html", "summary.md"):
        (Path(new) / name).unlink()
    assert main(["report", new]) == 0
    assert capsys.readouterr().out.splitlines() == [f"{new}/index.html", f"{new}/summary.md"]
    assert "Since the baseline" not in (Path(new) / "summary.md").read_text()
    assert main(["report", new, "--baseline", old]) == 0
    assert "newly violated" in (Path(new) / "summary.md").read_text()
    assert "newly violated" in (Path(new) / "index.html").read_text()
    assert (Path(new) / "report.json").read_text() == before
    with reserve(Path(new)):
        assert main(["report", new]) == 2
    assert "another run is writing its report there" in capsys.readouterr().err


def test_a_replay_of_a_claim_that_holds_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "R.8", "--profile", "quick", "--seed", "3"]) == 0
    told = capsys.readouterr().out
    assert "subject core:PAPER, profile quick, seed 3" in told
    assert "worst case, the input closest to the bound:" in told
    assert "verdict: holds, observed " in told
