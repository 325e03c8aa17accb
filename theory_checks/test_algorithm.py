"""The structure of Algorithm 1: what its gradients are, what its steps conserve, and how it
commutes with symmetries."""

import math
from dataclasses import replace

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from core import Examples, Parameters, Patches, Problem, Subject, train
from core.data import EPS
from core.seeds import generator_from
from core.training import draw_replicate, loss_slope, stack
from theory_checks.checking.claim import Kind, claim
from theory_checks.evidence import (
    Statement,
    about_draws,
    all_of,
    at_most,
    changes_at_most,
    equal,
    given,
)
from theory_checks.experiments.chunks import chunks_end_where_each_ends_alone
from theory_checks.experiments.observed import AT_THE_START, observed, starts_as_drawn
from theory_checks.experiments.oracles import (
    SINGLE,
    central_differences,
    expected_step,
    in_double,
    losses_if_routed,
    one_replicate,
)
from theory_checks.experiments.reported import (
    run_reports_what_it_did,
    stages_end_where_they_should,
)
from theory_checks.experiments.scenarios import SEEDS, gaussian, ladder
from theory_checks.experiments.small_runs import (
    SHAPES,
    FixedPoint,
    LongRun,
    SmallRun,
    Started,
    agree,
    facts_about_run,
    long_runs,
    routed,
    small_runs,
    started,
)
from theory_checks.experiments.stateless import require_stateless_experts

SMALLEST = EPS * torch.finfo(torch.float64).smallest_normal


@claim(
    "G.1",
    kind=Kind.EXACT,
    samples=False,
    source="derived from the gradient of the softmax gate",
    formula=r"\sum_m\nabla_{\theta_m}L=0,\qquad\sum_m\theta_m^{(t)}=\sum_m\theta_m^{(0)}",
    over={"run": small_runs(steps=12)},
    depends_on=("G.3", "I.3", "I.4"),
    visits=facts_about_run,
)
def the_sum_of_router_weights_is_conserved(subject: Subject, run: SmallRun) -> Statement:
    """sum_m grad_{theta_m} L = 0, hence sum_m theta_m^(t) = sum_m theta_m^(0) along the whole run.

    Every step subtracts eta_r times M computed gradients. Each gradient is a sum of n terms c_i
    (1[m_i = m] - pi_m) s_i with |c_i| at most max |l' f| / n, so a step rounds by at most (n + M)
    eps eta_r M max |l' f| max |s|, and the subtraction by eps M max |theta| more.
    """
    begun = started(subject, run)
    tolerance, s = 0.0, float(begun.x.total.abs().max())
    drift = []
    iterates = begun.iterates(subject)
    for t, parameters in enumerate(iterates):
        drift.append(float((parameters.theta - begun.start.theta).sum(dim=-2).abs().max()))
        if t < run.T:
            f = subject.respond(begun.x.dense[0] @ parameters.W[0][:, None].mT)
            pi = subject.gate(subject.logits(parameters.theta, begun.x))[0]
            _, log_slope = loss_slope(subject.loss, begun.y[0] * pi * f)
            coefficient = float((log_slope.exp() * f).abs().max())
            largest = float(parameters.theta.abs().max())
            tolerance += EPS * run.M * ((run.n + run.M) * run.eta_r * coefficient * s + 4 * largest)
    return equal(
        np.array(drift), 0, tolerance=tolerance, detail="drift of sum_m theta_m", axes=("step",)
    )


