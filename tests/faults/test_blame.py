"""theory-checks blame: of a variant, in this process and its workers; of an edited core, in a clone
of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core import PAPER
from theory_checks.__main__ import main
from theory_checks.checking.run import load_subject
from theory_checks.faults import FAULTS, taken_back
from theory_checks.faults.blame import (
    Files,
    Ingredients,
    Violation,
    follows,
    headline,
    remains,
    remark,
    table,
    verdict_of,
)
from theory_checks.faults.causes import NOTHING, Causes, Parts
from theory_checks.faults.cells import Result, subject_hash
from theory_checks.faults.edit import SOURCE
from theory_checks.faults.put_back import differing, put_back
from theory_checks.faults.taken_back import TakenBack, changed, resolved, sources_at


def raised_noise(shape: tuple[int, ...], generator: torch.Generator, step: int) -> torch.Tensor:
    """Allowed: the law of the choice is the paper's."""
    return 1 + PAPER.router_noise(shape, generator, step)


def choice_with_bounded_noise(h: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
    """Allowed with noise in [0, 1]; with raised noise none is left."""
    return PAPER.select(h, r.clamp(max=1.0))


def refusing(*_: object) -> torch.Tensor:
    raise RuntimeError("not today")


GATE = FAULTS["GATE_COLDER"].subject.gate
ROUTER = FAULTS["ROUTER_GAUSSIAN"].subject.initialise_router
APART = replace(PAPER, gate=GATE, initialise_router=ROUTER)
ONLY_TOGETHER = replace(PAPER, router_noise=raised_noise, select=choice_with_bounded_noise)
EITHER = replace(
    PAPER,
    router_noise=FAULTS["NOISE_GAUSSIAN"].subject.router_noise,
    select=FAULTS["ARGMIN"].subject.select,
)
RAISING = replace(PAPER, gate=refusing, respond=FAULTS["DOUBLED"].subject.respond)
ALLOWED = replace(PAPER, router_noise=raised_noise)


# Subjects with ingredients put back


def test_ingredients_are_put_back_by_name() -> None:
    assert differing(PAPER) == ()
    assert differing(APART) == ("initialise_router", "gate")
    name = put_back("test_blame:APART", ["gate"])
    assert name == "theory_checks.faults.put_back:test_blame:APART@gate"
    assert load_subject(name) == replace(PAPER, initialise_router=ROUTER)
    assert load_subject(put_back("test_blame:APART", ["gate", "initialise_router"])) == PAPER
    hashes = {subject_hash(put_back("test_blame:APART", [part])) for part in differing(APART)}
    assert len(hashes | {subject_hash("test_blame:APART"), subject_hash("core:PAPER")}) == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("theory_checks.faults.put_back:test_blame:APART@gait", "no ingredient 'gait'; there are"),
        ("theory_checks.faults.put_back:test_blame:NONE@gate", "module 'test_blame' has no 'NONE'"),
        ("theory_checks.faults.put_back:APART", "has no 'APART'"),
        ("theory_checks.faults.taken_back:core:PAPER", "has no 'core:PAPER'"),
    ],
)
def test_a_name_of_nothing_is_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_subject(name)


# Core with files taken back


