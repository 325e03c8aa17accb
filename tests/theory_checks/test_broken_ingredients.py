"""Each ingredient of Subject, broken in a plausible way, makes the claim that is about it fail, with a message that says how."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from core import PAPER, Examples, Hyperparameters, Patches, Problem, Signals
from core.data import draw_examples, draw_signals
from core.model import linear_response
from core.routing import no_noise, uniform_noise
from core.training import Gradient, gaussian_experts, normalised_step, plain_step
from theory_checks import test_algorithm, test_data_model, test_initialisation, test_routing, test_single_expert
from theory_checks.checking import check, failure, inputs_tried
from theory_checks.claims import Claim, Profile
from theory_checks.run import Run

CLAIMS = {
    value.id: value
    for module in (test_algorithm, test_data_model, test_initialisation, test_routing, test_single_expert)
    for value in vars(module).values()
    if isinstance(value, Claim)
}


def with_patches(examples: Examples, **changes: Any) -> Examples:
    return replace(examples, patches=replace(examples.patches, **changes))


def tilted_signals(problem: Problem, generator: torch.Generator) -> Signals:
    found = draw_signals(problem, generator)
    return replace(found, centres=found.centres + 1e-6 * found.features)


def sign_follows_label(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    eps = torch.where(torch.rand(n, generator=generator) < 0.1, found.y, found.eps)
    coefficient = torch.stack([found.y * found.alpha, found.beta, eps * found.gamma], dim=1)
    return with_patches(replace(found, eps=eps), coefficient=coefficient)


def own_feature_as_noise(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    k_prime = torch.where(torch.rand(n, generator=generator) < 0.05, found.k, found.k_prime)
    which = torch.stack([found.k, problem.K + found.k, k_prime], dim=1)
    return with_patches(replace(found, k_prime=k_prime), which=which)


def too_little_noise(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    return with_patches(found, noise=0.8 * found.patches.noise)


def rotated_order(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
    """A random cyclic shift instead of a random order: every role's position alone is uniform."""
    found = draw_examples(problem, signals, n, generator)
    shift = torch.randint(0, problem.P, (n, 1), generator=generator)
    return with_patches(found, order=(torch.arange(problem.P) + shift) % problem.P)