@claim(
    "G.2",
    kind=Kind.EXACT,
    samples=False,
    source="Algorithm 1, the normalised step",
    formula=(
        r"\|W_m^{(t+1)}-W_m^{(t)}\|_F=\eta\,\mathbf 1[\nabla_{W_m}L\ne"
        r" 0],\qquad\|W_m^{(t)}-W_m^{(0)}\|_F\le\eta t"
    ),
    over={"run": small_runs(steps=6), "blow_up": st.sampled_from([1.0, 10.0, 40.0, 200.0])},
    depends_on=("G.8", "I.3", "I.4"),
    visits=lambda run, blow_up: {**facts_about_run(run), "scale of W": run.scale * blow_up},
)
def experts_move_by_eta_or_not_at_all(subject: Subject, run: SmallRun, blow_up: float) -> Statement:
    """Every expert with a non-zero gradient moves by exactly eta in Frobenius norm, however small
    the gradient; the others do not move.

    Hence norm(W_m^(t) - W_m^(0)) <= eta t. The experts are scaled up, so that margins reach 1e6 and
    gradients fall far below the smallest float. An expert has a non-zero gradient if it receives an
    example whose loss has a non-zero slope (in log space) and whose response depends on the expert.
    Subtracting the step from W rounds each entry by eps max(|W|, eta), hence the norm by sqrt(J d)
    times as much.
    """
    require_stateless_experts(subject)
    begun = started(subject, run)
    start = Parameters(begun.start.theta, blow_up * begun.start.W)
    # True at any Theta: what is wrong with the router's update is no affair of the experts.
    still = replace(subject, router_update=lambda theta, gradient, rate, state: (theta, state))
    iterates = replace(begun, start=start).iterates(still)
    lengths, expected, tolerances, totals = [], [], [], []
    for t in range(run.T):
        before, after = iterates[t], iterates[t + 1]
        m = routed(subject, begun, before, t)
        h = subject.logits(before.theta, begun.x)[0]
        z = (begun.x.dense[0] @ before.W[0, m].mT).requires_grad_()
        f = subject.respond(z)
        (f_by_z,) = torch.autograd.grad(f.sum(), z)
        margin = begun.y[0] * subject.gate(h).gather(0, m[None])[0] * f.detach()
        responds = (f_by_z != 0).flatten(1).any(dim=1)
        pulls = (loss_slope(subject.loss, margin)[1] > -torch.inf) & responds
        moves = torch.tensor([bool((pulls & (m == e)).any()) for e in range(run.M)])
        lengths.append((after.W - before.W)[0].flatten(1).norm(dim=1))
        expected.append(run.eta * moves.double())
        size = torch.maximum(before.W[0].flatten(1).abs().amax(dim=1), torch.tensor(run.eta))
        tolerances.append(4 * EPS * size * (before.W[0, 0].numel()) ** 0.5)
        totals.append((after.W - start.W)[0].flatten(1).norm(dim=1))
    found, steps, total, off = map(torch.stack, (lengths, expected, totals, tolerances))
    bound = run.eta * torch.arange(1, run.T + 1, dtype=torch.float64)[:, None].expand(-1, run.M)
    return all_of(
        equal(found, steps, tolerance=off, detail="length of a step", axes=("step", "expert")),
        at_most(
            total,
            bound,
            tolerance=off.cumsum(dim=0),
            detail="distance from the start",
            axes=("step", "expert"),
        ),
    )


