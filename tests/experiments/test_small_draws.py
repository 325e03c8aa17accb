"""Products of signs: their bound, and that dependence of every kind is found."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core import PAPER, Examples, Hyperparameters, Problem, Signals, Subject
from core.data import draw_examples, draw_signals
from core.routing import uniform_noise
from core.updates import gaussian_experts
from theory_checks.evidence import Statement, Verdict
from theory_checks.experiments.drawn_examples import drawn
from theory_checks.experiments.small_draws import (
    BY_CHANCE,
    PROBLEM,
    correlated,
    distant_examples_are_independent,
    equal_to_an_earlier,
    excess,
    first_excess,
    joined,
    no_two_are_equal,
    noise_along_a_run_is_independent,
    replicates_are_independent,
    signs_of_examples,
    small_draws_are_independent,
)
from theory_checks.faults.signatures import Noise


def judged(statement: Statement) -> tuple[Verdict, str]:
    found = statement.judge(np.random.SeedSequence(5), 1e-8, statement.samples_needed(1e-8))
    return found.verdict, found.detail


def test_the_bound_is_that_of_efron() -> None:
    """2 exp(-u^2 / 2) for each of `of` sums, at most BY_CHANCE in all."""
    of, squares = 7, np.array([400.0])
    largest = -excess(np.zeros(1), squares, of)
    u = largest / np.sqrt(squares)
    assert of * 2 * np.exp(-(u**2) / 2) == pytest.approx(BY_CHANCE)


def test_sums_of_fair_signs_stay_within_it() -> None:
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(400, 20_000))
    found = excess(signs.sum(axis=0), (signs**2).sum(axis=0), signs.shape[1])
    assert (found < 0).all()
    assert found.max() > -3 * 20  # and not far below: three standard deviations


def test_the_largest_excess_has_its_number() -> None:
    assert first_excess(np.array([-1.0, -2.0]), np.array([[-3.0, 0.5], [2.0, -1.0]])) == 5
    assert first_excess(np.array([-1.0, 0.0])) == 0


def test_products_at_every_distance_by_loops() -> None:
    signs = np.random.default_rng(1).choice([-1.0, 0.0, 1.0], size=(7, 3))
    found = correlated(signs)
    for lag in range(7):
        for shift in range(-2, 3):
            total = sum(
                signs[t, c] * signs[t + lag, c + shift]
                for t in range(7 - lag)
                for c in range(3)
                if 0 <= c + shift < 3
            )
            assert found[lag, shift] == total


def test_equal_rows_are_counted() -> None:
    values = np.array([[1.0, 2.0], [1.0, 3.0], [1.0, 2.0], [1.0, 2.0]])
    assert equal_to_an_earlier(values) == 2
    assert equal_to_an_earlier(values.T) == 0


def test_signs_are_symmetric_about_0() -> None:
    """Their means vanish, up to 4.9 standard deviations: 1 in 1e6 for each."""
    n = 40_000
    _, e = drawn(PAPER, PROBLEM, np.random.SeedSequence(2), n)
    for name, sign in signs_of_examples(e).items():
        assert abs(float(sign.double().sum())) < 4.9 * float(sign.abs().sum()) ** 0.5, name


def test_draws_are_joined_in_order() -> None:
    parts = [
        drawn(PAPER, PROBLEM, np.random.SeedSequence(3), 4)[1].where(torch.tensor([i, 3 - i]))
        for i in (0, 1)
    ]
    every = joined(parts)
    assert torch.equal(every.alpha, torch.cat([part.alpha for part in parts]))
    assert torch.equal(every.x, torch.cat([part.x for part in parts]))


STATEMENTS = {
    "a single example": lambda subject: small_draws_are_independent(subject, 1),
    "two": lambda subject: small_draws_are_independent(subject, 2),
    "thirty": lambda subject: small_draws_are_independent(subject, 30),
    "a thousand": lambda subject: small_draws_are_independent(subject, 1000),
    "many": lambda subject: distant_examples_are_independent(subject, 1000),
    "replicates": lambda subject: replicates_are_independent(subject, 200),
    "noise": lambda subject: noise_along_a_run_is_independent(subject, 300, 400),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_paper_passes(name: str) -> None:
    verdict, detail = judged(STATEMENTS[name](PAPER))
    assert verdict is Verdict.HOLDS, detail


Change = Callable[[Examples, torch.Generator], Examples]


def examples(change: Change) -> Subject:
    """The paper's subject with changed examples."""

    def draw(problem: Problem, signals: Signals, n: int, generator: torch.Generator) -> Examples:
        return change(draw_examples(problem, signals, n, generator), generator)

    return replace(PAPER, draw_examples=draw)


