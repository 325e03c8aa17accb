"""Bad input is refused with one ValueError that names the value and the limit."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from core import Discrete, Hyperparameters, Problem, Uniform

NAN, INF = math.nan, math.inf
HYPER = {"M": 2, "J": 1, "n": 1, "sigma_0": 0.1, "eta": 0.01, "eta_r": 0.0, "T": 0}
HUGE = 10**400  # no float holds it
NOT_COUNTS = [True, False, 4.0, 4.5, NAN, INF, "4", None, np.int64(4)]
NOT_NUMBERS = [True, "1", None, HUGE, -HUGE, np.float32(1), 1j]


def refused(make, *fragments):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is checked here, fragment by fragment
        make()
    for fragment in fragments:
        assert fragment in str(caught.value)


@dataclass(frozen=True)
class Support:
    """A law of which only the support matters."""

    low: float
    high: float

    @property
    def support(self):
        return self.low, self.high

    def cdf(self, amplitude):
        return np.asarray(amplitude)

    def quantile(self, u):
        return u


@pytest.mark.parametrize("value", [1, 0, -3, *NOT_COUNTS])
def test_needs_two_clusters(value):
    refused(lambda: Problem(K=value), f"K = {value!r}", ">= 2")


@pytest.mark.parametrize("value", [3, 0, -4, *NOT_COUNTS])
def test_needs_four_patches(value):
    refused(lambda: Problem(P=value), f"P = {value!r}", ">= 4")


@pytest.mark.parametrize("value", [7, 0, -8, *NOT_COUNTS])
def test_needs_room_for_the_signals(value):
    refused(lambda: Problem(K=4, d=value), f"d = {value!r}", ">= 8", "2K")


@pytest.mark.parametrize("value", [0, 0.0, -0.0, -1.0, NAN, INF, -INF, *NOT_NUMBERS])
def test_needs_positive_finite_noise_scale(value):
    refused(lambda: Problem(sigma_p=value), f"sigma_p = {value!r}", "finite float or int > 0")


@pytest.mark.parametrize(
    ("C1", "C2"),
    [
        (0.0, 2.0),
        (-1.0, 2.0),
        (2.5, 2.0),
        (NAN, 2.0),
        (0.5, NAN),
        (0.5, INF),
        (INF, INF),
        (-INF, 2.0),
        (1, 0),
    ],
)
def test_needs_a_positive_bounded_range_of_amplitudes(C1, C2):
    refused(lambda: Problem(C1=C1, C2=C2), f"[{C1}, {C2}]", "0 < C1 <= C2 < infinity")


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_amplitudes_are_numbers(value):
    refused(lambda: Problem(C1=value), f"[{value!r}, 2.0]", "0 < C1 <= C2 < infinity")
    refused(lambda: Problem(C2=value), f"[0.5, {value!r}]", "0 < C1 <= C2 < infinity")
    refused(lambda: Uniform(value, 2), f"low={value!r}", "float or int")
    refused(lambda: Uniform(0.5, value), f"high={value!r}", "float or int")
    refused(lambda: Discrete((value,), (1.0,)), repr(value), "finite")
    refused(lambda: Discrete((1.0, 2.0), (value, 0.5)), repr(value), "positive")


@dataclass(frozen=True)
class Draws(Support):
    """A law that does not draw from its support."""

    drawn: float = 1.0

    def quantile(self, u):
        return torch.where(u < 0.75, 1.0, self.drawn)


@pytest.mark.parametrize("name", ["alpha", "beta", "gamma"])
@pytest.mark.parametrize("drawn", [NAN, INF, 0.4, 1.6])
def test_laws_draw_from_their_support(name, drawn):
    assert Problem(**{name: Draws(0.5, 1.5)})
    refused(
        lambda: Problem(**{name: Draws(0.5, 1.5, drawn)}), f"D_{name}", f"{drawn}", "[0.5, 1.5]"
    )


@pytest.mark.parametrize("law", [None, 1.0, "uniform", Uniform])
def test_needs_laws(law):
    refused(lambda: Problem(gamma=law), f"D_gamma = {law!r}", "support, cdf and quantile")


@pytest.mark.parametrize("name", ["alpha", "beta", "gamma"])
@pytest.mark.parametrize(
    "law",
    [
        Uniform(0.4, 1.0),
        Uniform(1.0, 2.1),
        Uniform(math.nextafter(0.5, 0), 1.0),
        Uniform(1.0, math.nextafter(2, 3)),
        Uniform(3.0, 4.0),
        Uniform(-1.0, 1.0),
        Discrete((0.4, 1.0), (0.5, 0.5)),
        Discrete((1.0, 2.5), (0.5, 0.5)),
        Support(NAN, 1.0),
        Support(1.0, NAN),
        Support(1.0, INF),
        Support(2.0, 1.0),
    ],
)
def test_needs_laws_within_the_range(name, law):
    low, high = law.support
    refused(
        lambda: Problem(**{name: law}), f"D_{name}", f"[{low}, {high}]", "[C1, C2] = [0.5, 2.0]"
    )


def test_accepts_the_limits_themselves():
    point = Uniform(0.7, 0.7)
    problem = Problem(
        K=2,
        d=4,
        P=4,
        alpha=point,
        beta=Discrete((0.7,), (1.0,)),
        gamma=point,
        sigma_p=1e-300,
        C1=0.7,
        C2=0.7,
    )
    assert problem.d == 4
    assert Problem(alpha=Uniform(0.5, 2.0), C1=0.5, C2=2.0).alpha.support == (0.5, 2.0)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (2.0, 1.0),
        (NAN, 1.0),
        (1.0, NAN),
        (NAN, NAN),
        (-INF, 1.0),
        (1.0, INF),
        (INF, INF),
        (1.0, math.nextafter(1, 0)),
    ],
)
def test_uniform_needs_an_interval(low, high):
    refused(lambda: Uniform(low, high), f"low={low}, high={high}", "finite low <= high")


@pytest.mark.parametrize(
    ("values", "weights", "fragments"),
    [
        ((), (), ("0 values", "0 weights", "at least one")),
        ((1.0,), (), ("1 values", "0 weights")),
        ((1.0, 2.0), (1.0,), ("2 values", "1 weights")),
        ((2.0, 1.0), (0.5, 0.5), ("(2.0, 1.0)", "strictly increasing")),
        ((1.0, 1.0), (0.5, 0.5), ("(1.0, 1.0)", "strictly increasing")),
        ((1.0, NAN), (0.5, 0.5), ("nan", "finite")),
        ((NAN, 1.0), (0.5, 0.5), ("nan", "finite")),
        ((1.0, INF), (0.5, 0.5), ("inf", "finite")),
        ((-INF, 1.0), (0.5, 0.5), ("-inf", "finite")),
        ((1.0, 2.0), (0.0, 1.0), ("(0.0, 1.0)", "positive")),
        ((1.0, 2.0), (-0.5, 1.5), ("(-0.5, 1.5)", "positive")),
        ((1.0, 2.0), (0.5, 0.6), ("(0.5, 0.6)", "sum to 1")),
        ((1.0, 2.0), (0.3, 0.3), ("(0.3, 0.3)", "sum to 1")),
        ((1.0, 2.0), (NAN, 0.5), ("nan", "positive")),
        ((1.0, 2.0), (INF, 0.5), ("inf", "positive")),
    ],
)
def test_discrete_needs_increasing_values_and_a_distribution(values, weights, fragments):
    refused(lambda: Discrete(values, weights), *fragments)


@pytest.mark.parametrize("name", ["M", "J", "n"])
@pytest.mark.parametrize("value", [0, -1, *NOT_COUNTS])
def test_hyperparameters_need_counts(name, value):
    refused(lambda: Hyperparameters(**{**HYPER, name: value}), f"{name} = {value!r}", ">= 1")


@pytest.mark.parametrize("value", [-1, *NOT_COUNTS])
def test_needs_a_number_of_steps(value):
    refused(lambda: Hyperparameters(**{**HYPER, "T": value}), f"T = {value!r}", ">= 0")


@pytest.mark.parametrize("name", ["sigma_0", "eta"])
@pytest.mark.parametrize("value", [0.0, -0.1, NAN, INF, -INF, *NOT_NUMBERS])
def test_needs_positive_rates_and_scales(name, value):
    refused(
        lambda: Hyperparameters(**{**HYPER, name: value}),
        f"{name} = {value!r}",
        "finite float or int > 0",
    )


@pytest.mark.parametrize("value", [-0.1, NAN, INF, -INF, *NOT_NUMBERS])
def test_router_rate_may_be_zero_but_not_less(value):
    refused(
        lambda: Hyperparameters(**{**HYPER, "eta_r": value}),
        f"eta_r = {value!r}",
        "finite float or int >= 0",
    )
    assert Hyperparameters(**HYPER).eta_r == 0


@pytest.mark.parametrize(
    ("sigma_0", "eta", "T_1"),
    [(0.25, 0.01, 50), (0.25, 0.03, 16), (1.0, 2.0, 0), (0.04, 0.001, 200)],
)
def test_exploration_ends_at_floor_of_root_sigma_0_over_eta(sigma_0, eta, T_1):
    assert Hyperparameters(**{**HYPER, "sigma_0": sigma_0, "eta": eta}).T_1 == T_1


def test_records_are_frozen():
    one = Discrete((1.0,), (1.0,))
    for record, name in (
        (Problem(), "K"),
        (Hyperparameters(**HYPER), "M"),
        (Uniform(1, 2), "low"),
        (one, "values"),
    ):
        with pytest.raises(AttributeError):
            setattr(record, name, 1)
