"""What the tests of installations share."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


def record_in(report: Path) -> dict[str, Any]:
    """The only record of a report."""
    (record,) = json.loads((report / "report.json").read_text())["records"]
    return {**record, "seconds": 0, "command": ""}
