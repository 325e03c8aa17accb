"""Cells: one claim checked on one subject with one seed. Results are kept, so that nothing is
computed twice."""

import functools
import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from core import PAPER
from theory_checks.checking.budget import ledger
from theory_checks.checking.claim import DEFAULT_ALPHA, DEFAULT_SUBJECT, Claim
from theory_checks.checking.contracts import held
from theory_checks.checking.fingerprint import fingerprint
from theory_checks.checking.guests import reason
from theory_checks.checking.profiles import PROFILES
from theory_checks.checking.record import RAISED
from theory_checks.checking.registry import built_in, claim_hash
from theory_checks.checking.run import Run, load_subject
from theory_checks.checking.search import check
from theory_checks.checking.workers import Unanswered, Workers
from theory_checks.evidence.ledger import Ledger
from theory_checks.faults import FAULTS
from theory_checks.faults.edit import Edit
from theory_checks.faults.taken_back import TakenBack, taken_back
from theory_checks.report.serial import plain, restored
from theory_checks.report.write import write_whole

OUTCOME_OF_VERDICT = {
    "violated": "killed",
    "holds": "survived",
    "finding": "survived",
    "inconclusive": "inconclusive",
    "vacuous": "vacuous",
}


@dataclass(frozen=True)
class Cell:
    """A check to be done.

    subject: module:NAME.
    claim: its id.
    profile: the name of a Profile.
    seed: of the run.
    """

    subject: str
    claim: str
    profile: str
    seed: int


@dataclass(frozen=True)
class Result:
    """What a check of a cell reported.

    outcome: killed (the claim is violated), survived (it holds, or is a finding), inconclusive,
        vacuous, or error: an exception, NaN, crash or timeout; not counted as a kill.
    margin: of a kill, as in a Record.
    samples: of a kill, draws over all inputs.
    detail: of a kill or an error, why, in words.
    used: of the paper's Subject, the ingredients that the check called; all of them where it reads
        training runs, which may have been made for an earlier check.
    """

    outcome: str = "survived"
    margin: float | None = None
    samples: int = 0
    detail: str = ""
    used: tuple[str, ...] = ()


@functools.cache
def claims() -> dict[str, Claim]:
    """All claims by id, without their pictures, which take time to draw."""
    return {claim_id: replace(claim, picture=None) for claim_id, claim in built_in().items()}


@functools.cache
def budget() -> Ledger:
    """The error budget of every cell, that of a run."""
    return ledger(DEFAULT_ALPHA, claims().values())


def edit_of(subject: str) -> Edit | TakenBack | None:
    """The change of core that a subject, module:NAME, stands for, if any."""
    module, _, name = subject.partition(":")
    found = FAULTS.get(name) if module == __package__ else None
    return found.edit if found else taken_back(subject)


@functools.cache
def subject_hash(name: str) -> str:
    """Changes with the source of the Subject, or with the edit of core that it stands for; "" if
    there is no such Subject."""
    edit = edit_of(name)
    try:
        if isinstance(edit, TakenBack):
            return fingerprint(load_subject(edit.subject), edit.sources())
        # the texts of an edit alone: its class knows where core lies, which differs by machine
        return fingerprint(PAPER, vars(edit)) if edit else fingerprint(load_subject(name))
    except ValueError:
        return ""


@functools.cache
def column_hash(claim_id: str, profile: str) -> str:
    """Changes with the hash of the claim and with the source of what it calls of core; "" if there
    is no such claim or profile."""
    if claim_id not in claims() or profile not in PROFILES:
        return ""
    claim = claims()[claim_id]
    return fingerprint(claim_hash(claim, PROFILES[profile]), claim)


def key(cell: Cell) -> tuple[str, str]:
    """The hashes of subject and claim, on which the result depends besides the seed."""
    return subject_hash(cell.subject), column_hash(cell.claim, cell.profile)


def check_cell(cell: Cell, shared: Path) -> Result:
    """Checks the claim. Exceptions become a result.

    shared: a folder for the training runs of this subject, profile and seed.
    """
    torch.set_num_threads(1)
    profile, device, used = PROFILES[cell.profile], torch.device("cpu"), set[str]()
    try:
        claim, subject = claims()[cell.claim], load_subject(cell.subject)
        if claim.trains:
            used.update(vars(subject))
        run = Run(held(subject, used), cell.subject, profile, device, cell.seed, budget(), shared)
        record = check(claim, run, shrink=False)  # a kill is a kill, whatever its input
    except Exception as error:
        return Result(RAISED, detail=reason(error))
    outcome = OUTCOME_OF_VERDICT[record.verdict]
    if outcome == "killed" and (record.margin is None or record.margin != record.margin):
        outcome = RAISED  # what was observed is not a number
    found = tuple(sorted(used)) if cell.subject == DEFAULT_SUBJECT else ()
    if outcome not in ("killed", RAISED):
        return Result(outcome, used=found)
    return Result(outcome, record.margin, record.samples, record.detail, found)


@dataclass(frozen=True)
class Row:
    """The results for one subject, profile and seed, in a file.

    hash: of the subject.
    cells: by id of the claim, without the fields that are as in `Result()`.
    """

    subject: str
    profile: str
    seed: int
    hash: str
    cells: Mapping[str, Result]


@dataclass(frozen=True)
class About:
    """What a file of results says of a fault, for those who do not import it.

    broken: the ingredients in which it differs from the paper, or the file of core that it edits.
    """

    family: str
    broken: tuple[str, ...]
    wrong: str


