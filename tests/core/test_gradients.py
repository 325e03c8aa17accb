"""gradients() and margins() against naive loops: the paper's formulas for PAPER, central
differences for other ingredients."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from oracles import (
    EPS,
    EPS_32,
    Naive,
    cubic,
    double,
    instance,
    loss_derivatives,
    paper_gradients,
    pre_activations,
    softmax,
    sum_logits,
    summed,
    tensors_of,
    vectors,
)
from scipy.special import erf

from core import PAPER, Parameters, Patches
from core.model import linear_response, response
from core.training import gradients, loss_slope, margins
from core.updates import Gradient


def computed(subject, it):
    """Gradients in W and theta as arrays (R, ...)."""
    g_W, g_theta = gradients(subject, Parameters(it.theta, it.W), it.x, it.y, it.r)
    assert g_W.direction.shape == it.W.shape
    assert g_theta.direction.shape == it.theta.shape
    assert g_W.direction.dtype == g_theta.direction.dtype == it.W.dtype
    return g_W.value.double().numpy(), g_theta.value.double().numpy()


def assert_agree(actual, expected, terms, roundings, eps=EPS):
    """Equal up to `roundings` rounding errors relative to the sum of the sizes of the terms added
    up; zero where that is zero."""
    assert np.all(np.abs(actual - expected) <= roundings * eps * terms)


SIZES = [
    {"R": 1, "M": 1, "J": 1, "P": 4, "d": 4, "n": 1},
    {"R": 1, "M": 2, "J": 1, "P": 4, "d": 4, "n": 5},
    {"R": 3, "M": 3, "J": 2, "P": 5, "d": 7, "n": 9},
    {
        "R": 3,
        "M": 3,
        "J": 2,
        "P": 5,
        "d": 7,
        "n": 9,
        "Q": 0,
    },  # no patch known to lie along a signal
    {"R": 2, "M": 3, "J": 2, "P": 4, "d": 5, "n": 9, "Q": 4},  # all of them
    {"R": 2, "M": 8, "J": 3, "P": 4, "d": 5, "n": 20},
    {"R": 2, "M": 16, "J": 1, "P": 6, "d": 5, "n": 6},  # most experts without examples
    {"R": 4, "M": 2, "J": 5, "P": 7, "d": 16, "n": 40},
]


@pytest.mark.parametrize(("dtype", "eps"), [(torch.float64, EPS), (torch.float32, EPS_32)])
@pytest.mark.parametrize("size", SIZES)
def test_paper_gradients_are_the_formulas(size, dtype, eps):
    it = instance(1, **size, dtype=dtype)
    g_W, g_theta = computed(PAPER, it)
    for replicate in range(size["R"]):
        expected = paper_gradients(*it[replicate])
        # A term is off by its factors' errors: those of z (d + 2 roundings, with |z| |sigma'|
        # amplified up to threefold) and of the margin (P J d roundings of |f| < 100, which moves l'
        # by as much); the sum over examples and patches adds n P.
        roundings = 100 * size["P"] * size["J"] * size["d"] + size["n"] * size["P"]
        assert_agree(g_W[replicate], expected.W, expected.W_terms, roundings, eps)
        assert_agree(g_theta[replicate], expected.theta, expected.theta_terms, roundings, eps)
        assert np.abs(expected.W).max() > 1e-3


def test_formulas_hold_at_equal_logits_and_for_linear_experts():
    it = instance(2, R=2, M=3, n=12)
    it = replace(it, theta=torch.zeros_like(it.theta))
    g_W, g_theta = computed(replace(PAPER, respond=linear_response), it)
    for replicate in range(2):
        expected = paper_gradients(*it[replicate], sigma=lambda z: z, slope=lambda z: 1.0)
        assert_agree(g_W[replicate], expected.W, expected.W_terms, 5000)
        assert_agree(g_theta[replicate], expected.theta, expected.theta_terms, 5000)


def test_hand_gradients_are_the_derivatives_of_the_loss():
    """The oracle itself: theory.md's formulas against central differences of the loss."""
    theta, W, x, y, r = instance(3, R=1, M=3, J=2, P=4, d=4, n=6)[0]
    hand = paper_gradients(theta, W, x, y, r)
    by_W, error_W, by_theta, error_theta = loss_derivatives(Naive(), theta, W, x, y, hand.routed)
    assert np.all(np.abs(hand.W - by_W) <= error_W)
    assert np.all(np.abs(hand.theta - by_theta) <= error_theta)


