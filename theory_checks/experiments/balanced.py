"""Algorithm 1 with a load-balancing loss for the router.

The loss depends on the logits of all examples at once, which no ingredient of a Subject sees; so
this is a descent of its own, with the gradients of Algorithm 1 and the updates of the Subject.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from core import Parameters, Patches, Subject
from core.seeds import generator_from
from core.training import CPU_BUDGET, Replicate, gradients, in_chunks, stack
from core.updates import Gradient
from theory_checks.experiments.replicates import Finished
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained

BALANCE = 0.01  # coefficient of the load-balancing loss, that of Fedus et al. 2022


@dataclass(frozen=True)
class Ends:
    """What the replicates of a scenario have become at T: error of the mixture and dispatch entropy
    on fresh examples, (R,) each."""

    error: Tensor
    entropy: Tensor


def balance_gradient(subject: Subject, theta: Tensor, x: Patches, r: Tensor) -> Tensor:
    """The gradient in theta of M sum_m share_m mean_i(pi_m(x_i)), with the shares share_m of the
    examples that are routed to each expert held fixed (Shazeer et al. 2017, Fedus et al. 2022).

    theta: (R, M, d)
    x: (R, n) examples
    r: router noise, (R, M, n)
    """
    theta = theta.detach().requires_grad_()
    h = subject.logits(theta, x)
    M = h.shape[-2]
    share = one_hot(subject.select(h.detach(), r), M).to(h).mean(dim=-2)  # (R, M)
    loss = M * (share * subject.gate(h).mean(dim=-1)).sum()
    (gradient,) = torch.autograd.grad(loss, theta)
    return gradient


def balanced_ends(trained: Trained, scenario: Scenario, coefficient: float) -> Ends:
    """All replicates of a scenario, trained to T with this coefficient of the load-balancing loss;
    signals, data, initialisation and noise are those without it."""
    compute = partial(_ends, trained, scenario, coefficient)
    return trained.derived(f"balanced by {coefficient:g}", scenario, compute)


def _ends(trained: Trained, scenario: Scenario, coefficient: float) -> Ends:
    subject, hyper, problem = trained.run.subject, scenario.hyper, scenario.problem
    seeds, found = trained.seeds(scenario), []
    for part in in_chunks(seeds, problem, hyper, torch.float32, CPU_BUDGET):
        replicates = [trained.replicate(scenario, seed) for seed in part]
        ends = _descend(subject, scenario, replicates, coefficient, trained.run.device)
        for seed, replicate, end in zip(part, replicates, ends, strict=True):
            one = Finished(
                subject,
                scenario,
                seed,
                replicate.signals,
                replicate.start,
                end,
                partial(trained.replicate, scenario, seed),
            )
            found.append((one.error, one.entropy))
    return Ends(*torch.tensor(found, dtype=torch.float64).T)


def _descend(
    subject: Subject,
    scenario: Scenario,
    replicates: Sequence[Replicate],
    coefficient: float,
    device: torch.device,
) -> Iterator[Parameters]:
    """The parameters of each replicate at T, on the CPU."""
    hyper = scenario.hyper
    x = stack([r.examples.patches for r in replicates], device)
    y = torch.stack([r.examples.y for r in replicates]).to(device)
    at = stack([r.start for r in replicates], device)
    generators = [generator_from(r.noise_seed, device) for r in replicates]
    expert_state = router_state = None
    for t in range(hyper.T):
        r = torch.stack([subject.router_noise((hyper.M, hyper.n), g, t) for g in generators])
        grad_W, grad_theta = gradients(subject, at, x, y, r)
        pull = grad_theta.value + coefficient * balance_gradient(subject, at.theta, x, r)
        total = Gradient(pull, torch.zeros((), device=device))
        W, expert_state = subject.expert_update(at.W, grad_W, hyper.eta, expert_state)
        theta, router_state = subject.router_update(at.theta, total, hyper.eta_r, router_state)
        at = Parameters(theta, W)
    for theta, W in zip(at.theta.cpu(), at.W.cpu(), strict=True):
        yield Parameters(theta, W)
