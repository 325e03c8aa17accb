"""Theorem 4.1: every patch-additive single classifier errs on at least an eighth of the data when
D_alpha = D_gamma."""

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Hyperparameters, Problem, Subject, Uniform, train
from core.data import EPS, AmplitudeLaw
from core.measures import is_error
from core.seeds import child, generator_from
from theory_checks.checking.claim import Kind, claim
from theory_checks.checking.profiles import Profile
from theory_checks.evidence import (
    Statement,
    all_of,
    at_least,
    cells_follow,
    equal,
    follows_law,
    mean_at_least,
    mean_at_most,
)
from theory_checks.experiments.drawn_examples import (
    LABEL,
    above_median,
    as_number,
    clusters,
    given_opposite_signs,
    labels_of_orbit,
    medians,
    of_bits,
    opposite_signs,
    orbit,
    orbit_in_place,
    other_clusters,
    some_opposite_signs,
    terms_on_orbits,
)
from theory_checks.experiments.patchwise import (
    Pools,
    at,
    interacting,
    of_pools,
    patch_by_patch,
)
from theory_checks.experiments.scenarios import SEEDS, gaussian, problems
from theory_checks.experiments.single_experts import (
    ACTIVATIONS,
    REPORTED_ON,
    Classifier,
    OnSignals,
    along_features,
    always_tried,
    build,
    classifiers,
    enumerated_error,
    enumerated_margins,
    errors_of,
    errors_of_classifiers,
    margins_as_enumerated,
    perturbed,
    stream_of,
    trained_network,
    witness,
    wrong,
)

EQUAL_LAWS = "D_alpha = D_gamma"
ROUTERLESS = ("one expert", "unrouted sum", "router frozen at 0", "random routing")


@claim(
    "S.1",
    kind=Kind.EXACT,
    samples=False,
    source="proof of Theorem 4.1",
    formula=r"y_AF(x_A)+y_BF(x_B)+y_CF(x_C)+y_DF(x_D)=0\quad\text{for every}\ f",
    given="eps = -y",
    depends_on=("D.5",),
    over={"problem": problems(), "classifier": classifiers(), "seed": SEEDS},
    visits=lambda problem, classifier, seed: {
        "K": problem.K,
        "P": problem.P,
        "f": classifier.name,
    },
)
def the_margins_of_an_orbit_sum_to_zero(
    subject: Subject, problem: Problem, classifier: Classifier, seed: int
) -> Statement:
    """The margins yF of the four members A, B, C, D of an orbit sum to 0, for any patch function f.

    Every f-value occurs twice with opposite signs. Equal patches get equal values, because f is
    computed once for all of them. What remains is the rounding of a sum of 4P values.
    """
    generator = torch.Generator().manual_seed(seed)
    signals, examples = some_opposite_signs(subject, problem, generator)
    f = build(classifier, subject, problem, signals)
    terms = terms_on_orbits(problem, signals, examples, f).flatten(1)
    tolerance = 4 * problem.P * EPS * terms.abs().sum(dim=1)
    found = equal(
        terms.sum(dim=1), 0, tolerance=tolerance, detail="sum of four margins", axes=("orbit",)
    )
    return given_opposite_signs(found, subject, problem, signals, seed)


