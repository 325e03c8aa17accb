"""pytest options of the theory checks, and the hooks that turn claims into tests and collect their
evidence.

The xdist controller runs these hooks too; it must stay free of torch, SciPy and Hypothesis, which
take seconds to import: what needs them is imported where it is used.
"""

from theory_checks.checking.process import tune_process

tune_process()

import gc
import inspect
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import asdict
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import BaseFileLock

from theory_checks.checking.claim import (
    DEFAULT_ALPHA,
    DEFAULT_SEED,
    DEFAULT_SUBJECT,
    Claim,
    with_dependencies,
)
from theory_checks.checking.profiles import PROFILES
from theory_checks.checking.record import Record
from theory_checks.report.collecting import RECORD, Reporter, tell_selected
from theory_checks.report.document import SCHEMA, Report, read_report
from theory_checks.report.provenance import environment, git_state
from theory_checks.report.write import reserve

if TYPE_CHECKING:
    from theory_checks.checking.run import Run
    from theory_checks.evidence.ledger import Ledger

ROOT = Path(__file__).resolve().parent
DEFAULT_ALPHA_TEXT = str(float(DEFAULT_ALPHA))
MOST_DIGITS = 40  # of a seed, more than the 128 bits that a seed sequence keeps
PACKAGES = ("torch", "numpy", "scipy", "hypothesis", "pytest", "pytest-xdist")
RUN = pytest.StashKey["Run"]()
SEED = pytest.StashKey[int]()
SHARED = pytest.StashKey[Path]()
LOCK = pytest.StashKey[BaseFileLock]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("theory", "checking the theory")
    group.addoption(
        "--theory-profile",
        choices=list(PROFILES),
        default="standard",
        help="how much evidence to gather",
    )
    group.addoption(
        "--theory-subject",
        default=DEFAULT_SUBJECT,
        metavar="module:NAME",
        help="the core.Subject to check",
    )
    group.addoption(
        "--theory-claim",
        action="append",
        default=[],
        metavar="ID",
        help="check this claim and what it depends on (repeatable)",
    )
    group.addoption(
        "--theory-claims",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of your own claims to check too (repeatable)",
    )
    group.addoption("--theory-device", default="auto", help="auto, cpu, cuda, cuda:i or mps")
    group.addoption(
        "--theory-alpha",
        default=DEFAULT_ALPHA_TEXT,
        metavar="A",
        help="probability of any false alarm in the whole run",
    )
    group.addoption(
        "--theory-ledger",
        action="store_true",
        help="print how alpha is shared among the claims, and end",
    )
    group.addoption(
        "--theory-report", default="theory-report", metavar="DIR", help="where to write the report"
    )
    group.addoption(
        "--theory-baseline", metavar="FILE", help="report.json of an earlier run to compare with"
    )
    group.addoption(
        "--theory-seed", default=str(DEFAULT_SEED), metavar="N", help="a whole number, or random"
    )


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def checks_theory(config: pytest.Config) -> bool:
    """Whether this run was asked for theory_checks/ or part of it."""
    paths = (
        Path(str(config.invocation_params.dir), arg.split("::")[0]).resolve() for arg in config.args
    )
    return any(path == ROOT or path.is_relative_to(ROOT / "theory_checks") for path in paths)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Claims(), "theory-claims")
    outside = claims_from_outside(config)
    config.args += sorted(
        {inspect.getfile(claim.check) for claim in outside.values()}
    )  # collected like the built-in ones
    if is_worker(config):
        config.stash[SEED] = config.workerinput["theory_seed"]
        config.stash[SHARED] = Path(config.workerinput["theory_shared"])
        return
    config.stash[SEED] = parse_seed(config.getoption("--theory-seed"))
    if not config.getoption("--theory-report"):
        raise pytest.UsageError("--theory-report '': needs a directory")
    if config.getoption("--theory-alpha") != DEFAULT_ALPHA_TEXT:
        from theory_checks.checking.budget import alpha_from

        try:
            alpha_from(config.getoption("--theory-alpha"))
        except ValueError as error:
            raise pytest.UsageError(f"--theory-{error}") from error
    for id in config.getoption("--theory-claim"):
        from theory_checks.checking.registry import declared_ids

        known = (*declared_ids(), *outside)
        if id not in known:
            raise pytest.UsageError(
                f"--theory-claim {id}: no such claim; known: {', '.join(known)}"
            )
    subject, device = config.getoption("--theory-subject"), config.getoption("--theory-device")
    if subject != DEFAULT_SUBJECT or device not in ("auto", "cpu"):
        from theory_checks.checking.run import load_subject, resolve_device

        try:
            load_subject(subject)
            resolve_device(device)
        except ValueError as error:
            raise pytest.UsageError(f"--theory-{error}") from error
    config.stash[SHARED] = Path(tempfile.mkdtemp(prefix="theory-checks-"))
    if checks_theory(config) and hasattr(config.option, "maxschedchunk"):
        config.option.maxschedchunk = (
            config.option.maxschedchunk or 1
        )  # few, long tests: hand them out one by one


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    if is_worker(config) or not checks_theory(config) or config.option.collectonly:
        return
    directory = config.invocation_params.dir / config.getoption("--theory-report")
    try:
        baseline = read_baseline(config)
        config.stash[LOCK] = reserve(directory)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    reporter = Reporter(unfinished_report(config), directory, config.stash[SHARED], baseline)
    config.pluginmanager.register(reporter, "theory-report")