@dataclass(frozen=True)
class Content:
    """What a file of results contains.

    claims: the hash of each claim, by profile and id.
    rows: the results.
    faults: by name, what is broken, in the file that comes with the package.
    """

    claims: Mapping[str, Mapping[str, str]]
    rows: tuple[Row, ...]
    faults: Mapping[str, About] | None = None


class Store:
    """Results in a JSON file: what it has of other versions of a subject or claim is left out.

    path: the file, which need not exist.

    `results` are those of the present versions; `stale` are the cells of which it had results of
    other versions, or that are no longer there.

    Raises ValueError if the file has something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.results: dict[Cell, Result] = {}
        self.stale: list[Cell] = []
        if not path.exists():
            return
        try:
            content = restored(Content, json.loads(path.read_text(encoding="utf-8")), "content")
            for row in content.rows:
                for claim_id, result in row.cells.items():
                    cell = Cell(row.subject, claim_id, row.profile, row.seed)
                    if key(cell) == (row.hash, content.claims[row.profile][claim_id]):
                        self.results[cell] = result
                    else:
                        self.stale.append(cell)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{path}: has no results of checks ({error})") from error

    def save(self) -> None:
        """Writes the file, a line for each row."""
        write_whole(self.path, _text(self.results, {}))


KNOWN = Path(__file__).with_name("matrix.json")  # the kill matrix that comes with the package


def write_known(results: Mapping[Cell, Result], path: Path = KNOWN) -> None:
    """Writes the results as they come with the package: what was found is left out of kills, as the
    fault says what is wrong, and numbers have three digits."""
    short = {
        cell: replace(
            result,
            margin=None if result.margin is None else float(f"{result.margin:.3g}"),
            samples=0,
            detail=result.detail[:200] if result.outcome == RAISED else "",
        )
        for cell, result in results.items()
    }
    names = {cell.subject.rpartition(":")[2] for cell in short}
    about = {
        name: About(f.family, f.broken or (f.edit.file if f.edit else "",), f.wrong)
        for name, f in FAULTS.items()
        if name in names
    }
    write_whole(path, _text(short, about))


def _text(results: Mapping[Cell, Result], faults: Mapping[str, About]) -> str:
    """The content of a file of results."""
    survived = vars(Result())
    claims: dict[str, dict[str, str]] = {}
    rows: dict[tuple[str, str, int], dict[str, Any]] = {}
    for cell, result in results.items():
        of_subject, of_claim = key(cell)
        claims.setdefault(cell.profile, {})[cell.claim] = of_claim
        alike = (cell.subject, cell.profile, cell.seed)
        row = rows.setdefault(alike, {**vars(cell), "hash": of_subject, "cells": {}})
        row.pop("claim", None)
        row["cells"][cell.claim] = {
            name: value for name, value in vars(result).items() if value != survived[name]
        }
    parts = [f'"claims":{_compact(claims)}']
    if faults:
        parts.append(f'"faults":{_compact(faults)}')
    lines = ",\n".join(map(_compact, rows.values()))
    return "{" + ",\n".join([*parts, f'"rows":[\n{lines}\n]']) + "}\n"


def _compact(value: Any) -> str:
    return json.dumps(plain(value), allow_nan=False, separators=(",", ":"))


def completed(
    cells: Sequence[Cell], store: Store, workers: Workers, limit: float | None, title: str
) -> dict[Cell, Result]:
    """The results of all cells. Those that the store lacks are computed, in the order given, and
    stored, at the latest after a second.

    limit: seconds a cell may take.
    title: of the progress bar.
    """
    results = {cell: store.results[cell] for cell in cells if cell in store.results}
    missing = [cell for cell in cells if cell not in results]
    saved = time.monotonic()
    with tqdm(total=len(cells), initial=len(results), desc=title, unit="cell", disable=None) as bar:
        try:
            for cell, result in computed(missing, workers, limit):
                results[cell] = store.results[cell] = result
                if time.monotonic() > saved + 1:
                    store.save()
                    saved = time.monotonic()
                bar.update()
                name = cell.subject.rpartition(":")[2]
                bar.set_postfix_str(f"{name} {cell.claim} {result.outcome}", refresh=False)
        finally:
            store.save()
    return results


def computed(
    cells: Sequence[Cell], workers: Workers, limit: float | None
) -> Iterator[tuple[Cell, Result]]:
    """The cells and their results as they are finished. Cells of one subject, profile and seed
    share their training runs and their edited copy of core, which are removed after the last of
    them.

    Raises ValueError if an edit of core does not find what it replaces.
    """
    left = Counter(map(_trained_alike, cells))
    with tempfile.TemporaryDirectory(prefix="theory-faults-") as folder:
        place = {alike: Path(folder) / str(number) for number, alike in enumerate(left)}
        edits = {alike: edit_of(alike[0]) for alike in left}
        for alike, path in place.items():
            path.mkdir()
            if edit := edits[alike]:
                edit.write_copy(path)
        calls = [(cell, place[_trained_alike(cell)]) for cell in cells]
        cores = [path if edits[_trained_alike(cell)] else None for cell, path in calls]
        for index, answer in workers.outcomes(check_cell, calls, limit, cores):
            cell, path = calls[index]
            left[_trained_alike(cell)] -= 1
            if not left[_trained_alike(cell)]:
                shutil.rmtree(path, ignore_errors=True)
            failed = isinstance(answer, Unanswered)
            yield cell, Result(RAISED, detail=str(answer)) if failed else answer


def _trained_alike(cell: Cell) -> tuple[str, str, int]:
    return cell.subject, cell.profile, cell.seed
