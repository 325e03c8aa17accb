"""Algorithm 1: gradient descent with perturbed routing, over a batch of independent replicates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from core.data import Examples, Patches, Problem, Signals, require_count
from core.measures import is_error
from core.model import Parameters
from core.products import RoutedProducts
from core.seeds import child, generator_from
from core.subject import Subject
from core.updates import Gradient, Hyperparameters

# Bytes of patches to train on at a time: so few that most stay in the cache, and enough for small
# runs to share the overhead.
CPU_BUDGET = 2**24

Item = TypeVar("Item")
Record = TypeVar("Record", Signals, Patches, Parameters)
Watch = Callable[[Signals, Parameters], Tensor]


def routed_gate(subject: Subject, h: Tensor, routed: Tensor) -> Tensor:
    """pi_{m_i}(x_i), the gate of each example's own expert, (..., n).

    h: logits, (..., M, n).
    routed: the expert of each example, (..., n).
    """
    return subject.gate(h).gather(-2, routed.unsqueeze(-2)).squeeze(-2)


@torch.no_grad()
def margins(
    subject: Subject, parameters: Parameters, x: Patches, y: Tensor
) -> tuple[Tensor, Tensor]:
    """y F(x) under noise-free routing, and the expert that each example is routed to: both (R, n).

    parameters: of R replicates, (R, M, ...).
    x: (R, n) examples.
    y: their labels, (R, n).
    """
    h = subject.logits(parameters.theta, x)
    routed = subject.select(h, torch.zeros_like(h))
    f = subject.respond(RoutedProducts.of(x, routed, h.shape[-2]).pre_activations(parameters.W))
    return y * routed_gate(subject, h, routed) * f, routed


def loss_slope(loss: Callable[[Tensor], Tensor], margin: Tensor) -> tuple[Tensor, Tensor]:
    """Sign and logarithm of the size of l'(margin), element-wise.

    A loss with a method `slope` gives them itself, in log space. Any other loss is differentiated
    in double precision where the device has it; a slope whose size is below 1e-308 is then zero.
    """
    in_log_space = getattr(loss, "slope", None)
    if callable(in_log_space):
        sign, log_size = in_log_space(margin)
        return sign, log_size
    with torch.enable_grad():
        z = (margin if margin.device.type == "mps" else margin.double()).detach().requires_grad_()
        (slope,) = _gradients_of([loss(z).sum()], z)
    return slope.sign().to(margin.dtype), slope.abs().log().to(margin.dtype)


def _relative(log_pull: Tensor, log_largest: Tensor) -> Tensor:
    """exp(log_pull - log_largest), a contribution as a share of the largest one.

    It is at least eps^3, which is negligible beside the largest, because products with denormal
    numbers are slow.
    """
    return (log_pull - log_largest).exp_().clamp_(min=torch.finfo(log_pull.dtype).eps ** 3)


def _finite(largest: Tensor) -> Tensor:
    """Replaces -infinity, the maximum of an empty set, by 0."""
    return largest.nan_to_num(0, 0, 0)


def _gradients_of(sums: Sequence[Tensor], *sources: Tensor) -> tuple[Tensor, ...]:
    """The gradients of the total of these sums in the sources; 0 in a source that the sums do not
    depend on."""
    found = [total for total in sums if total.requires_grad]
    if not found:
        return tuple(torch.zeros_like(source) for source in sources)
    return torch.autograd.grad(found, sources, materialize_grads=True)


@torch.inference_mode(False)  # where autograd would silently find no gradients
@torch.enable_grad()
def gradients(
    subject: Subject, parameters: Parameters, x: Patches, y: Tensor, r: Tensor
) -> tuple[Gradient, Gradient]:
    """Gradients of L = (1/n) sum_i l(y_i pi_{m_i}(x_i) f_{m_i}(x_i)) in W and theta, with m_i =
    select(h(x_i), r_i) held fixed (Algorithm 1).

    parameters, x, y: as in `margins`.
    r: router noise, (R, M, n).

    This is the chain rule at the margin: with c_i = l'_i y_i / n, the gradient in W is that of f
    with weights c_i pi_i, and the gradient in theta is that of pi with weights c_i f_i. Autograd
    differentiates the gate, the logits and the response. Contributions are divided by the largest
    pull of the examples that they are summed with, and log_scale keeps its logarithm: for W the
    pull is |l'| norm(df/dz) over the examples of the expert, for theta it is |l' f| over all.
    """
    theta, W = parameters.theta.detach().requires_grad_(), parameters.W.detach()
    R, M = W.shape[:2]
    h = subject.logits(theta, x)
    routed = subject.select(h.detach(), r)
    pi = routed_gate(subject, h, routed)
    products = RoutedProducts.of(x, routed, M)
    z = products.pre_activations(W).requires_grad_()
    f = subject.respond(z)
    pi_value, f_value = pi.detach(), f.detach()
    sign, log_slope = loss_slope(subject.loss, y * pi_value * f_value)
    signed = sign * y / y.shape[-1]

    log_pull = log_slope + f_value.abs().log()
    log_of_all = _finite(log_pull.amax(dim=-1, keepdim=True))
    weight = signed * f_value.sign() * _relative(log_pull, log_of_all)
    f_by_z, grad_theta = _gradients_of([f.sum(), (weight * pi).sum()], z, theta)

    norm = torch.linalg.vector_norm(f_by_z, dim=(-2, -1))
    log_pull = log_slope + norm.log()
    log_of_expert = _finite(
        log_pull.new_full((R, M), -torch.inf).scatter_reduce_(1, routed, log_pull, "amax")
    )
    share = _relative(log_pull, log_of_expert.gather(1, routed))
    weight = signed * pi_value * share / norm.clamp(min=torch.finfo(norm.dtype).tiny)
    grad_W = products.pull_back(f_by_z, weight, W)
    return Gradient(grad_W, log_of_expert[..., None, None]), Gradient(
        grad_theta, log_of_all[..., None]
    )


class NotAccepted(RuntimeError):
    """No initialisation met the condition `accept` of `draw_replicate`."""


@dataclass(frozen=True, eq=False)
class Replicate:
    """Everything that the seed of a replicate determines, on the CPU.

    signals: the signal vectors, (K, d) each.
    examples: the n training examples.
    start: the initial parameters, (M, ...).
    noise_seed: the seed of the router noise.
    initialisations: how many initialisations were drawn until one was accepted.
    """

    signals: Signals
    examples: Examples
    start: Parameters
    noise_seed: np.random.SeedSequence
    initialisations: int


def draw_replicate(
    subject: Subject,
    problem: Problem,
    hyper: Hyperparameters,
    seed: np.random.SeedSequence,
    *,
    dtype: torch.dtype = torch.float32,
    accept: Callable[[Signals, Tensor], bool] | None = None,
    most_initialisations: int = 1000,
) -> Replicate:
    """Draws a replicate from its seed. All draws are made on the CPU, so that they depend neither
    on the batch nor on the device that the replicate is trained on.

    dtype: of signals, examples and parameters.
    accept: a condition on the initialisation, a function of the signals and W (M, J, d);
        initialisations that do not meet it are rejected.
    most_initialisations: how many initialisations are tried at most.

    Raises NotAccepted if none of them is accepted.
    """
    generator = generator_from(child(seed, 0))
    exact = subject.draw_signals(problem, generator)
    signals = Signals(exact.features.to(dtype), exact.centres.to(dtype))
    theta = subject.initialise_router(problem, hyper, generator)
    initialisations, W = 1, subject.initialise_experts(problem, hyper, generator)
    while accept is not None and not accept(exact, W):
        if initialisations == most_initialisations:
            raise NotAccepted(
                f"no acceptable initialisation in {most_initialisations} draws, for {hyper}"
            )
        initialisations, W = (
            initialisations + 1,
            subject.initialise_experts(problem, hyper, generator),
        )
    examples = subject.draw_examples(problem, signals, hyper.n, generator)
    return Replicate(
        signals, examples, Parameters(theta.to(dtype), W.to(dtype)), child(seed, 1), initialisations
    )


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The results of R runs of Algorithm 1, on the CPU.

    signals: v_k and c_k, (R, K, d) each.
    steps: the S steps t at which the parameters were kept.
    theta: Theta^(t) at these steps, (R, S, M, d).
    W: W^(t) at these steps, (R, S, M, J, d).
    looked_at: the steps at which the training error was measured.
    training_error: the noise-free training error at these steps, (R, looks).
    initialisations: how many initialisations were drawn until one was accepted, for each replicate.
    watched: the quantities that `watch` of `train` names, at t = 0, 1, 2, ..., each
        (R, steps watched, ...).
    """

    signals: Signals
    steps: tuple[int, ...]
    theta: Tensor
    W: Tensor
    looked_at: tuple[int, ...]
    training_error: Tensor
    initialisations: tuple[int, ...]
    watched: Mapping[str, Tensor]

    def parameters(self, step: int) -> Parameters:
        """Theta^(t) and W^(t) of all replicates, t = step.

        Raises ValueError if that step was not kept.
        """
        if step not in self.steps:
            raise ValueError(f"step {step} was not kept; kept: {self.steps}")
        s = self.steps.index(step)
        return Parameters(self.theta[:, s], self.W[:, s])