@claim(
    "S.2",
    kind=Kind.LAW,
    source="proof of Theorem 4.1",
    formula=r"A,\ B,\ C,\ D\ \sim\ \mathcal D(\cdot\mid\epsilon=-y)",
    given=f"{EQUAL_LAWS}, eps = -y",
    depends_on=("D.2", "D.4"),
    over={"problem": problems(most_K=4, most_P=4, most_d=8, equal_laws=True)},
    examples=5,
    visits=lambda problem: {"K": problem.K},
)
def orbit_members_follow_the_data_law(subject: Subject, problem: Problem) -> Statement:
    """For D_alpha = D_gamma each of B, C, D has the law D given eps = -y, as A has.

    Read off the members' patches: the cell (k, k', y) is uniform, and the three amplitudes follow
    their laws and are above their medians independently of it and of each other. All members have
    the same random noise, and their order does not matter to a sum.
    """
    K = problem.K
    laws = {"feature": problem.alpha, "centre": problem.beta, "feature noise": problem.gamma}

    def members(
        stream: np.random.SeedSequence, size: int, which: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, dict[str, Tensor]]:
        signals = subject.draw_signals(problem, generator_from(child(stream, 2000)))
        examples = opposite_signs(subject, problem, signals, stream, size)
        again = generator_from(child(stream, 1000))
        fresh = subject.draw_examples(problem, subject.draw_signals(problem, again), size, again)
        found = orbit(problem, signals, examples, fresh.beta)
        patches, y = (part[:, which] for part in found)
        along_v = (patches @ signals.features.mT).abs()
        along_c = patches @ signals.centres.mT
        # B, C, D list their roles first: feature signal, centre, feature noise.
        roles = (along_v[:, 0].max(dim=1), along_c[:, 1].max(dim=1), along_v[:, 2].max(dim=1))
        # Read off x by a product, they carry rounding: without it atoms have their value back.
        exact = (amplitude.round(decimals=9) for amplitude, _ in roles)
        k, centre, other = (place for _, place in roles)
        return k, other, centre, y, dict(zip(laws, exact, strict=True))

    above = of_bits([above_median(law, torch.zeros(1))[1] for law in laws.values()])

    def cells(which: int) -> Statement:
        def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
            k, other, centre, y, amplitudes = members(stream, size, which)
            number = (k * (K - 1) + (other - k) % K - 1) * 2 + (y > 0).long()
            large = (above_median(law, amplitudes[role])[0] for role, law in laws.items())
            number, impossible = 8 * number + as_number(*large), (other == k) | (centre != k)
            return torch.where(impossible, len(table) - 1, number).numpy()

        # The last cell holds what is impossible.
        table = np.append(np.tile(above, 2 * K * (K - 1)) / (2 * K * (K - 1)), 0.0)
        return cells_follow(
            table,
            draw,
            resolution=0.06,
            detail=f"cell and amplitudes of {'ABCD'[which]}",
            axes=[
                *medians([f"{role} amplitude" for role in laws]),
                LABEL,
                other_clusters(K),
                clusters(K),
            ],
            of="examples",
            beyond="feature noise of the own cluster, or another one's centre",
        )

    def amplitude(which: int, role: str, law: AmplitudeLaw) -> Statement:
        return follows_law(
            law.cdf,
            lambda stream, size: members(stream, size, which)[4][role].numpy(),
            resolution=0.03,
            detail=f"{role} amplitude of {'ABCD'[which]}",
            of="examples",
        )

    found = all_of(
        *(cells(which) for which in (1, 2, 3)),
        *(amplitude(which, role, law) for which in (1, 2, 3) for role, law in laws.items()),
    )
    signals = subject.draw_signals(problem, torch.Generator().manual_seed(0))
    return given_opposite_signs(found, subject, problem, signals, 0)


@claim(
    "S.3",
    kind=Kind.PROBABILITY,
    source="Theorem 4.1",
    picture=errors_of_classifiers,
    formula=r"P\left(yF(x)\le 0\right)\ge\tfrac18\quad\text{for every}\ F(x)=\sum_p f(x^{(p)})",
    given=EQUAL_LAWS,
    depends_on=("S.1", "S.2", "R.12"),
    over={
        "problem": problems(most_K=4, most_P=5, most_d=16, equal_laws=True),
        "classifier": classifiers(),
    },
    always=always_tried(),
    examples=8,
    visits=lambda problem, classifier: {
        "K": problem.K,
        "classifier": classifier.name,
    },
)
def every_patch_additive_classifier_errs_on_an_eighth(
    subject: Subject, profile: Profile, problem: Problem, classifier: Classifier
) -> Statement:
    """P(yF(x) <= 0) >= 1/8 for every F(x) = sum_p f(x^(p)), on fresh examples; given eps = -y it is
    at least 1/4.

    The second is the sharper form: every orbit has at least one wrong member, and eps = -y half of
    the time.
    """
    signals = subject.draw_signals(problem, stream_of(classifier.seed, 0))
    f = build(classifier, subject, problem, signals, steps=profile.classifier_steps)
    reported = stream_of(classifier.seed, 3)
    measured = wrong(f, subject.draw_examples(problem, signals, REPORTED_ON, reported)).mean()
    fresh = errors_of(f, subject, problem, signals)
    sharper = mean_at_least(
        1 / 4,
        lambda stream, size: wrong(f, opposite_signs(subject, problem, signals, stream, size)),
        resolution=2 * profile.error_resolution,
        detail="error given eps = -y",
    )
    return all_of(
        mean_at_least(1 / 8, fresh, resolution=profile.error_resolution, detail="error"),
        given_opposite_signs(sharper, subject, problem, signals, classifier.seed),
        detail=f"error {measured:.4f} on {REPORTED_ON} examples",
    )


