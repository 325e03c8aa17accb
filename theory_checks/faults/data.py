"""Faults of the data law (Definition 3.1)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from core import Examples, Problem, Signals
from core.data import draw_examples, draw_signals
from theory_checks.experiments.scenarios import DrawExamples
from theory_checks.faults.fault import Ingredients, fault


@dataclass(frozen=True)
class Given:
    """What examples were drawn from."""

    problem: Problem
    signals: Signals
    generator: torch.Generator


def changed(change: Callable[[Examples, Given], Examples]) -> DrawExamples:
    """draw_examples whose examples are changed afterwards."""

    @wraps(change)
    def draw(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
        e = draw_examples(problem, signals, n, generator)
        return change(e, Given(problem, signals, generator))

    return draw


def with_patches(e: Examples, **changes: Any) -> Examples:
    """The examples with other patches."""
    return replace(e, patches=replace(e.patches, **changes))


def with_latents(e: Examples, given: Given, **latents: Any) -> Examples:
    """The examples with other labels, signs, clusters or amplitudes, and the patches that these
    make."""
    e = replace(e, **latents)
    return with_patches(
        e,
        which=torch.stack([e.k, given.problem.K + e.k, e.k_prime], dim=1),
        coefficient=torch.stack([e.y * e.alpha, e.beta, e.eps * e.gamma], dim=1),
    )


def some(e: Examples, share: float, given: Given) -> Tensor:
    """Each of the n examples with probability `share`, as booleans (n,)."""
    return torch.rand(len(e.y), generator=given.generator, device=given.generator.device) < share


def of_the_one_before(values: Tensor) -> Tensor:
    """Examples 1, 3, 5, ... get the values of 0, 2, 4, ...: (n, ...) to (n, ...)."""
    return values[torch.arange(len(values), device=values.device) // 2 * 2]


# Signals


def tilted(angle: float) -> Any:
    """draw_signals whose features are turned by an angle towards their cluster's centre."""

    def draw(problem: Problem, generator: torch.Generator) -> Signals:
        found = draw_signals(problem, generator)
        return replace(
            found, features=math.cos(angle) * found.features + math.sin(angle) * found.centres
        )

    return draw


@fault(noticed_by="D.1")
def signals_tilted() -> Ingredients:
    """Features are turned by 1e-6 towards their centres: the signals are not orthogonal."""
    return {"draw_signals": tilted(1e-6)}


@fault("draw_signals", noticed_by="D.1")
def signals_too_long(problem: Problem, generator: torch.Generator) -> Signals:
    """Features have length 1.01."""
    found = draw_signals(problem, generator)
    return replace(found, features=1.01 * found.features)


@fault("draw_signals", noticed_by="D.1", representative=True)
def signals_gaussian(problem: Problem, generator: torch.Generator) -> Signals:
    """Signals are N(0, I/d): orthonormal on average only."""
    frame = (
        torch.randn(2 * problem.K, problem.d, generator=generator, dtype=torch.float64)
        / problem.d**0.5
    )
    return Signals(frame[: problem.K], frame[problem.K :])


@fault(
    "draw_signals",
    equivalent=(
        "Definition 3.1 asks for orthonormal signals, not for random ones. Noise and initialisation"
        " are isotropic and Algorithm 1 commutes with rotations (G.4), so that no law of what the"
        " claims measure depends on the frame."
    ),
    representative=True,
)
def signals_along_axes(problem: Problem, generator: torch.Generator) -> Signals:
    """Signals are the first 2K axes instead of a random frame."""
    frame = torch.eye(problem.d, dtype=torch.float64, device=generator.device)[: 2 * problem.K]
    return Signals(frame[: problem.K], frame[problem.K :])


# Labels, signs, clusters


def sign_is_label_in(share: float) -> DrawExamples:
    """draw_examples in which this share of the examples has eps = y, on top of chance."""
    return changed(
        lambda e, given: with_latents(e, given, eps=torch.where(some(e, share, given), e.y, e.eps))
    )


