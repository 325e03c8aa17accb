"""Faults of the data law (Definition 3.1)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any

import torch
from torch import Tensor

from core import Examples, Problem, Signals
from core.data import draw_examples, draw_signals
from theory_checks.experiments.scenarios import DrawExamples
from theory_checks.faults.fault import Ingredients, fault

Changes = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Drawn(Examples):
    """Examples, and what they were drawn from."""

    problem: Problem
    signals: Signals
    generator: torch.Generator

    def some(self, share: float) -> Tensor:
        """Each of the n examples with probability `share`, as booleans (n,)."""
        draws = torch.rand(len(self.y), generator=self.generator, device=self.generator.device)
        return draws < share

    def uniform(self, shape: tuple[int, ...]) -> Tensor:
        """Unif[0, 1]."""
        return torch.rand(shape, generator=self.generator, device=self.y.device, dtype=self.y.dtype)

    def places(self, columns: int) -> Tensor:
        """Uniform places of patches, (n, columns)."""
        shape = (len(self.y), columns)
        return torch.randint(
            0, self.problem.P, shape, generator=self.generator, device=self.y.device
        )

    @property
    def unshuffled(self) -> Tensor:
        """The order in which each patch is the piece of its number, (n, P)."""
        return torch.arange(self.problem.P, device=self.y.device).expand_as(self.patches.order)

    @property
    def feature_first(self) -> Tensor:
        """Whether the feature stands before the centre, (n,)."""
        return self.positions[:, 0] < self.positions[:, 1]

    def order_with_feature_first(self, where: Tensor) -> Tensor:
        """The order of the patches, with the feature before the centre in these examples only."""
        order = self.patches.order
        swapped = torch.where(order < 2, 1 - order, order)
        return torch.where((self.feature_first == where)[:, None], order, swapped)


def changed(change: Callable[[Drawn], Changes]) -> DrawExamples:
    """draw_examples with some fields replaced: of Examples, from which `which` and `coefficient` of
    the patches follow, and of Patches."""

    @wraps(change)
    def draw(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
        e = draw_examples(problem, signals, n, generator)
        changes = change(Drawn(**vars(e), problem=problem, signals=signals, generator=generator))
        latent: dict[str, Any] = {name: changes[name] for name in changes.keys() & vars(e).keys()}
        e = replace(e, **latent)
        follow = {
            "which": torch.stack([e.k, problem.K + e.k, e.k_prime], dim=1),
            "coefficient": torch.stack([e.y * e.alpha, e.beta, e.eps * e.gamma], dim=1),
        }
        follow |= {name: changes[name] for name in changes.keys() - latent.keys()}
        return replace(e, patches=replace(e.patches, **follow))

    return draw


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
    shape = (2 * problem.K, problem.d)
    frame = torch.randn(shape, generator=generator, dtype=torch.float64) / problem.d**0.5
    return Signals(*frame.split(problem.K))


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
    frame = torch.eye(2 * problem.K, problem.d, dtype=torch.float64, device=generator.device)
    return Signals(*frame.split(problem.K))


# Labels, signs, clusters


def sign_is_label_in(share: float) -> DrawExamples:
    """draw_examples in which this share of the examples has eps = y, on top of chance."""
    return changed(lambda e: {"eps": torch.where(e.some(share), e.y, e.eps)})


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
def labels_biased(e: Drawn) -> Changes:
    """Labels are 1 in 52 % of the examples."""
    return {"y": torch.where(e.some(0.04), 1.0, e.y)}


@fault("draw_examples", noticed_by="D.2")
@changed
def label_of_cluster(e: Drawn) -> Changes:
    """Cluster 0 has label 1 only."""
    return {"y": torch.where(e.k == 0, 1.0, e.y)}


@fault("draw_examples", noticed_by="D.5", representative=True)
@changed
def labels_flipped(e: Drawn) -> Changes:
    """The label of 1 % of the examples contradicts their feature signal."""
    flipped = torch.where(e.some(0.01), -e.y, e.y)
    return {"y": flipped, "coefficient": e.patches.coefficient}


@fault("draw_examples", noticed_by=("D.5", "D.2"), representative=True)
@changed
def own_feature_as_noise(e: Drawn) -> Changes:
    """k' = k in 5 % of the examples."""
    return {"k_prime": torch.where(e.some(0.05), e.k, e.k_prime)}


