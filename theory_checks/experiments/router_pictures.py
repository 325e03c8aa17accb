"""Pictures of what the router has learned."""

from collections.abc import Sequence

from core.measures import dispatch_counts, router_alignment
from theory_checks.checking.pictures import Heatmap, Lines, Series, Style
from theory_checks.experiments.ladder_pictures import along, ladder_picture, through_the_first
from theory_checks.experiments.ladders import SURE_FALL, by_examples, sampling_error
from theory_checks.experiments.replicates import at_the_end
from theory_checks.experiments.router import (
    features_over_centres,
    largest,
    mean_square,
    mechanism,
    residual,
)
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained


def router_pictures(trained: Trained, scenario: Scenario) -> tuple[Heatmap, Heatmap]:
    """Alignment of the router with the centres, and where examples go, for one replicate at T."""
    replicate = at_the_end(trained, scenario)[0]
    order = replicate.group.argsort()
    experts = [f"m = {m}, in M_{int(replicate.group[m])}" for m in order]
    clusters = [f"k = {k}" for k in range(scenario.problem.K)]
    _, along_centres = router_alignment(replicate.signals, replicate.at.theta)
    counts = dispatch_counts(
        replicate.outcome[1], replicate.fresh.k, scenario.hyper.M, scenario.problem.K
    )
    share = counts / counts.sum(dim=0, keepdim=True)
    return (
        Heatmap(
            "<theta_m, c_k> at T",
            experts,
            clusters,
            along_centres[order].tolist(),
            "expert",
            "cluster",
        ),
        Heatmap(
            "Share of cluster k routed to expert m",
            experts,
            clusters,
            share[order].tolist(),
            "expert",
            "cluster",
            "",
            0.0,
            1.0,
        ),
    )


def features_along_examples(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """The ratios at T_1 along n."""
    ratios = by_examples(scenarios, [features_over_centres(trained, s, largest) for s in scenarios])
    mean_ratios = by_examples(
        scenarios, [features_over_centres(trained, s, mean_square) for s in scenarios]
    )
    return ladder_picture(
        "What the router learns of features, over what it learns of centres, at T_1",
        "n",
        {"ratio of the largest products": ratios, "ratio of their root mean squares": mean_ratios},
        bounds={
            "claimed: root mean squares fall like n^(-1/8)": through_the_first(
                mean_ratios, -SURE_FALL
            )
        },
        references={
            "twice the sampling error of one step": along(
                list(ratios), [2 * sampling_error(s) for s in scenarios]
            )
        },
    )


def alignment_along_exploration(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """<theta_m, c_k> of one replicate over the law, for the four experts that are most aligned with
    cluster 0."""
    scenario = scenarios[-1]
    found, law = (values[0, :, :, 0] for values in mechanism(trained, scenario))
    t = list(range(len(found)))
    series = []
    for m in found[-1].topk(4).indices.tolist():
        series.append(Series(f"m = {m}", t, found[:, m].tolist()))
        series.append(Series("law", t, law[:, m].tolist(), style=Style.REFERENCE))
    return Lines(
        f"The router finds centre 0, d = {scenario.problem.d}, n = {scenario.hyper.n}",
        "step t",
        "<theta_m, c_0>",
        series,
    )


def mechanism_pictures(
    trained: Trained, scenarios: Sequence[Scenario], more: Sequence[Scenario]
) -> tuple[Lines, Lines]:
    """One cluster over the law, and the residual of the law along n."""
    along_n = by_examples(more, [residual(trained, s) for s in more])
    errors = ladder_picture(
        "Residual of the law at T_1",
        "n",
        {"relative residual": along_n},
        bounds={"claimed: falls like n^(-1/8)": through_the_first(along_n, -SURE_FALL)},
        references={
            "1.5 times the sampling error of one step": along(
                list(along_n), [1.5 * sampling_error(s) for s in more]
            )
        },
    )
    return alignment_along_exploration(trained, scenarios), errors


def training_errors(trained: Trained, scenario: Scenario) -> Lines:
    """Training error of the first replicates over time."""
    trajectory, hyper = trained.trajectory(scenario), scenario.hyper
    t = [step / hyper.T_1 for step in trajectory.looked_at]
    series = [
        Series(f"replicate {i}", t, trajectory.training_error[i].tolist())
        for i in range(min(6, scenario.replicates))
    ]
    return Lines(
        f"Training error, d = {scenario.problem.d}, n = {hyper.n}",
        "t / T_1",
        "error without router noise",
        series,
    )
