"""The plugin in projects that have nothing to do with it, and in those of its users."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from installed import ROOT, Run

# A plugin that notes what loading another one changed.
WATCH = """
import json, os, sys

def pytest_addoption(parser, pluginmanager):
    before = set(sys.modules), dict(os.environ)
    pluginmanager.import_plugin("theory_checks.plugin")
    with open("before.json", "w") as file:
        json.dump([sorted(set(sys.modules) - before[0]), dict(os.environ) == before[1]], file)

def pytest_unconfigure(config):
    with open("after.json", "w") as file:
        json.dump([m for m in sys.modules if m.startswith("theory_checks")], file)
"""
A_TEST = "def test_nothing(): pass"
LOADED = {
    "theory_checks",
    "theory_checks.plugin",
    "theory_checks.checking",
    "theory_checks.checking.arguments",
    "theory_checks.checking.profiles",
}


def test_an_unrelated_project_gets_options_and_nothing_else(tmp_path: Path, python: Run) -> None:
    (tmp_path / "watch.py").write_text(WATCH)
    (tmp_path / "test_a.py").write_text(A_TEST)
    options = ["--disable-plugin-autoload", "-p", "watch"]
    found = python(tmp_path, [ROOT, tmp_path], "-m", "pytest", *options)
    assert found.returncode == 0, found.stderr
    modules, environment_is_the_same = json.loads((tmp_path / "before.json").read_text())
    ours = {name for name in modules if name.startswith("theory_checks")}
    assert ours == LOADED
    others = {name.partition(".")[0] for name in set(modules) - ours}
    assert others <= {*sys.stdlib_module_names, "pytest", "_pytest"}
    assert environment_is_the_same
    assert set(json.loads((tmp_path / "after.json").read_text())) == LOADED
    assert not (tmp_path / "theory-report").exists()


def test_loading_takes_less_than_20_ms(tmp_path: Path, python: Run) -> None:
    code = "import pytest, sys; sys.stderr.flush(); import theory_checks.plugin"
    milliseconds = []
    for _ in range(3):
        found = python(tmp_path, [ROOT], "-X", "importtime", "-c", code)
        lines = [line.split("|") for line in found.stderr.splitlines()]
        took = {name.strip(): int(total) for _, total, name in lines if total.strip().isdigit()}
        milliseconds.append((took["theory_checks"] + took["theory_checks.plugin"]) / 1000)
    assert min(milliseconds) < 20


def test_it_registers_once_beside_the_conftest_of_the_clone(editable: Path, python: Run) -> None:
    options = [
        "--trace-config",
        "--collect-only",
        "-q",
        "-o",
        "addopts=",
        "-p",
        "theory_checks.plugin",
    ]
    found = python(ROOT, [ROOT, editable], "-m", "pytest", *options, "tests/core/test_imports.py")
    assert found.returncode == 0, found.stderr
    registered = [line for line in found.stdout.splitlines() if "theory_checks/plugin.py" in line]
    assert len(registered) == 1 or len({line.split()[0] for line in registered}) == 1, registered


@pytest.mark.parametrize("parallel", [(), ("-n", "2")])
@pytest.mark.parametrize("arguments", [("--pyargs", "theory_checks"), (f"{ROOT}/theory_checks",)])
def test_a_variant_of_the_current_directory_is_found_but_never_hides_a_module(
    arguments: tuple[str, ...],
    parallel: tuple[str, ...],
    foreign: Path,
    editable: Path,
    python: Run,
) -> None:
    # Were the directory first on the path, it would be imported by the standard library.
    (foreign / "bisect.py").write_text("raise RuntimeError('hidden')")
    options = ["--theory-subject", "my_variant:LEAKY_GATE", "--theory-claim", "R.8"]
    command = ["-m", "pytest", "-p", "xdist", *arguments, *options, *parallel]
    found = python(foreign, [ROOT, editable], *command, PYTHONSAFEPATH="1")
    assert found.returncode == 1, found.stdout + found.stderr
    assert "1 claim: 1 violated" in found.stdout


@pytest.mark.parametrize("parallel", [(), ("-n", "2")])
def test_a_run_for_claims_that_collects_none_is_a_usage_error(
    parallel: tuple[str, ...], foreign: Path, editable: Path, python: Run
) -> None:
    (foreign / "check_a.py").write_text(A_TEST)
    arguments = ["check_a.py", "--theory-profile", "quick", *parallel]
    found = python(foreign, [ROOT, editable], "-m", "pytest", *arguments)
    assert found.returncode == pytest.ExitCode.USAGE_ERROR, found.stdout + found.stderr
    (line,) = [line for line in found.stderr.splitlines() if "collects no claim" in line]
    assert "--pyargs theory_checks" in line
    assert "Traceback" not in found.stdout + found.stderr
    assert "INTERNALERROR" not in found.stdout + found.stderr


@pytest.mark.parametrize("place", ["the current directory", "the path"])
@pytest.mark.parametrize("command", ["pytest --pyargs theory_checks", "theory_checks claims"])
def test_another_package_named_core_ends_the_run(
    command: str, place: str, foreign: Path, editable: Path, python: Run
) -> None:
    folder = foreign if place == "the current directory" else foreign / "elsewhere"
    (folder / "core").mkdir(parents=True)
    (folder / "core" / "__init__.py").write_text("PAPER = None")
    path = [ROOT, editable] if folder == foreign else [folder, ROOT, editable]
    found = python(foreign, path, "-m", *command.split())
    assert found.returncode == (4 if "pytest" in command else 2), found.stdout + found.stderr
    (line,) = [line for line in found.stderr.splitlines() if "`core`" in line]
    assert f"{folder}/core" in line
    assert f"{ROOT}/core" in line
    assert "Traceback" not in found.stdout + found.stderr


OWN_CLAIMS = """
from hypothesis import strategies as st
from theory_checks import Kind, claim
from theory_checks.evidence import at_most