@fault("draw_examples", noticed_by="D.2")
@changed
def next_feature_as_noise(e: Drawn) -> Changes:
    """k' is always k + 1, modulo K."""
    return {"k_prime": (e.k + 1) % e.problem.K}


def moved_to_cluster_0(share: float) -> DrawExamples:
    """draw_examples in which this share of the examples is moved to cluster 0."""

    @changed
    def draw(e: Drawn) -> Changes:
        k = torch.where(e.some(share), 0, e.k)
        return {"k": k, "k_prime": (k + e.k_prime - e.k) % e.problem.K}

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
def centre_of_another(e: Drawn) -> Changes:
    """The centre patch of 5 % of the examples is that of the cluster of their feature noise."""
    centre = torch.where(e.some(0.05), e.k_prime, e.k)
    return {"which": torch.stack([e.k, e.problem.K + centre, e.k_prime], dim=1)}


@fault("draw_examples", noticed_by="D.5")
@changed
def centres_tell_label(e: Drawn) -> Changes:
    """The centre patch has the sign of the label in 30 % of the examples."""
    sign = torch.where(e.some(0.3), e.y, 1.0)
    alpha, beta, gamma = e.patches.coefficient.unbind(dim=1)
    return {"coefficient": torch.stack([alpha, sign * beta, gamma], dim=1)}


# Amplitudes


