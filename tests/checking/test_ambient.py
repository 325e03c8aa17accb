"""What a user's module sets of torch and NumPy changes no verdict, and is still set afterwards."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from theory_checks.checking.ambient import STANDARD, Ambient, kept, standard
from theory_checks.checking.registry import built_in
from theory_checks.checking.run import Run, load_subject
from theory_checks.checking.search import check

SETTINGS: dict[str, Callable[[], object]] = {
    "default_dtype": lambda: torch.set_default_dtype(torch.float64),
    "default_device": lambda: torch.set_default_device("meta"),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "matmul_precision": lambda: torch.set_float32_matmul_precision("high"),
    "threads": lambda: torch.set_num_threads(2),
    "gradients": lambda: torch.set_grad_enabled(False),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "numpy_errors": lambda: np.seterr(all="raise"),
}


@pytest.fixture(autouse=True)
def own_state() -> Iterator[None]:
    with kept():
        STANDARD.restore()
        yield


def test_every_part_of_the_state_is_tried() -> None:
    assert set(SETTINGS) == set(vars(STANDARD))


@pytest.mark.parametrize("name", SETTINGS)
def test_checks_compute_in_the_standard_state_and_leave_another(name: str) -> None:
    SETTINGS[name]()
    outside = Ambient.present()
    assert set(outside.differences(STANDARD)) == {name}
    with standard():
        assert Ambient.present() == STANDARD
    assert Ambient.present() == outside


def test_inference_mode_is_covered() -> None:
    with torch.inference_mode():
        with standard():
            assert not torch.is_inference_mode_enabled()
            assert torch.is_grad_enabled()
        assert torch.is_inference_mode_enabled()


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("claim_id", ["D.1", "G.3", "R.8"])
def test_a_verdict_is_the_same(name: str, claim_id: str, run: Run) -> None:
    claim = replace(built_in()[claim_id], always=(), examples=3)
    usual = check(claim, run)
    SETTINGS[name]()
    assert replace(check(claim, run), seconds=usual.seconds) == usual


def test_what_a_module_sets_at_import_does_not_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sets_everything.py").write_text(
        "import numpy, random, torch\n"
        "from core import PAPER\n"
        "torch.set_default_device('meta')\n"
        "torch.set_default_dtype(torch.float64)\n"
        "torch.set_grad_enabled(False)\n"
        "torch.use_deterministic_algorithms(True)\n"
        "torch.set_num_threads(2)\n"
        "numpy.seterr(all='raise')\n"
        "torch.manual_seed(0); random.seed(0); numpy.random.seed(0)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    chance = torch.get_rng_state()
    load_subject("sets_everything:PAPER")
    assert Ambient.present() == STANDARD
    assert torch.equal(torch.get_rng_state(), chance)