def gelu(z):
    return z * (1 + float(erf(z / math.sqrt(2)))) / 2


def first_patch_logits(theta, x):
    return [float(theta_m @ x[0]) for theta_m in theta]


def tempered(temperature):
    return lambda h: softmax([v / temperature for v in h])


VARIANTS = {
    "square loss": ({"loss": lambda m: (1 - m) ** 2}, Naive(loss=lambda m: (1 - m) ** 2)),
    "hinge loss": ({"loss": lambda m: torch.relu(1 - m)}, Naive(loss=lambda m: max(1 - m, 0.0))),
    "exponential loss": ({"loss": lambda m: torch.exp(-m)}, Naive(loss=lambda m: math.exp(-m))),
    "increasing loss": ({"loss": torch.tanh}, Naive(loss=math.tanh)),
    "cold gate": ({"gate": lambda h: (h / 0.3).softmax(dim=-2)}, Naive(gate=tempered(0.3))),
    "sigmoid gate": (
        {"gate": torch.sigmoid},
        Naive(gate=lambda h: [1 / (1 + math.exp(-v)) for v in h]),
    ),
    "linear experts": ({"respond": linear_response}, Naive(respond=summed(lambda z: z))),
    "relu experts": (
        {"respond": response(torch.relu)},
        Naive(respond=summed(lambda z: max(z, 0.0))),
    ),
    "tanh experts": ({"respond": response(torch.tanh)}, Naive(respond=summed(math.tanh))),
    "gelu experts": ({"respond": response(torch.nn.functional.gelu)}, Naive(respond=summed(gelu))),
    "experts not additive": (
        {"respond": lambda z: z.pow(3).sum(dim=(-2, -1)).sin()},
        Naive(respond=lambda z: math.sin(cubic(z))),
    ),
    "experts that know places": (
        {"respond": lambda z: (z[..., 0, :] * z[..., 1, :]).sum(dim=-1) + z[..., 3, 0]},
        Naive(respond=lambda z: sum(a * b for a, b in zip(z[0], z[1], strict=True)) + z[3][0]),
    ),
    "router of one patch": (
        {"logits": lambda theta, x: theta @ x.dense[..., 0, :].mT},
        Naive(logits=first_patch_logits),
    ),
    "several at once": (
        {
            "loss": lambda m: (1 - m) ** 2,
            "gate": lambda h: (h / 2).softmax(dim=-2),
            "respond": response(torch.tanh),
        },
        Naive(loss=lambda m: (1 - m) ** 2, gate=tempered(2), respond=summed(math.tanh)),
    ),
}


SEED_AWAY_FROM_KINKS = 5


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_of_any_ingredients_are_the_derivatives_of_the_loss(name):
    ingredients, naive = VARIANTS[name]
    it = instance(SEED_AWAY_FROM_KINKS, R=2, M=3, J=2, P=4, d=4, n=6)
    if name == "exponential loss":  # keep it moderate
        it = replace(it, W=it.W / 2)
    g_W, g_theta = computed(replace(PAPER, **ingredients), it)
    for replicate in range(2):
        theta, W, x, y, r = it[replicate]
        routed = naive.routes(theta, x, r)
        for i, m in enumerate(routed):  # the differences, steps of 1e-4, must not cross a kink
            assert abs(1 - naive.margin(theta, W, x[i], y[i], m)) > 1e-2
            assert np.abs(pre_activations(W[m], x[i])).min() > 1e-3
        by_W, error_W, by_theta, error_theta = loss_derivatives(naive, theta, W, x, y, routed)
        assert np.all(np.abs(g_W[replicate] - by_W) <= error_W)
        assert np.all(np.abs(g_theta[replicate] - by_theta) <= error_theta)
        assert np.abs(by_W).max() > 1e4 * error_W.max()  # the comparison means something
        assert np.abs(by_theta).max() > 1e4 * error_theta.max()