def swapped_amplitudes(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
    return draw_examples(replace(problem, alpha=problem.beta, beta=problem.alpha), signals, n, generator)


def biased_labels(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    y = torch.where(torch.rand(n, generator=generator) < 0.04, 1.0, found.y)
    coefficient = torch.stack([y * found.alpha, found.beta, found.eps * found.gamma], dim=1)
    return with_patches(replace(found, y=y), coefficient=coefficient)


def correlated_patches(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    noise = found.patches.noise
    return with_patches(found, noise=0.7**0.5 * noise + 0.3**0.5 * noise.roll(1, dims=1))


def noise_along_the_signal(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
    found = draw_examples(problem, signals, n, generator)
    shift = 0.3 * problem.sigma_p / problem.d**0.5 * found.y[:, None] * signals.features[found.k]
    return with_patches(found, noise=found.patches.noise + shift[:, None])


def correlated_experts(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    W = gaussian_experts(problem, hyper, generator)
    return (W + 0.5 * W[:1]) / 1.25**0.5


def equal_filters(problem: Problem, hyper: Hyperparameters, generator: torch.Generator) -> Tensor:
    W = gaussian_experts(problem, hyper, generator)
    return W[:, :1].expand_as(W)


def averaging_logits(theta: Tensor, x: Patches) -> Tensor:
    """First patch dropped."""
    return theta @ x.dense[..., 1:, :].sum(dim=-2).mT


def without_competition(h: Tensor) -> Tensor:
    """A softmax whose gradient lacks the -pi term."""
    h = h.clamp(max=80)
    return h.exp() / h.exp().sum(dim=-2, keepdim=True).detach()


def momentum(W: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    velocity = gradient.value + (0.0 if state is None else 0.5 * state)
    return normalised_step(W, Gradient(velocity, torch.zeros(())), rate, None)[0], velocity


def decaying(theta: Tensor, gradient: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    return plain_step((1 - 1e-4) * theta, gradient, rate, state)


def flips_a_hundredth(margin: Tensor) -> Tensor:
    """A loss that treats large margins as wrong; it is still the subject's own loss, whose gradients training follows."""
    return torch.nn.functional.softplus(margin.abs() - 2 * margin)


@dataclass(frozen=True)
class Fault:
    claim: str
    changes: dict[str, Any]


FAULTS = {
    "signals not orthogonal": Fault("D.1", {"draw_signals": tilted_signals}),
    "noise sign follows the label in a tenth": Fault("D.2", {"draw_examples": sign_follows_label}),
    "noise sign follows the label in a tenth, seen by S.3": Fault("S.3", {"draw_examples": sign_follows_label}),
    "amplitudes swapped": Fault("D.2", {"draw_examples": swapped_amplitudes}),
    "labels biased": Fault("D.2", {"draw_examples": biased_labels}),
    "noise of patches correlated": Fault("D.3", {"draw_examples": correlated_patches}),
    "noise follows the signal": Fault("D.3", {"draw_examples": noise_along_the_signal}),
    "k' = k allowed": Fault("D.5", {"draw_examples": own_feature_as_noise}),
    "random noise too small": Fault("D.3", {"draw_examples": too_little_noise}),
    "cyclic order of patches": Fault("D.4", {"draw_examples": rotated_order}),
    "experts correlated": Fault("I.1", {"initialise_experts": correlated_experts}),
    "filters of an expert all equal": Fault("I.2", {"initialise_experts": equal_filters}),
    "experts twice as large": Fault("I.1", {"initialise_experts": lambda *given: 2 * gaussian_experts(*given)}),
    "no noise, seen by R.3": Fault("R.3", {"router_noise": no_noise}),
    "no noise, seen by R.4": Fault("R.4", {"router_noise": no_noise}),
    "no noise, seen by R.5": Fault("R.5", {"router_noise": no_noise}),
    "half-width noise": Fault("R.5", {"router_noise": lambda s, g, t: 0.5 * uniform_noise(s, g, t)}),
    "noise shared by examples": Fault("R.5", {"router_noise": lambda s, g, t: uniform_noise((s[0], 1), g, t).expand(s)}),
    "noise shared by steps": Fault("R.5", {"router_noise": lambda s, g, t: uniform_noise(s, torch.Generator().manual_seed(1), t)}),
    "argmin routing": Fault("R.4", {"select": lambda h, r: (h + r).min(dim=-2).indices}),
    "logits without the first patch": Fault("G.4", {"logits": averaging_logits}),
    "gate gradient without -pi": Fault("G.1", {"gate": without_competition}),
    "gate gradient without -pi, seen by G.3": Fault("G.3", {"gate": without_competition}),
    "linear experts": Fault("G.5", {"respond": linear_response}),
    "ReLU experts": Fault("G.6", {"respond": lambda z: z.relu().sum(dim=(-2, -1))}),
    "experts not normalised": Fault("G.2", {"expert_update": plain_step}),
    "experts with momentum": Fault("G.3", {"expert_update": momentum}),
    "router decays": Fault("G.3", {"router_update": decaying}),
    "router rate doubled": Fault("G.3", {"router_update": lambda p, g, rate, s: plain_step(p, g, 2 * rate, s)}),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_ingredient_violates_its_claim(name: str, run: Run) -> None:
    fault = FAULTS[name]
    record = check(CLAIMS[fault.claim], replace(run, subject=replace(PAPER, **fault.changes), subject_name="faults:ONE"))
    assert record.verdict == "violated"
    message = failure(record)
    for part in (fault.claim, record.statement, "observed", "bound", f"seed {run.seed}", "--theory-subject faults:ONE"):
        assert part in message
    assert record.worst_case


@pytest.mark.parametrize("id", ["G.1", "G.2", "G.3", "G.4", "R.5", "S.7"])
@pytest.mark.parametrize("respond", [torch.relu, torch.tanh])
def test_a_different_response_breaks_no_claim_that_is_true_of_it(id: str, respond: Any, run: Run) -> None:
    subject = replace(PAPER, respond=lambda z: respond(z).sum(dim=(-2, -1)))
    record = check(CLAIMS[id], replace(run, subject=subject))
    assert record.verdict == "holds", failure(record)


def test_hypotheses_that_no_draw_meets_make_a_claim_vacuous(run: Run) -> None:
    still = replace(PAPER, initialise_experts=lambda *given: 0 * gaussian_experts(*given))
    assert check(CLAIMS["I.2"], replace(run, subject=still)).verdict == "vacuous"


@pytest.mark.parametrize("profile", Profile)
def test_every_profile_stays_within_the_ledger(profile: Profile, run: Run) -> None:
    for claim in CLAIMS.values():
        tried = inputs_tried(claim, replace(run, profile=profile))
        assert 1 <= tried <= run.ledger.line(claim.id).inputs - len(claim.always)


def test_faults_reach_every_part_of_the_subject() -> None:
    ingredients = {name for fault in FAULTS.values() for name in fault.changes}
    # initialise_router and loss: any start and any loss leave these claims true; what they change is seen at later claims (A, N).
    assert ingredients >= set(vars(PAPER)) - {"initialise_router", "loss"}
