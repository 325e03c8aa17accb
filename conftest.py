"""pytest options of the theory checks, and the hooks that turn claims into tests and collect their evidence.

The xdist controller runs these hooks too; it must stay free of torch, SciPy and Hypothesis, which take seconds to import: what
needs them is imported where it is used.
"""

import os

# Before NumPy and torch start their thread pools: two threads in each of two workers run many times slower than one.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import platform
import secrets
import shutil
import tempfile
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from theory_checks.claims import CLAIM_IDS, DEFAULT_ALPHA, Claim, Profile, with_dependencies
from theory_checks.records import NOT_RUN, PROPERTY, Record
from theory_checks.report.terminal import details, rank, table

if TYPE_CHECKING:
    from theory_checks.evidence.ledger import Ledger
    from theory_checks.run import Run

ROOT = Path(__file__).parent
DEFAULT_SUBJECT, DEFAULT_SEED = "core:PAPER", 20221128
EXPECTED = {Profile.QUICK: "under 1 minute", Profile.STANDARD: "under 3 minutes", Profile.DEEP: "under 1 hour"}
DEFAULT_ALPHA_TEXT = str(float(DEFAULT_ALPHA))
UNDECIDED = ("inconclusive", "vacuous", NOT_RUN)
EXIT_UNDECIDED = 6  # the exit status of a run in which no claim is violated, but not all were found to hold
RUN = pytest.StashKey["Run"]()
SEED = pytest.StashKey[int]()
SHARED = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("theory", "checking the theory")
    group.addoption("--theory-profile", choices=[p.value for p in Profile], default="standard", help="how much evidence to gather")
    group.addoption("--theory-subject", default=DEFAULT_SUBJECT, metavar="module:NAME", help="the core.Subject to check")
    group.addoption(
        "--theory-claim", action="append", default=[], metavar="ID", help="check this claim and what it depends on (repeatable)"
    )
    group.addoption("--theory-device", default="auto", help="auto, cpu, cuda, cuda:i or mps")
    group.addoption(
        "--theory-alpha", default=DEFAULT_ALPHA_TEXT, metavar="A", help="probability of any false alarm in the whole run"
    )
    group.addoption("--theory-ledger", action="store_true", help="print how alpha is shared among the claims, and end")
    group.addoption("--theory-seed", default=str(DEFAULT_SEED), metavar="N", help="a whole number, or random")


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def checks_theory(config: pytest.Config) -> bool:
    """Whether this run was asked for theory_checks/ or part of it."""
    paths = (Path(str(config.invocation_params.dir), arg.split("::")[0]).resolve() for arg in config.args)
    return any(path == ROOT or path.is_relative_to(ROOT / "theory_checks") for path in paths)


def pytest_configure(config: pytest.Config) -> None:
    if is_worker(config):
        config.stash[SEED] = config.workerinput["theory_seed"]
        config.stash[SHARED] = Path(config.workerinput["theory_shared"])
        return
    config.stash[SEED] = parse_seed(config.getoption("--theory-seed"))
    if config.getoption("--theory-alpha") != DEFAULT_ALPHA_TEXT:
        parse_alpha(config.getoption("--theory-alpha"))
    for id in config.getoption("--theory-claim"):
        if id not in CLAIM_IDS:
            raise pytest.UsageError(f"--theory-claim {id}: no such claim; known: {', '.join(CLAIM_IDS)}")
    subject, device = config.getoption("--theory-subject"), config.getoption("--theory-device")
    if subject != DEFAULT_SUBJECT or device not in ("auto", "cpu"):
        from theory_checks.run import load_subject, resolve_device

        try:
            load_subject(subject)
            resolve_device(device)
        except ValueError as error:
            raise pytest.UsageError(f"--theory-{error}") from error
    config.stash[SHARED] = Path(tempfile.mkdtemp(prefix="theory-checks-"))
    if checks_theory(config) and hasattr(config.option, "maxschedchunk"):
        config.option.maxschedchunk = config.option.maxschedchunk or 1  # few, long tests: hand them out one by one


def pytest_unconfigure(config: pytest.Config) -> None:
    if not is_worker(config) and SHARED in config.stash:
        shutil.rmtree(config.stash[SHARED], ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["theory_seed"] = node.config.stash[SEED]
    node.workerinput["theory_shared"] = str(node.config.stash[SHARED])


def parse_seed(text: str) -> int:
    """A seed from the command line. Raises UsageError unless it is a whole number >= 0, or random."""
    if text == "random":
        return secrets.randbelow(2**32)
    if not text.isdecimal():
        raise pytest.UsageError(f"--theory-seed {text}: needs a whole number >= 0, or random")
    return int(text)


def parse_alpha(text: str) -> "Ledger":
    """The error budget for an alpha from the command line. Raises UsageError unless it is a number between 0 and 1."""
    from theory_checks.budget import ledger

    try:
        return ledger(Fraction(text))
    except (ValueError, ZeroDivisionError):
        raise pytest.UsageError(f"--theory-alpha {text}: needs a number between 0 and 1, both excluded") from None


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if not config.getoption("--theory-ledger"):
        return None
    print("\n".join(parse_alpha(config.getoption("--theory-alpha")).text()))
    return 0


def pytest_report_header(config: pytest.Config) -> list[str]:
    if not checks_theory(config):
        return []
    profile = Profile(config.getoption("--theory-profile"))
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "scipy", "hypothesis"))
    return [
        f"theory: subject {config.getoption('--theory-subject')}, device {config.getoption('--theory-device')}, float32 training "
        f"and float64 exact claims, seed {config.stash[SEED]}, profile {profile} ({EXPECTED[profile]} on 2 cores)",
        f"theory: {versions}, Python {platform.python_version()}",
    ]