def constant_gate(h):
    return torch.ones_like(h)


def test_a_gate_may_ignore_the_logits():
    it = instance(5)
    _, g_theta = computed(replace(PAPER, gate=constant_gate), it)
    assert not g_theta.any()


def test_routing_follows_select_and_the_given_noise():
    it = instance(6, R=1, M=3, n=10)
    h = [sum_logits(it.theta[0].numpy(), x) for x in vectors(it.x)[0]]
    worst = [min(range(3), key=lambda m, i=i: h[i][m]) for i in range(10)]
    subject = replace(PAPER, select=lambda h, r: h.argmin(dim=-2))
    it_r = torch.zeros(1, 3, 10).double()
    it_r[0, worst, range(10)] = 1e6  # noise that makes the paper's router choose the same
    g_W, g_theta = computed(subject, it)
    p_W, p_theta = computed(PAPER, replace(it, r=it_r))
    assert np.array_equal(g_W, p_W)
    assert np.array_equal(g_theta, p_theta)


@pytest.mark.parametrize("chosen", [0, 2])
def test_only_the_routed_expert_is_computed(chosen):
    it = instance(7, R=2, M=3)
    r = it.r.clone()
    r[:, chosen] += 100
    W = torch.full_like(it.W, torch.nan)
    W[:, chosen] = it.W[:, chosen]
    g_W, g_theta = computed(PAPER, replace(it, r=r, W=W))
    others = [m for m in range(3) if m != chosen]
    assert not g_W[:, others].any()
    assert g_W[:, chosen].all()
    assert np.isfinite(g_theta).all()
    assert g_theta.all()


def test_known_multiples_of_signals_and_plain_patches_are_the_same():
    it = instance(14, R=2, M=3, n=11)
    plain = replace(it, x=Patches.of(torch.from_numpy(vectors(it.x))))
    for known, dense in zip(computed(PAPER, it), computed(PAPER, plain), strict=True):
        np.testing.assert_allclose(known, dense, rtol=1e-10, atol=1e-13)


