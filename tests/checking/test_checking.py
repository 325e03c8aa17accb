"""The path from a claim to its record: what Hypothesis is asked, what is judged, and what the
record says."""

import importlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume
from hypothesis import strategies as st
from scipy.stats import binom

from core import Problem
from core.seeds import child
from theory_checks.checking import decide, search
from theory_checks.checking.budget import ledger
from theory_checks.checking.claim import (
    DEFAULT_ALPHA,
    Claim,
    Kind,
    claim,
    with_dependencies,
)
from theory_checks.checking.pictures import Lines, Series
from theory_checks.checking.record import Record
from theory_checks.checking.registry import built_in
from theory_checks.checking.run import Run, digest, load_subject, resolve_device
from theory_checks.checking.search import MOST_JUDGED_WHILE_SHRINKING, check, failure
from theory_checks.evidence import (
    Statement,
    about_draws,
    all_of,
    at_most,
    changes_at_most,
    equal,
    finding,
    frequency_at_most,
    given,
    mean_at_most,
    mean_equals,
)
from theory_checks.evidence.ledger import Ledger, Line
from theory_checks.report.terminal import table


def made(check_function: Any, **options: Any) -> Claim:
    options = {
        "kind": Kind.EXACT,
        "source": "a test",
        "over": {"x": st.integers(0, 1000)},
        **options,
    }
    return claim(options.pop("id", "R.1"), **options)(check_function)


def test_a_violation_is_shrunk_and_reported(run: Run) -> None:
    def below_500(x: int) -> Statement:
        """x < 500."""
        return at_most(x, 499)

    record = check(made(below_500), run)
    assert (record.verdict, record.observed, record.bound, record.worst_case) == (
        "violated",
        500.0,
        499.0,
        "x=500",
    )
    assert "x=500" in failure(record)
    assert record.command in failure(record)


def test_without_shrinking_the_first_violation_is_reported(run: Run) -> None:
    judged = []

    def below_500(x: int) -> Statement:
        """x < 500."""
        judged.append(x)
        return at_most(x, 499)

    record = check(made(below_500), run, shrink=False)
    assert record.verdict == "violated"
    assert record.worst_case == f"x={judged[-1]}"
    assert sum(x >= 500 for x in judged) == 1


def test_the_tightest_input_is_reported_when_a_claim_holds(run: Run) -> None:
    def at_most_1000(x: int) -> Statement:
        """x <= 1000.

        It is a whole number of that range.
        """
        return at_most(x, 1000)

    found = made(at_most_1000, visits=lambda x: {"even": x % 2 == 0, "x": x}, always=({"x": 7},))
    record = check(found, run)
    assert record.verdict == "holds"
    assert record.tightness == record.observed / 1000 > 0.9  # target climbs
    assert record.statement == "x <= 1000."
    assert found.derivation == "It is a whole number of that range."
    assert record.visited["even"].endswith(f"of {record.examples}")
    assert record.measured == ()  # exact evidence is not listed input by input


