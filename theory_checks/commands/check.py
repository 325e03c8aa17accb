"""check the claims on a subject, and write a report

The exit status is 0 if all claims hold, 1 if one is violated or the code under test raised, 10 if
some are undecided.
"""

import argparse
import os

from theory_checks.checking.arguments import RUN_OPTIONS
from theory_checks.checking.options import is_whole
from theory_checks.checking.registry import FOLDER
from theory_checks.commands import CommandError, add_options, run_options
from theory_checks.commands.claims import available, find

# The run is the same wherever it is started: no settings, plugins or conftest.py of the project
# there take part.
ALONE = (
    *("-c", os.devnull, "--rootdir", str(FOLDER.parent), "--noconftest"),
    *("--disable-plugin-autoload", "-p", "xdist", "-p", "theory_checks.plugin"),
    *("-p", "no:cacheprovider"),
)

EXAMPLES = (
    "check --profile quick",
    "check --subject my_variant:GAUSSIAN --report reports/gaussian",
    "check --claim R.5 --claim X.1 --seed random",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_options(parser, RUN_OPTIONS)
    parser.add_argument(
        "--jobs", default="auto", metavar="N", help="processes, or auto: one for each core"
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show what stands behind every verdict"
    )


def run(arguments: argparse.Namespace) -> int:
    import pytest

    run_options(arguments)
    if arguments.jobs != "auto" and not is_whole(arguments.jobs):
        raise CommandError(f"jobs {arguments.jobs}: needs a whole number, or auto")
    if arguments.claim and arguments.claims:
        known = available(arguments.claims)
        arguments.claim = [find(claim_id, known).id for claim_id in arguments.claim]
    given = {name: getattr(arguments, name) for name in RUN_OPTIONS}
    options = [
        f"--theory-{name}={value}"
        for name, values in given.items()
        for value in (values if isinstance(values, list) else [values])
        if value is not None
    ]
    verbosity = "-v" if arguments.verbose else "-q"
    return int(pytest.main([*ALONE, "-n", arguments.jobs, verbosity, *options, str(FOLDER)]))
