"""A pytest run that checks claims: its tests, and what it does before and after them.

The xdist controller runs this too; it must stay free of torch, SciPy and Hypothesis, which take
seconds to import: what needs them is imported where it is used.
"""

from __future__ import annotations

import gc
import inspect
import shlex
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import BaseFileLock

from theory_checks.checking.claim import DEFAULT_SUBJECT, Claim, with_dependencies
from theory_checks.checking.guests import Ended, lines_from, reason
from theory_checks.checking.in_process import (
    PACKAGES,
    longest_first,
    modules_of,
    shares,
    unfinished_report,
)
from theory_checks.checking.options import Options, options_from
from theory_checks.checking.process import find_modules_in, tune_process
from theory_checks.checking.record import RAISED, Record
from theory_checks.checking.registry import (
    FOLDER,
    declared_ids,
    described,
    from_outside,
    meant,
    module_at,
)
from theory_checks.report.collecting import RECORD, SELECTED, Reporter, write_selected
from theory_checks.report.document import Report, read_report
from theory_checks.report.provenance import environment
from theory_checks.report.write import reserve

if TYPE_CHECKING:
    from theory_checks.checking.run import Run

FIRST_WORKER = "gw0"
UNWRITTEN = "theory_unwritten"  # what a worker could not tell in a file, in its last message
OTHER_DIRECTORY = "the variable TMPDIR chooses another directory for temporary files"
RUN: pytest.StashKey[Run] = pytest.StashKey()


def options_of(config: pytest.Config) -> Options:
    """The run's options. Modules beside the user are found from here on.

    Raises UsageError that says which option is wrong.
    """
    given = {
        name: config.getoption(f"--theory-{name}")
        for name in ("subject", "profile", "seed", "alpha", "device")
    }
    try:
        find_modules_in(config.invocation_params.dir)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    try:
        options = options_from({**given, "claims_from": config.getoption("--theory-claims")})
        outside = from_outside(options.claims_from)
        # Reading what files declare takes time; workers are given what their controller has read.
        wanted = () if hasattr(config, "workerinput") else config.getoption("--theory-claim")
        for claim_id in wanted:
            if claim_id not in (known := (*declared_ids(), *outside)):
                raise ValueError(f"claim {claim_id}: no such claim; {meant(claim_id, known)}")
        if options.subject != DEFAULT_SUBJECT or options.device not in ("auto", "cpu"):
            from theory_checks.checking.run import load_subject, resolve_device

            load_subject(options.subject)
            resolve_device(options.device)
    except ValueError as error:
        raise pytest.UsageError(f"--theory-{error}") from error
    return options


