"""What claims along a ladder share: the design of their events, and the sampling error they are
measured in."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from core import Problem
from core.data import AmplitudeLaw
from theory_checks.evidence import HypothesesNotMet, Statement, frequency_at_least
from theory_checks.evidence.design import (
    frequency_passing,
    frequency_resolution,
    frequency_suffices,
)
from theory_checks.evidence.rates import Measure, ladder_resolution
from theory_checks.experiments.scenarios import Scenario

# of replicates: the share in which each event of a rate is claimed to happen, by design
MOSTLY = 0.95
# exponent by which errors of order n^(-1/2) fall in MOSTLY of pairs of replicates, of which each is
# noisy
SURE_FALL = 1 / 8
QUADRATURE = (
    2**14
)  # midpoints; exact to 1e-8 for bounded densities, to 1e-4 for finitely many amplitudes


def designed(values: Mapping[int, np.ndarray], events: int, share: float) -> dict[str, Any]:
    """Sizes, measure and design of a rate whose values were measured already, one per replicate and
    size.

    events: levels and trends of the statement; share: of alpha, for this statement. The resolution
    is the smallest that so many replicates afford.
    """
    replicates = min(map(len, values.values()))
    measure: Measure = lambda size, stream, count: values[size][:count]  # noqa: E731
    return {
        "sizes": sorted(values),
        "measure": measure,
        "share": MOSTLY,
        "resolution": ladder_resolution(MOSTLY, replicates, events, share),
        "replicates": replicates,
    }


def afforded(bound: float, replicates: int, share: float, detail: str) -> dict[str, Any]:
    """The design of "rate <= bound" with the smallest resolutions that so many replicates afford at
    this share of alpha.

    Raises HypothesesNotMet if they are too few to refute it whatever happens: what it speaks of
    applied to hardly any.
    """
    if replicates == 0 or not frequency_suffices(bound, 1 - bound, replicates, share):
        raise HypothesesNotMet(
            f"{detail}: it applies to {replicates} replicates, too few to refute it"
        )
    return {
        "resolution": frequency_resolution(bound, replicates, share),
        "passing": frequency_passing(bound, replicates),
        "replicates": replicates,
    }


def mostly(events: np.ndarray, share: float, detail: str) -> Statement:
    """The event happens in at least MOSTLY of the replicates to which it applies. Raises
    HypothesesNotMet if those are too few."""
    design = afforded(1 - MOSTLY, len(events), share, detail)
    return frequency_at_least(MOSTLY, lambda stream, size: events, detail=detail, **design)


def moment(law: AmplitudeLaw, power: int) -> float:
    """E[A^power]."""
    u = (torch.arange(QUADRATURE, dtype=torch.float64) + 0.5) / QUADRATURE
    return float((law.quantile(u) ** power).mean())


def sampling_error(scenario: Scenario) -> float:
    """The relative standard error of one expert's gradient along v_k at one step: how well a step
    knows its direction.

    Of the n / M examples that an expert gets, those of Omega_k contribute alpha^3 and those with k'
    = k contribute y eps gamma^3, in units that cancel, each with chance 1/K: such a term has mean
    E[alpha^3] / K and second moment (E[alpha^6] + E[gamma^6]) / K. Averages over steps are more
    accurate.
    """
    problem, hyper = scenario.problem, scenario.hyper
    second = (
        problem.K
        * (moment(problem.alpha, 6) + moment(problem.gamma, 6))
        / moment(problem.alpha, 3) ** 2
    )
    return ((second - 1) * hyper.M / hyper.n) ** 0.5


def by_size(scenarios: Sequence[Scenario], measured: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
    """One array of values per dimension d."""
    return {
        scenario.problem.d: values for scenario, values in zip(scenarios, measured, strict=True)
    }


def by_examples(
    scenarios: Sequence[Scenario], measured: Sequence[np.ndarray]
) -> dict[int, np.ndarray]:
    """One array of values per number of training examples n."""
    return {scenario.hyper.n: values for scenario, values in zip(scenarios, measured, strict=True)}


def drift_of_logits(problem: Problem) -> float:
    """The limit of max abs(h) / sigma_0^2 at T_1 for eta_r = M^2 eta and many experts, C2 E[beta]
    E[alpha^3] / (8 K).

    From A.5: <theta_m, c_k> grows to eta_r E[beta] E[alpha^3] / (2 M^2 K) sum_t A_mk(t), where the
    winner's a = eta t (E.4) makes sum_t A_mk(t) = (eta T_1)^4 / (4 eta) = sigma_0^2 / (4 eta); and
    h = beta <theta_m, c_k> with beta up to its largest value.
    """
    largest = problem.beta.support[1]
    return largest * moment(problem.beta, 1) * moment(problem.alpha, 3) / (8 * problem.K)