@claim(
    "G.3",
    kind=Kind.EXACT,
    samples=False,
    source="Algorithm 1; theory section 1, gradients",
    formula=r"L=\frac1n\sum_i\ell\bigl(y_i\pi_{m_i}(x_i)f_{m_i}(x_i)\bigr),\qquad"
    r"\Theta\leftarrow\Theta-\eta_r\nabla_\Theta L,\qquad W_m\leftarrow"
    r" W_m-\eta\frac{\nabla_{W_m}L}{\|\nabla_{W_m}L\|_F}",
    over={"run": small_runs(most_n=6, most_M=4, steps=3, most_J=2, most_K=4)},
    always=(
        {"run": SmallRun(K=2, P=4, M=8, J=3, n=5, T=1, eta=0.1, eta_r=1.0, scale=1.0, seed=0)},
        {"run": SmallRun(K=2, P=4, M=3, J=2, n=4, T=1, eta=1e-4, eta_r=100.0, scale=10.0, seed=0)},
        {"run": SmallRun(K=2, P=4, M=3, J=2, n=4, T=1, eta=10.0, eta_r=1e-4, scale=1.0, seed=0)},
        # The slope of the loss is e^-519 and e^-1337, so that squares, or slopes, underflow.
        {"run": SmallRun(K=2, P=4, M=3, J=2, n=1, T=1, eta=0.1, eta_r=1.0, scale=10.0, seed=13)},
        {"run": SmallRun(K=2, P=4, M=3, J=2, n=1, T=1, eta=0.1, eta_r=1.0, scale=10.0, seed=0)},
    ),
    depends_on=("G.2", "G.8"),
    examples=25,
    visits=facts_about_run,
)
def training_follows_the_gradients_of_its_loss(subject: Subject, run: SmallRun) -> Statement:
    """Each step moves theta by -eta_r grad L and W_m along -grad L, where L consists of the
    subject's own loss, gate and response.

    The oracle computes L example by example, and its gradient by central differences at two step
    sizes. The tolerance is the difference of the two, which is three times the truncation error of
    the finer one, plus rounding (eps times the sum of the losses over the step).
    """
    require_stateless_experts(subject)
    begun = started(subject, run)
    x = Patches.of(begun.x.dense[0])
    iterates = begun.iterates(subject)
    router: list[Statement] = []
    experts: list[Statement] = []
    seen = 0  # experts whose gradient the oracle distinguishes from 0
    for t in range(run.T):
        before, after = (one_replicate(iterates[s], 0) for s in (t, t + 1))
        m = routed(subject, begun, iterates[t], t)
        losses = losses_if_routed(subject, before, x, begun.y[0])
        step = 1e-4
        rounding = 16 * EPS * run.n * (1 + float(losses.abs().max())) / step
        fine, coarse = (
            central_differences(subject, before, x, begun.y[0], m, h) for h in (step, 2 * step)
        )
        doubt_W, doubt_theta = ((a - b).abs() + rounding for a, b in zip(fine, coarse, strict=True))
        fine_W, fine_theta = fine
        router.append(
            equal(
                before.theta - after.theta,
                run.eta_r * fine_theta,
                tolerance=run.eta_r * doubt_theta + 4 * EPS * before.theta.abs(),
                detail=f"step {t} of theta",
                axes=("expert", "coordinate"),
            )
        )
        norm = fine_W.flatten(1).norm(dim=1)[:, None, None]
        doubt = doubt_W.flatten(1).norm(dim=1)[:, None, None]
        # Directions of gradients that the oracle cannot distinguish from 0 do not count.
        clear = (norm > 10 * doubt).expand_as(fine_W)
        seen += int(clear[:, 0, 0].sum())
        direction = torch.where(clear, fine_W / norm, 0.0)
        moved = torch.where(clear, (before.W - after.W) / run.eta, 0.0)
        # A relative error e of a vector turns its direction by at most 2 e.
        uncertain = torch.where(clear, 2 * doubt / norm + 4 * EPS * before.W.abs() / run.eta, EPS)
        experts.append(
            equal(
                moved,
                direction,
                tolerance=uncertain,
                detail=f"direction of step {t} of W",
                axes=("expert", "filter", "coordinate"),
            )
        )
    of_experts = given(
        all_of(*experts),
        met=seen,
        tried=run.T * run.M,
        hypotheses="a gradient that the oracle distinguishes from 0",
    )
    return all_of(*router, of_experts)