def print_ledger(config: pytest.Config) -> int:
    """Prints how alpha is divided among the claims, instead of a run."""
    from theory_checks.checking.budget import ledger
    from theory_checks.checking.registry import registered

    options = options_of(config)
    print("\n".join(ledger(options.alpha, registered(options.claims_from).values()).text()))
    return 0


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
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._keep(broken(self.claim, self.config.stash[RUN], error))
            if isinstance(error, Exception) and not isinstance(error, pytest.exit.Exception):
                raise
            # Anything else would not count as a failure, or end the run.
            raise Ended(reason(error)) from error
        self._keep(record)
        if not record.passed:
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
        if self.record is not None and self.record.verdict == RAISED:
            return raised(self.claim, self.record, excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        # pytest counts from 0, and needs a line of what a mark skips
        code = getattr(self.claim.check, "__code__", None)
        title = f"{self.claim.id} {self.claim.statement}"
        return self.path, code.co_firstlineno - 1 if code else 0, title


def shared_directory() -> Path:
    """A new directory that the workers of a run share. Raises UsageError if there is none."""
    try:
        return Path(tempfile.mkdtemp(prefix="theory-checks-"))
    except OSError as error:
        raise pytest.UsageError(
            f"no temporary directory ({error.strerror}); {OTHER_DIRECTORY}"
        ) from error


def raised(claim: Claim, record: Record, error: BaseException) -> str:
    """The error message of a claim whose check raised."""
    return "\n".join(
        [
            f"claim {record.id} error: {record.statement}",
            f"  {record.detail}",
            *lines_from(claim.check, error),
            f"  seed {record.seed}; replay: {record.command}",
        ]
    )


class Session:
    """The hooks of a run that checks claims, in each of its processes.

    asked: whether the run was asked for claims. If not, it met claims among its own tests: they are
    tests like others, and no report is written.

    Raises UsageError that says which option is wrong.
    """

    def __init__(self, config: pytest.Config, asked: bool) -> None:
        tune_process()
        self.config = config
        self.asked = asked
        self.options = options_of(config)
        self.lock: BaseFileLock | None = None
        given = getattr(config, "workerinput", {})  # which xdist gives to a worker
        self.worker = "workerid" in given
        self.number = int(given.get("workerid", FIRST_WORKER).removeprefix("gw"))
        self.options = replace(self.options, seed=given.get("theory_seed", self.options.seed))
        self.gives_shared = "theory_shared" not in given
        self.shared = shared_directory() if self.gives_shared else Path(given["theory_shared"])
        # Collected like the built-in ones, whatever the project's own tests are called.
        outside = from_outside(self.options.claims_from).values()
        config.args += sorted({inspect.getfile(claim.check) for claim in outside})
        config.addinivalue_line("python_files", str(FOLDER / "test_*.py"))
        if asked and hasattr(config.option, "maxschedchunk"):
            # few, long tests: hand them out one by one
            config.option.maxschedchunk = config.option.maxschedchunk or 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if self.worker or self.config.option.collectonly:
            return
        given = self.config.getoption("--theory-report")
        directory = self.config.invocation_params.dir / (given or "theory-report")
        try:
            if given == "":
                raise ValueError("--theory-report '': needs a directory")
            baseline = self.baseline()
            self.lock = reserve(directory)
        except ValueError as error:
            raise pytest.UsageError(str(error)) from error
        command = shlex.join(["pytest", *self.config.invocation_params.args])
        begun = unfinished_report(self.options, command, self.config.invocation_params.dir)
        reporter = Reporter(begun, directory, self.shared, baseline)
        self.config.pluginmanager.register(reporter, "theory-report")

    def baseline(self) -> Report | None:
        """The report to compare with, if there is one. Raises ValueError that names the file if it
        cannot be compared with this run."""
        if (given := self.config.getoption("--theory-baseline")) is None:
            return None
        path = self.config.invocation_params.dir / given
        baseline, profile = read_report(path), self.options.profile.name
        if baseline.profile != profile:
            raise ValueError(
                f"{path}: of profile {baseline.profile}, cannot be compared with a run of profile"
                f" {profile}"
            )
        return baseline

    def pytest_unconfigure(self) -> None:
        if self.lock is not None:
            self.lock.release()
        if self.gives_shared:
            shutil.rmtree(self.shared, ignore_errors=True)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["theory_seed"] = self.options.seed
        node.workerinput["theory_shared"] = str(self.shared)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any) -> None:
        if node.gateway.id == FIRST_WORKER:
            self.require_claims((self.shared / SELECTED).exists())

    def pytest_report_header(self) -> list[str]:
        if not self.asked:
            return []
        options, versions = self.options, environment(PACKAGES)
        packages = ", ".join(f"{name} {versions[name]}" for name in PACKAGES[:4])
        return [
            (
                f"theory: subject {options.subject}, device {options.device}, float32 training and"
                f" float64 exact claims, seed {options.seed}, profile {options.profile}"
                f" ({options.profile.duration} on 2 cores)"
            ),
            f"theory: {packages}, Python {versions['python']}",
        ]

    @pytest.hookimpl(tryfirst=True)  # before -k deselects any
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> None:
        claims = {item.claim.id: item.claim for item in items if isinstance(item, ClaimItem)}
        if not claims:
            if not self.worker and not session.testsfailed:
                self.require_claims(False)
            return
        given = {module_at(module) for module in self.options.claims_from}
        met = modules_of(c for c in claims.values() if c.check.__module__ not in given)
        self.options = replace(self.options, claims_from=(*self.options.claims_from, *met))
        if wanted := tuple(self.config.getoption("--theory-claim")):
            chosen = with_dependencies(wanted, claims)
            left = [i for i in items if isinstance(i, ClaimItem) and i.claim.id in chosen]
            self.config.hook.pytest_deselected(items=[i for i in items if i not in left])
            items[:] = left
        items.sort(key=lambda i: longest_first(i.claim) if isinstance(i, ClaimItem) else (2, 0))
        from theory_checks.checking.run import make_run

        self.config.stash[RUN] = make_run(self.options, self.shared, self.number)

    def require_claims(self, collected: bool) -> None:
        """Raises UsageError unless claims were collected, if the run was asked for them."""
        if self.asked and not collected:
            raise pytest.UsageError(
                "this run is about the theory checks, but collects no claim; name them:"
                f" --pyargs theory_checks, or {FOLDER}"
            )

    # before xdist tells the controller, which reads what is left there
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if RUN not in self.config.stash:
            return
        gc.freeze()  # what was imported stays: not to be looked through at every collection
        # The first worker says it for all: to hash every claim takes half a second.
        if self.number > 0 or self.config.option.collectonly:
            return
        run = self.config.stash[RUN]
        claims = [item.claim for item in session.items if isinstance(item, ClaimItem)]
        records = [described(claim, run.profile) for claim in claims]
        try:
            write_selected(self.shared, records, shares(run), run.device.type)
        except OSError as error:
            problem = f"{self.shared}: cannot be written to ({error.strerror}); {OTHER_DIRECTORY}"
            if not self.worker:
                raise pytest.UsageError(problem) from error
            self.config.workeroutput[UNWRITTEN] = problem  # type: ignore[attr-defined]
            pytest.exit(problem)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        if problem := getattr(node, "workeroutput", {}).get(UNWRITTEN):
            raise pytest.UsageError(problem)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "call" and isinstance(item, ClaimItem) and item.record is not None:
            setattr(report, RECORD, item.record.to_json())
        return report
