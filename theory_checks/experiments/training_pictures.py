"""Pictures of training runs: the exploration stage, and what the router has learned."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
from torch import Tensor

from core.measures import cluster_gap
from theory_checks.checking.pictures import Heatmap, Lines, Picture, Series, Style
from theory_checks.experiments.exploration import (
    cluster_gaps,
    displacement_off_features,
    error_of_first_integral,
    error_of_steps,
    features,
    largest_logit,
    noise_products,
    norm_in_other_clusters,
    norm_in_own_cluster,
    population_law,
    scale_of_noise_products,
)
from theory_checks.experiments.ladders import (
    OF_A_STEP,
    OF_THE_INTEGRAL,
    ROOT,
    by_examples,
    by_size,
    drift_of_logits,
    errors_along_examples,
    ladder_picture,
    largest_of_experts,
    of_each,
    through_the_first,
)
from theory_checks.experiments.replicates import LARGE_GAP, Finished, finished
from theory_checks.experiments.router import (
    features_over_centres,
    largest,
    mean_square,
    mechanism,
    residual,
)
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained

SHOWN = 6  # replicates at each size, where measuring one takes time


def growth_of_logits(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """max over i, m of abs(h_m(x_i)) at T_1 along d, against the two orders."""
    limit = drift_of_logits(scenarios[0].problem)
    return ladder_picture(
        "The router stays quiet up to T_1",
        "d",
        {"largest abs(h_m(x_i))": by_size(of_each(largest_logit, trained, SHOWN), scenarios)},
        bounds={"sigma_0^1.5": lambda d: d**-0.5},
        references={"its limit, of order sigma_0^2": lambda d: limit * d ** (-2 / 3)},
    )


def over_the_law(
    title: str, y_label: str, curves: Iterable[tuple[str, Tensor, Tensor]], caption: str = ""
) -> Lines:
    """Curves over the steps of a run, each with what a law makes of it: name, simulated, law."""
    series = []
    for name, found, law in curves:
        t = list(range(len(found)))
        series.append(Series(name, t, found.tolist()))
        series.append(Series("law", t, law.tolist(), style=Style.REFERENCE))
    return Lines(title, "step t", y_label, series, caption=caption)


def exploration_of_one_expert(trained: Trained, scenario: Scenario) -> Lines:
    """a_mjk of the first expert with a clear gap, with the population law."""
    a = features(trained, scenario)[0]
    m = int((cluster_gap(a[0]).nan_to_num(0.0) > 1.2).nonzero()[0])
    law = population_law(a[0, m], scenario.hyper.eta, scenario.hyper.T_1)
    ranked = a[-1, m].flatten().topk(4).indices.tolist()
    places = [divmod(rank, scenario.problem.K) for rank in ranked]
    return over_the_law(
        f"Exploration of expert {m}, d = {scenario.problem.d}, n = {scenario.hyper.n}",
        "a_mjk = <w_mj, v_k>",
        ((f"j = {j}, k = {k}", a[:, m, j, k], law[:, j, k]) for j, k in places),
        "The four filter-feature products that end largest, and what the parameter-free"
        " population law makes of their start.",
    )


def worst_experts_along_examples(
    trained: Trained,
    scenarios: Sequence[Scenario],
    measure: Callable[[Trained, Scenario], Tensor],
) -> dict[int, np.ndarray]:
    """The largest over the experts of each replicate, by n."""
    return by_examples(lambda s: largest_of_experts(measure(trained, s)), scenarios)


def population_law_pictures(
    trained: Trained, scenarios: Sequence[Scenario], more: Sequence[Scenario]
) -> tuple[Lines, Lines]:
    """One expert with the population law, and both errors of the law along n."""
    worst = partial(worst_experts_along_examples, trained, more)
    measured = {
        "of steps": worst(error_of_steps),
        "displacement off the features": worst(displacement_off_features),
    }
    title = "Error of the population law, worst expert"
    errors = errors_along_examples(title, measured, more, OF_A_STEP, ROOT)
    return exploration_of_one_expert(trained, scenarios[0]), errors


def winner_along_dimensions(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """Norms in an expert's own cluster and in others along d, with what is claimed."""

    def worst(values: Tensor, scenario: Scenario) -> np.ndarray:
        clear = cluster_gaps(trained, scenario) >= LARGE_GAP
        return largest_of_experts(values.where(clear, 0.0))

    own = by_size(lambda s: worst((norm_in_own_cluster(trained, s) - 1).abs(), s), scenarios)
    others = by_size(lambda s: worst(norm_in_other_clusters(trained, s), s), scenarios)
    return ladder_picture(
        "The winner takes all at T_1, worst expert with a gap of 1.3",
        "d",
        {"own cluster, distance from 1": own, "largest other cluster": others},
        bounds={"5 d^(-2/3), for the own cluster": lambda d: 5 * d ** (-2 / 3)},
        references={"claimed of others: falls like d^(-0.2)": through_the_first(others, -0.2)},
    )


