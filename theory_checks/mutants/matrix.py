"""The kill matrix: claims x mutants, and what it says about both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

from theory_checks.claims import GROUPS, Claim
from theory_checks.mutants.cells import Cell, Result
from theory_checks.mutants.mutant import Mutant
from theory_checks.records import plain
from theory_checks.report.page import group_of, natural

SCHEMA = 1
KEPT: Mapping[str, str] = {
    "R.2": "It is Lemma 5.1 as the paper has it; R.3 is sharper and notices first.",
    "G.6": (
        "It is the symmetry of training that A.6 rests on; responses that are not odd, which break"
        " it, G.5 notices first."
    ),
    "S.4": (
        "It says that the 1/8 of Theorem 4.1 is sharp; data on which its witness errs otherwise"
        " break S.1 or S.2 first."
    ),
    "S.6": "It is what S.1 means for classifiers that do not see the centre.",
    "E.5": (
        "It tells what is not learned; what experts learn besides features takes its share of a"
        " step, so E.3 notices first."
    ),
    "E.4": "It is what the exploration stage ends in, proved from E.3 and E.6.",
    "A.6": (
        "It tells what is not learned, at every n and d. It resolves large asymmetries only, which"
        " the levels of other claims (E.3, A.5) notice first."
    ),
    "A.4": (
        "It is the measure that the paper reports (section 6); all but its start follows from A.3."
    ),
    **dict.fromkeys(
        ("C.2", "C.3", "C.6", "C.7", "C.9", "C.10"),
        "It is a row of the table of hypotheses. The ingredient or size that it changes replaces"
        " that of the mutant too; what mutants break beside it C.1 notices as well, and stands"
        " first.",
    ),
}  # why a claim stays that is, in its group, neither the first nor the only killer of any mutant


def dependency_order(claims: Mapping[str, Claim]) -> tuple[str, ...]:
    """The ids with what a claim builds on before it; where that leaves a choice, by group and
    number."""
    sorter = TopologicalSorter(
        {
            id: [other for other in claim.depends_on if other in claims]
            for id, claim in claims.items()
        }
    )
    sorter.prepare()
    found: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=natural)
        found.append(ready.pop(0))
        sorter.done(found[-1])
    return tuple(found)


def cells_of(
    mutants: Sequence[Mutant], order: Sequence[str], trained: Sequence[str], profile: str, seed: int
) -> list[Cell]:
    """Mutant by mutant, in the order of the claims; those in `trained`, which need training runs,
    for representatives only."""
    return [
        Cell(f"{__package__}:{mutant.name}", id, profile, seed)
        for mutant in mutants
        for id in order
        if mutant.representative or id not in trained
    ]


def untouched(mutant: Mutant, healthy: Result) -> bool:
    """Whether a check that found this of the paper's Subject finds the same of the mutant: it
    called nothing that differs.

    Checks are deterministic functions of the subject and the seed.
    """
    return healthy.outcome != "error" and not set(healthy.used) & set(mutant.broken)


@dataclass(frozen=True)
class Matrix:
    """order: the ids of the claims, those that others build on first; results: by name of the
    mutant, then id of the claim."""

    profile: str
    seed: int
    order: tuple[str, ...]
    statements: Mapping[str, str]
    mutants: tuple[Mutant, ...]
    results: Mapping[str, Mapping[str, Result]]

    def outcome(self, mutant: Mutant, id: str) -> str:
        """The outcome of a cell; "" if it was not checked."""
        found = self.results[mutant.name].get(id)
        return "" if found is None else found.outcome

    def killers(self, mutant: Mutant) -> tuple[str, ...]:
        """The claims that the mutant violates, in dependency order."""
        return tuple(id for id in self.order if self.outcome(mutant, id) == "killed")

    def localised(self, mutant: Mutant) -> bool:
        """Whether the first claim that it violates is about the part that is broken."""
        return any(mutant.about(id) for id in self.killers(mutant)[:1])

    def missed(self, mutant: Mutant) -> tuple[str, ...]:
        """The claims that must notice the mutant and were checked, but are not violated."""
        return tuple(
            id for id in mutant.noticed_by if self.outcome(mutant, id) not in ("", "killed")
        )

    @cached_property
    def gaps(self) -> tuple[Mutant, ...]:
        """Mutants that no claim notices although they are not equivalent and all claims that must
        notice were checked."""
        return tuple(
            mutant
            for mutant in self.mutants
            if mutant.noticed_by
            and all(self.outcome(mutant, id) for id in mutant.noticed_by)
            and not self.killers(mutant)
        )

    @cached_property
    def false_kills(self) -> tuple[Mutant, ...]:
        """Mutants that are argued to be equivalent and violate a claim all the same: the argument
        is wrong."""
        return tuple(
            mutant for mutant in self.mutants if mutant.equivalent and self.killers(mutant)
        )

    def killers_in_group(self, id: str, mutant: Mutant) -> tuple[str, ...]:
        """The claims of this one's group that the mutant violates.

        Only they are rivals: what breaks a theorem breaks a lemma that it is proved from first, so
        no theorem leads all claims.
        """
        return tuple(killer for killer in self.killers(mutant) if group_of(killer) == group_of(id))

    def only_killer_of(self, id: str) -> tuple[str, ...]:
        """The mutants that no other claim of its group kills."""
        return tuple(
            mutant.name for mutant in self.mutants if self.killers_in_group(id, mutant) == (id,)
        )

    def first_killer_of(self, id: str) -> tuple[str, ...]:
        """The mutants that violate this claim before any other of its group."""
        return tuple(
            mutant.name for mutant in self.mutants if self.killers_in_group(id, mutant)[:1] == (id,)
        )

    @cached_property
    def redundant(self) -> tuple[str, ...]:
        """Claims that were checked on some mutant and are not, in their group, the first or only
        killer of any."""
        return tuple(
            id
            for id in self.order
            if any(self.outcome(mutant, id) for mutant in self.mutants)
            and not self.first_killer_of(id)
            and not self.only_killer_of(id)
        )

    def killed_by(self, id: str) -> tuple[str, ...]:
        """The mutants that the claim kills."""
        return tuple(mutant.name for mutant in self.mutants if id in self.killers(mutant))

    @cached_property
    def summary(self) -> Mapping[str, int]:
        """How many mutants there are of each fate, and how many of the killed were localised."""
        killed = [mutant for mutant in self.mutants if self.killers(mutant)]
        return {
            "mutants": len(self.mutants),
            "killed": len(killed),
            "localised": sum(map(self.localised, killed)),
            "equivalent": sum(bool(mutant.equivalent) for mutant in self.mutants),
            "gaps": len(self.gaps),
            "errors": sum(
                result.outcome == "error"
                for row in self.results.values()
                for result in row.values()
            ),
        }

    def to_json(self) -> dict[str, Any]:
        """{"schema", "profile", "seed", "order": ids of claims, "summary", "mutants": [{"name",
        "family", "wrong", "ingredients", "noticed_by", "equivalent", "killed_by", "first",
        "localised", "missed": claims that must notice it and do not, "cells": {id: Result}}],
        "claims": [{"id", "statement", "kills", "only_killer_of", "first_killer_of"}], "redundant":
        ids}; numbers that are none are strings."""
        return {
            "schema": SCHEMA,
            "profile": self.profile,
            "seed": self.seed,
            "order": list(self.order),
            "summary": dict(self.summary),
            "mutants": [
                {
                    "name": mutant.name,
                    "family": mutant.family,
                    "wrong": mutant.wrong,
                    "ingredients": list(mutant.broken),
                    "noticed_by": list(mutant.noticed_by),
                    "equivalent": mutant.equivalent,
                    "killed_by": list(self.killers(mutant)),
                    "first": next(iter(self.killers(mutant)), None),
                    "localised": self.localised(mutant),
                    "missed": list(self.missed(mutant)),
                    "cells": {
                        id: plain(result) for id, result in self.results[mutant.name].items()
                    },
                }
                for mutant in self.mutants
            ],
            "claims": [
                {
                    "id": id,
                    "statement": self.statements[id],
                    "kills": list(self.killed_by(id)),
                    "only_killer_of": list(self.only_killer_of(id)),
                    "first_killer_of": list(self.first_killer_of(id)),
                }
                for id in self.order
            ],
            "redundant": list(self.redundant),
        }


def about_parts(id: str) -> bool:
    """Whether a claim is about a part of the theory, rather than about what training makes of all
    of them."""
    return id[0] in tuple(GROUPS)[:5]