def label_of_the_first(e: Examples, generator: torch.Generator) -> Examples:
    return replace(e, y=torch.where(torch.arange(len(e.y)) == 0, 1.0, e.y))


def sign_of_one_is_label_of_another(e: Examples, generator: torch.Generator) -> Examples:
    return replace(e, eps=e.y.roll(1))


def product_of_labels_is_one(e: Examples, generator: torch.Generator) -> Examples:
    return replace(e, y=torch.cat([e.y[:2], e.y[:2].prod().expand(len(e.y) - 2)]))


def noise_orthogonal(e: Examples, generator: torch.Generator) -> Examples:
    noise = e.patches.noise.clone()
    first, last = noise[0, 0], noise[-1, 0]
    noise[-1, 0] = last - (last @ first) / (first @ first) * first
    return replace(e, patches=replace(e.patches, noise=noise))


def features_in_different_halves(e: Examples, generator: torch.Generator) -> Examples:
    """The second example has the order of the first, from back to front."""
    order = e.patches.order.clone()
    order[1] = order[0].flip(0)
    return replace(e, patches=replace(e.patches, order=order))


def labels_of_period_77(e: Examples, generator: torch.Generator) -> Examples:
    return replace(e, y=e.y[torch.arange(len(e.y)) % 77])


def fourth_label_is_a_product(e: Examples, generator: torch.Generator) -> Examples:
    """In three of ten groups of four."""
    y = e.y.clone()
    for i in range(3, len(y), 4):
        if float(torch.rand(1, generator=generator)) < 0.3:
            y[i] = y[i - 3 : i].prod()
    return replace(e, y=y)


def label_is_that_of_signs_before(e: Examples, generator: torch.Generator) -> Examples:
    """Of every ninth example, that of the signs of the six before and of its own feature noise."""
    y = e.y.clone()
    for i in range(8, len(y), 9):
        y[i] = e.eps[i - 6 : i + 1].prod()
    return replace(e, y=y)


def labels_even_in_number(e: Examples, generator: torch.Generator) -> Examples:
    return replace(e, y=torch.cat([e.y[:-1], e.y[:-1].prod()[None]]))


def labels_in_balance(e: Examples, generator: torch.Generator) -> Examples:
    """To within two, in random order."""
    y = torch.where(torch.arange(len(e.y)) % 2 == 0, 1.0, -1.0)
    y[0] = e.y[0]
    return replace(e, y=y[torch.randperm(len(y), generator=generator)])


def amplitudes_of_the_first(e: Examples, generator: torch.Generator) -> Examples:
    last = {name: getattr(e, name).clone() for name in ("alpha", "beta", "gamma")}
    for value in last.values():
        value[-1] = value[0]
    return replace(e, **last)


def label_is_sign_300_before(e: Examples, generator: torch.Generator) -> Examples:
    return replace(e, y=torch.cat([e.y[:300], e.eps[:-300]]))


