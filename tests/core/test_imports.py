"""core stands alone: what it imports, and what it may not."""

import json
import subprocess
import sys
from pathlib import Path

import core

MODULES = sorted(
    f"core.{path.stem}"
    for path in Path(core.__file__).parent.glob("*.py")
    if path.stem != "__init__"
)


def test_core_imports_neither_test_tools_nor_the_claims():
    code = f"import json, sys, core, {', '.join(MODULES)}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(core.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    imported = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert {"core", "torch", "numpy"} <= imported
    assert not imported & {"hypothesis", "pytest", "_pytest", "theory_checks"}


def test_all_names_exported():
    assert {"core.data", "core.training", "core.subject"} <= set(MODULES)
    for name in core.__all__:
        assert hasattr(core, name)
