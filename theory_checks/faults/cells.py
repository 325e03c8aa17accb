"""Cells: one claim checked on one subject with one seed. Results are kept, so that nothing is
computed twice."""

import functools
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from theory_checks.checking.budget import ledger
from theory_checks.checking.claim import DEFAULT_ALPHA, Claim
from theory_checks.checking.fingerprint import fingerprint
from theory_checks.checking.profiles import PROFILES
from theory_checks.checking.registry import built_in, claim_hash
from theory_checks.checking.run import Run, load_subject
from theory_checks.checking.search import check, examine
from theory_checks.evidence.ledger import Ledger
from theory_checks.faults.workers import Unanswered, Workers
from theory_checks.report.serial import plain, restored

OUTCOMES = {
    "violated": "killed",
    "holds": "survived",
    "inconclusive": "inconclusive",
    "vacuous": "vacuous",
}
ERROR = "error"


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

    outcome: killed (the claim is violated), survived (it holds), inconclusive, vacuous, or error:
        an exception, NaN, crash or timeout; not counted as a kill.
    margin, bound, resolution: as in a Record.
    samples: draws over all inputs.
    examples: inputs judged.
    seconds: duration of the check.
    detail: why, in words.
    worst_case: the input with the smallest margin.
    used: the ingredients of the subject that the check called; all of them where it reads training
        runs, which may have been made for an earlier check.
    """

    outcome: str
    margin: float | None = None
    bound: float | None = None
    resolution: float | None = None
    samples: int = 0
    examples: int = 0
    seconds: float = 0.0
    detail: str = ""
    worst_case: str = ""
    used: tuple[str, ...] = ()


@dataclass(frozen=True)
class Watched:
    """An ingredient of a subject that notes its name in `used` when it is called or one of its
    attributes is read."""

    name: str
    ingredient: Any
    used: set[str]

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.used.add(self.name)
        return self.ingredient(*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        self.used.add(self.name)
        return getattr(self.ingredient, name)


@functools.cache
def claims() -> dict[str, Claim]:
    """All claims by id, without their pictures, which take time to draw."""
    return {claim_id: replace(claim, picture=None) for claim_id, claim in built_in().items()}


@functools.cache
def budget() -> Ledger:
    """The error budget of every cell, that of a run."""
    return ledger(DEFAULT_ALPHA, claims().values())


def key(cell: Cell) -> str:
    """The name of a cell's result, which changes with the source of anything that it depends on:
    subject, claim, what checks it, and core."""
    return fingerprint(
        _of_subject(cell.subject), _of_claim(cell.claim, cell.profile), cell.profile, cell.seed
    )


@functools.cache
def _of_subject(name: str) -> str:
    return fingerprint(load_subject(name))


@functools.cache
def _of_claim(claim_id: str, profile: str) -> str:
    claim = claims()[claim_id]
    return fingerprint(claim_hash(claim, PROFILES[profile]), claim, examine, Run)


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
        watched = {name: Watched(name, value, used) for name, value in vars(subject).items()}
        run = Run(
            replace(subject, **watched), cell.subject, profile, device, cell.seed, budget(), shared
        )
        record = check(claim, run, shrink=False)  # a kill is a kill, whatever its input
    except Exception as error:
        return Result(ERROR, detail=f"{type(error).__name__}: {error}")
    outcome = OUTCOMES[record.verdict]
    if outcome == "killed" and (record.margin is None or record.margin != record.margin):
        outcome = ERROR  # what was observed is not a number
    return Result(
        outcome,
        record.margin,
        record.bound,
        record.resolution,
        record.samples,
        record.examples,
        record.seconds,
        record.detail,
        record.worst_case,
        tuple(sorted(used)),
    )


@dataclass(frozen=True)
class Store:
    """Results by key in a file, a line each: {"key", "cell", "result"}. A line that was cut short
    is computed again."""

    path: Path

    def read(self) -> dict[str, Result]:
        """All results; of several with one key the last. Ends a line that was cut short."""
        if not self.path.exists():
            return {}
        text, results = self.path.read_text(encoding="utf-8"), {}
        if not text.endswith("\n"):
            self._append("\n")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                results[entry["key"]] = restored(Result, entry["result"], "result")
            except (ValueError, KeyError, TypeError):
                continue
        return results

    def add(self, key: str, cell: Cell, result: Result) -> None:
        """Appends a result."""
        entry = {"key": key, "cell": plain(cell), "result": plain(result)}
        self._append(json.dumps(entry, allow_nan=False) + "\n")

    def _append(self, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text)


def completed(
    cells: Sequence[Cell], store: Store, workers: Workers, limit: float | None, title: str
) -> dict[Cell, Result]:
    """The results of all cells. Those that the store lacks are computed, in the order given, and
    stored one by one.

    limit: seconds a cell may take.
    title: of the progress bar.
    """
    keys = {cell: key(cell) for cell in cells}
    known = store.read()
    results = {cell: known[keys[cell]] for cell in cells if keys[cell] in known}
    missing = [cell for cell in cells if cell not in results]
    with tqdm(total=len(cells), initial=len(results), desc=title, unit="cell", disable=None) as bar:
        for cell, result in computed(missing, workers, limit):
            store.add(keys[cell], cell, result)
            results[cell] = result
            bar.update()
            name = cell.subject.rpartition(":")[2]
            bar.set_postfix_str(f"{name} {cell.claim} {result.outcome}", refresh=False)
    return results


def computed(
    cells: Sequence[Cell], workers: Workers, limit: float | None
) -> Iterator[tuple[Cell, Result]]:
    """The cells and their results as they are finished. Cells of one subject, profile and seed
    share their training runs, which are removed after the last of them."""
    left = Counter(map(_trained_alike, cells))
    with tempfile.TemporaryDirectory(prefix="theory-faults-") as folder:
        place = {alike: Path(folder) / str(number) for number, alike in enumerate(left)}
        for path in place.values():
            path.mkdir()
        calls = [(cell, place[_trained_alike(cell)]) for cell in cells]
        for index, answer in workers.outcomes(check_cell, calls, limit):
            cell, path = calls[index]
            left[_trained_alike(cell)] -= 1
            if not left[_trained_alike(cell)]:
                shutil.rmtree(path, ignore_errors=True)
            failed = isinstance(answer, Unanswered)
            yield cell, Result(ERROR, detail=str(answer)) if failed else answer


def _trained_alike(cell: Cell) -> tuple[str, str, int]:
    return cell.subject, cell.profile, cell.seed