@torch.inference_mode(False)
def train(
    subject: Subject,
    problem: Problem,
    hyper: Hyperparameters,
    seeds: Sequence[np.random.SeedSequence],
    *,
    keep: Sequence[int] = (),
    look_every: int = 10,
    watch: Mapping[str, Watch] = MappingProxyType({}),
    watch_until: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    accept: Callable[[Signals, Tensor], bool] | None = None,
    memory_budget: int | None = None,
) -> Trajectory:
    """Algorithm 1 from every seed, T steps each.

    seeds: one for each replicate.
    keep: the steps at which to keep the parameters, beside step T.
    look_every: the training error is measured every so many steps, and at step T.
    watch: quantities to measure at steps 0 to watch_until: functions of signals and parameters that
        broadcast over replicates.
    watch_until: the last such step.
    device: where to train; the result is on the CPU.
    dtype: of examples and parameters.
    accept: a condition on the initialisation, as in `draw_replicate`.
    memory_budget: bytes of patches to train on side by side (default: CPU_BUDGET on the CPU, 2 GiB
    elsewhere).

    Replicates are trained in chunks that fit into memory_budget. Another division into chunks
    changes results by rounding only. With the same chunks, results repeat bit for bit on the CPU,
    and on other devices if torch's index_add_ does.

    Raises ValueError if there are no seeds or they are not seed sequences, if dtype is not
    floating-point, if a step to keep lies outside 0..T, and if a count is below 1 (watch_until:
    below 0). Raises NotAccepted as `draw_replicate` does.
    """
    if not seeds:
        raise ValueError("train: needs at least one seed")
    if not all(isinstance(seed, np.random.SeedSequence) for seed in seeds):
        raise ValueError(
            f"seeds = {list(seeds)}: needs np.random.SeedSequence objects, one for each replicate"
        )
    if not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ValueError(f"dtype = {dtype}: needs a floating-point torch.dtype")
    if not all(
        isinstance(step, int) and not isinstance(step, bool) and 0 <= step <= hyper.T
        for step in keep
    ):
        raise ValueError(f"keep = {tuple(keep)}: needs whole numbers between 0 and T = {hyper.T}")
    require_count("look_every", look_every, 1)
    require_count("watch_until", watch_until, 0)
    plan = _Plan(tuple(sorted({*keep, hyper.T})), look_every, watch, watch_until)
    device = torch.device(device)
    if memory_budget is None:
        memory_budget = CPU_BUDGET if device.type == "cpu" else 2**31
    require_count("memory_budget", memory_budget, 1)
    chunks = []
    for part in in_chunks(seeds, problem, hyper, dtype, memory_budget):
        replicates = [
            draw_replicate(subject, problem, hyper, seed, dtype=dtype, accept=accept)
            for seed in part
        ]
        chunks.append(_train_chunk(subject, hyper, replicates, plan, device))
    return concatenate(chunks)


