"""The model as training calls it, as a reference for what it is outside training, where gradients
are off and no noise is added."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from core import Examples, Parameters, Subject
from core.training import margins, stack
from theory_checks.evidence import Statement, all_of, at_most
from theory_checks.experiments.finite import same_numbers

# Sizes of logits at which exp overflows, in single precision from 88 on, in double from 709 on.
OVERFLOWING = (1e2, 1e4)
SOME = 16  # examples, of those with large logits


def in_training(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """function(value) while its gradient is recorded."""
    with torch.enable_grad():
        return function(value.detach().clone().requires_grad_()).detach()


def in_evaluation(function: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    """function(value) with gradients off."""
    with torch.no_grad():
        return function(value.detach().clone())


def without_noise(subject: Subject) -> Callable[[Tensor], Tensor]:
    """The subject's choice at r = 0, a function of the logits."""
    return lambda h: subject.select(h, torch.zeros_like(h))


def common_shift(h: Tensor, size: float, dtype: torch.dtype) -> Tensor:
    """Logits of at most SOME examples and as many experts as h has, which have
    in common what goes from -size to size over the examples, and differ by some tenths."""
    M, n = h.shape[0], min(SOME, h.shape[1] + 1)
    common = size * torch.linspace(-1, 1, n, dtype=torch.float64)
    own = torch.arange(M, dtype=torch.float64)[:, None] * 0.3
    return (common + own).to(dtype)


@dataclass(frozen=True, eq=False)
class Reference:
    """A model on n examples, with the ingredients called as in training.

    subject, parameters, examples: what is evaluated; parameters (M, ...) of one replicate.
    h: logits, (M, n).
    pi: gates, (M, n).
    f: responses of every expert, in double precision and from plain inner products, (M, n).
    h_slack: how far rounding may move h, (M, n).
    f_slack: how far rounding may move f, (M, n).
    """

    subject: Subject
    parameters: Parameters
    examples: Examples
    h: Tensor
    pi: Tensor
    f: Tensor
    h_slack: Tensor
    f_slack: Tensor

    @classmethod
    def of(cls, subject: Subject, parameters: Parameters, examples: Examples) -> "Reference":
        """The reference for these parameters and examples.

        A sum of P d products rounds by (P d + 2) eps times their sizes, as in R.7. Pre-activations
        z_pj round by (d + 2) eps S_pj, S_pj = sum_i |w_ji x_i^(p)|, and a response of degree 3 then
        by 3 (d + 2) eps of what it is at S, entry by entry; summing P J entries adds P J eps.
        """
        x, eps = examples.patches, torch.finfo(examples.y.dtype).eps
        theta, W, dense = parameters.theta, parameters.W.double(), x.dense.double()
        M, J, d = W.shape
        P = dense.shape[-2]
        h = in_training(lambda router: subject.logits(router, x), theta)
        size = theta.double().abs() @ dense.abs().sum(dim=-2).mT
        products = torch.einsum("npd,mjd->mnpj", dense, W)
        sizes = torch.einsum("npd,mjd->mnpj", dense.abs(), W.abs())
        response = torch.zeros(M, len(examples.y), dtype=torch.float64)
        for p in range(P):
            for j in range(J):
                alone = torch.zeros_like(sizes)
                alone[..., p, j] = sizes[..., p, j]
                response += in_training(subject.respond, alone).abs()
        return cls(
            subject,
            parameters,
            examples,
            h,
            in_training(subject.gate, h),
            in_training(subject.respond, products),
            2 * (P * d + 2) * eps * size,
            4 * (3 * (d + 2) + P * J + 8) * eps * response,
        )

    def ingredients(self) -> Iterator[Statement]:
        """Each ingredient gives outside training what it gives in training, whenever it is
        called."""
        s, x, h = self.subject, self.examples.patches, self.h
        eps = torch.finfo(h.dtype).eps
        z = torch.einsum("npd,jd->npj", x.dense, self.parameters.W[0])
        cases: list[tuple[str, Callable[[Tensor], Tensor], Tensor, Tensor | float]] = [
            ("logits", lambda theta: s.logits(theta, x), self.parameters.theta, self.h_slack),
            ("gate", s.gate, h, 4 * len(h) * eps),
            ("response", s.respond, z, self.f_slack[0]),
            ("choice", without_noise(s), h, 0.0),
            ("choice among equal logits", without_noise(s), torch.zeros_like(h), 0.0),
        ]
        long, most = 1e3 * z, in_training(s.respond, 1e3 * z.abs()).abs()
        rounding = 4 * (z.shape[-1] * z.shape[-2] + 8) * eps
        cases += [
            ("response to large patches", s.respond, long, rounding * most),
            ("logits of a large router", cases[0][1], 1e4 * cases[0][2], 1e4 * self.h_slack),
        ]
        for size, dtype in product(OVERFLOWING, (torch.float32, torch.float64)):
            large, name = common_shift(h, size, dtype), f"of {dtype}, up to {size:.0e}"
            cases.append((f"gate {name}", s.gate, large, 4 * len(h) * torch.finfo(dtype).eps))
            cases.append((f"choice {name}", without_noise(s), large, 0.0))
        for name, function, value, slack in cases:
            # The choice passes no gradient: training detaches its logits.
            training = (
                function(value) if name.startswith("choice") else in_training(function, value)
            )
            for again in ("", ", called again"):
                yield same_numbers(
                    in_evaluation(function, value).double(),
                    training.double(),
                    tolerance=slack,
                    detail=f"{name} outside training against training{again}",
                    axes=("expert", "example")[-training.dim() :],
                )

    def evaluated(self, batches: list[Tensor], detail: str) -> Statement:
        """m = argmax h and yF = y pi_m f_m, for batches of the examples side by side.

        batches: the numbers of the examples in each, equally many.
        """
        parts = [self.examples.where(chosen) for chosen in batches]
        x = stack([part.patches for part in parts])
        y = torch.stack([part.y for part in parts])
        side_by_side = stack([self.parameters] * len(parts))
        margin, routed = margins(self.subject, side_by_side, x, y)
        again, _ = margins(self.subject, side_by_side, x, y)
        chosen, routed = torch.cat(batches), routed.flatten()

        def own(values: Tensor) -> Tensor:
            return values[routed, chosen].double()

        h, slack = self.h.double(), 2 * self.h_slack.amax(dim=0)[chosen]
        f, pi = own(self.f), own(self.pi)
        moved = (slack + 8 * torch.finfo(y.dtype).eps) * pi.abs().clamp(min=1)
        return all_of(
            at_most(
                (h.amax(dim=0)[chosen] - own(self.h) - slack).nan_to_num(torch.inf),
                0.0,
                detail=f"{detail}: gap of the chosen expert to the largest logit",
                axes=("example",),
            ),
            same_numbers(
                margin.flatten().double(),
                y.flatten() * pi * f,
                tolerance=pi.abs() * own(self.f_slack) + moved * (f.abs() + own(self.f_slack)),
                detail=f"{detail}: y F against y pi_m f_m",
                axes=("example",),
            ),
            same_numbers(
                again,
                margin,
                tolerance=0.0,
                detail=f"{detail}: y F computed twice",
                axes=("replicate", "example"),
            ),
        )