@fault(noticed_by="D.2")
def sign_follows_label_2() -> Ingredients:
    """The sign of the feature noise is the label's in 2 % of the examples, on top of chance."""
    return {"draw_examples": sign_is_label_in(0.02)}


@fault(noticed_by="D.2")
def sign_follows_label_5() -> Ingredients:
    """The sign of the feature noise is the label's in 5 % of the examples, on top of chance."""
    return {"draw_examples": sign_is_label_in(0.05)}


@fault(noticed_by=("D.2", "S.3"), representative=True)
def sign_follows_label_10() -> Ingredients:
    """The sign of the feature noise is the label's in 10 % of the examples, on top of chance."""
    return {"draw_examples": sign_is_label_in(0.1)}


@fault(noticed_by=("D.2", "N.4"), representative=True)
def sign_is_label() -> Ingredients:
    """The sign of the feature noise is the label: a single expert succeeds as well."""
    return {"draw_examples": sign_is_label_in(1.0)}


@fault("draw_examples", noticed_by="D.2")
@changed
def labels_biased(e: Examples, given: Given) -> Examples:
    """Labels are 1 in 52 % of the examples."""
    return with_latents(e, given, y=torch.where(some(e, 0.04, given), 1.0, e.y))


@fault("draw_examples", noticed_by="D.2")
@changed
def label_of_cluster(e: Examples, given: Given) -> Examples:
    """Cluster 0 has label 1 only."""
    return with_latents(e, given, y=torch.where(e.k == 0, 1.0, e.y))


@fault("draw_examples", noticed_by="D.5", representative=True)
@changed
def labels_flipped(e: Examples, given: Given) -> Examples:
    """The label of 1 % of the examples contradicts their feature signal."""
    return replace(e, y=torch.where(some(e, 0.01, given), -e.y, e.y))


@fault("draw_examples", noticed_by=("D.5", "D.2"), representative=True)
@changed
def own_feature_as_noise(e: Examples, given: Given) -> Examples:
    """k' = k in 5 % of the examples."""
    return with_latents(e, given, k_prime=torch.where(some(e, 0.05, given), e.k, e.k_prime))


@fault("draw_examples", noticed_by="D.2")
@changed
def next_feature_as_noise(e: Examples, given: Given) -> Examples:
    """k' is always k + 1, modulo K."""
    return with_latents(e, given, k_prime=(e.k + 1) % given.problem.K)


def moved_to_cluster_0(share: float) -> DrawExamples:
    """draw_examples in which this share of the examples is moved to cluster 0."""

    @changed
    def draw(e: Examples, given: Given) -> Examples:
        k = torch.where(some(e, share, given), 0, e.k)
        return with_latents(e, given, k=k, k_prime=(k + e.k_prime - e.k) % given.problem.K)

    return draw


@fault(noticed_by="D.2", representative=True)
def cluster_too_often() -> Ingredients:
    """15 % of the examples are moved to cluster 0."""
    return {"draw_examples": moved_to_cluster_0(0.15)}


@fault(noticed_by="D.2")
def cluster_slightly_too_often() -> Ingredients:
    """6 % of the examples are moved to cluster 0."""
    return {"draw_examples": moved_to_cluster_0(0.06)}


@fault("draw_examples", noticed_by="D.5")
@changed
def centre_of_another(e: Examples, given: Given) -> Examples:
    """The centre patch of 5 % of the examples is that of the cluster of their feature noise."""
    centre = torch.where(some(e, 0.05, given), e.k_prime, e.k)
    return with_patches(e, which=torch.stack([e.k, given.problem.K + centre, e.k_prime], dim=1))


@fault("draw_examples", noticed_by="D.5")
@changed
def centres_tell_label(e: Examples, given: Given) -> Examples:
    """The centre patch has the sign of the label in 30 % of the examples."""
    sign = torch.where(some(e, 0.3, given), e.y, 1.0)
    alpha, beta, gamma = e.patches.coefficient.unbind(dim=1)
    return with_patches(e, coefficient=torch.stack([alpha, sign * beta, gamma], dim=1))


# Amplitudes


