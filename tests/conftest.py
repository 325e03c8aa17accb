"""A small, quick run to check claims in."""

import signal
from pathlib import Path

import pytest
import torch

from core import PAPER
from theory_checks.checking.budget import ledger
from theory_checks.checking.claim import DEFAULT_ALPHA
from theory_checks.checking.profiles import QUICK
from theory_checks.checking.registry import built_in
from theory_checks.checking.run import Run

# A shell lets what it runs in the background ignore Ctrl-C, and so would what tests start and
# interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A warning fails a test of this folder; not a claim, whose warnings are the user's, nor what a
    test starts as users do."""
    item.add_marker(pytest.mark.filterwarnings("error"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    torch.set_num_threads(1)
    return Run(
        PAPER,
        "core:PAPER",
        QUICK,
        torch.device("cpu"),
        20221128,
        ledger(DEFAULT_ALPHA, built_in().values()),
        tmp_path,
    )