@claim(
    "G.4",
    kind=Kind.EXACT,
    samples=False,
    source="derived: Algorithm 1 uses inner products and sums over patches only",
    formula=(
        r"(Qx,\,QW^{(0)},\,Q\Theta^{(0)})\ \mapsto\ (QW^{(t)},\,Q\Theta^{(t)})\quad\text{for}\ Q\in"
        r" O(d)"
    ),
    given="no ties of noise and logits",
    over={"run": small_runs(steps=5), "seed": SEEDS},
    depends_on=("G.3", "I.3", "I.4"),
    visits=facts_about_run,
)
def training_commutes_with_symmetries(subject: Subject, run: SmallRun, seed: int) -> Statement:
    """Training commutes with rotations of R^d and with relabelling of experts, and ignores the
    order of patches.

    This is exact up to rounding, which training amplifies. By design half of the digits must
    survive a few steps; a violation changes the leading digit.
    """
    begun = started(subject, run)
    generator = torch.Generator().manual_seed(seed)
    d = begun.x.noise.shape[-1]
    rotation = torch.linalg.qr(gaussian(generator, d, d)).Q
    relabel = torch.randperm(run.M, generator=generator)
    shuffle = torch.rand(begun.x.order.shape, generator=generator, dtype=torch.float64).argsort()
    plain = begun.end(subject)
    theta, W, x = begun.start.theta, begun.start.W, begun.x
    turned = replace(x, dictionary=x.dictionary @ rotation, noise=x.noise @ rotation)
    start = Parameters(theta @ rotation, W @ rotation)
    rotated = replace(begun, x=turned, start=start).end(subject)
    start = Parameters(theta[:, relabel], W[:, relabel])
    relabelled = replace(begun, start=start, noise=begun.noise[:, :, relabel]).end(subject)
    order = x.order.take_along_dim(shuffle, dim=-1)
    shuffled = replace(begun, x=replace(x, order=order)).end(subject)
    back, inverse = rotation.mT, relabel.argsort()
    found = {
        "after a rotation": Parameters(rotated.theta @ back, rotated.W @ back),
        "after relabelling": Parameters(relabelled.theta[:, inverse], relabelled.W[:, inverse]),
        "after reordering patches": shuffled,
    }
    return all_of(*(s for where, at in found.items() for s in agree(at, plain, where)))


@claim(
    "G.5",
    kind=Kind.EXACT,
    samples=False,
    source="derived from sigma(z) = z^3",
    formula=r"f_m(cx)=c^3f_m(x),\qquad\langle\nabla_{W_m}f_m,W_m\rangle=3f_m",
    over={"shape": SHAPES, "factor": st.floats(-1000, 1000), "seed": SEEDS},
    always=tuple({"shape": (4, 8), "factor": factor, "seed": 0} for factor in (1e-3, 1e3)),
    visits=lambda shape, factor, seed: {"P": shape[0], "J": shape[1], "factor": factor},
)
def experts_are_homogeneous_of_degree_3(
    subject: Subject, shape: tuple[int, int], factor: float, seed: int
) -> Statement:
    """f_m is homogeneous of degree 3 in x and in W_m, and <grad_W f, W> = 3 f (Euler).

    Both are statements about the response to pre-activations, which are linear in x and in W. Each
    of the P J terms rounds by a few eps, and their sum by P J eps times the sum of their sizes.
    Where factor^3 underflows, it and each term are off by the smallest float.
    """
    generator = torch.Generator().manual_seed(seed)
    z = gaussian(generator, 8, *shape)
    f, size = subject.respond(z), z.abs().pow(3).sum(dim=(-2, -1))
    far = (factor * z).requires_grad_()
    f_far = subject.respond(far)
    (slope,) = torch.autograd.grad(f_far.sum(), far)
    terms = shape[0] * shape[1] + 16
    tolerance, underflow = terms * EPS * size, terms * SMALLEST * (1 + size)
    return all_of(
        equal(
            f_far.detach(),
            factor**3 * f,
            tolerance=abs(factor) ** 3 * tolerance + underflow,
            detail="f of c z, against c^3 f(z)",
            axes=("input",),
        ),
        equal(
            (slope * far.detach()).sum(dim=(-2, -1)),
            3 * f_far.detach(),
            tolerance=4 * (abs(factor) ** 3 * tolerance + underflow),
            detail="<grad f, z> at c z, against 3 f",
            axes=("input",),
        ),
    )


