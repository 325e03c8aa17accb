"""Whatever the module of a variant does, the run ends with the right verdict or one sentence."""

from pathlib import Path
from typing import NamedTuple

import pytest
from situations import CLAIM, in_process, require_no_riddle, variant

from theory_checks.__main__ import main


class Case(NamedTuple):
    """What a module does when it is imported, and how the run ends.

    says: is in the output
    """

    does: str
    status: int
    says: str


HOLDS = "1 claim: 1 holds"
IMPORTS = {
    "warns": Case("import warnings; warnings.warn('old', DeprecationWarning)", 0, HOLDS),
    "warns as a third party": Case(
        "import warnings; warnings.warn_explicit('old', DeprecationWarning, 'yaml.py', 3)",
        0,
        HOLDS,
    ),
    "sets warnings to errors": Case("import warnings; warnings.simplefilter('error')", 0, HOLDS),
    "prints": Case("print('hello'); import sys; sys.stderr.write('hello')", 0, HOLDS),
    "replaces sys.stdout": Case("import io, sys; sys.stdout = io.StringIO()", 0, HOLDS),
    "removes the streams": Case("import sys; sys.stdout = sys.stderr = None", 0, HOLDS),
    "changes the directory": Case("import os; os.chdir('/')", 0, HOLDS),
    "changes the arguments": Case("import sys; sys.argv[:] = []", 0, HOLDS),
    "takes Ctrl-C": Case("import signal; signal.signal(2, signal.SIG_IGN)", 0, HOLDS),
    "forks": Case("import os; os.fork()", 0, HOLDS),
    "starts a thread": Case(
        "import threading, time; threading.Thread(target=time.sleep, args=(1,)).start()", 0, HOLDS
    ),
    "logs to everything": Case("import logging; logging.basicConfig(level=1)", 0, HOLDS),
    "reads arguments": Case(
        "import argparse; argparse.ArgumentParser().parse_args(['x'])",
        4,
        "module 'my_variant' cannot be imported (SystemExit: 2 (it tries to end the program))",
    ),
    "exits": Case("import sys; sys.exit('no licence')", 4, "(SystemExit: no licence (it tries"),
    "exits with 0": Case("raise SystemExit", 4, "(SystemExit (it tries to end the program))"),
    "skips": Case(
        "import pytest; pytest.skip('no GPU', allow_module_level=True)", 4, "(Skipped: no GPU)"
    ),
    "ends pytest": Case("import pytest; pytest.exit('enough', 0)", 4, "(Exit: enough)"),
    "raises": Case("1 / 0", 4, "cannot be imported (ZeroDivisionError: division by zero)"),
    "raises in many lines": Case("raise ValueError('a\\n' * 500)", 4, "(ValueError: a a a"),
    "raises what is no Exception": Case(
        "class Mine(BaseException): pass\nraise Mine('so')", 4, "(Mine: so)"
    ),
    "raises without words": Case("assert False", 4, "(AssertionError"),
    "is cancelled": Case("import asyncio; raise asyncio.CancelledError", 4, "(CancelledError)"),
    "recurses": Case("def f(): f()\nf()", 4, "(RecursionError: maximum recursion"),
    "has a typing error": Case("def", 4, "(SyntaxError: invalid syntax"),
    "lacks a module": Case("import no_such_module", 4, "(ModuleNotFoundError: No module named"),
    "is interrupted": Case("raise KeyboardInterrupt", 2, ""),
    "has another name": Case("del MINE", 4, "module 'my_variant' has no 'MINE'"),
    "has no Subject": Case("MINE = 3", 4, "is a int, needs a core.Subject"),
    "has a class": Case("MINE = type(PAPER)", 4, "is a type, needs a core.Subject"),
}


@pytest.mark.parametrize("name", IMPORTS)
def test_what_a_module_does_when_it_is_imported(name: str, here: Path) -> None:
    case = IMPORTS[name]
    (here / "my_variant.py").write_text(variant(at_import=case.does))
    status, output = in_process("--theory-subject", "my_variant:MINE")
    assert status == case.status, output
    assert case.says in output
    require_no_riddle(output)


