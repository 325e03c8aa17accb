"""The exploration stage, t <= T_1 (section 5): the router stays quiet while the experts find their
clusters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Subject
from core.data import Signals
from core.measures import cluster_gap, groups
from core.routing import routing_probabilities
from core.seeds import generator_from
from theory_checks.checking.claim import Inputs, Kind, claim
from theory_checks.checking.pictures import Lines, Series, Style
from theory_checks.checking.profiles import Profile
from theory_checks.evidence import (
    Statement,
    all_of,
    at_most,
    at_most_of_order,
    cells_follow,
    stays_of_order,
    tends_to_zero,
)
from theory_checks.experiments.ladder_pictures import (
    along,
    ladder_picture,
    some_finished,
    through_the_first,
)
from theory_checks.experiments.ladders import (
    SURE_FALL,
    by_examples,
    by_size,
    drift_of_logits,
    mostly,
    sampling_error,
)
from theory_checks.experiments.replicates import Finished, finished, given_occupied_groups
from theory_checks.experiments.scenarios import (
    Scenario,
    around_the_ladder,
    example_ladder,
    exploration_ladder,
    given_on,
)
from theory_checks.experiments.trajectories import Trained

CLEAR_GAP = 1.1


def along_dimensions(profile: Profile) -> Inputs:
    """The ladder of dimensions, as one input."""
    return {"scenarios": st.just(exploration_ladder(profile))}


def along_examples(profile: Profile) -> Inputs:
    """The ladder of numbers of training examples, as one input."""
    return {"scenarios": st.just(example_ladder(profile))}


def with_other(inputs: Callable[[Profile], Inputs]) -> Callable[[Profile], Inputs]:
    """These inputs, and one of the points around the ladder."""
    return lambda profile: {**inputs(profile), "other": st.sampled_from(around_the_ladder(profile))}


def facts_about(
    scenarios: Sequence[Scenario], other: Scenario | None = None, **_: Any
) -> Mapping[str, Any]:
    found = {
        "d": ", ".join(str(s.problem.d) for s in scenarios),
        "n": ", ".join(str(s.hyper.n) for s in scenarios),
        "replicates": min(s.replicates for s in scenarios),
    }
    if other is None:
        return found
    problem, hyper = other.problem, other.hyper
    around = (
        f"K = {problem.K}, M = {hyper.M}, J = {hyper.J}, P = {problem.P}, D_alpha = D_gamma ="
        f" {problem.alpha}"
    )
    return {**found, "around the ladder": around}


def at_end_of_exploration(subject: Subject, trained: Trained, scenario: Scenario) -> list[Finished]:
    """All replicates at T_1."""
    return list(finished(subject, trained, scenario, scenario.hyper.T_1))


def features(trained: Trained, scenario: Scenario) -> Tensor:
    """a_mjk at t = 0 .. T_1, (R, T_1 + 1, M, J, K), double precision."""
    return trained.trajectory(scenario).watched["feature of filter"].double()


def early_points(profile: Profile) -> list[Scenario]:
    """The two smallest points of the ladder and those around it."""
    return [*exploration_ladder(profile)[:2], *around_the_ladder(profile)]


@claim(
    "E.1",
    kind=Kind.LAW,
    source="section 5, with Algorithm 1; later steps derived from R.3",
    given=given_on(early_points, hypotheses="E_init, Theta^(0) = 0"),
    formula=(
        r"(n_{k1},\dots,n_{kM})\sim\mathrm{Multinomial}(n_k;\tfrac1M,\dots,\tfrac1M)"
        r"\ \text{at}\ t=0,"
        r"\qquad "
        r"|p_m(h)-\tfrac1M|\le\max h-\min h"
    ),
    over=lambda profile: {
        "scenario": st.sampled_from(early_points(profile)),
        "which": st.integers(0, 7),
    },
    depends_on=("R.3", "R.5", "D.2", "I.3"),
    examples=3,
    visits=lambda scenario, which: {
        "K": scenario.problem.K,
        "d": scenario.problem.d,
        "n": scenario.hyper.n,
    },
)
def the_load_is_balanced(
    subject: Subject, trained: Trained, scenario: Scenario, which: int
) -> Statement:
    """At t = 0 each example goes to each expert with probability 1/M, whatever its cluster,
    independently of the others; at T_1 to m with probability p_m(h(x_i)), within max h - min h of
    1/M.

    At t = 0: the joint law of (k, m) of an example, and of the experts of two examples. At T_1, for
    the training examples and the router of one replicate: the joint law of (k, m) for an example
    chosen at random, given h; and the bound, from R.3 with h' the common value (max h + min h) / 2,
    which is at distance (max h - min h) / 2.
    """
    problem, hyper = scenario.problem, scenario.hyper
    K, M = problem.K, hyper.M
    replicate = at_end_of_exploration(subject, trained, scenario)[which]
    examples = replicate.training_examples
    h = subject.logits(replicate.at.theta, examples.patches).double()
    p = routing_probabilities(h)
    k = examples.k

    def first_step(stream: np.random.SeedSequence, size: int) -> tuple[np.ndarray, np.ndarray]:
        generator = generator_from(stream)
        examples = subject.draw_examples(problem, replicate.signals, size, generator)
        theta = subject.initialise_router(problem, hyper, generator).to(examples.y.dtype)
        chosen = subject.select(
            subject.logits(theta, examples.patches), subject.router_noise((M, size), generator, 0)
        )
        return examples.k.numpy(), chosen.numpy()

    def clusters_and_experts(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        cluster, chosen = first_step(stream, size)
        return cluster * M + chosen

    def experts_of_two(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, chosen = first_step(stream, 2 * size)
        return chosen[:size] * M + chosen[size:]

    def at_the_end(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        i = torch.randint(0, hyper.n, (size,), generator=generator)
        chosen = subject.select(
            h[:, i], subject.router_noise((M, size), generator, hyper.T_1).to(h)
        )
        return (k[i] * M + chosen).numpy()

    later = torch.zeros(K, M, dtype=h.dtype).index_add_(0, k, p.mT) / hyper.n
    spread = h.amax(dim=0) - h.amin(dim=0)
    return all_of(
        cells_follow(
            np.full(K * M, 1 / (K * M)),
            clusters_and_experts,
            resolution=0.03,
            detail="cluster and expert at t = 0",
        ),
        cells_follow(
            np.full(M * M, 1 / M**2),
            experts_of_two,
            resolution=0.04,
            detail="experts of two examples at t = 0",
        ),
        cells_follow(
            later.flatten().numpy(), at_the_end, resolution=0.03, detail="cluster and expert at T_1"
        ),
        at_most((p - 1 / M).abs().amax(dim=0), spread, tolerance=1e-12, detail="p_m against 1/M"),
    )


def largest_logit(subject: Subject, replicate: Finished) -> float:
    """max over i, m of abs(h_m(x_i)) over the training examples."""
    return float(
        subject.logits(replicate.at.theta, replicate.training_examples.patches).abs().max()
    )


def growth_of_logits(subject: Subject, trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """max over i, m of abs(h_m(x_i)) at T_1 along d, against the two orders."""
    found = [
        np.array([largest_logit(subject, r) for r in some_finished(subject, trained, s)])
        for s in scenarios
    ]
    limit = drift_of_logits(scenarios[0].problem)
    return ladder_picture(
        "The router stays quiet up to T_1",
        "d",
        {"largest abs(h_m(x_i))": by_size(scenarios, found)},
        bounds={"sigma_0^1.5": lambda d: d**-0.5},
        references={"its limit, of order sigma_0^2": lambda d: limit * d ** (-2 / 3)},
    )


@claim(
    "E.2",
    kind=Kind.RATE,
    source="section 5; the order sigma_0^2 derived",
    given=given_on(exploration_ladder, around_the_ladder),
    picture=growth_of_logits,
    formula=(
        r"\max_{i,m}\left|h_m(x_i;\Theta^{(T_1)})\right|=O(\sigma_0^{1.5}),\quad\text{sharper: of"
        r" order}\ \sigma_0^2"
    ),
    over=with_other(along_dimensions),
    depends_on=("E.1", "G.3", "G.5", "G.7", "R.5", "R.7", "R.8"),
    examples=4,
    visits=facts_about,
)
def the_router_stays_quiet(
    subject: Subject, trained: Trained, scenarios: Sequence[Scenario], other: Scenario
) -> Statement:
    """max over i, m of abs(h_m(x_i; Theta^(T_1))) is O(sigma_0^1.5), sharper: of order sigma_0^2.

    O: at most 1 sigma_0^1.5, and not growing against it. Sharper: within a factor 3 of its limit C2
    E[beta] E[alpha^3] / (8 K) sigma_0^2 (`drift_of_logits`) at each size, the factor for the start
    a_0 that the limit neglects, for random noise in the logits and for the maximum; and growing
    against sigma_0^2 by at most 1.2 from the first size to the last, which no order below
    sigma_0^1.6 does along d = 64 to 256. That it is of no smaller order is told by the lower levels
    only. Within the same factor of its own limit for other K, M, J, P and laws.
    """
    values = by_size(
        scenarios,
        [
            np.array(
                [largest_logit(subject, r) for r in at_end_of_exploration(subject, trained, s)]
            )
            for s in scenarios
        ],
    )
    limit = drift_of_logits(scenarios[0].problem)
    quiet = at_most_of_order(
        values,
        scale=lambda d: d**-0.5,
        constant=1.0,
        drift=1.0,
        detail="over sigma_0^1.5",
    )
    sharper = at_most_of_order(
        values,
        scale=lambda d: d ** (-2 / 3),
        constant=3 * limit,
        drift=1.2,
        detail="over sigma_0^2, from above",
    )
    order = stays_of_order(
        values,
        scale=lambda d: d ** (-2 / 3),
        low=limit / 3,
        high=3 * limit,
        drift=2.5,
        detail="over sigma_0^2",
    )
    around = np.array(
        [largest_logit(subject, r) for r in at_end_of_exploration(subject, trained, other)]
    )
    around /= drift_of_logits(other.problem) * other.hyper.sigma_0**2
    elsewhere = mostly(
        (around >= 1 / 3) & (around <= 3),
        f"replicates within a factor 3 of the limit at K = {other.problem.K}",
    )
    return given_occupied_groups(
        all_of(quiet, sharper, order, elsewhere), trained, *scenarios, other
    )


def population_law(start: Tensor, eta: float, steps: int) -> Tensor:
    """a <- a + eta a^2 / sqrt(sum_{j,k} a^4) for so many steps: start (..., J, K) to (..., steps +
    1, J, K)."""
    iterates = [start]
    for _ in range(steps):
        a = iterates[-1]
        iterates.append(a + eta * a**2 / (a**4).sum(dim=(-2, -1), keepdim=True).sqrt())
    return torch.stack(iterates, dim=-3)


def error_of_population_law(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Relative error of the feature displacement up to T_1, the median over experts of each
    replicate (R,)."""
    a = features(trained, scenario)
    predicted = population_law(a[:, 0], scenario.hyper.eta, scenario.hyper.T_1)[..., -1, :, :]
    error = (a[:, -1] - predicted).flatten(2).norm(dim=-1) / (predicted - a[:, 0]).flatten(2).norm(
        dim=-1
    )
    return error.quantile(0.5, dim=1).numpy()


