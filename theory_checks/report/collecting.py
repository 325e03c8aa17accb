"""The part of a pytest run that writes its report: on the controller of a parallel run, or in its
only process."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from theory_checks.checking.guests import reason
from theory_checks.checking.record import NOT_RUN, RAISED, Record
from theory_checks.report import looks_like, terminal
from theory_checks.report.document import EXIT_UNDECIDED, Report
from theory_checks.report.results import Share
from theory_checks.report.serial import plain, restored
from theory_checks.report.write import PAGE, begin, noting, write, write_whole

if TYPE_CHECKING:
    from theory_checks.report.compare import Comparison
    from theory_checks.report.page import Drawings

RECORD = "theory_record"  # the attribute of a test report that carries a record, as JSON
SELECTED = "selected.json"
REFRESH = 5.0  # seconds between two versions of report.json during a run


def write_selected(
    shared: Path, claims: Sequence[Record], ledger: Sequence[Share], device: str
) -> None:
    """Writes down for the process that makes the report what will be checked."""
    text = json.dumps({"claims": plain(claims), "ledger": plain(ledger), "device": device})
    write_whole(shared / SELECTED, text)


class Reporter:
    """Collects records as they arrive. report.json exists from the start of the run, with claims as
    `not run` until their records arrive.

    report: what is known before the run
    directory: of report.json
    shared: where a worker writes what was selected
    baseline: the run to compare with
    """

    def __init__(
        self, report: Report, directory: Path, shared: Path, baseline: Report | None
    ) -> None:
        self.report = report
        self.directory = directory
        self.shared = shared
        self.baseline = baseline
        self.comparison: Comparison | None = None
        self.records: dict[str, Record] = {}
        self.drawn: dict[str, Drawings] = {}
        self.finished: set[str] = set()
        self.something_else_failed = False
        self.problems: list[str] = []
        self.enough_failures = False
        self.shown = False
        self.started = self.written = time.monotonic()

    def begin(self) -> None:
        """Writes the first report once the selected claims are known."""
        if self.records or not (self.shared / SELECTED).exists():
            return
        selected = json.loads((self.shared / SELECTED).read_text(encoding="utf-8"))
        claims = restored(tuple[Record, ...], selected["claims"], "claims")
        self.records = {claim.id: replace(claim, seed=self.report.seed) for claim in claims}
        self.report = replace(
            self.report,
            device=selected["device"],
            ledger=restored(tuple[Share, ...], selected["ledger"], "ledger"),
        )
        if self.records:
            begin(self.current(), self.directory)

    def current(self) -> Report:
        """The report so far."""
        return replace(
            self.report,
            seconds=time.monotonic() - self.started,
            complete=self.finished == set(self.records)
            and all(record.verdict != NOT_RUN for record in self.records.values()),
            records=tuple(self.records.values()),
        )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        self.begin()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        self.begin()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        claim_id = report.nodeid.rpartition("::")[2]
        text = getattr(report, RECORD, None)
        if text is not None:
            self.records[claim_id] = Record.from_json(text)
            self.draw(claim_id)
        record = self.records.get(claim_id)
        crashed = report.when not in ("setup", "call", "teardown")
        if record and record.passed and report.failed:
            # The check passed, but something around it failed, in whichever phase.
            detail = report.longreprtext.strip().rpartition("\n")[2] or f"failed in {report.when}"
            self.records[claim_id] = replace(record, verdict=RAISED, detail=detail)
        elif record and text is None and crashed and claim_id not in self.finished:
            detail = "its worker crashed"
            self.records[claim_id] = replace(record, verdict=NOT_RUN, detail=detail)
        elif text is None and report.failed:
            self.something_else_failed = True
        elif record and text is None and report.skipped:
            *_, why = report.longrepr if isinstance(report.longrepr, tuple) else (report.longrepr,)
            self.records[claim_id] = replace(record, detail=str(why))
        if record and report.when != "setup":
            self.finished.add(claim_id)
        if self.records and time.monotonic() - self.written > REFRESH:
            begin(self.current(), self.directory)
            self.written = time.monotonic()

    def draw(self, claim_id: str) -> None:
        """Draws a claim's pictures as soon as its record arrives, while workers go on, so that the
        end of the run is not delayed."""
        from theory_checks.report.page import drawings

        with contextlib.suppress(Exception):  # the page draws what is missing, or says why not
            self.drawn[claim_id] = drawings(self.records[claim_id])

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Notes whether it is no key: xdist ends a run in the same way after --maxfail failures."""
        self.enough_failures = str(excinfo.value).startswith("stopping after ")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        try:
            yield
        except Warning as warning:  # where warnings are errors: of a cache that is not writable
            self.problems.append(f"at the end of the run: {reason(warning)}")
        finally:  # after an interrupt as well; the terminal's summary, an outer wrapper, follows
            self.finish(session)

    def finish(self, session: pytest.Session) -> None:
        """Writes the last report and sets the exit status."""
        if not self.records:
            return
        for claim_id in self.records.keys() - self.finished:
            self.records[claim_id] = replace(
                self.records[claim_id], detail="the run ended before it was checked"
            )
        report = self.current()
        with noting(self.problems, "the run could not be compared with its baseline"):
            if self.baseline is not None:
                from theory_checks.report.compare import compare

                self.comparison = compare(self.baseline, report)
        self.problems += write(report, self.directory, self.comparison, self.drawn)
        session.exitstatus = self.exit_status(session.exitstatus)

    def exit_status(self, status: int) -> int:
        """The exit status of pytest, except: undecided if claims failed or were not run, but none
        is broken; failed if the baseline was better, or if --maxfail failures ended the run."""
        records = self.records.values()
        broken = any(record.broken for record in records)
        if status == pytest.ExitCode.INTERRUPTED and self.enough_failures:
            status = pytest.ExitCode.TESTS_FAILED
        if status == pytest.ExitCode.TESTS_FAILED and not broken and not self.something_else_failed:
            return EXIT_UNDECIDED
        if status == pytest.ExitCode.OK and self.comparison is not None and self.comparison.worse:
            return pytest.ExitCode.TESTS_FAILED
        if status == pytest.ExitCode.OK and any(record.verdict == NOT_RUN for record in records):
            return EXIT_UNDECIDED
        return status

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Shows the verdicts where pytest shows no summary: after an internal error."""
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if self.records and not self.shown and terminal is not None:
            self.pytest_terminal_summary(terminal, pytest.ExitCode.INTERNAL_ERROR, config)

    def pytest_terminal_summary(
        self, terminalreporter: Any, exitstatus: int, config: pytest.Config
    ) -> None:
        self.shown = True
        lines = []
        if self.records:
            terminalreporter.section("claims")
            if config.get_verbosity() > 0:
                for record in terminal.in_order(self.records.values()):
                    lines += terminal.details(record)
            lines += terminal.table(self.records.values(), terminalreporter._tw.fullwidth)
            lines += looks_like.words({r.id: r.verdict for r in self.records.values()})
            if self.comparison is not None:
                lines += terminal.changes(self.comparison)
        lines += [
            f"{claim_id}: no check of this claim was collected"
            for claim_id in config.getoption("--theory-claim")
            if claim_id not in self.records and exitstatus != pytest.ExitCode.INTERRUPTED
        ]
        if self.records:
            if config.getoption("--theory-seed") == "random":
                # -q suppresses the header, which has the seed as well
                lines.append(f"seed: {self.report.seed}")
            lines += self.problems or [f"report: {self.directory / PAGE}"]
        for line in lines:
            terminalreporter.write_line(line)
