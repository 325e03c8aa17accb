"""Contracts: every ingredient, every way to break one, and what a user reads."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core import PAPER, Examples, Signals, Subject
from core.updates import Gradient
from theory_checks import test_algorithm, test_initialisation, test_routing
from theory_checks.checking.claim import Claim
from theory_checks.checking.contracts import CONTRACTS, Breach, Raised, held
from theory_checks.checking.run import Run
from theory_checks.checking.search import check
from theory_checks.experiments.small_runs import SmallRun, started
from theory_checks.faults.matrix import dependency_order

CLAIMS = {
    value.id: value
    for module in (test_algorithm, test_routing, test_initialisation)
    for value in vars(module).values()
    if isinstance(value, Claim)
}
RUN = SmallRun(K=2, P=4, M=3, J=2, n=8, T=2, eta=0.1, eta_r=0.1, scale=1.0, seed=0)
TENSORS = [name for name in CONTRACTS if not name.startswith("draw_")]
UPDATES = ("expert_update", "router_update")


def trained(subject: Subject) -> None:
    """Calls every ingredient, as a check would."""
    begun = started(subject, RUN)
    subject.initialise_router(RUN.problem, RUN.hyper, torch.Generator())
    subject.loss(begun.y)
    begun.iterates(subject)


def changed(name: str, change: Callable[[Any], Any]) -> Subject:
    """PAPER with one ingredient's result changed; of updates, that of the parameter."""
    usual = getattr(PAPER, name)

    def ingredient(*arguments: Any) -> Any:
        result = usual(*arguments)
        return (change(result[0]), result[1]) if name in UPDATES else change(result)

    return replace(PAPER, **{name: ingredient})


def breach(subject: Subject) -> str:
    with pytest.raises(Breach) as found:
        trained(held(subject))
    return str(found.value)


def test_the_paper_s_ingredients_keep_their_contracts_and_compute_the_same() -> None:
    trained(held(PAPER))
    trained(held(PAPER, every=True))
    begun = started(PAPER, RUN)
    for subject in (held(PAPER), held(PAPER, every=True)):
        again = started(subject, RUN)
        assert torch.equal(again.noise, begun.noise)
        for one, other in zip(again.iterates(subject), begun.iterates(PAPER), strict=True):
            assert torch.equal(one.W, other.W)
            assert torch.equal(one.theta, other.theta)


def test_every_ingredient_has_a_contract() -> None:
    assert set(CONTRACTS) == {f.name for f in fields(Subject)}


@pytest.mark.parametrize("name", CONTRACTS)
def test_none_is_named(name: str) -> None:
    assert breach(replace(PAPER, **{name: lambda *_: None})).startswith(f"{name} returned None, ")


@pytest.mark.parametrize("name", TENSORS)
def test_another_shape_is_named(name: str) -> None:
    assert f"{name} returned shape (1, " in breach(changed(name, lambda v: v[None]))


def test_the_sentence_says_what_is_needed() -> None:
    h, r = torch.zeros(3, 8), torch.zeros(3, 8)
    select = held(changed("select", lambda m: m[None])).select
    with pytest.raises(Breach, match=r"^select returned shape \(1, 8\), needs \(8,\)$"):
        select(h, r)


@pytest.mark.parametrize("name", TENSORS)
def test_no_tensor_is_named(name: str) -> None:
    assert f"{name} returned a numpy.ndarray" in breach(changed(name, lambda v: v.detach().numpy()))


@pytest.mark.parametrize("name", TENSORS)
def test_another_device_is_named(name: str) -> None:
    found = breach(changed(name, lambda v: v.to("meta")))
    assert found == f"{name} returned a tensor on meta, needs cpu"


@pytest.mark.parametrize("name", TENSORS)
def test_whole_numbers_for_real_ones_and_the_reverse_are_named(name: str) -> None:
    other = torch.float64 if name == "select" else torch.int64
    assert f"{name} returned dtype {other}, needs " in breach(changed(name, lambda v: v.to(other)))


@pytest.mark.parametrize("name", [name for name in TENSORS if name != "select"])
def test_nan_is_named_and_counted(name: str) -> None:
    def spoil(value: Tensor) -> Tensor:
        spoilt = value.clone()
        spoilt.view(-1)[0] = torch.nan
        return spoilt

    assert f"{name} returned NaN in 1 of " in breach(changed(name, spoil))


@pytest.mark.parametrize("name", TENSORS)
def test_chance_beside_the_generator_is_named(name: str) -> None:
    calls = iter(range(10**6))

    def drift(value: Tensor) -> Tensor:
        return (value + next(calls)) % 3 if name == "select" else value * (1 + 0.01 * next(calls))

    if name == "initialise_router":  # 0, whatever it is multiplied with
        subject = changed(name, lambda value: value + next(calls))
    else:
        subject = changed(name, drift)
    assert breach(subject).startswith(f"{name} is not deterministic: two calls with equal argum")