@claim("U.1", kind=Kind.EXACT, samples=False, source="mine", over={"x": st.integers(0, 100)})
def small(x):
    '''x is at most 50.'''
    return at_most(x, 50)

def test_beside_it():
    pass
"""


@pytest.mark.parametrize("parallel", [(), ("-n", "2")])
def test_claims_among_the_tests_of_a_project_are_tests(
    parallel: tuple[str, ...], foreign: Path, editable: Path, python: Run
) -> None:
    (foreign / "check_mine.py").write_text(OWN_CLAIMS)
    found = python(foreign, [ROOT, editable], "-m", "pytest", "check_mine.py", *parallel)
    assert found.returncode == 1, found.stdout + found.stderr
    assert "claim U.1 violated: x is at most 50." in found.stdout
    assert "1 failed, 1 passed" in found.stdout
    assert "--claims check_mine" in found.stdout  # the replay knows where the claim is
    assert not (foreign / "theory-report").exists()


@pytest.mark.parametrize(
    ("file", "packages"),
    [
        ("check_mine.py", ()),
        ("some tests/check_mine.py", ()),
        ("tests/unit/check_mine.py", ("tests/unit",)),
        ("tests/unit/check_mine.py", ("tests", "tests/unit")),
    ],
)
def test_the_replay_of_a_claim_finds_its_file_from_where_the_user_stands(
    file: str, packages: tuple[str, ...], foreign: Path, editable: Path, python: Run
) -> None:
    (foreign / file).parent.mkdir(parents=True, exist_ok=True)
    (foreign / file).write_text(OWN_CLAIMS)
    for package in packages:
        (foreign / package / "__init__.py").touch()
    found = python(foreign, [ROOT, editable], "-m", "pytest", file)
    assert found.returncode == 1, found.stdout + found.stderr
    (replay,) = {
        line.partition("replay: ")[2] for line in found.stdout.splitlines() if "replay: " in line
    }
    again = python(foreign, [ROOT, editable], *shlex.split(replay)[1:])
    assert again.returncode == 1, again.stderr
    assert "violated, observed 51" in again.stdout
    check = ["-m", "theory_checks", "check", "--claims", file, "--claim", "U.1"]
    named = python(foreign, [ROOT, editable], *check, "--profile", "quick")
    assert named.returncode == 1, named.stderr
    assert "1 claim: 1 violated" in named.stdout