@claim(
    "S.4",
    kind=Kind.EXACT,
    samples=False,
    source="derived: the constant of Theorem 4.1 is sharp",
    formula=(
        r"f(\alpha v_k)=\operatorname{sign}(\alpha)(2^{K+1}-2^k),\ f(\beta c_k)=2^k-1:\qquad"
        r" P(yF(x)\le 0)=\tfrac18"
    ),
    over={"K": st.integers(2, 16), "seed": SEEDS, "perturbation": st.floats(0, 0.2499)},
    depends_on=("D.1",),
    examples=60,
    visits=lambda K, seed, perturbation: {"K": K, "perturbation": perturbation},
)
def an_eighth_is_attained(subject: Subject, K: int, seed: int, perturbation: float) -> Statement:
    """f(a v_k) = sign(a) s_k, f(b c_k) = b_k with s_k = 2^(K+1) - 2^k, b_k = 2^k - 1 errs on
    exactly 1/8, with all margins >= 1.

    Enumerated over (k, k', y, eps), and checked on drawn examples, where nothing else may matter.
    All f-values are whole numbers, so nothing is rounded. Perturbing the f-values by less than 1/4
    moves a margin, a sum of P = 4 of them, by less than 1.
    """
    problem = Problem(K=K, d=2 * K + 1)
    generator = torch.Generator().manual_seed(seed)
    signals = subject.draw_signals(problem, generator)
    exact = witness(signals)
    moved = perturbed(exact, seed, perturbation)
    margins, moved_margins = (enumerated_margins(each.s, each.b) for each in (exact, moved))
    e = subject.draw_examples(problem, signals, 256, generator)
    return all_of(
        equal((margins <= 0).double().mean(), 1 / 8, tolerance=0, detail="enumerated error"),
        at_least(margins.abs(), 1, detail="size of a margin"),
        equal(
            (moved_margins <= 0).double(),
            (margins <= 0).double(),
            tolerance=0,
            detail="wrong after perturbation",
        ),
        margins_as_enumerated(exact, e),
    )


@claim(
    "S.5",
    kind=Kind.PROBABILITY,
    source="derived: D_alpha = D_gamma is necessary in Theorem 4.1",
    formula=r"\mathcal D_\alpha\gg\mathcal D_\gamma:\qquad P(yF(x)\le 0)\le 0.1<\tfrac18",
    given="D_alpha far above D_gamma",
    over={"seed": st.integers(0, 3)},
    examples=2,
)
def unequal_laws_let_a_single_expert_succeed(
    subject: Subject, profile: Profile, seed: int
) -> Statement:
    """With D_alpha = Unif[1.5, 2] and D_gamma = Unif[0.25, 0.5] a trained cubic single expert errs
    on at most 0.1 < 1/8.

    0.1 stands for "clearly below 1/8". Whatever the signs, alpha^3 exceeds gamma^3 by a factor of
    at least 27.
    """
    problem = Problem(K=4, d=16, alpha=Uniform(1.5, 2.0), gamma=Uniform(0.25, 0.5), C1=0.25)
    signals = subject.draw_signals(problem, torch.Generator().manual_seed(seed))
    f = trained_network(
        subject, problem, signals, "cubic", seed, n=2000, steps=profile.learner_steps
    )
    return mean_at_most(
        0.1,
        errors_of(f, subject, problem, signals),
        resolution=0.02,
        detail="error",
    )


@claim(
    "S.6",
    kind=Kind.EXACT,
    samples=False,
    source="derived",
    formula=(
        r"f(\beta c_k)\ \text{constant}:\qquad y_AF(x_A)+y_CF(x_C)=0,\qquad P(yF(x)\le"
        r" 0)\ge\tfrac14"
    ),
    given=f"{EQUAL_LAWS}, f constant on the centres",
    over={
        "problem": problems(equal_laws=True),
        "activation": st.sampled_from(sorted(ACTIVATIONS)),
        "seed": SEEDS,
    },
    depends_on=("S.1", "S.2"),
    visits=lambda problem, activation, seed: {"K": problem.K, "activation": activation},
)
def centre_blind_classifiers_err_on_a_quarter(
    subject: Subject, problem: Problem, activation: str, seed: int
) -> Statement:
    """If f is one constant on all centre patches, the margins of A and C alone sum to 0, so the
    error is at least 1/4.

    f(a v_k) = k sign(a) attains it. As in S.1, f is computed once for all patches, and only the
    rounding of a sum remains.
    """
    generator = torch.Generator().manual_seed(seed)
    signals, examples = some_opposite_signs(subject, problem, generator)
    f = along_features(signals, ACTIVATIONS[activation], *gaussian(generator, 2, problem.K))
    both = terms_on_orbits(problem, signals, examples, f)[:, (0, 2)].flatten(1)
    tolerance = 2 * problem.P * EPS * both.abs().sum(dim=1)
    s = torch.arange(1, problem.K + 1, dtype=torch.float64)
    attained = OnSignals(signals, s, torch.zeros_like(s))
    error = enumerated_error(attained.s, attained.b)
    return all_of(
        equal(
            both.sum(dim=1),
            0,
            tolerance=tolerance,
            detail="sum of the margins of A and C",
            axes=("orbit",),
        ),
        equal(error, 1 / 4, tolerance=0, detail="enumerated error"),
        margins_as_enumerated(attained, examples),
    )