@claim(
    "G.6",
    kind=Kind.EXACT,
    samples=False,
    source="derived: sigma is odd",
    formula=r"(-y,\,-W^{(0)})\ \mapsto\ (-W^{(t)},\,\Theta^{(t)})",
    given="no ties of noise and logits",
    over={"run": small_runs(steps=5)},
    depends_on=("G.3", "I.3", "I.4"),
    visits=facts_about_run,
)
def flipping_labels_flips_the_experts(subject: Subject, run: SmallRun) -> Statement:
    """Training on (x, -y) from -W^(0) gives -W^(t) and the same Theta^(t).

    The rounding is that of G.4.
    """
    begun = started(subject, run)
    plain = begun.end(subject)
    start = Parameters(begun.start.theta, -begun.start.W)
    flipped = replace(begun, y=-begun.y, start=start).end(subject)
    return all_of(*agree(flipped, Parameters(plain.theta, -plain.W), "after a flip"))


@claim(
    "G.7",
    kind=Kind.EXACT,
    samples=False,
    source="section 3, the experts",
    formula=r"f_m(x;W)=\sum_j\sum_p\sigma(\langle w_{mj},x^{(p)}\rangle),\qquad\sigma(1)=1",
    over={"shape": SHAPES, "seed": SEEDS},
    always=({"shape": (9, 40), "seed": 0},),
    depends_on=("G.5",),
)
def responses_add_up(subject: Subject, shape: tuple[int, int], seed: int) -> Statement:
    """The response is the sum over patches and filters of the response to each pre-activation
    alone, which is 1 at 1; the same is true of its gradient.

    With G.5 it follows that f = sum z^3. A sum of P J terms rounds by P J eps times the sum of
    their sizes.
    """
    units = shape[0] * shape[1]
    z = gaussian(torch.Generator().manual_seed(seed), 8, *shape).requires_grad_()
    # Each with one unit on and the others 0.
    alone = torch.diag_embed(z.detach().flatten(1)).view(8, units, *shape).requires_grad_()
    f, each = subject.respond(z), subject.respond(alone)
    slope, slopes = (
        torch.autograd.grad(value.sum(), at)[0] for value, at in ((f, z), (each, alone))
    )
    own = slopes.flatten(2).diagonal(dim1=1, dim2=2)  # of each alone in itself
    f, each = f.detach(), each.detach()
    unit = torch.eye(units, dtype=torch.float64).view(-1, *shape)
    return all_of(
        equal(
            f,
            each.sum(dim=-1),
            tolerance=(units + 16) * EPS * each.abs().sum(dim=-1),
            detail="f and the sum of its parts",
            axes=("input",),
        ),
        equal(
            slope.flatten(1),
            own,
            tolerance=8 * EPS * own.abs(),
            detail="gradient of f and of its parts",
            axes=("input", "pre-activation"),
        ),
        equal(
            subject.respond(unit),
            1.0,
            tolerance=8 * EPS,
            detail="f at one pre-activation of 1",
            axes=("pre-activation",),
        ),
    )


@claim(
    "G.8",
    kind=Kind.EXACT,
    samples=False,
    source="section 3, the loss",
    formula=r"\ell(z)=\log(1+e^{-z}):\quad \ell(-z)-\ell(z)=z,\ \ell(0)=\log 2",
    over={"z": st.floats(-5000, 5000)},
    always=({"z": 0.0}, {"z": 1.0}, {"z": -1.0}),
)
def the_loss_is_logistic(subject: Subject, z: float) -> Statement:
    """l(-z) - l(z) = z and l(0) = log 2; the slope that training uses is l'(z) = -1 / (1 + e^z),
    however small.

    Tested at many margins at once, since training computes the losses of all examples together. The
    slope is compared directly, down to the smallest float, and in log space.
    """
    at = z * torch.linspace(-1, 1, 2999, dtype=torch.float64)
    # NaN counts as 0: no logistic loss has such a slope.
    sign, log_size = (torch.where(part.isnan(), 0.0, part) for part in loss_slope(subject.loss, at))
    log_slope = -torch.where(at > 0, at, 0) - torch.log1p((-at.abs()).exp())
    return all_of(
        equal(
            subject.loss(-at) - subject.loss(at),
            at,
            tolerance=8 * EPS * (1 + at.abs()),
            detail="l(-z) - l(z)",
            axes=(("margin", at),),
        ),
        equal(
            subject.loss(torch.zeros_like(at)),
            math.log(2),
            tolerance=8 * EPS,
            detail="l(0)",
            axes=("example",),
        ),
        equal(sign, -1.0, tolerance=0, detail="sign of the slope", axes=(("margin", at),)),
        equal(
            log_size.exp(),
            log_slope.exp(),
            tolerance=(8 + 4 * at.abs()) * EPS * log_slope.exp() + SMALLEST,
            detail="size of the slope",
            axes=(("margin", at),),
        ),
        equal(
            log_size,
            log_slope,
            tolerance=8 * EPS * (1 + at.abs()),
            detail="log of the size of the slope",
            axes=(("margin", at),),
        ),
    )


