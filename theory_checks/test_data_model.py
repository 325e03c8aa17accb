"""Definition 3.1: the data that a Subject draws follow the distribution D."""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.special import chdtri, ndtr
from torch import Tensor

from core import Examples, Problem, Signals, Subject
from core.data import EPS, AmplitudeLaw
from core.seeds import generator_from
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import Statement, all_of, cells_follow, follows_law, mean_equals
from theory_checks.experiments.drawn_examples import (
    AMPLITUDES,
    LABEL,
    NO_OTHER_CLUSTER,
    OWN_SIGNALS,
    SIGN,
    SIZE_OF_NOISE,
    Part,
    above_median,
    as_number,
    cell,
    clusters,
    drawn,
    drawn_again,
    facts_about_order,
    facts_about_problem,
    in_a_half,
    in_single,
    medians,
    noise_patches,
    of_bits,
    one_patch_of_each,
    other_cluster,
    other_clusters,
    signs,
)
from theory_checks.experiments.finite import (
    are_numbers,
    chi_square,
    far_off,
    latent_numbers,
    same_numbers,
)
from theory_checks.experiments.observed import no_random_number_is_used_twice
from theory_checks.experiments.scenarios import SEEDS, problems
from theory_checks.experiments.small_draws import (
    PROBLEM,
    distant_examples_are_independent,
    no_two_are_equal,
    replicates_are_independent,
    small_draws_are_independent,
)


@claim(
    "D.1",
    kind=Kind.EXACT,
    samples=False,
    source="Definition 3.1",
    formula=(
        r"\langle v_k,v_l\rangle=\langle c_k,c_l\rangle=\mathbf 1[k=l],\qquad\langle"
        r" v_k,c_l\rangle=0"
    ),
    over={"problem": problems(most_d=300), "seed": SEEDS},
    visits=facts_about_problem,
)
def signals_are_orthonormal(subject: Subject, problem: Problem, seed: int) -> Statement:
    """The 2K signals are orthonormal.

    Householder QR of a d x 2K matrix is orthonormal up to 2K gamma_6d in Frobenius norm (Higham,
    Theorem 19.4, with its small constant taken as 6); computing the products adds gamma_d.
    """
    signals = subject.draw_signals(problem, torch.Generator().manual_seed(seed))
    v = torch.cat([signals.features, signals.centres])
    names = [f"{letter}_{k}" for letter in "vc" for k in range(problem.K)]
    return same_numbers(
        v @ v.mT,
        torch.eye(2 * problem.K),
        tolerance=(2 * problem.K * 6 + 1) * problem.d * EPS,
        detail="inner product of two signals",
        axes=(("signal", names), ("other signal", names)),
    )


