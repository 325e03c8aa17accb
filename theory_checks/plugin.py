"""The pytest plugin: the options of the theory checks, and the moment at which they begin.

pytest loads it in every project of an environment in which the package is installed (entry point
`theory_checks.plugin`; by hand `-p theory_checks.plugin`). Until a run is asked for claims or
collects one, it only adds options. What follows is in `theory_checks.checking.session`.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from theory_checks.checking.arguments import RUN_OPTIONS

if TYPE_CHECKING:
    from theory_checks.checking.session import ClaimItem

PACKAGE = Path(__file__).resolve().parent
SESSION = "theory-session"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("theory", "checking the theory")
    for name, settings in RUN_OPTIONS.items():
        group.addoption(f"--theory-{name}", **settings)
    group.addoption(
        "--theory-ledger",
        action="store_true",
        help="print how alpha is divided among the claims, and end",
    )


def asks_for_claims(options: argparse.Namespace, arguments: Iterable[str], directory: Path) -> bool:
    """Whether the run has an option of this plugin, or one of the arguments names its claims."""
    if any(
        value not in (None, False, [])
        for name, value in vars(options).items()
        if name.startswith("theory_")
    ):
        return True
    names = [argument.partition("::")[0] for argument in arguments]
    if options.pyargs and any(name.partition(".")[0] == PACKAGE.name for name in names):
        return True
    for name in names:
        try:
            path = (directory / name).resolve()
        except (OSError, RuntimeError, ValueError):  # links in a circle: for pytest to refuse
            continue
        if path == PACKAGE.parent or path.is_relative_to(PACKAGE):
            return True
    return False


@pytest.hookimpl(tryfirst=True)  # a project's conftest.py may import NumPy
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    options = early_config.known_args_namespace
    if asks_for_claims(options, options.file_or_dir or (), early_config.invocation_params.dir):
        from theory_checks.checking.process import tune_process

        tune_process()


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if not config.option.theory_ledger:
        return None
    from theory_checks.checking.session import print_ledger

    return print_ledger(config)


def pytest_configure(config: pytest.Config) -> None:
    if asks_for_claims(config.option, config.args, config.invocation_params.dir):
        from theory_checks.checking.session import Session

        config.pluginmanager.register(Session(config, asked=True), SESSION)


def pytest_pycollect_makeitem(collector: Any, name: str, obj: object) -> "ClaimItem | None":
    claims = sys.modules.get("theory_checks.checking.claim")
    if claims is None or not isinstance(obj, claims.Claim):
        return None
    from theory_checks.checking.session import ClaimItem, Session

    # A claim that a test module imports from another one belongs to the module that defines it.
    if obj.check.__module__ != collector.obj.__name__:
        return None
    plugins = collector.config.pluginmanager
    if not plugins.has_plugin(SESSION):
        plugins.register(Session(collector.config, asked=False), SESSION)
    return ClaimItem.from_parent(collector, name=obj.id, claim=obj)
