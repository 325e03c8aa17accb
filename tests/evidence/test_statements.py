"""Verdicts, evidence and errors of the statements."""

import itertools
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import binom
from synthetic import bernoulli, cells, stream, uniform

from theory_checks.evidence import (
    Evidence,
    HypothesesNotMet,
    Verdict,
    about_draws,
    all_of,
    at_least,
    at_most,
    cells_follow,
    equal,
    follows_law,
    frequency_at_least,
    frequency_at_most,
    given,
    mean_at_least,
    mean_at_most,
    mean_equals,
)
from theory_checks.evidence.design import frequency_resolution
from theory_checks.evidence.sampling import LARGEST_BATCH, batch_sizes, children, thinned

ALPHA = 1e-6
MANY = 1_000_000


def even(share):
    """A draw whose batches all have almost exactly this share of ones."""
    return lambda stream, size: (np.arange(1, size + 1) * 0.6180339887) % 1 < share


def judge(statement, seed=0, alpha=ALPHA, budget=MANY):
    return statement.judge(stream(seed), alpha, budget)


def unit(x):
    return np.clip(x, 0, 1)


SAMPLED = {
    "mean_at_least": mean_at_least(1 / 8, bernoulli(0.125), resolution=0.05),
    "mean_at_most": mean_at_most(1 / 8, bernoulli(0.125), resolution=0.05),
    "mean_equals": mean_equals(0.5, uniform, resolution=0.05),
    "cells_follow": cells_follow([0.2, 0.3, 0.5], cells([0.2, 0.3, 0.5]), resolution=0.05),
    "follows_law": follows_law(unit, uniform, resolution=0.1),
    "frequency_at_most": frequency_at_most(0.1, np.arange(64) < 6),
    "frequency_at_least": frequency_at_least(0.9, np.arange(64) >= 6),
    "about_draws": about_draws(64, bernoulli(0.1), lambda x: frequency_at_most(0.1, x)),
    "all_of": all_of(at_most(1, 2), mean_at_most(0.5, bernoulli(0.49), resolution=0.1)),
}
sampled = pytest.mark.parametrize("statement", SAMPLED.values(), ids=SAMPLED.keys())


# Exact statements


def test_at_most():
    evidence = judge(at_most(3, 4, detail="gap"), budget=0)
    assert evidence == Evidence(
        Verdict.HOLDS,
        3.0,
        4.0,
        1.0,
        0.75,
        0.0,
        0,
        0.0,
        0.0,
        stopped="exact",
        detail="gap: 3, claimed <= 4",
        sense="<=",
    )
    assert judge(at_most(4, 4)).tightness == 1
    assert judge(at_most(4.1, 4)).verdict is Verdict.VIOLATED
    assert judge(at_most(4.1, 4, tolerance=0.2)).verdict is Verdict.HOLDS
    assert judge(at_most(0.0, 0.0)).tightness is None


def test_at_least():
    evidence = judge(at_least(5, 4))
    assert (evidence.verdict, evidence.margin, evidence.tightness) == (Verdict.HOLDS, 1.0, 0.8)
    evidence = judge(at_least(2, 4))
    assert (evidence.verdict, evidence.margin, evidence.tightness) == (Verdict.VIOLATED, -2.0, 2.0)


def test_the_worst_entry_decides():
    evidence = judge(at_most([1.0, 5.0, 2.0], [2.0, 4.0, 8.0]))
    assert (evidence.verdict, evidence.observed, evidence.bound) == (Verdict.VIOLATED, 5.0, 4.0)
    evidence = judge(at_least(np.ones((2, 3)), [0.5, 0.9, 0.1]))
    assert (evidence.verdict, evidence.bound, evidence.tightness) == (Verdict.HOLDS, 0.9, 0.9)


def test_equal():
    evidence = judge(equal([1.0, 2.0], [1.0, 2.25], tolerance=0.5))
    assert (evidence.verdict, evidence.observed, evidence.bound, evidence.resolution) == (
        Verdict.HOLDS,
        0.25,
        0.5,
        0.5,
    )
    assert evidence.tightness == 0.5
    assert judge(equal([1.0, 2.0], [1.0, 2.1], tolerance=[1.0, 0.01])).verdict is Verdict.VIOLATED
    assert judge(equal([1.0, np.inf], [1.0, np.inf], tolerance=0)).verdict is Verdict.HOLDS
    assert judge(equal(1.0, np.inf, tolerance=1)).verdict is Verdict.VIOLATED


