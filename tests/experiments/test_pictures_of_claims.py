"""The pictures that claims bring: each is drawn from small runs, and shows what the claim is
about."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core import Problem
from theory_checks.checking.claim import Claim
from theory_checks.checking.pictures import Lines, Style, compact
from theory_checks.checking.run import Run
from theory_checks.checking.search import check
from theory_checks.evidence import fitted_exponent
from theory_checks.experiments.ladders import ladder_picture, through_the_first
from theory_checks.experiments.logits import ratio_to_the_step
from theory_checks.experiments.scenarios import ladder
from theory_checks.experiments.single_experts import errors_of_classifiers
from theory_checks.experiments.trajectories import SEARCH, Trained
from theory_checks.report.plots import drawn
from theory_checks.test_exploration import (
    experts_follow_the_population_law,
    experts_learn_no_noise_and_no_centres,
    inverse_alignments_move_together,
    the_router_stays_quiet,
    the_winner_takes_all,
)
from theory_checks.test_initialisation import the_cluster_gap_has_its_exact_law
from theory_checks.test_router_alignment import (
    the_router_follows_what_experts_learn,
    the_router_learns_centres_not_features,
)
from theory_checks.test_routing import (
    probabilities_are_lipschitz,
    probabilities_move_at_most_twice_as_far_as_logits,
)
from theory_checks.test_single_expert import every_patch_additive_classifier_errs_on_an_eighth
from theory_checks.test_specialisation import experts_are_good_on_their_own_cluster

SMALL = [ladder(Problem(K=2, d=d), 200, 3, M=4, J=8) for d in (32, 64)]
MORE = [ladder(Problem(K=2, d=32), n, 3, M=4, J=8) for n in (100, 400)]


def pictures(claim: Claim, run: Run, **inputs: Any) -> tuple[Lines, ...]:
    """The claim's curves as they arrive in the report, where all of its pictures are drawn."""
    assert claim.picture is not None
    context: Mapping[str, Any] = {
        "subject": run.subject,
        "trained": Trained(run, SEARCH),
        "run": run,
    }
    names = claim.picture.__code__.co_varnames[: claim.picture.__code__.co_argcount]
    found = claim.picture(
        **{name: value for name, value in {**context, **inputs}.items() if name in names}
    )
    arrived = [compact(picture) for picture in (found if isinstance(found, tuple) else (found,))]
    for picture in arrived:
        assert drawn(picture, "a").svg
    return tuple(picture for picture in arrived if isinstance(picture, Lines))


@pytest.mark.parametrize(
    ("claim", "inputs"),
    [
        (the_router_stays_quiet, {"scenarios": SMALL}),
        (experts_follow_the_population_law, {"scenarios": SMALL, "more": MORE}),
        (the_winner_takes_all, {"scenarios": SMALL}),
        (experts_learn_no_noise_and_no_centres, {"scenarios": SMALL}),
        (inverse_alignments_move_together, {"more": MORE}),
        (experts_are_good_on_their_own_cluster, {"scenarios": SMALL, "more": MORE}),
        (the_router_learns_centres_not_features, {"scenarios": MORE, "whole": SMALL}),
        (
            the_router_follows_what_experts_learn,
            {"scenarios": SMALL, "more": MORE, "others": SMALL},
        ),
    ],
    ids=lambda value: value.id if isinstance(value, Claim) else "",
)
def test_claims_along_a_ladder_show_it(run: Run, claim: Claim, inputs: dict[str, Any]) -> None:
    shown = pictures(claim, run, **inputs)[-1]
    sizes = [s.problem.d for s in SMALL] if shown.x_label == "d" else [s.hyper.n for s in MORE]
    points = [series for series in shown.series if series.style is Style.POINTS]
    assert points
    assert all(list(series.x) == sizes for series in points)
    assert {Style.BOUND, Style.REFERENCE} <= {series.style for series in shown.series}
    assert shown.log_x
    assert shown.log_y
    assert "fitted" in shown.caption


def test_the_fitted_exponent_stands_in_the_caption() -> None:
    rng = np.random.default_rng(0)
    values = {
        size: 3 * size**-0.5 * np.exp(0.1 * rng.standard_normal(20)) for size in (64, 256, 1024)
    }
    shown = ladder_picture(
        "t", "d", {"error": values}, bounds={"claimed": through_the_first(values, -0.25)}
    )
    slope, low, high = fitted_exponent(list(values), list(values.values()), 0)
    assert abs(slope + 0.5) < 0.05
    assert (
        f"error: fitted d^{slope:.2f} (95 %: {low:.2f} to {high:.2f}), 20 replicates"
        in shown.caption
    )
    points, claimed = shown.series
    assert points.low is not None
    assert points.high is not None
    for size, y, low, high in zip(points.x, points.y, points.low, points.high, strict=True):
        assert (low, y, high) == pytest.approx(
            tuple(np.quantile(values[int(size)], [0.1, 0.5, 0.9]))
        )
    assert claimed.y[0] == points.y[0]
    assert claimed.y[-1] / claimed.y[0] == pytest.approx(0.5)


def test_where_values_are_0_there_is_no_exponent() -> None:
    for last in (0.0, np.nan):
        values = {1: np.ones(4), 2: np.full(4, last)}
        shown = ladder_picture("t", "n", {"error": values}, bounds={"b": lambda n: 1 / n})
        assert shown.caption == "error: no exponent, for lack of positive values"


@pytest.mark.parametrize(
    "claim", [probabilities_are_lipschitz, probabilities_move_at_most_twice_as_far_as_logits]
)
def test_the_ratio_of_routing_probabilities_attains_2_and_stays_below(
    run: Run, claim: Claim
) -> None:
    h = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (shown,) = pictures(claim, run, h=h, perturbation=(0.1, "signs", 7))
    assert claim.picture is ratio_to_the_step
    curves = {series.name: series for series in shown.series}
    assert list(curves["2 (R.3)"].y) == [2, 2]
    assert list(curves["M^2 (R.2, Lemma 5.1)"].y) == [25, 25]
    extremal = curves["h = 0, one up, the rest down"]
    for size, ratio in zip(extremal.x, extremal.y, strict=True):
        rise = 2 * size - (2 * size) ** 5 / 5 if 2 * size <= 1 else 1 - 1 / 5  # R.3's closed form
        assert ratio == pytest.approx(rise / size, rel=1e-3)
    assert max(y for name in list(curves)[:3] for y in curves[name].y) <= 2 + 1e-4


def test_the_law_of_the_gap_is_shown_with_drawn_experts(run: Run) -> None:
    (shown,) = pictures(the_cluster_gap_has_its_exact_law, run, K=3, J=2)
    found, law = shown.series
    assert max(abs(a - b) for a, b in zip(found.y, law.y, strict=True)) < 0.06
    assert law.style is Style.BOUND
    assert law.y[0] == pytest.approx(0)


def test_the_error_of_every_classifier_is_shown(run: Run) -> None:
    few = replace(every_patch_additive_classifier_errs_on_an_eighth, always=(), examples=2)
    assert few.picture is errors_of_classifiers
    found = check(few, run)
    assert not found.undrawn
    (shown,) = found.pictures
    assert isinstance(shown, Lines)
    errors = shown.series[0]
    assert len(shown.ticks) == len(errors.y) == found.examples
    assert list(errors.y) == sorted(errors.y)
    assert all(f"error {y:.4f} on" in " ".join(found.measured) for y in errors.y)
