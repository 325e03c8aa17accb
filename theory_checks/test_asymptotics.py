"""The limits of the exploration stage, on the population law (E.3) along d = 64 ... 10^10."""

import numpy as np
from hypothesis import strategies as st

from core import Subject
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import (
    Statement,
    about_draws,
    all_of,
    at_most,
    equal,
    finding,
    frequency_at_least,
    mean_at_least,
    mean_at_most,
    mean_equals,
)
from theory_checks.experiments.asymptotics import (
    EXPERT_SHAPES,
    EXPONENTS,
    FEW_FILTERS,
    FLOW_TOLERANCE,
    FLOWS,
    NAMED_LAWS,
    errors_on_others,
    facts_about_law,
    first_integral_excess,
    follows_limit,
    largest_entry,
    late_replicates,
    occupied_and_late,
    problem_of,
    where_clear,
    winners_elsewhere,
    with_a_large_entry,
)
from theory_checks.experiments.asymptotics_pictures import (
    late_experts_along_dimensions,
    winners_against_the_step,
)
from theory_checks.experiments.population_law import (
    clear_in_size,
    error_on_own_cluster,
    level_of,
    limit_of_small_steps,
    most_unclear,
    near_ties,
    own_cluster,
    path_length,
    population,
    ratio_at_level,
    reach,
    tie_constant,
)
from theory_checks.experiments.scenarios import SEEDS

COARSE, FINE = 0.8, 0.1  # x of the steps whose deviations from the limit are compared
MOSTLY = 0.95  # of experts: whose deviation falls like x (P.1), by design
LARGE = 1.0  # least a(0) of the experts on which they are, in sigma_0 / sqrt(d)
SHOWN_EXPERTS = 200  # of which a finding counts those that specialise elsewhere
FEW_STEPS = 6  # from the first on the winner of coarse steps does not change


