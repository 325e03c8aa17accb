"""Exploration as n -> infinity: the law of E.3, its limit for small steps, its rare near ties, and
the population dynamics of a Subject.

With h ~ 0 an expert's a_jk = <w_j, v_k> follow a <- a + eta a^2 / norm(a^2). The law is the same
for c a and c eta, so everything here is in units of sigma_0 / sqrt(d): a(0) consists of independent
N(0, 1), a step has length x = eta sqrt(d) / sigma_0, and exploration ends after a path of length

    L = eta T_1 sqrt(d) / sigma_0 = sqrt(d / sigma_0) = d^((1 + s) / 2)  for sigma_0 = d^-s,

up to rounding T_1 to whole steps. Arrays of a are (experts, J, K).
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations, product

import numpy as np
import torch
from scipy.special import log_ndtr, ndtr, ndtri
from torch import Tensor

from core import Hyperparameters, Parameters, Patches, Problem, Subject
from core.data import AmplitudeLaw, Signals
from core.measures import feature_alignment
from core.seeds import generator_from
from core.training import gradients
from core.updates import Gradient

TALLEST = 1e-4  # filter in the population dynamics: outputs are cubes, and hardly move l'
SIDE_BY_SIDE = 2  # experts of one mixture there
CLOCK = 400  # points on the logarithmic clock of the limit
MOST_FLOW_STEPS = 1000  # for L = 10^7 and J K = 32, near ties take 400
FLOW_STEP = 0.25  # relative change of the largest entry in a step of the flow
MIDPOINTS = 512  # of an amplitude law
HIGHEST = 6.0  # standard deviations: the winner of a near tie is higher with chance below 1e-16
CELLS = 20_000  # of its density
HALVINGS = 50  # of an interval of amplitude ratios: to rounding
LOWEST_CELL = 10  # below, the density varies within a cell; it has 1e-8 of the mass there


def path_length(d: float, s: float) -> float:
    """L for sigma_0 = d^-s."""
    return float(d) ** ((1 + s) / 2)


# The limit for small steps


def limit_of_small_steps(start: np.ndarray, length: float) -> np.ndarray:
    """a at the end of a path of this length for x -> 0, from starts whose largest entry is
    positive.

    Along the path every 1/a falls at the same rate, so that all entries are functions of the
    largest, A: 1/a = 1/a(0) - 1/max a(0) + 1/A, and the path has length int g dA, g = norm(a^2) /
    A^2 >= 1. The integral of g - 1 runs over log A, by trapezoids; A grows by at most the length.
    """
    first = start.max(axis=(1, 2))
    _require_positive(first)
    with np.errstate(divide="ignore"):
        behind = 1 / start - 1 / first[:, None, None]  # infinite for an entry that is 0
    width = np.log1p(length / first) / (CLOCK - 1)
    A = first * np.exp(np.arange(CLOCK)[:, None] * width)
    fourths = np.zeros_like(A)
    for j, k in np.ndindex(*start.shape[1:]):
        fourths += np.square(np.square(1 / (behind[:, j, k] * A + 1)))
    beyond = (np.sqrt(fourths) - 1) * A
    growth = np.diff(A, axis=0)
    pieces = growth + (beyond[1:] + beyond[:-1]) / 2 * width
    path = pieces.cumsum(axis=0)
    piece = (path < length).sum(axis=0).clip(max=CLOCK - 2)
    column = np.arange(len(start))
    missing = (path[piece, column] - length) / pieces[piece, column]
    end = A[piece + 1, column] - missing * growth[piece, column]
    return 1 / (behind + 1 / end[:, None, None])


def _require_positive(largest: np.ndarray) -> None:
    if not (largest > 0).all():
        raise ValueError(f"largest entry {largest.min()}: must be positive")


def own_cluster(start: np.ndarray) -> np.ndarray:
    """The k of M_k by the largest signed a_jk(0), (experts,)."""
    return start.max(axis=1).argmax(axis=1)


def chance_below(first: AmplitudeLaw, second: AmplitudeLaw, ratio: np.ndarray) -> np.ndarray:
    """P(A <= ratio B) for independent amplitudes A and B of these laws, for every ratio."""
    u = (torch.arange(MIDPOINTS, dtype=torch.float64) + 0.5) / MIDPOINTS
    B = second.quantile(u).numpy()
    return first.cdf(np.asarray(ratio, dtype=float)[..., None] * B).mean(axis=-1)


def error_on_own_cluster(problem: Problem, a: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Error of each expert on cluster `own` (experts,) as n, d -> infinity, (experts,).

    There y f = alpha^3 A_k + y eps gamma^3 A_k' with A_k = sum_j a_jk^3, as centre and random noise
    vanish, and the sign y eps is a fair coin.
    """
    A = (a**3).sum(axis=1)
    mine = np.take_along_axis(A, own[:, None], axis=1)
    ratio = np.cbrt(np.abs(A) / np.abs(mine))
    outweighed = chance_below(problem.alpha, problem.gamma, ratio)
    wrong = np.where(mine > 0, outweighed / 2, 1 - outweighed / 2)
    np.put_along_axis(wrong, own[:, None], 0.0, axis=1)
    return wrong.sum(axis=1) / (problem.K - 1)


