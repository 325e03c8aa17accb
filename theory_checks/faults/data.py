"""Faults of the data law (Definition 3.1)."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from core import Examples, Problem, Signals
from core.data import draw_examples, draw_signals
from theory_checks.experiments.scenarios import DrawExamples
from theory_checks.faults.fault import fault


def with_patches(examples: Examples, **changes: Any) -> Examples:
    """The examples with other patches."""
    return replace(examples, patches=replace(examples.patches, **changes))


def with_latents(examples: Examples, K: int, **latents: Any) -> Examples:
    """The examples with other labels, signs, clusters or amplitudes, and the patches that these
    make."""
    e = replace(examples, **latents)
    coefficient = torch.stack([e.y * e.alpha, e.beta, e.eps * e.gamma], dim=1)
    return with_patches(
        e, which=torch.stack([e.k, K + e.k, e.k_prime], dim=1), coefficient=coefficient
    )


def some(n: int, share: float, generator: torch.Generator) -> Tensor:
    """Each of n examples with probability `share`, as booleans (n,)."""
    return torch.rand(n, generator=generator, device=generator.device) < share


def of_the_one_before(values: Tensor) -> Tensor:
    """Examples 1, 3, 5, ... get the values of 0, 2, 4, ...: (n, ...) to (n, ...)."""
    return values[torch.arange(len(values), device=values.device) // 2 * 2]


# Signals


def signals_tilted(angle: float) -> Any:
    """draw_signals whose features are turned by an angle towards their cluster's centre."""

    def draw(problem: Problem, generator: torch.Generator) -> Signals:
        found = draw_signals(problem, generator)
        return replace(
            found, features=math.cos(angle) * found.features + math.sin(angle) * found.centres
        )

    return draw


def signals_too_long(problem: Problem, generator: torch.Generator) -> Signals:
    found = draw_signals(problem, generator)
    return replace(found, features=1.01 * found.features)


def signals_gaussian(problem: Problem, generator: torch.Generator) -> Signals:
    frame = (
        torch.randn(2 * problem.K, problem.d, generator=generator, dtype=torch.float64)
        / problem.d**0.5
    )
    return Signals(frame[: problem.K], frame[problem.K :])


def signals_along_the_axes(problem: Problem, generator: torch.Generator) -> Signals:
    frame = torch.eye(problem.d, dtype=torch.float64, device=generator.device)[: 2 * problem.K]
    return Signals(frame[: problem.K], frame[problem.K :])


# Labels, signs, clusters