def in_chunks(
    items: Sequence[Item],
    problem: Problem,
    hyper: Hyperparameters,
    dtype: torch.dtype,
    memory_budget: int,
) -> list[Sequence[Item]]:
    """The items, one for each replicate, in chunks of nearly equal size.

    There are as few chunks as possible. The random-noise patches and patch sums of a chunk fit into
    memory_budget bytes, unless those of a single replicate do not: then it is a chunk of its own.
    """
    most = max(1, memory_budget // (hyper.n * (problem.P - 2) * problem.d * dtype.itemsize))
    chunks = -(-len(items) // most)
    return [items[len(items) * i // chunks : len(items) * (i + 1) // chunks] for i in range(chunks)]


def concatenate(parts: Sequence[Trajectory]) -> Trajectory:
    """One trajectory with the replicates of several that kept the same steps."""
    return Trajectory(
        signals=Signals(
            *(torch.cat([getattr(p.signals, f.name) for p in parts]) for f in fields(Signals))
        ),
        steps=parts[0].steps,
        theta=torch.cat([p.theta for p in parts]),
        W=torch.cat([p.W for p in parts]),
        looked_at=parts[0].looked_at,
        training_error=torch.cat([p.training_error for p in parts]),
        initialisations=tuple(i for p in parts for i in p.initialisations),
        watched={name: torch.cat([p.watched[name] for p in parts]) for name in parts[0].watched},
    )


def stack(parts: Sequence[Record], device: torch.device | str = "cpu") -> Record:
    """Stacks records of tensors (Signals, Patches, Parameters), each of one replicate, into one
    record with a leading replicate axis, on the device. If there is only one record, the result is
    a view of it."""

    def together(tensors: list[Tensor]) -> Tensor:
        return (torch.stack(tensors) if len(tensors) > 1 else tensors[0][None]).to(device)

    return type(parts[0])(
        *(together([getattr(p, f.name) for p in parts]) for f in fields(parts[0]))
    )


def descent(
    subject: Subject,
    hyper: Hyperparameters,
    start: Parameters,
    x: Patches,
    y: Tensor,
    noise: Callable[[int], Tensor],
) -> Iterator[Parameters]:
    """The iterates Theta^(t), W^(t), t = 0..T, of Algorithm 1, batched over replicates.

    start: Theta^(0) and W^(0), (R, M, ...).
    x: (R, n) examples.
    y: their labels, (R, n).
    noise: a function from a step t to the router noise r of that step, (R, M, n).
    """
    parameters = start
    expert_state = router_state = None
    yield parameters
    for t in range(hyper.T):
        grad_W, grad_theta = gradients(subject, parameters, x, y, noise(t))
        W, expert_state = subject.expert_update(parameters.W, grad_W, hyper.eta, expert_state)
        theta, router_state = subject.router_update(
            parameters.theta, grad_theta, hyper.eta_r, router_state
        )
        parameters = Parameters(theta, W)
        yield parameters


@dataclass(frozen=True)
class _Plan:
    """What `train` keeps of a run; the fields are the arguments of `train` with these names."""

    keep: tuple[int, ...]
    look_every: int
    watch: Mapping[str, Watch]
    watch_until: int


def _train_chunk(
    subject: Subject,
    hyper: Hyperparameters,
    replicates: list[Replicate],
    plan: _Plan,
    device: torch.device,
) -> Trajectory:
    signals = stack([r.signals for r in replicates], device)
    x = stack([r.examples.patches for r in replicates], device)
    y = torch.stack([r.examples.y for r in replicates]).to(device)
    generators = [generator_from(r.noise_seed, device) for r in replicates]

    def noise(t: int) -> Tensor:
        return torch.stack([subject.router_noise((hyper.M, hyper.n), g, t) for g in generators])

    snapshots, looked_at, errors = [], [], []
    watched: dict[str, list[Tensor]] = {name: [] for name in plan.watch}
    start = stack([r.start for r in replicates], device)
    for t, parameters in enumerate(descent(subject, hyper, start, x, y, noise)):
        if t in plan.keep:
            snapshots.append(parameters)
        if t <= plan.watch_until:
            for name, measure in plan.watch.items():
                watched[name].append(measure(signals, parameters))
        if t % plan.look_every == 0 or t == hyper.T:
            looked_at.append(t)
            errors.append(is_error(margins(subject, parameters, x, y)[0]).float().mean(dim=-1))
    return Trajectory(
        signals=stack([r.signals for r in replicates]),
        steps=plan.keep,
        theta=torch.stack([p.theta for p in snapshots], dim=1).cpu(),
        W=torch.stack([p.W for p in snapshots], dim=1).cpu(),
        looked_at=tuple(looked_at),
        training_error=torch.stack(errors, dim=1).cpu(),
        initialisations=tuple(r.initialisations for r in replicates),
        watched={name: torch.stack(values, dim=1).cpu() for name, values in watched.items()},
    )