@claim(
    "D.2",
    kind=Kind.LAW,
    source="Definition 3.1",
    formula=r"(k,k',y,\epsilon)\ \text{uniform on}\ 4K(K-1)\ \text{cells},\qquad"
    r"\alpha\sim\mathcal D_\alpha,\ \beta\sim\mathcal D_\beta,\ \gamma\sim\mathcal"
    r" D_\gamma,\qquad\text{independent}",
    over={"problem": st.one_of(problems(most_K=4, most_d=8), problems(most_d=32)), "halves": SEEDS},
    always=({"problem": Problem(), "halves": 1}, {"problem": Problem(K=6, d=12, P=5), "halves": 2}),
    examples=5,
    visits=facts_about_problem,
)
def labels_clusters_signs_and_amplitudes(
    subject: Subject, problem: Problem, halves: int
) -> Statement:
    """(k, k', y, eps) is uniform on its 4K(K-1) cells and independent of the amplitudes, which
    follow their laws.

    Two joint tables look at independence: that of the cells and of whether each amplitude is above
    its median (for K > 4 three tables: without k, without k', and of k and k'), and
    that of the signs and of whether each amplitude lies in a random half of its law. The clusters
    alone are tested more finely.
    """
    K, names = problem.K, AMPLITUDES

    def table(
        number: Callable[[Examples], Tensor],
        axes: Sequence[tuple[str, Sequence[object]]],
        detail: str,
    ) -> Statement:
        """The cells of the examples (-1 where no law allows any), with whether each amplitude is
        above its median."""
        cells = math.prod(len(places) for _, places in axes)

        def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
            _, e = drawn(subject, problem, stream, size)
            above = as_number(
                *(above_median(getattr(problem, name), getattr(e, name))[0] for name in names)
            )
            found = torch.where(latent_numbers(e).isfinite().all(dim=0), number(e), -1)
            return torch.where(found < 0, 8 * cells, 8 * found + above).numpy()

        # The last cell holds what is impossible.
        law = np.append(np.tile(of_bits(above), cells) / cells, 0.0)
        return cells_follow(
            law,
            draw,
            resolution=0.06,
            detail=detail,
            axes=[*medians(), *axes],
            of="examples",
            beyond=NO_OTHER_CLUSTER,
        )

    def without_k(e: Examples) -> Tensor:
        other = other_cluster(e, K)
        return torch.where(other < 0, -1, other * 4 + signs(e))

    def both_clusters(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, e = drawn(subject, problem, stream, size)
        other = other_cluster(e, K)
        return torch.where(other < 0, K * (K - 1), e.k * (K - 1) + other).numpy()

    def signs_and_halves(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, e = drawn(subject, problem, stream, size)
        inside = (
            in_a_half(getattr(problem, name), getattr(e, name), halves + i)[0]
            for i, name in enumerate(names)
        )
        return as_number(*inside, e.y > 0, e.eps > 0).numpy()

    def own_clusters(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        return drawn(subject, problem, stream, size)[1].k.numpy()

    def distances(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, e = drawn(subject, problem, stream, size)
        return ((e.k_prime - e.k) % K).numpy()

    above = [above_median(getattr(problem, name), torch.zeros(1))[1] for name in names]
    if K <= 4:
        everything = (LABEL, SIGN, other_clusters(K), clusters(K))
        tables = [table(lambda e: cell(e, K), everything, "joint table")]
    else:
        pairs = np.append(np.full(K * (K - 1), 1 / (K * (K - 1))), 0.0)
        tables = [
            table(without_k, (LABEL, SIGN, other_clusters(K)), "joint table without k"),
            table(
                lambda e: e.k * 4 + signs(e), (LABEL, SIGN, clusters(K)), "joint table without k'"
            ),
            cells_follow(
                pairs,
                both_clusters,
                resolution=0.06,
                detail="k and k'",
                axes=(other_clusters(K), clusters(K)),
                of="examples",
                beyond=NO_OTHER_CLUSTER,
            ),
        ]
    inside = [
        in_a_half(getattr(problem, name), torch.zeros(1), halves + i)[1]
        for i, name in enumerate(names)
    ]

    def amplitude(name: str) -> Statement:
        law: AmplitudeLaw = getattr(problem, name)
        return follows_law(
            law.cdf,
            lambda stream, size: far_off(getattr(drawn(subject, problem, stream, size)[1], name)),
            resolution=0.02,
            detail=f"amplitude {name}",
            of="examples",
        )

    def sign(name: str) -> Statement:
        def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
            _, e = drawn(subject, problem, stream, size)
            sign = {"y": e.y, "eps": e.eps, "y eps": e.y * e.eps}[name]
            return sign.nan_to_num(0.0).clamp(-1, 1).numpy()

        return mean_equals(0.0, draw, resolution=0.02, low=-1, high=1, detail=f"E[{name}]")

    _, some = drawn(subject, problem, np.random.SeedSequence(halves), 1000)
    return all_of(
        are_numbers(latent_numbers(some), "signs and amplitudes"),
        *tables,
        cells_follow(
            of_bits([*inside, 0.5, 0.5]),
            signs_and_halves,
            resolution=0.03,
            detail="signs and halves of the amplitudes",
            axes=[
                *((name, ("outside a half of its law", "in that half")) for name in names),
                LABEL,
                SIGN,
            ],
            of="examples",
        ),
        cells_follow(
            np.full(K, 1 / K),
            own_clusters,
            resolution=0.02,
            detail="k",
            axes=(clusters(K),),
            of="examples",
        ),
        cells_follow(
            np.append(0.0, np.full(K - 1, 1 / (K - 1))),
            distances,
            resolution=0.02,
            detail="k' - k modulo K",
            axes=(("k' - k =", range(K)),),
            of="examples",
        ),
        *map(sign, ("y", "eps", "y eps")),
        *map(amplitude, names),
    )


@claim(
    "D.3",
    kind=Kind.LAW,
    source="Definition 3.1",
    formula=(
        r"\xi\sim\mathcal N\bigl(0,\tfrac{\sigma_p^2}{d}I_d\bigr)\ \text{independent over patches"
        r" and of the rest}"
    ),
    over={"problem": problems(most_K=4, most_d=80), "direction": SEEDS},
    always=(
        {"problem": Problem(K=2, d=5, P=6), "direction": 0},
        {"problem": Problem(K=2, d=24), "direction": 0},
    ),
    depends_on=("D.2", "D.5"),
    examples=5,
    visits=facts_about_problem,
)
def random_noise_is_gaussian(subject: Subject, problem: Problem, direction: int) -> Statement:
    """Random noise: d norm(xi)^2 / sigma_p^2 is chi^2_d; projections are N(0, sigma_p^2/d),
    uncorrelated, independent of the rest.

    After scaling, all noise patches of an example together are one standard Gaussian vector: its
    squared norm is chi^2, and its projection on a random unit vector across patches is N(0, 1),
    which correlations between patches or directions would change (Cramer-Wold). The same holds for
    the sum of the first and last patch. Independence of the rest is looked at in joint tables: the
    sign of the projection, and whether the size is above its median, are independent of each other,
    of the label, the noise sign and both clusters, and of whether each amplitude is above its
    median. The signs of the projections on v_k, v_k', c_k are independent of each other, of the
    size, of the label and the noise sign, and of whether each amplitude is above its median. D.4
    looks at the order of the patches.
    """
    K, d, names = problem.K, problem.d, AMPLITUDES
    own = [(f"one noise patch, along {v}:", ("against it", "with it")) for v in OWN_SIGNALS]
    along_unit = ("projection of the noise", ("at most 0", "above 0"))
    size_of_noise = (problem.P - 3) * d
    unit = torch.randn(
        size_of_noise, generator=torch.Generator().manual_seed(direction), dtype=torch.float64
    )
    unit = unit / unit.norm()
    along = unit[:d] / unit[:d].norm()

    def standardised(stream: np.random.SeedSequence, size: int) -> tuple[Signals, Examples, Tensor]:
        signals, examples = drawn(subject, problem, stream, size)
        noise = noise_patches(problem, examples).double().flatten(1)
        return signals, examples, noise * (math.sqrt(d) / problem.sigma_p)

    def squared_norms(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        return far_off(standardised(stream, size)[2].square().sum(dim=1))

    def first_norms(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        return far_off(standardised(stream, size)[2][:, :d].square().sum(dim=1))

    def projections(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        return far_off(standardised(stream, size)[2] @ unit)

    def along_a_signal(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        signals, _, noise = standardised(stream, size)
        return far_off(noise[:, -d:] @ signals.features[0])

    def across_patches(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, _, noise = standardised(stream, size)
        first, last = noise[:, :d] @ along, noise[:, -d:] @ along
        return far_off(first if problem.P == 4 else (first + last) / math.sqrt(2))

    def towards(signals: Signals, e: Examples, noise: Tensor) -> tuple[Tensor, ...]:
        """Whether the first noise patch points along v_k, v_k' and c_k rather than against them."""
        own = (signals.features[e.k], signals.features[e.k_prime], signals.centres[e.k])
        return tuple((along * noise[:, :d]).sum(dim=1) > 0 for along in own)

    def towards_own_signals(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        signals, e, noise = standardised(stream, size)
        return as_number(*towards(signals, e, noise), large(noise), e.y > 0, e.eps > 0).numpy()

    def towards_and_amplitudes(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        signals, e, noise = standardised(stream, size)
        return as_number(*towards(signals, e, noise), large(noise), *large_amplitudes(e)).numpy()

    def projection_and_amplitudes(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, e, noise = standardised(stream, size)
        return as_number(noise @ unit > 0, large(noise), *large_amplitudes(e)).numpy()

    def joint(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, e, noise = standardised(stream, size)
        possible = (cell(e, K) >= 0) & noise.isfinite().all(dim=1)
        return torch.where(
            ~possible, cells, cell(e, K) * 4 + as_number(noise @ unit > 0, large(noise))
        ).numpy()

    def large_amplitudes(e: Examples) -> list[Tensor]:
        return [above_median(getattr(problem, name), getattr(e, name))[0] for name in names]

    def large(noise: Tensor) -> Tensor:
        """Whether the size of all noise of an example is above its median."""
        return noise.square().sum(dim=1) > median

    median = float(chdtri(size_of_noise, 0.5))
    cells = 4 * 4 * K * (K - 1)
    table = np.append(np.full(cells, 1 / cells), 0.0)
    above = [above_median(getattr(problem, name), torch.zeros(1))[1] for name in names]
    return all_of(
        are_numbers(
            standardised(np.random.SeedSequence(direction), 1000)[2], "entries of the random noise"
        ),
        follows_law(
            chi_square(size_of_noise),
            squared_norms,
            resolution=0.03,
            detail="squared norm of all noise",
            of="examples",
        ),
        follows_law(
            chi_square(d),
            first_norms,
            resolution=0.03,
            detail="squared norm of one patch",
            of="examples",
        ),
        follows_law(
            ndtr, projections, resolution=0.03, detail="projection across patches", of="examples"
        ),
        follows_law(
            ndtr, along_a_signal, resolution=0.03, detail="projection on a signal", of="examples"
        ),
        follows_law(
            ndtr,
            across_patches,
            resolution=0.03,
            detail="first and last patch together",
            of="examples",
        ),
        cells_follow(
            np.full(64, 1 / 64),
            towards_own_signals,
            resolution=0.05,
            detail="signs towards the example's own signals",
            axes=[*own, SIZE_OF_NOISE, LABEL, SIGN],
            of="examples",
        ),
        cells_follow(
            table,
            joint,
            resolution=0.06,
            detail="sign of the projection and size with labels and clusters",
            axes=[along_unit, SIZE_OF_NOISE, LABEL, SIGN, other_clusters(K), clusters(K)],
            of="examples",
            beyond=NO_OTHER_CLUSTER,
        ),
        cells_follow(
            of_bits([*[0.5] * 4, *above]),
            towards_and_amplitudes,
            resolution=0.05,
            detail="signs towards own signals, size and amplitudes",
            axes=[*own, SIZE_OF_NOISE, *medians()],
            of="examples",
        ),
        cells_follow(
            of_bits([0.5, 0.5, *above]),
            projection_and_amplitudes,
            resolution=0.05,
            detail="sign of the projection, size and amplitudes",
            axes=[along_unit, SIZE_OF_NOISE, *medians()],
            of="examples",
        ),
    )


@claim(
    "D.4",
    kind=Kind.LAW,
    source="Definition 3.1",
    formula=(
        r"(p_{\text{feature}},p_{\text{centre}},p_{\text{noise}})\ \text{uniform"
        r" on}\ P(P-1)(P-2)\ \text{triples}"
    ),
    over={
        "problem": st.one_of(
            problems(most_K=3, most_P=6, most_d=6), problems(most_K=2, most_P=9, most_d=6)
        )
    },
    always=({"problem": Problem(K=3, d=6)}, {"problem": Problem(K=2, d=4, P=8)}),
    depends_on=("D.2", "D.3"),
    examples=5,
    visits=facts_about_problem,
)
def patches_come_in_random_order(subject: Subject, problem: Problem) -> Statement:
    """The positions of (signal, centre, feature noise) are uniform on the P(P-1)(P-2) triples and
    independent of everything else.

    Independence is looked at in the joint tables of the triple with (k, k', y, eps), with whether
    each amplitude is above its median, and with the sign of the first entry of the random noise and
    whether its size is above the median. The marginal laws alone would miss a random cyclic shift.
    """
    P, K = problem.P, problem.K

    def triples(examples: Examples) -> Tensor:
        a, b, c = examples.positions.unbind(dim=1)
        # The number of each place among those that the earlier ones left.
        b, c = (
            b - (b > a).long(),
            c - (c > a).long() - (c > b).long(),
        )
        return (a * (P - 1) + b) * (P - 2) + c

    def with_amplitudes(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, e = drawn(subject, problem, stream, size)
        above = (above_median(getattr(problem, name), getattr(e, name))[0] for name in AMPLITUDES)
        return (triples(e) * 8 + as_number(*above)).numpy()

    def with_noise(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, e = drawn(subject, problem, stream, size)
        noise = e.patches.noise.flatten(1)
        large = noise.square().sum(dim=1) * (problem.d / problem.sigma_p**2) > median
        return (triples(e) * 4 + as_number(noise[:, 0] > 0, large)).numpy()

    def joint(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        _, examples = drawn(subject, problem, stream, size)
        return (triples(examples) * 4 * K * (K - 1) + cell(examples, K).clamp(min=0)).numpy()

    places = P * (P - 1) * (P - 2)
    groups = places * 4 * K * (K - 1)
    bits = of_bits(
        [
            above_median(law, torch.zeros(1))[1]
            for law in (problem.alpha, problem.beta, problem.gamma)
        ]
    )
    median = float(chdtri((P - 3) * problem.d, 0.5))
    orders = ("", [facts_about_order(*places) for places in itertools.permutations(range(P), 3)])
    return all_of(
        cells_follow(
            np.full(groups, 1 / groups),
            joint,
            resolution=0.08,
            detail="order of the patches, with labels and clusters",
            axes=[LABEL, SIGN, other_clusters(K), clusters(K), orders],
            of="examples",
        ),
        cells_follow(
            np.tile(bits, places) / places,
            with_amplitudes,
            resolution=0.08,
            detail="order of the patches, with amplitudes",
            axes=[*medians(), orders],
            of="examples",
        ),
        cells_follow(
            np.full(4 * places, 1 / (4 * places)),
            with_noise,
            resolution=0.08,
            detail="order of the patches, with random noise",
            axes=[
                ("an entry of the random noise", ("at most 0", "above 0")),
                SIZE_OF_NOISE,
                orders,
            ],
            of="examples",
        ),
    )


@claim(
    "D.5",
    kind=Kind.EXACT,
    samples=False,
    source="Definition 3.1",
    formula=(
        r"\{x^{(1)},\dots,x^{(P)}\}=\{y\alpha v_k,\ \beta c_k,\ \epsilon\gamma"
        r" v_{k'},\ \xi_1,\dots,\xi_{P-3}\},\qquad"
        r"\alpha,\beta,\gamma\in[C_1,C_2]"
    ),
    over={"problem": problems(), "seed": SEEDS},
    visits=facts_about_problem,
)
def one_patch_of_each_role(subject: Subject, problem: Problem, seed: int) -> Statement:
    """Every example holds exactly one patch y alpha v_k, one beta c_k, one eps gamma v_k', k' != k,
    with amplitudes in [C1, C2].

    Each patch is a product of two rounded factors; scaling the quantile rounds the amplitudes once
    more. Tested in double precision and, on other draws, in the single precision of training.
    """
    generator = torch.Generator().manual_seed(seed)
    exact = subject.draw_signals(problem, generator)
    return all_of(
        *(
            one_patch_of_each(subject, problem, signals, generator)
            for signals in (exact, in_single(exact))
        )
    )


@claim(
    "D.6",
    kind=Kind.LAW,
    source="Definition 3.1: independent draws",
    formula=(
        r"(y,\epsilon,k,\alpha,\beta,\gamma,\xi,\text{order})_i\ \text{independent"
        r" over}\ i\ \text{and over draws}"
    ),
    over={
        "distance": st.sampled_from([1, 2, 64, 500, 512, 2000]) | st.integers(1, 2000),
        "calls": st.booleans(),
        "direction": SEEDS,
    },
    depends_on=("D.2", "D.3", "D.4"),
    examples=6,
    always=(
        {"distance": 2000, "calls": False, "direction": 0},
        {"distance": 1, "calls": False, "direction": 1},
        {"distance": 1, "calls": True, "direction": 2},
    ),
)
def examples_are_independent(
    subject: Subject, distance: int, calls: bool, direction: int
) -> Statement:
    """Examples are independent of each other, within a draw and between draws from one generator,
    and no two of a draw are equal. Signals and examples are functions of their generator.

    Joint tables look at two examples of a draw of 4000 at a distance, or at the same place of two
    draws: at labels and clusters, at which amplitudes are above their medians, or at the noise
    (sign along a direction, size above its median) and whether the feature is in the first half of
    the patches, each with each of the three of the other example. D.7 looks at small draws, where a
    dependence of size 1/n is plain.
    """
    problem, n = PROBLEM, 4000
    along = torch.randn(problem.d, generator=torch.Generator().manual_seed(direction))
    median = float(chdtri(problem.d, 0.5)) * problem.sigma_p**2 / problem.d

    def labels_and_clusters(e: Examples) -> Tensor:
        """k, which of the two other clusters k' is, y and eps, as a number below 24."""
        return e.k * 8 + as_number((e.k_prime - e.k) % 3 == 1, e.y > 0, e.eps > 0)

    def amplitudes(e: Examples) -> Tensor:
        """Whether alpha, beta, gamma are above their medians, as a number below 8."""
        return as_number(
            *(above_median(getattr(problem, name), getattr(e, name))[0] for name in AMPLITUDES)
        )

    def noise_and_order(e: Examples) -> Tensor:
        """Sign and size of the noise, and whether the feature is in the first half of the patches,
        as a number below 8."""
        noise = e.patches.noise[:, 0]
        return as_number(
            noise @ along > 0,
            noise.square().sum(dim=1) > median,
            e.positions[:, 0] < problem.P // 2,
        )

    def pairs(of: Part, of_other: Part, stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        signals = in_single(subject.draw_signals(problem, generator))
        found: list[Tensor] = []
        while sum(map(len, found)) < size:
            a = subject.draw_examples(problem, signals, n, generator)
            b = subject.draw_examples(problem, signals, n, generator) if calls else a
            first, second = of.number(a), of_other.number(b)
            # each example in one pair only
            chosen = (
                (torch.arange(n - distance) // distance) % 2 == 0
                if not calls
                else torch.ones(n, dtype=torch.bool)
            )
            other = second[distance:] if not calls else second
            found.append((first[: len(chosen)] * of_other.values + other)[chosen])
        return torch.cat(found)[:size].numpy()

    def two(of: Part, of_other: Part) -> Statement:
        cells = of.values * of_other.values
        uniform = np.full(cells, 1 / cells)
        detail = f"{of.name} of an example with {of_other.name} of another"
        return cells_follow(
            uniform,
            partial(pairs, of, of_other),
            resolution=0.06,
            detail=detail,
            axes=[*of_other.of("another example"), *of.of("an example")],
            of="pairs of examples",
        )

    parts = (
        Part(
            "labels and clusters",
            labels_and_clusters,
            24,
            (
                ("cluster of the feature noise", ("k + 2 (mod 3)", "k + 1 (mod 3)")),
                LABEL,
                SIGN,
                clusters(3),
            ),
        ),
        Part("amplitudes", amplitudes, 8, medians()),
        Part(
            "noise and order",
            noise_and_order,
            8,
            (
                ("random noise along a direction", ("at most 0", "above 0")),
                SIZE_OF_NOISE,
                ("feature signal in the", ("second half", "first half")),
            ),
        ),
    )
    generator = torch.Generator().manual_seed(direction)
    signals = in_single(subject.draw_signals(problem, generator))
    return all_of(
        no_two_are_equal(subject.draw_examples(problem, signals, n, generator)),
        *(two(of, of_other) for of in parts for of_other in parts),
        drawn_again(subject, problem, direction),
    )


@claim(
    "D.7",
    kind=Kind.LAW,
    source="Definition 3.1: independent draws",
    formula=(
        r"(y,\epsilon,k,\alpha,\beta,\gamma,\xi,\text{order})_i\ \text{independent"
        r" over}\ i\le n,\quad n=2,3,\dots"
    ),
    over={"n": st.integers(1, 40)},
    depends_on=("D.6",),
    examples=3,
    always=({"n": 2}, {"n": 3}, {"n": 24}, {"n": 1000}, {"n": 4000}),
)
def examples_are_independent_in_few_and_in_many(subject: Subject, n: int) -> Statement:
    """The examples of draws of 2 to 40, of 1000 and of 4000 are independent, any two and several
    together, and nothing is kept fixed over a draw.

    Balanced labels, clusters without replacement or one amplitude in each stratum make examples
    depend on each other by 1/n. This looks at products of any two signs of two examples, summed
    over all pairs of a draw, where this adds up; at sums of one sign over a draw that are too even;
    at the signs of the first and the last example; at the product of one sign over three examples,
    and over all; and at whether the angle between the noise of two is above its median. For what
    pairs do not show, such as a label that is the product of three others, it looks at products of
    any signs of up to 8 examples in a row, and for signs that those of others determine. For what
    returns, at amplitudes that an earlier example had, at the first examples of draws and, in draws
    of 4000, at two signs of two examples at every distance. The signs are those of label and
    feature noise, which of two clusters it is, whether an amplitude or the size of the noise is
    above its median, signs of entries of the noise, and where the roles stand.
    """
    few = small_draws_are_independent(subject, n)
    return few if n <= 1000 else all_of(few, distant_examples_are_independent(subject, n))


@claim(
    "D.8",
    kind=Kind.LAW,
    source="derived: what every statement over replicates rests on",
    formula=(
        r"(v,c),\ (x_i,y_i)_i,\ W^{(0)},\ (r^{(t)})_t\ \text{independent of each other and over"
        r" replicates}"
    ),
    over={"replicates": st.just(800)},
    depends_on=("D.7", "I.4", "R.9"),
    examples=1,
)
def replicates_of_different_seeds_are_independent(subject: Subject, replicates: int) -> Statement:
    """Data, initialisation and router noise of two replicates are independent, and so are those of
    one replicate; training uses no random number twice.

    Looks at products of any two signs: of labels, clusters, amplitudes, noise and order of
    examples, of filters, and of which of two experts has the larger router noise; of replicates
    that are 0 to 3 or 400 apart. And at values of two replicates that are equal. Signals may be the
    same for all replicates, but not for some: no law of what is measured depends on the frame.
    """
    return all_of(
        no_random_number_is_used_twice(subject, 50),
        replicates_are_independent(subject, replicates),
    )