@claim(
    "S.7",
    kind=Kind.PROBABILITY,
    source="derived: corollaries of Theorem 4.1",
    formula=(
        r"M=1,\ \text{or no routing},\ \text{or}\ \Theta=0,\ \text{or}\ m(x)\ \text{random}:\qquad"
        r" P(yF(x)\le 0)\ge\tfrac18"
    ),
    given=EQUAL_LAWS,
    over={
        "control": st.sampled_from(ROUTERLESS),
        "seed": st.integers(0, 2**16),
    },
    always=tuple({"control": control, "seed": 0} for control in ROUTERLESS),
    depends_on=("S.3",),
    examples=1,
    visits=lambda control, seed: {"control": control},
)
def without_a_router_experts_are_no_better(
    subject: Subject, profile: Profile, control: str, seed: int
) -> Statement:
    """One expert, unrouted sums of experts, a router frozen at Theta = 0 and routing independent of
    x all err on at least 1/8.

    They are trained to T = 8/eta like the ladder's whole runs, by which time an expert that could
    combine patches would be below 1/8.
    """
    problem = Problem(K=3, d=16)
    M = 1 if control == "one expert" else 6
    eta = profile.frozen_eta
    hyper = Hyperparameters(M=M, J=6, n=1000, sigma_0=0.3, eta=eta, eta_r=0.0, T=round(8 / eta))
    run = np.random.SeedSequence(seed)
    trajectory = train(subject, problem, hyper, [run], dtype=torch.float64)
    W, theta = trajectory.W[0, -1], trajectory.theta[0, -1]
    # The signals that training drew from this seed.
    signals = subject.draw_signals(problem, generator_from(child(run, 0)))

    def wrong_examples(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        e = subject.draw_examples(problem, signals, size, generator)
        f = torch.stack([subject.respond(e.x @ w.mT) for w in W])  # (M, n)
        h = subject.logits(theta, e.patches)
        match control:
            case "unrouted sum":
                return is_error(e.y * f.sum(dim=0)).numpy()
            case "random routing":
                routed = torch.randint(0, M, (size,), generator=generator)
            case _:
                routed = subject.select(h, torch.zeros_like(h))
        return is_error(e.y * f.gather(0, routed[None])[0]).numpy()

    return mean_at_least(1 / 8, wrong_examples, resolution=0.02, detail=f"error of {control}")


@claim(
    "S.8",
    kind=Kind.PROBABILITY,
    source="derived: what the proof of Theorem 4.1 uses",
    formula=(
        r"v_k,\ c_k,\ \xi\ \text{any}:\qquad\sum_{X\in\{A,B,C,D\}}y_XF(x_X)=0,\qquad"
        r" P(yF(x)\le 0)\ge\tfrac18"
    ),
    given=(
        f"{EQUAL_LAWS}, features and feature noise of a class from one pool, P(k, k') = P(k', k),"
        " signs and random noise independent of all else"
    ),
    depends_on=("S.1", "S.3"),
    over={
        "problem": problems(most_K=4, most_P=5, most_d=16, equal_laws=True),
        "classifier": classifiers(),
        "seed": SEEDS,
    },
    always=tuple(
        {
            "problem": Problem(K=3, d=12),
            "classifier": Classifier("trained", activation, 1),
            "seed": 0,
        }
        for activation in ("cubic", "gelu")
    ),
    examples=4,
    visits=lambda problem, classifier, seed: {"K": problem.K, "classifier": classifier.name},
)
def the_floor_needs_no_orthonormal_signals(
    subject: Subject, profile: Profile, problem: Problem, classifier: Classifier, seed: int
) -> Statement:
    """S.1 and S.3 hold for signals that are any vectors, as pictures would be, and for any random
    noise.

    The orbit exchanges vectors and never asks what they are. Its members have one law as long as a
    vector is as likely a feature as it is feature noise. Here the vector of a class is a curve of
    the amplitude, the classes have a direction in common, noise has heavy tails, and pairs (k, k')
    are not uniform.
    """
    generator = torch.Generator().manual_seed(seed)
    signals = subject.draw_signals(problem, generator)
    pools = Pools.of(problem, generator)
    variant = of_pools(subject, pools)
    f = build(classifier, variant, problem, signals, steps=profile.classifier_steps)
    e = opposite_signs(variant, problem, signals, np.random.SeedSequence(seed), 64)
    x = orbit_in_place(e.x, e.positions, at(pools.centres, e.k_prime, e.beta.flip(0)))
    values, same = x.flatten(0, 2).unique(dim=0, return_inverse=True)
    terms = labels_of_orbit(e.y)[..., None] * f(values)[same].view(x.shape[:-1])
    tolerance = 4 * problem.P * EPS * terms.abs().flatten(1).sum(dim=1)
    return all_of(
        equal(
            terms.flatten(1).sum(dim=1),
            0,
            tolerance=tolerance,
            detail="sum of four margins",
            axes=("orbit",),
        ),
        mean_at_least(
            1 / 8,
            errors_of(f, variant, problem, signals),
            resolution=profile.error_resolution,
            detail="error",
        ),
    )


@claim(
    "S.9",
    kind=Kind.EXACT,
    samples=False,
    source="derived from S.1",
    formula=r"F(x)=\sum_p f_p(x^{(p)}):\qquad y_AF(x_A)+y_BF(x_B)+y_CF(x_C)+y_DF(x_D)=0",
    given="eps = -y, every vector keeps its position in the orbit, scores before any squash",
    depends_on=("S.1",),
    over={
        "problem": problems(most_K=6, most_d=24),
        "M": st.integers(2, 8),
        "J": st.integers(1, 6),
        "seed": SEEDS,
    },
    examples=40,
    visits=lambda problem, M, J, seed: {"K": problem.K, "P": problem.P, "M": M},
)
def layers_without_interaction_obey_the_orbit(
    subject: Subject, problem: Problem, M: int, J: int, seed: int
) -> Statement:
    """A deterministic layer that acts on each patch by itself and is summed over patches obeys S.1,
    mixtures of experts that route each patch included; where patches or examples meet, S.1 breaks.

    Position p may have a function f_p of its own: at each position the orbit has the same two
    vectors twice. Members are batches of one shape, in which equal patches have the same place, so
    their values round identically, and what remains is the rounding of a sum of 4P values.

    So a layer whose margins do not sum to 0 lets patches or examples interact, as that of section 3
    does, which routes whole examples, one that centres patches, and one whose experts take no more
    than half of their share of a batch. There the sum of an orbit is a random number of the size of
    its margins, and not all of some thirty are below 1e-6 of that by chance.
    """
    generator = torch.Generator().manual_seed(seed)
    signals, e = some_opposite_signs(subject, problem, generator)
    x = orbit_in_place(e.x, e.positions, e.beta.flip(0)[:, None] * signals.centres[e.k_prime])
    labels = labels_of_orbit(e.y)
    theta = gaussian(generator, problem.P, M, problem.d)
    W = gaussian(generator, problem.P, M, J, problem.d)
    values = [patch_by_patch(subject, theta, W, member) for member in x.unbind(dim=1)]
    terms = labels[..., None] * torch.stack(values, dim=1)
    alone = equal(
        terms.flatten(1).sum(dim=1),
        0,
        tolerance=4 * problem.P * EPS * terms.abs().flatten(1).sum(dim=1),
        detail="sum of four margins, patch by patch",
        axes=("orbit",),
    )
    met = []
    batch = x.transpose(0, 1).flatten(0, 1)  # all A, then all B, and so on
    for how, layer in interacting(subject, theta[0], W[0]).items():
        margins = labels * layer(batch).view(4, -1).mT
        least = 1e-6 * margins.abs().amax()
        met.append(at_least(margins.sum(dim=1).abs().amax(), least, detail=f"sum where {how}"))
    found = all_of(alone, *met)
    return given_opposite_signs(found, subject, problem, signals, seed)