@claim(
    "G.9",
    kind=Kind.EXACT,
    samples=False,
    source="Algorithm 1",
    formula=r"(\Theta^{(t+1)},W^{(t+1)})\ \text{is a function of}\ (\Theta^{(t)},W^{(t)},r^{(t)})",
    over={"run": small_runs(most_n=24, steps=30, most_J=3)},
    examples=20,
    always=(
        {"run": SmallRun(K=2, P=4, M=3, J=2, n=12, T=2600, eta=0.01, eta_r=0.1, scale=1.0, seed=0)},
    ),
    depends_on=("G.3", "I.3", "I.4"),
)
def training_has_no_memory(subject: Subject, run: SmallRun) -> Statement:
    """Theta^(t+1), W^(t+1) depend on Theta^(t), W^(t), the data and r_t only: training restarted
    from iterate t continues identically.

    Both perform the same operations on the same numbers, so they round identically. One run has
    2600 steps and is restarted from every 52nd.
    """
    begun = started(subject, run)
    iterates, one_step = begun.iterates(subject), replace(begun.hyper, T=1)
    found: list[Statement] = []
    for t in sorted({1, 2, run.T - 1, *range(0, run.T, max(5, run.T // 50))} & set(range(run.T))):
        restarted = replace(begun, start=iterates[t], noise=begun.noise[t : t + 1], hyper=one_step)
        found += agree(restarted.end(subject), iterates[t + 1], f"after step {t}", 0)
    return all_of(*found)


@claim(
    "G.10",
    kind=Kind.EXACT,
    samples=False,
    source="replicates are independent by construction",
    formula=r"\text{replicates trained side by side end where each ends alone}",
    over={"run": small_runs(most_n=24, steps=5), "seed": SEEDS},
    examples=40,
    depends_on=("D.6", "I.4", "R.11"),
)
def replicates_do_not_touch_each_other(subject: Subject, run: SmallRun, seed: int) -> Statement:
    """Two replicates trained side by side end where each ends alone, and so do three that are
    trained in two chunks (rounding as in G.4)."""
    one, two = started(subject, run), started(subject, replace(run, seed=seed, scale=1.0))
    both = Started(
        one.hyper,
        stack([one_replicate(run.x, 0) for run in (one, two)]),
        torch.cat([one.y, two.y]),
        stack([one_replicate(run.start, 0) for run in (one, two)]),
        torch.cat([one.noise, two.noise], dim=1),
    )
    together = both.end(subject)
    found = [
        agree(one_replicate(together, i), one_replicate(alone.end(subject), 0), f"of replicate {i}")
        for i, alone in enumerate((one, two))
    ]
    return all_of(*found[0], *found[1], *chunks_end_where_each_ends_alone(subject, run))


@claim(
    "G.11",
    kind=Kind.EXACT,
    samples=False,
    source="Algorithm 1",
    formula=r"m_i=\operatorname*{argmax}_m(h_m(x_i)+r_{mi}),\qquad "
    r"W_m^{(t+1)}=W_m^{(t)}-\eta\frac{\nabla_{W_m}L}{\|\nabla_{W_m}L\|_F},\qquad "
    r"\Theta^{(t+1)}=\Theta^{(t)}-\eta_r\nabla_\Theta L\qquad\text{at every}\ t<T",
    given="single precision, three replicates side by side, the ladder's sigma_0, eta and eta_r",
    over={"run": long_runs()},
    always=(
        {"run": LongRun(K=4, d=16, M=8, J=8, n=120, T=1100, seed=0)},
        {"run": LongRun(K=4, d=64, M=8, J=8, n=3001, T=3, seed=0)},
    ),
    depends_on=("G.3", "G.9", "R.11"),
    examples=5,
    visits=lambda run: {name: getattr(run, name) for name in ("M", "J", "n", "d", "T")},
)
def every_step_of_a_run_is_that_of_the_algorithm(subject: Subject, run: LongRun) -> Statement:
    """Every step of a run, of up to 1100 steps in the precision of training, sends each example to
    argmax(h + r), moves each expert by eta along its gradient, or not at all if it has none, and
    moves theta by -eta_r times its gradient. The run starts from what the subject's ingredients
    draw, and reports what it did: T_1, training errors, rejected initialisations, what it watched.

    Each step is inspected in one of the replicates, in turn. The oracle takes the data that the
    subject returned to training, redraws the noise from the seeds, which determine a run, and
    differentiates the subject's own loss, gate and response in double precision. Subtracting a step
    from W rounds every entry by eps max(|W|, eta).
    """
    require_stateless_experts(subject)
    problem = Problem(K=run.K, d=run.d)
    scenario = ladder(problem, run.n, run.replicates, M=run.M, J=run.J)
    hyper = replace(scenario.hyper, T=run.T)
    seeds = [np.random.SeedSequence((run.seed, r)) for r in range(run.replicates)]
    statements = [
        stages_end_where_they_should(hyper),
        *run_reports_what_it_did(subject, problem, hyper, seeds),
    ]
    watched, calls = observed(subject, AT_THE_START)
    trained = train(
        watched,
        problem,
        hyper,
        seeds,
        look_every=run.T,
        watch={"theta": lambda _, at: at.theta, "W": lambda _, at: at.W},
        watch_until=run.T,
        memory_budget=2**30,  # one chunk
    )
    kept = trained.watched
    if any(len(values[0]) != run.T + 1 for values in kept.values()):
        return all_of(*statements)  # violated: what follows rests on what a run reports
    drawn: list[Examples] = [c.result for c in calls if c.ingredient == "draw_examples"]
    generators = [
        generator_from(draw_replicate(subject, problem, hyper, seed).noise_seed) for seed in seeds
    ]
    x = stack([examples.patches for examples in drawn])
    y = [examples.y.double() for examples in drawn]
    exact = [in_double(one_replicate(x, r)) for r in range(run.replicates)]
    choice = "gap of the chosen expert to the top of h + r"
    step_W = "steps of experts, over eta, against their gradients"
    step_theta = "steps of theta against eta_r times its gradient"
    found: dict[str, list[tuple[Tensor, Tensor]]] = {
        choice: [],
        step_W: [],
        step_theta: [],
    }
    for t in range(run.T):
        r = t % run.replicates
        noise = torch.stack([subject.router_noise((run.M, run.n), g, t) for g in generators])
        m = subject.select(subject.logits(kept["theta"][:, t], x), noise)[r]
        at, after = (
            Parameters(kept["theta"][r, s].double(), kept["W"][r, s].double()) for s in (t, t + 1)
        )
        score = subject.logits(at.theta, exact[r]) + noise[r].double()
        expected = expected_step(subject, at, exact[r], y[r], m)
        moved_W, moved_theta = (at.W - after.W) / hyper.eta, at.theta - after.theta
        largest = hyper.eta + at.W.abs().flatten(1).amax(dim=1)
        rounding = 4 * SINGLE * largest * at.W[0].numel() ** 0.5 / hyper.eta
        gap = (score.amax(dim=0) - score.gather(0, m[None])[0]).amax()
        size = (at.theta.abs() @ exact[r].dense.abs().sum(dim=1).mT + score.abs()).amax()
        # The rounding of two logits, each a sum of P d products, and of h + r.
        found[choice].append((gap, 2 * (4 * run.d + 2) * SINGLE * (1 + size)))
        off_W = (moved_W - expected.direction).flatten(1).norm(dim=1)
        found[step_W].append((off_W, expected.doubt_W + rounding))
        off_theta = (moved_theta - hyper.eta_r * expected.grad_theta).abs().amax(dim=1)
        doubt = hyper.eta_r * expected.doubt_theta + 4 * SINGLE * at.theta.abs().amax(dim=1)
        found[step_theta].append((off_theta, doubt))
    start = Parameters(kept["theta"][:, 0], kept["W"][:, 0])
    looked_at = [f"{t} of replicate {t % run.replicates}" for t in range(run.T)]
    statements.append(starts_as_drawn(trained, start, calls))
    for detail, pairs in found.items():
        off, tolerance = map(torch.stack, zip(*pairs, strict=True))
        axes = (("step", looked_at), "expert")[: off.dim()]
        statements.append(equal(off, 0, tolerance=tolerance, detail=detail, axes=axes))
    return all_of(*statements)


FEW_EXAMPLES, MANY_EXAMPLES = 100, 1600
PAIRS = 48  # of gradients at each of these sizes


@claim(
    "G.12",
    kind=Kind.RATE,
    source="derived: the gradient is a mean over independent examples",
    formula=r"\Bigl(E\|\nabla L-E\nabla L\|^2\Bigr)^{1/2}\propto n^{-1/2}",
    given="M >= 2; fixed parameters",
    over={
        "at": st.builds(
            FixedPoint,
            K=st.integers(2, 4),
            M=st.integers(2, 6),
            J=st.integers(1, 4),
            seed=SEEDS,
        )
    },
    always=({"at": FixedPoint(K=3, M=4, J=3, seed=0)},),
    examples=2,
    depends_on=("G.3", "R.5", "D.2", "I.3", "I.4"),
    visits=lambda at: {name: getattr(at, name) for name in ("K", "M", "J")},
)
def gradients_concentrate(subject: Subject, at: FixedPoint) -> Statement:
    """At fixed parameters the gradients in W and in theta, of independent examples and router
    noise, differ from their expectation by exactly the order n^(-1/2).

    A gradient is the mean of n independent terms, so that the root mean square of norm(g - g') over
    two independent halves is proportional to n^(-1/2), exactly and without a formula for E g; the
    law of norm(g - g') n^(1/2) changes little from n = 100 to 1600, where it is nearly that of a
    Gaussian's norm. Tested are these laws, on both sides: norm(g - g') falls at least like
    n^(-0.45), where n^(-0.25) is excluded, and at most like n^(-0.55), where n^(-0.75) is excluded.
    """

    def draw(stream: np.random.SeedSequence, size: int) -> np.ndarray:
        generator = generator_from(stream)
        norms = [
            at.differences(subject, n, size // 8, generator) for n in (FEW_EXAMPLES, MANY_EXAMPLES)
        ]
        found = torch.stack(norms, dim=1)  # (2, 2, pairs)
        return torch.stack([found, 1 / found]).flatten().numpy()

    def trends(found: np.ndarray) -> Statement:
        ratio, members = MANY_EXAMPLES / FEW_EXAMPLES, []
        for (power, how), norms in zip(
            ((1, ""), (-1, "^(-1)")), found.reshape(2, 2, 2, -1), strict=True
        ):
            close, far = (ratio ** -(power * 0.5 - e) for e in (0.05, 0.25))
            for name, (few, many) in zip(("W", "theta"), norms, strict=True):
                values = {FEW_EXAMPLES: few, MANY_EXAMPLES: many}
                detail = f"norm(g - g'){how} in {name}"
                members.append(changes_at_most(values, close, beyond=far, detail=detail))
        return all_of(*members)

    return about_draws(8 * PAIRS, draw, trends)
