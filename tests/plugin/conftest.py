"""The package as users have it: installed from a wheel or editable, used from a folder of their
own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from installed import ROOT, Run

VARIANT = """
from dataclasses import replace
from core import PAPER

SAME = replace(PAPER)
LEAKY_GATE = replace(PAPER, gate=lambda h: 0.9 * PAPER.gate(h))
"""
# A project that collects its tests in its own way.
SETTINGS = """
[pytest]
python_files = check_*.py
testpaths = nowhere
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in ("core", "theory_checks"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    alone = ["--no-deps", "--no-index"]
    build = [*pip, "wheel", *alone, "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (file,) = folder.glob("*.whl")
    install = [*pip, "install", *alone, "--target", str(folder / "installed"), str(file)]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    return folder / "installed"


@pytest.fixture(scope="session")
def editable(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an editable installation adds to a clone: the metadata, with the entry point."""
    folder = tmp_path_factory.mktemp("editable")
    (metadata,) = wheel.glob("*.dist-info")
    shutil.copytree(metadata, folder / metadata.name)
    return folder


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of a user, with a variant and with settings of pytest."""
    folder = tmp_path / "foreign"
    folder.mkdir()
    (folder / "my_variant.py").write_text(VARIANT)
    (folder / "pytest.ini").write_text(SETTINGS)
    return folder


@pytest.fixture
def python() -> Run:
    """Runs Python in a folder, with these folders on its path."""

    def run(
        folder: Path, path: list[Path], *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        joined = os.pathsep.join(map(str, path))
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": joined, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
