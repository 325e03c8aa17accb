"""Where the worst entry of an exact statement is, in words, and how much else is beyond."""

import numpy as np
import pytest

from theory_checks.evidence import Evidence, Statement, all_of, at_least, at_most, equal, none_of

ROLES = ("feature", "centre")


def judged(statement: Statement) -> Evidence:
    return statement.judge(np.random.SeedSequence(0), 1e-6, 0)


def test_the_worst_entry_is_named_and_the_others_are_counted():
    found = np.zeros((5, 2, 3))
    found[3, 1, 2], found[4, 1, 0] = 2.0, 1.0
    axes = ("example", ("role", ROLES), "coordinate")
    assert judged(at_most(found, 0.5, detail="size", axes=axes)).detail == (
        "size: 2, claimed <= 0.5 (4 times); at example 3, role centre, coordinate 2; beyond in"
        " 2 of 5 examples, 1 of 2 roles, 2 of 3 coordinates"
    )
    assert judged(at_most(found, 3, detail="size", axes=axes)).detail == (
        "size: 2, claimed <= 3; at example 3, role centre, coordinate 2"
    )
    assert judged(at_least(-found, -0.5)).detail == (
        "-2, claimed >= -0.5 (4 times); at entry [3, 1, 2]; beyond in 2 of 30 entries"
    )


def test_an_equality_shows_both_values_and_their_ratio():
    axes = ("expert",)
    assert judged(equal([1.0, 0.505], 0.5, tolerance=1e-9, detail="step", axes=axes)).detail == (
        "step: 1, claimed 0.5 (2 times); they differ by 0.5, rounding explains 1e-09; at expert 0;"
        " beyond in 2 of 2 experts"
    )
    close = judged(equal(1.0000004, 1.0, tolerance=1e-9, detail="step")).detail
    assert close.startswith("step: 1.0000004, claimed 1 (1.0000004 times); they differ by 4e-07")
    same = judged(equal([1.0, 1.0], 1.0, tolerance=0.0, detail="step"))
    assert same.detail == "step: 1, claimed 1; at entry [0]"
    assert same.sense == "~"
    # Numbers of experts have no ratio.
    assert judged(equal(3, 1, tolerance=0, detail="choice")).detail == (
        "choice: 3, claimed 1; they differ by 2"
    )


def test_events_that_must_not_happen_are_counted():
    happened = np.array([False, True, True, False])
    found = judged(none_of(happened, detail="errors", of="examples", axes=("example",)))
    assert found.detail == "errors: 2 of 4 examples, claimed 0; first at example 1"
    assert (found.observed, found.bound, found.margin) == (2, 0, -2)
    assert judged(none_of([False], detail="errors")).detail == "errors: 0 of 1 entries, claimed 0"


def test_places_have_names_or_numbers():
    at = np.array([-1.5, 0.25])
    assert (
        "; at margin 0.25;" in judged(equal([0, 1], 0, tolerance=0, axes=(("margin", at),))).detail
    )
    # An axis with a single place and no name says nothing.
    assert judged(at_most([[2.0, 0.0]], 1, axes=("replicate", "expert"))).detail == (
        "2, claimed <= 1 (2 times); at expert 0; beyond in 1 of 2 experts"
    )


def test_axes_must_fit_the_entries():
    with pytest.raises(ValueError, match="must name all 2 axes"):
        at_most(np.zeros((2, 3)), 1, axes=("example",))
    with pytest.raises(ValueError, match="axis role has 2 names for 3 places"):
        at_most(np.zeros(3), 1, axes=(("role", ROLES),))


def test_all_exact_parts_are_judged_after_one_is_violated():
    later = at_most(9, 1, detail="c")
    found = judged(all_of(at_most(0, 1, detail="a"), at_most(2, 1, detail="b"), later))
    assert found.detail == "b: 2, claimed <= 1 (2 times)"
    assert [member.detail.partition(":")[0] for member in found.members] == ["a", "b", "c"]
    assert found.worst == 1