# Coarse steps


def clear_in_size(start: np.ndarray, x: float) -> np.ndarray:
    """Whether the entry that is largest in size is sure to be the largest from the first step on,
    when steps have length x, (experts,).

    Let b and c be the two largest sizes and N = norm(a(0)^2). If x (b - c) > N, the first step, to
    a + x a^2 / N, puts the entry of size b above all others: if its sign is negative, above one of
    size c by (b - c) (x (b + c) / N - 1) or by (b + c) (x (b - c) / N - 1). A step leaves no entry
    below -N / (4 x), and if x b >= (1 + sqrt(2)) N / 2 the largest is then at least N / (4 x). From
    there on no negative entry is larger in size than the largest p, and none can pass it: a < p
    becomes larger than p only if x (-a - p) > norm(a^2) > 0.
    """
    sizes = np.sort(np.abs(start).reshape(len(start), -1), axis=1)
    b, c = sizes[:, -1], sizes[:, -2]
    N = np.sqrt((sizes**4).sum(axis=1))
    return (x * (b - c) > N) & (x * b >= (1 + 2**0.5) / 2 * N)


def most_unclear(K: int, J: int, x: float) -> float:
    """An upper bound on the chance that a start is not `clear_in_size`, of order 1/x.

    With n = J K entries N <= sqrt(n) b^2. So the start is clear if c < b - sqrt(n) b^2 / x and b <=
    2 x / ((1 + sqrt(2)) sqrt(n)). The integral over b is a sum over midpoints.
    """
    n = J * K
    width = 10.0 / CELLS
    b = (np.arange(CELLS) + 0.5) * width
    of_size = 2 * np.exp(-(b**2) / 2) / np.sqrt(2 * np.pi)
    near = np.clip(b - n**0.5 * b**2 / x, 0, None)
    clear = n * of_size * (2 * ndtr(near) - 1) ** (n - 1) * (b <= 2 * x / ((1 + 2**0.5) * n**0.5))
    return float(1 - clear.sum() * width)


# Near ties, which are what is left of an error in that limit


def ratio_at_level(problem: Problem, part: float) -> float:
    """The ratio of amplitudes r at which P(alpha <= r gamma) passes this part of P(alpha <= gamma),
    by bisection, as to import SciPy's root finders takes longer."""
    most = float(chance_below(problem.alpha, problem.gamma, np.array(1.0)))
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = float(chance_below(problem.alpha, problem.gamma, np.array(middle))) < part * most
        low, high = (middle, high) if below else (low, middle)
    return high


def level_of(problem: Problem, part: float) -> float:
    """The own-cluster error part P(alpha <= gamma) / (2 (K - 1)): one tie gives at most part 1."""
    most = float(chance_below(problem.alpha, problem.gamma, np.array(1.0)))
    return part * most / (2 * (problem.K - 1))


def reach(ratio: float) -> float:
    """L times the largest 1/a_2(0) - 1/a_1(0) with which a_2 / a_1 is at least this ratio at the
    end, if only two entries matter.

    With A the largest entry at the end and q = (1/a_2(0) - 1/a_1(0)) A, the ratio is 1/(1 + q), and
    the path has length A I(q), I(q) = int_0^1 sqrt(1 + (1 + q t)^-4) dt.
    """
    q = 1 / ratio - 1
    t = (np.arange(MIDPOINTS) + 0.5) / MIDPOINTS
    return q * float(np.sqrt(1 + (1 + q * t) ** -4).mean())


@dataclass(frozen=True)
class WinnerOfTies:
    """The height z of a winner with which `rivals` entries nearly tie, as a law in cells.

    edges: of the cells
    mass: of each cell, without normalisation; the total is int phi^(1 + rivals) z^(2 rivals)
        Phi^(J K - 1 - rivals) dz over z > 0
    """

    edges: np.ndarray
    mass: np.ndarray


