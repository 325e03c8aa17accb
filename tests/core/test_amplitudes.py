"""Amplitude laws: distribution and quantile functions belong together, and draws follow them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles import EPS, EPS_32, assert_count, assert_follows, examples, generator
from test_problem import Support

from core import AmplitudeLaw, Discrete, Problem, Uniform
from core.data import draw_examples, draw_signals

JUST_BELOW_1 = math.nextafter(1.0, 0.0)
weights = st.lists(st.integers(1, 1000), min_size=1, max_size=6).map(
    lambda w: tuple(v / sum(w) for v in w)
)


def double(*values):
    return torch.tensor(values, dtype=torch.float64)


@given(low=st.floats(1e-3, 1e3), width=st.floats(0, 1e3), u=st.floats(0, 1, exclude_max=True))
@examples(100)
def test_uniform_quantile_is_linear_and_inside_the_support(low, width, u):
    law = Uniform(low, low + width)
    (q,) = law.quantile(double(u)).tolist()
    assert q == pytest.approx((1 - u) * law.low + u * law.high, rel=4 * EPS)
    assert law.low <= q <= law.high * (1 + EPS)


@given(low=st.floats(1e-3, 1e3), width=st.floats(1e-3, 1e3), u=st.floats(0, 1, exclude_max=True))
@examples(100)
def test_uniform_cdf_inverts_its_quantile(low, width, u):
    law = Uniform(low, low + width)
    # The quantile is rounded relative to itself, at most low + width, which the cdf divides by the
    # width.
    assert law.cdf(law.quantile(double(u)).numpy())[0] == pytest.approx(
        u, abs=8 * EPS * (low + width) / width
    )


def test_uniform_cdf_outside_and_at_the_ends():
    assert Uniform(1.0, 3.0).cdf(np.array([-5.0, 1.0, 1.5, 3.0, 9.0])).tolist() == [
        0.0,
        0.0,
        0.25,
        1.0,
        1.0,
    ]


def test_point_mass():
    law = Uniform(0.7, 0.7)
    assert law.support == (0.7, 0.7)
    assert law.quantile(double(0.0, 0.5, JUST_BELOW_1)).tolist() == [0.7] * 3
    assert law.cdf(np.array([math.nextafter(0.7, 0), 0.7, 1.0])).tolist() == [0.0, 1.0, 1.0]


@given(w=weights, u=st.floats(0, 1, exclude_max=True))
@examples(100)
def test_discrete_quantile_takes_each_value_on_its_own_share(w, u):
    law = Discrete(tuple(1.0 + i for i in range(len(w))), w)
    total, expected = 0.0, law.values[-1]
    for value, weight in zip(law.values[:-1], w, strict=False):
        total += weight
        if u < total:
            expected = value
            break
    assert law.quantile(double(u)).tolist() == [expected]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_discrete_quantile_at_the_steps(dtype):
    law = Discrete((1.0, 2.0, 4.0), (0.25, 0.5, 0.25))
    eps = torch.finfo(dtype).eps
    u = torch.tensor([0.0, 0.25 - eps, 0.25, 0.75 - eps, 0.75, 1 - eps], dtype=dtype)
    assert law.quantile(u).tolist() == [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]


@pytest.mark.parametrize("weights", [(0.1,) * 10, (1e-9, 1 - 1e-9), (1 - 1e-9, 1e-9), (1.0,)])
def test_discrete_quantile_never_leaves_the_values(weights):
    law = Discrete(tuple(1.0 + i for i in range(len(weights))), weights)
    assert law.quantile(double(0.0, JUST_BELOW_1)).tolist() == [law.values[0], law.values[-1]]


@given(w=weights, a=st.floats(0, 8))
@examples(100)
def test_discrete_cdf_adds_up_the_weights(w, a):
    law = Discrete(tuple(1.0 + i for i in range(len(w))), w)
    for amplitude in (a, *law.values):
        expected = sum(
            weight for value, weight in zip(law.values, w, strict=True) if value <= amplitude
        )
        assert law.cdf(np.array([amplitude]))[0] == pytest.approx(expected, abs=8 * EPS)
    assert law.cdf(np.array([0.999, law.values[-1], 99.0])).tolist() == pytest.approx(
        [0.0, 1.0, 1.0], abs=8 * EPS
    )
    assert law.support == (1.0, float(len(w)))


@pytest.mark.parametrize(
    "law", [Uniform(0.5, 2.0), Uniform(1.0, 1.0), Discrete((0.5, 2.0), (0.5, 0.5))]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_quantile_keeps_shape_and_dtype(law, dtype):
    u = torch.rand(3, 5, 2, generator=generator(1), dtype=dtype).mT
    q = law.quantile(u)
    assert (q.shape, q.dtype) == (u.shape, dtype)
    for at in np.ndindex(*u.shape):
        assert q[at] == law.quantile(u[at].reshape(1))[0]


def drawn(law, name, dtype=torch.float64, n=20000):
    problem = Problem(K=2, d=4, C1=1e-3, C2=1e3, **{name: law})
    signals = draw_signals(problem, generator(1))
    signals = type(signals)(signals.features.to(dtype), signals.centres.to(dtype))
    return getattr(draw_examples(problem, signals, n, generator(2)), name).numpy()


@pytest.mark.parametrize("name", ["alpha", "beta", "gamma"])
def test_draws_follow_a_uniform_law(name):
    law = Uniform(0.3, 1.7)
    sample = drawn(law, name)
    assert_follows(sample, lambda a: np.clip((a - 0.3) / 1.4, 0, 1))
    assert 0.3 <= sample.min() <= sample.max() <= 1.7


@pytest.mark.parametrize("name", ["alpha", "beta", "gamma"])
def test_draws_follow_a_discrete_law(name):
    sample = drawn(Discrete((0.5, 1.0, 2.0), (0.2, 0.7, 0.1)), name)
    for value, weight in ((0.5, 0.2), (1.0, 0.7), (2.0, 0.1)):
        assert_count(int((sample == value).sum()), len(sample), weight, cells=3)


def test_draws_in_float32_stay_in_the_support_to_rounding():
    sample = drawn(Uniform(0.1, 0.7), "alpha", torch.float32)
    assert sample.dtype == np.float32
    assert 0.1 * (1 - EPS_32) <= sample.min() <= sample.max() <= 0.7 * (1 + EPS_32)


class Triangular(Support):
    """Density 2 (a - low) / (high - low)^2."""

    def cdf(self, amplitude):
        return np.clip((np.asarray(amplitude) - self.low) / (self.high - self.low), 0, 1) ** 2

    def quantile(self, u):
        return self.low + (self.high - self.low) * u.sqrt()


def test_any_law_can_be_used():
    law = Triangular(0.5, 1.5)
    assert isinstance(law, AmplitudeLaw)
    assert_follows(drawn(law, "gamma"), law.cdf)
