"""One claim, checked wherever the package may be and however it is named: the same record every
time."""

import json
import tomllib
from pathlib import Path

import pytest
from installed import ROOT, Run, record_in

import theory_checks

PLUGINS = {
    "autoload": ("-o", "addopts="),
    "no autoload": ("--disable-plugin-autoload", "-p", "theory_checks.plugin"),
}


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The record as Python gives it."""
    folder = tmp_path_factory.mktemp("expected")
    theory_checks.check(claims=["R.8"], profile="quick", report=folder)
    return record_in(folder)


@pytest.mark.parametrize("plugins", PLUGINS)
@pytest.mark.parametrize("installed", ["editable", "wheel"])
@pytest.mark.parametrize("named", ["path", "pyargs"])
@pytest.mark.parametrize("where", ["clone", "foreign"])
def test_every_installation_finds_the_same(
    where: str,
    named: str,
    installed: str,
    plugins: str,
    python: Run,
    foreign: Path,
    wheel: Path,
    editable: Path,
    expected: dict[str, object],
    tmp_path: Path,
) -> None:
    path = {"wheel": [wheel], "editable": [ROOT, editable]}[installed]
    package = wheel if (where, installed) == ("foreign", "wheel") else ROOT
    name = ["--pyargs", "theory_checks"] if named == "pyargs" else [str(package / "theory_checks")]
    if where == "foreign":
        name += ["--theory-subject", "my_variant:SAME"]
    options = ["--theory-claim", "R.8", "--theory-profile", "quick"]
    report = ["--theory-report", str(tmp_path / "report"), "-p", "no:cacheprovider"]
    folder = foreign if where == "foreign" else ROOT
    found = python(folder, path, "-m", "pytest", *PLUGINS[plugins], *name, *options, *report)
    assert found.returncode == 0, found.stdout + found.stderr
    assert record_in(tmp_path / "report") == expected
    if installed == "wheel" and where == "foreign":
        text = (tmp_path / "report" / "report.json").read_text()
        assert json.loads(text)["subject"] == "my_variant:SAME"


def test_a_wheel_has_what_the_report_needs_and_says_that_it_is_typed(wheel: Path) -> None:
    for name in ("core/py.typed", "theory_checks/py.typed"):
        assert (wheel / name).exists()
    templates = ROOT / "theory_checks" / "report" / "templates"
    found = wheel / "theory_checks" / "report" / "templates"
    assert {path.name for path in found.iterdir()} == {path.name for path in templates.iterdir()}


def test_the_console_script_checks_a_variant_from_a_foreign_folder(
    wheel: Path, foreign: Path, python: Run
) -> None:
    script = str(wheel / "bin" / "theory-checks")
    options = ["--profile", "quick", "--claim", "R.8", "--jobs", "2"]
    found = python(
        foreign, [wheel], script, "check", *options, "--subject", "my_variant:LEAKY_GATE"
    )
    assert found.returncode == 1, found.stdout + found.stderr
    assert "R.8 violated" in found.stdout
    # pytest's own summary repeats the message where the variable CI is set.
    command = next(line for line in found.stdout.splitlines() if "reproduce R.8" in line)
    again = python(foreign, [wheel], script, *command.partition("theory_checks ")[2].split())
    assert again.returncode == 1, again.stderr
    assert "verdict: violated" in again.stdout


def test_the_version_is_that_of_the_installation(wheel: Path, foreign: Path, python: Run) -> None:
    code = "import theory_checks; print(theory_checks.__version__)"
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert python(foreign, [wheel], "-c", code).stdout == f"{version}\n"
