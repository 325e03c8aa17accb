"""Pictures of the exploration stage."""

from collections.abc import Sequence

import numpy as np

from core.measures import cluster_gap
from theory_checks.checking.pictures import Heatmap, Lines, Picture, Series, Style
from theory_checks.experiments.exploration import (
    displacement_off_features,
    error_of_population_law,
    excess_and_others,
    features,
    largest_logit,
    largest_noise_product,
    population_law,
    scale_of_noise_products,
    spread_of_first_integral,
)
from theory_checks.experiments.ladder_pictures import (
    along,
    ladder_picture,
    some_finished,
    through_the_first,
)
from theory_checks.experiments.ladders import (
    ANY_FALL,
    SURE_FALL,
    by_examples,
    by_size,
    drift_of_logits,
    sampling_error,
)
from theory_checks.experiments.replicates import finished
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained


def growth_of_logits(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """max over i, m of abs(h_m(x_i)) at T_1 along d, against the two orders."""
    found = [np.array([largest_logit(r) for r in some_finished(trained, s)]) for s in scenarios]
    limit = drift_of_logits(scenarios[0].problem)
    return ladder_picture(
        "The router stays quiet up to T_1",
        "d",
        {"largest abs(h_m(x_i))": by_size(scenarios, found)},
        bounds={"sigma_0^1.5": lambda d: d**-0.5},
        references={"its limit, of order sigma_0^2": lambda d: limit * d ** (-2 / 3)},
    )


def exploration_of_one_expert(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """a_mjk of the first expert with a clear gap, with the population law."""
    scenario = scenarios[-1]
    a = features(trained, scenario)[0]
    m = int((cluster_gap(a[0]).nan_to_num(0.0) > 1.2).nonzero()[0])
    law = population_law(a[0, m], scenario.hyper.eta, scenario.hyper.T_1)
    t = list(range(len(law)))
    largest = a[-1, m].flatten().topk(4).indices
    J_K = a.shape[-2:]
    series = []
    for rank in largest.tolist():
        j, k = divmod(rank, J_K[1])
        series.append(Series(f"j = {j}, k = {k}", t, a[:, m, j, k].tolist()))
        series.append(Series("population law", t, law[:, j, k].tolist(), style=Style.REFERENCE))
    return Lines(
        f"Exploration of expert {m}, d = {scenario.problem.d}, n = {scenario.hyper.n}",
        "step t",
        "a_mjk = <w_mj, v_k>",
        series,
        caption=(
            "The four filter-feature products that end largest, and what the parameter-free law"
            " makes of their start."
        ),
    )


def population_law_pictures(trained: Trained, scenarios: Sequence[Scenario]) -> tuple[Lines, Lines]:
    """One expert with the population law, and both errors of the law along n."""
    on = by_examples(scenarios, [error_of_population_law(trained, s) for s in scenarios])
    off = by_examples(scenarios, [displacement_off_features(trained, s) for s in scenarios])
    errors = ladder_picture(
        "Error of the population law at T_1",
        "n",
        {"on the features": on, "off the features": off},
        bounds={"claimed: falls like n^(-1/8)": through_the_first(on, -SURE_FALL)},
        references={
            "sampling error of one step": along(list(on), [sampling_error(s) for s in scenarios])
        },
    )
    return exploration_of_one_expert(trained, scenarios), errors


def winner_along_dimensions(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """Both norms of `excess_and_others` along d, with what is claimed."""
    excess, others = excess_and_others(trained, scenarios)
    return ladder_picture(
        "The winner takes all at T_1",
        "d",
        {"own cluster, distance from 1": excess, "largest other cluster": others},
        bounds={"3 d^(-2/3), for the own cluster": lambda d: 3 * d ** (-2 / 3)},
        references={"claimed of others: falls like d^(-0.05)": through_the_first(others, -0.05)},
    )


def noise_along_dimensions(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """The largest products with noise along d, with their order."""
    found = [
        np.array([largest_noise_product(r) for r in some_finished(trained, s)]) for s in scenarios
    ]
    sizes, scales = (
        [s.problem.d for s in scenarios],
        [scale_of_noise_products(s) for s in scenarios],
    )
    return ladder_picture(
        "Products of filters with noise at T_1",
        "d",
        {"largest abs(<w_mj, xi_i>)": by_size(scenarios, found)},
        bounds={
            "2 sigma_0^(1/2) d^(-1/2) sqrt(log(n M J))": along(
                sizes, [2 * scale for scale in scales]
            )
        },
        references={
            "its limit, sqrt(2) times the scale": along(sizes, [2**0.5 * scale for scale in scales])
        },
    )


def integral_along_examples(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """The spread of the first integral along n."""
    values = by_examples(scenarios, [spread_of_first_integral(trained, s) for s in scenarios])
    return ladder_picture(
        "Spread of the first integral at T_1",
        "n",
        {"relative standard deviation": values},
        bounds={"claimed: falls like n^(-1/8)": through_the_first(values, -SURE_FALL)},
        references={
            "1.5 times the sampling error of one step": along(
                list(values), [1.5 * sampling_error(s) for s in scenarios]
            )
        },
    )


def experts_and_clusters(
    trained: Trained, scenarios: Sequence[Scenario]
) -> tuple[Heatmap, Heatmap]:
    """Errors of the experts of one replicate on the clusters, at the start and at T_1."""
    scenario = scenarios[-1]
    pictures = []
    for step, when in ((0, "at the start"), (scenario.hyper.T_1, "at T_1")):
        replicate = next(finished(trained, scenario, step))
        order = replicate.group.argsort()
        names = [f"m = {m}, in M_{int(replicate.group[m])}" for m in order]
        table = replicate.errors[order].tolist()
        clusters = [f"k = {k}" for k in range(scenario.problem.K)]
        title = f"Error of experts on clusters {when}, d = {scenario.problem.d}"
        pictures.append(
            Heatmap(title, names, clusters, table, "expert", "cluster", low=0.0, high=0.6)
        )
    return pictures[0], pictures[1]


def specialisation_pictures(
    trained: Trained, scenarios: Sequence[Scenario], more: Sequence[Scenario]
) -> tuple[Picture, ...]:
    """Errors on the clusters before and after, and the mean error on the own cluster along n."""
    found = [np.array([float(r.own_error.mean()) for r in some_finished(trained, s)]) for s in more]
    values = by_examples(more, found)
    errors = ladder_picture(
        "Error of experts on their own cluster at T_1",
        "n",
        {"mean over experts": values},
        bounds={"claimed: falls": through_the_first(values, -ANY_FALL)},
        references={"1/8, what a single expert must err": lambda n: 1 / 8},
    )
    return *experts_and_clusters(trained, scenarios), errors
