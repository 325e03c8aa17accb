"""Algorithm 1's loss and gradients written the slow way, for a Subject's own logits, gate, response
and loss.

Everything here goes example by example or entry by entry in double precision; nothing is shared
with the training engine.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from core import Parameters, Patches, Subject
from core.training import Record, loss_slope

SINGLE = torch.finfo(torch.float32).eps


def example_loss(subject: Subject, pi: Tensor, w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """l(y pi f(x; w)) of one example x (P, d) with label y, gated by pi, and one expert w (J,
    d)."""
    return subject.loss(y * pi * subject.respond(x @ w.mT))


def losses_if_routed(subject: Subject, parameters: Parameters, x: Patches, y: Tensor) -> Tensor:
    """l(y_i pi_m(x_i) f_m(x_i)) for every expert m and example i: theta (M, d), W (M, J, d), n
    examples x, y (n,) to (M, n)."""
    pi = subject.gate(subject.logits(parameters.theta, x))
    losses = [
        example_loss(subject, pi[m, i], w, x.dense[i], y[i])
        for m, w in enumerate(parameters.W)
        for i in range(len(y))
    ]
    return torch.stack(losses).view_as(pi)


def gradients_if_routed(
    subject: Subject, parameters: Parameters, x: Patches, y: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of each of these losses in W and theta: (M, n, M, J, d) and (M, n, M, d)."""
    theta, W = parameters.theta.detach().requires_grad_(), parameters.W.detach().requires_grad_()
    losses = losses_if_routed(subject, Parameters(theta, W), x, y)
    found = [
        torch.autograd.grad(loss, (W, theta), retain_graph=True, materialize_grads=True)
        for loss in losses.flatten()
    ]
    by_W, by_theta = (
        torch.stack(each).unflatten(0, losses.shape) for each in zip(*found, strict=True)
    )
    return by_W, by_theta


def training_loss(
    subject: Subject, parameters: Parameters, x: Patches, y: Tensor, routed: Tensor
) -> float:
    """L = (1/n) sum_i l(y_i pi_{m_i}(x_i) f_{m_i}(x_i)): shapes as above, routed (n,)."""
    pi = subject.gate(subject.logits(parameters.theta, x))
    losses = [
        example_loss(subject, pi[m, i], parameters.W[m], x.dense[i], y[i])
        for i, m in enumerate(routed.tolist())
    ]
    return float(torch.stack(losses).mean())


def central_differences(
    subject: Subject, parameters: Parameters, x: Patches, y: Tensor, routed: Tensor, step: float
) -> tuple[Tensor, Tensor]:
    """The gradient of the training loss in W and theta by central differences, entry by entry, with
    m_i = routed held fixed."""

    def differences(value: Tensor, loss_at: Callable[[Tensor], float]) -> Tensor:
        found = torch.empty_like(value)
        for index in range(value.numel()):
            unit = torch.zeros_like(value).view(-1)
            unit[index] = step
            step_along = unit.view_as(value)
            rise = loss_at(value + step_along) - loss_at(value - step_along)
            found.view(-1)[index] = rise / (2 * step)
        return found

    theta, W = parameters.theta, parameters.W
    return (
        differences(W, lambda w: training_loss(subject, Parameters(theta, w), x, y, routed)),
        differences(theta, lambda t: training_loss(subject, Parameters(t, W), x, y, routed)),
    )


def in_double(patches: Patches) -> Patches:
    """The same numbers in double precision."""
    values = (getattr(patches, f.name) for f in fields(Patches))
    return Patches(*(value.double() if value.is_floating_point() else value for value in values))


def one_replicate(batch: Record, r: int) -> Record:
    """Replicate r of a batch of Patches or Parameters."""
    return type(batch)(*(getattr(batch, f.name)[r] for f in fields(batch)))


@dataclass(frozen=True)
class Expected:
    """What Algorithm 1 says of a step of one replicate: W_m moves along -direction, a unit vector
    or 0, theta by -eta_r grad_theta.

    doubt_W, doubt_theta (M,): how far single precision may be off, in Frobenius norm and in each
    entry.
    """

    direction: Tensor
    doubt_W: Tensor
    grad_theta: Tensor
    doubt_theta: Tensor


def expected_step(subject: Subject, at: Parameters, x: Patches, y: Tensor, m: Tensor) -> Expected:
    """From the subject's loss, gate, logits and response in double precision, without the engine.
    at: theta (M, d), W (M, J, d); x of n examples, y, m (n,).

    In single precision a pre-activation is off by at most (d + 2) eps |w| |x|, a response by that
    times its derivatives and the rounding of its P J terms, and the log of a slope by as much as
    the margin; gates by eps of their own. Slopes are divided by the largest that an expert has, as
    its step does not depend on their scale. An error e of a gradient turns it by at most 2 e over
    its size.
    """
    M, n = len(at.W), len(y)
    h = subject.logits(at.theta, x).requires_grad_()
    pi = subject.gate(h).gather(0, m[None])[0]
    (pi_by_h,) = torch.autograd.grad(pi.sum(), h, materialize_grads=True)
    pi = pi.detach()
    z = torch.einsum("npd,njd->npj", x.dense, at.W[m]).requires_grad_()
    f = subject.respond(z)
    (f_by_z,) = torch.autograd.grad(f.sum(), z)
    f = f.detach()
    sign, log_slope = loss_slope(subject.loss, y * pi * f)
    _, P, d = x.dense.shape
    sizes = x.dense.norm(dim=2)[:, :, None] * at.W[m].norm(dim=2)[:, None, :]
    moved = (f_by_z.abs() * sizes).sum(dim=(1, 2))
    doubt = (d + 2 + P * z.shape[2]) * SINGLE * (1 + pi.abs() * moved)

    # The largest log slope among the examples of each expert, 0 if it has none.
    top = log_slope.new_full((M,), -torch.inf).scatter_reduce(0, m, log_slope, "amax")
    top = top.nan_to_num(0, 0, 0)
    weight = sign * y * pi * (log_slope - top[m]).exp() / n
    f_by_W = torch.einsum("npj,npd->njd", f_by_z, x.dense)
    pulls = weight.abs() * f_by_W.flatten(1).norm(dim=1)
    grad_W = torch.zeros_like(at.W).index_add(0, m, weight[:, None, None] * f_by_W)
    size = grad_W.flatten(1).norm(dim=1)
    off = size.new_zeros(M).index_add(0, m, pulls * doubt)
    size = size.where(size > 0, 1)

    coefficient = sign * y * f * log_slope.exp() / n
    by_h = coefficient * pi_by_h
    grad_theta, largest = by_h @ x.total, x.total.abs().amax(dim=1)
    off_theta = (by_h.abs() * doubt + SINGLE * coefficient.abs()) @ largest
    return Expected(grad_W / size[:, None, None], 2 * off / size, grad_theta, off_theta)