def test_an_exact_claim_that_samples_besides_is_hunted_and_told_by_its_exact_part(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    hunted: list[float] = []
    monkeypatch.setattr(search.hypothesis, "target", hunted.append)

    def at_most_1000(x: int) -> Statement:
        """x <= 1000, and so in the mean."""
        in_the_mean = mean_at_most(0.5, lambda stream, size: np.full(size, 0.5), resolution=0.2)
        return all_of(at_most(x, 1000), in_the_mean, exact_first=True)

    record = check(made(at_most_1000, id="R.2"), run)
    assert record.verdict == "holds"
    assert record.tightness == record.observed / 1000
    assert 0.9 < max(hunted) <= record.tightness  # by the exact part, although there are samples
    assert (record.resolution, record.resolves, record.false_pass) == (0.0, 0.2, 0.0)
    assert record.coarsest == (0.2, pytest.approx(0.1))


def test_a_claim_that_fails_as_predicted_is_a_finding(run: Run) -> None:
    def small(x: int) -> Statement:
        """x is small."""
        return finding(at_most(x, 1000), claimed="x = 0", exceptions={"here": [1, 0], "there": [0]})

    record = check(made(small), run)
    assert (record.verdict, record.claimed) == ("finding", "x = 0")
    assert [row[:3] for row in record.exceptions] == [("here", 1, 2), ("there", 0, 1)]


@pytest.mark.parametrize(
    "statement",
    [
        lambda: at_most([1.0, math.nan], 1.0, detail="length of a step"),
        lambda: equal([math.inf], [math.inf], tolerance=math.inf, detail="length of a step"),
        lambda: mean_at_most(0.5, lambda s, n: np.full(n, math.inf), resolution=0.1),
        lambda: changes_at_most(
            {1: np.ones(9), 2: np.full(9, math.nan)}, 1.0, beyond=2.0, detail="length of a step"
        ),
    ],
)
def test_what_is_not_a_number_violates_a_claim(statement: Any, run: Run) -> None:
    def about_numbers(x: int) -> Statement:
        """What is returned is a number."""
        return statement()

    record = check(made(about_numbers, kind=Kind.PROBABILITY), run)
    assert (record.verdict, record.stopped) == ("violated", "not a number")
    assert "not a number" in record.detail or "is infinite" in record.detail
    assert Record.from_json(record.to_json()).verdict == "violated"


def test_what_resolves_least_counts_over_all_inputs(run: Run) -> None:
    def in_the_mean(x: int) -> Statement:
        """A fair coin, resolved the less the larger x is."""

        def coin(stream: np.random.SeedSequence, size: int) -> np.ndarray:
            return np.random.default_rng(stream).random(size) < 0.5

        return mean_at_most(0.9, coin, resolution=0.02 if x == 7 else 0.08)

    record = check(made(in_the_mean, always=({"x": 7}, {"x": 8}), examples=1), run)
    assert record.resolves == 0.08


def picture_of(x: int, judged: Any, run: Run) -> Lines:
    return Lines(f"x = {x}, {len(judged)} judged", "n", "x", (Series("x", [0, 1], [x, math.inf]),))


def test_a_claim_draws_its_worst_case_once_it_is_judged(run: Run) -> None:
    def below_500(x: int) -> Statement:
        """x < 500."""
        return at_most(x, 499)

    record = check(made(below_500, picture=picture_of), run)
    (picture,) = record.pictures
    assert isinstance(picture, Lines)
    assert picture.title == f"x = 500, {record.examples} judged"
    assert repr(picture.series[0].y) == "(500.0, nan)"
    assert repr(Record.from_json(record.to_json())) == repr(record)


def test_a_picture_that_fails_leaves_the_verdict_alone(run: Run) -> None:
    def fine(x: int) -> Statement:
        """x <= 1000."""
        return at_most(x, 1000)

    def picture(x: int) -> Lines:
        raise ZeroDivisionError("no ink")

    record = check(made(fine, picture=picture), run)
    assert (record.verdict, record.pictures, record.undrawn) == (
        "holds",
        (),
        "ZeroDivisionError: no ink",
    )


def test_the_same_seed_gives_the_same_record_and_another_seed_other_inputs(run: Run) -> None:
    seen: list[int] = []

    def anything(x: int) -> Statement:
        """x <= 2000."""
        seen.append(x)
        return at_most(x, 2000)

    first = check(made(anything), run)
    inputs, seen[:] = list(seen), []
    assert replace(check(made(anything), run), seconds=0) == replace(first, seconds=0)
    assert seen == inputs
    seen[:] = []
    check(made(anything), replace(run, seed=1))
    assert seen != inputs


def test_inputs_do_not_depend_on_constants_in_the_source(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hypothesis reads constants off whatever project modules are loaded; a run must not depend on
    them."""
    seen: list[int] = []

    def anything(x: int) -> Statement:
        """x <= 2 * 10**6."""
        seen.append(x)
        return at_most(x, 2 * 10**6)

    anything_large = made(anything, over={"x": st.integers(500_000, 10**6)}, examples=400)
    check(anything_large, run)
    inputs, seen[:] = list(seen), []
    (tmp_path / "many_constants.py").write_text(f"NUMBERS = {list(range(700_000, 700_500))}")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("many_constants")
    check(anything_large, run)
    assert seen == inputs


def test_a_record_keeps_the_path_and_the_margins_that_comparisons_need(run: Run) -> None:
    def two_members(x: int) -> Statement:
        """0 is at most 2, and a mean is about a half."""
        return all_of(
            at_most(0, 2),
            mean_equals(0.5, lambda stream, size: np.full(size, 0.5 - x / 50), resolution=0.2),
        )

    record = check(
        made(two_members, id="S.3", over={"x": st.sampled_from([1, 2])}, examples=10), run
    )
    worst, *others = record.margins
    assert worst == f"{digest({'x': 2})[0]:08x}.2"
    assert set(others) == {
        f"{digest({'x': 2})[0]:08x}.1",
        *(f"{digest({'x': 1})[0]:08x}.{i}" for i in (1, 2)),
    }
    assert record.margins[worst] == (record.margin, record.resolution, record.path[-1][0], 1.0)
    assert record.path[-1][1] == record.observed
    assert record.averages
    assert record.margins[others[0]][2:] == (0, 0.0)


def test_only_an_independent_stream_at_the_share_decides(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that is suspicious on the search stream is judged again on another stream, at the
    claim's share of alpha."""
    judged: list[tuple[tuple[int, ...], float]] = []

    def never_one(x: int) -> Statement:
        """A variable that is 0 has mean 0."""

        def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
            judged.append((tuple(stream.spawn_key), size))
            return np.full(size, float(len(judged) == 1))  # ones on the very first stream only

        return about_draws(200, draw, lambda events: frequency_at_most(0.5, events))

    record = check(made(never_one, id="S.3", over={"x": st.just(1)}, examples=1), run)
    assert record.verdict == "holds"
    assert judged[0][0] != judged[1][0]
    assert record.false_alarm == float(run.ledger.share("S.3"))


def test_streams_depend_on_every_input_and_on_the_seed(run: Run) -> None:
    keys = {
        run.stream("R.1", inputs, phase).spawn_key
        for inputs in ({"x": 1}, {"x": 2}, {"y": 1})
        for phase in (0, 1)
    }
    keys |= {replace(run, seed=5).stream("R.1", {"x": 1}, 0).spawn_key}
    assert len(keys) == 6  # the seed is the entropy, not part of the key
    assert replace(run, seed=5).stream("R.1").entropy != run.stream("R.1").entropy


def test_digests_tell_values_apart() -> None:
    values: list[Any] = [
        1,
        1.0,
        "1",
        None,
        True,
        (1,),
        (1, 2),
        {"a": 1},
        Problem(),
        Problem(K=3),
        np.zeros(2),
        np.zeros(3),
    ]
    values += [torch.zeros(2), torch.ones(2), torch.zeros(2, dtype=torch.float64)]
    digests = [digest(v) for v in values]
    assert len(set(digests)) == len(values) - 1  # a float64 tensor is the array of the same values
    assert digest(Problem()) == digest(Problem(K=4))
    with pytest.raises(TypeError, match="function"):
        digest(test_digests_tell_values_apart)


def test_hypotheses_that_are_never_met_make_a_claim_vacuous(run: Run) -> None:
    def of_the_impossible(x: int) -> Statement:
        """Every x > 1000 is green."""
        assume(x > 1000)
        return at_most(0, 1)

    record = check(made(of_the_impossible), run)
    assert record.verdict == "vacuous"
    assert "hypotheses" in failure(record)


@pytest.mark.parametrize(
    ("met_from", "verdict"), [(0, "holds"), (500, "holds"), (995, "vacuous"), (1001, "vacuous")]
)
def test_a_claim_is_vacuous_when_hardly_any_input_meets_its_hypotheses(
    met_from: int, verdict: str, run: Run
) -> None:
    def of_large_numbers(x: int) -> Statement:
        """Every large x is at most 1000."""
        return given(at_most(x, 1000), met=int(x >= met_from), tried=1, hypotheses="x is large")

    record = check(
        made(of_large_numbers, over={"x": st.integers(0, 10**6).map(lambda x: x % 1001)}), run
    )
    assert record.verdict == verdict
    assert record.tried == record.examples
    assert (record.discarded == 0) == (met_from == 0)


def test_unclear_evidence_is_inconclusive(run: Run) -> None:
    def two_of_sixteen(x: int) -> Statement:
        """An event has probability at most 0.02."""
        # more than a true claim leads one to expect, too few to refute it
        return frequency_at_most(0.02, np.arange(16) < 2)

    record = check(made(two_of_sixteen, id="N.1", over={"x": st.just(1)}, examples=1), run)
    assert record.verdict == "inconclusive"
    assert "larger profile" in failure(record)


def test_what_could_not_be_found_violated_is_vacuous_not_holding(run: Run) -> None:
    """2^-16 would refute on the search stream, but not at the claim's part of alpha."""

    def half_of_sixteen(x: int) -> Statement:
        """A coin falls on heads at most half of the time."""
        return frequency_at_most(0.5, np.zeros(16), detail="heads")

    record = check(made(half_of_sixteen, id="N.1", over={"x": st.just(1)}, examples=1), run)
    assert record.verdict == "vacuous"
    assert "heads: the statement applies to 16 replicates, too few to refute it" in record.detail


def test_shrinking_judges_a_bounded_number_of_inputs(run: Run) -> None:
    calls = []

    def hard_to_shrink(x: list[int]) -> Statement:
        """The sum of a list is not divisible by 7."""
        calls.append(1)
        return at_most(float(len(x) > 5 and sum(x) % 7 == 0), 0)

    over = {"x": st.lists(st.integers(0, 10**6), min_size=0, max_size=60)}
    record = check(made(hard_to_shrink, over=over, examples=400), run)
    assert record.verdict == "violated"
    assert len(calls) <= record.examples <= 400 + MOST_JUDGED_WHILE_SHRINKING


def test_more_inputs_than_the_error_budget_allows_are_refused(run: Run) -> None:
    def fine(x: int) -> Statement:
        """x <= 1000."""
        return at_most(x, 1000)

    with pytest.raises(
        ValueError, match=r"R\.1: 3000 inputs and 60 reserved ones exceed its ledger line"
    ):
        check(made(fine, examples=3000), run)


def test_a_claim_needs_a_statement() -> None:
    with pytest.raises(ValueError, match="docstring"):
        made(lambda x: at_most(x, 1))


def test_dependencies_are_followed() -> None:
    def fine(x: int) -> Statement:
        """x <= 1000."""
        return at_most(x, 1000)

    options: Mapping[str, Any] = {"kind": Kind.EXACT, "source": "a test", "over": {}}
    claims = {
        "A.3": claim("A.3", depends_on=("R.5",), **options)(fine),
        "R.5": claim("R.5", depends_on=("R.1", "X.1"), **options)(fine),
        "S.1": claim("S.1", **options)(fine),
    }
    assert with_dependencies(("A.3",), claims) == {"A.3", "R.5", "R.1", "X.1"}
    assert with_dependencies(("S.1",), claims) == {"S.1"}


def test_records_travel_as_json() -> None:
    record = Record(
        "R.1",
        "violated",
        observed=np.float64(0.5),
        bound=float("inf"),
        depends_on=("R.2",),
        visited={"M": "2 to 3"},
    )
    text = record.to_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    back = Record.from_json(text)
    assert back == record
    for broken, message in [
        ({"colour": "green"}, "record has 'colour', which is unknown here"),
        ({"id": "R.1"}, "missing 1 required positional argument: 'verdict'"),
        (
            {"id": "R.1", "verdict": "holds", "samples": "many"},
            "record.samples is 'many', needs int",
        ),
        (
            {"id": "R.1", "verdict": "holds", "path": [[1, 2], [3]]},
            r"record.path\[1\] is \[3\], needs tuple",
        ),
        (
            {"id": "R.1", "verdict": "holds", "visited": {"M": 3}},
            r"record.visited\['M'\] is 3, needs str",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            Record.from_json(json.dumps(broken))


def test_the_table_has_the_worst_first() -> None:
    lines = table(
        [
            Record("R.1", "holds"),
            Record("S.3", "violated", observed=0.1, bound=0.125),
            Record("A.3", "not run"),
        ],
        width=80,
    )
    assert [line.split()[0] for line in lines[1:4]] == ["S.3", "A.3", "R.1"]
    assert lines[-1] == "3 claims: 1 violated, 1 not run, 1 holds"
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PAPER", "module:NAME"),
        ("no_such_module:PAPER", "cannot be imported"),
        ("core:NOTHING", "has no 'NOTHING'"),
        ("core:Problem", "needs a core.Subject"),
    ],
)
def test_unknown_subjects_are_refused(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_subject(name)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("auto", ["cuda:0", "cuda:1", "cuda:0"]),
        ("cuda", ["cuda:0", "cuda:1", "cuda:0"]),
        ("cuda:1", ["cuda:1", "cuda:1", "cuda:1"]),
        ("cpu", ["cpu", "cpu", "cpu"]),
    ],
)
def test_workers_take_devices_in_turn_unless_one_was_named(
    name: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(resolve_device(name, worker)) for worker in range(3)] == found


@pytest.mark.parametrize(
    "name", ["gpu", "cuda", "cuda:", "cuda:99", "cuda:x", "cuda:²", "cuda:٣", "cpu:0", "mps:1"]
)
def test_unknown_devices_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"device '{name}'"):
        resolve_device(name)


