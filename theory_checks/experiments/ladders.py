"""What claims about trained replicates share: values by the size of a ladder, how often an event is
to happen, the sampling error that levels are measured in; and pictures of rates, with the exponent
fitted to what was measured."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from core import Problem
from core.data import AmplitudeLaw
from theory_checks.checking.pictures import Lines, Series, Style
from theory_checks.evidence import (
    HypothesesNotMet,
    Statement,
    all_of,
    changes_at_most,
    exceptions_at_most,
    falls_at_least,
    fitted_exponent,
)
from theory_checks.experiments.replicates import Finished, finished
from theory_checks.experiments.scenarios import Scenario, point_of
from theory_checks.experiments.trajectories import Trained

RARE = 0.02  # of replicates: may fail a claim that holds with probability 1 - o(1), by design
# of errors that one step's sampling error causes: the most, in units of `sampling_error`, by design
OF_A_STEP = 1.5
OF_THE_INTEGRAL = 2.5  # of the first integral, most of which the first steps make up
# exponents of the trend of errors of order n^(-1/2): what is claimed, and what is excluded
ROOT, NO_ROOT = 0.35, 0.2
HALF_AN_ORDER = 0.5  # of sigma_0: what grows by sigma_0^(-1/2) from end to end is of another order
# midpoints; exact to 1e-8 for bounded densities, to 1e-4 for finitely many amplitudes
QUADRATURE = 2**14
TENTHS = (0.1, 0.5, 0.9)  # quantiles over replicates: a bar, and its point
FIT = 0  # seed of the bootstrap, which illustrates only

Measured = TypeVar("Measured")
Values = Mapping[int, np.ndarray]  # by size, one for each replicate
Curve = Callable[[int], float]  # of the size


def by_size(
    measure: Callable[[Scenario], Measured], scenarios: Sequence[Scenario]
) -> dict[int, Measured]:
    """What is measured of each scenario, by its dimension d."""
    return {scenario.problem.d: measure(scenario) for scenario in scenarios}


def by_examples(
    measure: Callable[[Scenario], Measured], scenarios: Sequence[Scenario]
) -> dict[int, Measured]:
    """What is measured of each scenario, by its number of training examples n."""
    return {scenario.hyper.n: measure(scenario) for scenario in scenarios}


def of_each(
    observe: Callable[[Finished], float], trained: Trained, most: int | None = None
) -> Callable[[Scenario], np.ndarray]:
    """What is observed of each replicate at T_1, or of the first `most` of them, (R,)."""

    def measure(scenario: Scenario) -> np.ndarray:
        replicates = finished(trained, scenario, scenario.hyper.T_1)
        return np.array([observe(replicate) for replicate in islice(replicates, most)])

    return measure


def rarely_at(
    scenarios: Sequence[Scenario],
    fails: Callable[[Scenario], Tensor],
    detail: str,
    level: float = RARE,
) -> Statement:
    """At each of these points what is said of every expert fails of some expert in at most this
    share of replicates.

    fails: of each expert, (R, M), or of each replicate, (R,)
    """
    events = {point_of(s): fails(s).reshape(s.replicates, -1).any(dim=1).numpy() for s in scenarios}
    return exceptions_at_most(level, events, detail=detail)


def largest_of_experts(values: Tensor) -> np.ndarray:
    """The largest over the experts of each replicate, (R, M) to (R,). What is not finite counts as
    the largest float: no trend can hold with it."""
    top = torch.finfo(torch.float64).max
    return values.double().nan_to_num(nan=top, posinf=top, neginf=top).amax(dim=-1).numpy()


def does_not_grow(
    measure: Callable[[Scenario], Tensor | np.ndarray], scenarios: Sequence[Scenario], detail: str
) -> Statement:
    """From the smallest d to the largest, the largest over experts of what is measured, (R, M),
    does not grow; growing by HALF_AN_ORDER of sigma_0 is excluded."""
    beyond = (scenarios[0].hyper.sigma_0 / scenarios[-1].hyper.sigma_0) ** HALF_AN_ORDER
    values = by_size(lambda s: largest_of_experts(torch.as_tensor(measure(s))), scenarios)
    return changes_at_most(values, 1.0, beyond=beyond, detail=detail)


def falls_like_the_sampling_error(
    measure: Callable[[Scenario], Tensor], scenarios: Sequence[Scenario], detail: str
) -> Statement:
    """The largest over experts of an error of order n^(-1/2) falls at least like n^-ROOT; NO_ROOT
    is excluded.

    Where an error is of the size of what it is an error of, it cannot grow as n^(-1/2) any more: so
    it falls less steeply from the smallest n.
    """
    values = by_examples(lambda s: largest_of_experts(measure(s)), scenarios)
    return falls_at_least(values, ROOT, slowest=NO_ROOT, detail=detail)


def moment(law: AmplitudeLaw, power: int) -> float:
    """E[A^power]."""
    u = (torch.arange(QUADRATURE, dtype=torch.float64) + 0.5) / QUADRATURE
    return float((law.quantile(u) ** power).mean())


def sampling_error(scenario: Scenario) -> float:
    """The relative standard error of one expert's gradient along v_k at one step: how precisely a
    step knows its direction.

    Of the n / M examples that an expert receives, those of Omega_k contribute alpha^3 and those
    with k' = k contribute y eps gamma^3, in units that cancel, each with probability 1/K. Such a
    term has mean E[alpha^3] / K and second moment (E[alpha^6] + E[gamma^6]) / K. Averages over
    steps are more accurate.
    """
    problem, hyper = scenario.problem, scenario.hyper
    second = (
        problem.K
        * (moment(problem.alpha, 6) + moment(problem.gamma, 6))
        / moment(problem.alpha, 3) ** 2
    )
    return ((second - 1) * hyper.M / hyper.n) ** 0.5


def drift_of_logits(problem: Problem) -> float:
    """The limit of max abs(h) / sigma_0^2 at T_1 for eta_r = M^2 eta and many experts, C2 E[beta]
    E[alpha^3] / (8 K).

    From A.5: <theta_m, c_k> grows to eta_r E[beta] E[alpha^3] / (2 M^2 K) sum_t A_mk(t), where the
    winner's a = eta t (E.4) makes sum_t A_mk(t) = (eta T_1)^4 / (4 eta) = sigma_0^2 / (4 eta); and
    h = beta <theta_m, c_k> with beta up to its largest value.
    """
    largest = problem.beta.support[1]
    return largest * moment(problem.beta, 1) * moment(problem.alpha, 3) / (8 * problem.K)


def positive_half_of_the_time(
    points: Mapping[str, np.ndarray], detail: str, together: int
) -> Statement:
    """P(value > 0) = 1/2 at every point, by an exact sign test on each side. Raises
    HypothesesNotMet if a value is exactly 0.

    points: by name, one value for each replicate
    together: how many such statements are to hold together
    """
    values = np.concatenate(list(points.values()))
    if (values == 0).any():
        raise HypothesesNotMet(
            f"{detail}: exactly 0 in {int((values == 0).sum())} of {len(values)} replicates"
        )
    sides = {"positive": np.greater, "negative": np.less}
    return all_of(
        *(
            exceptions_at_most(
                0.5,
                {where: beyond(found, 0) for where, found in points.items()},
                detail=f"{detail} is {side}",
                together=2 * together,
            )
            for side, beyond in sides.items()
        )
    )


def ladder_picture(
    title: str,
    size: str,
    measured: Mapping[str, Values],
    *,
    bounds: Mapping[str, Curve],
    references: Mapping[str, Curve] | None = None,
) -> Lines:
    """Medians over replicates with the range from the first to the last tenth, by size, on
    logarithmic scales.

    size: the letter of what grows
    measured: values by size, by name
    bounds: what is claimed, as curves over the sizes, by name
    references: what to compare with, likewise
    """
    sizes = sorted({point for values in measured.values() for point in values})
    curves = [
        Series(name, sizes, [curve(point) for point in sizes], style=style)
        for style, named in ((Style.BOUND, bounds), (Style.REFERENCE, references or {}))
        for name, curve in named.items()
    ]
    points = [_points(name, values) for name, values in measured.items()]
    caption = "; ".join(_fit(name, values, size) for name, values in measured.items())
    return Lines(title, size, "median", (*points, *curves), log_x=True, log_y=True, caption=caption)


def errors_along_examples(
    title: str,
    measured: Mapping[str, Values],
    scenarios: Sequence[Scenario],
    multiple: float,
    exponent: float = ROOT,
) -> Lines:
    """Errors along n, of which the first is claimed to fall like n^-exponent, with a multiple of
    the sampling error."""
    name, values = next(iter(measured.items()))
    errors = by_examples(lambda s: multiple * sampling_error(s), scenarios)
    return ladder_picture(
        title,
        "n",
        measured,
        bounds={
            f"claimed of {name}: falls like n^(-{exponent:g})": through_the_first(values, -exponent)
        },
        references={f"{multiple:g} times the sampling error of one step": errors.__getitem__},
    )


def _points(name: str, values: Values) -> Series:
    quantiles = [np.quantile(v, TENTHS) for v in values.values()]
    low, median, high = np.transpose(quantiles).tolist()
    return Series(name, list(values), median, low, high, Style.POINTS)


def _fit(name: str, values: Values, size: str) -> str:
    """The exponent of the least-squares line through the medians, in words."""
    sizes = sorted(values)
    replicates = min(map(len, values.values()))
    if replicates < 2 or not all((v > 0).all() for v in values.values()):
        return f"{name}: no exponent, for lack of positive values"
    slope, low, high = fitted_exponent(sizes, [values[point] for point in sizes], FIT)
    return (
        f"{name}: fitted {size}^{slope:.2f} (95 %: {low:.2f} to {high:.2f}), {replicates}"
        " replicates at each size"
    )


def through_the_first(values: Values, exponent: float) -> Curve:
    """The power law with this exponent through the median at the smallest size."""
    first = min(values)
    start = float(np.median(values[first]))
    return lambda size: start * (size / first) ** exponent