@pytest.mark.parametrize("name", ["logits", "select", "gate", "respond", "loss", *UPDATES])
def test_a_changed_argument_is_named(name: str) -> None:
    usual, first = getattr(PAPER, name), CONTRACTS[name].arguments[0]

    def spoil(value: Tensor, *others: Any) -> Any:
        result = usual(value, *others)
        value.detach().add_(1.0)
        return result

    found = breach(replace(PAPER, **{name: spoil}))
    assert found == f"{name} changed its argument {first} in place"


def test_a_changed_part_of_an_argument_is_named() -> None:
    def spoil(theta: Tensor, x: Any) -> Tensor:
        h = PAPER.logits(theta, x)
        x.noise.mul_(2.0)
        return h

    assert breach(replace(PAPER, logits=spoil)) == "logits changed its argument x.noise in place"


@pytest.mark.parametrize("where", [-1, 3])
def test_an_expert_that_does_not_exist_is_named(where: int) -> None:
    found = breach(changed("select", lambda m: torch.full_like(m, where)))
    assert found == f"select returned {where}, needs 0 to 2"


@pytest.mark.parametrize("name", ["k", "k_prime", "y", "alpha"])
def test_parts_of_examples_are_named(name: str) -> None:
    def of(change: Callable[[Tensor], Any]) -> str:
        return breach(
            changed("draw_examples", lambda e: replace(e, **{name: change(getattr(e, name))}))
        )

    assert of(lambda v: v[None]) == f"draw_examples returned {name} of shape (1, 8), needs (8,)"
    assert of(lambda _: None).startswith(f"draw_examples returned None as {name}, needs a tensor")
    if name.startswith("k"):
        assert of(lambda v: v + 2).startswith(f"draw_examples returned {name} ")
    else:
        assert f"draw_examples returned {name} with NaN in 8 of 8" in of(lambda v: v * torch.nan)


@pytest.mark.parametrize("name", ["dictionary", "which", "coefficient", "noise", "order"])
def test_parts_of_patches_are_named(name: str) -> None:
    def short(e: Examples) -> Examples:
        return replace(e, patches=replace(e.patches, **{name: getattr(e.patches, name)[..., :1]}))

    assert breach(changed("draw_examples", short)).startswith("draw_examples returned ")


def test_signals_of_another_shape_are_named() -> None:
    found = breach(changed("draw_signals", lambda s: Signals(s.features.mT, s.centres)))
    assert found == "draw_signals returned features of shape (5, 2), needs (2, 5)"


@pytest.mark.parametrize("name", UPDATES)
def test_an_update_without_a_state_is_named(name: str) -> None:
    parameter = CONTRACTS[name].arguments[0]
    found = breach(replace(PAPER, **{name: lambda value, *_: value}))
    assert found == f"{name} returned a torch.Tensor, needs a pair: the next {parameter} and state"


@pytest.mark.parametrize("name", CONTRACTS)
def test_an_exception_is_named(name: str) -> None:
    def raising(*_: Any) -> Any:
        raise SystemExit(2)

    with pytest.raises(Raised, match=rf"^{name} raised SystemExit: 2 \(it tries to end"):
        trained(held(replace(PAPER, **{name: raising})))


@pytest.mark.parametrize(
    "setting",
    [
        lambda: torch.set_default_dtype(torch.float64),
        lambda: torch.set_grad_enabled(False),
        lambda: torch.use_deterministic_algorithms(True),
        lambda: torch.set_default_device("meta"),
        lambda: np.seterr(all="raise"),
    ],
)
def test_an_ingredient_that_sets_what_others_use_is_named(setting: Callable[[], Any]) -> None:
    def gate(h: Tensor) -> Tensor:
        setting()
        return PAPER.gate(h)

    found = breach(replace(PAPER, gate=gate))
    assert found.startswith("gate changed ")
    assert found.endswith(" of torch or NumPy for all others")
    assert torch.is_grad_enabled()
    assert torch.zeros(1).dtype == torch.float32
    assert torch.zeros(1).device.type == "cpu"


# What a user reads: the riddles of today, each in one sentence.
RIDDLES = [
    ("select", lambda m: m[None], "R.5", "select returned shape (1, "),
    ("select", lambda m: None, "R.5", "select returned None, needs a tensor of shape ("),
    ("select", lambda m: m + 40, "R.5", "select returned "),
    ("initialise_experts", lambda W: W.mT, "I.4", "initialise_experts returned shape ("),
    ("router_noise", lambda r: r[:1], "R.9", "router_noise returned shape (1, "),
    ("loss", lambda v: v.sum(), "G.8", "loss returned shape (), needs (2999,)"),
]


@pytest.mark.parametrize(("name", "change", "claim_id", "sentence"), RIDDLES)
def test_a_breach_violates_the_claim_that_meets_it(
    name: str, change: Callable[[Any], Any], claim_id: str, sentence: str, run: Run
) -> None:
    record = check(CLAIMS[claim_id], replace(run, subject=changed(name, change)), shrink=False)
    assert record.verdict == "violated"
    assert record.detail.startswith(sentence)
    assert record.stopped == "contract"


