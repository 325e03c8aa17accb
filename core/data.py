"""Definition 3.1: the data distribution D, a mixture of K clusters of P patches."""

import math
import sys
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor


def is_finite(value: object) -> bool:
    """Whether value is an int or float, no bool, that a float can hold."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    )


def require_count(name: str, value: int, least: int, why: str = "") -> None:
    """Raises ValueError unless value is an int >= least."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(
            f"{name} = {value!r}: needs an int >= {least}" + (f" ({why})" if why else "")
        )


def require_positive(name: str, value: float, *, or_zero: bool = False) -> None:
    """Raises ValueError unless value is a finite float or int > 0 (>= 0 with or_zero)."""
    if not (is_finite(value) and (value > 0 or (or_zero and value == 0))):
        raise ValueError(
            f"{name} = {value!r}: needs a finite float or int {'>=' if or_zero else '>'} 0"
        )


@runtime_checkable
class AmplitudeLaw(Protocol):
    """A law on a bounded interval of positive numbers, given by its support, distribution and
    quantile functions."""

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest value that the law can take."""
        ...

    def cdf(self, amplitude: np.ndarray) -> np.ndarray:
        """P(A <= amplitude), element-wise."""
        ...

    def quantile(self, u: Tensor) -> Tensor:
        """The value below which the law has mass u, element-wise for u in [0, 1): u uniform gives a
        draw."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Unif[low, high]; low = high is the point mass."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (is_finite(self.low) and is_finite(self.high) and self.low <= self.high):
            raise ValueError(
                f"Uniform(low={self.low!r}, high={self.high!r}): needs finite low <= high, each a"
                " float or int"
            )

    @property
    def support(self) -> tuple[float, float]:
        return self.low, self.high

    def cdf(self, amplitude: np.ndarray) -> np.ndarray:
        if self.low == self.high:
            return (np.asarray(amplitude) >= self.low).astype(float)
        return np.clip((np.asarray(amplitude) - self.low) / (self.high - self.low), 0.0, 1.0)

    def quantile(self, u: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * u


@dataclass(frozen=True)
class Discrete:
    """Finitely many amplitudes, each with its own weight."""

    values: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values or len(self.values) != len(self.weights):
            raise ValueError(
                f"Discrete: {len(self.values)} values and {len(self.weights)} weights, needs"
                " equally many, >= 1"
            )
        if not all(map(is_finite, self.values)) or list(self.values) != sorted(set(self.values)):
            raise ValueError(
                f"Discrete: values {self.values} must be finite and strictly increasing"
            )
        if not all(is_finite(w) and w > 0 for w in self.weights) or not math.isclose(
            sum(self.weights), 1.0, abs_tol=1e-12
        ):
            raise ValueError(f"Discrete: weights {self.weights} must be positive and sum to 1")

    @property
    def support(self) -> tuple[float, float]:
        return self.values[0], self.values[-1]

    def cdf(self, amplitude: np.ndarray) -> np.ndarray:
        below = np.searchsorted(np.asarray(self.values), np.asarray(amplitude), side="right")
        return np.concatenate([[0.0], np.cumsum(self.weights)[:-1], [1.0]])[below]

    def quantile(self, u: Tensor) -> Tensor:
        steps = u.new_tensor(np.cumsum(self.weights)[:-1])
        return u.new_tensor(self.values)[torch.searchsorted(steps, u.contiguous(), right=True)]


PROBES = torch.tensor(
    [0.0, 0.25, 0.5, 0.75, 0.999], dtype=torch.float64
)  # where a law's draws are looked at
EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class Problem:
    """The parameters of the distribution D (Definition 3.1).

    K: clusters; d: dimension of a patch; P: patches of an example; alpha, beta, gamma: laws
    D_alpha, D_beta, D_gamma of the amplitudes of feature signal, cluster centre and feature noise,
    supported in [C1, C2]; sigma_p: scale of the random noise, whose patches are N(0, (sigma_p^2 /
    d) I_d).

    Raises ValueError unless K >= 2, d >= 2K, P >= 4, 0 < C1 <= C2, sigma_p > 0 and all laws are
    supported in [C1, C2] and draw from their support.
    """

    K: int = 4
    d: int = 64
    P: int = 4
    alpha: AmplitudeLaw = Uniform(0.5, 2.0)
    beta: AmplitudeLaw = Uniform(1.0, 2.0)
    gamma: AmplitudeLaw = Uniform(0.5, 2.0)
    sigma_p: float = 1.0
    C1: float = 0.5
    C2: float = 2.0

    def __post_init__(self) -> None:
        require_count("K", self.K, 2)
        require_count("P", self.P, 4)
        require_count("d", self.d, 2 * self.K, why="2K, the number of orthonormal signals")
        require_positive("sigma_p", self.sigma_p)
        if not (is_finite(self.C1) and is_finite(self.C2) and 0 < self.C1 <= self.C2):
            raise ValueError(
                f"[C1, C2] = [{self.C1!r}, {self.C2!r}]: needs 0 < C1 <= C2 < infinity"
            )
        for name in ("alpha", "beta", "gamma"):
            law = getattr(self, name)
            if not isinstance(law, AmplitudeLaw) or isinstance(law, type):
                raise ValueError(
                    f"D_{name} = {law!r}: needs an amplitude law with support, cdf and quantile"
                )
            low, high = law.support
            if not (self.C1 <= low <= high <= self.C2):
                raise ValueError(
                    f"D_{name} has support [{low}, {high}], which must lie in [C1, C2] ="
                    f" [{self.C1}, {self.C2}]"
                )
            drawn = law.quantile(PROBES)
            slack = (
                8 * EPS * high
            )  # for the rounding of low + (high - low) * u, or of as many operations
            outside = drawn[~((low - slack <= drawn) & (drawn <= high + slack))]
            if outside.numel() > 0:
                raise ValueError(
                    f"D_{name} draws {outside[0]}, which must lie in its support [{low}, {high}]"
                )


@dataclass(frozen=True, eq=False)
class Signals:
    """The 2K orthonormal signal vectors: features v_k and centres c_k, each (..., K, d)."""

    features: Tensor
    centres: Tensor


@dataclass(frozen=True, eq=False)
class Patches:
    """x^(1), ..., x^(P) of n examples; leading axes (...) are replicates.

    Patches along a signal are kept as multiples of a vector, so that inner products with them cost
    one look-up: an example consists of Q pieces coefficient[q] * dictionary[which[q]] and P - Q
    other pieces, and its patch p is piece order[p].

    dictionary: (..., D, d); which, coefficient: (..., n, Q); noise: the other pieces (..., n, P -
    Q, d); order: (..., n, P).
    """

    dictionary: Tensor
    which: Tensor
    coefficient: Tensor
    noise: Tensor
    order: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "Patches":
        """Arbitrary patches (..., n, P, d), none of them known to lie along a signal."""
        *lead, n, P, d = x.shape
        order = torch.arange(P, device=x.device).expand(*lead, n, P)
        nothing = x.new_empty(*lead, n, 0)
        return cls(x.new_empty(*lead, 0, d), nothing.long(), nothing, x, order)

    @cached_property
    def place(self) -> Tensor:
        """At which of the P patches each piece stands, (..., n, P): the inverse of `order`."""
        return self.order.argsort(dim=-1)

    @cached_property
    def replicate(self) -> Tensor:
        """The number of each replicate, (..., 1, 1)."""
        lead = self.dictionary.shape[:-2]
        return torch.arange(lead.numel(), device=self.order.device).view(*lead, 1, 1)

    @cached_property
    def vector(self) -> Tensor:
        """Which vector each patch is a multiple of, (..., n, P): row among all dictionaries, then
        all other pieces."""
        dictionaries, others = self.dictionary[..., 0], self.noise[..., 0]
        which = self.which + dictionaries.shape[-1] * self.replicate
        row = (
            torch.arange(others.numel(), device=self.order.device).view(others.shape)
            + dictionaries.numel()
        )
        return torch.cat([which, row], dim=-1).gather(-1, self.order)

    @cached_property
    def symbol(self) -> Tensor:
        """The same, (..., n, P), with one row for all other pieces of a replicate."""
        return self.vector.minimum(self.replicate + self.dictionary[..., 0].numel())

    @cached_property
    def multiple(self) -> Tensor:
        """By what that vector is multiplied, (..., n, P): 1 for the other pieces."""
        ones = torch.ones_like(self.noise[..., 0])
        return torch.cat([self.coefficient, ones], dim=-1).gather(-1, self.order)

    @cached_property
    def dense(self) -> Tensor:
        """The patches themselves, (..., n, P, d)."""
        vectors = torch.cat([self.dictionary.flatten(0, -2), self.noise.flatten(0, -2)])
        patches = vectors.index_select(0, self.vector.flatten()).unflatten(0, self.vector.shape)
        return patches.mul_(self.multiple[..., None])

    @cached_property
    def total(self) -> Tensor:
        """sum_p x^(p), (..., n, d), examples contiguous in memory, since router logits have experts
        before examples."""
        coordinates = self.coefficient.new_zeros(*self.which.shape[:-1], self.dictionary.shape[-2])
        coordinates.scatter_add_(-1, self.which, self.coefficient)
        along = self.dictionary.mT @ coordinates.mT  # (..., d, n)
        return along.add_(self.noise.sum(dim=-2).mT).mT


PER_EXAMPLE = (
    "which",
    "coefficient",
    "noise",
    "order",
)  # fields of Patches with an axis of examples


@dataclass(frozen=True, eq=False)
class Examples:
    """n draws from D, with what they were made of; leading axes (...) are replicates.

    patches: the P patches of each; y, eps: labels and feature-noise signs +-1 (..., n); k, k_prime:
    cluster and feature-noise index (..., n); alpha, beta, gamma: amplitudes (..., n).
    """

    patches: Patches
    y: Tensor
    eps: Tensor
    k: Tensor
    k_prime: Tensor
    alpha: Tensor
    beta: Tensor
    gamma: Tensor

    def where(self, chosen: Tensor) -> "Examples":
        """The examples with chosen (n,) true or listed, of one replicate."""
        patches = replace(
            self.patches, **{name: getattr(self.patches, name)[chosen] for name in PER_EXAMPLE}
        )
        latent = {
            f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "patches"
        }
        return Examples(patches, **latent)

    @property
    def x(self) -> Tensor:
        """The patches as vectors, (..., n, P, d)."""
        return self.patches.dense

    @property
    def positions(self) -> Tensor:
        """Places among the P patches of feature signal, cluster centre and feature noise, (..., n,
        3)."""
        return self.patches.place[..., :3]


def draw_signals(problem: Problem, generator: torch.Generator) -> Signals:
    """A uniformly random orthonormal 2K-frame of R^d (float64), split into features and centres
    (Definition 3.1)."""
    gaussian = torch.randn(
        problem.d, 2 * problem.K, generator=generator, device=generator.device, dtype=torch.float64
    )
    q, r = torch.linalg.qr(gaussian)
    # With the diagonal of r made positive, q is Haar distributed and does not depend on the QR
    # convention.
    frame = (q * torch.where(r.diagonal() < 0, -1.0, 1.0)).mT.contiguous()
    return Signals(features=frame[: problem.K], centres=frame[problem.K :])


def draw_examples(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """n independent examples from D (Definition 3.1), in the dtype and on the device of the signals
    (K, d).

    Raises ValueError unless n >= 1.
    """
    require_count("n", n, 1)
    K, P, d = problem.K, problem.P, problem.d
    device, dtype = signals.features.device, signals.features.dtype

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device, dtype=dtype)

    def whole(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (n,), generator=generator, device=device)

    k = whole(0, K)
    k_prime = (k + whole(1, K)) % K
    y, eps = (2 * whole(0, 2) - 1).to(dtype), (2 * whole(0, 2) - 1).to(dtype)
    alpha, beta, gamma = (
        problem.alpha.quantile(uniform(n)),
        problem.beta.quantile(uniform(n)),
        problem.gamma.quantile(uniform(n)),
    )
    noise = (problem.sigma_p / math.sqrt(d)) * torch.randn(
        n, P - 3, d, generator=generator, device=device, dtype=dtype
    )
    patches = Patches(
        dictionary=torch.cat([signals.features, signals.centres]),
        which=torch.stack(
            [k, K + k, k_prime], dim=1
        ),  # feature signal, cluster centre, feature noise
        coefficient=torch.stack([y * alpha, beta, eps * gamma], dim=1),
        noise=noise,
        order=uniform(n, P).argsort(dim=-1),  # sorting uniforms gives a uniformly random order
    )
    return Examples(patches, y, eps, k, k_prime, alpha, beta, gamma)
