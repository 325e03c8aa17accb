"""What claims about trained replicates share: how often an event is to happen, exponents of a
ladder, and the sampling error that levels are measured in."""

from collections.abc import Sequence

import numpy as np
import torch

from core import Problem
from core.data import AmplitudeLaw
from theory_checks.evidence import (
    HypothesesNotMet,
    Statement,
    all_of,
    frequency_at_least,
    frequency_at_most,
)
from theory_checks.evidence.rates import MOSTLY
from theory_checks.experiments.scenarios import Scenario

RARE = 0.02  # of replicates: may fail a claim that holds with probability 1 - o(1), by design
# exponent by which errors of order n^(-1/2) fall in MOSTLY of pairs of replicates, of which each is
# noisy
SURE_FALL = 1 / 8
ANY_FALL = 0.01  # exponent of a quantity that falls, however little
SIGN_BIAS = 0.35  # of a sign test's probability: what A.6 resolves
# midpoints; exact to 1e-8 for bounded densities, to 1e-4 for finitely many amplitudes
QUADRATURE = 2**14


def mostly(events: np.ndarray, detail: str) -> Statement:
    """The event happens in at least MOSTLY of the replicates to which it applies."""
    return frequency_at_least(MOSTLY, events, detail=detail)


def rarely(events: np.ndarray, detail: str) -> Statement:
    """The event happens in at most RARE of the replicates to which it applies."""
    return frequency_at_most(RARE, events, detail=detail)


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


def positive_half_of_the_time(values: np.ndarray, detail: str) -> Statement:
    """P(value > 0) = 1/2 by an exact sign test on each side. Raises HypothesesNotMet if a value is
    exactly 0.

    Holds if 1/2 + SIGN_BIAS is rejected at 5 %: with 64 replicates or more a symmetric law passes
    with probability 99.9 %.
    """
    if (values == 0).any():
        raise HypothesesNotMet(
            f"{detail}: exactly 0 in {int((values == 0).sum())} of {len(values)} replicates"
        )
    above, what = values > 0, f"{detail} is positive"
    return all_of(
        frequency_at_most(0.5, above, resolution=SIGN_BIAS, detail=what),
        frequency_at_least(0.5, above, resolution=SIGN_BIAS, detail=what),
    )
