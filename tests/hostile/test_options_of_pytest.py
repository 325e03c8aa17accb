"""With whatever options and settings of pytest, the run ends with the right verdict and status."""

import json
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from situations import CLAIM, FILE, ROOT, in_process, require_no_riddle, variant, verdicts

HOLDS = "1 claim: 1 holds"
VIOLATED = "1 claim: 1 violated"
CLAIM_ITEM = f"{FILE.relative_to(ROOT)}::{CLAIM}"
EXIT = pytest.ExitCode


@pytest.mark.parametrize(
    "options",
    [
        "-q",
        "-qq",
        "-vv",
        "-rA",
        "--tb=no",
        "--tb=native",
        "--durations=3",
        "--no-header --no-summary",
        "--no-fold-skipped --color=yes",
        "-p no:cacheprovider",
        "-p no:warnings",
        "-p no:unraisableexception -p no:threadexception",
        "--capture=no",
        "--capture=sys",
        "-n 0",
        "-x",
        "--maxfail=3",
        "--lf",
        "--ff",
        "--nf",
        "--sw",
        "-k R.8",
        "-k 'R.8 or nothing'",
        "-m 'not xfail'",
        "--deselect nothing",
        "--import-mode=importlib",
        "-W error",
        "-W error::DeprecationWarning",
        "-o console_output_style=progress",
        "--junitxml=j.xml",
        "--basetemp=b",
        "--strict-markers --strict-config",
        "--setup-show",
        "--assert=plain",
        "--continue-on-collection-errors",
        "--max-warnings=1000",
    ],
)
def test_a_claim_holds_with_any_option(options: str, here: Path) -> None:
    status, output = in_process(*shlex.split(options))
    assert status == EXIT.OK, output
    assert verdicts(here / "theory-report") == {CLAIM: "holds"}
    assert HOLDS in output
    require_no_riddle(output)


@pytest.mark.parametrize(
    "options",
    ["-x", "--maxfail=1", "--tb=no", "--tb=long", "-q", "-vv", "--lf", "-rf", "--capture=no"],
)
def test_a_violation_is_told_with_any_option(options: str, here: Path) -> None:
    (here / "my_variant.py").write_text(variant(in_gate="return 0.9 * PAPER.gate(h)"))
    status, output = in_process("--theory-subject", "my_variant:MINE", *options.split())
    assert status == EXIT.TESTS_FAILED, output
    assert VIOLATED in output
    require_no_riddle(output)


@pytest.mark.parametrize("options", ["--co", "--collect-only -q", "--setup-plan", "--setup-only"])
def test_what_checks_nothing_says_no_verdict(options: str, here: Path) -> None:
    status, output = in_process(*options.split())
    assert status in (EXIT.OK, 10), output
    assert "holds" not in output
    require_no_riddle(output)


@pytest.mark.parametrize("options", ["-k nothing", f"--deselect {CLAIM_ITEM}", "-m xfail"])
def test_what_selects_nothing_has_the_status_of_pytest(options: str, here: Path) -> None:
    status, output = in_process(*options.split())
    assert status == EXIT.NO_TESTS_COLLECTED, output
    assert "no check" not in output
    require_no_riddle(output)


class Hook(NamedTuple):
    """What a plugin of the user does, the status and the verdict it leaves."""

    source: str
    status: int
    verdict: str
    says: str = ""


HOOKS = {
    "skips all": Hook(
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items: item.add_marker(pytest.mark.skip(reason='slow'))",
        10,
        "not run",
    ),
    "expects to fail, and it holds": Hook(
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items: item.add_marker(pytest.mark.xfail(reason='known'))",
        0,
        "holds",
    ),
    "expects to fail strictly, and it holds": Hook(
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items: item.add_marker(pytest.mark.xfail(strict=True, reason='known'))",
        1,
        "error",
    ),
    "fails before": Hook("def pytest_runtest_setup(): 1 / 0", 1, "not run"),
    "fails after": Hook("def pytest_runtest_teardown(): 1 / 0", 1, "error"),
    "skips before": Hook("def pytest_runtest_setup(): pytest.skip('no GPU')", 10, "not run"),
    "ends the run": Hook("def pytest_runtest_setup(): pytest.exit('enough', 7)", 7, "not run"),
    "stops the run": Hook(
        "def pytest_runtest_logreport(report):\n    raise KeyboardInterrupt",
        2,
        "not run",
    ),
    "fails at the end": Hook(
        "def pytest_sessionfinish(session): import warnings; warnings.warn('cache')", 0, "holds"
    ),
    "reverses": Hook("def pytest_collection_modifyitems(items): items.reverse()", 0, "holds"),
    "empties": Hook("def pytest_collection_modifyitems(items): items.clear()", 5, ""),
    "sets a status": Hook("def pytest_sessionfinish(session): session.exitstatus = 3", 3, "holds"),
    "breaks a hook": Hook("def pytest_runtest_logreport(report): 1 / 0", 3, "not run"),
}


@pytest.mark.parametrize("name", HOOKS)
def test_what_a_plugin_does(name: str, here: Path) -> None:
    hook = HOOKS[name]
    sys.path.append(str(here))
    (here / "my_claims.py").write_text(f"import pytest\n{hook.source}\n")
    status, output = in_process("-p", "my_claims", "-W", "error")
    assert status == hook.status, output
    if hook.verdict:
        assert verdicts(here / "theory-report") == {CLAIM: hook.verdict}, output
        assert f"1 claim: 1 {hook.verdict}" in output
        complete = json.loads((here / "theory-report" / "report.json").read_text())["complete"]
        assert complete == (hook.verdict != "not run")
    if status != EXIT.INTERNAL_ERROR:
        require_no_riddle(output)


@pytest.mark.parametrize("width", ["1", "20", "40", "80", "300", "0", "x", ""])
def test_the_table_fits_any_terminal(
    width: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    status, output = in_process()
    assert status == EXIT.OK, output
    table = output.partition(" claims ")[2].splitlines()[1:4]
    columns = int(width) if width in ("40", "300") else 80
    assert all(len(line) <= columns for line in table), table
    assert any(line.startswith("R.8") and "holds" in line for line in table), output
    require_no_riddle(output)


@pytest.mark.parametrize("name", ["NO_COLOR", "FORCE_COLOR", "CI", "PY_COLORS", "TERM"])
def test_the_environment_of_a_terminal(
    name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    status, output = in_process()
    assert (status, HOLDS in output) == (EXIT.OK, True), output
    require_no_riddle(output)
