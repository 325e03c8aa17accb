"""check the claims on a subject, and write a report

The exit status is 0 if all claims hold, 1 if one is violated or the code under test raised, 6 if
some are undecided.
"""

import argparse
import os
from pathlib import Path

import theory_checks
from theory_checks.commands import CommandError, add_run_arguments, run_options
from theory_checks.commands.claims import available, find

FOLDER = Path(theory_checks.__file__).parent
# The run is the same wherever it is started: no settings, plugins or conftest.py of the project
# there take part.
ALONE = (
    *("-c", os.devnull, "--rootdir", str(FOLDER.parent), "--noconftest"),
    *("--disable-plugin-autoload", "-p", "xdist", "-p", "theory_checks.plugin"),
    *("-p", "no:cacheprovider"),
)
PASSED_ON = ("subject", "profile", "seed", "device", "alpha", "report", "baseline")

EXAMPLES = (
    "check --profile quick",
    "check --subject my_variant:GAUSSIAN --report reports/gaussian",
    "check --claim R.5 --claim X.1 --seed random",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument(
        "--claim",
        action="append",
        default=[],
        metavar="ID",
        help="only this one and what it depends on (repeatable)",
    )
    parser.add_argument(
        "--report", default="theory-report", metavar="DIR", help="where to write it (%(default)s)"
    )
    parser.add_argument(
        "--baseline",
        metavar="OLD",
        help="report.json of an earlier run to compare with, or its directory",
    )
    parser.add_argument(
        "--jobs", default="auto", metavar="N", help="processes, or auto: one for each core"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show what stands behind every verdict"
    )


def run(arguments: argparse.Namespace) -> int:
    import pytest

    run_options(arguments)
    if arguments.jobs != "auto" and not arguments.jobs.isdecimal():
        raise CommandError(f"jobs {arguments.jobs}: needs a whole number, or auto")
    if arguments.claim and arguments.claims:
        known = available(arguments.claims)
        arguments.claim = [find(claim_id, known).id for claim_id in arguments.claim]
    given = [
        *((name, getattr(arguments, name)) for name in PASSED_ON),
        *(("claim", claim_id) for claim_id in arguments.claim),
        *(("claims", module) for module in arguments.claims),
    ]
    options = [f"--theory-{name}={value}" for name, value in given if value is not None]
    verbosity = "-v" if arguments.verbose else "-q"
    return int(pytest.main([*ALONE, "-n", arguments.jobs, verbosity, *options, str(FOLDER)]))
