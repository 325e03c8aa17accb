"""The registry of claims: every id once, a dependency graph that makes sense, one ledger rule."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from graphlib import TopologicalSorter
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from theory_checks.checking.budget import ledger, line_of
from theory_checks.checking.claim import DEFAULT_ALPHA, Claim, Kind, claim
from theory_checks.checking.registry import built_in, declared_ids
from theory_checks.checking.run import Run
from theory_checks.checking.search import check
from theory_checks.evidence import Statement, all_of, at_least, at_most, mean_at_most

CLAIMS = list(built_in().values())


def made(**identity: Any) -> Callable[[Callable[..., Statement]], Claim]:
    return claim("U.1", **{"kind": Kind.LAW, "source": "mine", "over": {}, **identity})


def test_the_ids_that_files_declare_are_those_of_their_claims() -> None:
    assert sorted(declared_ids()) == sorted(built_in())
    assert len(set(declared_ids())) == len(declared_ids())


def test_ids_are_read_without_importing_torch() -> None:
    code = (
        "import sys; from theory_checks.checking.registry import declared_ids;"
        " assert declared_ids(); print(sorted({'torch', 'hypothesis', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_group_counts_from_1() -> None:
    for group in {claim_id[0] for claim_id in built_in()}:
        numbers = sorted(int(claim_id[2:]) for claim_id in built_in() if claim_id[0] == group)
        assert numbers == list(range(1, len(numbers) + 1))


def test_dependencies_are_claims_and_have_no_cycle() -> None:
    graph = {claim.id: claim.depends_on for claim in CLAIMS}
    assert {claim_id for wanted in graph.values() for claim_id in wanted} <= set(graph)
    assert len(list(TopologicalSorter(graph).static_order())) == len(graph)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_says_what_it_says_and_where_it_stands(claim: Claim) -> None:
    assert claim.statement.endswith(".") or claim.statement.endswith(")")
    assert claim.source


def test_a_claim_without_a_docstring_is_refused() -> None:
    with pytest.raises(ValueError, match=r"claim U\.1: its check needs a docstring"):
        made()(lambda: at_most(0, 1))


def test_the_weight_of_a_claim_follows_from_the_claim() -> None:
    @made(kind=Kind.EXACT)
    def unsaid() -> Statement:
        """Exact claims may sample besides."""
        return at_most(0, 1)

    @made(kind=Kind.EXACT, samples=False)
    def without_chance() -> Statement:
        """No chance enters."""
        return at_most(0, 1)

    @made(samples=False)
    def on_training_runs(trained: object) -> Statement:
        """Training runs are samples, whatever the claim says."""
        return at_most(0, 1)

    weights = [line_of(claim).weight for claim in (unsaid, without_chance, on_training_runs)]
    assert weights == [1, 0, 4]
    budget = ledger(Fraction(1, 100), [unsaid])
    assert budget.share("U.1") == Fraction(1, 100)


def heads(stream: np.random.SeedSequence, size: int) -> np.ndarray:
    return np.random.default_rng(stream).random(size) < 0.5


def test_an_exact_claim_that_samples_besides_has_a_share_and_is_violated(run: Run) -> None:
    @made(kind=Kind.EXACT, over={"x": st.integers(1, 9)}, examples=3)
    def sampled(x: int) -> Statement:
        """x is positive, and a coin shows heads at most a quarter of the time."""
        return all_of(at_least(x, 0), mean_at_most(0.25, heads, resolution=0.05))

    budget = ledger(DEFAULT_ALPHA, [*CLAIMS, sampled])
    assert check(sampled, replace(run, ledger=budget)).verdict == "violated"


def test_a_claim_that_samples_although_it_declares_not_to_ends_at_once(run: Run) -> None:
    """Whatever its verdict, so that nobody learns of it from a violation only."""

    @made(kind=Kind.EXACT, samples=False, over={"x": st.integers(1, 9)}, examples=3)
    def sampled(x: int) -> Statement:
        """A coin shows heads at most three quarters of the time."""
        return mean_at_most(0.75, heads, resolution=0.05)

    budget = ledger(DEFAULT_ALPHA, [*CLAIMS, sampled])
    with pytest.raises(ValueError, match=r"claim U\.1 samples, but declares samples=False"):
        check(sampled, replace(run, ledger=budget))


def test_a_check_that_returns_no_statement_is_named(run: Run) -> None:
    @made(over={"x": st.integers(1, 9)}, examples=3)
    def forgotten(x: int) -> Statement:  # type: ignore[return]  # the mistake that is tested
        """x is positive, but nothing is returned."""
        at_least(x, 0)

    budget = ledger(DEFAULT_ALPHA, [*CLAIMS, forgotten])
    with pytest.raises(TypeError, match=r"claim U\.1: its check returned a NoneType"):
        check(forgotten, replace(run, ledger=budget))
