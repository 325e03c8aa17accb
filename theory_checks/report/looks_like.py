"""Which known faults a run looks like: those that violate nearly the same claims.

The kill matrix that comes with the package says which claims each fault violates. Two sets of
violated claims are as near as the share of their union that they have in common, where a claim
weighs the more, the fewer faults violate it: minus the logarithm of its share of the faults (both
counted with one more), and 0.1, so that a claim that all violate counts a little. Claims that were
not checked in both are left out.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from theory_checks.checking.claim import DEFAULT_SUBJECT

NOTICED = ("killed", "error")  # outcomes of cells
NEAR = 0.3  # below this nearness two patterns have little in common
PARTS = {
    "draw_signals": "data",
    "draw_examples": "data",
    "initialise_router": "initialisation",
    "initialise_experts": "initialisation",
    "logits": "routing",
    "router_noise": "routing",
    "select": "routing",
    "gate": "gate",
    "respond": "experts",
    "loss": "loss",
    "expert_update": "updates",
    "router_update": "updates",
}  # the part of the theory that an ingredient belongs to


@dataclass(frozen=True)
class Known:
    """A fault, and the claims that it violates.

    name: of the fault.
    wrong: what is wrong, in a sentence or two.
    broken: the ingredients in which it differs from the paper, or the file of core that it edits.
    part: of the theory that is broken.
    checked: the claims of which the outcome is known.
    noticed: those that are violated, or raise.
    """

    name: str
    wrong: str
    broken: tuple[str, ...]
    part: str
    checked: frozenset[str]
    noticed: frozenset[str]


@dataclass(frozen=True)
class Likeness:
    """A known fault and how near a run's pattern is to its own, from 0 to 1."""

    fault: Known
    nearness: float


@cache
def known_faults() -> tuple[Known, ...]:
    """The faults of the kill matrix that comes with the package; none if it has no matrix."""
    path = files("theory_checks.faults").joinpath("matrix.json")
    if not path.is_file():
        return ()
    content = json.loads(path.read_text(encoding="utf-8"))
    everywhere, found = set[str](), []
    for row in content["rows"]:
        name = row["subject"].rpartition(":")[2]
        if row["subject"] == DEFAULT_SUBJECT:
            # Those that call nothing that a fault breaks were checked on the paper's Subject only.
            everywhere.update(row["cells"])
        elif name in content.get("faults", {}):
            about, cells = content["faults"][name], row["cells"]
            noticed = [c for c, result in cells.items() if result.get("outcome") in NOTICED]
            found.append(
                Known(
                    name,
                    about["wrong"],
                    tuple(about["broken"]),
                    PARTS.get(about["broken"][0], about["family"]),
                    frozenset(everywhere | cells.keys()),
                    frozenset(noticed),
                )
            )
    return tuple(found)


def nearest(
    verdicts: Mapping[str, str], faults: Iterable[Known] | None = None
) -> tuple[Likeness, ...]:
    """The faults whose pattern is nearest, nearest first; none that is not near at all.

    verdicts: of a run's claims, by id.
    faults: to compare with; by default those that come with the package.
    """
    rows = known_faults() if faults is None else tuple(faults)
    seen = {c for c, v in verdicts.items() if v in ("violated", "error")}
    checked = seen | {c for c, v in verdicts.items() if v in ("holds", "finding", "inconclusive")}
    counts = Counter(c for row in rows for c in row.noticed)
    weight = {c: math.log((1 + len(rows)) / (1 + counts[c])) + 0.1 for c in checked}
    found = []
    for row in rows:
        ours, theirs = seen & row.checked, row.noticed & checked
        total = sum(weight[c] for c in ours | theirs)
        if total:
            found.append(Likeness(row, sum(weight[c] for c in ours & theirs) / total))
    found.sort(key=lambda likeness: -likeness.nearness)
    return tuple(likeness for likeness in found if likeness.nearness >= NEAR)


def words(verdicts: Mapping[str, str], most: int = 3) -> tuple[str, ...]:
    """A line for each of the nearest faults, one for each set of broken ingredients; none if
    nothing was violated.

    verdicts: as in `nearest`.
    """
    first: dict[tuple[str, ...], Likeness] = {}
    for likeness in nearest(verdicts):
        first.setdefault(likeness.fault.broken, likeness)
    return tuple(
        f"Looks like {x.fault.name} ({', '.join(x.fault.broken)}; {x.nearness:.0%} of the pattern):"
        f" {x.fault.wrong}"
        for x in list(first.values())[:most]
    )
