"""The exploration stage, t <= T_1 (section 5): the router stays quiet while the experts find their
clusters."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Subject
from core.data import EPS
from core.routing import routing_probabilities
from core.seeds import generator_from
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import (
    Statement,
    all_of,
    at_most,
    cells_follow,
    falls_at_least,
)
from theory_checks.experiments.exploration import (
    amplification,
    cluster_gaps,
    displacement_along_centres,
    displacement_off_features,
    error_of_first_integral,
    error_of_population_law,
    error_of_steps,
    filter_gaps,
    largest_logit,
    noise_products,
    norm_in_other_clusters,
    norm_in_own_cluster,
    responses,
    scale_of_noise_products,
    strongest_features,
    what_is_left,
)
from theory_checks.experiments.finite import as_numbers
from theory_checks.experiments.inputs import (
    both_ladders_and_all_around,
    both_ladders_and_around,
    early_points,
    facts_about_points,
    fine_steps,
    ladder_and_around,
    many_experts,
)
from theory_checks.experiments.ladders import (
    OF_A_STEP,
    OF_THE_INTEGRAL,
    by_size,
    does_not_grow,
    drift_of_logits,
    falls_like_the_sampling_error,
    largest_of_experts,
    of_each,
    rarely_at,
    sampling_error,
)
from theory_checks.experiments.replicates import (
    LARGE_GAP,
    at_end_of_exploration,
    given_occupied_groups,
)
from theory_checks.experiments.scenarios import (
    Scenario,
    around_the_ladder,
    example_ladder,
    exploration_ladder,
    facts_about,
    given_on,
)
from theory_checks.experiments.stateless import require_stateless_experts
from theory_checks.experiments.training_pictures import (
    growth_of_logits,
    integral_along_examples,
    noise_along_dimensions,
    population_law_pictures,
    winner_along_dimensions,
)
from theory_checks.experiments.trajectories import Trained


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
    depends_on=("R.3", "R.5", "D.2", "I.3", "I.6"),
    examples=3,
    visits=facts_about("K", "d", "n"),
)
def the_load_is_balanced(
    subject: Subject, trained: Trained, scenario: Scenario, which: int
) -> Statement:
    """At t = 0 each example goes to each expert with probability 1/M, whatever its cluster,
    independently of the others; at T_1 it goes to m with probability p_m(h(x_i)), within max h -
    min h of 1/M.

    At t = 0: the joint law of (k, m) of an example, and of the experts of two examples. At T_1, for
    the training examples and the router of one replicate: the joint law of (k, m) for an example
    chosen at random, given h; and the bound, which follows from R.3 with h' constant at (max h +
    min h) / 2, at distance (max h - min h) / 2 from h.
    """
    problem, hyper = scenario.problem, scenario.hyper
    K, M = problem.K, hyper.M
    replicate = at_end_of_exploration(trained, scenario)[which]
    examples = replicate.training_examples
    h = as_numbers(subject.logits(replicate.at.theta, examples.patches).double(), "logits")
    p, k = routing_probabilities(h), examples.k

    one_number = torch.tensor([M, 1])  # of a pair

    def first_step(stream: np.random.SeedSequence, size: int) -> Tensor:
        """The clusters of examples and the experts that they go to at t = 0, (2, size)."""
        generator = generator_from(stream)
        examples = subject.draw_examples(problem, replicate.signals, size, generator)
        theta = subject.initialise_router(problem, hyper, generator).to(examples.y.dtype)
        chosen = subject.select(
            subject.logits(theta, examples.patches), subject.router_noise((M, size), generator, 0)
        )
        return torch.stack([examples.k, chosen])

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
            lambda stream, size: (one_number @ first_step(stream, size)).numpy(),
            resolution=0.03,
            detail="cluster and expert at t = 0",
            axes=(("to expert", range(M)), ("cluster", range(K))),
            of="examples",
        ),
        cells_follow(
            np.full(M * M, 1 / M**2),
            lambda s, n: (one_number @ first_step(s, 2 * n)[1].view(2, n)).numpy(),
            resolution=0.04,
            detail="experts of two examples at t = 0",
            axes=(("second example to expert", range(M)), ("first example to expert", range(M))),
            of="pairs",
        ),
        cells_follow(
            later.flatten().numpy(),
            at_the_end,
            resolution=0.03,
            detail="cluster and expert at T_1",
            axes=(("to expert", range(M)), ("cluster", range(K))),
            of="examples",
        ),
        at_most(
            (p - 1 / M).abs().amax(dim=0),
            spread,
            tolerance=1e-12,
            detail="p_m against 1/M",
            axes=("example",),
        ),
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
    over=ladder_and_around,
    depends_on=("E.1", "G.3", "G.5", "G.7", "R.5", "R.7", "R.8", "R.12"),
    examples=1,
    visits=facts_about_points,
)
def the_router_stays_quiet(
    trained: Trained, scenarios: Sequence[Scenario], around: Sequence[Scenario]
) -> Statement:
    """max over i, m of abs(h_m(x_i; Theta^(T_1))) is O(sigma_0^1.5), sharper: of order sigma_0^2.

    At each point the maximum is at most sigma_0^1.5, and within a factor 3 of its limit C2 E[beta]
    E[alpha^3] / (8 K) sigma_0^2 (`drift_of_logits`), in all but 2 % of replicates; the factor
    covers the start a_0 that the limit neglects, random noise in the logits, and the maximum. Along
    d it does not grow against sigma_0^2, where growing like sigma_0^1.5 is excluded. As d grows:
    P.6.
    """
    largest = of_each(largest_logit, trained)

    def loud(scenario: Scenario) -> Tensor:
        h, sigma_0 = torch.from_numpy(largest(scenario)), scenario.hyper.sigma_0
        limit = drift_of_logits(scenario.problem) * sigma_0**2
        return ~((h <= sigma_0**1.5) & (h <= 3 * limit) & (h >= limit / 3))

    return given_occupied_groups(
        all_of(
            rarely_at(
                [*scenarios, *around],
                loud,
                "largest logit above sigma_0^1.5 or not of order sigma_0^2",
            ),
            does_not_grow(
                lambda s: largest(s)[:, None] / s.hyper.sigma_0**2,
                scenarios,
                "largest logit over sigma_0^2",
            ),
        ),
        trained,
        *scenarios,
        *around,
    )


@claim(
    "E.3",
    kind=Kind.RATE,
    source="derived from Algorithm 1 at h = 0, by odd symmetry",
    given=given_on(exploration_ladder, example_ladder, around_the_ladder, many_experts),
    formula=(
        r"a\leftarrow a+\eta\,\frac{a^2}{\sqrt{\sum_{j,k}a_{mjk}^4}},\qquad a_{mjk}=\langle"
        r" w_{mj},v_k\rangle,\quad"
        r"\text{both errors falling like}\ n^{-1/2}"
    ),
    picture=population_law_pictures,
    over=both_ladders_and_all_around,
    depends_on=("E.2", "G.2", "G.3", "G.5", "G.7", "D.2", "D.3", "I.6"),
    examples=1,
    visits=facts_about_points,
)
def experts_follow_the_population_law(
    trained: Trained,
    scenarios: Sequence[Scenario],
    around: Sequence[Scenario],
    more: Sequence[Scenario],
    many: Sequence[Scenario],
) -> Statement:
    """Up to T_1, for every expert, a_mjk = <w_mj, v_k> follows a <- a + eta a^2 / sqrt(sum_{j,k}
    a^4), and every other component of w stays put, with errors of the size of one step's sampling
    error that fall at least like n^(-0.35).

    With h = 0 the constants cancel in the normalised step, and the terms of centres, feature noise
    and random noise vanish by odd symmetry; sampling errors of order n^(-1/2) remain. Their unit is
    the relative standard error of one step's gradient (`sampling_error`). In all but 2 % of
    replicates, for every expert: the steps differ from those of the law at the expert's own a by at
    most 1.5 units (root mean square); the displacement off the features is at most 1.5 units of eta
    T_1; and the displacement on the features differs from that of the law iterated from the start
    by at most 1.5 g / (g - 1) units. By E.6 a relative error of the first integral is so amplified
    for an a whose start is smaller than the largest by the factor g, here the gap between the two
    largest. Of 400 pilot replicates on other seeds one failed, at d = 256 and n = 2000; the largest
    values were 1.2, 1.1 and 1.7. At the point with twelve experts one of 208 failed. One expert
    that climbs, or moves at half speed, has errors of 12 and 3 units.
    """
    require_stateless_experts(trained.run.subject)

    def strays(scenario: Scenario) -> Tensor:
        most = OF_A_STEP * sampling_error(scenario)
        late = amplification(filter_gaps(trained, scenario))
        return ~(
            (error_of_steps(trained, scenario) <= most)
            & (displacement_off_features(trained, scenario) <= most)
            & (error_of_population_law(trained, scenario) <= most * late)
        )

    return given_occupied_groups(
        all_of(
            rarely_at([*scenarios, *around, *many], strays, "some expert off the population law"),
            falls_like_the_sampling_error(
                partial(error_of_steps, trained), more, "error of steps, worst expert"
            ),
            falls_like_the_sampling_error(
                partial(displacement_off_features, trained),
                more,
                "displacement off the features, worst expert",
            ),
        ),
        trained,
        *scenarios,
        *around,
        *more,
        *many,
    )


@claim(
    "E.4",
    kind=Kind.RATE,
    source="section 5, the constant derived from E.3",
    given=given_on(
        exploration_ladder,
        around_the_ladder,
        hypotheses=f"E_init; experts with a cluster gap of at least {LARGE_GAP}",
    ),
    picture=winner_along_dimensions,
    formula=r"\frac{\|a_{m\cdot k}^{(T_1)}\|_2}{\sigma_0^{1/2}}\to 1\ (m\in\mathcal M_k),\qquad "
    r"\frac{\|a_{m\cdot l}^{(T_1)}\|_2}{\sigma_0^{1/2}}\to 0\ (l\ne k)",
    over=ladder_and_around,
    depends_on=("E.3", "E.6", "G.2", "I.2", "I.4", "I.6"),
    examples=1,
    visits=facts_about_points,
)
def the_winner_takes_all(
    trained: Trained, scenarios: Sequence[Scenario], around: Sequence[Scenario]
) -> Statement:
    """At T_1, for every expert with a large gap, the norm of a_m.k over j in its own cluster, over
    sigma_0^(1/2), tends to 1; that of every other cluster tends to 0.

    The winner ends at a_0 + eta T_1 with a_0 of order sigma_0 / sqrt(d), less what the path to it
    spends on others, so the first norm differs from 1 by order d^(-2/3). (It is measured against
    eta T_1, which equals sigma_0^(1/2) except for rounding T_1 to whole steps.) For every expert
    with a gap g of 1.3, in all but 2 % of replicates, the difference is at most 5 d^(-2/3), and the
    norm of any other cluster is at most what E.6 leaves of its start (`what_is_left`) over 1 - 2.5
    u / (g - 1): the first integral is off by up to 2.5 sampling errors u of a step (E.6), and
    nothing is said where that is not positive. Of 400 pilot replicates on other seeds one
    failed, at d = 256 and n = 2000. For the worst such expert of each replicate both fall along d:
    the difference at least like d^(-0.3), the other norm, which cannot exceed 1 and so falls less
    steeply than d^(-2/3) from the start, like d^(-0.2). As d grows: P.6.
    """
    require_stateless_experts(trained.run.subject)

    def large_gap(scenario: Scenario) -> Tensor:
        return cluster_gaps(trained, scenario) >= LARGE_GAP

    def shares(scenario: Scenario) -> Tensor:
        gap, d = cluster_gaps(trained, scenario), scenario.problem.d
        off = (norm_in_own_cluster(trained, scenario) - 1).abs()
        kept = 1 - OF_THE_INTEGRAL * sampling_error(scenario) / (gap - 1)
        others = norm_in_other_clusters(trained, scenario)
        alone = (others * kept <= what_is_left(trained, scenario)) | (kept <= 0)
        return large_gap(scenario) & ~((off <= 5 * d ** (-2 / 3)) & alone)

    def worst(values: Tensor, scenario: Scenario) -> np.ndarray:
        return largest_of_experts(values.where(large_gap(scenario), 0.0))

    own = by_size(lambda s: worst((norm_in_own_cluster(trained, s) - 1).abs(), s), scenarios)
    others = by_size(lambda s: worst(norm_in_other_clusters(trained, s), s), scenarios)
    return given_occupied_groups(
        all_of(
            rarely_at([*scenarios, *around], shares, "some winner has not taken all"),
            falls_at_least(own, 0.3, slowest=0.1, detail="own cluster against 1, worst expert"),
            falls_at_least(others, 0.2, slowest=0.05, detail="other clusters, worst expert"),
        ),
        trained,
        *scenarios,
        *around,
    )


@claim(
    "E.5",
    kind=Kind.RATE,
    source="section 5, sharpened: derived from the independence of noise and features",
    given=given_on(exploration_ladder, around_the_ladder),
    picture=noise_along_dimensions,
    formula=(
        r"\max_{i,j}|\langle w_{mj}^{(T_1)},\xi_i\rangle|"
        r"=O\!\left(\sigma_0^{1/2}d^{-1/2}\sqrt{\log(nMJ)}\right),\qquad "
        r"\langle w_{mj}^{(T_1)},c_k\rangle\approx\langle w_{mj}^{(0)},c_k\rangle"
    ),
    over=ladder_and_around,
    depends_on=("E.3", "D.3", "I.4"),
    examples=1,
    visits=facts_about_points,
)
def experts_learn_no_noise_and_no_centres(
    trained: Trained, scenarios: Sequence[Scenario], around: Sequence[Scenario]
) -> Statement:
    """At T_1, for every expert, max abs(<w_mj, xi_i>) is O(sigma_0^(1/2) d^(-1/2) sqrt(log(n M
    J))), and <w_mj, c_k> is where it started.

    A filter that is independent of the noise has products N(0, norm(w)^2 sigma_p^2 / d). The
    largest of n M J of them is at most norm(w) sigma_p sqrt(2 log(n M J) / d), and norm(w) is at
    most eta T_1 plus its start: so the constant is sqrt(2) in the limit and 2 by design. The
    products with centres change, in norm over (j, k), by at most 1.5 sampling errors of a step
    (`sampling_error`) of eta T_1, as all that is off the features (E.3). Both hold for every expert
    in all but 2 % of replicates, and neither grows along d in these units.
    """
    require_stateless_experts(trained.run.subject)

    def learns(scenario: Scenario) -> Tensor:
        noise = noise_products(trained, scenario) / scale_of_noise_products(scenario)
        moved = displacement_along_centres(trained, scenario) / sampling_error(scenario)
        return ~((noise <= 2) & (moved <= OF_A_STEP))

    return given_occupied_groups(
        all_of(
            rarely_at([*scenarios, *around], learns, "some expert learns noise or centres"),
            does_not_grow(
                lambda s: noise_products(trained, s) / scale_of_noise_products(s),
                scenarios,
                "noise product over its order, worst expert",
            ),
            does_not_grow(
                lambda s: displacement_along_centres(trained, s) / sampling_error(s),
                scenarios,
                "displacement along centres, worst expert",
            ),
        ),
        trained,
        *scenarios,
        *around,
    )


@claim(
    "E.6",
    kind=Kind.RATE,
    source="derived from E.3: d(1/a) = -eta dt / sqrt(sum a^4) is the same for all (j, k)",
    given=given_on(
        fine_steps,
        example_ladder,
        around_the_ladder,
        hypotheses="E_init; eta sqrt(d)/sigma_0 small",
    ),
    picture=integral_along_examples,
    formula=r"\frac1{a_{mjk}^{(0)}}-\frac1{a_{mjk}^{(t)}}=\sum_{s<t}\frac{\eta}{\|(a_m^{(s)})^2\|}"
    r"\ \text{for all}\ (j,k)\ \text{with}\ a_{mjk}^{(0)}>\tfrac12\max a_m^{(0)}",
    over=lambda profile: {
        **both_ladders_and_around(profile),
        "scenarios": st.just(fine_steps(profile)),
    },
    depends_on=("E.3",),
    examples=1,
    visits=facts_about_points,
)
def inverse_alignments_move_together(
    trained: Trained,
    scenarios: Sequence[Scenario],
    around: Sequence[Scenario],
    more: Sequence[Scenario],
) -> Statement:
    """1/a_mjk(0) - 1/a_mjk(t) is the same for all (j, k) of an expert whose a starts above half of
    its largest, as long as eta sqrt(d)/sigma_0 is small, and equals sum_t eta / sqrt(sum_{j,k}
    a^4).

    By E.3 this holds for all positive a, but the inverse of a small a magnifies its error. Here eta
    sqrt(d)/sigma_0 is at most 16/50: a step of that size adds a relative error of eta / a(0) times
    its share of the sum, about 1/10 at first. In all but 2 % of replicates, for every expert, the
    two sides differ at T_1 by at most 1.5 sampling errors of a step (`sampling_error`), as root
    mean square over these (j, k) relative to the sum; for the worst expert of a replicate that
    falls at least like n^(-0.35). The first steps, when a is small, make up most of the sum, so
    less is averaged than in E.3. Of 400 pilot replicates on other seeds none failed; the largest
    value was 2.0.
    """
    require_stateless_experts(trained.run.subject)

    def off(scenario: Scenario) -> Tensor:
        error = error_of_first_integral(trained, scenario)
        return ~(error <= OF_THE_INTEGRAL * sampling_error(scenario))

    return given_occupied_groups(
        all_of(
            rarely_at([*scenarios, *around], off, "the first integral of some expert is off"),
            falls_like_the_sampling_error(
                partial(error_of_first_integral, trained), more, "first integral, worst expert"
            ),
        ),
        trained,
        *scenarios,
        *around,
        *more,
    )


@claim(
    "E.7",
    kind=Kind.RATE,
    source="section 5, in spirit; the orders derived",
    given=given_on(exploration_ladder, around_the_ladder),
    formula=(
        r"\sup_{t\le T_1}|f_m(x_i)|=O(\sigma_0^{1.5}),\qquad |h_m|,\ |\pi_m-\tfrac1M|,\ "
        r"|p_m-\tfrac1M|=O(\sigma_0^2),\qquad |\ell'+\tfrac12|\le\tfrac14|\pi f|"
    ),
    over=ladder_and_around,
    depends_on=("E.2", "E.4", "E.5", "R.3", "G.8", "R.12"),
    examples=1,
    visits=facts_about_points,
)
def exploration_is_quiet(
    trained: Trained, scenarios: Sequence[Scenario], around: Sequence[Scenario]
) -> Statement:
    """Up to T_1 abs(f_m(x_i)) is O(sigma_0^1.5), and abs(pi_m - 1/M) and abs(p_m - 1/M) are
    O(sigma_0^2); hence every slope of the loss is near -1/2: abs(l' + 1/2) <= abs(pi f) / 4.

    An expert that has won responds to its feature with (alpha a)^3 and a up to sigma_0^(1/2) (E.4),
    so with up to C2^3 sigma_0^1.5: three times that by design, for its start, the other patches and
    other clusters. Its features alone give C2^3 max_k abs(A_mk(t)), A_mk = sum_j a_mjk^3, at most
    as much at every t <= T_1; all patches are looked at at T_1. At h = 0 the derivatives of p_m in
    h_m and in all others are 1 and at most -1 in sum, so abs(p_m - 1/M) is at most 2 max abs(h), up
    to squares, and abs(pi_m - 1/M) is at most 2 max abs(h) / M: three times the limit of E.2 is
    allowed for h. All that holds for every expert and training example in all but 2 % of
    replicates, and no maximum grows against its order along d. (For d = 64 the bound C2^3
    sigma_0^1.5 is 1: not small yet.) As the loss has curvature at most 1/4, the last inequality is
    exact. As d grows: P.6.
    """
    quiet = {scenario: responses(trained, scenario) for scenario in (*scenarios, *around)}

    def loud(scenario: Scenario) -> Tensor:
        sigma_0, largest = scenario.hyper.sigma_0, quiet[scenario]
        logit = 3 * drift_of_logits(scenario.problem) * sigma_0**2
        response = 3 * scenario.problem.C2**3 * sigma_0**1.5
        return ~(
            (largest.response <= response)
            & (strongest_features(trained, scenario) * scenario.problem.C2**3 <= response)
            & (largest.probability <= 2 * logit)
            & (largest.gate <= 2 * logit / scenario.hyper.M)
        )

    slopes = [largest.beyond_slope.flatten() for largest in quiet.values()]
    return given_occupied_groups(
        all_of(
            rarely_at([*scenarios, *around], loud, "some response, gate or probability too large"),
            does_not_grow(
                lambda s: quiet[s].response / s.hyper.sigma_0**1.5,
                scenarios,
                "largest response over sigma_0^1.5",
            ),
            does_not_grow(
                lambda s: quiet[s].probability / s.hyper.sigma_0**2,
                scenarios,
                "largest abs(p_m - 1/M) over sigma_0^2",
            ),
            at_most(
                torch.cat(slopes), 0.0, tolerance=16 * EPS, detail="abs(l' + 1/2) - abs(pi f) / 4"
            ),
        ),
        trained,
        *scenarios,
        *around,
    )