def products_32_apart(e: Examples, generator: torch.Generator) -> Examples:
    """In the last quarter of every 128 examples a label is the product of those 32, 64 and 96
    before."""
    y = e.y.clone()
    whole = y[: len(y) // 128 * 128].view(-1, 4, 32)
    whole[:, 3] = whole[:, :3].prod(dim=1)
    return replace(e, y=y)


@pytest.mark.parametrize(
    ("which", "change", "reason"),
    [
        ("thirty", fourth_label_is_a_product, "label of several examples in a row"),
        ("a thousand", fourth_label_is_a_product, "label of several examples in a row"),
        ("thirty", label_is_that_of_signs_before, "some sign that others determine"),
        ("thirty", labels_even_in_number, "label of all examples"),
        ("a thousand", labels_even_in_number, "label of all examples"),
        ("a thousand", labels_in_balance, "label"),
        ("thirty", amplitudes_of_the_first, "the amplitudes of an earlier example"),
        ("many", label_is_sign_300_before, "of a distant example"),
        ("many", products_32_apart, "at equal distances"),
        ("a single example", label_of_the_first, "label of the first"),
        ("two", label_of_the_first, "label of the first"),
        ("two", sign_of_one_is_label_of_another, "label and sign of the feature noise of a later"),
        ("thirty", product_of_labels_is_one, "label"),
        ("two", noise_orthogonal, "angle"),
        ("two", features_in_different_halves, "of a later example"),
        ("many", labels_of_period_77, "label of two examples"),
    ],
)
def test_dependence_of_examples_is_found(which: str, change: Change, reason: str) -> None:
    verdict, detail = judged(STATEMENTS[which](examples(change)))
    assert verdict is Verdict.VIOLATED
    assert reason in detail


def mirrored_after_91(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    r = uniform_noise(shape, torch.Generator().manual_seed(step % 91), step)
    return 1 - r if step // 91 % 2 else r


def columns_again(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """The second example has the noise of the first, with the experts in reverse order."""
    r = uniform_noise(shape, generator, step).clone()
    if shape[1] > 1:
        r[:, 1] = 1 - r[:, 0].flip(0)
    return r


def of_period_123(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    r = uniform_noise(shape, generator, step)
    return r[:, torch.arange(shape[1]) % 123]


def fourth_example_follows(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Which of two experts has the larger noise is a product of that of three other examples."""
    r = uniform_noise(shape, generator, step).clone()
    order = (r[0] - r[1]).sign()
    for i in range(3, shape[1], 4):
        if order[i - 3 : i + 1].prod() < 0:
            r[:2, i] = r[:2, i].flip(0)
    return r


def example_30_follows(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """Which of two experts has the larger noise is a product of that of all other examples, as the
    31st example has it."""
    r = uniform_noise(shape, generator, step).clone()
    if shape[1] > 30 and (r[0, :31] - r[1, :31]).sign().prod() < 0:
        r[:2, 30] = r[:2, 30].flip(0)
    return r


@pytest.mark.parametrize(
    ("noise", "reason"),
    [
        (fourth_example_follows, "of several examples in a row"),
        (example_30_follows, "determined by that of others"),
        (mirrored_after_91, "of steps 91 apart"),
        (columns_again, "the same up to order and mirroring"),
        (of_period_123, "of examples 123 apart"),
    ],
)
def test_noise_that_returns_is_found(noise: Noise, reason: str) -> None:
    verdict, detail = judged(STATEMENTS["noise"](replace(PAPER, router_noise=noise)))
    assert verdict is Verdict.VIOLATED
    assert reason in detail


def signals_again(problem: Problem, generator: torch.Generator) -> Signals:
    """One of ten frames."""
    seed = int(torch.randint(0, 10, (1,), generator=generator))
    return draw_signals(problem, torch.Generator().manual_seed(seed))


def one_frame(problem: Problem, generator: torch.Generator) -> Signals:
    return draw_signals(problem, torch.Generator().manual_seed(1))


def experts_tell_data(
    problem: Problem, hyper: Hyperparameters, generator: torch.Generator
) -> Tensor:
    """The first filter points up if and only if the next draw of the generator, a cluster, is
    0."""
    W = gaussian_experts(problem, hyper, generator)
    again = torch.Generator()
    again.set_state(generator.get_state())
    k = torch.randint(0, problem.K, (hyper.n,), generator=again)
    W[0, 0, 0] = W[0, 0, 0].abs() * (1 if int(k[0]) == 0 else -1)
    return W


def noise_of_data(shape: tuple[int, ...], generator: torch.Generator, step: int) -> Tensor:
    """All replicates have the same noise."""
    return uniform_noise(shape, torch.Generator().manual_seed(step), step)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"draw_signals": signals_again}, "equal signals of some replicates only"),
        ({"initialise_experts": experts_tell_data}, "initialisations of a replicate with examples"),
        ({"router_noise": noise_of_data}, "router noise"),
    ],
)
def test_dependence_of_replicates_is_found(changes: dict[str, Any], reason: str) -> None:
    verdict, detail = judged(replicates_are_independent(replace(PAPER, **changes), 800))
    assert verdict is Verdict.VIOLATED
    assert reason in detail


def test_one_frame_for_all_replicates_is_no_dependence() -> None:
    verdict, _ = judged(replicates_are_independent(replace(PAPER, draw_signals=one_frame), 200))
    assert verdict is Verdict.HOLDS


def test_equal_examples_are_found() -> None:
    _, e = drawn(PAPER, PROBLEM, np.random.SeedSequence(4), 4000)
    stream = np.random.SeedSequence(0)
    assert no_two_are_equal(e).judge(stream, 0.1, 0).verdict is Verdict.HOLDS
    mirrored = e.patches.noise.clone()
    mirrored[7] = -mirrored[3]
    of_pool = torch.full_like(e.alpha, 1.0)
    of_pool[50:] = e.alpha[50:]
    for changed in (
        e.where(torch.arange(4000).clamp(max=3998)),
        replace(e, patches=replace(e.patches, noise=mirrored)),
        replace(e, alpha=of_pool),
    ):
        assert no_two_are_equal(changed).judge(stream, 0.1, 0).verdict is Verdict.VIOLATED