def sign_follows_label(share: float) -> DrawExamples:
    """draw_examples in which this share of the examples has eps = y, on top of chance."""

    def draw(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
        found = draw_examples(problem, signals, n, generator)
        return with_latents(
            found, problem.K, eps=torch.where(some(n, share, generator), found.y, found.eps)
        )

    return draw


def labels_biased(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_latents(found, problem.K, y=torch.where(some(n, 0.04, generator), 1.0, found.y))


def label_is_that_of_the_cluster(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_latents(found, problem.K, y=torch.where(found.k == 0, 1.0, found.y))


def labels_flipped(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return replace(found, y=torch.where(some(n, 0.01, generator), -found.y, found.y))


def own_feature_as_noise(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_latents(
        found, problem.K, k_prime=torch.where(some(n, 0.05, generator), found.k, found.k_prime)
    )


def next_feature_as_noise(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_latents(found, problem.K, k_prime=(found.k + 1) % problem.K)


def cluster_too_often(share: float) -> DrawExamples:
    """draw_examples in which this share of the examples is moved to cluster 0."""

    def draw(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
        found = draw_examples(problem, signals, n, generator)
        k = torch.where(some(n, share, generator), 0, found.k)
        return with_latents(
            found, problem.K, k=k, k_prime=(k + found.k_prime - found.k) % problem.K
        )

    return draw


def centre_of_another_cluster(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    centre = torch.where(some(n, 0.05, generator), found.k_prime, found.k)
    return with_patches(
        found, which=torch.stack([found.k, problem.K + centre, found.k_prime], dim=1)
    )


def centres_tell_label(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    sign = torch.where(some(n, 0.3, generator), found.y, 1.0)
    alpha, beta, gamma = found.patches.coefficient.unbind(dim=1)
    return with_patches(found, coefficient=torch.stack([alpha, sign * beta, gamma], dim=1))


# Amplitudes


def amplitudes_swapped(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    return draw_examples(
        replace(problem, alpha=problem.beta, beta=problem.alpha), signals, n, generator
    )


def feature_and_noise_amplitudes_swapped(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    return draw_examples(
        replace(problem, alpha=problem.gamma, gamma=problem.alpha), signals, n, generator
    )


def amplitudes_from_one_draw(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    u = torch.rand(n, generator=generator, device=generator.device, dtype=found.alpha.dtype)
    return with_latents(
        found, problem.K, alpha=problem.alpha.quantile(u), gamma=problem.gamma.quantile(u)
    )


def amplitudes_in_pairs(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_latents(
        found, problem.K, alpha=of_the_one_before(found.alpha), gamma=of_the_one_before(found.gamma)
    )


def amplitudes_are_their_means(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    middle = torch.full_like(found.beta, 0.5)
    return with_latents(found, problem.K, beta=problem.beta.quantile(middle))


# Random noise


def noise_scaled(factor: float) -> DrawExamples:
    """draw_examples whose random noise is too large by a factor."""

    def draw(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
        found = draw_examples(problem, signals, n, generator)
        return with_patches(found, noise=factor * found.patches.noise)

    return draw


def noise_of_full_size(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_patches(found, noise=math.sqrt(problem.d) * found.patches.noise)


def noise_by_square(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_patches(found, noise=problem.sigma_p * found.patches.noise)


def noise_tells_gamma(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    noise = found.patches.noise
    along = (noise[:, 0] * signals.features[found.k_prime]).sum(dim=1)
    median = float(problem.gamma.quantile(torch.tensor([0.5]))[0])
    agree = (along > 0) == (found.gamma > median)
    return with_patches(found, noise=torch.where(agree[:, None, None], noise, -noise))


def noise_uniform(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    u = torch.rand(
        found.patches.noise.shape,
        generator=generator,
        device=generator.device,
        dtype=found.patches.noise.dtype,
    )
    return with_patches(found, noise=(2 * u - 1) * (problem.sigma_p * math.sqrt(3 / problem.d)))


def noise_along_the_signal(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    shift = 0.3 * problem.sigma_p / problem.d**0.5 * found.y[:, None] * signals.features[found.k]
    return with_patches(found, noise=found.patches.noise + shift[:, None])


def noise_off_the_signals(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    noise, v = found.patches.noise, signals.features
    return with_patches(found, noise=noise - noise @ v.mT @ v)


def noise_correlated_over_patches(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    noise = found.patches.noise
    return with_patches(found, noise=0.7**0.5 * noise + 0.3**0.5 * noise.roll(1, dims=1))


def noise_shared_by_patches(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_patches(
        found, noise=found.patches.noise[:, :1].expand_as(found.patches.noise).contiguous()
    )


def noise_shared_by_examples(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_patches(found, noise=of_the_one_before(found.patches.noise))


# Order of patches and of examples


def order_fixed(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_patches(
        found, order=torch.arange(problem.P, device=found.y.device).expand(n, -1).contiguous()
    )


def order_cyclic(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    shift = torch.randint(0, problem.P, (n, 1), generator=generator, device=generator.device)
    return with_patches(
        found, order=(torch.arange(problem.P, device=shift.device) + shift) % problem.P
    )


def order_in_pairs(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_patches(found, order=of_the_one_before(found.patches.order))


def order_with_repeats(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    drawn = torch.randint(
        0, problem.P, (n, problem.P), generator=generator, device=generator.device
    )
    return with_patches(
        found, order=torch.where(some(n, 0.2, generator)[:, None], drawn, found.patches.order)
    )


def order_tells_the_label(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    sorted_order = torch.arange(problem.P, device=found.y.device).expand(n, -1)
    chosen = some(n, 0.2, generator) & (found.y > 0)
    return with_patches(
        found, order=torch.where(chosen[:, None], sorted_order, found.patches.order)
    )


def order_tells_the_noise(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    order, first = found.patches.order, found.positions[:, 0] < found.positions[:, 1]
    swapped = torch.where(order < 2, 1 - order, order)
    return with_patches(
        found,
        order=torch.where((first == (found.patches.noise[:, 0, 0] > 0))[:, None], order, swapped),
    )


def labels_in_pairs(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_latents(found, problem.K, y=of_the_one_before(found.y))


def the_same_every_time(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    return draw_examples(problem, signals, n, torch.Generator(generator.device).manual_seed(1))


def label_by_amplitude(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """The label is +1 or -1 by the Thue-Morse sign of alpha's sixteenth of its range: as often
    above the median as below."""
    e = draw_examples(problem, signals, n, generator)
    low, high = problem.alpha.support
    part = ((e.alpha - low) / max(high - low, 1e-9) * 16).long().clamp(0, 15)
    parity = (part ^ (part >> 1) ^ (part >> 2) ^ (part >> 3)) & 1
    return with_latents(e, problem.K, y=(1 - 2 * parity).to(e.y))


def sign_of(index: Tensor, K: int, otherwise: Tensor) -> Tensor:
    """1 for even, -1 for odd clusters; of an odd number of clusters the last keeps what it has, so
    that both are as frequent."""
    return torch.where(
        (index == K - 1) & (K % 2 == 1), otherwise, (1 - 2 * (index % 2)).to(otherwise)
    )


def label_of_one_of_many_clusters(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    e = draw_examples(problem, signals, n, generator)
    return with_latents(e, problem.K, y=sign_of(e.k, problem.K, e.y)) if problem.K > 4 else e


def label_of_the_cluster_before(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    e = draw_examples(problem, signals, n, generator)
    told = sign_of(of_the_one_before(e.k), problem.K, e.y)
    odd = torch.arange(n, device=e.y.device) % 2 == 1
    return with_latents(e, problem.K, y=torch.where(odd, told, e.y))


def louder_of_two(
    problem: Problem, noise: Tensor, louder: Tensor, generator: torch.Generator
) -> Tensor:
    """Of this random noise (n, P - 3, d) and as much again the louder, or the quieter: if each is
    as frequent, the law stays."""
    other = (
        torch.randn(noise.shape, generator=generator, device=noise.device, dtype=noise.dtype)
        * problem.sigma_p
        / problem.d**0.5
    )
    is_louder = noise.square().sum(dim=(1, 2)) > other.square().sum(dim=(1, 2))
    return torch.where((is_louder == louder)[:, None, None], noise, other)


def noise_louder_for_one_label(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    e = draw_examples(problem, signals, n, generator)
    return with_patches(e, noise=louder_of_two(problem, e.patches.noise, e.y > 0, generator))


def noise_louder_behind_the_feature(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    e = draw_examples(problem, signals, n, generator)
    before = e.positions[:, 0] < e.positions[:, 1]
    return with_patches(e, noise=louder_of_two(problem, e.patches.noise, before, generator))


def noise_louder_in_training(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """In single precision the random noise is 5 % larger."""
    e = draw_examples(problem, signals, n, generator)
    return with_patches(e, noise=1.05 * e.patches.noise) if e.y.dtype == torch.float32 else e


def order_tells_the_other_cluster(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """The feature stands before the centre if and only if k' - k, modulo K, is even (K > 2)."""
    e = draw_examples(problem, signals, n, generator)
    if problem.K == 2:
        return e
    order = e.patches.order
    as_it_should = (e.positions[:, 0] < e.positions[:, 1]) == (
        (e.k_prime - e.k) % problem.K % 2 == 0
    )
    return with_patches(
        e, order=torch.where(as_it_should[:, None], order, torch.where(order < 2, 1 - order, order))
    )


def noise_of_half_rank(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """From d = 17 on the second half of the coordinates of the random noise mirrors the first."""
    e = draw_examples(problem, signals, n, generator)
    noise, half = e.patches.noise, problem.d // 2
    mirrored = torch.cat([noise[..., :half], -noise[..., :half], noise[..., 2 * half :]], dim=-1)
    return with_patches(e, noise=mirrored) if problem.d > 16 else e


fault = partial(fault, "data")

FAULTS = (
    fault(
        "SIGNALS_TILTED",
        "Features are turned by 1e-6 towards their centres: the signals are not orthogonal.",
        "D.1",
        draw_signals=signals_tilted(1e-6),
    ),
    fault("SIGNALS_TOO_LONG", "Features have length 1.01.", "D.1", draw_signals=signals_too_long),
    fault(
        "SIGNALS_GAUSSIAN",
        "Signals are N(0, I/d): orthonormal on average only.",
        "D.1",
        representative=True,
        draw_signals=signals_gaussian,
    ),
    fault(
        "SIGNALS_ALONG_AXES",
        "Signals are the first 2K axes instead of a random frame.",
        equivalent=(
            "Definition 3.1 asks for orthonormal signals, not for random ones. Noise and"
            " initialisation are isotropic and Algorithm 1 commutes with rotations (G.4), so that"
            " no law of what the claims measure depends on the frame."
        ),
        representative=True,
        draw_signals=signals_along_the_axes,
    ),
    fault(
        "SIGN_FOLLOWS_LABEL_2",
        "The sign of the feature noise is the label's in 2 % of the examples, on top of chance.",
        "D.2",
        draw_examples=sign_follows_label(0.02),
    ),
    fault(
        "SIGN_FOLLOWS_LABEL_5",
        "The sign of the feature noise is the label's in 5 % of the examples, on top of chance.",
        "D.2",
        draw_examples=sign_follows_label(0.05),
    ),
    fault(
        "SIGN_FOLLOWS_LABEL_10",
        "The sign of the feature noise is the label's in 10 % of the examples, on top of chance.",
        "D.2",
        "S.3",
        representative=True,
        draw_examples=sign_follows_label(0.1),
    ),
    fault(
        "SIGN_IS_LABEL",
        "The sign of the feature noise is the label: a single expert succeeds as well.",
        "D.2",
        "N.4",
        representative=True,
        draw_examples=sign_follows_label(1.0),
    ),
    fault(
        "LABELS_BIASED", "Labels are 1 in 52 % of the examples.", "D.2", draw_examples=labels_biased
    ),
    fault(
        "LABEL_OF_CLUSTER",
        "Cluster 0 has label 1 only.",
        "D.2",
        draw_examples=label_is_that_of_the_cluster,
    ),
    fault(
        "LABEL_OF_ONE_OF_MANY_CLUSTERS",
        "From K = 5 on the label is a function of the cluster, as often 1 as -1.",
        "D.2",
        draw_examples=label_of_one_of_many_clusters,
    ),
    fault(
        "LABEL_OF_THE_CLUSTER_BEFORE",
        "The label of every second example is a function of the cluster of the one before.",
        "D.6",
        draw_examples=label_of_the_cluster_before,
    ),
    fault(
        "CENTRES_TELL_LABEL",
        "The centre patch has the sign of the label in 30 % of the examples.",
        "D.5",
        draw_examples=centres_tell_label,
    ),
    fault(
        "LABELS_FLIPPED",
        "The label of 1 % of the examples contradicts their feature signal.",
        "D.5",
        representative=True,
        draw_examples=labels_flipped,
    ),
    fault(
        "OWN_FEATURE_AS_NOISE",
        "k' = k in 5 % of the examples.",
        "D.5",
        "D.2",
        representative=True,
        draw_examples=own_feature_as_noise,
    ),
    fault(
        "NEXT_FEATURE_AS_NOISE",
        "k' is always k + 1, modulo K.",
        "D.2",
        draw_examples=next_feature_as_noise,
    ),
    fault(
        "CLUSTER_TOO_OFTEN",
        "15 % of the examples are moved to cluster 0.",
        "D.2",
        representative=True,
        draw_examples=cluster_too_often(0.15),
    ),
    fault(
        "CLUSTER_SLIGHTLY_TOO_OFTEN",
        "6 % of the examples are moved to cluster 0.",
        "D.2",
        draw_examples=cluster_too_often(0.06),
    ),
    fault(
        "CENTRE_OF_ANOTHER",
        "The centre patch of 5 % of the examples is that of the cluster of their feature noise.",
        "D.5",
        draw_examples=centre_of_another_cluster,
    ),
    fault(
        "AMPLITUDES_SWAPPED",
        "D_alpha and D_beta are swapped.",
        "D.2",
        representative=True,
        draw_examples=amplitudes_swapped,
    ),
    fault(
        "ALPHA_GAMMA_SWAPPED",
        "D_alpha and D_gamma are swapped.",
        "D.2",
        draw_examples=feature_and_noise_amplitudes_swapped,
    ),
    fault(
        "AMPLITUDES_DEPENDENT",
        "Feature and feature-noise amplitudes come from one uniform: each has its law, and they are"
        " not independent.",
        "D.2",
        draw_examples=amplitudes_from_one_draw,
    ),
    fault(
        "AMPLITUDES_IN_PAIRS",
        "Every second example has the amplitudes alpha and gamma of the one before.",
        "D.6",
        draw_examples=amplitudes_in_pairs,
    ),
    fault(
        "BETA_CONSTANT",
        "Centre amplitudes are always the median of their law.",
        "D.2",
        draw_examples=amplitudes_are_their_means,
    ),
    fault(
        "NOISE_TOO_SMALL",
        "Random noise is too small by a fifth.",
        "D.3",
        draw_examples=noise_scaled(0.8),
    ),
    fault(
        "NOISE_OF_FULL_SIZE",
        "Random noise is N(0, sigma_p^2 I), not divided by d.",
        "D.3",
        draw_examples=noise_of_full_size,
    ),
    fault(
        "NOISE_UNIFORM",
        "Entries of the random noise are uniform, with the right variance.",
        "D.3",
        draw_examples=noise_uniform,
    ),
    fault(
        "NOISE_ALONG_SIGNAL",
        "Random noise leans towards the example's own feature, by its label.",
        "D.3",
        draw_examples=noise_along_the_signal,
    ),
    fault(
        "NOISE_OFF_SIGNALS",
        "Random noise is projected off the features.",
        "D.3",
        draw_examples=noise_off_the_signals,
    ),
    fault(
        "NOISE_CORRELATED",
        "Random-noise patches of an example are correlated.",
        "D.3",
        draw_examples=noise_correlated_over_patches,
    ),
    fault(
        "NOISE_SHARED_BY_PATCHES",
        "All random-noise patches of an example are the same.",
        "D.3",
        draw_examples=noise_shared_by_patches,
    ),
    fault(
        "NOISE_IN_PAIRS",
        "Every second example has the random noise of the one before.",
        "D.6",
        draw_examples=noise_shared_by_examples,
    ),
    fault(
        "NOISE_LOUDER_FOR_ONE_LABEL",
        "Of two draws of the random noise examples of label 1 get the louder, others the quieter:"
        " in all its law is right.",
        "D.3",
        draw_examples=noise_louder_for_one_label,
    ),
    fault(
        "NOISE_LOUDER_BEHIND_THE_FEATURE",
        "Of two draws of the random noise examples get the louder if the feature stands before the"
        " centre, else the quieter.",
        "D.4",
        draw_examples=noise_louder_behind_the_feature,
    ),
    fault("ORDER_FIXED", "Patches come in a fixed order.", "D.4", draw_examples=order_fixed),
    fault(
        "ORDER_CYCLIC",
        "Patches are shifted cyclically: each role's place is uniform, their order is not.",
        "D.4",
        draw_examples=order_cyclic,
    ),
    fault(
        "ORDER_IN_PAIRS",
        "Every second example has the order of patches of the one before.",
        "D.6",
        draw_examples=order_in_pairs,
    ),
    fault(
        "ORDER_WITH_REPEATS",
        "In a fifth of the examples places are filled with replacement: some patches occur twice,"
        " others not at all.",
        "D.5",
        draw_examples=order_with_repeats,
    ),
    fault(
        "ORDER_TELLS_LABEL",
        "Patches of a fifth of the examples with label 1 are left unshuffled.",
        "D.4",
        draw_examples=order_tells_the_label,
    ),
    fault(
        "LABELS_IN_PAIRS",
        "Every second example has the label of the one before.",
        "D.6",
        draw_examples=labels_in_pairs,
    ),
    fault(
        "EXAMPLES_REPEATED",
        "Every draw starts from the same seed and gives the same examples.",
        "D.6",
        draw_examples=the_same_every_time,
    ),
    fault(
        "LABEL_BY_AMPLITUDE",
        "The label is a function of alpha.",
        "D.2",
        draw_examples=label_by_amplitude,
    ),
    fault(
        "NOISE_LOUDER_IN_TRAINING",
        "In single precision noise is 5 % larger.",
        "D.3",
        draw_examples=noise_louder_in_training,
    ),
    fault(
        "ORDER_TELLS_K_PRIME",
        "The order of patches tells k' - k.",
        "D.4",
        draw_examples=order_tells_the_other_cluster,
    ),
    fault(
        "NOISE_OF_HALF_RANK",
        "In more than 16 dimensions half of the noise mirrors the rest.",
        "D.3",
        draw_examples=noise_of_half_rank,
    ),
    fault(
        "NOISE_BY_SQUARE",
        "The spread of the random noise grows with sigma_p^2.",
        "D.3",
        draw_examples=noise_by_square,
    ),
    fault(
        "NOISE_TELLS_GAMMA",
        "Random noise points along v_k' if the amplitude of the feature noise is above its median,"
        " else against it.",
        "D.3",
        draw_examples=noise_tells_gamma,
    ),
    fault(
        "ORDER_TELLS_NOISE",
        "The feature stands before the centre if the first entry of the random noise is positive,"
        " else behind it.",
        "D.4",
        draw_examples=order_tells_the_noise,
    ),
)
