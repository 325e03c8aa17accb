"""benchmarks/device.py where there is no GPU: it says so, and its parts that need none run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The script as a user starts it, in the root of the repository."""
    command = [sys.executable, "benchmarks/device.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_help_names_every_part() -> None:
    shown = run("--help")
    assert shown.returncode == 0, shown.stderr
    parts = ("correct", "limits", "syncs", "noise", "profile", "speed", "suite")
    assert all(f"\n    {part} " in shown.stdout for part in parts)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_without_a_device_it_ends_with_one_line() -> None:
    ended = run("--parts", "correct")
    assert ended.returncode == 2
    assert ended.stdout.splitlines() == [
        "device.py: this machine has no CUDA device (--device cpu tests the script)"
    ]
    assert ended.stderr == ""


def test_on_the_cpu_the_runs_agree_and_parts_that_need_cuda_are_skipped() -> None:
    ended = run("--device", "cpu", "--parts", "correct", "syncs")
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, ended.stderr
    assert [result["part"] for result in results] == ["machine", *["correct"] * 8, "syncs"]
    assert [result["ok"] for result in results if "ok" in result] == [True] * 7
    assert results[-1] == {"part": "syncs", "skipped": "needs CUDA"}


def test_an_error_in_a_part_is_reported_and_fails_the_run() -> None:
    ended = run("--device", "meta", "--parts", "noise", "syncs")  # a device without generators
    results = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 1, ended.stderr
    assert [result["part"] for result in results] == ["machine", "noise", "syncs"]
    assert "Error" in results[1]["error"]