def with_laws_of(**others: str) -> DrawExamples:
    """draw_examples in which some amplitudes have the laws of others."""

    def draw(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
        laws = {name: getattr(problem, other) for name, other in others.items()}
        return draw_examples(replace(problem, **laws), signals, n, generator)

    return draw


@fault(noticed_by="D.2", representative=True)
def amplitudes_swapped() -> Ingredients:
    """D_alpha and D_beta are swapped."""
    return {"draw_examples": with_laws_of(alpha="beta", beta="alpha")}


@fault(noticed_by="D.2")
def alpha_gamma_swapped() -> Ingredients:
    """D_alpha and D_gamma are swapped."""
    return {"draw_examples": with_laws_of(alpha="gamma", gamma="alpha")}


@fault("draw_examples", noticed_by="D.2")
@changed
def amplitudes_dependent(e: Drawn) -> Changes:
    """Feature and feature-noise amplitudes come from one uniform: each has its law, and they are
    not independent."""
    u = e.uniform(e.y.shape)
    return {"alpha": e.problem.alpha.quantile(u), "gamma": e.problem.gamma.quantile(u)}


@fault("draw_examples", noticed_by="D.6")
@changed
def amplitudes_in_pairs(e: Drawn) -> Changes:
    """Every second example has the amplitudes alpha and gamma of the one before."""
    return {"alpha": of_the_one_before(e.alpha), "gamma": of_the_one_before(e.gamma)}


@fault("draw_examples", noticed_by="D.2")
@changed
def beta_constant(e: Drawn) -> Changes:
    """Centre amplitudes are always the median of their law."""
    return {"beta": e.problem.beta.quantile(torch.full_like(e.beta, 0.5))}


# Random noise


def noise_scaled(factor: float) -> DrawExamples:
    """draw_examples whose random noise is multiplied by a factor."""
    return changed(lambda e: {"noise": factor * e.patches.noise})


@fault(noticed_by="D.3")
def noise_too_small() -> Ingredients:
    """Random noise is a fifth too small."""
    return {"draw_examples": noise_scaled(0.8)}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_of_full_size(e: Drawn) -> Changes:
    """Random noise is N(0, sigma_p^2 I), not divided by d."""
    return {"noise": math.sqrt(e.problem.d) * e.patches.noise}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_by_square(e: Drawn) -> Changes:
    """The spread of the random noise grows with sigma_p^2."""
    return {"noise": e.problem.sigma_p * e.patches.noise}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_tells_gamma(e: Drawn) -> Changes:
    """Random noise points along v_k' if the amplitude of the feature noise is above its median,
    else against it."""
    noise = e.patches.noise
    along = (noise[:, 0] * e.signals.features[e.k_prime]).sum(dim=1)
    median = float(e.problem.gamma.quantile(torch.tensor([0.5]))[0])
    agree = (along > 0) == (e.gamma > median)
    return {"noise": torch.where(agree[:, None, None], noise, -noise)}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_uniform(e: Drawn) -> Changes:
    """Entries of the random noise are uniform, with the right variance."""
    u = e.uniform(e.patches.noise.shape)
    return {"noise": (2 * u - 1) * (e.problem.sigma_p * math.sqrt(3 / e.problem.d))}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_along_signal(e: Drawn) -> Changes:
    """Random noise leans towards the example's own feature, by its label."""
    size = 0.3 * e.problem.sigma_p / e.problem.d**0.5
    shift = size * e.y[:, None] * e.signals.features[e.k]
    return {"noise": e.patches.noise + shift[:, None]}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_off_signals(e: Drawn) -> Changes:
    """Random noise is projected off the features."""
    noise, v = e.patches.noise, e.signals.features
    return {"noise": noise - noise @ v.mT @ v}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_correlated(e: Drawn) -> Changes:
    """Random-noise patches of an example are correlated."""
    noise = e.patches.noise
    return {"noise": 0.7**0.5 * noise + 0.3**0.5 * noise.roll(1, dims=1)}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_shared_by_patches(e: Drawn) -> Changes:
    """All random-noise patches of an example are the same."""
    return {"noise": e.patches.noise[:, :1].expand_as(e.patches.noise).contiguous()}


@fault("draw_examples", noticed_by="D.6")
@changed
def noise_in_pairs(e: Drawn) -> Changes:
    """Every second example has the random noise of the one before."""
    return {"noise": of_the_one_before(e.patches.noise)}


# Order of patches and of examples


@fault("draw_examples", noticed_by="D.4")
@changed
def order_fixed(e: Drawn) -> Changes:
    """Patches come in a fixed order."""
    return {"order": e.unshuffled.contiguous()}


@fault("draw_examples", noticed_by="D.4")
@changed
def order_cyclic(e: Drawn) -> Changes:
    """Patches are shifted cyclically: each role's place is uniform, their order is not."""
    return {"order": (e.unshuffled + e.places(1)) % e.problem.P}


@fault("draw_examples", noticed_by="D.6")
@changed
def order_in_pairs(e: Drawn) -> Changes:
    """Every second example has the order of patches of the one before."""
    return {"order": of_the_one_before(e.patches.order)}


@fault("draw_examples", noticed_by="D.5")
@changed
def order_with_repeats(e: Drawn) -> Changes:
    """In a fifth of the examples places are filled with replacement: some patches occur twice,
    others not at all."""
    places = e.places(e.problem.P)
    return {"order": torch.where(e.some(0.2)[:, None], places, e.patches.order)}


@fault("draw_examples", noticed_by="D.4")
@changed
def order_tells_label(e: Drawn) -> Changes:
    """Patches of a fifth of the examples with label 1 are left unshuffled."""
    chosen = e.some(0.2) & (e.y > 0)
    return {"order": torch.where(chosen[:, None], e.unshuffled, e.patches.order)}


@fault("draw_examples", noticed_by="D.4")
@changed
def order_tells_noise(e: Drawn) -> Changes:
    """The feature stands before the centre if the first entry of the random noise is positive, else
    behind it."""
    return {"order": e.order_with_feature_first(e.patches.noise[:, 0, 0] > 0)}


@fault("draw_examples", noticed_by="D.6")
@changed
def labels_in_pairs(e: Drawn) -> Changes:
    """Every second example has the label of the one before."""
    return {"y": of_the_one_before(e.y)}


@fault("draw_examples", noticed_by="D.6")
def examples_repeated(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """Every draw starts from the same seed and gives the same examples."""
    return draw_examples(problem, signals, n, torch.Generator(generator.device).manual_seed(1))


@fault("draw_examples", noticed_by="D.2")
@changed
def label_by_amplitude(e: Drawn) -> Changes:
    """The label is a function of alpha.

    It is the Thue-Morse sign of alpha's sixteenth of its range: as often 1 above the median as
    below.
    """
    low, high = e.problem.alpha.support
    part = ((e.alpha - low) / max(high - low, 1e-9) * 16).long().clamp(0, 15)
    parity = (part ^ (part >> 1) ^ (part >> 2) ^ (part >> 3)) & 1
    return {"y": (1 - 2 * parity).to(e.y)}


def sign_of(index: Tensor, K: int, otherwise: Tensor) -> Tensor:
    """1 for even, -1 for odd clusters; if their number is odd the last keeps what it has, so that
    both are equally frequent."""
    return torch.where(
        (index == K - 1) & (K % 2 == 1), otherwise, (1 - 2 * (index % 2)).to(otherwise)
    )


@fault("draw_examples", noticed_by="D.2")
@changed
def label_of_one_of_many_clusters(e: Drawn) -> Changes:
    """From K = 5 on the label is a function of the cluster, as often 1 as -1."""
    return {"y": sign_of(e.k, e.problem.K, e.y)} if e.problem.K > 4 else {}


@fault("draw_examples", noticed_by="D.6")
@changed
def label_of_the_cluster_before(e: Drawn) -> Changes:
    """The label of every second example is a function of the cluster of the one before."""
    known = sign_of(of_the_one_before(e.k), e.problem.K, e.y)
    odd = torch.arange(len(e.y), device=e.y.device) % 2 == 1
    return {"y": torch.where(odd, known, e.y)}


def louder_of_two(e: Drawn, louder: Tensor) -> Changes:
    """Of the random noise and another draw the louder in these examples, in others the quieter; its
    law stays if both are equally frequent."""
    noise, problem, generator = e.patches.noise, e.problem, e.generator
    other = (
        torch.randn(noise.shape, generator=generator, device=noise.device, dtype=noise.dtype)
        * problem.sigma_p
        / problem.d**0.5
    )
    is_louder = noise.square().sum(dim=(1, 2)) > other.square().sum(dim=(1, 2))
    return {"noise": torch.where((is_louder == louder)[:, None, None], noise, other)}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_louder_for_one_label(e: Drawn) -> Changes:
    """Of two draws of the random noise, examples with label 1 get the louder, others the quieter;
    its overall law is right."""
    return louder_of_two(e, e.y > 0)


@fault("draw_examples", noticed_by="D.4")
@changed
def noise_louder_behind_the_feature(e: Drawn) -> Changes:
    """Of two draws of the random noise, examples get the louder if the feature stands before the
    centre, else the quieter."""
    return louder_of_two(e, e.feature_first)


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_louder_in_training(e: Drawn) -> Changes:
    """In single precision noise is 5 % larger."""
    return {"noise": 1.05 * e.patches.noise} if e.y.dtype == torch.float32 else {}


@fault("draw_examples", noticed_by="D.4")
@changed
def order_tells_k_prime(e: Drawn) -> Changes:
    """The order of the patches reveals k' - k.

    The feature stands before the centre if and only if k' - k, modulo K, is even (K > 2).
    """
    even = (e.k_prime - e.k) % e.problem.K % 2 == 0
    return {"order": e.order_with_feature_first(even)} if e.problem.K > 2 else {}


@fault("draw_examples", noticed_by="D.3")
@changed
def noise_of_half_rank(e: Drawn) -> Changes:
    """In more than 16 dimensions half of the noise mirrors the rest.

    From d = 17 on the second half of the coordinates of the random noise mirrors the first.
    """
    noise, half = e.patches.noise, e.problem.d // 2
    mirrored = torch.cat([noise[..., :half], -noise[..., :half], noise[..., 2 * half :]], dim=-1)
    return {"noise": mirrored} if e.problem.d > 16 else {}
