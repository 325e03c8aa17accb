"""The search for causes, on every way in which a few parts can violate a claim."""

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, combinations, product

import pytest

from theory_checks.faults.causes import NOTHING, Causes, Parts, all_causes, apart

A, B, C, D, E = (frozenset({name}) for name in "abcde")


def subsets(parts: Parts) -> list[Parts]:
    """All sets of the parts, small ones first."""
    names = sorted(parts)
    sizes = (combinations(names, size) for size in range(len(names) + 1))
    return list(map(frozenset, chain.from_iterable(sizes)))


def smallest(sets: Collection[Parts]) -> tuple[Parts, ...]:
    """Those of the sets that contain no other of them."""
    return tuple(s for s in sets if not any(other < s for other in sets))


def found(parts: Parts, violated: Callable[[Parts], bool | None]) -> tuple[Causes, list[Parts]]:
    """The causes of one violation, and the sets of changed parts that were checked."""
    asked: list[Parts] = []

    def check(wanted: Sequence[tuple[Parts, str]]) -> dict[tuple[Parts, str], bool | None]:
        asked.extend(kept for kept, _ in wanted)
        return {(kept, label): violated(kept) for kept, label in wanted}

    causes = all_causes(parts, ["one"], check)["one"]
    assert len(set(asked)) == len(asked)
    assert parts not in asked
    return causes, asked


def violated_with(*causes: Parts) -> Callable[[Parts], bool]:
    return lambda kept: any(cause <= kept for cause in causes)


@pytest.mark.parametrize(
    ("parts", "causes", "cures", "checks"),
    [
        (A, [A], [A], 1),
        (A | B, [A], [A], 3),
        (A | B | C | D, [B], [B], 6),
        # only both together
        (A | B, [A | B], [A, B], 3),
        (A | B | C, [A | C], [A, C], 4),
        (A | B | C | D, [A | B | C], [A, B, C], 5),
        # each alone suffices
        (A | B, [A, B], [A | B], 3),
        (A | B | C, [A, C], [A | C], 7),
        (A | B | C, [A, B, C], [A | B | C], 7),
        # one is needed, with either of two
        (A | B | C, [A | B, A | C], [A], None),
        (A | B | C | D, [A | B, A | C | D], [A], None),
        # any two of three, and two pairs
        (A | B | C, [A | B, A | C, B | C], [A | B, A | C, B | C], None),
        (A | B | C | D, [A | B, C | D], [A | C, A | D, B | C, B | D], None),
        # one alone, or two together
        (A | B | C, [A, B | C], [A | B, A | C], None),
        (A | B | C | D, [A, B | C | D], [A | B, A | C, A | D], None),
        (A | B | C | D | E, [A, B, C | D], [A | B | C, A | B | D], None),
        # without any change, too
        (A | B, [NOTHING], [], 3),
    ],
)
def test_causes_are_found(
    parts: Parts, causes: list[Parts], cures: list[Parts], checks: int | None
) -> None:
    known, asked = found(parts, violated_with(*causes))
    if causes == [A | B, A | C | D]:
        causes = [A | B]  # the smallest
    assert set(known.causes) == set(causes)
    assert set(known.cures) == set(cures)
    assert checks is None or len(asked) == checks


def violations(parts: Parts, monotone: bool) -> Iterator[Callable[[Parts], bool]]:
    """Every way in which sets of the parts can violate a claim; all of them together do, and
    nothing does not."""
    inner = subsets(parts)[1:-1]
    for answers in product((False, True), repeat=len(inner)):
        table = {NOTHING: False, **dict(zip(inner, answers, strict=True)), parts: True}
        if not monotone or all(table[s] <= table[t] for s in table for t in table if s < t):
            yield table.__getitem__


@pytest.mark.parametrize(("parts", "number"), [(A | B | C, 18), (A | B | C | D, 166)])
def test_causes_are_the_smallest_where_more_changes_never_help(parts: Parts, number: int) -> None:
    ways = list(violations(parts, monotone=True))
    assert len(ways) == number
    for violated in ways:
        known, _ = found(parts, violated)
        true_causes = smallest([s for s in subsets(parts) if violated(s)])
        true_cures = smallest([s for s in subsets(parts) if not violated(parts - s)])
        assert set(known.causes) <= set(true_causes)
        assert set(known.cures) <= set(true_cures)
        assert known.causes
        assert known.cures or all(len(cure) > 2 for cure in true_cures)
        if all(len(cause) <= 2 for cause in true_causes):
            assert set(known.causes) == set(true_causes)


def test_what_is_reported_was_seen_also_where_changes_hide_each_other() -> None:
    parts = A | B | C
    for violated in violations(parts, monotone=False):
        known, _ = found(parts, violated)
        assert known.causes
        assert all(map(violated, known.causes))
        assert not any(violated(parts - cure) for cure in known.cures)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({NOTHING: None}, Causes()),
        ({NOTHING: False, A: None, B: None}, Causes((A | B,), (A | B,))),
        ({NOTHING: False, A: True, B: None}, Causes((A,), ())),
        ({NOTHING: False, A: False, B: None}, Causes((A | B,), (B,))),
    ],
)
def test_what_is_unclear_counts_neither_way(
    answers: dict[Parts, bool | None], expected: Causes
) -> None:
    answers = {A: False, B: False, **answers}
    assert found(A | B, answers.__getitem__)[0] == expected


def test_what_several_violations_need_is_asked_at_once() -> None:
    rounds: list[list[tuple[Parts, str]]] = []

    def check(wanted: Sequence[tuple[Parts, str]]) -> dict[tuple[Parts, str], bool | None]:
        rounds.append(list(wanted))
        cause = {"x": A, "y": A | B}
        return {(kept, label): cause[label] <= kept for kept, label in wanted}

    causes = all_causes(A | B, ["x", "y"], check)
    assert causes == {"x": Causes((A,), (A,)), "y": Causes((A | B,), (A, B))}
    asked = [pair for of_round in rounds for pair in of_round]
    assert rounds[0] == [(kept, label) for label in "xy" for kept in (NOTHING, B, A)]
    assert len(asked) == len(set(asked)) == 6


def importing(*needs: tuple[str, str]) -> Callable[[Collection[Parts]], list[Parts]]:
    """Changed files of which those in the first of a pair, together as they are now, need the
    second as it is now."""

    def works(sets: Collection[Parts]) -> list[Parts]:
        return [kept for kept in sets if all(not kept.issuperset(a) or b in kept for a, b in needs)]

    return works


@pytest.mark.parametrize(
    ("needs", "groups"),
    [
        ([], ["a", "b", "c", "d"]),
        ([("a", "b")], ["ab", "c", "d"]),
        ([("b", "a"), ("c", "d")], ["ab", "cd"]),
        ([("a", "b"), ("b", "d")], ["abd", "c"]),
        ([("a", "d"), ("b", "d"), ("c", "d")], ["abcd"]),
        ([("cd", "a")], ["ad", "b", "c"]),  # either of c and d may go with a
    ],
)
def test_parts_that_do_not_work_apart_are_grouped(
    needs: list[tuple[str, str]], groups: list[str]
) -> None:
    assert apart("abcd", importing(*needs)) == tuple(map(tuple, groups))


def test_every_part_is_in_one_group_whatever_works() -> None:
    parts = A | B | C | D
    generator = random.Random(1)
    for _ in range(200):
        fine = {s for s in subsets(parts) if generator.random() < 0.5} | {NOTHING, parts}
        groups = apart("abcd", lambda sets, fine=fine: [s for s in sets if s in fine])  # type: ignore[misc]
        assert sorted("".join(map("".join, groups))) == list("abcd")