def test_exact_statements_refuse_what_cannot_be_compared():
    for make in (
        lambda: at_most(float("nan"), 1),
        lambda: at_least([1, 2], [0, float("nan")]),
        lambda: equal([1, float("nan")], [1, 2], tolerance=1),
    ):
        with pytest.raises(ValueError, match="not a number"):
            make()
    with pytest.raises(ValueError, match="empty"):
        at_most([], 1)
    with pytest.raises(ValueError, match="both infinite"):
        at_most(float("inf"), float("inf"))
    with pytest.raises(ValueError, match=r"tolerance = -1\.0"):
        at_most(1, 2, tolerance=-1)


def test_exact_statements_need_no_samples():
    assert at_most(1, 2).samples_needed(ALPHA) == 0


# Sampled statements


@sampled
def test_true_statements_hold(statement):
    evidence = judge(statement)
    assert evidence.verdict is Verdict.HOLDS
    assert evidence.stopped == "resolution reached"
    assert evidence.false_pass == 0.05
    assert 0 < evidence.samples <= statement.samples_needed(ALPHA)


@sampled
def test_judging_is_a_pure_function(statement):
    seeds = stream(7)
    first, second = statement.judge(seeds, ALPHA, MANY), statement.judge(seeds, ALPHA, MANY)
    assert first == second
    assert seeds.n_children_spawned == 0


@sampled
def test_evidence_is_made_of_plain_values(statement):
    values = asdict(judge(statement))
    text = json.dumps(values)
    assert json.dumps(json.loads(text)) == text
    assert {type(value) for value in innermost(values)} <= {
        Verdict,
        float,
        int,
        bool,
        str,
        type(None),
    }


def innermost(value):
    if isinstance(value, dict | list | tuple):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from innermost(entry)
    else:
        yield value


@sampled
def test_the_path_ends_at_the_verdict_and_does_not_depend_on_what_follows(statement):
    _, leaf = next(judge(statement).leaves())
    assert leaf.path[-1] == (leaf.samples, pytest.approx(leaf.observed))
    sizes = [samples for samples, _ in leaf.path]
    assert all(later >= 1.03 * earlier for earlier, later in itertools.pairwise(sizes[:-1]))
    assert leaf.spread > 0


def test_a_longer_path_goes_through_the_points_of_a_shorter_one():
    path = [(n, 1 / n) for n in range(1, 1000)]
    for length in (1, 10, 500):
        assert set(thinned(path[:length])[:-1]) <= set(thinned(path))
        assert thinned(path[:length])[-1] == path[length - 1]


def test_the_leaves_of_a_conjunction_are_named_and_the_worst_comes_first():
    inner = all_of(at_most(1, 2, detail="a"), at_most(3, 2, detail="b"))
    evidence = judge(all_of(at_most(0, 1, detail="c"), inner))
    assert [(name, leaf.detail) for name, leaf in evidence.leaves("x")] == [
        ("x.2.2", "b: 3, claimed <= 2 (1.5 times)"),
        ("x.2.1", "a: 1, claimed <= 2"),
        ("x.1", "c: 0, claimed <= 1"),
    ]
    assert [name for name, _ in judge(at_most(1, 2)).leaves("x")] == ["x"]


@sampled
def test_alpha_outside_the_unit_interval_is_an_error(statement):
    for alpha in (0.0, 1.0, -0.5, 2.0, float("nan")):
        with pytest.raises(ValueError, match="alpha"):
            statement.judge(stream(0), alpha, MANY)
        with pytest.raises(ValueError, match="alpha"):
            statement.samples_needed(alpha)


