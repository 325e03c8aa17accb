"""How a process of the checks uses its core, its memory and its time."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from theory_checks.checking.process import tune_process


def test_one_thread_unless_the_user_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    tune_process()
    assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("3", "1")


def test_freed_memory_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[int, int] = {}
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=told.__setitem__))
    tune_process()
    assert told == {-3: 2**25, -1: 2**28}


A_LARGE_TENSOR = """
from theory_checks.checking.process import tune_process
tune_process()
import resource
import torch

before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@pytest.mark.skipif(
    not LARGE_PAGES.exists() or "[never]" in LARGE_PAGES.read_text(),
    reason="this system gives no large pages",
)
def test_a_large_tensor_comes_in_large_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    found = subprocess.run(
        [sys.executable, "-c", A_LARGE_TENSOR], capture_output=True, text=True, check=True
    )
    assert (
        int(found.stdout) < 2**28 / 2**12 / 4
    )  # a quarter of the small pages in 256 MiB: memory may be short of large ones


def test_a_c_library_without_mallopt_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    tune_process()


A_WORKERS_LIFE = """
import sys
import numpy as np
from core import PAPER, Hyperparameters, Problem, train
from theory_checks.checking.registry import built_in

built_in()
hyper = Hyperparameters(M=2, J=1, n=8, sigma_0=0.1, eta=0.01, eta_r=0.04, T=1)
train(PAPER, Problem(K=2, d=8), hyper, [np.random.SeedSequence(0)])
print(sorted({"scipy.stats", "sympy"} & sys.modules.keys()))
"""


def test_a_worker_imports_nothing_that_takes_a_second_and_is_not_needed() -> None:
    """torch.autograd.grad imports sympy when it is handed the gradients of its outputs."""
    found = subprocess.run(
        [sys.executable, "-c", A_WORKERS_LIFE], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
