"""Dependence between draws that are small, far apart, or of different replicates: products of
signs, which are fair coins if the draws are independent."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from scipy import fft
from scipy.special import betaincinv, chdtri, gammainccinv
from torch import Tensor
from torch.nn.functional import cosine_similarity

from core import Examples, Hyperparameters, Problem, Subject
from core.data import PER_EXAMPLE
from core.seeds import child, generator_from
from core.training import draw_replicate
from theory_checks.evidence import Statement, about_draws, all_of, at_most, frequency_at_most
from theory_checks.experiments.drawn_examples import above_median, in_single
from theory_checks.experiments.parities import (
    a_bit_is_determined,
    evenness,
    rows_needed,
    subsets,
    sums_of_products,
    windows,
)

BY_CHANCE = 1e-6  # chance that a sample of independent draws is suspicious
SAMPLES = 2  # each judged alone: both are suspicious by chance in 1e-12
DRAWS = 600  # small draws of a sample: enough for `determined_signs` of 40 examples
# Examples of a sample of larger draws. In D draws of n, balanced signs make the products of pairs
# add up to D n / 2, and chance explains n (D L)^(1/2) with L = log(2 * 5e4 / BY_CHANCE) = 25. So D
# must exceed 101; it is 200 at n = 1000. In larger draws sums that are too even show it.
MOST_EXAMPLES = 200_000
LEAST_DRAWS = 56  # more than 2 L, so that a product that is 1 in every draw shows
FEWER_EXAMPLES = 12_000  # of a sample, where products of two signs are looked at
WINDOW = 8  # examples in a row, of which any product of one sign is looked at
WINDOW_OF_TWO = 3  # and of two signs
# Examples that together have a sign that others determine: of any kind, or of one kind. Multiples
# of every period up to 8, and to 10.
STRETCHES, STRETCHES_OF_ONE = (24, 35), (120, 126)
STRIDES = (2, 3, 4, 5, 6, 7, 8, 10, 16, 32, 64, 100, 128, 256, 500, 512)
DRAWS_IN_A_ROW = 2

# From a stream, the number of what is suspicious about a sample, from 1 on, and 0 if nothing is.
Suspect = Callable[[np.random.SeedSequence], int]


def never_suspicious(suspect: Suspect, reasons: Sequence[str], detail: str) -> Statement:
    """Samples are suspicious with probability BY_CHANCE at most.

    reasons: what each number of `suspect` means.
    """

    def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        return np.array([suspect(child(stream, i)) for i in range(size)])

    def about(found: np.ndarray) -> Statement:
        counted = Counter(reasons[number - 1] for number in found if number)
        why = f" that chance does not explain: {counted.most_common(1)[0][0]}" if counted else ""
        return frequency_at_most(
            BY_CHANCE, found > 0, resolution=0.9, detail=f"samples with {detail}{why}"
        )

    return about_draws(SAMPLES, draw, about)


def excess(sums: np.ndarray, squares: np.ndarray, of: int) -> np.ndarray:
    """By how much each sum is larger in size than any of so many is with probability BY_CHANCE.

    The summands of a sum are symmetric about 0 given the earlier ones; squares is the sum of their
    squares. Then P(sum >= u squares^(1/2)) <= exp(-u^2 / 2) (Efron 1969; de la Pena 1999).
    """
    return np.asarray(np.abs(sums) - np.sqrt(2 * squares * math.log(2 * of / BY_CHANCE)))


def first_excess(*found: np.ndarray) -> int:
    """The number, from 1 on, of the largest entry of all arrays in a row; 0 if none is positive."""
    everything = np.concatenate([part.ravel() for part in found])
    worst = int(everything.argmax())
    return worst + 1 if everything[worst] > 0 else 0


# Examples


PROBLEM = Problem(K=3, d=6)
MEDIAN_SIZE = float(chdtri(PROBLEM.d, 0.5)) * PROBLEM.sigma_p**2 / PROBLEM.d


# of the squared cosine of the angle between two directions
MEDIAN_COSINE = float(betaincinv(0.5, (PROBLEM.d - 1) / 2, 0.5))


def fair(event: Tensor) -> Tensor:
    """1 where the event happened, else -1."""
    return 2 * event.long() - 1


def either(cluster: Tensor, first: int, second: int) -> Tensor:
    """1 for the first of two clusters, -1 for the second, 0 for any other."""
    return (cluster == first).long() - (cluster == second).long()


def signs_of_examples(e: Examples) -> dict[str, Tensor]:
    """Functions of each example of PROBLEM that are symmetric about 0, (n,) each, by name."""
    noise, place = e.patches.noise[:, 0], e.positions
    pairs = [(a, b) for a in range(PROBLEM.K) for b in range(a + 1, PROBLEM.K)]
    return {
        "label": fair(e.y > 0),
        "sign of the feature noise": fair(e.eps > 0),
        **{f"k, {a} or {b}": either(e.k, a, b) for a, b in pairs},
        **{f"k', {a} or {b}": either(e.k_prime, a, b) for a, b in pairs},
        "k' after k": fair((e.k_prime - e.k) % PROBLEM.K == 1),
        **{
            f"{name} above its median": fair(
                above_median(getattr(PROBLEM, name), getattr(e, name))[0]
            )
            for name in ("alpha", "beta", "gamma")
        },
        **{f"sign of the noise along axis {i}": fair(noise[:, i] > 0) for i in range(2)},
        "size of the noise": fair(noise.double().square().sum(dim=1) > MEDIAN_SIZE),
        "feature before centre": fair(place[:, 0] < place[:, 1]),
        "centre before feature noise": fair(place[:, 1] < place[:, 2]),
        "feature in the first half": fair(place[:, 0] < PROBLEM.P // 2),
        "noise in the first half": fair(place.sum(dim=1) >= 5),
    }


def fingerprints(e: Examples) -> np.ndarray:
    """A whole number for the amplitudes of each example, (n,). Two that differ have the same one
    with probability 2^-64, and two of 200,000 examples with 1e-9."""
    bits = (part.numpy().view(np.uint32).astype(np.uint64) for part in (e.alpha, e.beta, e.gamma))
    factors = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
    return np.asarray(sum(part * factor for part, factor in zip(bits, factors, strict=True)))


def joined(parts: Sequence[Examples]) -> Examples:
    """The examples of several draws as one record."""

    def cat(record: Any, name: str) -> Tensor:
        return torch.cat([getattr(record(part), name) for part in parts])

    patches = {name: cat(lambda part: part.patches, name) for name in PER_EXAMPLE}
    latent = {
        f.name: cat(lambda part: part, f.name) for f in fields(Examples) if f.name != "patches"
    }
    return Examples(replace(parts[0].patches, **patches), **latent)


def products(names: Sequence[str], of: str) -> list[str]:
    """A name for each entry of a table of products."""
    return [f"{a} and {b} {of}" for a in names for b in names]


def small_draws_are_independent(subject: Subject, n: int) -> Statement:
    """The examples of a draw of n, and of consecutive draws from one generator, are independent.

    Looks at products of any two `signs_of_examples` of two examples, summed over all pairs of
    examples in the draws, so that what has the size 1/n in a pair adds up; at the same for the
    first examples of consecutive draws; at the signs of the first and the last example; at the
    product of one sign over three examples; and at whether the random noise of the first and the
    last example is closer to parallel than in half of all draws. Then at `products_in_windows`; at
    the product of one sign over all examples of a draw; at sums of one sign over a draw that are
    always too close to 0 or too far from it; at one sign of the first example of any two draws; at
    `determined_signs`; and at amplitudes that an earlier example had, of the same draw or another.
    """

    draws = min(DRAWS, max(LEAST_DRAWS, MOST_EXAMPLES // n))

    def table(
        generator: torch.Generator, draws: int
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        signals = in_single(subject.draw_signals(PROBLEM, generator))
        found = [subject.draw_examples(PROBLEM, signals, n, generator) for _ in range(draws)]
        every = joined(found)
        signs = {
            name: sign.to(torch.int8).unflatten(0, (draws, n)).numpy()
            for name, sign in signs_of_examples(every).items()
        }
        noise = every.patches.noise[:, 0].double().unflatten(0, (draws, n))
        parallel = cosine_similarity(noise[:, 0], noise[:, -1], dim=-1).square() > MEDIAN_COSINE
        return signs, fair(parallel).double().numpy(), fingerprints(every)

    def suspect(stream: np.random.SeedSequence) -> int:
        named, parallel, amplitudes = table(generator_from(stream), draws)
        signs = np.stack(list(named.values()), axis=-1).astype(float)
        kinds = signs.shape[-1]
        earlier = signs.cumsum(axis=1) - signs
        first = signs[:, 0]
        three = signs[:, :3].prod(axis=1) if n >= 3 else 0 * first
        of = 2 * kinds**2 + (6 + draws) * kinds + 1 + products_of_windows(kinds, n)

        def of_sums(found: np.ndarray) -> np.ndarray:
            return excess(found.sum(axis=0), (found**2).sum(axis=0), of)

        def of_products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
            return excess(one.T @ other, (one**2).T @ other**2, of)

        apart = [
            excess(correlated(one), correlated(one**2), of)[1:].max() for one in first.T[..., None]
        ]
        return first_excess(
            of_products(earlier.reshape(-1, kinds), signs.reshape(-1, kinds)),
            of_products(first[:-1], first[1:]),
            *map(of_sums, (first, signs[:, -1], three)),
            of_sums(parallel if n >= 2 else 0 * parallel),
            products_in_windows(named, n, of),
            of_sums(signs.prod(axis=1)),
            *(found - gammainccinv(draws, BY_CHANCE / of) for found in evenness(signs)),
            np.array(apart),
            determined_signs(named, n),
            np.array([float((np.diff(np.sort(amplitudes)) == 0).sum())]),
        )

    names = list(table(torch.Generator().manual_seed(0), 1)[0])
    reasons = [
        *products(names, "of a later example"),
        *products(names, "of the next draw"),
        *(f"{name} of {which}" for which in ("the first", "the last", "three") for name in names),
        "angle between the noise of the first and the last",
        *windows_in_words(names),
        *(f"{name} of all examples" for name in names),
        *(f"as often one as the other: {name}" for name in names),
        *(f"more often one or the other: {name}" for name in names),
        *(f"{name} of the first of two draws" for name in names),
        "some sign that others determine",
        "the amplitudes of an earlier example",
    ]
    return never_suspicious(suspect, reasons, f"dependence in draws of {n}")


def windows_in_words(names: Sequence[str]) -> list[str]:
    """A name for each entry of `products_in_windows`."""
    return [
        *(f"{name} of several examples in a row" for name in names),
        *(f"{a} and {b} of several examples in a row" for a, b in combinations(names, 2)),
    ]


def products_of_windows(kinds: int, n: int) -> int:
    """How many sums `products_in_windows` looks at."""
    return kinds * 2 ** min(n, WINDOW) + math.comb(kinds, 2) * 4 ** min(n, WINDOW_OF_TWO)


def products_in_windows(signs: Mapping[str, np.ndarray], n: int, of: int) -> np.ndarray:
    """The largest excess, of so many sums, of products of signs of some examples among a few in a
    row: of one sign, of WINDOW examples, and of any two signs together, of WINDOW_OF_TWO.

    signs: (draws, n) each.
    """
    length, of_two = min(n, WINDOW), min(n, WINDOW_OF_TWO)
    # Given the earlier examples, a product is symmetric if it has one sign of the last example.
    has = subsets(2 * of_two).reshape(-1, 2, of_two)
    last = np.where(has.any(axis=1), np.arange(of_two), 0).max(axis=1)
    once: np.ndarray = np.take_along_axis(has.sum(axis=1), last[:, None], axis=1)[:, 0] == 1
    both: np.ndarray = once & np.all(has.any(axis=2), axis=1)
    some = {name: sign[: max(1, FEWER_EXAMPLES // n)] for name, sign in signs.items()}
    parts = {name: windows(sign, of_two) for name, sign in some.items()}
    found = []
    for sign in signs.values():
        sums, squares = sums_of_products(windows(sign, length))
        found.append(excess(sums[1:], squares[1:], of).max())
    for a, b in combinations(signs, 2):
        sums, squares = sums_of_products([*parts[a], *parts[b]])
        found.append(excess(sums[both], squares[both], of).max(initial=-np.inf))
    return np.array(found)


def determined_signs(signs: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """1 if a sign is always the product of others of the same draw or, where draws are too large
    and too few for that, of the same stretch of examples; else 0. Shape (1,).

    signs: (draws, n) each. Those with the value 0 are left out.
    """
    signed = [sign > 0 for sign in signs.values() if bool((sign != 0).all())]
    bits = np.stack(signed, axis=-1)
    draws, _, kinds = bits.shape
    if draws >= rows_needed(n * kinds):
        return np.array([float(a_bit_is_determined(bits.reshape(draws, -1)))])
    of_any = [(length, bits) for length in STRETCHES]
    of_one = [(length, bits[..., [i]]) for length in STRETCHES_OF_ONE for i in range(kinds)]
    tables = (
        table[:, : n - n % length].reshape(-1, length * table.shape[-1])
        for length, table in (*of_any, *of_one)
        if length <= n
    )
    return np.array([float(any(a_bit_is_determined(table) for table in tables))])


def distant_examples_are_independent(subject: Subject, n: int) -> Statement:
    """The examples of a draw of n, and of the next ones, are independent at every distance.

    Looks at the product of any two of `signs_of_examples` of two examples, summed over all pairs at
    a distance in a draw; of one, for consecutive draws in a row, too; and at products of one sign
    of several examples at equal distances.
    """

    def table(generator: torch.Generator, draws: int) -> dict[str, np.ndarray]:
        signals = in_single(subject.draw_signals(PROBLEM, generator))
        found = [subject.draw_examples(PROBLEM, signals, n, generator) for _ in range(draws)]
        return {
            name: sign.to(torch.int8).numpy()
            for name, sign in signs_of_examples(joined(found)).items()
        }

    names = list(table(torch.Generator().manual_seed(0), 1))
    strides = [stride for stride in STRIDES if (WINDOW - 1) * stride < n]

    def suspect(stream: np.random.SeedSequence) -> int:
        signs = table(generator_from(stream), DRAWS_IN_A_ROW)
        kinds = len(names)
        of = DRAWS_IN_A_ROW * n * kinds + 2 * n * kinds**2 + len(strides) * kinds * 2**WINDOW

        def at_strides(sign: np.ndarray) -> float:
            rows = sign.reshape(-1, n)
            sums = (sums_of_products(windows(rows, WINDOW, stride)) for stride in strides)
            return max(float(excess(s[1:], squares[1:], of).max()) for s, squares in sums)

        def in_a_row(sign: np.ndarray) -> float:
            one = sign[:, None].astype(float)
            return float(excess(correlated(one), correlated(one**2), of)[1:].max())

        within = np.stack([sign[:n] for sign in signs.values()]).astype(float)
        sums, squares = correlated_with_others(within), correlated_with_others(within**2)
        return first_excess(
            np.array([in_a_row(sign) for sign in signs.values()]),
            excess(sums, squares, of).max(axis=-1),
            np.array([at_strides(sign) for sign in signs.values()]),
        )

    reasons = [
        *(f"{name} of two examples" for name in names),
        *products(names, "of a distant example"),
        *(f"{name} of several examples at equal distances" for name in names),
    ]
    return never_suspicious(suspect, reasons, f"dependence in draws of {n}")


def correlated_with_others(signs: np.ndarray) -> np.ndarray:
    """Sums of products of each sign with each of the later ones, at every distance but 0: (kinds,
    kinds, n - 1) from (kinds, n)."""
    n = signs.shape[1]
    size = fft.next_fast_len(2 * n, real=True)
    spectrum = fft.rfft(signs, size)
    return np.stack(
        [np.asarray(fft.irfft(one.conj() * spectrum, size)[:, 1:n].round()) for one in spectrum]
    )


def equal_to_an_earlier(values: np.ndarray) -> int:
    """How many rows of a table equal an earlier one."""
    return len(values) - len(set(map(bytes, np.ascontiguousarray(values))))


def no_two_are_equal(e: Examples) -> Statement:
    """No two examples of a draw share all amplitudes or, up to the sign, their random noise; and
    hardly any share one amplitude or one entry of the noise.

    For amplitude laws without atoms. Two draws in single precision agree in one value with
    probability 2^-22 at most, where their densities are at most 1 and they lie in [0, 4]. So among
    4000 examples, 8e6 pairs, 2 are expected to agree in a value and 40 or more do with probability
    below 1e-30.
    """
    amplitudes = torch.stack([e.alpha, e.beta, e.gamma], dim=1)
    noise = e.patches.noise.flatten(1).abs()
    single = torch.cat([amplitudes, noise[:, :2]], dim=1)
    shared = [equal_to_an_earlier(column[:, None]) for column in single.mT.numpy()]
    return all_of(
        at_most(
            equal_to_an_earlier(amplitudes.numpy()),
            0.0,
            detail="examples with the amplitudes of another",
        ),
        at_most(
            equal_to_an_earlier(noise.numpy()),
            0.0,
            detail="examples with the random noise of another",
        ),
        at_most(
            shared,
            40.0,
            detail="examples with one value of another",
            axes=(("value", ("alpha", "beta", "gamma", *(f"noise entry {i}" for i in range(2)))),),
        ),
    )


# Replicates


@dataclass(frozen=True, eq=False)
class Drawn:
    """What seeds determine, for replicates in a row, by the name of the ingredient.

    values: all numbers, (R, ...).
    signs: signs that are symmetric about 0, (R, c).
    """

    values: dict[str, np.ndarray]
    signs: dict[str, np.ndarray]


def drawn_replicates(subject: Subject, seeds: Sequence[np.random.SeedSequence]) -> Drawn:
    """Replicates of four examples and two experts, as training draws them, with the router noise of
    two steps."""
    hyper = Hyperparameters(M=2, J=2, n=4, sigma_0=1.0, eta=1.0, eta_r=1.0, T=0)
    found = [draw_replicate(subject, PROBLEM, hyper, seed) for seed in seeds]
    noise = []
    for one in found:
        generator = generator_from(one.noise_seed)
        noise.append(torch.stack([subject.router_noise((2, 8), generator, t) for t in range(2)]))
    examples = [one.examples for one in found]
    of_examples = torch.stack(list(signs_of_examples(joined(examples)).values()), dim=1)
    values = {
        "signals": [torch.cat([one.signals.features, one.signals.centres]) for one in found],
        "initialisations": [one.start.W for one in found],
        "random noise": [e.patches.noise for e in examples],
        "amplitudes": [torch.stack([e.alpha, e.beta, e.gamma]) for e in examples],
        "router noise": noise,
    }
    signs = {
        "initialisations": [one.start.W.sign() for one in found],
        "examples": list(of_examples.unflatten(0, (len(examples), -1))),
        "router noise": [(r[:, 0] - r[:, 1]).sign() for r in noise],
    }
    return Drawn(*({k: as_table(v) for k, v in part.items()} for part in (values, signs)))


def as_table(parts: Sequence[Tensor]) -> np.ndarray:
    """Tensors as rows, in double precision, with numbers in place of NaN."""
    return torch.stack(list(parts)).flatten(1).double().nan_to_num().numpy()


def replicates_are_independent(subject: Subject, replicates: int) -> Statement:
    """Replicates of different seeds are independent, and so are the ingredients of one.

    Looks at products of any two signs of replicates that are 1, 2, 3 or half of all apart, and of
    two ingredients of one replicate; at inner products of initialisations, of random noise and of
    router noise of replicates so far apart; and for values of two replicates that are equal.
    Signals may be the same in all replicates: no law of what is measured depends on the frame.
    """
    lags = (0, 1, 2, 3, replicates // 2)
    ingredients = ("initialisations", "examples", "router noise")
    vectors = ("initialisations", "random noise", "router noise")
    unique = ("initialisations", "random noise", "amplitudes", "router noise")
    reasons = [
        *(
            f"{a} of a replicate with {b} of the one {lag} after it"
            for lag in lags
            for a in ingredients
            for b in ingredients
        ),
        *(f"{name} of replicates {lag} apart" for lag in lags[1:] for name in vectors),
        *(f"equal {name} of two replicates" for name in unique),
        "equal signals of some replicates only",
    ]

    def suspect(stream: np.random.SeedSequence) -> int:
        drawn = drawn_replicates(subject, [child(stream, i) for i in range(replicates)])
        of = len(lags) * (sum(signs.shape[1] for signs in drawn.signs.values()) ** 2 + len(vectors))

        def of_signs(a: str, b: str, lag: int) -> float:
            """The largest excess of a product of two signs; what stands in one ingredient of one
            replicate may depend on each other."""
            if a == b and lag == 0:
                return -1.0
            one, other = drawn.signs[a][: replicates - lag], drawn.signs[b][lag:]
            return float(excess(one.T @ other, (one**2).T @ other**2, of).max())

        def of_vectors(name: str, lag: int) -> float:
            vector = (drawn.signs if name == "router noise" else drawn.values)[name]
            inner = (vector[: replicates - lag] * vector[lag:]).sum(axis=1)
            return float(excess(inner.sum(), (inner**2).sum(), of))

        signals = equal_to_an_earlier(drawn.values["signals"])
        found = [
            *(of_signs(a, b, lag) for lag in lags for a in ingredients for b in ingredients),
            *(of_vectors(name, lag) for lag in lags[1:] for name in vectors),
            *(float(equal_to_an_earlier(drawn.values[name])) for name in unique),
            float(signals if signals < replicates - 1 else 0),
        ]
        return first_excess(np.array(found))

    return never_suspicious(suspect, reasons, "dependence of replicates")


# Router noise along a run


def noise_along_a_run_is_independent(subject: Subject, steps: int, examples: int) -> Statement:
    """Router noise of any two of these steps, and of any two of these examples, is independent.

    Looks at which of two experts has the larger noise, for two pairs of experts and 32 examples at
    every step: at the products of these signs, summed for every distance in steps and in examples.
    Noise that repeats or mirrors itself after any number of steps gives a sum of 64 equal products
    at least. The same for many examples at one step. Then at the products of these signs for any of
    WINDOW steps or examples in a row, and at whether those of one step determine each other. And
    looks for noise of 16 experts that an example of an earlier step had, in any order and mirrored
    or not: so many that noise with 2^8 values, such as bfloat16 has in [1/2, 1], meets itself by
    chance in fewer than 1e-12 samples (2^(8 15) values up to a shift, 2 16! orders and mirror
    images, 2^34 pairs).
    """
    few = 32
    of = steps * 4 * few + examples * 4 + 3 * 2**WINDOW

    def of_windows(signs: Tensor) -> float:
        """The excess of the products of any signs of WINDOW in a row, for a table of rows."""
        sums, squares = sums_of_products(windows(signs.to(torch.int8).numpy(), WINDOW))
        return float(excess(sums[1:], squares[1:], of).max())

    def suspect(stream: np.random.SeedSequence) -> int:
        generator = generator_from(stream)
        noise = torch.stack([subject.router_noise((16, few), generator, t) for t in range(steps)])
        noise = noise.double().nan_to_num()
        many = subject.router_noise((4, examples), generator, steps).double().nan_to_num()
        larger, of_many = larger_of_two(noise[:, :4]), larger_of_two(many)
        apart, across = products_apart(larger.flatten(1), of), products_apart(of_many.mT, of)
        in_windows = [
            of_windows(table) for table in (larger.flatten(1).mT, larger.flatten(0, 1), of_many)
        ]
        determined = a_bit_is_determined((larger > 0).flatten(1).numpy())
        columns = noise.mT.flatten(0, 1)
        columns = ((columns - columns.mean(dim=1, keepdim=True)) * 2**23).round().abs()
        again = equal_to_an_earlier(columns.sort(dim=1).values.numpy())
        return first_excess(
            apart.max(axis=1),
            across.max(axis=1),
            np.array([*in_windows, float(determined), float(again)]),
        )

    reasons = [
        "of two examples at one step",
        *(f"of steps {lag} apart" for lag in range(1, steps)),
        "of two pairs of experts",
        *(f"of examples {lag} apart" for lag in range(1, examples)),
        "of several steps in a row",
        "of several examples in a row, at any step",
        "of several examples in a row",
        "of some example, determined by that of others at its step",
        "of two examples or steps, the same up to order and mirroring",
    ]
    return never_suspicious(suspect, reasons, "dependence of router noise")


def larger_of_two(noise: Tensor) -> Tensor:
    """Which of experts 0 and 1, and of 2 and 3, has the larger noise (..., 4, n): signs (..., 2,
    n)."""
    return (noise[..., 0::2, :] - noise[..., 1::2, :]).sign()


def products_apart(signs: Tensor, of: int) -> np.ndarray:
    """The excess of products of signs (rows, columns) at every distance but 0."""
    table = signs.numpy()
    found = excess(correlated(table), correlated(table**2), of)
    found[0, 0] = -1.0
    return found


def correlated(signs: np.ndarray) -> np.ndarray:
    """Sums of products of the entries of a table (steps, columns) at every distance, in columns
    around a circle twice as wide: (steps, 2 columns)."""
    steps, columns = signs.shape
    size = fft.next_fast_len(2 * steps, real=True), 2 * columns
    spectrum = fft.rfft2(signs, size)
    found = fft.irfft2(spectrum * spectrum.conj(), size)
    return np.asarray(found[:steps].round())  # sums of whole numbers
