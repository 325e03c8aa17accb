"""Cells: one claim checked on one subject with one seed; their results are kept, so that nothing is
computed twice."""

import functools
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from theory_checks.checking.claim import DEFAULT_ALPHA, Claim
from theory_checks.checking.profiles import PROFILES
from theory_checks.evidence.ledger import Ledger
from theory_checks.faults.workers import Workers
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
    """subject: module:NAME; claim: its id; profile: the name of a Profile."""

    subject: str
    claim: str
    profile: str
    seed: int


@dataclass(frozen=True)
class Result:
    """What checking a cell found.

    outcome: killed (the claim is violated), survived (it holds), inconclusive, vacuous, or error:
    an exception, a number that is none, a crash or a cell that took too long, which is no kill.
    margin, bound, resolution: as in a Record; samples: draws over all inputs; examples: inputs
    judged; used: the subject's ingredients that the check called, or that training runs made for an
    earlier one may have called.
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
    """An ingredient of a subject that notes its name in `used` when it is called, or asked for what
    it has besides."""

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
    from theory_checks.checking.registry import built_in

    return {id: replace(claim, picture=None) for id, claim in built_in().items()}


@functools.cache
def budget() -> Ledger:
    """The error budget that every cell is checked at, that of a run."""
    from theory_checks.checking.budget import ledger

    return ledger(DEFAULT_ALPHA, claims().values())


def key(cell: Cell) -> str:
    """The name of a cell's result: equal as long as subject, claim, what checks it, profile, seed
    and core are the same."""
    from theory_checks.faults.fingerprint import fingerprint, source_of_core

    return fingerprint(
        _of_subject(cell.subject),
        _of_claim(cell.claim, cell.profile),
        cell.profile,
        cell.seed,
        source_of_core(),
    )


@functools.cache
def _of_subject(name: str) -> str:
    from theory_checks.checking.run import load_subject
    from theory_checks.faults.fingerprint import fingerprint

    return fingerprint(load_subject(name))


@functools.cache
def _of_claim(id: str, profile: str) -> str:
    from theory_checks.checking import search
    from theory_checks.checking.registry import claim_hash
    from theory_checks.faults.fingerprint import fingerprint

    return fingerprint(
        claim_hash(claims()[id], PROFILES[profile]), claims()[id].check, search.examine
    )


def check_cell(cell: Cell, shared: Path) -> Result:
    """Checks the claim; `shared` keeps the training runs of this subject, profile and seed.
    Exceptions become a result."""
    import torch

    from theory_checks.checking.run import Run, load_subject
    from theory_checks.checking.search import check

    torch.set_num_threads(1)
    profile, device, used = PROFILES[cell.profile], torch.device("cpu"), set[str]()
    try:
        subject = load_subject(cell.subject)
        if claims()[cell.claim].trains:
            used.update(vars(subject))
        watched = replace(
            subject,
            **{name: Watched(name, ingredient, used) for name, ingredient in vars(subject).items()},
        )
        run = Run(watched, cell.subject, profile, device, cell.seed, budget(), shared)
        record = check(
            claims()[cell.claim], run, shrink=False
        )  # a kill is a kill, whatever its input
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
    """Results by key, a line each: {"key", "cell", "result"}. A line that was cut short is computed
    again."""

    path: Path

    def read(self) -> dict[str, Result]:
        """All results that are there; of several with one key the last. Ends a line that was cut
        short."""
        if not self.path.exists():
            return {}
        text, found = self.path.read_text(encoding="utf-8"), {}
        if not text.endswith("\n"):
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                found[entry["key"]] = restored(Result, entry["result"], "result")
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def add(self, key: str, cell: Cell, result: Result) -> None:
        """Appends a result."""
        text = json.dumps(
            {"key": key, "cell": plain(cell), "result": plain(result)}, allow_nan=False
        )
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def completed(
    cells: Sequence[Cell], store: Store, workers: Workers, limit: float | None, title: str
) -> dict[Cell, Result]:
    """The results of all cells; those that the store lacks are computed, in the order given, and
    stored one by one.

    limit: seconds a cell may take.
    """
    from tqdm import tqdm

    keys = {cell: key(cell) for cell in cells}
    known = store.read()
    found = {cell: known[keys[cell]] for cell in cells if keys[cell] in known}
    missing = [cell for cell in cells if cell not in found]
    with tqdm(total=len(cells), initial=len(found), desc=title, unit="cell", disable=None) as bar:
        for cell, result in computed(missing, workers, limit):
            store.add(keys[cell], cell, result)
            found[cell] = result
            bar.update()
            bar.set_postfix_str(
                f"{cell.subject.rpartition(':')[2]} {cell.claim} {result.outcome}", refresh=False
            )
    return found


def computed(
    cells: Sequence[Cell], workers: Workers, limit: float | None
) -> Iterator[tuple[Cell, Result]]:
    """The cells and their results as they are finished. Cells of one subject and seed share their
    training runs, which are removed after the last of them."""
    with tempfile.TemporaryDirectory(prefix="theory-faults-") as folder:
        places = {cell: Path(folder) / str(number) for number, cell in enumerate(_firsts(cells))}
        place = {cell: places[first] for first, cell in _with_firsts(cells)}
        left = {path: sum(other == path for other in place.values()) for path in places.values()}
        for path in left:
            path.mkdir()
        for index, answer in workers.outcomes(
            check_cell, [(cell, place[cell]) for cell in cells], limit
        ):
            cell = cells[index]
            left[place[cell]] -= 1
            if not left[place[cell]]:
                shutil.rmtree(place[cell], ignore_errors=True)
            yield cell, answer if isinstance(answer, Result) else Result(ERROR, detail=answer)


def _with_firsts(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    firsts: dict[Any, Cell] = {}
    for cell in cells:
        yield firsts.setdefault((cell.subject, cell.profile, cell.seed), cell), cell


def _firsts(cells: Sequence[Cell]) -> list[Cell]:
    return list(dict.fromkeys(first for first, _ in _with_firsts(cells)))
