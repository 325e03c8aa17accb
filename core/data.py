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
    """Whether value is an int or a float, not a bool, that a float can hold."""
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
    """A law on a bounded interval of positive numbers, given by its support, its distribution
    function and its quantile function."""

    @property
    def support(self) -> tuple[float, float]:
        """Smallest and largest value that the law can take."""
        ...

    def cdf(self, amplitude: np.ndarray) -> np.ndarray:
        """P(A <= amplitude), element-wise."""
        ...

    def quantile(self, u: Tensor) -> Tensor:
        """The value below which the law has mass u, element-wise for u in [0, 1).

        If u is uniform on [0, 1), the value is a draw from the law.
        """
        ...


@dataclass(frozen=True)
class Uniform:
    """The uniform law on [low, high]; a point mass if low = high.

    low: the smallest amplitude.
    high: the largest amplitude.

    Raises ValueError unless both are finite and low <= high.
    """

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
    """Finitely many amplitudes, each with its own weight.

    values: the amplitudes, strictly increasing.
    weights: the probability of each, positive, with sum 1.

    Raises ValueError unless there are as many weights as values, at least one, all as described.
    """

    values: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values or len(self.values) != len(self.weights):
            raise ValueError(
                f"Discrete: {len(self.values)} values and {len(self.weights)} weights: needs"
                " equally many of both, at least one"
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
    [0.0, 0.25, 0.5, 0.75, 0.999], dtype=torch.float64, device="cpu"
)  # the points at which the draws of a law are checked
EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class Problem:
    """The parameters of the distribution D (Definition 3.1).

    K: number of clusters.
    d: dimension of a patch.
    P: number of patches in an example.
    alpha: D_alpha, the law of the feature signal's amplitude.
    beta: D_beta, the law of the cluster centre's amplitude.
    gamma: D_gamma, the law of the feature noise's amplitude.
    sigma_p: scale of the random-noise patches, which are N(0, (sigma_p^2 / d) I_d).
    C1: lower bound of all three supports.
    C2: upper bound of all three supports.

    Raises ValueError unless K >= 2, d >= 2K, P >= 4, 0 < C1 <= C2, sigma_p > 0, and all laws are
    supported in [C1, C2] and draw values from their support.
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
            )  # for rounding in low + (high - low) * u, or in a formula of as many operations
            outside = drawn[~((low - slack <= drawn) & (drawn <= high + slack))]
            if outside.numel() > 0:
                raise ValueError(
                    f"D_{name} draws {outside[0]}, which must lie in its support [{low}, {high}]"
                )


@dataclass(frozen=True, eq=False)
class Signals:
    """The 2K orthonormal signal vectors (Definition 3.1); leading axes (...) are replicates.

    features: the feature signals v_k, (..., K, d).
    centres: the cluster centres c_k, (..., K, d).
    """

    features: Tensor
    centres: Tensor


@dataclass(frozen=True, eq=False)
class Patches:
    """The patches x^(1), ..., x^(P) of n examples; leading axes (...) are replicates.

    Patches along a signal are kept as multiples of a vector, so that inner products with them cost
    one look-up. An example consists of P pieces: Q of them are coefficient[q] *
    dictionary[which[q]], the other P - Q are kept as vectors. Its patch p is piece order[p].

    dictionary: the vectors that pieces are multiples of, (..., D, d).
    which: the row of the dictionary that each of the Q pieces is a multiple of, (..., n, Q).
    coefficient: the factor of that multiple, (..., n, Q).
    noise: the other pieces, (..., n, P - Q, d).
    order: the number of the piece that each patch is, (..., n, P).
    """

    dictionary: Tensor
    which: Tensor
    coefficient: Tensor
    noise: Tensor
    order: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "Patches":
        """Patches from vectors x (..., n, P, d), none of which is known to lie along a signal."""
        *lead, n, P, d = x.shape
        order = torch.arange(P, device=x.device).expand(*lead, n, P)
        nothing = x.new_empty(*lead, n, 0)
        return cls(x.new_empty(*lead, 0, d), nothing.long(), nothing, x, order)

    @cached_property
    def place(self) -> Tensor:
        """The number of the patch that each piece is, (..., n, P): the inverse of `order`."""
        return self.order.argsort(dim=-1)

    @cached_property
    def replicate(self) -> Tensor:
        """The number of each replicate, (..., 1, 1)."""
        lead = self.dictionary.shape[:-2]
        return torch.arange(lead.numel(), device=self.order.device).view(*lead, 1, 1)

    @cached_property
    def vector(self) -> Tensor:
        """The number of the vector that each patch is a multiple of, (..., n, P).

        The rows of all dictionaries are numbered first, then all other pieces.
        """
        dictionaries, others = self.dictionary[..., 0], self.noise[..., 0]
        which = self.which + dictionaries.shape[-1] * self.replicate
        row = (
            torch.arange(others.numel(), device=self.order.device).view(others.shape)
            + dictionaries.numel()
        )
        return torch.cat([which, row], dim=-1).gather(-1, self.order)

    @cached_property
    def symbol(self) -> Tensor:
        """As `vector`, but all other pieces of a replicate share one number, (..., n, P)."""
        return self.vector.minimum(self.replicate + self.dictionary[..., 0].numel())

    @cached_property
    def multiple(self) -> Tensor:
        """The factor of `vector` in each patch, (..., n, P): 1 for the other pieces."""
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
        """sum_p x^(p), (..., n, d). The examples are contiguous in memory, because router logits
        have experts before examples."""
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
    """n draws from D with the latent values that they were made from (Definition 3.1); leading axes
    (...) are replicates.

    patches: the P patches of each example.
    y: labels +-1, (..., n).
    eps: signs +-1 of the feature noise, (..., n).
    k: clusters, (..., n).
    k_prime: clusters whose feature signal is the feature noise, (..., n).
    alpha: amplitudes of the feature signal, (..., n).
    beta: amplitudes of the cluster centre, (..., n).
    gamma: amplitudes of the feature noise, (..., n).
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
        """Some of the examples of one replicate.

        chosen: a boolean for each example, (n,), or the indices of the examples to keep.
        """
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
        """The numbers of the patches that are feature signal, cluster centre and feature noise,
        (..., n, 3)."""
        return self.patches.place[..., :3]


def draw_signals(problem: Problem, generator: torch.Generator) -> Signals:
    """A uniformly random orthonormal 2K-frame of R^d, split into features and centres (Definition
    3.1): each (K, d), float64, on the generator's device."""
    gaussian = torch.randn(
        problem.d, 2 * problem.K, generator=generator, device=generator.device, dtype=torch.float64
    )
    q, r = torch.linalg.qr(gaussian)
    # Once the diagonal of r is made positive, q is Haar distributed and does not depend on the sign
    # convention of the QR decomposition.
    frame = (q * torch.where(r.diagonal() < 0, -1.0, 1.0)).mT.contiguous()
    return Signals(features=frame[: problem.K], centres=frame[problem.K :])


def draw_examples(
    problem: Problem, signals: Signals, n: int, generator: torch.Generator
) -> Examples:
    """n independent examples from D (Definition 3.1), in the dtype and on the device of the
    signals.

    signals: those of one replicate, (K, d) each.

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
