"""train(): what it keeps, refuses and repeats."""

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
import torch
from oracles import Naive, seed_of

from core import PAPER, Hyperparameters, Problem, products, train
from core.seeds import child, generator_from
from core.training import draw_replicate

PROBLEM = Problem(K=2, d=5)
HYPER = Hyperparameters(M=3, J=2, n=20, sigma_0=0.5, eta=0.05, eta_r=0.5, T=12)
SEEDS = [seed_of(i) for i in range(5)]


def same(a, b):
    """Two trajectories, or parts of them, bit for bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return a == b


def same_replicate(a, b):
    def tensors(replicate):
        e = replicate.examples
        return [
            *vars(replicate.signals).values(),
            e.x,
            e.positions,
            e.y,
            e.eps,
            e.k,
            e.k_prime,
            e.alpha,
            e.beta,
            e.gamma,
        ]

    pairs = zip(
        [*tensors(a), *vars(a.start).values()], [*tensors(b), *vars(b.start).values()], strict=True
    )
    return all(torch.equal(s, t) for s, t in pairs) and a.initialisations == b.initialisations


# What it keeps


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shapes_and_dtypes(dtype):
    t = train(PAPER, PROBLEM, HYPER, SEEDS, keep=[7, 3, 3], look_every=5, dtype=dtype)
    assert t.steps == (3, 7, 12)
    assert t.theta.shape == (5, 3, 3, 5)
    assert t.W.shape == (5, 3, 3, 2, 5)
    assert t.looked_at == (0, 5, 10, 12)
    assert t.training_error.shape == (5, 4)
    assert t.initialisations == (1,) * 5
    assert t.theta.dtype == t.W.dtype == dtype
    for tensor in (t.theta, t.W, t.training_error):
        assert tensor.device.type == "cpu"
        assert not tensor.requires_grad


def test_single_precision_is_the_default():
    assert train(PAPER, PROBLEM, HYPER, SEEDS[:1]).W.dtype == torch.float32


def test_kept_steps_do_not_depend_on_what_else_is_kept():
    everything = train(PAPER, PROBLEM, HYPER, SEEDS[:2], keep=range(13))
    some = train(PAPER, PROBLEM, HYPER, SEEDS[:2], keep=(0, 4), look_every=1)
    for t in (0, 4, 12):
        for name in ("theta", "W"):
            assert torch.equal(
                getattr(some.parameters(t), name), getattr(everything.parameters(t), name)
            )
    assert torch.equal(everything.parameters(4).W, everything.W[:, 4])
    assert not torch.equal(everything.W[:, 4], everything.W[:, 5])


def test_a_step_that_was_not_kept():
    t = train(PAPER, PROBLEM, HYPER, SEEDS[:1], keep=[2])
    with pytest.raises(ValueError, match=r"step 3 .* kept: \(2, 12\)"):
        t.parameters(3)


def test_step_0_is_the_initialisation():
    t = train(PAPER, PROBLEM, HYPER, SEEDS, keep=[0])
    for i, seed in enumerate(SEEDS):
        start = draw_replicate(PAPER, PROBLEM, HYPER, seed).start
        assert torch.equal(t.parameters(0).theta[i], start.theta)
        assert torch.equal(t.parameters(0).W[i], start.W)
        assert not start.theta.any()


def test_initialisation_has_the_stated_scale():
    hyper = replace(HYPER, M=20, J=30, sigma_0=0.25)
    W = draw_replicate(PAPER, Problem(K=2, d=40), hyper, SEEDS[0], dtype=torch.float64).start.W
    assert W.shape == (20, 30, 40)
    # 24000 Gaussians: sum of squares over variance is chi^2, standard deviation sqrt(2 / 24000) =
    # 0.0091; 5 of those.
    assert (W**2).mean().item() == pytest.approx(0.25**2 / 40, rel=0.046)
    assert abs(W.mean().item()) <= 5 * 0.25 / 40**0.5 / 24000**0.5


def test_experts_move_by_eta_or_not_at_all():
    t = train(PAPER, PROBLEM, HYPER, SEEDS, keep=range(13), dtype=torch.float64)
    for i, step, m in np.ndindex(5, 12, 3):
        length = np.linalg.norm(t.W[i, step + 1, m].numpy() - t.W[i, step, m].numpy())
        assert length == pytest.approx(HYPER.eta, rel=1e-12) or length == 0


@pytest.mark.parametrize("look_every", [1, 4, 5, 100])
def test_training_error_is_that_of_noise_free_routing(look_every):
    t = train(
        PAPER, PROBLEM, HYPER, SEEDS, keep=range(13), look_every=look_every, dtype=torch.float64
    )
    assert t.looked_at == tuple(sorted({*range(0, 13, look_every), 12}))
    for i, seed in enumerate(SEEDS):
        e = draw_replicate(PAPER, PROBLEM, HYPER, seed, dtype=torch.float64).examples
        for at, step in enumerate(t.looked_at):
            margin, _ = Naive().test_margins(
                t.theta[i, step].numpy(), t.W[i, step].numpy(), e.x.numpy(), e.y.numpy()
            )
            assert t.training_error[i, at].item() == pytest.approx(np.mean(margin <= 0), rel=1e-6)
    assert 0 < t.training_error.mean() < 1


def test_a_run_that_broke_down_has_no_small_error():
    subject = replace(PAPER, respond=lambda z: (z * torch.nan).sum(dim=(-2, -1)))
    t = train(subject, PROBLEM, HYPER, SEEDS[:1])
    assert (t.training_error[:, 0] == 1).all() or t.training_error.isnan().any()


def test_no_steps():
    t = train(PAPER, PROBLEM, replace(HYPER, T=0), SEEDS[:2])
    assert t.steps == t.looked_at == (0,)
    assert t.theta.shape == (2, 1, 3, 5)
    assert t.training_error.shape == (2, 1)


@pytest.mark.parametrize(
    "hyper",
    [replace(HYPER, M=1), replace(HYPER, J=1), replace(HYPER, n=1), replace(HYPER, eta_r=0.0)],
)
def test_smallest_sizes(hyper):
    t = train(PAPER, PROBLEM, hyper, SEEDS[:2], keep=[0])
    assert t.W.isfinite().all()
    assert not torch.equal(t.W[:, 0], t.W[:, 1])
    if hyper.M == 1 or hyper.eta_r == 0:
        assert not t.theta.any()


def test_training_learns():
    hyper = replace(HYPER, M=4, J=6, n=400, sigma_0=0.4, eta=0.02, eta_r=0.32, T=300)
    t = train(PAPER, Problem(K=2, d=8, sigma_p=0.1), hyper, SEEDS[:2])
    assert (t.training_error[:, 0] > 0.25).all()
    assert (t.training_error[:, -1] < 0.01).all()


# What it refuses


def test_needs_a_seed():
    with pytest.raises(ValueError, match="at least one seed"):
        train(PAPER, PROBLEM, HYPER, [])


def test_seeds_are_seed_sequences():
    with pytest.raises(ValueError, match=r"seeds = \[1, 2\]: needs np.random.SeedSequence"):
        train(PAPER, PROBLEM, HYPER, [1, 2])


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64, None, "float32"])
def test_numbers_are_floating_point(dtype):
    with pytest.raises(ValueError, match=f"dtype = {dtype}: needs a floating-point"):
        train(PAPER, PROBLEM, HYPER, SEEDS[:1], dtype=dtype)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_training_does_not_depend_on_the_gradient_mode_around_it(context):
    expected = train(PAPER, PROBLEM, HYPER, SEEDS[:2], keep=range(13))
    with context():
        assert same(train(PAPER, PROBLEM, HYPER, SEEDS[:2], keep=range(13)), expected)


def test_training_does_not_depend_on_the_default_dtype():
    expected = train(PAPER, PROBLEM, HYPER, SEEDS[:2], keep=range(13))
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        assert same(train(PAPER, PROBLEM, HYPER, SEEDS[:2], keep=range(13)), expected)
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("step", [-1, 13, 1000, 12.5, True])
def test_steps_to_keep_lie_within_the_run(step):
    with pytest.raises(ValueError, match=rf"keep = \(0, {step}\).* 0 and T = 12"):
        train(PAPER, PROBLEM, HYPER, SEEDS[:1], keep=(0, step))


@pytest.mark.parametrize("step", [2.5, float("nan")])
def test_steps_to_keep_are_whole(step):
    with pytest.raises(ValueError, match="keep"):
        train(PAPER, PROBLEM, HYPER, SEEDS[:1], keep=(step,))


@pytest.mark.parametrize("value", [0, -1, 2.0, True])
def test_looks_come_every_so_many_steps(value):
    with pytest.raises(ValueError, match=rf"look_every = {value}: needs an int >= 1"):
        train(PAPER, PROBLEM, HYPER, SEEDS[:1], look_every=value)


def test_bad_input_is_refused_before_any_work():
    def draw_signals(problem, generator):
        pytest.fail("drew before checking")

    subject = replace(PAPER, draw_signals=draw_signals)
    for arguments in ({"keep": [99]}, {"look_every": 0}):
        with pytest.raises(ValueError, match="needs"):
            train(subject, PROBLEM, HYPER, SEEDS, **arguments)


# Conditioning on the initialisation


def positive(signals, W):
    """A condition that one draw in eight meets."""
    return bool((W[:, 0] @ signals.features[0] > 0).all())


def test_accept_conditions_the_initialisation():
    drawn, offered = [], []

    def initialise_experts(problem, hyper, generator):
        W = PAPER.initialise_experts(problem, hyper, generator)
        drawn.append(W)
        return W

    def accept(signals, W):
        offered.append((signals, W))
        return positive(signals, W)

    subject = replace(PAPER, initialise_experts=initialise_experts)
    t = train(subject, PROBLEM, HYPER, SEEDS, keep=[0], accept=accept)
    assert sum(t.initialisations) == len(drawn) == len(offered)
    assert max(t.initialisations) > 1
    assert all(W is given for W, (_, given) in zip(drawn, offered, strict=True))
    at = 0
    for i, count in enumerate(t.initialisations):
        verdicts = [positive(signals, W) for signals, W in offered[at : at + count]]
        assert verdicts == [False] * (count - 1) + [True]
        at += count
        assert torch.equal(t.W[i, 0], drawn[at - 1].float())
    # The signals are the replicate's own, and exact.
    assert offered[0][0].features.dtype == torch.float64
    own = draw_replicate(PAPER, PROBLEM, HYPER, SEEDS[0], dtype=torch.float64).signals
    assert torch.equal(offered[0][0].features, own.features)


def test_accepting_everything_changes_nothing():
    assert same(
        train(PAPER, PROBLEM, HYPER, SEEDS),
        train(PAPER, PROBLEM, HYPER, SEEDS, accept=lambda signals, W: True),
    )


def test_an_impossible_condition_is_an_error():
    calls = []
    with pytest.raises(RuntimeError, match=r"no acceptable initialisation in 7 draws.*M=3"):
        draw_replicate(
            PAPER,
            PROBLEM,
            HYPER,
            SEEDS[0],
            accept=lambda signals, W: calls.append(1) and False,
            most_initialisations=7,
        )
    assert len(calls) == 7
    with pytest.raises(RuntimeError, match="1000 draws"):
        train(PAPER, PROBLEM, HYPER, SEEDS, accept=lambda signals, W: False)


# Repeating


def test_the_same_seeds_give_the_same_bits():
    torch.manual_seed(1)
    one = train(PAPER, PROBLEM, HYPER, SEEDS, keep=range(13))
    torch.manual_seed(2)
    np.random.seed(3)  # noqa: NPY002
    assert same(one, train(PAPER, PROBLEM, HYPER, [seed_of(i) for i in range(5)], keep=range(13)))


def test_global_generators_are_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train(PAPER, PROBLEM, HYPER, SEEDS)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


def test_seeds_are_not_used_up():
    seed = seed_of(9)
    one = train(PAPER, PROBLEM, HYPER, [seed])
    seed.spawn(3)
    assert same(one, train(PAPER, PROBLEM, HYPER, [seed]))


def test_different_seeds_give_different_replicates():
    t = train(PAPER, PROBLEM, HYPER, [*SEEDS[:3], *seed_of(0).spawn(3)], keep=[0])
    for i in range(6):
        for j in range(i):
            assert not (t.W[i, 0] == t.W[j, 0]).any()


def recorded(subject):
    """The subject, and a list that receives the noise it draws as (step, r)."""
    noise = []

    def router_noise(shape, generator, step):
        r = subject.router_noise(shape, generator, step)
        noise.append((step, r))
        return r

    return replace(subject, router_noise=router_noise), noise


def noise_of(noise, replicate, chunk):
    return [r for i, (_, r) in enumerate(noise) if i % chunk == replicate]


def test_draws_do_not_depend_on_the_batch():
    subject, together = recorded(PAPER)
    batch = train(subject, PROBLEM, HYPER, SEEDS, keep=range(13))
    assert [step for step, _ in together] == [t for t in range(12) for _ in SEEDS]
    assert all(r.shape == (3, 20) for _, r in together)
    for order in ([3], [4, 3], [3, 3, 0]):
        subject, noise = recorded(PAPER)
        other = train(subject, PROBLEM, HYPER, [SEEDS[i] for i in order], keep=range(13))
        for place, i in enumerate(order):
            for a, b in zip(
                noise_of(noise, place, len(order)), noise_of(together, i, 5), strict=True
            ):
                assert torch.equal(a, b)
            assert torch.equal(other.W[place, 0], batch.W[i, 0])
            assert torch.equal(other.signals.centres[place], batch.signals.centres[i])
            assert_close_runs(other, place, batch, i)


def assert_close_runs(one, i, other, j):
    """Replicate i of one run and j of the other, to 1e-5 relative (of the largest entry;
    design.md)."""
    for name in ("theta", "W"):
        a, b = getattr(one, name)[i], getattr(other, name)[j]
        assert (a - b).abs().max() <= 1e-5 * b.abs().max()
    assert torch.equal(one.training_error[i], other.training_error[j])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_chunks_change_results_by_rounding_only(dtype):
    chunk = (
        HYPER.n * (PROBLEM.P - 3 + 1) * PROBLEM.d * dtype.itemsize
    )  # noise patches and patch sums
    whole = train(PAPER, PROBLEM, HYPER, SEEDS, keep=range(13), dtype=dtype, memory_budget=2**31)
    for budget in (1, 2 * chunk, 3 * chunk + 1):
        t = train(PAPER, PROBLEM, HYPER, SEEDS, keep=range(13), dtype=dtype, memory_budget=budget)
        assert (t.steps, t.looked_at, t.initialisations) == (
            whole.steps,
            whole.looked_at,
            whole.initialisations,
        )
        for i in range(5):
            assert_close_runs(t, i, whole, i)
        assert same(
            t,
            train(PAPER, PROBLEM, HYPER, SEEDS, keep=range(13), dtype=dtype, memory_budget=budget),
        )


def test_chunks_fit_the_budget():
    sizes = []

    def logits(theta, x):
        sizes.append(
            (x.noise.numel() + x.total.numel()) * x.noise.element_size()
        )  # what is of size d
        return PAPER.logits(theta, x)

    one = HYPER.n * (PROBLEM.P - 3 + 1) * PROBLEM.d * 4
    # Five replicates, in chunks of nearly equal size: where four fit, two and three.
    for budget, largest in (
        (1, 1),
        (one, 1),
        (2 * one - 1, 1),
        (2 * one, 2),
        (4 * one, 3),
        (99 * one, 5),
    ):
        sizes.clear()
        train(replace(PAPER, logits=logits), PROBLEM, HYPER, SEEDS, memory_budget=budget)
        assert max(sizes) == largest * one


def test_replicates_are_drawn_from_their_seed_alone():
    one, again, other = (
        draw_replicate(PAPER, PROBLEM, HYPER, s) for s in (SEEDS[0], seed_of(0), SEEDS[1])
    )
    assert same_replicate(one, again)
    assert not same_replicate(one, other)
    assert one.examples.x.dtype == one.start.W.dtype == one.signals.features.dtype == torch.float32
    # The initialisation does not depend on the dtype, only its rounding does.
    exact = draw_replicate(PAPER, PROBLEM, HYPER, SEEDS[0], dtype=torch.float64)
    assert torch.equal(one.start.W, exact.start.W.float())
    assert torch.equal(one.signals.features, exact.signals.features.float())


def test_no_stream_is_used_twice():
    """Signals, experts, examples and every step's noise start from different states of a
    generator."""
    states = []

    def recording(ingredient, at):
        def draw(*arguments):
            states.append(arguments[at].get_state().numpy().tobytes())
            return ingredient(*arguments)

        return draw

    places = {"draw_signals": 1, "draw_examples": 3, "initialise_experts": 2, "router_noise": 1}
    subject = replace(
        PAPER, **{name: recording(getattr(PAPER, name), at) for name, at in places.items()}
    )
    train(subject, PROBLEM, HYPER, SEEDS, accept=positive)
    assert len(states) > len(SEEDS) * (3 + HYPER.T)
    assert len(set(states)) == len(states)


def test_children_of_a_seed_are_those_of_spawn():
    seed = np.random.SeedSequence(5, spawn_key=(2,))
    spawned = np.random.SeedSequence(5, spawn_key=(2,)).spawn(3)[2]
    assert child(seed, 2).generate_state(4).tolist() == spawned.generate_state(4).tolist()
    assert child(seed, 2).spawn_key == (2, 2)
    assert child(seed, 1, 4).spawn_key == (2, 1, 4)
    assert seed.n_children_spawned == 0


def test_generators_depend_on_the_seed_alone():
    draws = {
        tuple(torch.rand(4, generator=generator_from(seed_of(i))).tolist()) for i in (1, 1, 2, 3, 4)
    }
    assert len(draws) == 4


def test_generators_are_the_mersenne_twister_of_the_whole_seed():
    """Against NumPy's, set to the same 624 words; a float32 of torch is the low 24 bits of a
    draw."""
    for i in range(3):
        words = child(seed_of(i), 4).generate_state(624, np.uint32)
        twister = np.random.MT19937(0)
        twister.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": 624}}
        expected = (twister.random_raw(2000) % 2**24) / 2**24
        generator = generator_from(child(seed_of(i), 4))
        drawn = torch.cat([torch.rand(1, generator=generator) for _ in range(2000)])
        assert np.array_equal(drawn.double().numpy(), expected)


def test_different_seeds_give_different_streams():
    # Found by search: among 2^18 children there are 8 such pairs; with all 64 bits of the seed one
    # would expect 2^-29.
    one, other = (
        torch.rand(4, generator=generator_from(child(seed_of(0), i))) for i in (5285, 44532)
    )
    assert not torch.equal(one, other)


@pytest.mark.parametrize("bound", [200, 40_000, 100_000])
def test_keys_of_every_width_are_sorted_in_their_order(bound):
    keys = torch.randint(
        bound // 2, bound, (500,), generator=torch.Generator().manual_seed(0)
    ).repeat(2)
    order = products._stable_order(keys, bound)
    assert order.tolist() == sorted(range(1000), key=lambda i: (int(keys[i]), i))