def test_a_shape_that_is_wrong_in_later_calls_only_is_named(run: Run) -> None:
    """The first call looked at has no replicate axis, those of training do."""
    subject = changed("select", lambda m: m[..., None] if m.ndim > 1 else m)
    record = check(CLAIMS["R.6"], replace(run, subject=subject), shrink=False)
    assert (record.verdict, record.detail[:23]) == ("violated", "select returned shape (")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    ("name", "claim_id"),
    [("gate", "R.8"), ("respond", "G.5"), ("logits", "R.7"), ("loss", "G.8"), ("loss", "G.3")],
)
def test_a_narrower_precision_is_said_and_no_riddle(
    name: str, claim_id: str, dtype: torch.dtype, run: Run
) -> None:
    subject = changed(name, lambda value: value.to(dtype))
    record = check(CLAIMS[claim_id], replace(run, subject=subject), shrink=False)
    assert record.verdict == "violated"
    assert f"{name} returned {dtype} for torch.float64" in record.detail


def test_initial_weights_may_be_narrower(run: Run) -> None:
    subject = changed("initialise_experts", lambda W: W.float())
    for claim_id in ("I.4", "G.4", "R.12"):
        assert check(CLAIMS[claim_id], replace(run, subject=subject)).verdict == "holds"


class Dropout:
    """Experts of which some patches are dropped at random."""

    def __call__(self, z: Tensor) -> Tensor:
        return PAPER.respond(torch.nn.functional.dropout(z, 0.5))


@pytest.mark.parametrize("claim_id", ["G.3", "G.5", "R.12"])
def test_random_experts_are_violated_by_that_name(claim_id: str, run: Run) -> None:
    record = check(CLAIMS[claim_id], replace(run, subject=replace(PAPER, respond=Dropout())))
    assert record.verdict == "violated"
    assert record.detail.startswith("respond is not deterministic: two calls with equal arguments")
    assert record.observed is not None
    assert record.observed > 0


def by_optimiser(parameter: Tensor, gradient: Any, rate: float, state: Any) -> tuple[Tensor, Any]:
    """A plain step through torch.optim, which returns a leaf that requires a gradient."""
    value = parameter.clone().requires_grad_()
    value.grad = gradient.value
    torch.optim.SGD([value], lr=rate).step()
    return value, state


@pytest.mark.parametrize("claim_id", ["G.1", "G.3", "G.9", "G.10"])
def test_an_update_through_torch_optim_passes(claim_id: str, run: Run) -> None:
    subject = replace(PAPER, router_update=by_optimiser)
    assert check(CLAIMS[claim_id], replace(run, subject=subject)).verdict == "holds"


@pytest.mark.parametrize("claim_id", ["R.8", "G.1", "G.5", "I.4"])
def test_parameters_of_a_module_may_require_gradients(claim_id: str, run: Run) -> None:
    one = torch.nn.Parameter(torch.ones((), dtype=torch.float64))
    subject = PAPER
    for name in ("logits", "gate", "respond", "initialise_experts"):
        subject = replace(subject, **{name: changed(name, lambda v: v * one.to(v)).__dict__[name]})
    if claim_id in CLAIMS:
        assert check(CLAIMS[claim_id], replace(run, subject=subject)).verdict == "holds"


# NaN of one ingredient, by the claim about it: what claims that build on it see comes later.


def naive_loss(margin: Tensor) -> Tensor:
    return torch.log(1 + torch.exp(-margin))


def normalised_without_guard(W: Tensor, g: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    v = g.direction
    return W - rate * v / v.flatten(-2).norm(dim=-1)[..., None, None], state


def router_without_guard(theta: Tensor, g: Gradient, rate: float, state: Any) -> tuple[Tensor, Any]:
    size = g.value.norm(dim=(-1, -2), keepdim=True)
    return theta - rate * size * (g.value / size), state


@pytest.mark.parametrize(
    ("name", "naive", "first"),
    [
        ("loss", naive_loss, "G.8"),
        ("expert_update", normalised_without_guard, "G.2"),
        ("router_update", router_without_guard, "G.3"),
    ],
)
def test_nan_is_first_seen_by_the_claim_about_it(
    name: str, naive: Callable[..., Any], first: str, run: Run
) -> None:
    variant = replace(run, subject=replace(PAPER, **{name: naive}))
    algorithm = {i: claim for i, claim in CLAIMS.items() if i.startswith("G.")}
    for claim_id in dependency_order(algorithm):
        record = check(algorithm[claim_id], variant, shrink=False)
        if record.verdict != "holds":
            break
    assert (claim_id, record.verdict) == (first, "violated")
    assert record.detail.startswith(f"{name} returned ")
