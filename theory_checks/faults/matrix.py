"""The kill matrix: claims x faults, and what it says about both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

from theory_checks.checking.claim import DEFAULT_SEED, DEFAULT_SUBJECT, GROUPS, Claim
from theory_checks.faults import FAULTS
from theory_checks.faults.cells import Cell, Result, claims
from theory_checks.faults.fault import Fault
from theory_checks.report.words import group_of, natural

MATRIX_SCHEMA = 2
KEPT: Mapping[str, str] = {
    "R.2": "It is Lemma 5.1 as the paper states it; R.3 is sharper and notices first.",
    "G.6": (
        "It is the symmetry of training that A.6 rests on; responses that are not odd break it, and"
        " G.5 notices them first."
    ),
    "S.4": (
        "It says that the 1/8 of Theorem 4.1 is sharp; data on which its witness errs otherwise"
        " break S.1 or S.2 first."
    ),
    "S.6": "It is what S.1 means for classifiers that do not see the centre.",
    "S.8": "It says that S.1 and S.3 need no orthonormal signals; data that break it break those.",
    "E.5": (
        "It says what is not learned; what experts learn besides features takes its share of a"
        " step, so E.3 notices first."
    ),
    "E.7": (
        "It says how small responses and probabilities stay; what makes them larger breaks a step"
        " of training first."
    ),
    "X.3": (
        "It is Lemma 5.2 as it stands, a finding; an expert that does not learn is bad on other"
        " clusters too, and X.1 notices it."
    ),
    "G.12": (
        "It is what the n^(-1/2) of E.3 rests on; examples or noise that depend on each other break"
        " claims about data and routing first."
    ),
    "I.5": "It is the gap of the paper's own lemma; another law of W^(0) breaks I.4 first.",
    "E.4": "It is the result of the exploration stage, proved from E.3 and E.6.",
    "A.6": (
        "It says what is not learned, at every n and d. It resolves large asymmetries only, and the"
        " levels of other claims (E.3, A.5) notice those first."
    ),
    "A.4": (
        "It is the measure that the paper reports (section 6); all but its start follows from A.3."
    ),
    **dict.fromkeys(
        ("C.2", "C.3", "C.6", "C.7", "C.9", "C.10"),
        "It is a row of the table of hypotheses. The ingredient or size that it changes replaces"
        " that of the fault too; what else a fault breaks, C.1 notices as well and comes first.",
    ),
}  # why a claim stays that is, in its group, neither the first nor the only killer of any fault


def dependency_order(claims: Mapping[str, Claim]) -> tuple[str, ...]:
    """The ids with what a claim builds on before it; where that leaves a choice, by group and
    number."""
    sorter = TopologicalSorter(
        {
            claim_id: [other for other in claim.depends_on if other in claims]
            for claim_id, claim in claims.items()
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
    fault: Fault, order: Sequence[str], trained: Sequence[str], profile: str, seed: int
) -> dict[str, Cell]:
    """A cell for each claim; for those in `trained`, which need training runs, only if the fault
    is a representative."""
    return {
        claim_id: Cell(f"{__package__}:{fault.name}", claim_id, profile, seed)
        for claim_id in order
        if fault.representative or claim_id not in trained
    }


def untouched(fault: Fault, healthy: Result) -> bool:
    """Whether a check with this result on the paper's Subject has the same result on the fault,
    because it called nothing that differs. An edit of core may touch every check.

    Checks are deterministic functions of the subject and the seed.
    """
    return (
        fault.edit is None
        and healthy.outcome != "error"
        and not set(healthy.used) & set(fault.broken)
    )


def as_on_paper(
    rows: Mapping[str, tuple[Fault, Mapping[str, Cell]]], paper: Mapping[str, Result]
) -> dict[Cell, Result]:
    """The cells that need no check, as their result is that of the paper's Subject.

    rows: each fault with its cells by claim, by name.
    paper: results on the paper's Subject, by claim.
    """
    return {
        cell: paper[claim_id]
        for fault, row in rows.values()
        for claim_id, cell in row.items()
        if claim_id in paper and untouched(fault, paper[claim_id])
    }


def whole(results: Mapping[Cell, Result]) -> set[Cell]:
    """The cells that are checked for the whole matrix in the profile quick, with the default seed.

    results: what is known; a cell that needs no check is one if it is not known of the paper's
        Subject.
    """
    trained = [claim_id for claim_id, claim in claims().items() if claim.trains]
    order = dependency_order(claims())
    healthy = {c: Cell(DEFAULT_SUBJECT, c, "quick", DEFAULT_SEED) for c in order}
    wanted = {cell for claim_id, cell in healthy.items() if claim_id not in trained}
    paper = {c: results[cell] for c, cell in healthy.items() if cell in results}
    rows = {
        f.name: (f, cells_of(f, order, trained, "quick", DEFAULT_SEED)) for f in FAULTS.values()
    }
    wanted |= {cell for _, row in rows.values() for cell in row.values()}
    return wanted - as_on_paper(rows, paper).keys()


@dataclass(frozen=True)
class Matrix:
    """The results, and what they say about faults and claims.

    profile: the name of a Profile.
    seed: of the run.
    order: the ids of the claims, each after those it builds on.
    statements: of the claims, by id.
    faults: in the order of the rows.
    results: by name of the fault, then id of the claim; cells that were not checked are missing.
    """

    profile: str
    seed: int
    order: tuple[str, ...]
    statements: Mapping[str, str]
    faults: tuple[Fault, ...]
    results: Mapping[str, Mapping[str, Result]]

    def outcome(self, fault: Fault, claim_id: str) -> str:
        """The outcome of a cell; "" if it was not checked."""
        return self.results[fault.name].get(claim_id, Result("")).outcome

    def killers(self, fault: Fault) -> tuple[str, ...]:
        """The claims that the fault violates, in dependency order."""
        return tuple(
            claim_id for claim_id in self.order if self.outcome(fault, claim_id) == "killed"
        )

    def localised(self, fault: Fault) -> bool:
        """Whether the first claim that it violates is about the part that is broken."""
        return any(fault.about(claim_id) for claim_id in self.killers(fault)[:1])

    def missed(self, fault: Fault) -> tuple[str, ...]:
        """The claims that must notice the fault and were checked, but are not violated."""
        return tuple(
            claim_id
            for claim_id in fault.noticed_by
            if self.outcome(fault, claim_id) not in ("", "killed")
        )

    def fate(self, fault: Fault) -> str:
        """killed, equivalent, gap (no claim notices), or open, if not every claim that must notice
        was checked."""
        if self.killers(fault):
            return "killed"
        checked = all(self.outcome(fault, claim_id) for claim_id in fault.noticed_by)
        return "equivalent" if fault.equivalent else "gap" if checked else "open"

    @cached_property
    def gaps(self) -> tuple[Fault, ...]:
        """Faults that no claim notices although they are not equivalent and all claims that must
        notice were checked."""
        return tuple(fault for fault in self.faults if self.fate(fault) == "gap")

    @cached_property
    def false_kills(self) -> tuple[Fault, ...]:
        """Faults that are said to be equivalent and yet violate a claim: the argument is wrong."""
        return tuple(fault for fault in self.faults if fault.equivalent and self.killers(fault))

    def killers_in_group(self, claim_id: str) -> dict[str, tuple[str, ...]]:
        """The claims of this one's group that each fault violates, by name of the fault.

        Only they compete: what breaks a theorem breaks a lemma of its proof first, so no theorem
        would be the first of all claims.
        """
        group = group_of(claim_id)
        return {
            fault.name: tuple(k for k in self.killers(fault) if group_of(k) == group)
            for fault in self.faults
        }

    def only_killer_of(self, claim_id: str) -> tuple[str, ...]:
        """The faults that no other claim of its group kills."""
        killers = self.killers_in_group(claim_id)
        return tuple(name for name, ids in killers.items() if ids == (claim_id,))

    def first_killer_of(self, claim_id: str) -> tuple[str, ...]:
        """The faults that violate this claim before any other of its group."""
        killers = self.killers_in_group(claim_id)
        return tuple(name for name, ids in killers.items() if ids[:1] == (claim_id,))

    @cached_property
    def redundant(self) -> tuple[str, ...]:
        """Claims that were checked on some fault and are not, in their group, the first killer of
        any."""
        return tuple(
            claim_id
            for claim_id in self.order
            if any(self.outcome(fault, claim_id) for fault in self.faults)
            and not self.first_killer_of(claim_id)
        )

    def killed_by(self, claim_id: str) -> tuple[str, ...]:
        """The faults that the claim kills."""
        return tuple(fault.name for fault in self.faults if claim_id in self.killers(fault))

    @cached_property
    def summary(self) -> Mapping[str, int]:
        """How many faults there are of each fate, and how many of the killed were localised."""
        killed = [fault for fault in self.faults if self.fate(fault) == "killed"]
        return {
            "faults": len(self.faults),
            "killed": len(killed),
            "localised": sum(map(self.localised, killed)),
            "equivalent": sum(bool(fault.equivalent) for fault in self.faults),
            "gaps": len(self.gaps),
            "errors": sum(
                result.outcome == "error"
                for row in self.results.values()
                for result in row.values()
            ),
        }

    def to_json(self) -> dict[str, Any]:
        """{"schema", "profile", "seed", "order": ids of claims, "summary", "faults": [{"name",
        "family", "wrong", "ingredients", "edit": of core or null, "noticed_by", "equivalent",
        "killed_by", "first", "localised", "missed": claims that must notice it and do not, "cells":
        {id: Result}}], "claims": [{"id", "statement", "kills", "only_killer_of",
        "first_killer_of"}], "redundant": ids}, for `plain`."""
        return {
            "schema": MATRIX_SCHEMA,
            "profile": self.profile,
            "seed": self.seed,
            "order": self.order,
            "summary": self.summary,
            "faults": [
                {
                    "name": fault.name,
                    "family": fault.family,
                    "wrong": fault.wrong,
                    "ingredients": fault.broken,
                    "edit": fault.edit,
                    "noticed_by": fault.noticed_by,
                    "equivalent": fault.equivalent,
                    "killed_by": self.killers(fault),
                    "first": next(iter(self.killers(fault)), None),
                    "localised": self.localised(fault),
                    "missed": self.missed(fault),
                    "cells": self.results[fault.name],
                }
                for fault in self.faults
            ],
            "claims": [
                {
                    "id": claim_id,
                    "statement": self.statements[claim_id],
                    "kills": self.killed_by(claim_id),
                    "only_killer_of": self.only_killer_of(claim_id),
                    "first_killer_of": self.first_killer_of(claim_id),
                }
                for claim_id in self.order
            ],
            "redundant": self.redundant,
        }


def about_parts(claim_id: str) -> bool:
    """Whether a claim is about one part of the theory, rather than about training with all of
    them."""
    return claim_id[0] in tuple(GROUPS)[:5]