@sampled
def test_a_budget_below_the_design_is_an_error_that_names_both(statement):
    needed = statement.samples_needed(ALPHA)
    assert statement.judge(stream(1), ALPHA, needed).verdict is Verdict.HOLDS
    with pytest.raises(ValueError, match=rf"{needed - 1} .*{needed}"):
        statement.judge(stream(1), ALPHA, needed - 1)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda s, n: np.full(n, np.nan), "nan"),
        (lambda s, n: np.full(n, np.inf), "inf"),
        (lambda s, n: np.zeros(n - 1), "shape"),
        (lambda s, n: np.zeros((n, 1)), "shape"),
        (lambda s, n: np.zeros(0), "shape"),
        (lambda s, n: np.full(n, "x"), "dtype"),
        (lambda s, n: np.full(n, 7), "7"),
        (lambda s, n: np.full(n, -1), "-1"),
    ],
)
@pytest.mark.parametrize(
    "name", [name for name, statement in SAMPLED.items() if hasattr(statement, "draw")]
)
def test_bad_observations_are_errors(name, draw, message):
    if name == "follows_law" and message in (
        "7",
        "-1",
    ):  # any real number is an observation, if an unlikely one
        assert judge(replace(SAMPLED[name], draw=draw)).verdict is Verdict.VIOLATED
        return
    with pytest.raises(ValueError, match=message):
        judge(replace(SAMPLED[name], draw=draw))


def test_cells_must_be_integers():
    with pytest.raises(ValueError, match="cells must be integers"):
        judge(cells_follow([0.5, 0.5], lambda s, n: np.zeros(n), resolution=0.1))


@pytest.mark.parametrize("resolution", [0.0, -0.1, float("nan"), float("inf")])
def test_a_resolution_out_of_range_is_an_error(resolution):
    for make in (
        lambda: mean_at_most(0.5, uniform, resolution=resolution),
        lambda: cells_follow([0.5, 0.5], uniform, resolution=resolution),
        lambda: follows_law(unit, uniform, resolution=resolution),
        lambda: frequency_at_most(0.5, np.ones(10), resolution=resolution),
    ):
        with pytest.raises(ValueError, match=f"resolution = {resolution}"):
            make()


def test_other_bad_statements_are_errors():
    with pytest.raises(ValueError, match=r"bound = 1\.5 .*\[0\.0, 1\.0\]"):
        mean_at_most(1.5, uniform, resolution=0.1)
    with pytest.raises(ValueError, match="high - low"):
        mean_at_most(0.5, uniform, resolution=0.1, low=1.0, high=0.0)
    with pytest.raises(ValueError, match="resolution = 1"):
        cells_follow([0.5, 0.5], uniform, resolution=1.0)
    with pytest.raises(ValueError, match="resolution = 1"):
        follows_law(unit, uniform, resolution=1.0)
    for p in ([0.5, 0.6], [1.5, -0.5], [], [[1.0]], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="probabilities"):
            cells_follow(p, uniform, resolution=0.1)
    with pytest.raises(ValueError, match=r"bound = -0\.5"):
        frequency_at_most(-0.5, np.ones(5))
    with pytest.raises(ValueError, match=r"events of shape \(5, 1\)"):
        frequency_at_most(0.5, np.ones((5, 1)))
    for strange in (2, 0.5, -1, np.nan):
        with pytest.raises(ValueError, match=f"event {float(strange)} must be 0 or 1"):
            frequency_at_least(0.5, [0.0, strange, 1.0])
    with pytest.raises(ValueError, match="at least one"):
        all_of()


def test_between_truth_and_resolution_a_budget_can_be_spent():
    statement = mean_at_most(0.3, even(0.325), resolution=0.05)
    evidence = judge(statement, budget=statement.samples_needed(ALPHA))
    assert (evidence.verdict, evidence.stopped) == (Verdict.INCONCLUSIVE, "budget spent")
    assert evidence.samples == statement.samples_needed(ALPHA)


def test_designed_laws_always_decide():
    """At the designed size the two rejection regions meet."""
    for shift in np.linspace(0, 0.1, 41):
        statement = follows_law(
            unit, lambda s, n, shift=shift: 2 * shift + uniform(s, n), resolution=0.1
        )
        assert judge(statement).verdict is not Verdict.INCONCLUSIVE


