"""Dependence between draws that are small, far apart, or of different replicates: products of
signs, which are fair coins if the draws are independent."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from scipy import fft
from scipy.special import betaincinv, chdtri
from torch import Tensor
from torch.nn.functional import cosine_similarity

from core import Examples, Hyperparameters, Problem, Subject
from core.data import PER_EXAMPLE
from core.seeds import child, generator_from
from core.training import draw_replicate
from theory_checks.evidence import Statement, about_draws, all_of, at_most, frequency_at_most
from theory_checks.experiments.drawn_examples import above_median, in_single

BY_CHANCE = 1e-6  # chance that a sample of independent draws is suspicious
SAMPLES = 2  # each judged alone: both are suspicious by chance in 1e-12
DRAWS = 500  # small draws of a sample
# Examples of a sample of larger draws. In D draws of n, balanced signs make the products of pairs
# add up to D n / 2, and chance explains n (D L)^(1/2) with L = log(2 * 330 / BY_CHANCE) = 20. So D
# must exceed 81; it is 200 at n = 1000.
MOST_EXAMPLES = 200_000

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
        why = f": {counted.most_common(1)[0][0]}" if counted else ""
        return frequency_at_most(BY_CHANCE, found > 0, resolution=0.9, detail=f"{detail}{why}")

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
    last example is closer to parallel than in half of all draws.
    """

    def table(generator: torch.Generator, draws: int) -> tuple[list[str], np.ndarray, np.ndarray]:
        signals = in_single(subject.draw_signals(PROBLEM, generator))
        found = [subject.draw_examples(PROBLEM, signals, n, generator) for _ in range(draws)]
        every = joined(found)
        named = signs_of_examples(every)
        signs = torch.stack(list(named.values()), dim=-1).unflatten(0, (draws, n))
        noise = every.patches.noise[:, 0].double().unflatten(0, (draws, n))
        parallel = cosine_similarity(noise[:, 0], noise[:, -1], dim=-1).square() > MEDIAN_COSINE
        return list(named), signs.double().numpy(), fair(parallel).double().numpy()

    def suspect(stream: np.random.SeedSequence) -> int:
        _, signs, parallel = table(generator_from(stream), min(DRAWS, MOST_EXAMPLES // n))
        earlier = signs.cumsum(axis=1) - signs
        first = signs[:, 0]
        three = signs[:, :3].prod(axis=1) if n >= 3 else 0 * first
        of = 2 * signs.shape[-1] ** 2 + 3 * signs.shape[-1] + 1

        def of_sums(found: np.ndarray) -> np.ndarray:
            return excess(found.sum(axis=0), (found**2).sum(axis=0), of)

        def of_products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
            return excess(one.T @ other, (one**2).T @ other**2, of)

        return first_excess(
            of_products(earlier.reshape(-1, len(names)), signs.reshape(-1, len(names))),
            of_products(first[:-1], first[1:]),
            *map(of_sums, (first, signs[:, -1], three)),
            of_sums(parallel if n >= 2 else 0 * parallel),
        )

    names, _, _ = table(torch.Generator().manual_seed(0), 1)
    reasons = [
        *products(names, "of a later example"),
        *products(names, "of the next draw"),
        *(f"{name} of {which}" for which in ("the first", "the last", "three") for name in names),
        "angle between the noise of the first and the last",
    ]
    return never_suspicious(suspect, reasons, f"dependence in draws of {n}")


def distant_examples_are_independent(subject: Subject, n: int) -> Statement:
    """The examples of a draw of n are independent at every distance.

    Looks at the product of one of `signs_of_examples` of two examples, summed over all pairs at a
    distance.
    """

    def table(generator: torch.Generator) -> dict[str, Tensor]:
        signals = in_single(subject.draw_signals(PROBLEM, generator))
        return signs_of_examples(subject.draw_examples(PROBLEM, signals, n, generator))

    names = list(table(torch.Generator().manual_seed(0)))

    def suspect(stream: np.random.SeedSequence) -> int:
        signs = [sign.double().numpy()[:, None] for sign in table(generator_from(stream)).values()]
        apart = [
            excess(correlated(one), correlated(one**2), n * len(names))[1:].max() for one in signs
        ]
        return first_excess(np.array(apart))

    reasons = [f"{name} of two examples" for name in names]
    return never_suspicious(suspect, reasons, f"dependence in draws of {n}")


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
        at_most(shared, 40.0, detail="examples with one amplitude or noise entry of another"),
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
    at least. The same for many examples at one step. And looks for noise of 16 experts that an
    example of an earlier step had, in any order and mirrored or not: so many that noise with 2^8
    values, such as bfloat16 has in [1/2, 1], meets itself by chance in fewer than 1e-12 samples
    (2^(8 15) values up to a shift, 2 16! orders and mirror images, 2^34 pairs).
    """
    few = 32
    of = steps * 4 * few + examples * 4

    def suspect(stream: np.random.SeedSequence) -> int:
        generator = generator_from(stream)
        noise = torch.stack([subject.router_noise((16, few), generator, t) for t in range(steps)])
        noise = noise.double().nan_to_num()
        many = subject.router_noise((4, examples), generator, steps).double().nan_to_num()
        apart = products_apart(larger_of_two(noise[:, :4]).flatten(1), of)
        across = products_apart(larger_of_two(many).mT, of)
        columns = noise.mT.flatten(0, 1)
        columns = ((columns - columns.mean(dim=1, keepdim=True)) * 2**23).round().abs()
        again = equal_to_an_earlier(columns.sort(dim=1).values.numpy())
        return first_excess(apart.max(axis=1), across.max(axis=1), np.array([float(again)]))

    reasons = [
        "of two examples at one step",
        *(f"of steps {lag} apart" for lag in range(1, steps)),
        "of two pairs of experts",
        *(f"of examples {lag} apart" for lag in range(1, examples)),
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