def noise_along_dimensions(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """The largest products with noise along d, with their order."""
    scale = by_size(scale_of_noise_products, scenarios)
    found = by_size(lambda s: largest_of_experts(noise_products(trained, s)), scenarios)
    return ladder_picture(
        "Products of filters with noise at T_1",
        "d",
        {"largest abs(<w_mj, xi_i>)": found},
        bounds={"2 sigma_0^(1/2) d^(-1/2) sqrt(log(n M J))": lambda d: 2 * scale[d]},
        references={"its limit, sqrt(2) times the scale": lambda d: 2**0.5 * scale[d]},
    )


def integral_along_examples(trained: Trained, more: Sequence[Scenario]) -> Lines:
    """The error of the first integral along n."""
    values = worst_experts_along_examples(trained, more, error_of_first_integral)
    title = "Error of the first integral at T_1, worst expert"
    return errors_along_examples(title, {"relative error": values}, more, OF_THE_INTEGRAL, ROOT)


def experts_and_clusters(
    title: str, replicate: Finished, values: Tensor, high: float | None = None
) -> Heatmap:
    """A value for every expert and cluster of a replicate, (M, K), experts by their group; the
    scale is that of the values, or ends at 0 and `high`."""
    order = replicate.group.argsort()
    return Heatmap(
        title,
        [f"m = {m}, in M_{int(replicate.group[m])}" for m in order],
        [f"k = {k}" for k in range(values.shape[1])],
        values[order].tolist(),
        "expert",
        "cluster",
        low=None if high is None else 0.0,
        high=high,
    )


def specialisation_pictures(
    trained: Trained, scenarios: Sequence[Scenario], more: Sequence[Scenario]
) -> tuple[Picture, ...]:
    """Errors of the experts of one replicate on the clusters, before and after, and the mean error
    on the own cluster along n."""
    last = scenarios[-1]
    tables = []
    for step, when in ((0, "at the start"), (last.hyper.T_1, "at T_1")):
        replicate = next(finished(trained, last, step))
        title = f"Error of experts on clusters {when}, d = {last.problem.d}"
        tables.append(experts_and_clusters(title, replicate, replicate.errors, 0.6))
    values = by_examples(of_each(lambda r: float(r.own_error.mean()), trained, SHOWN), more)
    errors = ladder_picture(
        "Error of experts on their own cluster at T_1",
        "n",
        {"mean over experts": values},
        bounds={"claimed: falls like n^(-0.15)": through_the_first(values, -0.15)},
        references={"1/8, what a single expert must err": lambda n: 1 / 8},
    )
    return *tables, errors


def router_pictures(trained: Trained, scenarios: Sequence[Scenario]) -> tuple[Heatmap, Heatmap]:
    """Alignment of the router with the centres, and where examples go, for one replicate at T."""
    scenario = scenarios[0]
    replicate = next(finished(trained, scenario, scenario.hyper.T))
    _, along_centres = replicate.router
    share = replicate.dispatched / replicate.dispatched.sum(dim=0, keepdim=True)
    return (
        experts_and_clusters("<theta_m, c_k> at T", replicate, along_centres),
        experts_and_clusters("Share of cluster k routed to expert m", replicate, share, 1.0),
    )


def features_along_examples(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """The ratios at T_1 along n."""
    measured = {
        name: by_examples(partial(features_over_centres, trained, size), scenarios)
        for name, size in (
            ("ratio of root mean squares", mean_square),
            ("ratio of the largest products", largest),
        )
    }
    title = "What the router learns of features, over what it learns of centres, at T_1"
    return errors_along_examples(title, measured, scenarios, 2)


def mechanism_pictures(
    trained: Trained, scenarios: Sequence[Scenario], more: Sequence[Scenario]
) -> tuple[Lines, Lines]:
    """<theta_m, c_k> of one replicate over the law, for the four experts that are most aligned with
    cluster 0, and the residual of the law along n."""
    last = scenarios[-1]
    found, law = (values[0, :, :, 0] for values in mechanism(trained, last))
    best = found[-1].topk(4).indices.tolist()
    along_t = over_the_law(
        f"The router finds centre 0, d = {last.problem.d}, n = {last.hyper.n}",
        "<theta_m, c_0>",
        ((f"m = {m}", found[:, m], law[:, m]) for m in best),
    )
    residuals = {"relative residual": by_examples(partial(residual, trained), more)}
    return along_t, errors_along_examples("Residual of the law at T_1", residuals, more, 1.5)


def training_errors(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """Training error of the first replicates over time."""
    scenario = scenarios[0]
    trajectory, hyper = trained.trajectory(scenario), scenario.hyper
    t = [step / hyper.T_1 for step in trajectory.looked_at]
    errors = trajectory.training_error[:SHOWN].tolist()
    return Lines(
        f"Training error, d = {scenario.problem.d}, n = {hyper.n}",
        "t / T_1",
        "error without router noise",
        [Series(f"replicate {i}", t, found) for i, found in enumerate(errors)],
    )
