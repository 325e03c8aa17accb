"""Measures against their definitions: that all exceptions occur, and that each measure is
compared."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core import measures
from theory_checks.evidence import Statement, Verdict, all_of
from theory_checks.experiments.definitions import (
    UNDEFINED,
    Setting,
    numbers,
    of_alignments,
    of_outcomes,
    of_weights,
    tabulated,
)

Part = Callable[[Setting], Iterator[Statement]]
NEGATIVE = Setting(K=3, M=12, J=3, n=40, shift=-2.0, grid=0.0, seed=0)
TIED = Setting(K=2, M=12, J=2, n=40, shift=0.0, grid=0.5, seed=1)


def judged(part: Part, at: Setting) -> tuple[Verdict, str]:
    found = all_of(*part(at)).judge(np.random.SeedSequence(0), 1e-6, 0)
    return found.verdict, found.detail


@pytest.mark.parametrize("part", [of_alignments, of_weights, of_outcomes])
@pytest.mark.parametrize("at", [NEGATIVE, TIED, Setting(2, 1, 1, 1, 0.0, 0.0, 3)], ids=str)
def test_measures_are_their_definitions(part: Part, at: Setting) -> None:
    verdict, detail = judged(part, at)
    assert verdict is Verdict.HOLDS, detail


def test_the_inputs_that_are_always_tried_have_every_exception() -> None:
    gap = torch.cat([measures.cluster_gap(at.alignments()).flatten() for at in (NEGATIVE, TIED)])
    assert gap.isnan().any()
    assert gap.isinf().any()
    assert gap.isfinite().any()
    assert (gap == 1).any()
    assert (TIED.alignments() == 0).any()


def test_tables_and_what_is_undefined() -> None:
    assert tabulated(lambda a, b: 10 * a + b, 2, 3).tolist() == [[0, 1, 2], [10, 11, 12]]
    assert numbers(torch.tensor([math.nan, math.inf, 1.5])).tolist() == [UNDEFINED, math.inf, 1.5]


def one_less(values: Tensor) -> Tensor:
    return values - 1


def swapped(pair: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    return pair[1], pair[0]


@pytest.mark.parametrize(
    ("part", "name", "change", "detail"),
    [
        (of_alignments, "groups", lambda k: (k + 1) % 3, "max_j a_mjk"),
        (of_alignments, "every_group_occupied", torch.logical_not, "E_init"),
        (of_alignments, "cluster_gap", torch.nan_to_num, "cluster gap"),
        (of_weights, "router_alignment", swapped, "<theta_m"),
        (of_weights, "feature_alignment", one_less, "<w_mj, v_k>"),
        (of_outcomes, "error_by_cluster", one_less, "error by cluster"),
        (of_outcomes, "dispatch_counts", lambda n: n.flip(-1), "dispatched examples"),
        (of_outcomes, "dispatch_entropy", lambda h: h / math.log(2), "dispatch entropy"),
    ],
)
def test_each_measure_is_compared(
    part: Part,
    name: str,
    change: Callable[[Any], Any],
    detail: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measure = getattr(measures, name)
    monkeypatch.setattr(measures, name, lambda *arguments: change(measure(*arguments)))
    verdict, found = judged(part, NEGATIVE)
    assert verdict is Verdict.VIOLATED
    assert detail in found