def off_features(signals: Signals, displacement: Tensor) -> Tensor:
    """The part of a displacement (M, J, d) that is orthogonal to all feature signals."""
    along: Tensor = displacement @ signals.features.mT @ signals.features
    return displacement - along


def displacement_off_features(subject: Subject, trained: Trained, scenario: Scenario) -> np.ndarray:
    """norm of the displacement off the features over eta T_1, the median over experts of each
    replicate (R,)."""
    length = scenario.hyper.eta * scenario.hyper.T_1
    found = []
    for replicate in at_end_of_exploration(subject, trained, scenario):
        off = off_features(replicate.signals, replicate.at.W - replicate.initial.W)
        found.append(float(off.flatten(1).norm(dim=1).quantile(0.5)) / length)
    return np.array(found)


def exploration_of_one_expert(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """a_mjk of the first expert with a clear gap over the population law, for the picture."""
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


def population_law_pictures(
    subject: Subject, trained: Trained, scenarios: Sequence[Scenario]
) -> tuple[Lines, Lines]:
    """One expert over the law, and both errors of the law along n."""
    on = by_examples(scenarios, [error_of_population_law(trained, s) for s in scenarios])
    off = by_examples(
        scenarios, [displacement_off_features(subject, trained, s) for s in scenarios]
    )
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


@claim(
    "E.3",
    kind=Kind.RATE,
    source="derived from Algorithm 1 at h = 0, by odd symmetry",
    given=given_on(example_ladder, around_the_ladder),
    formula=(
        r"a\leftarrow a+\eta\,\frac{a^2}{\sqrt{\sum_{j,k}a_{mjk}^4}},\qquad a_{mjk}=\langle"
        r" w_{mj},v_k\rangle,\quad"
        r"\text{both errors falling with}\ n"
    ),
    picture=population_law_pictures,
    over=with_other(along_examples),
    depends_on=("E.2", "G.2", "G.3", "G.5", "G.7", "D.2", "D.3"),
    examples=4,
    visits=facts_about,
)
def experts_follow_the_population_law(
    subject: Subject, trained: Trained, scenarios: Sequence[Scenario], other: Scenario
) -> Statement:
    """Up to T_1, a_mjk = <w_mj, v_k> follows a <- a + eta a^2 / sqrt(sum_{j,k} a^4), and every
    other component of w stays put, with errors that fall at least like n^(-1/8), to at most 1.5 and
    0.5 times that of one step's gradient.

    With h = 0 the constants cancel in the normalised step, and centre, feature-noise and
    random-noise terms vanish by odd symmetry; what is left are sampling errors, of order n^(-1/2).
    Measured: the relative error of the feature displacement at T_1 and the displacement off the
    features over eta T_1, medians over experts. The fall is that in pairs of replicates
    (`SURE_FALL`). The levels, at the largest n and at other K, M, J, P and laws, are in units of
    the relative standard error of one step's gradient (`sampling_error`), which many steps average
    and a growing a_mjk amplifies: an error that does not vanish with n, as that of steps a little
    short of eta, is seen (by G.2, or here) if it exceeds them.
    """
    on = by_examples(scenarios, [error_of_population_law(trained, s) for s in scenarios])
    off = by_examples(
        scenarios, [displacement_off_features(subject, trained, s) for s in scenarios]
    )
    error = sampling_error(scenarios[-1])
    return given_occupied_groups(
        all_of(
            tends_to_zero(
                on,
                exponent=SURE_FALL,
                level=1.5 * error,
                detail="error on the features",
            ),
            tends_to_zero(
                off,
                exponent=SURE_FALL,
                level=error / 2,
                detail="displacement off the features",
            ),
            mostly(
                error_of_population_law(trained, other) <= 1.5 * sampling_error(other),
                f"replicates with a small error on the features at K = {other.problem.K}",
            ),
            mostly(
                displacement_off_features(subject, trained, other) <= sampling_error(other) / 2,
                f"replicates with a small displacement off the features at K = {other.problem.K}",
            ),
        ),
        trained,
        *scenarios,
        other,
    )


def winners_and_others(trained: Trained, scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Norm of a_m.k over j, at T_1, in the expert's own cluster over eta T_1, and the largest of
    the other clusters over sigma_0^(1/2): medians over the experts with a clear cluster gap (R,). A
    replicate without any is left out."""
    a, hyper = features(trained, scenario), scenario.hyper
    clear, own = cluster_gap(a[:, 0]).nan_to_num(0.0) > CLEAR_GAP, groups(a[:, 0])[..., None]
    norms = a[:, -1].norm(dim=-2)  # (R, M, K)
    winner, others = norms.gather(-1, own).squeeze(-1), norms.scatter(-1, own, 0.0).amax(dim=-1)
    rows = [r for r in range(len(a)) if bool(clear[r].any())]
    return (
        np.array([float(winner[r][clear[r]].quantile(0.5)) for r in rows])
        / (hyper.eta * hyper.T_1),
        np.array([float(others[r][clear[r]].quantile(0.5)) for r in rows]) / hyper.sigma_0**0.5,
    )


def over_what_is_left(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Norm of a_m.k over j at T_1 in the largest of the other clusters, over the most that E.6
    leaves there from its start: medians over the experts with a clear cluster gap (R,).

    The largest a of the expert has 1/a > 0 to the end, so any other positive one ends below 1 /
    (1/a(0) - 1/max a(0)). Negative ones only shrink.
    """
    a = features(trained, scenario)
    start, end, own = a[:, 0], a[:, -1], groups(a[:, 0])[..., None]
    clear = cluster_gap(start).nan_to_num(0.0) > CLEAR_GAP
    room = 1 / start - 1 / start.amax(dim=(-2, -1), keepdim=True)
    most = torch.where(
        start > 0, 1 / room, start
    )  # infinite for the largest itself, which its own cluster holds
    left, found = (x.norm(dim=-2).scatter(-1, own, 0.0).amax(dim=-1) for x in (most, end))
    return np.array(
        [
            float((found[r] / left[r])[clear[r]].quantile(0.5))
            for r in range(len(a))
            if bool(clear[r].any())
        ]
    )


def excess_and_others(
    trained: Trained, scenarios: Sequence[Scenario]
) -> tuple[Mapping[int, np.ndarray], Mapping[int, np.ndarray]]:
    """By d: how far the winner's norm is from 1, and the norm of the largest other cluster
    (`winners_and_others`)."""
    found = [winners_and_others(trained, s) for s in scenarios]
    winner, others = (by_size(scenarios, list(values)) for values in zip(*found, strict=True))
    return {d: np.abs(values - 1) for d, values in winner.items()}, others


def winner_along_dimensions(trained: Trained, scenarios: Sequence[Scenario]) -> Lines:
    """Both along d, against what is claimed."""
    excess, others = excess_and_others(trained, scenarios)
    return ladder_picture(
        "The winner takes all at T_1",
        "d",
        {"own cluster, distance from 1": excess, "largest other cluster": others},
        bounds={"3 d^(-2/3), for the own cluster": lambda d: 3 * d ** (-2 / 3)},
        references={"claimed of others: falls like d^(-0.05)": through_the_first(others, -0.05)},
    )


@claim(
    "E.4",
    kind=Kind.RATE,
    source="section 5, the constant derived from E.3",
    given=given_on(
        exploration_ladder,
        around_the_ladder,
        hypotheses=f"E_init; experts with a cluster gap above {CLEAR_GAP}",
    ),
    picture=winner_along_dimensions,
    formula=r"\frac{\|a_{m\cdot k}^{(T_1)}\|_2}{\sigma_0^{1/2}}\to 1\ (m\in\mathcal M_k),\qquad "
    r"\frac{\|a_{m\cdot l}^{(T_1)}\|_2}{\sigma_0^{1/2}}\to 0\ (l\ne k)",
    over=with_other(along_dimensions),
    depends_on=("E.3", "E.6", "G.2", "I.2", "I.4"),
    examples=4,
    visits=facts_about,
)
def the_winner_takes_all(
    trained: Trained, scenarios: Sequence[Scenario], other: Scenario
) -> Statement:
    """At T_1 the norm of a_m.k over j in the expert's own cluster, over sigma_0^(1/2), tends to 1;
    that of every other tends to 0.

    The winner ends at a_0 + eta T_1 with a_0 of order sigma_0 / sqrt(d), so the first differs from
    1 (measured against eta T_1, which is sigma_0^(1/2) but for rounding T_1 to whole steps) by
    order d^(-2/3): the constant is that of the largest of J K = 32 Gaussians, below 3 in 95 % of
    experts, and the levels at all d carry the claim (against d^(-2/3) the difference may grow 4
    times: where it is as small as the sampling error, a ratio says little). By E.6 a loser with gap
    g ends at a_0 / (g - 1), so at most at 20 d^(-2/3) for g = 1.1, and falls; while that is no
    small number the winner has not yet left it behind and the fall is slower than d^(-2/3): it is
    claimed to be at least d^(-0.05), in most pairs of replicates. At other K, M, J, P and laws,
    which enter by the start only: the same level for the winner, and the others at most where E.6
    leaves them (`over_what_is_left`), give or take the 1.5 sampling errors of E.3.
    """
    excess, others = excess_and_others(trained, scenarios)
    winner, _ = winners_and_others(trained, other)
    elsewhere = mostly(
        (np.abs(winner - 1) <= 3 * other.problem.d ** (-2 / 3))
        & (over_what_is_left(trained, other) <= 1 + 1.5 * sampling_error(other)),
        f"replicates whose winners take all at K = {other.problem.K}",
    )
    return given_occupied_groups(
        all_of(
            at_most_of_order(
                excess,
                scale=lambda d: d ** (-2 / 3),
                constant=3.0,
                drift=4.0,
                detail="own cluster against 1",
            ),
            tends_to_zero(
                others,
                exponent=0.05,
                level=20 * max(others) ** (-2 / 3),
                detail="other clusters",
            ),
            elsewhere,
        ),
        trained,
        *scenarios,
        other,
    )


def largest_noise_product(replicate: Finished) -> float:
    """max over i, m, j of abs(<w_mj, xi_i>)."""
    noise = replicate.training_examples.patches.noise.flatten(0, -2)
    return float((noise @ replicate.at.W.flatten(0, 1).mT).abs().max())


def growth_along_centres(replicate: Finished) -> float:
    """norm of all <w_mj, c_k> over that at the start."""
    centres = replicate.signals.centres.mT
    return float((replicate.at.W @ centres).norm() / (replicate.initial.W @ centres).norm())


def scale_of_noise_products(scenario: Scenario) -> float:
    """sigma_0^(1/2) d^(-1/2) sqrt(log(n M J))."""
    hyper = scenario.hyper
    return float((hyper.sigma_0 * np.log(hyper.n * hyper.M * hyper.J) / scenario.problem.d) ** 0.5)


def noise_along_dimensions(
    subject: Subject, trained: Trained, scenarios: Sequence[Scenario]
) -> Lines:
    """The largest products with noise along d, against their order."""
    found = [
        np.array([largest_noise_product(r) for r in some_finished(subject, trained, s)])
        for s in scenarios
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


@claim(
    "E.5",
    kind=Kind.RATE,
    source="section 5, sharpened: derived from the independence of noise and features",
    given=given_on(exploration_ladder, around_the_ladder),
    picture=noise_along_dimensions,
    formula=(
        r"\max_{i,m,j}|\langle w_{mj}^{(T_1)},\xi_i\rangle|"
        r"=O\!\left(\sigma_0^{1/2}d^{-1/2}\sqrt{\log(nMJ)}\right),\qquad "
        r"\langle w_{mj}^{(T_1)},c_k\rangle\approx\langle w_{mj}^{(0)},c_k\rangle"
    ),
    over=with_other(along_dimensions),
    depends_on=("E.3", "D.3", "I.4"),
    examples=4,
    visits=facts_about,
)
def experts_learn_no_noise_and_no_centres(
    subject: Subject, trained: Trained, scenarios: Sequence[Scenario], other: Scenario
) -> Statement:
    """At T_1 max abs(<w_mj, xi_i>) is of order sigma_0^(1/2) d^(-1/2) sqrt(log(n M J)), and <w_mj,
    c_k> is of its initial size.

    A filter that is independent of the noise has products N(0, norm(w)^2 sigma_p^2 / d), the
    largest of n M J of them at most norm(w) sigma_p sqrt(2 log(n M J) / d), and norm(w) is at most
    eta T_1 plus its start; so the constant is sqrt(2) in the limit and 2 by design, not growing by
    more than 1.3. The products with centres, in norm over (m, j, k), keep their size within a
    factor 1.25, and their ratio along the ladder too. Both levels are those of other K, M, J, P and
    laws as well.
    """
    replicates = [at_end_of_exploration(subject, trained, s) for s in scenarios]
    noise = by_size(
        scenarios, [np.array([largest_noise_product(r) for r in found]) for found in replicates]
    )
    centres = by_size(
        scenarios, [np.array([growth_along_centres(r) for r in found]) for found in replicates]
    )
    scale = along(list(noise), [scale_of_noise_products(s) for s in scenarios])
    around = at_end_of_exploration(subject, trained, other)
    kept = [
        largest_noise_product(r) <= 2 * scale_of_noise_products(other)
        and 0.8 <= growth_along_centres(r) <= 1.25
        for r in around
    ]
    return given_occupied_groups(
        all_of(
            at_most_of_order(
                noise,
                scale=scale,
                constant=2.0,
                drift=1.3,
                detail="noise product",
            ),
            stays_of_order(
                centres,
                scale=lambda d: 1.0,
                low=0.8,
                high=1.25,
                drift=1.25,
                detail="products with centres over their start",
            ),
            mostly(
                np.array(kept),
                f"replicates with both products small at K = {other.problem.K}",
            ),
        ),
        trained,
        *scenarios,
        other,
    )


def spread_of_first_integral(trained: Trained, scenario: Scenario) -> np.ndarray:
    """Relative standard deviation of 1/a(0) - 1/a(T_1) over the large a_mjk of an expert, the mean
    over experts (R,)."""
    a = features(trained, scenario)
    start, end = a[:, 0], a[:, -1]
    large = start > start.amax(dim=(-2, -1), keepdim=True) / 2
    integral = (1 / start - 1 / end).where(large, torch.nan).flatten(2)
    mean = integral.nanmean(dim=-1, keepdim=True)
    spread = ((integral - mean).square().nanmean(dim=-1)).sqrt() / mean.squeeze(-1).abs()
    several = large.flatten(2).sum(dim=-1) > 1
    return spread.where(several, torch.nan).nanmean(dim=-1).numpy()


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


@claim(
    "E.6",
    kind=Kind.RATE,
    source="derived from E.3: d(1/a) = -eta dt / sqrt(sum a^4) is the same for all (j, k)",
    given=given_on(
        example_ladder, around_the_ladder, hypotheses="E_init; eta sqrt(d)/sigma_0 below 0.3"
    ),
    picture=integral_along_examples,
    formula=r"\frac1{a_{mjk}^{(0)}}-\frac1{a_{mjk}^{(t)}}\ \text{is the same for all}\ (j,k)\ "
    r"\text{with}\ a_{mjk}^{(0)}>\tfrac12\max a_m^{(0)}",
    over=with_other(along_examples),
    depends_on=("E.3",),
    examples=4,
    visits=facts_about,
)
def inverse_alignments_move_together(
    trained: Trained, scenarios: Sequence[Scenario], other: Scenario
) -> Statement:
    """1/a_mjk(0) - 1/a_mjk(t) is the same for all (j, k) whose a starts above half of the expert's
    largest, as long as eta sqrt(d)/sigma_0 is small.

    By E.3 it is for all with positive a; the inverse of a small a magnifies its error. Here eta
    sqrt(d)/sigma_0 is 8/50 on the ladder, and at most 12/50. Measured at T_1 as relative standard
    deviation over these (j, k), mean over experts: it falls at least like n^(-1/8), and at the
    largest n, and at other K, M, J, P and laws, is at most 1.5 times the sampling error of a step
    (`sampling_error`), as the law that it follows from (E.3).
    """
    values = by_examples(scenarios, [spread_of_first_integral(trained, s) for s in scenarios])
    level = 1.5 * sampling_error(scenarios[-1])
    around = spread_of_first_integral(trained, other) <= 1.5 * sampling_error(other)
    return given_occupied_groups(
        all_of(
            tends_to_zero(
                values,
                exponent=SURE_FALL,
                level=level,
                detail="spread of the first integral",
            ),
            mostly(around, f"replicates with a small spread at K = {other.problem.K}"),
        ),
        trained,
        *scenarios,
        other,
    )