def test_means_report_estimate_margin_and_tightness():
    evidence = judge(mean_at_least(0.5, even(0.4), resolution=0.05))
    assert evidence.verdict is Verdict.VIOLATED
    assert evidence.stopped == "evidence of violation"
    assert evidence.observed == pytest.approx(0.4, abs=0.01)
    assert evidence.margin == evidence.observed - 0.5
    assert evidence.tightness == 0.5 / evidence.observed
    assert evidence.false_alarm == ALPHA
    evidence = judge(mean_at_most(0.5, even(0.4), resolution=0.05, detail="error rate"))
    assert evidence.margin == 0.5 - evidence.observed
    assert evidence.tightness == evidence.observed / 0.5
    assert evidence.detail == f"error rate: {evidence.observed:.6g}, claimed <= 0.5"
    evidence = judge(mean_equals(0.4, even(0.4), resolution=0.05))
    assert evidence.tightness is None
    assert evidence.margin == 0.05 - abs(evidence.observed - 0.4)


def test_means_on_another_range():
    def draw(stream, size):
        return 4 * np.random.default_rng(stream).random(size) - 1  # mean 1

    for make, bound, verdict in (
        (mean_at_most, 1.0, Verdict.HOLDS),
        (mean_at_least, 1.0, Verdict.HOLDS),
        (mean_equals, 1.0, Verdict.HOLDS),
        (mean_at_most, 0.8, Verdict.VIOLATED),
        (mean_at_least, 1.2, Verdict.VIOLATED),
        (mean_equals, 1.2, Verdict.VIOLATED),
    ):
        evidence = judge(make(bound, draw, resolution=0.2, low=-1.0, high=3.0))
        assert evidence.verdict is verdict
        assert evidence.observed == pytest.approx(1.0, abs=0.2)


