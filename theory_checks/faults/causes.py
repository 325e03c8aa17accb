"""Which parts of a change a violation follows.

Parts are taken back, and what was violated is checked again. A violation may follow one part, need
several together, or follow any of several, each of which suffices; a variant of n parts has 2^n
ways to take some back. The search looks at few of them:

1. All parts are taken back, and each alone. A part that is *needed* is one without which the
   violation is gone. If the needed parts alone, with all others taken back, are violated as well,
   they are the cause.
2. If they are not, one or two of the other parts are kept besides.
3. If no part is needed, each is tried alone: those that *suffice* are causes. They are taken back
   together, and if the violation remains, the others are searched in the same way.
4. If none suffices, pairs are kept, and pairs are taken back.
5. If all that is too few or too many, parts are given up one after the other as long as the
   violation remains; what is left is one cause, perhaps of several.

Every cause that is reported was checked: with these parts alone changed the claim is violated.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

Parts = frozenset[str]
# by the parts that stay changed: whether the violation remains; None where that is not clear
Known = Mapping[Parts, bool | None]
Search = Generator[list[Parts], None, "Causes"]
NOTHING: Parts = frozenset()


@dataclass(frozen=True)
class Causes:
    """What a violation follows.

    causes: sets of parts that alone, with all others taken back, violate the claim; the empty set
        if it is violated without any change.
    cures: sets of parts without which the violation is gone, though not without fewer of them.
    """

    causes: tuple[Parts, ...] = ()
    cures: tuple[Parts, ...] = ()


def search(parts: Parts, known: Known) -> Search:
    """Yields what must be known before it goes on, and returns the causes.

    parts: all that are changed, with which the claim is violated.
    """
    yield [NOTHING, *_without_each(parts)]
    if known[NOTHING] is not False:
        return Causes((NOTHING,) if known[NOTHING] else ())
    return (yield from _within(parts, known))


def _within(parts: Parts, known: Known) -> Search:
    """The causes among these parts, which violate the claim together."""
    yield _without_each(parts)
    needed = frozenset(p for p in parts if known[parts - {p}] is False)
    if not needed:
        return (yield from _where_none_is_needed(parts, known))
    cures = _each(needed)
    others = sorted(parts - needed)
    for further in range(min(2, len(others)) + 1):
        kept = [needed.union(some) for some in combinations(others, further)]
        yield kept
        if causes := tuple(some for some in kept if known[some]):
            return Causes(causes, cures)
    return Causes((yield from _shrunk(parts, known)), cures)


def _where_none_is_needed(parts: Parts, known: Known) -> Search:
    yield list(_each(parts))
    enough = frozenset(p for p in parts if known[frozenset({p})])
    if enough:
        rest = parts - enough
        yield [rest]
        if known[rest]:
            others = yield from _within(rest, known)
            cures = tuple(enough | cure for cure in others.cures)
            return Causes(_each(enough) + others.causes, cures)
        return Causes(_each(enough), () if known[rest] is None else (enough,))
    pairs = [frozenset(pair) for pair in combinations(sorted(parts), 2)]
    yield [*pairs, *(parts - pair for pair in pairs)]
    causes = tuple(pair for pair in pairs if known[pair]) or (yield from _shrunk(parts, known))
    return Causes(causes, tuple(pair for pair in pairs if known[parts - pair] is False))


def _shrunk(parts: Parts, known: Known) -> Generator[list[Parts], None, tuple[Parts, ...]]:
    """One cause within these parts, found by giving up one part after the other."""
    for part in sorted(parts):
        smaller = parts - {part}
        yield [smaller]
        if known[smaller]:
            return (yield from _shrunk(smaller, known))
    return (parts,)


def _each(parts: Parts) -> tuple[Parts, ...]:
    return tuple(frozenset({p}) for p in sorted(parts))


def _without_each(parts: Parts) -> list[Parts]:
    return [parts - {p} for p in sorted(parts)]


def all_causes(
    parts: Parts,
    labels: Iterable[str],
    check: Callable[[Sequence[tuple[Parts, str]]], Mapping[tuple[Parts, str], bool | None]],
) -> dict[str, Causes]:
    """The causes of several violations, by label. What they need to know is asked for at once.

    parts: all that are changed, with which every violation is there.
    check: from pairs of the parts that stay changed and a label to whether the violation remains.
    """
    known: dict[str, dict[Parts, bool | None]] = {label: {parts: True} for label in labels}
    running = {label: search(parts, of_label) for label, of_label in known.items()}
    found: dict[str, Causes] = {}
    while running:
        asked: dict[tuple[Parts, str], None] = {}  # a set that keeps its order
        for label, going in tuple(running.items()):
            try:
                asked |= {(kept, label): None for kept in next(going) if kept not in known[label]}
            except StopIteration as end:
                found[label] = end.value
                del running[label]
        for (kept, label), remains in check(tuple(asked)).items():
            known[label][kept] = remains
    return found


def apart(
    parts: Sequence[str], works: Callable[[Collection[Parts]], Collection[Parts]]
) -> tuple[tuple[str, ...], ...]:
    """Groups of parts, each of which can be taken back, and can be all that stays changed.

    parts: those that are changed; it works with all of them, and with none.
    works: from sets of the parts that stay changed to those of the sets that work.
    """
    every = frozenset(parts)
    groups = {part: frozenset({part}) for part in parts}
    fine = works([kept for part in groups.values() for kept in (part, every - part)])
    if len(fine) == 2 * len(parts):
        return tuple((part,) for part in parts)
    for part in parts:
        for stays in (True, False):
            joined = _smallest(groups[part], every, works, stays)
            joined = joined.union(*(groups[name] for name in joined))
            groups |= dict.fromkeys(joined, joined)
    return tuple(dict.fromkeys(tuple(p for p in parts if p in groups[part]) for part in parts))


def _smallest(
    parts: Parts, every: Parts, works: Callable[[Collection[Parts]], Collection[Parts]], stays: bool
) -> Parts:
    """A group with these parts that works when it alone stays, or when it alone is taken back: the
    parts themselves or, if they do not work, one that does not without any single other part."""

    def work(group: Parts) -> bool:
        return bool(works([group if stays else every - group]))

    group = parts if work(parts) else every
    while smaller := next((group - {p} for p in sorted(group - parts) if work(group - {p})), None):
        group = smaller
    return group