@claim(
    "P.1",
    kind=Kind.RATE,
    source="derived from E.3",
    given="experts with some a(0) > 0; the rate: with max a(0) >= sigma_0/sqrt(d), d = 64",
    formula=(
        r"a_{mjk}^{(T_1)}\to\frac1{1/a_{mjk}^{(0)}-s_m},\qquad"
        r"\int_0^{s_m}\sqrt{\textstyle\sum_{j,k}(1/a_{mjk}^{(0)}-u)^{-4}}\,du=\eta T_1"
        r"\qquad(x=\eta\sqrt d/\sigma_0\to 0)"
    ),
    over={"shape": EXPERT_SHAPES, "s": EXPONENTS, "seed": SEEDS},
    always=({"shape": (4, 8), "s": 1 / 3, "seed": 1},),
    depends_on=("E.3", "E.6"),
    examples=3,
    visits=facts_about_law,
)
def small_steps_have_a_limit(
    subject: Subject, shape: tuple[int, int], s: float, seed: int
) -> Statement:
    """As x = eta sqrt(d)/sigma_0 -> 0 at fixed a(0), the law of E.3 tends to a = 1/(1/a(0) - s_m),
    where the path has length eta T_1; the largest deviation over sigma_0^(1/2) is O(x).

    Looks at the Subject's own gradient and update on the population (`Population`), step by step.
    Exactly: from 1/a - 1/a' = (eta/N) / (1 + eta a/N), N = norm(a^2), the sum of 1/a(0) - 1/a(t)
    over steps differs between a positive entry and the largest, A, by at most sum eta^2 A / N^2 <=
    eta sum (change of A) / A^3 <= eta / (2 p^2) (1 + eta/p)^3, p = max a(0). Rate: by an expansion
    in x the deviation of one and the same expert falls in proportion to x; claimed in pairs, from x
    = 0.8 to 0.1, is a fall by 8 / 1.5, to at most x / 4.
    """
    K, J = shape
    length = path_length(64, s)
    sample = with_a_large_entry(subject, K, J, 0.1, np.random.SeedSequence(seed), FLOWS)
    exact = [
        at_most(
            first_integral_excess(sample.steps(x, round(length / x)), x),
            1.0,
            tolerance=1e-6,
            detail=f"difference of first integrals over the most at x = {x}",
        )
        for x in (COARSE, FINE)
    ]

    def falls(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        experts = with_a_large_entry(subject, K, J, LARGE, stream, size)
        deviations = []
        for x in (COARSE, FINE):
            count = round(length / x)
            limit = limit_of_small_steps(experts.starts, x * count)
            away = np.abs(experts.steps(x, count)[-1] - limit).max(axis=(1, 2))
            deviations.append(away / length)
        coarse, fine = deviations
        return (fine <= 1.5 * FINE / COARSE * coarse) & (fine <= FINE / 4)

    return all_of(
        *exact,
        about_draws(
            64,
            falls,
            lambda events: frequency_at_least(
                MOSTLY, events, detail="experts whose deviation falls like x"
            ),
        ),
    )


@claim(
    "P.2",
    kind=Kind.RATE,
    source="derived from P.1",
    given="x -> 0; experts with some a(0) > 0; d from 10^5 to 10^10",
    picture=late_experts_along_dimensions,
    formula=(
        r"d^{(1+s)/2}\,P\bigl(\text{own-cluster error}>L\bigr)\to"
        r" J^2K(K-1)\,q\,I(q)\int_0^\infty\varphi^2z^2\Phi^{JK-2}dz,\qquad"
        r" I(q)=\int_0^1\sqrt{1+(1+qt)^{-4}}\,dt"
    ),
    over={
        "shape": EXPERT_SHAPES,
        "law": NAMED_LAWS,
        "part": st.sampled_from([0.3, 0.6, 0.8]),
        "s": EXPONENTS,
        "d": st.sampled_from([10**5, 10**6, 10**8, 10**10]),
        "seed": SEEDS,
    },
    always=({"shape": (4, 8), "law": "wide", "part": 0.6, "s": 1 / 3, "d": 10**10, "seed": 1},),
    depends_on=("P.1", "I.4"),
    examples=3,
    visits=facts_about_law,
)
def late_experts_are_near_ties(
    subject: Subject, shape: tuple[int, int], law: str, part: float, s: float, d: int, seed: int
) -> Statement:
    """In the limit of P.1, for every level below P(alpha < gamma)/(2 (K-1)), the share of experts
    with a larger own-cluster error falls like C d^(-(1+s)/2) with the explicit C; above that level
    like d^(-(1+s)).

    With the largest other cluster's entry behind by u = 1/a_2(0) - 1/a_1(0), the two end at a ratio
    1/(1 + u A), and the error exceeds the level if that ratio is at least r, P(alpha <= r gamma) =
    part P(alpha <= gamma): for u up to q I(q)/L, q = 1/r - 1, in units where a(0) ~ N(0, 1) and L =
    d^((1+s)/2) (`reach`). Near 0 u has the density of `tie_constant`. Such starts are drawn, with u
    up to twice that, and weighted by the ratio of densities: half of them must exceed the level, up
    to terms of relative order 1/L. Above the level two clusters must nearly tie, and the share over
    L^-2 is compared at L and 100 L from the same draws. It is not 0: part 1.3 is above the level
    where both rivals reach part 0.65, and needs part 0.3 of each. The Subject's own gradient flow
    from such starts ends at the limit.
    """
    (K, J), problem = shape, problem_of(shape[0], law)
    length = path_length(d, s)
    level, within = level_of(problem, part), 2 * reach(ratio_at_level(problem, part))

    def late(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        start, weight = near_ties(K, J, 1, within / length, np.random.default_rng(stream), size)
        end = limit_of_small_steps(start, length)
        own = np.zeros(size, dtype=int)
        return weight * (error_on_own_cluster(problem, end, own) > level)

    higher = level_of(problem, 1.3)
    twice_within = 2 * reach(ratio_at_level(problem, 0.3))
    surely_late = (reach(ratio_at_level(problem, 0.65)) / twice_within) ** 2

    def twice_late(stream: np.random.SeedSequence, size: int, length: float) -> np.ndarray:
        start, weight = near_ties(
            K, J, 2, twice_within / length, np.random.default_rng(stream), size
        )
        end = limit_of_small_steps(start, length)
        own = np.zeros(size, dtype=int)
        return weight * (error_on_own_cluster(problem, end, own) > higher)

    ties, _ = near_ties(K, J, 1, within / length, np.random.default_rng(seed), FLOWS)
    statements: list[Statement] = [
        follows_limit(subject, ties, length, np.random.SeedSequence(seed)),
        mean_equals(
            0.5, late, resolution=0.03, high=1.5, detail="weight of ties that are late at the level"
        ),
    ]
    if K > 2:
        statements += [
            mean_equals(
                0.0,
                lambda stream, size: (
                    twice_late(stream, size, length) - twice_late(stream, size, 100 * length)
                ),
                resolution=0.02,
                low=-1.5,
                high=1.5,
                detail="share above the higher level over L^-2, change from L to 100 L",
            ),
            mean_at_least(
                surely_late,
                lambda stream, size: twice_late(stream, size, length),
                resolution=surely_late / 2,
                high=1.5,
                detail="weight of double ties that are late at the higher level",
            ),
        ]
    return all_of(*statements)


@claim(
    "P.3",
    kind=Kind.PROBABILITY,
    source="derived from P.2; Theorem 4.2 as the paper states it, for n -> infinity and at T_1",
    given="x -> 0; the first part: E_init",
    formula=(
        r"P\bigl([M]\ \text{divides}\mid E_{\text{init}}\bigr)\ge"
        r" 1-M\,C\,d^{-(1+s)/2}-M2^{-JK},\qquad P\bigl([M]\ \text{divides}\bigr)\ge\cdots-Ke^{-M/K}"
    ),
    over={
        "shape": st.sampled_from([(2, 2), (3, 2), (4, 8)]),
        "crowd": st.sampled_from([2, 4]),
        "s": st.sampled_from([1 / 3, 0.5]),
    },
    always=({"shape": (4, 8), "crowd": 2, "s": 1 / 3},),
    depends_on=("P.2", "I.1", "I.4"),
    examples=2,
    visits=facts_about_law,
)
def all_experts_divide(subject: Subject, shape: tuple[int, int], crowd: int, s: float) -> Statement:
    """In the limit of P.1, at a level as in P.2, all M experts divide among the clusters as Theorem
    4.2 says, given E_init with probability at least 1 - M C d^(-(1+s)/2) - M 2^(-JK), and
    unconditionally at least that less K e^(-M/K).

    Every expert is good on its own cluster unless it nearly ties (P.2) or has no positive a(0); the
    bound adds up over experts. E_init depends on the places of the largest entries only, of which
    the rest is independent. C is that of P.2, with an allowance of 1/20 for what is of relative
    order 1/L at d = 10^5. Looks at the Subject's own initial a(0) in the limit, which its own
    gradient flow must reach from some of them.
    """
    (K, J), problem, part = shape, problem_of(shape[0], "wide"), 0.6
    M, length = crowd * K, path_length(10**5, s)
    level = level_of(problem, part)
    share = tie_constant(K, J) * reach(ratio_at_level(problem, part)) / length
    most = M * (1.05 * share + 2.0 ** (-J * K))

    def replicates(stream: np.random.SeedSequence, size: int) -> tuple[np.ndarray, np.ndarray]:
        return late_replicates(subject, problem, J, M, level, length, stream, size)

    def not_divided(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        late, occupied = replicates(stream, size)
        return late | ~occupied

    followed = with_a_large_entry(subject, K, J, 0.1, np.random.SeedSequence(M), FLOWS).starts
    return all_of(
        follows_limit(subject, followed, length, np.random.SeedSequence(M)),
        mean_at_most(
            most,
            occupied_and_late(replicates),
            resolution=most,
            detail="mixtures with an expert above the level, given E_init",
        ),
        mean_at_most(
            min(1.0, most + K * float(np.exp(-M / K))),
            not_divided,
            resolution=0.1,
            detail="mixtures that do not divide",
        ),
    )


@claim(
    "P.4",
    kind=Kind.LAW,
    source="derived from E.3: with eta = Theta(sigma_0), as eta = O~(sigma_0) allows, it refutes"
    " Lemma 5.2 for M_k by the largest signed a(0)",
    given="starts that are clear in size (P.5), a share 1 - O(1/x) of all",
    picture=winners_against_the_step,
    formula=(
        r"P\Bigl(\text{winner of } m \text{ at } T_1 \text{ outside } k,\ m\in\mathcal M_k\Bigr)"
        r"\to\frac{J(K-1)}{2(JK-1)}\qquad\Bigl(x=\frac{\eta\sqrt d}{\sigma_0}\to\infty\Bigr)"
    ),
    over={"shape": FEW_FILTERS, "x": st.sampled_from([100.0, 300.0, 1000.0])},
    always=({"shape": (4, 8), "x": 1000.0},),
    depends_on=("E.3", "P.5", "I.4"),
    examples=4,
    visits=facts_about_law,
)
def coarse_steps_forget_the_sign(subject: Subject, shape: tuple[int, int], x: float) -> Statement:
    """With eta = Theta(sigma_0), as "eta = O~(sigma_0)" allows, the share of experts whose winner
    lies in another cluster than their M_k (by the largest signed a(0)) tends to J(K-1)/(2(JK-1)) as
    d grows, so Lemma 5.2 is false there.

    Looks at the Subject's own initialisation, gradient and update on the population. Then x = eta
    sqrt(d)/sigma_0 grows like sqrt(d), and the first step, of size eta a^2 / norm(a^2), is larger
    than all of a(0) and does not see signs: by P.5 the winner is the largest in size, for all
    starts that are clear, which depends on the sizes only and fails with probability O(1/x)
    (`most_unclear`). Given the sizes, signs and places are fair: with probability 1/2 the winner
    started negative, and then the largest signed one is any of the J K - 1 others alike, J (K - 1)
    of them in other clusters. So among clear starts the share is exact at every x.
    """
    K, J = shape
    predicted = all_of(
        mean_equals(
            J * (K - 1) / (2 * (J * K - 1)),
            lambda stream, size: where_clear(subject, K, J, x, FEW_STEPS, stream, size),
            resolution=0.05,
            detail="experts whose winner is in another cluster, among clear starts",
        ),
        mean_at_most(
            min(1.0, most_unclear(K, J, x)),
            lambda stream, size: ~winners_elsewhere(subject, K, J, x, 0, stream, size)[0],
            resolution=0.03,
            detail="starts that are not clear",
        ),
    )
    _, elsewhere = winners_elsewhere(
        subject, K, J, x, FEW_STEPS, np.random.SeedSequence(0), SHOWN_EXPERTS
    )
    return finding(
        predicted,
        claimed=(
            "Lemma 5.2: experts of M_k specialise to cluster k, with eta = Theta(sigma_0) and d so"
            " large that eta sqrt(d)/sigma_0 is as stated"
        ),
        exceptions={f"eta sqrt(d)/sigma_0 = {x:g}, K = {K}, J = {J}": elsewhere},
    )


@claim(
    "P.5",
    kind=Kind.EXACT,
    samples=False,
    source="derived from E.3",
    given="max a(0) >= eta, or starts that are clear in size",
    formula=(
        r"\max_{j,k}a^{(0)}_{mjk}\ge\eta\ \Rightarrow\ \mathrm{argmax}_{j,k}\, a^{(t)}_{mjk}="
        r"\mathrm{argmax}_{j,k}\, a^{(0)}_{mjk}"
    ),
    over={
        "shape": EXPERT_SHAPES,
        "x": st.sampled_from([0.1, 1.0, 3.0, 30.0, 300.0]),
        "spread": st.sampled_from([1.0, 1.5, 4.0]),
        "seed": SEEDS,
    },
    always=({"shape": (2, 2), "x": 3.0, "spread": 1.5, "seed": 0},),
    depends_on=("E.3",),
    examples=8,
    visits=facts_about_law,
)
def winners_keep_their_lead(
    subject: Subject, shape: tuple[int, int], x: float, spread: float, seed: int
) -> Statement:
    """If max a(0) >= eta, the largest signed a(0) stays the largest up to T_1, for eta = o(sigma_0
    / sqrt(d)) with probability 1 - o(1); from starts that are clear in size the largest abs(a(0))
    is the largest from the first step on.

    Looks at the Subject's own gradient and update on the population. A step takes a to a + eta a^2
    / N, N = norm(a^2), and a < p passes the largest, p, only if eta (-a - p) > N >= a^2. Then -a <
    eta, but -a > p >= eta; and p never falls. The chance that max a(0) < eta, given a positive one,
    is (Phi(x)^(JK) - 2^-JK)/(1 - 2^-JK), which vanishes with x. The second half: `clear_in_size`.
    Tried on starts with max a(0) between eta and spread * eta and negative ones down to -2 spread
    eta, and on the Subject's initial ones.
    """
    K, J = shape
    drawn = population(subject, K, J, 2 * FLOWS, np.random.SeedSequence(seed))
    rng = np.random.default_rng(seed)
    largest = x * rng.uniform(1, spread, 2 * FLOWS)
    lower = np.minimum(
        rng.uniform(-2 * spread * x, spread * x, drawn.starts.shape), 0.999 * largest[:, None, None]
    )
    lower.reshape(len(lower), -1)[:, 0] = largest
    signed = largest_entry(drawn.starting_at(lower).steps(x, 30))
    a = drawn.steps(x, 30)
    clear = clear_in_size(drawn.starts, x)
    sized = largest_entry(np.abs(drawn.starts))
    return all_of(
        at_most(
            (signed != signed[0]).mean(axis=0),
            0.0,
            detail="share of steps at which another entry than the largest signed a(0) leads",
        ),
        at_most(
            np.append((largest_entry(a[1:]) != sized)[:, clear].mean(axis=0), 0.0),
            0.0,
            detail="share of steps at which another entry than the largest in size leads",
        ),
    )


@claim(
    "P.6",
    kind=Kind.EXACT,
    samples=False,
    source="derived from P.1: E.4, Lemma 5.2 and A.5 along d",
    given="x -> 0; experts with some a(0) > 0",
    formula=(
        r"\frac{a_{mjl}^{(T_1)}}{\sigma_0^{1/2}}\sim\frac{d^{-(1+s)/2}}{1/z_{jl}-1/z_{(1)}},\qquad"
        r"-\frac{D}{d^{(1+s)/2}}\le\frac{\max a_m^{(T_1)}}{\sigma_0^{1/2}}-1\le"
        r"\frac{z_{(1)}}{d^{(1+s)/2}},\qquad\frac{\langle\theta_m,c_k\rangle}{\sigma_0^2}\to"
        r"\frac{E[\beta]E[\alpha^3]}{8K}\bigl(\mathbf 1[m\text{ wins }k]-\text{share}\bigr)"
    ),
    over={
        "shape": EXPERT_SHAPES,
        "law": NAMED_LAWS,
        "s": EXPONENTS,
        "d": st.sampled_from([64, 10**3, 10**5, 10**8, 10**10]),
        "seed": SEEDS,
    },
    always=({"shape": (4, 8), "law": "wide", "s": 1 / 3, "d": 10**10, "seed": 0},),
    depends_on=("P.1", "E.4", "X.2", "A.5"),
    examples=3,
    visits=facts_about_law,
)
def the_limits_have_their_exponents(
    subject: Subject, shape: tuple[int, int], law: str, s: float, d: int, seed: int
) -> Statement:
    """In the limit of P.1, at every d up to 10^10: losers end where E.6 leaves them, at
    d^(-(1+s)/2) of the winner's size; the winner's size over sigma_0^(1/2) is 1 up to d^(-(1+s)/2),
    from either side; experts with a large enough gap err on exactly half of other clusters'
    examples whose noise lies along their feature; and the router's <theta_m, c_k> tends to its
    constant times sigma_0^2.

    Looks at the Subject's own gradient flow, with the router's update beside it (pairs of experts
    at eta_r = M^2 eta; amplitudes 1), and at its own response. In units of sigma_0/sqrt(d), with p
    = max a(0), L = d^((1+s)/2) and A the largest entry at the end: 1/a - 1/A = 1/a(0) - 1/p for
    every entry; A <= p + L, and A >= p + L - D, where D = int_p^inf (norm(a^2)/A^2 - 1) dA does not
    depend on d (`limit_of_small_steps`). The response: with gamma^3 A_k > alpha^3 J a_l^3 for all
    amplitudes, where a_l ends below a_1(0)/(g - 1); the factor J is what filters of one cluster can
    add up to. The router: <theta_m, c_k> follows (1/(2 K)) int (A_mk - mean over experts) dL, and
    int A^3 dL is L^4/4 up to replacing L by L + max(p, D), besides J L times the largest loser
    cubed.
    """
    (K, J), problem, length = shape, problem_of(shape[0], law), path_length(d, s)
    drawn = with_a_large_entry(subject, K, J, 0.5, np.random.SeedSequence(seed), FLOWS)
    start = drawn.starts
    end, centres = drawn.flow(length)
    first, A = start.max(axis=(1, 2)), end.max(axis=(1, 2))
    limit = limit_of_small_steps(start, length).max(axis=(1, 2))
    lost = first + length - limit
    behind = 1 / (1 / start - 1 / first[:, None, None] + 1 / A[:, None, None])
    wins = np.eye(K)[own_cluster(start)]
    expected = (wins - wins.reshape(-1, 2, K).mean(axis=1).repeat(2, axis=0)) / (8 * K)
    losers = np.where(start < first[:, None, None], end, 0.0).max(axis=(1, 2))
    off = ((length + np.maximum(first, lost)) ** 4 - length**4) / (8 * K)
    off = (off + J * length * losers**3 / (2 * K)).max()
    statements: list[Statement] = [
        equal(end / behind, 1.0, tolerance=0.02, detail="losers against where E.6 leaves them"),
        at_most(A, first + length, tolerance=1e-9 * length, detail="winner against a_0 + eta T_1"),
        equal(
            (A - limit) / length, 0.0, tolerance=FLOW_TOLERANCE, detail="winner against its limit"
        ),
        at_most(
            np.abs(centres / length**4 - expected),
            off / length**4,
            tolerance=4 * FLOW_TOLERANCE / (8 * K),
            detail="router against its constant",
        ),
    ]
    errors = errors_on_others(subject, problem, start, end)
    if len(errors):
        statements.append(
            equal(errors, 0.5, tolerance=0.0, detail="error where noise lies along the feature")
        )
    return all_of(*statements)