def test_bounds_at_the_edge_of_the_range():
    def rare(stream, size):
        return (np.arange(size) == size // 2) * 1e-6

    assert judge(mean_at_most(0.0, even(0.0), resolution=0.01)).verdict is Verdict.HOLDS
    assert judge(mean_at_most(0.0, rare, resolution=0.01)).verdict is Verdict.VIOLATED
    assert judge(mean_at_least(1.0, even(1.0), resolution=0.01)).verdict is Verdict.HOLDS
    assert judge(mean_at_least(1.0, even(0.99), resolution=0.01)).verdict is Verdict.VIOLATED
    assert judge(mean_equals(0.0, even(0.0), resolution=0.01)).verdict is Verdict.HOLDS
    assert judge(mean_equals(1.0, even(0.99), resolution=0.01)).verdict is Verdict.VIOLATED
    assert judge(frequency_at_most(0.0, np.zeros(64))).verdict is Verdict.HOLDS
    assert judge(frequency_at_most(0.0, np.arange(64) == 3)).verdict is Verdict.VIOLATED


def test_a_violation_beyond_the_range_is_impossible_and_the_evidence_says_so():
    evidence = judge(mean_at_most(0.995, even(1.0), resolution=0.01))
    assert (evidence.verdict, evidence.stopped) == (
        Verdict.HOLDS,
        "no violation of this size is possible",
    )
    assert judge(mean_at_most(0.7, even(1.0), resolution=0.4)).verdict is Verdict.VIOLATED
    near_edge = judge(mean_equals(0.001, even(0.001), resolution=0.01))
    assert (near_edge.verdict, near_edge.stopped) == (Verdict.HOLDS, "resolution reached")


def test_cells_and_laws_report_their_distance():
    evidence = judge(cells_follow([0.5, 0.5], even(0.52), resolution=0.1))
    assert evidence.observed == pytest.approx(0.02, abs=5e-3)
    assert (evidence.bound, evidence.margin) == (0.1, 0.1 - evidence.observed)
    assert evidence.detail.startswith("total variation 0.0")
    evidence = judge(
        follows_law(unit, lambda s, n: uniform(s, n) ** 2, resolution=0.1, detail="noise")
    )
    assert evidence.verdict is Verdict.VIOLATED
    assert evidence.observed == pytest.approx(0.25, abs=0.05)
    assert evidence.detail.startswith("noise: ")


def test_one_impossible_cell_refutes():
    draw = cells([0.5, 0.49, 0.01])
    assert judge(cells_follow([0.5, 0.5, 0.0], draw, resolution=0.3)).verdict is Verdict.VIOLATED


def test_discrete_laws_can_be_followed():
    def thirds(x):
        return unit((np.floor(x) + 1) / 3)

    assert judge(follows_law(thirds, cells([1 / 3] * 3), resolution=0.1)).verdict is Verdict.HOLDS
    assert (
        judge(follows_law(thirds, cells([0.5, 0.3, 0.2]), resolution=0.1)).verdict
        is Verdict.VIOLATED
    )


@pytest.mark.parametrize("replicates", [0, 1, 5])
def test_too_few_replicates_to_refute_meet_no_hypotheses(replicates):
    """0.1^6 is ALPHA."""
    for statement in (
        frequency_at_most(0.1, np.zeros(replicates), detail="clear gaps"),
        frequency_at_least(0.9, np.ones(replicates), detail="clear gaps"),
    ):
        for act in (statement.samples_needed, lambda at, s=statement: judge(s, alpha=at)):
            with pytest.raises(
                HypothesesNotMet,
                match=f"clear gaps: the statement applies to {replicates} replicates, too",
            ):
                act(ALPHA)
    assert judge(frequency_at_most(0.1, np.ones(7))).verdict is Verdict.VIOLATED


def test_frequencies_report_their_interval():
    evidence = judge(frequency_at_most(0.5, np.arange(64) < 8))
    assert (evidence.observed, evidence.margin, evidence.tightness, evidence.samples) == (
        0.125,
        0.375,
        0.25,
        64,
    )
    assert evidence.detail == "frequency: 8/64 = 0.125 (95 %: 0.0555 to 0.232), claimed <= 0.5"


def test_observations_are_drawn_anew_from_the_first_child_of_the_stream():
    seen = []

    def about(events):
        seen.append(tuple(events))
        return frequency_at_most(0.5, events)

    statement = about_draws(64, bernoulli(0.5), about)
    assert judge(statement, 1) == judge(statement, 1)
    judge(statement, 2)
    assert seen[0] == seen[1] == tuple(bernoulli(0.5)(stream(1).spawn(1)[0], 64)) != seen[2]


# Conjunctions


def test_all_of_splits_alpha_over_the_members_that_sample():
    mean = mean_at_most(0.5, bernoulli(0.4), resolution=0.1)
    assert all_of(at_most(1, 2), mean).samples_needed(ALPHA) == mean.samples_needed(ALPHA)
    assert all_of(mean, mean).samples_needed(ALPHA) == 2 * mean.samples_needed(ALPHA / 2)
    exact = judge(all_of(at_most(1, 2), at_most(1, 1.5)), budget=0)
    assert (exact.verdict, exact.false_alarm, exact.observed, exact.bound) == (
        Verdict.HOLDS,
        0.0,
        1.0,
        1.5,
    )


def test_the_worst_verdict_of_all_of_wins_and_names_its_member():
    holds, violated = at_most(1, 2), at_most(3, 2)
    undecided = mean_at_most(0.3, even(0.325), resolution=0.05)
    needed = undecided.samples_needed(ALPHA)
    evidence = judge(all_of(holds, undecided, violated, detail="all three"), budget=needed)
    assert evidence.verdict is Verdict.VIOLATED
    assert evidence.detail == "all three: 3, claimed <= 2 (1.5 times)"
    assert evidence.samples == needed
    assert evidence.false_alarm == ALPHA
    evidence = judge(all_of(holds, undecided), budget=needed)
    assert (evidence.verdict, evidence.worst) == (Verdict.INCONCLUSIVE, 1)
    assert Verdict.VACUOUS.severity > Verdict.INCONCLUSIVE.severity


def test_of_members_of_both_kinds_the_sampled_is_reported_unless_the_exact_comes_first():
    attained, near, far = at_most(2, 2), bernoulli(0.5), bernoulli(0.2)
    coarse, fine = (mean_at_most(0.5, draw, resolution=r) for draw, r in ((far, 0.2), (near, 0.1)))
    sampled, exact = (
        judge(all_of(attained, coarse, fine)),
        judge(all_of(attained, coarse, fine, exact_first=True)),
    )
    assert (sampled.worst, sampled.resolution) == (2, 0.1)
    assert sampled.coarsest == (0.2, sampled.members[1].false_pass)
    assert (exact.worst, exact.tightness, exact.false_pass) == (0, 1.0, 0.0)
    assert exact.coarsest == (0.2, coarse_false_pass := sampled.members[1].false_pass)
    assert coarse_false_pass > 0
    assert judge(attained).coarsest is None
    violated = judge(
        all_of(attained, mean_at_most(0.5, bernoulli(0.9), resolution=0.1), exact_first=True)
    )
    assert (violated.worst, violated.verdict) == (1, Verdict.VIOLATED)


def test_the_members_of_all_of_have_streams_of_their_own():
    seen = []

    def draw(stream, size):
        seen.append(stream.spawn_key)
        return uniform(stream, size)

    mean = mean_at_most(0.6, draw, resolution=0.2)
    judge(all_of(mean, mean, all_of(mean, mean)))
    assert len(set(seen)) == len(seen)


def test_violations_short_circuit_all_of():
    drawn = all_of(at_most(3, 2), mean_at_most(0.5, lambda s, n: 1 / 0, resolution=0.1))
    assert judge(drawn).verdict is Verdict.VIOLATED


# Sampling


def test_batches_add_up_and_grow():
    for budget in (1, 255, 256, 257, 10_000, 1_234_567):
        sizes = list(batch_sizes(budget))
        assert sum(sizes) == budget
        assert max(sizes) <= LARGEST_BATCH
        assert all(n <= max(256, sum(sizes[:i]) // 4) for i, n in enumerate(sizes))
    assert len(list(batch_sizes(1_234_567))) < 50


def test_children_are_those_that_spawning_gives():
    a = stream(5).spawn(2)[1]
    for _ in range(2):  # each time from the first one on
        for own, spawned in zip(children(a), stream(5).spawn(2)[1].spawn(3), strict=False):
            assert (own.generate_state(4) == spawned.generate_state(4)).all()
    assert a.n_children_spawned == 0


@pytest.mark.parametrize(
    ("met", "verdict"),
    [(0, Verdict.VACUOUS), (4, Verdict.VACUOUS), (5, Verdict.HOLDS), (9, Verdict.HOLDS)],
)
def test_a_conditional_statement_is_vacuous_without_its_hypotheses(met, verdict):
    found = judge(given(at_most(1, 2), met=met, tried=9, least=5, hypotheses="E"))
    assert (found.verdict, found.met, found.tried) == (verdict, met, 9)
    assert ("E in" in found.detail) == (verdict is Verdict.VACUOUS)
    both = judge(
        all_of(at_most(1, 3), given(at_most(1, 2), met=met, tried=9, least=5, hypotheses="E"))
    )
    assert (both.verdict, both.met, both.tried) == (verdict, met, 9)


@pytest.mark.parametrize(("met", "tried", "least"), [(2, 1, 1), (-1, 1, 1), (0, 0, 1), (1, 1, 0)])
def test_impossible_counts_of_hypotheses_are_refused(met, tried, least):
    with pytest.raises(ValueError, match=f"met {met} of {tried}, least {least}"):
        given(at_most(1, 2), met=met, tried=tried, least=least, hypotheses="E")


@pytest.mark.parametrize("replicates", [8, 16, 64])
def test_few_replicates_hold_only_at_the_resolution_they_have(replicates):
    """Few failures hold, many are violated, between them is inconclusive; a rate beyond the
    resolution holds in 5 % of cases."""
    bound, order = 0.02, [Verdict.HOLDS, Verdict.INCONCLUSIVE, Verdict.VIOLATED]
    found = [
        judge(frequency_at_most(bound, np.arange(replicates) < count))
        for count in range(replicates + 1)
    ]
    verdicts = [evidence.verdict for evidence in found]
    assert sorted(verdicts, key=order.index) == verdicts
    assert set(verdicts) == set(order)
    held, (resolution,) = verdicts.count(Verdict.HOLDS) - 1, {e.resolution for e in found}
    assert resolution == frequency_resolution(bound, replicates)
    assert binom.cdf(held, replicates, bound) >= 0.95
    assert binom.cdf(held, replicates, bound + resolution) == pytest.approx(0.05, abs=1e-9)


def test_closeness_compares_exact_and_sampled_evidence():
    assert judge(at_most(3, 4)).closeness == 0.75
    assert judge(at_most(5, 4)).closeness == 1
    at_the_bound = judge(mean_at_most(0.5, bernoulli(0.5), resolution=0.1))
    far_inside = judge(mean_at_most(0.5, bernoulli(0.2), resolution=0.1))
    assert far_inside.closeness == 0 < at_the_bound.closeness <= 1
