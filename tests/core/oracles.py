"""Naive oracles for core, written from shared/theory.md: one example, one expert, one filter at a
time, in float64 or fractions.

They see one replicate at a time, as NumPy arrays: theta (M, d), W (M, J, d), x (n, P, d), y (n,),
noise r (M, n).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import pairwise

import numpy as np
import torch
from hypothesis import settings
from scipy.stats import binom

from core import Patches

EPS = float(np.finfo(np.float64).eps)
EPS_32 = float(np.finfo(np.float32).eps)
# probability with which a statistical test here would fail although all is well (its seeds are
# fixed)
SURE = 1e-6


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, derandomize=True, database=None)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def seed_of(number: int) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def double(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# Statistics


def assert_count(count: int, n: int, p: float, cells: int = 1) -> None:
    """Fails with probability at most SURE / cells if the count is Binomial(n, p)."""
    tail = SURE / cells / 2
    assert binom.cdf(count, n, p) > tail, f"{count} of {n} is too few for chance {p}"
    assert binom.sf(count - 1, n, p) > tail, f"{count} of {n} is too many for chance {p}"


def assert_uniform(cell: np.ndarray, cells: int) -> None:
    """Cell numbers of independent draws, uniform over the cells?"""
    for count in np.bincount(cell, minlength=cells).tolist():
        assert_count(count, len(cell), 1 / cells, cells)


def assert_follows(sample: np.ndarray, cdf: Callable[[np.ndarray], np.ndarray]) -> None:
    """Independent draws from a continuous law? The Dvoretzky-Kiefer-Wolfowitz inequality bounds the
    error by SURE."""
    sample = np.sort(np.asarray(sample, dtype=float))
    n = len(sample)
    expected = cdf(sample)
    distance = max((np.arange(1, n + 1) / n - expected).max(), (expected - np.arange(n) / n).max())
    assert distance <= math.sqrt(math.log(2 / SURE) / (2 * n))


# The model


def sum_logits(theta, x):
    """h_m = sum_p <theta_m, x^(p)> of one example x (P, d)."""
    return [sum(float(theta_m @ patch) for patch in x) for theta_m in theta]


def softmax(h):
    sizes = [math.exp(v - max(h)) for v in h]
    return [s / sum(sizes) for s in sizes]


def pre_activations(w, x):
    """<w_j, x^(p)> as rows p, columns j: w (J, d), x (P, d)."""
    return [[float(w_j @ patch) for w_j in w] for patch in x]


def summed(sigma):
    """sum_j sum_p sigma(z_pj)."""
    return lambda z: sum(sigma(v) for row in z for v in row)


def argmax(values):
    return max(range(len(values)), key=lambda m: values[m])


def route(h, r):
    return argmax([a + b for a, b in zip(h, r, strict=True)])


cubic = summed(lambda z: z**3)


@dataclass(frozen=True)
class Naive:
    """The ingredients in plain Python: z of `respond` as rows and columns, h of `gate` a list."""

    loss: Callable = lambda z: max(-z, 0.0) + math.log1p(math.exp(-abs(z)))
    respond: Callable = cubic
    gate: Callable = softmax
    logits: Callable = sum_logits

    def routes(self, theta, x, r):
        return [route(self.logits(theta, x[i]), r[:, i]) for i in range(len(x))]

    def margin(self, theta, W, x_i, y_i, m):
        return (
            y_i * self.gate(self.logits(theta, x_i))[m] * self.respond(pre_activations(W[m], x_i))
        )

    def total_loss(self, theta, W, x, y, routed):
        return sum(
            self.loss(self.margin(theta, W, x[i], y[i], m)) for i, m in enumerate(routed)
        ) / len(y)

    def test_margins(self, theta, W, x, y):
        """y F(x) and the expert, under noise-free top-1 routing."""
        routed = self.routes(theta, x, np.zeros((len(theta), len(x))))
        return np.array(
            [self.margin(theta, W, x[i], y[i], m) for i, m in enumerate(routed)]
        ), np.array(routed)


def central_differences(function, point):
    """Gradient of function at point by central differences, extrapolated to step 0, and how far
    that may be off, entry by entry.

    Differences at steps s and 2s differ by three times the s^2 term of the former, which the
    extrapolation removes; what stays is smaller. Rounding: function is a sum of a few hundred terms
    of its own size.
    """
    s = 2.0**-14
    gradient, error = np.empty_like(point), np.empty_like(point)
    rounding = 300 * EPS * (1 + abs(function(point))) / s
    for at in np.ndindex(point.shape):

        def difference(step, at=at):
            up, down = point.copy(), point.copy()
            up[at] += step
            down[at] -= step
            return (function(up) - function(down)) / (2 * step)

        fine, coarse = difference(s), difference(2 * s)
        gradient[at] = (4 * fine - coarse) / 3
        error[at] = abs(coarse - fine) / 3 + rounding
    return gradient, error


def loss_derivatives(naive, theta, W, x, y, routed):
    """Central differences of the loss, experts held fixed: gradient in W and its error, gradient in
    theta and its error."""
    by_W = central_differences(lambda at: naive.total_loss(theta, at, x, y, routed), W)
    by_theta = central_differences(lambda at: naive.total_loss(at, W, x, y, routed), theta)
    return *by_W, *by_theta


@dataclass(frozen=True)
class PaperGradients:
    """theory.md's formulas, and the sums of the sizes of the terms they add up, which rounding
    errors are relative to."""

    theta: np.ndarray
    W: np.ndarray
    theta_terms: np.ndarray
    W_terms: np.ndarray
    routed: list[int]


def paper_gradients(
    theta, W, x, y, r, *, sigma=lambda z: z**3, slope=lambda z: 3 * z**2, shift=0.0
):
    """Gradients of Algorithm 1, times e^-shift; `shift` keeps them representable when all margins
    are huge."""
    M, J, _ = W.shape
    n, P, _ = x.shape
    g_theta, g_W = np.zeros_like(theta), np.zeros_like(W)
    terms_theta, terms_W = np.zeros_like(theta), np.zeros_like(W)
    routed = []
    for i in range(n):
        h = sum_logits(theta, x[i])
        m_i = route(h, r[:, i])
        routed.append(m_i)
        pi, z = softmax(h), pre_activations(W[m_i], x[i])
        f = summed(sigma)(z)
        l_slope = -math.exp(-np.logaddexp(0.0, y[i] * pi[m_i] * f) - shift)
        for j in range(J):
            for p in range(P):
                term = l_slope * y[i] * pi[m_i] * slope(z[p][j]) * x[i, p] / n
                g_W[m_i, j] += term
                terms_W[m_i, j] += abs(term)
        for m in range(M):
            for p in range(P):
                term = l_slope * y[i] * pi[m_i] * f * ((m == m_i) - pi[m]) * x[i, p] / n
                g_theta[m] += term
                terms_theta[m] += abs(term)
    return PaperGradients(g_theta, g_W, terms_theta, terms_W, routed)


def algorithm_1(theta, W, x, y, eta, eta_r, noise):
    """All iterates of Algorithm 1 for the noises r of its steps."""
    iterates = [(theta, W)]
    for r in noise:
        g = paper_gradients(theta, W, x, y, r)
        theta, W = theta - eta_r * g.theta, W.copy()
        for m in range(len(W)):
            norm = math.sqrt((g.W[m] ** 2).sum())
            if norm > 0:
                W[m] -= eta * g.W[m] / norm
        iterates.append((theta, W))
    return iterates


# Routing


def routing_probability(h, m):
    """p_m(h) = int_0^1 prod_{m' != m} clip(r + h_m - h_m', 0, 1) dr in rational arithmetic (every
    float is a rational)."""
    shifts = [Fraction(h[m]) - Fraction(other) for j, other in enumerate(h) if j != m]
    breaks = sorted(
        {Fraction(0), Fraction(1), *(b for s in shifts for b in (-s, 1 - s) if 0 < b < 1)}
    )
    total = Fraction(0)
    for low, high in pairwise(breaks):
        middle = (low + high) / 2
        if any(middle + s <= 0 for s in shifts):
            continue
        polynomial = [Fraction(1)]  # coefficients of 1, r, r^2, ...
        for s in shifts:
            if middle + s < 1:
                times_s = [c * s for c in polynomial] + [Fraction(0)]
                times_r = [Fraction(0), *polynomial]
                polynomial = [a + b for a, b in zip(times_s, times_r, strict=True)]
        total += sum(
            c * (high ** (k + 1) - low ** (k + 1)) / (k + 1) for k, c in enumerate(polynomial)
        )
    return total


# Batches


def tensors_of(record):
    """The fields of a frozen record of tensors (its __dict__ also holds what it has cached)."""
    return [getattr(record, f.name) for f in fields(record)]


def vectors(patches):
    """The patches of Patches, one after the other: patch p is piece order[p], a multiple of a
    vector or one of the others."""
    *lead, n, P = patches.order.shape
    Q, d = patches.which.shape[-1], patches.noise.shape[-1]
    x = np.empty((*lead, n, P, d))
    for at in np.ndindex(*lead, n, P):
        piece = int(patches.order[at])
        *batch, i, _ = at
        if piece < Q:
            vector = patches.dictionary[tuple(batch)][int(patches.which[(*batch, i, piece)])]
            x[at] = (patches.coefficient[(*batch, i, piece)] * vector).numpy()
        else:
            x[at] = patches.noise[(*batch, i, piece - Q)].numpy()
    return x


def random_patches(seed, *lead, n, P, d, Q, D=5, dtype=torch.float64):
    """Gaussian patches, Q of which are multiples of one of D vectors, in random order."""
    rng = np.random.default_rng(seed)
    return Patches(
        dictionary=torch.from_numpy(rng.normal(size=(*lead, D, d))).to(dtype),
        which=torch.from_numpy(rng.integers(0, D, size=(*lead, n, Q))),
        coefficient=torch.from_numpy(
            rng.choice([-1, 1], (*lead, n, Q)) * rng.uniform(0.5, 1.5, (*lead, n, Q))
        ).to(dtype),
        noise=torch.from_numpy(rng.normal(size=(*lead, n, P - Q, d))).to(dtype),
        order=torch.from_numpy(rng.permuted(np.broadcast_to(np.arange(P), (*lead, n, P)), axis=-1)),
    )


@dataclass(frozen=True)
class Instance:
    """R replicates of Gaussian data and parameters, as tensors."""

    theta: torch.Tensor
    W: torch.Tensor
    x: Patches
    y: torch.Tensor
    r: torch.Tensor

    def __getitem__(self, replicate):
        """One replicate, as the float64 arrays that the oracles take."""
        theta, W, y, r = (
            t[replicate].double().numpy() for t in (self.theta, self.W, self.y, self.r)
        )
        return theta, W, vectors(self.x)[replicate], y, r

    def only(self, replicate):
        """The same with this replicate alone."""
        one = slice(replicate, replicate + 1)
        x = Patches(*(t[one] for t in tensors_of(self.x)))
        return Instance(self.theta[one], self.W[one], x, self.y[one], self.r[one])


def instance(seed, *, R=2, M=3, J=2, P=4, d=5, n=7, Q=3, dtype=torch.float64):
    """Pre-activations and logits of order 1, so that routing is mixed and no margin is extreme."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(R, M, d)) / math.sqrt(P * d)
    W = rng.normal(size=(R, M, J, d)) / math.sqrt(d)
    y = rng.choice([-1.0, 1.0], size=(R, n))
    r = rng.random((R, M, n))
    theta, W, y, r = (torch.from_numpy(a).to(dtype) for a in (theta, W, y, r))
    return Instance(theta, W, random_patches(seed + 1000, R, n=n, P=P, d=d, Q=Q, dtype=dtype), y, r)
