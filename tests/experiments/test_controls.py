"""Necessity controls: what too few replicates apply to is not claimed of them."""

import numpy as np
import pytest

from theory_checks.checking.profiles import QUICK
from theory_checks.evidence import BaselineFails, HypothesesNotMet, Verdict
from theory_checks.experiments import controls
from theory_checks.experiments.controls import (
    CONCLUSIONS,
    Control,
    as_claimed,
    not_as_claimed,
    rows_of,
    setting,
)

ALPHA = 1e-6 / 73


def judged(monkeypatch: pytest.MonkeyPatch, applies: int) -> Verdict:
    """A control of which Lemma 5.2 fails, in a setting where it survives, if it applies to so many
    of 8 replicates."""
    base = setting(QUICK)
    wrong = Control("wrong", base, fails=("Lemma 5.2",))

    def found(trained: object, control: Control) -> dict[str, np.ndarray]:
        events = np.full(8, 0.0 if control.fails else 1.0)
        events[applies:] = np.nan
        return dict.fromkeys(CONCLUSIONS, events)

    monkeypatch.setattr(controls, "conclusions", found)
    statement = as_claimed(None, base, [wrong])  # type: ignore[arg-type]  # the shared runs are not read
    stream = np.random.SeedSequence(0)
    return statement.judge(stream, ALPHA, statement.samples_needed(ALPHA)).verdict


@pytest.mark.parametrize("applies", [4, 7, 8])
def test_a_conclusion_is_judged_on_the_replicates_that_it_applies_to(
    monkeypatch: pytest.MonkeyPatch, applies: int
) -> None:
    assert judged(monkeypatch, applies) is Verdict.HOLDS


@pytest.mark.parametrize("applies", [0, 3])
def test_a_conclusion_that_applies_to_fewer_than_half_meets_no_hypotheses(
    monkeypatch: pytest.MonkeyPatch, applies: int
) -> None:
    with pytest.raises(
        HypothesesNotMet, match=f"every hypothesis: Lemma 5.2.* applies to {applies} "
    ):
        judged(monkeypatch, applies)


def test_one_pooled_test_counts_a_replicate_once_and_rows_have_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two conclusions that are both wrong in the same replicate."""
    row = Control("row", setting(QUICK), fails=("fits", "generalises"))
    rows = rows_of(setting(QUICK), [row])
    assert rows[0].survives == row.fails
    assert [r.scenario.numbers for r in rows] == [tuple(range(8)), tuple(range(8, 16))]
    events = {name: (np.arange(8) == 3).astype(float) for name in CONCLUSIONS}
    monkeypatch.setattr(controls, "conclusions", lambda trained, control: events)
    assert not_as_claimed(None, rows[1]).tolist() == [i == 3 for i in range(8)]  # type: ignore[arg-type]  # the shared runs are not read
    assert not_as_claimed(None, rows[0]).tolist() == [i != 3 for i in range(8)]  # type: ignore[arg-type]  # the shared runs are not read


@pytest.mark.parametrize(("failures", "says_nothing"), [(0, False), (4, False), (5, True)])
def test_a_control_whose_baseline_fails_says_so(
    monkeypatch: pytest.MonkeyPatch, failures: int, says_nothing: bool
) -> None:
    """5 of 8 at a rate of 5 % have probability 1.5e-5, below HARDLY_BY_CHANCE; 4 have 3.7e-4."""
    row = Control("row", setting(QUICK), fails=("fits",))

    def found(trained: object, control: Control) -> dict[str, np.ndarray]:
        true = np.zeros(8) if control.fails else (np.arange(8) >= failures).astype(float)
        return dict.fromkeys(CONCLUSIONS, true)

    monkeypatch.setattr(controls, "conclusions", found)
    if not says_nothing:
        as_claimed(None, setting(QUICK), [row])  # type: ignore[arg-type]  # the shared runs are not read
        return
    with pytest.raises(BaselineFails, match=r"baseline fails: .* in 5 of 8 replicates"):
        as_claimed(None, setting(QUICK), [row])  # type: ignore[arg-type]  # the shared runs are not read


def test_a_baseline_also_fails_in_what_a_control_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Control("row", setting(QUICK), fails=("fits",), survives=("beats 1/8",))

    def found(trained: object, control: Control) -> dict[str, np.ndarray]:
        true = dict.fromkeys(CONCLUSIONS, np.ones(8) * (not control.fails))
        return {**true, "beats 1/8": np.zeros(8)}

    monkeypatch.setattr(controls, "conclusions", found)
    with pytest.raises(BaselineFails, match=r"baseline fails: .* in 8 of 8 replicates"):
        as_claimed(None, setting(QUICK), [row])  # type: ignore[arg-type]  # the shared runs are not read
