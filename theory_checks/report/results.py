"""What a run found, and what follows from it: its verdict in one sentence, and which claims are in
doubt because they build on broken ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from theory_checks.checking.claim import with_dependencies
from theory_checks.checking.record import BROKEN, Record, Whole
from theory_checks.report.serial import plain
from theory_checks.report.words import natural, plural

FORMAT = "2"  # the version of report.json


@dataclass(frozen=True)
class Share:
    """One claim's line in the error budget.

    id: of the claim
    share: its part of alpha; 0 for exact claims
    inputs: the largest number of inputs that it may try
    reason: of both numbers
    """

    id: str
    share: float
    inputs: Whole
    reason: str


@dataclass(frozen=True)
class Results:
    """The result of one run.

    schema: version of this format
    created: when the run began, ISO 8601 in UTC
    subject: the Subject under test, module:NAME
    profile: how much evidence was gathered
    device: where training ran
    seed: determines every draw of the run
    alpha: bound on the probability of any false alarm in the run
    command: the command line
    environment: versions, platform and number of processors
    commit: of git; empty outside a repository
    dirty: whether there were uncommitted changes or untracked files; null outside a repository
    seconds: wall time, so far if the run is not complete
    complete: false while the run goes on, and if it ended before every claim was checked
    ledger: how alpha is divided among the claims
    records: one for each claim that was selected
    """

    schema: Annotated[str, {"enum": (FORMAT,)}]
    created: str
    subject: str
    profile: str
    device: str
    seed: Whole
    alpha: float
    command: str
    environment: Mapping[str, str]
    commit: str
    dirty: bool | None
    seconds: float
    complete: bool
    ledger: tuple[Share, ...]
    records: tuple[Record, ...]

    def to_json(self) -> str:
        """The document. It adds `suspects`, which follows from the records, for other programs.

        Indented only once it is complete: until then it is written again and again, and the fast
        encoder cannot indent.
        """
        document = {**plain(self), "suspects": plain(suspects(self.records))}
        return json.dumps(document, allow_nan=False, indent=1 if self.complete else None)


def headline(results: Results) -> str:
    """The verdict of the whole run in one sentence."""
    verdicts, total = Counter(r.verdict for r in results.records), len(results.records)
    claims = plural(total, "claim")
    if not total:
        return "No claim was checked."
    if verdicts["holds"] == total:
        return "The claim holds." if total == 1 else f"All {claims} hold."
    if verdicts["holds"] + verdicts["finding"] == total:
        hold = "holds" if verdicts["holds"] == 1 else "hold"
        are = "is a finding" if verdicts["finding"] == 1 else "are findings"
        return f"{plural(verdicts['holds'], 'claim')} {hold}, {verdicts['finding']} {are}."
    violated, in_error = (verdicts[verdict] for verdict in BROKEN)
    silent = sum(record.says_nothing for record in results.records)
    found = {
        "violated": violated,
        "in error (the code under test raised)": in_error,
        "undecided": sum(not r.passed for r in results.records) - violated - in_error - silent,
        "not applicable, or without a baseline": silent,
    }
    parts = [f"{n} {'is' if n == 1 else 'are'} {what}" for what, n in found.items() if n]
    parts[0] = parts[0].replace(" ", f" of {claims} ", 1)
    return ("" if violated or in_error else "No claim is violated; ") + f"{', '.join(parts)}."


def suspects(records: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    """For each claim that builds on broken ones, directly or not: those; all in the order of ids.

    If a lemma is broken, what was derived from it is in doubt whatever its own verdict; if that is
    `violated` too, the lemma may be the cause.
    """
    by_id = {record.id: record for record in sorted(records, key=lambda r: natural(r.id))}
    suspect = {}
    for claim_id, record in by_id.items():
        below = with_dependencies(record.depends_on, by_id)
        if broken := tuple(lemma for lemma in by_id if lemma in below and by_id[lemma].broken):
            suspect[claim_id] = broken
    return suspect


def origins(suspect: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Of the broken claims that each suspect builds on, those that are no suspects themselves:
    where to start."""
    return {
        claim_id: tuple(lemma for lemma in lemmas if lemma not in suspect)
        for claim_id, lemmas in suspect.items()
    }