def read_baseline(config: pytest.Config) -> Report | None:
    """The report to compare with, if there is one. Raises ValueError that names the file if it
    cannot be compared with this run."""
    if config.getoption("--theory-baseline") is None:
        return None
    path = config.invocation_params.dir / config.getoption("--theory-baseline")
    baseline, profile = read_report(path), config.getoption("--theory-profile")
    if baseline.profile != profile:
        raise ValueError(
            f"{path}: of profile {baseline.profile}, cannot be compared with a run of profile"
            f" {profile}"
        )
    return baseline


def unfinished_report(config: pytest.Config) -> Report:
    """The report of this run as far as it is known before anything is checked."""
    commit, dirty = git_state(config.rootpath)
    return Report(
        schema=SCHEMA,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        subject=config.getoption("--theory-subject"),
        profile=config.getoption("--theory-profile"),
        device=config.getoption("--theory-device"),
        seed=config.stash[SEED],
        alpha=float(Fraction(config.getoption("--theory-alpha"))),
        command=shlex.join(["pytest", *config.invocation_params.args]),
        environment=environment(PACKAGES),
        commit=commit,
        dirty=dirty,
        seconds=0.0,
        complete=False,
        ledger=(),
        records=(),
    )


def pytest_unconfigure(config: pytest.Config) -> None:
    if LOCK in config.stash:
        config.stash[LOCK].release()
    if not is_worker(config) and SHARED in config.stash:
        shutil.rmtree(config.stash[SHARED], ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["theory_seed"] = node.config.stash[SEED]
    node.workerinput["theory_shared"] = str(node.config.stash[SHARED])


def parse_seed(text: str) -> int:
    """A seed from the command line. Raises UsageError unless it is a whole number >= 0 that is not
    too long, or random."""
    if text == "random":
        return secrets.randbelow(2**32)
    if not text.isdecimal() or len(text) > MOST_DIGITS:
        raise pytest.UsageError(
            f"--theory-seed {text[: MOST_DIGITS + 1]}: needs a whole number >= 0 of at most"
            f" {MOST_DIGITS} digits, or random"
        )
    return int(text)


def claims_from_outside(config: pytest.Config) -> dict[str, Claim]:
    """The claims of --theory-claims. Raises UsageError that says what is wrong with a module."""
    modules = config.getoption("--theory-claims")
    if not modules:
        return {}
    from theory_checks.checking.registry import from_outside

    try:
        return from_outside(modules)
    except ValueError as error:
        raise pytest.UsageError(f"--theory-{error}") from error


def budget_of(config: pytest.Config) -> "Ledger":
    """The error budget that the options describe. Raises UsageError unless 0 < alpha < 1."""
    from theory_checks.checking.budget import alpha_from, ledger
    from theory_checks.checking.registry import registered

    try:
        alpha = alpha_from(config.getoption("--theory-alpha"))
        return ledger(alpha, registered(config.getoption("--theory-claims")).values())
    except ValueError as error:
        raise pytest.UsageError(f"--theory-{error}") from error


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if not config.getoption("--theory-ledger"):
        return None
    print("\n".join(budget_of(config).text()))
    return 0


def pytest_report_header(config: pytest.Config) -> list[str]:
    if not checks_theory(config):
        return []
    profile = PROFILES[config.getoption("--theory-profile")]
    found = environment(PACKAGES)
    versions = ", ".join(
        f"{name} {found[name]}" for name in ("torch", "numpy", "scipy", "hypothesis")
    )
    return [
        (
            f"theory: subject {config.getoption('--theory-subject')}, device"
            f" {config.getoption('--theory-device')}, float32 training and float64 exact claims,"
            f" seed {config.stash[SEED]}, profile {profile} ({profile.duration} on 2 cores)"
        ),
        f"theory: {versions}, Python {found['python']}",
    ]


class ClaimItem(pytest.Item):
    """A claim as a test named by the claim's id."""

    def __init__(self, *, claim: Claim, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # A warning of the code under test is no verdict, here or in a replay.
        self.add_marker(pytest.mark.filterwarnings("default"))
        self.claim = claim
        self.record: Record | None = None

    def runtest(self) -> None:
        from theory_checks.checking.search import NotHeld, broken, check, failure

        try:
            record = check(self.claim, self.config.stash[RUN])
        except Exception as error:
            self._keep(broken(self.claim, self.config.stash[RUN], error))
            raise
        self._keep(record)
        if record.verdict != "holds":
            raise NotHeld(failure(record))

    def _keep(self, record: Record) -> None:
        self.record = record
        self.user_properties += [
            ("claim", record.id),
            ("verdict", record.verdict),
            ("command", record.command),
        ]  # for --junitxml

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from theory_checks.checking.search import NotHeld

        if isinstance(excinfo.value, NotHeld):
            return str(excinfo.value)
        # Only frames of the project and of the code under test: those of pytest and Hypothesis say
        # nothing about it.
        excinfo.traceback = excinfo.traceback.filter(
            lambda entry: "site-packages" not in str(entry.path)
        )
        return self._repr_failure_py(excinfo, style="short")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.claim.id} {self.claim.statement}"


class Claims:
    """Hooks for the modules of claims, wherever they lie: those of a conftest.py are called for
    files beside and below it only."""

    def pytest_pycollect_makeitem(self, collector: Any, name: str, obj: object) -> ClaimItem | None:
        # A claim that a test module imports from another one belongs to the module that defines it.
        if isinstance(obj, Claim) and obj.check.__module__ == collector.obj.__name__:
            return ClaimItem.from_parent(collector, name=obj.id, claim=obj)
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "call" and isinstance(item, ClaimItem) and item.record is not None:
            setattr(report, RECORD, item.record.to_json())
        return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    claims = {item.claim.id: item.claim for item in items if isinstance(item, ClaimItem)}
    if not claims:
        return
    wanted = tuple(config.getoption("--theory-claim"))
    if wanted:
        chosen = with_dependencies(wanted, claims)
        config.hook.pytest_deselected(
            items=[i for i in items if not (isinstance(i, ClaimItem) and i.claim.id in chosen)]
        )
        items[:] = [i for i in items if isinstance(i, ClaimItem) and i.claim.id in chosen]
    items.sort(
        key=lambda item: dearest_first(item.claim) if isinstance(item, ClaimItem) else (3, 0)
    )
    config.stash[RUN] = make_run(config)


def dearest_first(item: pytest.Item) -> tuple[int, int]:
    """The place of a test in the run: no worker is to be left alone with a dear claim at the end.

    Training claims come first, those that look at most scenarios before others; of the rest, those
    that try few inputs are those whose inputs take long.
    """
    if not isinstance(item, ClaimItem):
        return (2, 0)
    return (0, -item.claim.examples) if item.claim.trains else (1, item.claim.examples)


@pytest.hookimpl(tryfirst=True)  # before xdist tells the controller, which reads what is left there
def pytest_collection_finish(session: pytest.Session) -> None:
    claims = [item.claim for item in session.items if isinstance(item, ClaimItem)]
    if not claims:
        return
    gc.freeze()  # what was imported stays: not to be looked through at every collection
    from theory_checks.checking.registry import described

    run = session.config.stash[RUN]
    lines = [
        {**asdict(line), "share": float(run.ledger.share(line.id))} for line in run.ledger.lines
    ]
    ledger = [{name: line[name] for name in ("id", "share", "inputs", "reason")} for line in lines]
    tell_selected(
        session.config.stash[SHARED],
        [described(claim, run.profile) for claim in claims],
        ledger,
        run.device.type,
    )


def make_run(config: pytest.Config) -> "Run":
    """The run that the options describe, in the process that checks claims."""
    import torch

    from theory_checks.checking.run import Run, load_subject, resolve_device

    torch.set_num_threads(1)
    worker = int(config.workerinput["workerid"].removeprefix("gw")) if is_worker(config) else 0
    device = resolve_device(config.getoption("--theory-device"), worker)
    name = config.getoption("--theory-subject")
    profile = PROFILES[config.getoption("--theory-profile")]
    budget = budget_of(config)
    claims_from = tuple(config.getoption("--theory-claims"))
    return Run(
        load_subject(name),
        name,
        profile,
        device,
        config.stash[SEED],
        budget,
        config.stash[SHARED],
        claims_from,
    )