GATES = {
    "warns": Case("import warnings; warnings.warn('old', DeprecationWarning)", 0, HOLDS),
    "sets warnings to errors": Case("import warnings; warnings.simplefilter('error')", 0, HOLDS),
    "prints": Case("print('hello', flush=True)", 0, HOLDS),
    "replaces sys.stdout": Case("import io, sys; sys.stdout = io.StringIO()", 0, HOLDS),
    "removes the streams": Case("import sys; sys.stdout = sys.stderr = None", 0, HOLDS),
    "changes the directory": Case("import os; os.chdir('/')", 0, HOLDS),
    "raises": Case("1 / 0", 1, "ZeroDivisionError: division by zero"),
    "exits": Case("import sys; sys.exit(0)", 1, "SystemExit: 0 (it tries to end the program)"),
    "skips": Case("import pytest; pytest.skip('no GPU')", 1, "Skipped: no GPU"),
    "expects to fail": Case("import pytest; pytest.xfail('known')", 1, "XFailed: known"),
    "fails": Case("import pytest; pytest.fail('Timeout (>1.0s)')", 1, "Failed: Timeout (>1.0s)"),
    "ends pytest": Case("import pytest; pytest.exit('enough', 0)", 1, "Exit: enough"),
    # Once is enough: were the check to go on, what takes too long would be tried again and again.
    "takes too long once": Case(
        "import pytest; seen.append(h)\n    if len(seen) == 60: pytest.fail('Timeout (>1.0s)')",
        1,
        "Failed: Timeout (>1.0s)",
    ),
    "is cancelled": Case("import asyncio; raise asyncio.CancelledError", 1, "CancelledError"),
    "is closed": Case("raise GeneratorExit", 1, "GeneratorExit"),
    "recurses": Case("return gate(h)", 1, "RecursionError"),
    "is interrupted": Case("raise KeyboardInterrupt", 2, "1 claim: 1 not run"),
    "raises in an exception group": Case(
        "raise ExceptionGroup('two', [ValueError('a'), ValueError('b')])", 1, "ExceptionGroup: two"
    ),
    "raises what cannot be shown": Case(
        "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})", 1, "Odd"
    ),
    "raises what is no text": Case("raise ValueError('\\udcff')", 1, "ValueError: \udcff"),
}


@pytest.mark.parametrize("name", GATES)
def test_what_an_ingredient_does_when_it_is_called(name: str, here: Path) -> None:
    case = GATES[name]
    (here / "my_variant.py").write_text(variant(in_gate=case.does))
    status, output = in_process("--theory-subject", "my_variant:MINE")
    assert status == case.status, output
    assert case.says in output
    require_no_riddle(output)
    if status == 1:
        assert "1 claim: 1 error" in output


CLAIMS = {
    "is absent": ("my_claims", None, "claims 'my_claims': cannot be imported (ModuleNotFoundError"),
    "is an absent file": ("x/my_claims.py", None, "cannot be imported (ModuleNotFoundError"),
    "is a directory": (".", None, "claims '.': cannot be imported ("),
    "has an odd name": ("my claims.py", None, "claims 'my claims.py': cannot be imported"),
    "is empty": ("my_claims", "", "claims 'my_claims': defines no claim"),
    "exits": ("my_claims.py", "import sys; sys.exit(1)", "cannot be imported (SystemExit: 1"),
    "skips": (
        "my_claims",
        "import pytest; pytest.skip('x', allow_module_level=True)",
        "claims 'my_claims': cannot be imported (Skipped: x)",
    ),
    "states nothing": (
        "my_claims",
        "from theory_checks import Kind, claim\n"
        "@claim('U.1', kind=Kind.EXACT, source='mine', over={})\ndef unsaid(): pass",
        "(ValueError: claim U.1: its check needs a docstring",
    ),
    "takes an id": (
        "my_claims",
        "from theory_checks import Kind, claim\n"
        "@claim('R.8', kind=Kind.EXACT, source='mine', over={})\ndef mine(): 'So.'",
        "another claim has the id 'R.8'",
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_what_a_module_of_claims_is(name: str, here: Path) -> None:
    given, source, says = CLAIMS[name]
    if source is not None:
        (here / "my_claims.py").write_text(source)
    status, output = in_process("--theory-claims", given)
    assert status == 4, output
    assert says in output
    assert output.count("ERROR") == 1
    require_no_riddle(output)


@pytest.mark.parametrize("does", ["1 / 0", "raise SystemExit", "raise GeneratorExit"])
def test_an_error_shows_the_lines_of_the_claim_and_of_the_variant_only(
    does: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "my_variant.py").write_text(variant(in_gate=does))
    _, output = in_process("--theory-subject", "my_variant:MINE")
    shown = output.partition("claim R.8 error: ")[2].partition("  seed ")[0].splitlines()
    assert len(shown) == 4, output
    assert shown[1].startswith("  ")
    assert "test_routing.py:" in shown[2]
    assert shown[2].endswith(", in the_gate_is_a_softmax: pi = subject.gate(at)")
    assert shown[3] == f"  {here / 'my_variant.py'}:8, in gate: {does}"
    assert main(["reproduce", CLAIM, "--profile", "quick", "--subject", "my_variant:MINE"]) == 1
    replayed = capsys.readouterr().out
    assert replayed.splitlines()[-3] == f"verdict: error; {shown[1].strip()}"
    assert replayed.splitlines()[-2:] == shown[2:]