@fault("draw_examples", noticed_by="D.2", representative=True)
def amplitudes_swapped(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """D_alpha and D_beta are swapped."""
    return draw_examples(
        replace(problem, alpha=problem.beta, beta=problem.alpha), signals, n, generator
    )


@fault("draw_examples", noticed_by="D.2")
def alpha_gamma_swapped(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """D_alpha and D_gamma are swapped."""
    return draw_examples(
        replace(problem, alpha=problem.gamma, gamma=problem.alpha), signals, n, generator
    )


@fault("draw_examples", noticed_by="D.2")
@changed
def amplitudes_dependent(e: Examples, given: Given) -> Examples:
    """Feature and feature-noise amplitudes come from one uniform: each has its law, and they are
    not independent."""
    u = torch.rand(
        len(e.y), generator=given.generator, device=given.generator.device, dtype=e.alpha.dtype
    )
    return with_latents(
        e, given, alpha=given.problem.alpha.quantile(u), gamma=given.problem.gamma.quantile(u)
    )


@fault("draw_examples", noticed_by="D.6")
@changed
def amplitudes_in_pairs(e: Examples, given: Given) -> Examples:
    """Every second example has the amplitudes alpha and gamma of the one before."""
    return with_latents(
        e, given, alpha=of_the_one_before(e.alpha), gamma=of_the_one_before(e.gamma)
    )


@fault("draw_examples", noticed_by="D.2")
@changed
def beta_constant(e: Examples, given: Given) -> Examples:
    """Centre amplitudes are always the median of their law."""
    middle = torch.full_like(e.beta, 0.5)
    return with_latents(e, given, beta=given.problem.beta.quantile(middle))


# Random noise


def noise_scaled(factor: float) -> DrawExamples:
    """draw_examples whose random noise is multiplied by a factor."""
    return changed(lambda e, given: with_patches(e, noise=factor * e.patches.noise))


@fault(noticed_by="D.3")
def noise_too_small() -> Ingredients:
    """Random noise is a fifth too small."""
    return {"draw_examples": noise_scaled(0.8)}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_of_full_size(e: Examples, given: Given) -> Examples:
    """Random noise is N(0, sigma_p^2 I), not divided by d."""
    return with_patches(e, noise=math.sqrt(given.problem.d) * e.patches.noise)


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_by_square(e: Examples, given: Given) -> Examples:
    """The spread of the random noise grows with sigma_p^2."""
    return with_patches(e, noise=given.problem.sigma_p * e.patches.noise)


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_tells_gamma(e: Examples, given: Given) -> Examples:
    """Random noise points along v_k' if the amplitude of the feature noise is above its median,
    else against it."""
    noise = e.patches.noise
    along = (noise[:, 0] * given.signals.features[e.k_prime]).sum(dim=1)
    median = float(given.problem.gamma.quantile(torch.tensor([0.5]))[0])
    agree = (along > 0) == (e.gamma > median)
    return with_patches(e, noise=torch.where(agree[:, None, None], noise, -noise))


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_uniform(e: Examples, given: Given) -> Examples:
    """Entries of the random noise are uniform, with the right variance."""
    u = torch.rand(
        e.patches.noise.shape,
        generator=given.generator,
        device=given.generator.device,
        dtype=e.patches.noise.dtype,
    )
    return with_patches(
        e, noise=(2 * u - 1) * (given.problem.sigma_p * math.sqrt(3 / given.problem.d))
    )


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_along_signal(e: Examples, given: Given) -> Examples:
    """Random noise leans towards the example's own feature, by its label."""
    shift = (
        0.3
        * given.problem.sigma_p
        / given.problem.d**0.5
        * e.y[:, None]
        * given.signals.features[e.k]
    )
    return with_patches(e, noise=e.patches.noise + shift[:, None])


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_off_signals(e: Examples, given: Given) -> Examples:
    """Random noise is projected off the features."""
    noise, v = e.patches.noise, given.signals.features
    return with_patches(e, noise=noise - noise @ v.mT @ v)


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_correlated(e: Examples, given: Given) -> Examples:
    """Random-noise patches of an example are correlated."""
    noise = e.patches.noise
    return with_patches(e, noise=0.7**0.5 * noise + 0.3**0.5 * noise.roll(1, dims=1))


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_shared_by_patches(e: Examples, given: Given) -> Examples:
    """All random-noise patches of an example are the same."""
    return with_patches(e, noise=e.patches.noise[:, :1].expand_as(e.patches.noise).contiguous())


@fault("draw_examples", noticed_by="D.6")
@changed
def noise_in_pairs(e: Examples, given: Given) -> Examples:
    """Every second example has the random noise of the one before."""
    return with_patches(e, noise=of_the_one_before(e.patches.noise))


# Order of patches and of examples


@fault("draw_examples", noticed_by="D.4")
@changed
def order_fixed(e: Examples, given: Given) -> Examples:
    """Patches come in a fixed order."""
    return with_patches(
        e, order=torch.arange(given.problem.P, device=e.y.device).expand(len(e.y), -1).contiguous()
    )


@fault("draw_examples", noticed_by="D.4")
@changed
def order_cyclic(e: Examples, given: Given) -> Examples:
    """Patches are shifted cyclically: each role's place is uniform, their order is not."""
    shift = torch.randint(
        0, given.problem.P, (len(e.y), 1), generator=given.generator, device=given.generator.device
    )
    return with_patches(
        e, order=(torch.arange(given.problem.P, device=shift.device) + shift) % given.problem.P
    )


@fault("draw_examples", noticed_by="D.6")
@changed
def order_in_pairs(e: Examples, given: Given) -> Examples:
    """Every second example has the order of patches of the one before."""
    return with_patches(e, order=of_the_one_before(e.patches.order))


@fault("draw_examples", noticed_by="D.5")
@changed
def order_with_repeats(e: Examples, given: Given) -> Examples:
    """In a fifth of the examples places are filled with replacement: some patches occur twice,
    others not at all."""
    places = torch.randint(
        0,
        given.problem.P,
        (len(e.y), given.problem.P),
        generator=given.generator,
        device=given.generator.device,
    )
    return with_patches(e, order=torch.where(some(e, 0.2, given)[:, None], places, e.patches.order))


@fault("draw_examples", noticed_by="D.4")
@changed
def order_tells_label(e: Examples, given: Given) -> Examples:
    """Patches of a fifth of the examples with label 1 are left unshuffled."""
    sorted_order = torch.arange(given.problem.P, device=e.y.device).expand(len(e.y), -1)
    chosen = some(e, 0.2, given) & (e.y > 0)
    return with_patches(e, order=torch.where(chosen[:, None], sorted_order, e.patches.order))


@fault("draw_examples", noticed_by="D.4")
@changed
def order_tells_noise(e: Examples, given: Given) -> Examples:
    """The feature stands before the centre if the first entry of the random noise is positive, else
    behind it."""
    order, first = e.patches.order, e.positions[:, 0] < e.positions[:, 1]
    swapped = torch.where(order < 2, 1 - order, order)
    return with_patches(
        e,
        order=torch.where((first == (e.patches.noise[:, 0, 0] > 0))[:, None], order, swapped),
    )


@fault("draw_examples", noticed_by="D.6")
@changed
def labels_in_pairs(e: Examples, given: Given) -> Examples:
    """Every second example has the label of the one before."""
    return with_latents(e, given, y=of_the_one_before(e.y))


@fault("draw_examples", noticed_by="D.6")
def examples_repeated(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """Every draw starts from the same seed and gives the same examples."""
    return draw_examples(problem, signals, n, torch.Generator(generator.device).manual_seed(1))


@fault("draw_examples", noticed_by="D.2")
@changed
def label_by_amplitude(e: Examples, given: Given) -> Examples:
    """The label is a function of alpha.

    It is the Thue-Morse sign of alpha's sixteenth of its range: as often 1 above the median as
    below.
    """
    low, high = given.problem.alpha.support
    part = ((e.alpha - low) / max(high - low, 1e-9) * 16).long().clamp(0, 15)
    parity = (part ^ (part >> 1) ^ (part >> 2) ^ (part >> 3)) & 1
    return with_latents(e, given, y=(1 - 2 * parity).to(e.y))


def sign_of(index: Tensor, K: int, otherwise: Tensor) -> Tensor:
    """1 for even, -1 for odd clusters; if their number is odd the last keeps what it has, so that
    both are equally frequent."""
    return torch.where(
        (index == K - 1) & (K % 2 == 1), otherwise, (1 - 2 * (index % 2)).to(otherwise)
    )


@fault("draw_examples", noticed_by="D.2")
@changed
def label_of_one_of_many_clusters(e: Examples, given: Given) -> Examples:
    """From K = 5 on the label is a function of the cluster, as often 1 as -1."""
    return (
        with_latents(e, given, y=sign_of(e.k, given.problem.K, e.y)) if given.problem.K > 4 else e
    )


@fault("draw_examples", noticed_by="D.6")
@changed
def label_of_the_cluster_before(e: Examples, given: Given) -> Examples:
    """The label of every second example is a function of the cluster of the one before."""
    known = sign_of(of_the_one_before(e.k), given.problem.K, e.y)
    odd = torch.arange(len(e.y), device=e.y.device) % 2 == 1
    return with_latents(e, given, y=torch.where(odd, known, e.y))


def louder_of_two(
    problem: Problem, noise: Tensor, louder: Tensor, generator: torch.Generator
) -> Tensor:
    """The louder or the quieter of this random noise (n, P - 3, d) and another draw; the law stays
    if both are equally frequent."""
    other = (
        torch.randn(noise.shape, generator=generator, device=noise.device, dtype=noise.dtype)
        * problem.sigma_p
        / problem.d**0.5
    )
    is_louder = noise.square().sum(dim=(1, 2)) > other.square().sum(dim=(1, 2))
    return torch.where((is_louder == louder)[:, None, None], noise, other)


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_louder_for_one_label(e: Examples, given: Given) -> Examples:
    """Of two draws of the random noise, examples with label 1 get the louder, others the quieter;
    its overall law is right."""
    return with_patches(
        e, noise=louder_of_two(given.problem, e.patches.noise, e.y > 0, given.generator)
    )


@fault("draw_examples", noticed_by="D.4")
@changed
def noise_louder_behind_the_feature(e: Examples, given: Given) -> Examples:
    """Of two draws of the random noise, examples get the louder if the feature stands before the
    centre, else the quieter."""
    before = e.positions[:, 0] < e.positions[:, 1]
    return with_patches(
        e, noise=louder_of_two(given.problem, e.patches.noise, before, given.generator)
    )


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_louder_in_training(e: Examples, given: Given) -> Examples:
    """In single precision noise is 5 % larger."""
    return with_patches(e, noise=1.05 * e.patches.noise) if e.y.dtype == torch.float32 else e


@fault("draw_examples", noticed_by="D.4")
@changed
def order_tells_k_prime(e: Examples, given: Given) -> Examples:
    """The order of the patches reveals k' - k.

    The feature stands before the centre if and only if k' - k, modulo K, is even (K > 2).
    """
    if given.problem.K == 2:
        return e
    order = e.patches.order
    as_it_should = (e.positions[:, 0] < e.positions[:, 1]) == (
        (e.k_prime - e.k) % given.problem.K % 2 == 0
    )
    return with_patches(
        e, order=torch.where(as_it_should[:, None], order, torch.where(order < 2, 1 - order, order))
    )


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_of_half_rank(e: Examples, given: Given) -> Examples:
    """In more than 16 dimensions half of the noise mirrors the rest.

    From d = 17 on the second half of the coordinates of the random noise mirrors the first.
    """
    noise, half = e.patches.noise, given.problem.d // 2
    mirrored = torch.cat([noise[..., :half], -noise[..., :half], noise[..., 2 * half :]], dim=-1)
    return with_patches(e, noise=mirrored) if given.problem.d > 16 else e
