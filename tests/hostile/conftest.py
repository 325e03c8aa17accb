"""A place for a run of pytest inside this process, as a user would start one."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from situations import CLEARED

from theory_checks.checking.registry import built_in

sys.path.append(str(Path(__file__).parents[1] / "report"))  # which has the module `made`


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current directory, from which modules can be imported until the test ends."""
    built_in()
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield tmp_path
    for name in ("my_variant", "my_claims"):
        sys.modules.pop(name, None)