def test_replicates_do_not_mix():
    it = instance(8, R=4, M=3, n=11)
    g_W, g_theta = computed(PAPER, it)
    for replicate in range(4):
        a_W, a_theta = computed(PAPER, it.only(replicate))
        np.testing.assert_allclose(g_W[replicate], a_W[0], rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(g_theta[replicate], a_theta[0], rtol=1e-11, atol=1e-14)


def test_parameters_and_data_are_left_alone():
    it = instance(9)
    given = [it.theta, it.W, it.y, it.r, *tensors_of(it.x)]
    before = [t.clone() for t in given]
    computed(PAPER, it)
    margins(PAPER, Parameters(it.theta, it.W), it.x, it.y)
    for now, then in zip(given, before, strict=True):
        assert torch.equal(now, then)
        assert not now.requires_grad


@pytest.mark.parametrize("size", SIZES)
def test_margins_and_noise_free_routing(size):
    it = instance(10, **size)
    margin, routed = margins(PAPER, Parameters(it.theta, it.W), it.x, it.y)
    assert margin.shape == routed.shape == it.y.shape
    for replicate in range(size["R"]):
        theta, W, x, y, _ = it[replicate]
        expected, expected_routed = Naive().test_margins(theta, W, x, y)
        assert routed[replicate].tolist() == expected_routed.tolist()
        for i, m in enumerate(expected_routed):
            size_of_f = summed(lambda z: abs(z) ** 3)(pre_activations(np.abs(W[m]), np.abs(x[i])))
            assert margin[replicate, i].item() == pytest.approx(
                expected[i], abs=20 * size["P"] * size["d"] * EPS * size_of_f
            )


@pytest.mark.parametrize("name", VARIANTS)
def test_margins_of_any_ingredients(name):
    ingredients, naive = VARIANTS[name]
    it = instance(11, R=2, n=9)
    margin, routed = margins(replace(PAPER, **ingredients), Parameters(it.theta, it.W), it.x, it.y)
    for replicate in range(2):
        expected, expected_routed = naive.test_margins(*it[replicate][:4])
        assert routed[replicate].tolist() == expected_routed.tolist()
        assert margin[replicate].tolist() == pytest.approx(expected.tolist(), rel=1e-11, abs=1e-11)


# Slopes


LOSSES = [
    (lambda m: (1 - m) ** 2, lambda m: -2 * (1 - m)),
    (lambda m: torch.exp(-m), lambda m: -math.exp(-m)),
    (torch.tanh, lambda m: 1 - math.tanh(m) ** 2),
    (lambda m: torch.relu(1 - m), lambda m: -1.0 if m < 1 else 0.0),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("loss", "slope"), LOSSES)
def test_slopes_come_as_sign_and_log(loss, slope, dtype):
    margin = torch.tensor([-3.0, -0.5, 0.0, 0.5, 1.5, 4.0], dtype=dtype)
    sign, log_size = loss_slope(loss, margin)
    assert sign.dtype == log_size.dtype == dtype
    for s, log, m in zip(sign.tolist(), log_size.tolist(), margin.tolist(), strict=True):
        expected = slope(m)
        assert s == np.sign(expected)
        if expected == 0:
            assert log == -math.inf
        else:
            assert log == pytest.approx(
                math.log(abs(expected)), rel=1e-6 if dtype == torch.float32 else 1e-13, abs=1e-12
            )


def test_a_constant_loss_has_slope_zero():
    sign, log_size = loss_slope(lambda m: torch.ones_like(m), torch.tensor([1.0, 2.0]))
    assert (sign.tolist(), log_size.tolist()) == ([0.0, 0.0], [-math.inf, -math.inf])


def test_a_number_called_slope_is_no_slope_in_log_space():
    class Hinge:
        slope = 1.0

        def __call__(self, margin):
            return torch.relu(self.slope - margin)

    sign, log_size = loss_slope(Hinge(), torch.tensor([0.5, 2.0]))
    assert (sign.tolist(), log_size.tolist()) == ([-1.0, 0.0], [0.0, -math.inf])


def test_slopes_are_taken_in_double_precision():
    # e^-200 is no float32; its log is.
    sign, log_size = loss_slope(lambda m: torch.exp(-m), torch.tensor([200.0]))
    assert (sign.item(), log_size.item()) == (-1.0, -200.0)


def test_value_of_a_gradient():
    direction = double([[1.0, -2.0]])
    assert Gradient(direction, double([[math.log(3)]])).value.tolist() == [
        pytest.approx([3.0, -6.0], rel=4 * EPS)
    ]
    assert not Gradient(direction, double([[-1e4]])).value.any()


# Huge margins: the slopes underflow, the directions must not


def confident(scale, dtype=torch.float64):
    """Experts whose smallest margins are `scale`, and margins above that by up to some tens, with
    mixed routing.

    Every filter sees every patch, z is about (3 scale)^(1/3) and f about pi^-1 scale; labels are
    the signs of f.
    """
    rng = np.random.default_rng(12)
    R, M, J, P, d, n = 1, 2, 2, 4, 3, 12
    theta = rng.normal(size=(R, M, d)) / 10
    W = rng.normal(size=(R, M, J, d))
    x = rng.normal(size=(R, n, P, d))
    y = np.ones((R, n))
    r = rng.random((R, M, n))
    for i in range(n):
        h = sum_logits(theta[0], x[0, i])
        m = max(range(M), key=lambda m, h=h, i=i: h[m] + r[0, m, i])
        # Scaling x moves the logits too: search the factor that puts the margin where it is wanted.
        wanted = scale + 3 * i
        factor = 1.0
        for _ in range(200):
            h = sum_logits(theta[0], factor * x[0, i])
            f = cubic(pre_activations(W[0, m], factor * x[0, i]))
            factor *= (wanted / (softmax(h)[m] * abs(f))) ** 0.2
        x[0, i] *= factor
        y[0, i] = np.sign(f)
        r[0, m, i] += 100  # stay with that expert
    return [torch.from_numpy(a).to(dtype) for a in (theta, W, x, y, r)]


@pytest.mark.parametrize("scale", [50.0, 800.0, 1e4])
def test_directions_survive_margins_whose_slopes_underflow(scale):
    theta, W, x, y, r = confident(scale)
    arrays = [a[0].numpy() for a in (theta, W, x, y, r)]
    naive = Naive()
    routed = naive.routes(arrays[0], arrays[2], arrays[4])
    values = [
        naive.margin(arrays[0], arrays[1], arrays[2][i], arrays[3][i], m)
        for i, m in enumerate(routed)
    ]
    assert {0, 1} == set(routed)
    assert min(values) > 0.99 * scale
    shift = -min(values)  # log of the largest slope, nearly
    expected = paper_gradients(*arrays, shift=shift)
    g_W, g_theta = gradients(PAPER, Parameters(theta, W), Patches.of(x), y, r)
    # A margin is off by some 1000 eps of itself (the sums behind f), and so is the log of its
    # slope.
    relative = 2000 * EPS * max(values)
    for g, value, terms in (
        (g_W, expected.W, expected.W_terms),
        (g_theta, expected.theta, expected.theta_terms),
    ):
        assert (g.direction != 0).any()
        actual = (g.direction * (g.log_scale - shift).exp())[0].numpy()
        assert np.all(np.abs(actual - value) <= relative * terms)
    # Every expert moves by exactly eta, along its own gradient.
    eta = 0.25
    moved, _ = PAPER.expert_update(torch.zeros_like(W), g_W, eta, None)
    for m in range(2):
        unit = expected.W[m] / np.linalg.norm(expected.W[m])
        np.testing.assert_allclose(-moved[0, m].numpy() / eta, unit, rtol=0, atol=10 * relative)


@pytest.mark.parametrize("scale", [50.0, 1e4])
def test_directions_survive_in_float32(scale):
    theta, W, x, y, r = confident(scale, torch.float32)
    g_W, _ = gradients(PAPER, Parameters(theta, W), Patches.of(x), y, r)
    arrays = [a[0].double().numpy() for a in (theta, W, x, y, r)]
    expected = paper_gradients(*arrays, shift=-scale)
    moved, _ = PAPER.expert_update(torch.zeros_like(W), g_W, 0.25, None)
    # The margins have an error of at most some 100 float32 eps of themselves: 0.1 at 1e4, which
    # turns the direction that much.
    turn = 100 * EPS_32 * scale + 1e-4
    for m in range(2):
        unit = expected.W[m] / np.linalg.norm(expected.W[m])
        step = moved[0, m].double().numpy() / 0.25
        assert np.linalg.norm(step) == pytest.approx(1, abs=100 * EPS_32)
        assert np.linalg.norm(step + unit) <= turn


def test_experts_with_very_different_slopes_all_move():
    """Expert 0 is unsure (slope 1/2), expert 1 sure (slope e^-500): each is normalised on its
    own."""
    x = Patches.of(double([[[[1.0, 0.0]], [[0.0, 1.0]]]]))
    W = double([[[[0.1, 0.0]], [[0.0, 10.0]]]])
    r = double([[[9.0, 0.0], [0.0, 9.0]]])
    g_W, g_theta = gradients(
        PAPER, Parameters(torch.zeros(1, 2, 2).double(), W), x, torch.ones(1, 2).double(), r
    )
    moved, _ = PAPER.expert_update(W, g_W, 0.5, None)
    torch.testing.assert_close(
        moved - W, double([[[[0.5, 0.0]], [[0.0, 0.5]]]]), rtol=1e-14, atol=1e-14
    )
    # pi = 1/2 and margin 500: log_scale is that of the largest |l' df/dz| of the expert, df/dz = 3
    # z^2, and of |l' f| of all.
    unsure = -math.log(1 + math.exp(0.0005))
    assert g_W.log_scale.flatten().tolist() == pytest.approx(
        [unsure + math.log(0.03), -500 + math.log(300)], rel=1e-12
    )
    assert g_theta.log_scale.item() == pytest.approx(unsure + math.log(0.001), rel=1e-12)


def test_small_slopes_count_where_no_larger_one_does():
    """Two examples of one expert along different axes, with slopes 1/2 and e^-50: the second alone
    moves its own axis."""
    x = Patches.of(double([[[[1.0, 0.0]], [[0.0, 1.0]]]]))
    W = double([[[[0.1, 50.0 ** (1 / 3)]]]])
    g_W, _ = gradients(
        PAPER,
        Parameters(double([[[0.0, 0.0]]]), W),
        x,
        double([[1.0, 1.0]]),
        double([[[0.0, 0.0]]]),
    )
    expected = [-3 * w**2 / (1 + math.exp(w**3)) / 2 for w in W.flatten().tolist()]
    # The margin 50 is rounded to a few eps of itself, which moves the slope by as much.
    assert g_W.value.flatten().tolist() == pytest.approx(expected, rel=500 * EPS, abs=0)


@pytest.mark.parametrize("scale", [1e4, 1e6, 1e8])
def test_large_responses_keep_their_share(scale):
    """f = 1e12 and more with margins of both signs: the slope of a confident example is far smaller
    than 1 / f."""
    it = instance(17, R=2, M=2)
    W = scale * it.W
    exact = gradients(PAPER, Parameters(it.theta, W), it.x, it.y, it.r)
    x = Patches(
        *(
            part.float() if part.is_floating_point() else part
            for part in (getattr(it.x, f.name) for f in fields(Patches))
        )
    )
    rounded = gradients(
        PAPER, Parameters(it.theta.float(), W.float()), x, it.y.float(), it.r.float()
    )
    for found, expected in zip(rounded, exact, strict=True):
        largest = expected.value.abs().amax()
        assert largest > 0
        assert ((found.value.double() - expected.value).abs().amax() <= 1e-4 * largest).all()


def test_slopes_of_exactly_zero_give_a_zero_gradient():
    it = instance(13, R=2, M=2)
    subject = replace(PAPER, loss=lambda m: torch.relu(-1e6 - m))
    g_W, g_theta = gradients(subject, Parameters(it.theta, it.W), it.x, it.y, it.r)
    for g in (g_W, g_theta):
        assert not g.direction.any()
        assert g.log_scale.isfinite().all()
    moved, _ = PAPER.expert_update(it.W, g_W, 0.1, None)
    assert torch.equal(moved, it.W)


def test_a_dead_example_does_not_hide_a_confident_one():
    # ReLU: example 0 is seen by no filter (margin 0, slope 1/2, no gradient), example 1 has margin
    # 80 and slope e^-80.
    x = Patches.of(double([[[[-1.0, 0.0]], [[1.0, 0.0]]]]))
    W = double([[[[80.0, 0.0]]]])
    parameters = Parameters(torch.zeros(1, 1, 2).double(), W)
    g_W, _ = gradients(
        replace(PAPER, respond=response(torch.relu)),
        parameters,
        x,
        torch.ones(1, 2).double(),
        torch.zeros(1, 1, 2),
    )
    moved, _ = PAPER.expert_update(W, g_W, 0.5, None)
    assert moved.flatten().tolist() == [80.5, 0.0]


@pytest.mark.parametrize(("dtype", "margin"), [(torch.float64, 100.0), (torch.float32, 60.0)])
def test_an_example_whose_response_cancels_still_counts(dtype, margin):
    # Linear: example 0 has z = 1 and -1, so f = 0 but a gradient sum_p x^(p) = (0, 2); example 1
    # has a huge margin.
    x = Patches.of(
        torch.tensor([[[[1.0, 1.0], [-1.0, 1.0]], [[margin, 0.0], [0.0, 0.0]]]], dtype=dtype)
    )
    parameters = Parameters(
        torch.zeros(1, 1, 2, dtype=dtype), torch.tensor([[[[1.0, 0.0]]]], dtype=dtype)
    )
    g_W, _ = gradients(
        replace(PAPER, respond=linear_response),
        parameters,
        x,
        torch.ones(1, 2, dtype=dtype),
        torch.zeros(1, 1, 2),
    )
    # (1 / n) l'(0) (0, 2), with n = 2 and l'(0) = -1/2; the other example adds less than rounding
    # errors.
    assert g_W.value.flatten().tolist() == pytest.approx([0.0, -0.5], abs=1e-6)