class ClaimItem(pytest.Item):
    """A claim as a test named by the claim's id."""

    def __init__(self, *, claim: Claim, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.claim = claim

    def runtest(self) -> None:
        from theory_checks.checking import NotHeld, broken, check, failure

        try:
            record = check(self.claim, self.config.stash[RUN])
        except Exception as error:
            self._keep(broken(self.claim, self.config.stash[RUN], error))
            raise
        self._keep(record)
        if record.verdict != "holds":
            raise NotHeld(failure(record))

    def _keep(self, record: Record) -> None:
        self.user_properties.append(("claim", record.id))
        self.user_properties.append((PROPERTY, record.to_json()))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from theory_checks.checking import NotHeld

        if isinstance(excinfo.value, NotHeld):
            return str(excinfo.value)
        # Only frames of the project and of the code under test: those of pytest and Hypothesis say nothing about it.
        excinfo.traceback = excinfo.traceback.filter(lambda entry: "site-packages" not in str(entry.path))
        return self._repr_failure_py(excinfo, style="short")

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.claim.id} {self.claim.statement}"


def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> ClaimItem | None:
    # A claim that a test module imports from another one belongs to the module that defines it.
    if isinstance(obj, Claim) and obj.check.__module__ == collector.obj.__name__:
        return ClaimItem.from_parent(collector, name=obj.id, claim=obj)
    return None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    claims = {item.claim.id: item.claim for item in items if isinstance(item, ClaimItem)}
    if not claims:
        return
    wanted = tuple(config.getoption("--theory-claim"))
    if wanted:
        chosen = with_dependencies(wanted, claims)
        config.hook.pytest_deselected(items=[i for i in items if not (isinstance(i, ClaimItem) and i.claim.id in chosen)])
        items[:] = [i for i in items if isinstance(i, ClaimItem) and i.claim.id in chosen]
    # Longest first, so that no worker is left alone with a long claim at the end.
    items.sort(key=lambda item: -item.claim.cost if isinstance(item, ClaimItem) else 0.0)
    config.stash[RUN] = make_run(config)


def make_run(config: pytest.Config) -> "Run":
    """The run that the options describe, in the process that checks claims."""
    import torch

    from theory_checks.run import Run, load_subject, resolve_device

    torch.set_num_threads(1)
    device = resolve_device(config.getoption("--theory-device"))
    if is_worker(config) and device.type == "cuda":
        worker = int(config.workerinput["workerid"].removeprefix("gw"))
        device = torch.device("cuda", worker % torch.cuda.device_count())
    name = config.getoption("--theory-subject")
    profile = Profile(config.getoption("--theory-profile"))
    budget = parse_alpha(config.getoption("--theory-alpha"))
    return Run(load_subject(name), name, profile, device, config.stash[SEED], budget, config.stash[SHARED])


def records_of(terminalreporter: Any) -> dict[str, Record]:
    """The records that arrived with the test reports; a claim whose worker crashed has none and is `not run`."""
    records: dict[str, Record] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if not isinstance(report, pytest.TestReport):
                continue  # deselected items and warnings
            id = report.nodeid.rpartition("::")[2]
            if id in CLAIM_IDS:
                texts = [text for name, text in report.user_properties if name == PROPERTY]
                found = Record.from_json(texts[0]) if texts else Record(id, NOT_RUN, detail="its worker left no record")
                if texts or id not in records:
                    records[id] = found
    return records


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if is_worker(session.config) or reporter is None or session.exitstatus != pytest.ExitCode.TESTS_FAILED:
        return
    failed = [report for report in reporter.stats.get("failed", ()) if isinstance(report, pytest.TestReport)]
    records = records_of(reporter)
    unclear = [records[id].verdict in UNDECIDED for r in failed if (id := r.nodeid.rpartition("::")[2]) in records]
    if len(unclear) == len(failed) and all(unclear) and not reporter.stats.get("error"):
        session.exitstatus = EXIT_UNDECIDED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    records = records_of(terminalreporter)
    if records:
        terminalreporter.section("claims")
        if config.get_verbosity() > 0:
            for record in sorted(records.values(), key=rank):
                for line in details(record):
                    terminalreporter.write_line(line)
        for id in config.getoption("--theory-claim"):
            if id not in records:
                terminalreporter.write_line(f"{id}: no check of this claim was collected")
        for line in table(records.values(), terminalreporter._tw.fullwidth):
            terminalreporter.write_line(line)
