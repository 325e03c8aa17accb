"""Algorithm 1's loss and gradients written the slow way, for a Subject's own logits, gate, response
and loss.

Everything here goes example by example or entry by entry in double precision; nothing is shared
with the training engine.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from core import Parameters, Patches, Subject


def example_loss(subject: Subject, pi: Tensor, w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """l(y pi f(x; w)) of one example x (P, d) with label y, gated by pi, and one expert w (J,
    d)."""
    return subject.loss(y * pi * subject.respond(x @ w.mT))


def losses_if_routed(subject: Subject, parameters: Parameters, x: Patches, y: Tensor) -> Tensor:
    """l(y_i pi_m(x_i) f_m(x_i)) for every expert m and example i: theta (M, d), W (M, J, d), n
    examples x, y (n,) to (M, n)."""
    pi = subject.gate(subject.logits(parameters.theta, x))
    rows = []
    for m, w in enumerate(parameters.W):
        rows.append(
            torch.stack(
                [example_loss(subject, pi[m, i], w, x.dense[i], y[i]) for i in range(len(y))]
            )
        )
    return torch.stack(rows)


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
    M, n = losses.shape
    return (
        torch.stack([w for w, _ in found]).view(M, n, *W.shape),
        torch.stack([t for _, t in found]).view(M, n, *theta.shape),
    )


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
            ahead, behind = (
                loss_at(value + unit.view_as(value)),
                loss_at(value - unit.view_as(value)),
            )
            found.view(-1)[index] = (ahead - behind) / (2 * step)
        return found

    theta, W = parameters.theta, parameters.W
    return (
        differences(W, lambda w: training_loss(subject, Parameters(theta, w), x, y, routed)),
        differences(theta, lambda t: training_loss(subject, Parameters(t, W), x, y, routed)),
    )
