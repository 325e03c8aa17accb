"""Lemma 5.1 and relatives: the perturbed router picks expert m with probability p_m(h), which moves
slowly with the logits."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Hyperparameters, Parameters, Problem, Signals, Subject, train
from core.data import EPS
from core.routing import routing_probabilities
from core.seeds import child, generator_from
from core.training import gradients, stack
from core.updates import Gradient, zero_router
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import (
    Statement,
    about_draws,
    all_of,
    at_least,
    at_most,
    cells_follow,
    equal,
    frequency_at_most,
    mean_at_least,
    mean_equals,
    none_of,
)
from theory_checks.experiments.coupled_choices import rise_at_the_steepest
from theory_checks.experiments.evaluation import Reference
from theory_checks.experiments.finite import are_numbers, as_numbers, same_numbers
from theory_checks.experiments.logits import (
    facts_about_logits,
    moved,
    numbers,
    perturbations,
    ratio_to_the_step,
    rounding_of_p,
    small_logits,
    softmax_of,
    sup_norm,
)
from theory_checks.experiments.oracles import gradients_if_routed
from theory_checks.experiments.router import of_two
from theory_checks.experiments.scenarios import SEEDS, logits, problems
from theory_checks.experiments.small_draws import noise_along_a_run_is_independent


@claim(
    "R.1",
    kind=Kind.EXACT,
    samples=False,
    source="derived from the definition of p",
    formula=(
        r"\sum_m p_m(h)=1,\qquad p(h+c)=p(h),\qquad p_{\tau(m)}(\tau h)=p_m(h),\qquad"
        r" p_m(0)=\tfrac1M"
    ),
    over={"h": logits(), "shift": st.sampled_from([-3.0, -0.5, 0.25, 1.0, 64.0]), "relabel": SEEDS},
    examples=120,
    visits=facts_about_logits,
)
def probabilities_of_a_symmetric_choice(
    subject: Subject, h: Tensor, shift: float, relabel: int
) -> Statement:
    """p(h) sums to 1, is invariant to a common shift of h, equivariant to relabelling, and equals
    1/M at h = 0; the choice has the same symmetries.

    The router's own choice (select) is compared draw by draw. The shifts are powers of two or sums
    of few of them, and the noise and moderate logits are rounded to multiples of 2^-20, so that
    shifting does not round.
    """
    M = len(h)
    p = routing_probabilities(h)
    order = torch.randperm(M, generator=torch.Generator().manual_seed(relabel))
    # Rounding of h + shift changes p by at most twice as much (R.3).
    shift_error = 2 * (h.abs().amax(dim=0).numpy() + abs(shift)) * EPS
    grid = (h.clamp(-1e3, 1e3) * 2**20).round() / 2**20
    # Noise with distinct entries: the choice is equivariant only without ties.
    noise = torch.stack(
        [
            torch.randperm(M, generator=torch.Generator().manual_seed(relabel + i))
            for i in range(h.shape[1])
        ],
        dim=1,
    )
    noise = (noise.to(h) + 0.5) / M
    noise = (noise * 2**20).round() / 2**20
    score = grid + noise
    unique = (score == score.amax(dim=0)).sum(dim=0) == 1
    chosen = subject.select(grid, noise)
    shifted, relabelled = (
        subject.select(grid + shift, noise),
        order[subject.select(grid[order], noise[order])],
    )
    wrong = ((shifted != chosen) | (relabelled != chosen)) & unique
    return all_of(
        equal(p.sum(dim=0), 1.0, tolerance=rounding_of_p(M), detail="sum of p", axes=("example",)),
        equal(
            routing_probabilities(h + shift),
            p,
            tolerance=rounding_of_p(M) + shift_error,
            detail="p after a common shift",
            axes=("expert", "example"),
        ),
        equal(
            routing_probabilities(h[order]),
            p[order],
            tolerance=rounding_of_p(M),
            detail="p after relabelling",
            axes=("expert", "example"),
        ),
        equal(
            routing_probabilities(torch.zeros_like(h)),
            1 / M,
            tolerance=rounding_of_p(M),
            detail="p at h = 0",
            axes=("expert", "example"),
        ),
        none_of(
            wrong,
            detail="choices that a shift or relabelling changes",
            of="choices",
            axes=("example",),
        ),
    )


@claim(
    "R.2",
    kind=Kind.EXACT,
    source="Lemma 5.1",
    picture=ratio_to_the_step,
    formula=r"\|p(h)-p(h')\|_\infty\le M^2\,\|h-h'\|_\infty",
    over={"h": logits(), "perturbation": perturbations()},
    depends_on=("R.3",),
    examples=120,
    visits=facts_about_logits,
)
def probabilities_are_lipschitz(
    subject: Subject, h: Tensor, perturbation: tuple[float, str, int]
) -> Statement:
    """norm_inf(p(h) - p(h')) <= M^2 norm_inf(h - h').

    Exact for the closed form of p. The subject's router is tested by sampling, with a step of 1e-6
    where a pilot sample has most choices change: there p jumps if the noise has atoms.
    """
    other = moved(h, perturbation)
    M, step = len(h), sup_norm(other - h)
    return all_of(
        at_most(
            sup_norm(routing_probabilities(other) - routing_probabilities(h)),
            M**2 * step,
            tolerance=2 * rounding_of_p(M),
            detail="largest change of p against M^2 times that of h",
            axes=("example",),
        ),
        *rise_at_the_steepest(subject, h[:, :1], 1e-6, float(M**2), perturbation[2] % 4800),
        exact_first=True,
    )


@claim(
    "R.3",
    kind=Kind.EXACT,
    source="derived; sharpens Lemma 5.1",
    picture=ratio_to_the_step,
    formula=r"\|p(h)-p(h')\|_\infty\le 2\,\|h-h'\|_\infty",
    given="noise of density at most 1",
    over={"h": logits(), "perturbation": perturbations()},
    always=(
        {
            "h": torch.zeros(64, 8, dtype=torch.float64),
            "perturbation": (1e-3, "one up, rest down", 0),
        },
        {
            "h": torch.zeros(8, 8, dtype=torch.float64),
            "perturbation": (0.1, "one up, rest down", 3),
        },
        *(
            {
                "h": torch.zeros(M, 8, dtype=torch.float64),
                "perturbation": (1e-6, "one up, rest down", 1),
            }
            for M in (2, 8)
        ),
    ),
    examples=120,
    visits=facts_about_logits,
)
def probabilities_move_at_most_twice_as_far_as_logits(
    subject: Subject, h: Tensor, perturbation: tuple[float, str, int]
) -> Statement:
    """norm_inf(p(h) - p(h')) <= 2 norm_inf(h - h').

    With G(r) = prod F(r + h_m - h_m'), a move of size delta shifts the argument by at most 2 delta,
    and int density(r) (G(r + 2 delta) - G(r)) dr <= 2 delta. Sharp: at h = 0, with one coordinate
    up and the rest down by delta, p rises by 2 delta - (2 delta)^M / M. Exact for the closed form
    of p. The subject's router is tested by sampling, with a step of the size of the move, from 1e-6
    to 0.1, where a pilot sample has most choices change: there p jumps if the noise has atoms.
    """
    other = moved(h, perturbation)
    M, step = len(h), sup_norm(other - h)
    size, _, seed = perturbation
    delta = torch.from_numpy(step).clamp(max=0.5)
    # From h = 0: the first coordinate up, the rest down.
    up = delta * (2 * torch.eye(M, 1, dtype=torch.float64) - 1)
    return all_of(
        at_most(
            sup_norm(routing_probabilities(other) - routing_probabilities(h)),
            2 * step,
            tolerance=2 * rounding_of_p(M),
            detail="largest change of p against twice that of h",
            axes=("example",),
        ),
        *rise_at_the_steepest(subject, h[:, :1], min(max(size, 1e-6), 0.1), 2.0, seed % 4800),
        equal(
            routing_probabilities(up)[0] - 1 / M,
            2 * delta - (2 * delta) ** M / M,
            tolerance=2 * rounding_of_p(M),
            detail="rise at h = 0, where the bound is sharp",
            axes=("example",),
        ),
        exact_first=True,
    )


@claim(
    "R.4",
    kind=Kind.EXACT,
    source="derived: noise of width 1 cannot cross a larger gap",
    formula=r"p_m(h)>0\ \iff\ h_m>\max_{m'}h_{m'}-1",
    over={"h": logits(), "seed": SEEDS},
    depends_on=("R.1",),
    examples=120,
    visits=facts_about_logits,
)
def experts_further_than_the_noise_are_never_chosen(
    subject: Subject, h: Tensor, seed: int
) -> Statement:
    """p_m > 0 if and only if h_m > max h - 1, and the router never chooses an expert with h_m < max
    h - 1.

    Quantitatively, with delta = h_m - (max h - 1): delta_+^M / M <= p_m <= delta_+, because for a
    winning value u in [max h, h_m + 1] every factor is at least u - max h and at most 1.
    """
    M = len(h)
    p = routing_probabilities(h)
    top = h.amax(dim=0)
    room = (h - top + 1).clamp(0, 1)
    chosen = subject.select(
        h, subject.router_noise(tuple(h.shape), torch.Generator().manual_seed(seed), 0).to(h)
    )
    gap = top - h.gather(0, chosen[None]).squeeze(0)
    size = EPS * (1 + top.abs().numpy() + gap.numpy())  # rounding of h + r, and of the gap
    # Two experts that are hardly further apart than the noise is wide, and many draws: noise with
    # tails would cross the gap.
    apart = torch.tensor([0.0, -1 - 1e-6], dtype=torch.float64)[:, None].expand(2, 4096)
    crossing = subject.select(
        apart, subject.router_noise((2, 4096), torch.Generator().manual_seed(seed), 0).double()
    )
    # The expert with the least, but not tiny, chance by that lower bound: does the subject's router
    # ever choose it?
    least = torch.where(room**M / M > 0.02, room**M / M, torch.inf)
    m, column = divmod(int(least.argmin()), h.shape[1])

    def chosen_at_all(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        noise = subject.router_noise((M, size), generator_from(stream), 0).to(h)
        return (subject.select(h[:, [column]].expand_as(noise), noise) == m).numpy()

    floor = float(least.min())
    drawn = (
        [mean_at_least(floor, chosen_at_all, resolution=0.9 * floor, detail="choices of m")]
        if floor < math.inf
        else []
    )
    return all_of(
        *drawn,
        at_most(
            p,
            room,
            tolerance=rounding_of_p(M),
            detail="p_m against its room",
            axes=("expert", "example"),
        ),
        at_least(
            p,
            room**M / M,
            tolerance=rounding_of_p(M),
            detail="p_m against room^M / M",
            axes=("expert", "example"),
        ),
        at_most(
            (p > 0).double(),
            (room > 0).double(),
            detail="possible although out of reach",
            axes=("expert", "example"),
        ),
        at_most(
            gap,
            1.0,
            tolerance=2 * size,
            detail="gap of the chosen expert to the top",
            axes=("example",),
        ),
        none_of(crossing != 0, detail="choices across a gap of 1 + 1e-6", of="choices"),
        exact_first=True,
    )


@claim(
    "R.5",
    kind=Kind.LAW,
    source="Algorithm 1 with the definition of p",
    formula=(
        r"P\bigl(m_i^{(t)}=m\bigr)=p_m\bigl(h(x_i;\Theta^{(t)})\bigr)\ \text{independently"
        r" over}\ i,\ t"
    ),
    over={"h": small_logits(), "steps": st.sampled_from([1, 2, 5])},
    always=(
        {
            "h": (
                torch.tensor(
                    [[0, 3], [-1, 3], [-2, 2], [-3, 1], [-3, 0], [-4, -1]], dtype=torch.float64
                )
                / 8
            ),
            "steps": 2,
        },
    ),
    depends_on=("R.1",),
    examples=6,
    visits=lambda h, steps: {
        "M": len(h),
        "spread > 1": bool((h.amax(dim=0) - h.amin(dim=0) > 1).any()),
        "steps apart": steps,
    },
)
def the_router_of_training_draws_from_p(subject: Subject, h: Tensor, steps: int) -> Statement:
    """Training draws m_i with exactly p(h(x_i)), independently over examples and steps.

    For the subject's noise and choice at these logits: the joint law of (m_1, m_2) of two examples
    at a step, and of m_1 at two steps, is the product of the p. Neighbouring and distant columns of
    the noise array are both tested, in case a variant shares noise between neighbours, and the
    first and last of two and of three columns, where a dependence of size 1/n shows. For training
    itself, with the router held at 0, where p = 1/M: the choices that a run makes for an example at
    two steps.
    """
    M, columns = len(h), 64
    p = routing_probabilities(h).numpy()
    # Examples 0, 2, 4, ... have the first column, 1, 3, 5, ... the second.
    wide = h.repeat(1, columns // 2)

    def choices(stream: np.random.SeedSequence, runs: int) -> np.ndarray:
        generator = generator_from(stream)
        drawn = [
            subject.router_noise((M, columns), generator, t % (steps + 1))
            for t in range(runs * (steps + 1))
        ]
        noise = torch.stack(drawn).to(wide.dtype)
        chosen = subject.select(wide.expand_as(noise), noise)
        return chosen.view(runs, steps + 1, columns).numpy()

    def pairs_of_examples(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        m = choices(stream, -(-size // (columns // 2 * (steps + 1))))
        first, second = m[:, :, 0::2], np.roll(m[:, :, 1::2], 7, axis=2)
        return (first * M + second).ravel()[:size]

    def neighbours(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        m = choices(stream, -(-size // (columns // 2 * (steps + 1))))
        return (m[:, :, 0::2] * M + m[:, :, 1::2]).ravel()[:size]

    def ends_of_few(n: int, stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        noise = torch.stack(
            [subject.router_noise((M, n), generator, t % (steps + 1)) for t in range(size)]
        )
        few = torch.cat([h[:, :1].expand(M, n - 1), h[:, 1:]], dim=1)
        m = subject.select(few.expand_as(noise), noise.to(few.dtype))
        return (m[:, 0] * M + m[:, -1]).numpy()

    def pairs_of_steps(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        m = choices(stream, -(-size // (columns // 2)))[:, :, 0::2]
        return (m[:, 0] * M + m[:, steps]).ravel()[:size]

    def steps_of_training(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        hyper = Hyperparameters(M=M, J=1, n=256, sigma_0=1.0, eta=0.1, eta_r=0.0, T=steps + 1)
        seeds = [child(stream, i) for i in range(-(-size // hyper.n))]
        made: list[Tensor] = []

        def watched(h: Tensor, r: Tensor) -> Tensor:
            made.append(subject.select(h, r))
            return made[-1]

        run = replace(subject, select=watched, initialise_router=zero_router)
        # Within one chunk, so that `made` has one entry a step.
        train(run, Problem(K=2, d=4), hyper, seeds, look_every=hyper.T, memory_budget=2**30)
        chosen = made[
            1:-1
        ]  # the first and the last are those of the noise-free looks before and after training
        return (chosen[0] * M + chosen[steps]).flatten()[:size].numpy()

    across = np.outer(p[:, 0], p[:, 1]).ravel()
    along = np.outer(p[:, 0], p[:, 0]).ravel()
    return all_of(
        cells_follow(
            across,
            neighbours,
            resolution=0.02,
            detail="experts of two neighbouring examples",
            axes=of_two("example", M),
            of="pairs",
        ),
        cells_follow(
            across,
            pairs_of_examples,
            resolution=0.02,
            detail="experts of two distant examples",
            axes=of_two("example", M),
            of="pairs",
        ),
        *(
            cells_follow(
                across,
                partial(ends_of_few, n),
                resolution=0.08,
                detail=f"experts of the first and the last of {n} examples",
                axes=of_two("example", M),
                of="pairs",
            )
            for n in (2, 3)
        ),
        cells_follow(
            along,
            pairs_of_steps,
            resolution=0.02,
            detail="experts of one example at two steps",
            axes=of_two("step", M),
            of="examples",
        ),
        cells_follow(
            np.full(M * M, 1 / M**2),
            steps_of_training,
            resolution=0.03,
            detail="experts at two steps of training",
            axes=of_two("step", M),
            of="examples",
        ),
    )


@claim(
    "R.6",
    kind=Kind.LAW,
    source="derived from R.5 and G.3",
    formula=(
        r"\mathbb E_r[\nabla L]=\frac1n\sum_i\sum_m"
        r" p_m(h(x_i))\,\nabla\ell\bigl(y_i\pi_m(x_i)f_m(x_i)\bigr)"
    ),
    over={
        "seed": SEEDS,
        "sizes": st.tuples(st.integers(2, 4), st.integers(1, 3), st.integers(1, 6)),
        "router": st.sampled_from([0.0, 0.1, 0.5]),
    },
    depends_on=("R.5", "G.3", "G.8", "G.10"),
    examples=5,
    visits=lambda seed, sizes, router: {
        "M": sizes[0],
        "J": sizes[1],
        "n": sizes[2],
        "router scale": router,
    },
)
def expected_gradient_through_the_routing_probabilities(
    subject: Subject, seed: int, sizes: tuple[int, int, int], router: float
) -> Statement:
    """E_r[grad L] = (1/n) sum_i sum_m p_m(h(x_i)) grad l(y_i pi_m(x_i) f_m(x_i)), for router and
    experts, at any Theta.

    Both gradients are projected on random directions. Given data and parameters the projection is
    an average of n independent bounded variables, whose range follows from the per-expert
    gradients.
    """
    M, J, n = sizes
    problem = Problem(K=2, d=5)
    hyper = Hyperparameters(M=M, J=J, n=n, sigma_0=1.0, eta=1.0, eta_r=1.0, T=0)
    generator = torch.Generator().manual_seed(seed)
    signals = subject.draw_signals(problem, generator)
    examples = subject.draw_examples(problem, signals, n, generator)
    x = examples.patches
    theta = router * torch.randn(M, problem.d, generator=generator, dtype=torch.float64)
    W = 2 * subject.initialise_experts(problem, hyper, generator).double()
    along_W, along_theta = (
        torch.randn(a.shape, generator=generator, dtype=torch.float64) for a in (W, theta)
    )
    p = routing_probabilities(as_numbers(subject.logits(theta, x), "logits"))  # (M, n)
    of_W, of_theta = gradients_if_routed(subject, Parameters(theta, W), x, examples.y)

    def projected(g: Gradient, along: Tensor) -> np.ndarray:
        return (g.value * along).flatten(1).sum(dim=1).numpy()

    def statement(table: Tensor, which: int, along: Tensor, name: str) -> Statement:
        """table: the projection of example i's gradient if it is routed to m, (M, n)."""
        if not bool(table.isfinite().all() & p.isfinite().all()):
            return are_numbers(torch.stack([table, p]), f"gradients in {name} given the expert")
        low, high = float(table.amin(dim=0).sum() / n), float(table.amax(dim=0).sum() / n)
        # The rounding of an observation must not leave the range.
        slack = 1e-9 * (1 + abs(low) + abs(high))

        def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
            g = generator_from(child(stream, which))
            noise = torch.stack([subject.router_noise((M, n), g, t) for t in range(size)]).double()
            many = Parameters(theta.expand(size, -1, -1), W.expand(size, -1, -1, -1))
            return projected(
                gradients(subject, many, stack([x] * size), examples.y.expand(size, -1), noise)[
                    which
                ],
                along,
            )

        expected = float((p * table).sum() / n)
        sample = draw(np.random.SeedSequence(seed), 256)
        beyond = np.nan_to_num(np.concatenate([sample - high, low - sample]), nan=np.inf)
        inside = at_most(
            beyond, slack, detail=f"gradients in {name} beyond their range", axes=("draw",)
        )

        def clipped(stream: np.random.SeedSequence, size: int) -> np.ndarray:
            return np.nan_to_num(draw(stream, size), nan=np.inf).clip(low - slack, high + slack)

        law = mean_equals(
            expected,
            clipped,
            resolution=0.05 * (high - low) + slack,
            low=low - slack,
            high=high + slack,
            detail=f"gradient in {name}",
        )
        return all_of(inside, law)

    table_W = torch.einsum("mijkl,jkl->mi", of_W, along_W)
    table_theta = torch.einsum("mijk,jk->mi", of_theta, along_theta)
    return all_of(
        statement(table_W, 0, along_W, "W"), statement(table_theta, 1, along_theta, "theta")
    )


@claim(
    "R.7",
    kind=Kind.EXACT,
    samples=False,
    source="section 3, the router",
    formula=r"h_m(x;\Theta)=\sum_p\langle\theta_m,x^{(p)}\rangle",
    over={"problem": problems(most_K=8, most_d=32), "M": st.integers(1, 32), "seed": SEEDS},
)
def logits_are_sums_of_inner_products(
    subject: Subject, problem: Problem, M: int, seed: int
) -> Statement:
    """h_m(x; Theta) = sum_p <theta_m, x^(p)>.

    Called as training does, with gradients, for a router of ordinary size and for one that is 10^4
    times as large. A sum of P d products rounds by (P d + 2) eps times their sizes.
    """
    generator = torch.Generator().manual_seed(seed)
    signals = subject.draw_signals(problem, generator)
    x = subject.draw_examples(problem, signals, 16, generator).patches
    theta = torch.randn(M, problem.d, generator=generator, dtype=torch.float64)
    products = theta[:, None, None, :] * x.dense
    size = products.abs().sum(dim=(-2, -1))
    return all_of(
        *(
            same_numbers(
                subject.logits((times * theta).requires_grad_(), x).detach(),
                times * products.sum(dim=(-2, -1)),
                tolerance=times * 2 * (problem.P * problem.d + 2) * EPS * size,
                detail=f"logits of a router times {times:g}",
                axes=("expert", "example"),
            )
            for times in (1.0, 1e4)
        )
    )


@claim(
    "R.8",
    kind=Kind.EXACT,
    samples=False,
    source="section 3, the gate",
    formula=r"\pi_m(x)=\frac{e^{h_m}}{\sum_{m'}e^{h_{m'}}}",
    over={"h": logits()},
    always=(
        {"h": torch.linspace(0, -30, 31, dtype=torch.float64)[:, None]},
        {
            "h": torch.tensor([[0.0], [-0.5], [-2.0]], dtype=torch.float64)
            + torch.tensor([-1e4, -800.0, -120.0, 100.0, 720.0, 1e4], dtype=torch.float64)
        },
    ),
)
def the_gate_is_a_softmax(subject: Subject, h: Tensor) -> Statement:
    """pi is positive and sums to 1, and log pi_m - log pi_m' = h_m - h_m'.

    Tested in the form pi_m = pi_m* exp(h_m - h_m*), m* the top, which takes no logarithm of an
    underflow; exp rounds by |h_m - h_m*| eps relative. NaN counts as 0: the others then do not sum
    to 1. The derivative is that of a softmax, pi_m (1[m = m'] - pi_m'). The gates of many examples,
    or of replicates side by side, are those of each alone. In single precision, with which training
    calls the gate, the same within its rounding.
    """
    at = h.clone().requires_grad_()
    pi = subject.gate(at)
    weight = torch.randn(h.shape, generator=torch.Generator().manual_seed(len(h)), dtype=h.dtype)
    (slope,) = torch.autograd.grad((weight * pi).sum(), at, materialize_grads=True)
    pi, slope = numbers(pi.detach()), numbers(slope)
    derived = pi * (weight - (pi * weight).sum(dim=0))
    many = h.repeat(1, 101)[:, :805]  # more examples than columns, and no round number
    batch = torch.stack([h, h.flip(1), h / 2])
    return all_of(
        *softmax_of(h, pi, "gate"),
        *softmax_of(h.float(), numbers(subject.gate(h.float())), "gate in single precision"),
        equal(
            slope,
            derived,
            tolerance=16 * len(h) * EPS * weight.abs().amax(),
            detail="derivative of the gate, in a direction",
            axes=("expert", "example"),
        ),
        equal(
            numbers(subject.gate(many)),
            pi.repeat(1, 101)[:, :805],
            tolerance=4 * EPS,
            detail="gate of many examples, against that of few",
            axes=("expert", "example"),
        ),
        equal(
            numbers(subject.gate(batch)),
            numbers(torch.stack([subject.gate(part) for part in batch])),
            tolerance=4 * EPS,
            detail="gates of replicates side by side, against each alone",
            axes=("replicate", "expert", "example"),
        ),
    )


@claim(
    "R.9",
    kind=Kind.LAW,
    source="Algorithm 1: fresh independent noise",
    formula=r"r^{(t)}_{mi}\ \text{independent over}\ m,\ i,\ t",
    over={
        "distance": st.sampled_from([1, 2, 64, 1000, 1024, 2500]) | st.integers(1, 4500),
        "step": st.sampled_from([0, 1, 7, 100, 1000, 10000]),
        "later": st.sampled_from([0, 1, 2, 10, 100]),
    },
    always=({"distance": 2500, "step": 1000, "later": 0}, {"distance": 1, "step": 0, "later": 1}),
    examples=6,
)
def noise_is_fresh(subject: Subject, distance: int, step: int, later: int) -> Statement:
    """At any step, and for any two examples and any two steps, the choices at equal logits are
    independent and uniform.

    This holds for noise of any width; the choices at unequal logits test that the law of the noise
    stays the same at that step. Besides 5000 examples it looks at all of two and of three, where a
    dependence of size 1/n shows.
    """
    M, n, most_M = 4, 5000, 64
    h = torch.zeros(M, n, dtype=torch.float64)
    unequal = torch.tensor([0.0, -0.25, -0.5, -0.75], dtype=torch.float64)[:, None]

    def at_unequal_logits(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        noise = subject.router_noise((M, size), generator_from(stream), step).double()
        return subject.select(unequal.expand(M, size), noise).numpy()

    def among_many(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        noise = subject.router_noise((most_M, size), generator_from(stream), step).double()
        return subject.select(torch.zeros_like(noise), noise).numpy()

    def pairs(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        found: list[Tensor] = []
        while sum(map(len, found)) < size:
            first = subject.select(h, subject.router_noise((M, n), generator, step).double())
            second = (
                subject.select(h, subject.router_noise((M, n), generator, step + later).double())
                if later
                else first
            )
            if later:
                found.append(first * M + second)
            else:
                chosen = (torch.arange(n - distance) // distance) % 2 == 0
                found.append((first[:-distance] * M + second[distance:])[chosen])
        return torch.cat(found)[:size].numpy()

    def all_of_few(n: int, stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        noise = torch.stack([subject.router_noise((2, n), generator, step) for _ in range(size)])
        chosen = subject.select(torch.zeros_like(noise), noise)
        return (chosen << torch.arange(n)).sum(dim=1).numpy()

    return all_of(
        cells_follow(
            np.full(M * M, 1 / M**2),
            pairs,
            resolution=0.03,
            detail="choices at equal logits",
            axes=of_two("choice", M),
            of="pairs",
        ),
        *(
            cells_follow(
                np.full(2**n, 1 / 2**n),
                partial(all_of_few, n),
                resolution=0.08,
                detail=f"choices of {n} examples, between two experts",
                axes=[(f"example {i} to expert", range(2)) for i in range(n)],
            )
            for n in (2, 3)
        ),
        cells_follow(
            routing_probabilities(unequal)[:, 0].numpy(),
            at_unequal_logits,
            resolution=0.03,
            detail="choices at unequal logits",
            axes=(("expert", range(M)),),
            of="choices",
        ),
        cells_follow(
            np.full(most_M, 1 / most_M),
            among_many,
            resolution=0.03,
            detail=f"choices among {most_M} experts",
            axes=(("expert", range(most_M)),),
            of="choices",
        ),
    )


@claim(
    "R.10",
    kind=Kind.EXACT,
    samples=False,
    source="Algorithm 1",
    formula=r"m_i=\operatorname*{argmax}_m\,(h_m(x_i)+r_{mi})",
    over={"h": logits(), "dtype": st.sampled_from(["float32", "float64"]), "seed": SEEDS},
    always=(
        {
            "h": torch.tensor([[0.0], [-0.9], [-0.9], [-0.9], [-0.9], [-0.9]], dtype=torch.float64),
            "dtype": "float32",
            "seed": 0,
        },
    ),
)
def the_choice_is_the_largest_perturbed_logit(
    subject: Subject, h: Tensor, dtype: str, seed: int
) -> Statement:
    """m_i = argmax_m (h_m(x_i) + r_mi), up to the rounding of h + r, for few examples and many, for
    one replicate and several."""
    h = h.to(getattr(torch, dtype))
    eps = torch.finfo(h.dtype).eps
    many = h.repeat(1, 2000 // h.shape[1] + 1)[:, :1999]
    several = torch.stack([many, many.flip(1), many / 2])
    statements = []
    for at in (h, many, several):
        noise = torch.rand(at.shape, generator=torch.Generator().manual_seed(seed), dtype=at.dtype)
        score = at.double() + noise.double()
        gap = score.amax(dim=-2) - score.gather(
            -2, subject.select(at, noise).unsqueeze(-2)
        ).squeeze(-2)
        statements.append(
            at_most(
                gap,
                0.0,
                tolerance=2 * eps * (1 + score.abs().amax(dim=-2)),
                detail=f"h + r of shape {tuple(at.shape)}: gap of the chosen expert to the top",
                axes=("replicate", "example")[-gap.dim() :],
            )
        )
    return all_of(*statements)


@claim(
    "R.11",
    kind=Kind.LAW,
    source="Algorithm 1: the noise of every step",
    formula=r"r^{(t)}_{mi}\sim\mathrm{Unif}[0,1]\quad\text{at every}\ t<T",
    given="M = 8",
    over={"first": st.sampled_from([0, 1600, 3200])},
    always=({"first": 0}, {"first": 1600}, {"first": 3200}),
    depends_on=("R.9",),
    examples=1,
)
def the_noise_of_every_step_is_uniform(subject: Subject, first: int) -> Statement:
    """Router noise is Unif[0, 1] at every step t < 4800, up to a shift that all experts have in
    common, and repeats with its generator.

    A stretch of 1600 steps is suspicious if one of its steps is further from the uniform law than
    happens with probability 1/1000 in the whole stretch. The distance is that of Kolmogorov and
    Smirnov at the best shift, (a + b)/2 if the draws are ahead by at most a and behind by at most
    b. It is no larger than at the true shift, to which the Dvoretzky-Kiefer-Wolfowitz inequality
    applies. A law is suspicious in most runs if at one step it is further than twice that distance
    away, or at very many steps a little further than it. The longest runs have 4032 steps.
    """
    M, n, seldom, steps = 8, 128, 1e-3, range(first, first + 1600)
    largest = (math.log(2 * len(steps) / seldom) / (2 * M * n)) ** 0.5
    place = np.arange(1, M * n + 1) / (M * n)

    def suspicious(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        found = []
        for i in range(size):
            generator = generator_from(child(stream, i))
            noise = torch.stack(
                [subject.router_noise((M, n), generator, t) for t in steps]
            ).double()
            drawn = np.sort(noise.flatten(1).numpy())  # several times as fast as torch
            ahead, behind = (place - drawn).max(axis=1), (drawn - place).max(axis=1) + 1 / (M * n)
            found.append(not bool(((ahead + behind) / 2 <= largest).all()))  # also if NaN
        return np.array(found)

    once, again = (
        subject.router_noise((M, n), torch.Generator().manual_seed(first), first) for _ in range(2)
    )
    return all_of(
        same_numbers(
            again,
            once,
            tolerance=0,
            detail="noise of one generator, drawn twice",
            axes=("expert", "example"),
        ),
        about_draws(
            6,
            suspicious,
            lambda found: frequency_at_most(
                seldom,
                found,
                resolution=0.9,
                detail=f"stretches with a step further than {largest:.3g} from the law",
            ),
        ),
    )


@claim(
    "R.12",
    kind=Kind.EXACT,
    samples=False,
    source="section 3, the definition of F",
    formula=r"F(x)=\pi_m(x)f_m(x),\qquad m=\operatorname*{argmax}_{m'}h_{m'}(x)",
    given="gradients off, no noise",
    over={
        "problem": problems(most_K=4, most_P=5, most_d=16),
        "sizes": st.tuples(st.integers(1, 6), st.integers(1, 3), st.sampled_from([1, 2, 7, 60])),
        "scale": st.sampled_from([0.0, 0.01, 0.3, 3.0, 30.0]),
        "dtype": st.sampled_from(["float32", "float64"]),
        "seed": SEEDS,
    },
    always=(
        {
            "problem": Problem(K=3, d=16),
            "sizes": (6, 2, 4000),
            "scale": 0.01,
            "dtype": "float32",
            "seed": 0,
        },
        {
            "problem": Problem(K=2, d=8, P=5),
            "sizes": (3, 3, 300),
            "scale": 0.3,
            "dtype": "float64",
            "seed": 1,
        },
        *(
            {
                "problem": Problem(K=2, d=8),
                "sizes": (4, 2, 60),
                "scale": 1e3,
                "dtype": dtype,
                "seed": 2,
            }
            for dtype in ("float32", "float64")
        ),
    ),
    depends_on=("R.7", "R.8", "R.10", "G.5"),
    examples=30,
    visits=lambda problem, sizes, scale, dtype, seed: {
        "M": sizes[0],
        "n": sizes[2],
        "router scale": scale,
        "dtype": dtype,
    },
)
def evaluation_is_free_of_noise(
    subject: Subject,
    problem: Problem,
    sizes: tuple[int, int, int],
    scale: float,
    dtype: str,
    seed: int,
) -> Statement:
    """Outside training the layer returns y pi_m f_m of the expert with the largest logit, the same
    at every call and in every batch.

    Outside training means with gradients off and r = 0. Logits, gate, response and choice give
    there what they give in training, also far from where training is: of routers and filters that
    are large, and of logits of 100 and 10^4, at which an exponential overflows, in both precisions.
    `core.margins` is compared with y pi_m f_m, where
    gates are those of training and f_m comes from plain inner products; for all examples at once,
    for each of three alone, for half of them in reverse order, for many times the same, and for
    replicates side by side. Ties may go to any expert, but always to the same.
    """
    M, J, n = sizes
    generator = torch.Generator().manual_seed(seed)
    exact = subject.draw_signals(problem, generator)
    precision = getattr(torch, dtype)
    signals = Signals(exact.features.to(precision), exact.centres.to(precision))
    examples = subject.draw_examples(problem, signals, n, generator)
    theta, W = (
        torch.randn(shape, generator=generator, dtype=torch.float64).to(precision)
        for shape in ((M, problem.d), (M, J, problem.d))
    )
    reference = Reference.of(subject, Parameters(scale * theta, W), examples)
    everything = torch.arange(n)
    half = everything.flip(0)[: -(-n // 2)]
    return all_of(
        *reference.ingredients(),
        reference.evaluated([everything], "all examples"),
        *(reference.evaluated([one], "one example alone") for one in everything[:3, None]),
        reference.evaluated([half], "half of the examples"),
        reference.evaluated([everything[:1].expand(500)], "500 times the same example"),
        reference.evaluated([half, half.flip(0), half], "replicates side by side"),
    )


@claim(
    "R.13",
    kind=Kind.LAW,
    source="Algorithm 1: fresh independent noise",
    given="noise with a density, so that no two values are equal by chance (R.3)",
    formula=r"r^{(t)}_{mi}\ \text{independent over}\ m,\ i\ \text{and all}\ t<T",
    over={"steps": st.just(4800), "examples": st.just(5000)},
    depends_on=("R.3", "R.9"),
    examples=1,
)
def noise_never_returns(subject: Subject, steps: int, examples: int) -> Statement:
    """Router noise of any two steps t < 4800, and of any two of 5000 examples, is independent.

    Looks at which of two experts has the larger noise: at the products of these signs for every
    distance in steps and in examples, so that noise is noticed that repeats or mirrors itself after
    any number of them; and for examples whose noise is that of another one, in any order of the
    experts. The longest runs have 4032 steps.
    """
    return noise_along_a_run_is_independent(subject, steps, examples)