@pytest.mark.parametrize("alpha", [DEFAULT_ALPHA, Fraction(1, 20), Fraction("1e-9")])
def test_the_ledger_adds_up_exactly(alpha: Fraction) -> None:
    budget = ledger(alpha, built_in().values())
    assert sum(budget.share(claim_id) for claim_id in built_in()) == alpha
    assert budget.share("R.1") == 0 < budget.share("D.2") < budget.share("N.1")
    assert budget.text()[-1].split()[1] == f"{float(alpha):.3g}"


def test_the_ledger_refuses_what_would_break_its_proof() -> None:
    line = Line("A", 1, 10, "")
    for alpha, lines, message in [
        (Fraction(1), (line,), "alpha"),
        (Fraction(1, 9), (line, line), "same id"),
        (Fraction(1, 9), (replace(line, weight=0),), "above 0"),
        (Fraction(1, 9), (replace(line, weight=-1), replace(line, id="B")), "at least 0"),
        (Fraction(1, 9), (replace(line, inputs=1001),), "A may try 1001 inputs"),
    ]:
        with pytest.raises(ValueError, match=message):
            Ledger(alpha, lines)
    with pytest.raises(ValueError, match="Z has no line"):
        Ledger(Fraction(1, 9), (line,)).share("Z")


def chance_of_a_confirmed_suspicion(run: Run, tries: int) -> tuple[int, int]:
    """How many of many inputs came under suspicion, and how many were then called violated, for a
    claim true at its boundary."""

    def at_its_boundary(x: int) -> Statement:
        """A fair coin falls on heads half of the time."""

        def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
            return np.random.default_rng(stream).random(size) < 0.5

        return about_draws(40, draw, lambda events: frequency_at_most(0.5, events))

    suspicious = violated = 0
    for x in range(tries):
        evidence = decide.search_then_decide(made(at_its_boundary, id="S.3"), run, {"x": x})
        draw = np.random.default_rng(child(run.stream("S.3", {"x": x}, 0), 0)).random(40) < 0.5
        suspicious += bool(binom.sf(draw.sum() - 1, 40, 0.5) <= 0.2)
        violated += evidence.verdict == "violated"
    return suspicious, violated


def test_deciding_on_the_search_stream_is_noticed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspicion is confirmed with probability at most the claim's share; a checker that decides
    on the stream that raised the suspicion confirms far more. (Levels are large here, so that a
    thousand inputs show it.)"""
    monkeypatch.setattr(decide, "SUSPICION", Fraction(1, 5))
    run = replace(run, ledger=Ledger(Fraction(1, 20), (Line("S.3", 1, 1000, ""),)))
    suspicious, violated = chance_of_a_confirmed_suspicion(run, 1000)
    most = int(binom.isf(1e-6, suspicious, 0.05))
    assert suspicious > 80
    assert violated <= most
    monkeypatch.setattr(decide, "DECIDE", decide.SEARCH)
    suspicious, violated = chance_of_a_confirmed_suspicion(run, 1000)
    assert violated > most