@lru_cache(maxsize=64)
def winner_of_ties(K: int, J: int, rivals: int) -> WinnerOfTies:
    """That law for experts with J filters and K clusters."""
    edges = np.linspace(0, HIGHEST, CELLS + 1)[LOWEST_CELL:]
    return WinnerOfTies(
        edges, _density(edges[:-1] + np.diff(edges) / 2, K, J, rivals) * np.diff(edges)
    )


def _density(z: np.ndarray, K: int, J: int, rivals: int) -> np.ndarray:
    phi = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    below = np.exp((J * K - 1 - rivals) * log_ndtr(z))
    return phi ** (1 + rivals) * z ** (2 * rivals) * below


def tie_constant(K: int, J: int) -> float:
    """C_0 with P(1/a_2(0) - 1/a_1(0) <= u) ~ C_0 u as u -> 0, a_1(0) the largest of all entries and
    a_2(0) the largest in other clusters: J^2 K (K - 1) int_0^inf phi^2 z^2 Phi^(J K - 2) dz."""
    return J * K * J * (K - 1) * float(winner_of_ties(K, J, 1).mass.sum())


def near_ties(
    K: int, J: int, rivals: int, within: float, generator: np.random.Generator, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Starts (size, J, K) whose largest entry is [0, 0], with rivals [0, 1], ..., [0, rivals] at
    1/a(0) - 1/max a(0) uniform on [0, within] and all else in other clusters below these; and
    weights (size,).

    The weighted mean of an event is its probability, over (number of such places) (total mass of
    `winner_of_ties`) within^rivals. Weights tend to 1 as within -> 0.
    """
    law = winner_of_ties(K, J, rivals)
    cell = generator.choice(len(law.mass), size=size, p=law.mass / law.mass.sum())
    width = law.edges[1] - law.edges[0]
    z = law.edges[cell] + width * generator.random(size)
    weight = _density(z, K, J, rivals) * width / law.mass[cell]
    behind = within * generator.random((rivals, size))
    rival = 1 / (1 / z + behind)
    lowest = rival.min(axis=0)
    start = np.empty((size, J, K))
    start[:, :, 0] = ndtri(generator.random((size, J)) * ndtr(z)[:, None])
    start[:, :, 1:] = ndtri(generator.random((size, J, K - 1)) * ndtr(lowest)[:, None, None])
    start[:, 0, 0] = z
    start[:, 0, 1 : rivals + 1] = rival.T
    weight *= np.prod(np.exp((z**2 - rival**2) / 2) * (rival / z) ** 2, axis=0)
    weight *= np.exp((J * (K - 1) - rivals) * (log_ndtr(lowest) - log_ndtr(z)))
    return start, weight


# The population dynamics of a Subject


@dataclass(frozen=True, eq=False)
class Population:
    """A Subject that trains pairs of experts on all cells of Definition 3.1 at once, with Theta =
    0: in place of a sample each label, pair of clusters and sign of the feature noise occurs once
    for each expert, and a noise r sends it there.

    That is the population gradient at h = 0, as centres and random noise cancel over y; the
    amplitudes change its size only, and are 1. Outputs are kept small.

    subject: whose gradients, selection, gate, response, loss and update are used
    signals: (pairs, K, d) each
    start: W^(0), (pairs, 2, J, d), of filters with N(0, 1) entries
    x, y, r: the examples, (pairs, n), and the router noise, (pairs, 2, n)
    """

    subject: Subject
    signals: Signals
    start: Tensor
    x: Patches
    y: Tensor
    r: Tensor

    @property
    def starts(self) -> np.ndarray:
        """a(0), (experts, J, K)."""
        return self._alignment(self.start)

    def steps(self, x: float, count: int) -> np.ndarray:
        """a at t = 0, ..., count for steps of length x, (count + 1, experts, J, K)."""
        unit = TALLEST / (float(self.start.abs().max()) + x * count)
        W, state = unit * self.start, None
        found = [W]
        for _ in range(count):
            W, state = self.subject.expert_update(W, self._gradients(W)[0], unit * x, state)
            found.append(W)
        return np.stack([self._alignment(W) / unit for W in found])

    def flow(self, length: float) -> tuple[np.ndarray, np.ndarray]:
        """Where a path of this length ends in the limit of small steps: a, (experts, J, K), and the
        router's <theta_m, c_k> at eta_r = M^2 eta, (experts, K).

        The direction is that of the Subject's updates, followed by the classical Runge-Kutta
        method; no step changes an entry by more than FLOW_STEP of the largest in size, and a flow
        that does not grow ends after MOST_FLOW_STEPS. Raises ValueError unless each expert has a
        positive entry: without one it only comes to rest at 0.
        """
        _require_positive(self.starts.max(axis=(1, 2)))
        unit = TALLEST / (float(self.start.abs().max()) + length)
        W, theta = unit * self.start, torch.zeros_like(self.start[:, :, 0])
        left = torch.full((len(W), 1, 1, 1), unit * length, dtype=W.dtype)
        for _ in range(MOST_FLOW_STEPS):
            if not bool((left > 0).any()):
                break
            # The same for all experts of a mixture, since the router's gradient compares them.
            h = torch.minimum(left, FLOW_STEP * self._largest(W).amin(dim=1, keepdim=True))
            first, first_router = self._direction(W)
            second, second_router = self._direction(W + h / 2 * first)
            third, third_router = self._direction(W + h / 2 * second)
            fourth, fourth_router = self._direction(W + h * third)
            W = W + h / 6 * (first + 2 * second + 2 * third + fourth)
            router = first_router + 2 * second_router + 2 * third_router + fourth_router
            theta = theta + h[..., 0] / 6 * router
            left = left - h
        centres = (theta @ self.signals.centres.mT).flatten(0, 1).numpy()
        return self._alignment(W) / unit, centres / unit**4

    def starting_at(self, a: np.ndarray) -> "Population":
        """The same with these a(0); what is orthogonal to the features stays."""
        wanted = torch.from_numpy(a).unflatten(0, (-1, SIDE_BY_SIDE))
        found = feature_alignment(self.signals, self.start)
        return replace(self, start=self.start + (wanted - found) @ self.signals.features[:, None])

    def _alignment(self, W: Tensor) -> np.ndarray:
        return feature_alignment(self.signals, W).flatten(0, 1).numpy()

    def _largest(self, W: Tensor) -> Tensor:
        return feature_alignment(self.signals, W).abs().amax(dim=(-2, -1), keepdim=True)

    def _gradients(self, W: Tensor) -> tuple[Gradient, Gradient]:
        theta = torch.zeros_like(W[:, :, 0])
        return gradients(self.subject, Parameters(theta, W), self.x, self.y, self.r)

    def _direction(self, W: Tensor) -> tuple[Tensor, Tensor]:
        """The steps of experts and router over the rate of the experts."""
        in_experts, in_router = self._gradients(W)
        rate = float(W.abs().max())
        moved, _ = self.subject.expert_update(W.clone(), in_experts, rate, None)
        router, _ = self.subject.router_update(
            torch.zeros_like(W[:, :, 0]), in_router, SIDE_BY_SIDE**2 * rate, None
        )
        return (moved - W) / rate, router / rate


def population(
    subject: Subject, K: int, J: int, experts: int, stream: np.random.SeedSequence
) -> Population:
    """The population dynamics of so many experts, an even number, with J filters, from the
    Subject's own signals and initialisation, in R^(2 K + 1)."""
    problem, pairs = Problem(K=K, d=2 * K + 1), experts // SIDE_BY_SIDE
    generator = generator_from(stream)
    hyper = Hyperparameters(M=experts, J=J, n=1, sigma_0=problem.d**0.5, eta=1.0, eta_r=0.0, T=1)
    start = subject.initialise_experts(problem, hyper, generator)
    one = subject.draw_signals(problem, generator)
    signals = Signals(one.features.expand(pairs, -1, -1), one.centres.expand(pairs, -1, -1))
    x, y = _every_cell(signals)
    r = torch.eye(SIDE_BY_SIDE, dtype=y.dtype).repeat_interleave(y.shape[1] // SIDE_BY_SIDE, dim=1)
    return Population(
        subject,
        signals,
        start.double().unflatten(0, (pairs, SIDE_BY_SIDE)),
        x,
        y,
        r.expand(pairs, -1, -1),
    )


def _every_cell(signals: Signals) -> tuple[Patches, Tensor]:
    """An example for each label, sign of the feature noise and ordered pair of clusters, once for
    each expert: patches (R, n) and labels (R, n)."""
    R, K, d = signals.features.shape
    cells = list(product((1.0, -1.0), (1.0, -1.0), permutations(range(K), 2))) * SIDE_BY_SIDE
    y, eps = (torch.tensor([cell[i] for cell in cells], dtype=torch.float64) for i in (0, 1))
    k, other = (torch.tensor([cell[2][i] for cell in cells]) for i in (0, 1))
    n = len(cells)
    patches = Patches(
        dictionary=torch.cat([signals.features, signals.centres], dim=1),
        which=torch.stack([k, K + k, other], dim=1).expand(R, n, 3),
        coefficient=torch.stack([y, torch.ones_like(y), eps], dim=1).expand(R, n, 3),
        noise=torch.zeros(R, n, 1, d, dtype=torch.float64),
        order=torch.arange(4).expand(R, n, 4),
    )
    return patches, y.expand(R, n)