def git(*arguments: str, folder: Path) -> None:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package in a repository, changed since its only commit."""
    folder = tmp_path / "repository" / "core"
    folder.mkdir(parents=True)
    (folder / "past").mkdir()
    for name in ("__init__", "kept", "commented", "edited", "past/gone"):
        (folder / f"{name}.py").write_text(f"{name.rpartition('/')[2]} = 1\n")
    git("init", "-q", folder=folder.parent)
    git("add", ".", folder=folder)
    git("commit", "-qm", "one", folder=folder)
    (folder / "commented.py").write_text("# one\ncommented = (1)\n")
    (folder / "edited.py").write_text("edited = 2\n")
    shutil.rmtree(folder / "past")
    (folder / "part").mkdir()
    (folder / "part" / "new.py").write_text("new = 1\n")
    monkeypatch.setattr(taken_back, "SOURCE", folder)
    sources_at.cache_clear()
    yield folder
    sources_at.cache_clear()


def test_changed_files_are_those_whose_code_differs(source: Path) -> None:
    assert changed(resolved("HEAD")) == ("edited.py", "part/new.py", "past/gone.py")
    git("add", ".", folder=source)
    git("commit", "-qm", "two", folder=source)
    assert changed(resolved("HEAD")) == ()
    assert changed(resolved("HEAD~1")) == ("edited.py", "part/new.py", "past/gone.py")


def test_a_copy_has_the_files_of_the_revision_and_the_others_as_they_are(
    source: Path, tmp_path: Path
) -> None:
    for back in (("edited.py",), ("part/new.py", "past/gone.py")):
        copy = TakenBack("core:PAPER", resolved("HEAD"), back)
        assert taken_back.taken_back(copy.name) == copy
        folder = tmp_path / back[0]
        copy.write_copy(folder)
        written = taken_back.sources_in(folder / "core")
        assert written == copy.sources()
        assert written["commented.py"] == "# one\ncommented = (1)\n"
        assert written["edited.py"] == f"edited = {1 if 'edited.py' in back else 2}\n"
        assert ("past/gone.py" in written) == ("past/gone.py" in back)
        assert ("part/new.py" in written) == ("part/new.py" not in back)
    assert (source / "part" / "new.py").exists()


def test_the_hash_follows_what_is_taken_back_and_what_is_not(source: Path) -> None:
    one = TakenBack("core:PAPER", resolved("HEAD"), ("edited.py",))
    other = replace(one, files=("past/gone.py",))
    before = [subject_hash(copy.name) for copy in (one, other)]
    (source / "edited.py").write_text("edited = 3\n")
    subject_hash.cache_clear()
    after = [subject_hash(copy.name) for copy in (one, other)]
    assert before[0] == after[0] != before[1] != after[1]
    assert subject_hash(replace(one, revision="0" * 12).name) == ""
    subject_hash.cache_clear()


@pytest.mark.usefixtures("source")
def test_a_process_without_the_copy_refuses_the_subject() -> None:
    name = TakenBack("core:PAPER", resolved("HEAD"), ("edited.py",)).name
    with pytest.raises(ValueError, match=r"edited\.py of revision \w{12} needs a copy of core"):
        load_subject(name)


def test_what_git_lacks_is_told(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="no revision 'yesterday' in the git repository of"):
        resolved("yesterday")
    git("rm", "-rqf", ".", folder=source.parent)
    git("commit", "-qm", "none", "--allow-empty", folder=source.parent)
    empty = subprocess.check_output(
        ["git", "-C", source.parent, "rev-parse", "HEAD"], encoding="utf-8"
    ).strip()
    source.mkdir(exist_ok=True)
    (source / "__init__.py").touch()
    git("add", ".", folder=source.parent)
    with pytest.raises(ValueError, match=f"revision {empty} has no core/"):
        sources_at(empty)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match="git cannot be run"):
        resolved("HEAD")
    monkeypatch.undo()
    monkeypatch.setattr(taken_back, "SOURCE", tmp_path)
    with pytest.raises(ValueError, match="is kept by no git repository"):
        resolved("HEAD")


# What is said


def test_verdicts_and_whether_they_remain() -> None:
    assert verdict_of(Result("killed", -1.0)) == "violated"
    assert verdict_of(Result("error", float("nan"))) == "violated"  # measured, and not a number
    assert verdict_of(Result("error")) == "error"
    assert verdict_of(Result("survived")) == "holds"
    assert verdict_of(Result("vacuous")) == "vacuous"
    after = ("violated", "error", "holds", "inconclusive", "vacuous")
    assert [remains("violated", v) for v in after] == [True, None, False, None, None]
    assert [remains("error", v) for v in after] == [False, True, False, False, False]


A, B, C = (frozenset({name}) for name in ("gate", "loss", "select"))
CHANGE = Ingredients("m:V", ("gate", "loss", "select"))


def violation(*causes: Parts, cures: tuple[Parts, ...] = (), **checked: str) -> Violation:
    results = {frozenset(name.split("_")): Result(outcome) for name, outcome in checked.items()}
    return Violation("R.8", "violated", "0.2", Causes(causes, cures), results)


@pytest.mark.parametrize(
    ("found", "cause", "why"),
    [
        (violation(A, cures=(A,)), "gate", ""),
        (
            violation(A | B, cures=(A, B)),
            "gate with loss",
            "only both together: gone without either",
        ),
        (
            violation(A | B | C, cures=(A, B, C)),
            "gate with loss with select",
            "only all 3 together: gone without any one",
        ),
        (
            violation(A, B, cures=(A | B,)),
            "gate or loss",
            "each alone suffices: gone only without both",
        ),
        (
            violation(A, B, C, cures=(A | B | C,)),
            "gate or loss or select",
            "each alone suffices: gone only without all 3",
        ),
        (violation(A, B), "gate or loss", "each of these suffices"),
        (
            violation(A | B, A | C, cures=(A,)),
            "gate with loss or gate with select",
            "each of these suffices: gone without gate",
        ),
        (
            violation(A, B | C, cures=(A | B, A | C)),
            "gate or loss with select",
            "each of these suffices: gone without gate and loss or without gate and select",
        ),
        (
            violation(A | B, cures=(A | B,), gate="error", loss="vacuous"),
            "gate with loss",
            "gone without gate and loss; error with only gate changed; vacuous with only loss"
            " changed",
        ),
        (violation(NOTHING), "none", "violated with the paper's Subject, too"),
        (
            replace(violation(A, cures=(A,), loss="killed"), verdict="error"),
            "gate",
            "violated where there is no error",
        ),
        (
            replace(violation(), checked={NOTHING: Result("inconclusive")}),
            "unclear",
            "inconclusive with the paper's Subject",
        ),
    ],
)
def test_causes_in_words(found: Violation, cause: str, why: str) -> None:
    assert follows(found.causes) == cause
    assert remark(found, CHANGE) == why
    assert found.is_traced == (cause not in ("none", "unclear"))
    line = table([found], CHANGE).splitlines()[1]
    assert line.split("  ", 2)[0] == "R.8"
    assert " ".join(line.split()) == f"R.8 {found.verdict} {cause} {why}".strip()


def test_the_headline_counts_what_violations_follow() -> None:
    found = [violation(A, cures=(A,)), violation(A | B), violation(A, cures=(A,))]
    assert headline(found, Counter(violated=3, holds=7)) == (
        "3 of 10 claims violated or in error: 2 gate, 1 gate with loss."
    )


def test_without_all_of_its_ingredients_a_variant_is_the_paper_s_subject() -> None:
    assert CHANGE.subject(NOTHING) == "core:PAPER"
    assert CHANGE.subject(A | B | C) == "m:V"
    assert CHANGE.subject(A) == "theory_checks.faults.put_back:m:V@loss+select"


def test_files_are_taken_back_in_their_groups() -> None:
    change = Files("core:PAPER", "abc", (("data.py", "model.py"), ("seeds.py",)))
    assert change.parts == ("data.py + model.py", "seeds.py")
    assert change.note == ("Taken back together, as they do not import apart: data.py + model.py.")
    assert replace(change, groups=(("data.py",), ("seeds.py",))).note == CHANGE.note == ""
    assert change.subject(frozenset(change.parts)) == "core:PAPER"
    for kept, back in (("data.py + model.py", "seeds.py"), ("seeds.py", "data.py+model.py")):
        assert change.subject(frozenset({kept})).endswith(f"taken_back:core:PAPER@abc@{back}")
    assert change.subject(NOTHING).endswith("@abc@data.py+model.py+seeds.py")


# The command


def blamed(folder: Path, arguments: str) -> dict[str, str]:
    """What the claims of a report follow."""
    assert main(["blame", *arguments.split(), "--jobs", "1", "--output", str(folder)]) == 0
    report = json.loads((folder / "blame.json").read_text())
    return {
        v["claim"]: " or ".join(" with ".join(cause) for cause in v["follows"])
        for v in report["violations"]
    }


def nothing_is_missing(cells: list[object], *_: object) -> list[object]:
    assert cells == []
    return cells


def test_every_violation_is_traced_and_what_is_known_is_not_checked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = "test_blame:APART --claim R.8 --claim I.3 --claim R.7"
    expected = {"I.3": "initialise_router", "R.8": "gate"}
    assert blamed(tmp_path, arguments) == expected
    printed = capsys.readouterr().out
    assert "R.8    violated  gate\n" in printed
    assert "2 of 3 claims violated or in error: 1 gate, 1 initialise_router." in printed
    assert "| R.8 | gate | violated |" in (tmp_path / "blame.md").read_text()
    rows = json.loads((tmp_path / "cells.json").read_text())["rows"]
    # what holds is not checked again
    assert [list(row["cells"]) for row in rows if "put_back" in row["subject"]] == [
        ["R.8", "I.3"]
    ] * 2
    monkeypatch.setattr("theory_checks.faults.cells.computed", nothing_is_missing)
    assert blamed(tmp_path, arguments) == expected


def test_ingredients_that_act_only_together_or_each_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = "--claim R.5"
    assert blamed(tmp_path, f"test_blame:ONLY_TOGETHER {claim}") == {
        "R.5": "router_noise with select"
    }
    assert "only both together: gone without either" in capsys.readouterr().out
    assert blamed(tmp_path, f"test_blame:EITHER {claim}") == {"R.5": "router_noise or select"}
    assert "each alone suffices: gone only without both" in capsys.readouterr().out


def test_what_raises_is_blamed_for_errors(tmp_path: Path) -> None:
    arguments = "test_blame:RAISING --claim R.8 --claim G.7"
    assert blamed(tmp_path, arguments) == {"R.8": "gate", "G.7": "respond"}
    errors = json.loads((tmp_path / "blame.json").read_text())["violations"]
    assert [v["verdict"] for v in errors] == ["error", "violated"]


def test_what_the_paper_violates_too_follows_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def always_killed(cells: list[object], *_: object) -> Iterator[tuple[object, Result]]:
        return ((cell, Result("killed", -1.0)) for cell in cells)

    monkeypatch.setattr("theory_checks.faults.cells.computed", always_killed)
    assert main(["blame", "test_blame:ALLOWED", "--claim", "R.7", "--output", str(tmp_path)]) == 1
    assert "violated with the paper's Subject, too" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "which variant? blame module:NAME, or --against REV for core/"),
        ("core:PAPER", "subject 'core:PAPER': has the paper's ingredients alone; --against REV"),
        ("core:NOBODY", "module 'core' has no 'NOBODY'"),
        ("test_blame:ALLOWED --claim R.7", "no violation among 1 claim (1 holds; quick profile"),
        ("test_blame:ALLOWED --claim Q.9", "no claim 'Q.9'"),
        ("test_blame:ALLOWED --jobs 0", "jobs 0: needs a whole number >= 1"),
        ("test_blame:ALLOWED --seed x", "seed x: needs a whole number >= 0"),
        ("theory_checks.faults:MARGIN_WITHOUT_LABEL", "is an edit of core/training.py, no Subject"),
    ],
)
def test_what_cannot_be_blamed_is_told_in_one_line(
    arguments: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["blame", *arguments.split(), "--output", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


# An edited core, in a clone


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The packages alone, in no repository."""
    for package in ("core", "theory_checks"):
        shutil.copytree(
            SOURCE.parent / package,
            tmp_path / "clone" / package,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return tmp_path / "clone"


def edit(clone: Path, file: str, before: str, after: str) -> None:
    path = clone / "core" / file
    text = path.read_text()
    assert text.count(before) == 1
    path.write_text(text.replace(before, after))


def against(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "theory_checks", "blame", "--jobs", "2", *arguments],
        cwd=clone,
        env={**os.environ, "PYTHONPATH": str(clone), "COLUMNS": "120"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )


def commit(clone: Path) -> None:
    git("init", "-q", folder=clone)
    git("add", ".", folder=clone)
    git("commit", "-qm", "all", folder=clone)


def test_the_edited_file_is_blamed(clone: Path) -> None:
    commit(clone)
    claims = ("--claim", "R.8", "--claim", "I.3", "--claim", "R.7")
    done = against(clone, "--against", "HEAD", *claims)
    assert (done.returncode, done.stdout) == (2, "")
    assert "core/ does what it did at HEAD: no file of it differs in code" in done.stderr
    edit(clone, "model.py", "h.softmax(dim=-2)", "steepness(h).softmax(dim=-2)")
    edit(
        clone,
        "model.py",
        "from torch import Tensor\n",
        "from core.routing import steepness\nfrom torch import Tensor\n",
    )
    with (clone / "core" / "routing.py").open("a") as file:
        file.write("\n\ndef steepness(h):\n    return 2 * h\n")
    edit(clone, "updates.py", "torch.zeros(", "torch.ones(")
    done = against(clone, "--against", "HEAD", *claims)
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "R.8 violated model.py + routing.py" in lines
    assert "I.3 violated updates.py" in lines
    assert "Taken back together, as they do not import apart: model.py + routing.py." in done.stdout
    assert "Traceback" not in done.stderr
    edit(clone, "model.py", "from core.routing import steepness\n", "import nothing_there\n")
    done = against(clone, "--against", "HEAD")
    assert done.returncode == 2
    assert done.stderr == (
        "theory-checks: core cannot be imported as it is now (ModuleNotFoundError: No module named"
        " 'nothing_there')\n"
    )


def test_a_revision_that_the_claims_cannot_use_and_packages_in_no_repository(clone: Path) -> None:
    done = against(clone, "--against", "HEAD")
    assert done.returncode == 2
    assert done.stderr == (
        f"theory-checks: {clone / 'core'} is kept by no git repository: only a clone of the project"
        " has revisions\n"
    )
    edit(clone, "model.py", "def softmax_gate", "def gate_of_old")
    edit(clone, "subject.py", "model.softmax_gate", "model.gate_of_old")
    commit(clone)
    git("checkout", "-q", "-b", "new", folder=clone)
    edit(clone, "model.py", "def gate_of_old", "def softmax_gate")
    edit(clone, "subject.py", "model.gate_of_old", "model.softmax_gate")
    done = against(clone, "--against", "HEAD")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "theory-checks: core at HEAD cannot be used with the claims as they are now (ImportError: "
    )
    assert done.stderr.count("\n") == 1
