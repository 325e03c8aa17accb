"""The commands of `theory-checks`, a module each.

A command has the name of its module, the module's first line as help, `add_arguments(parser)` and
`run(arguments)`, which returns the exit status. Heavy imports belong into `run`: they would delay
all the other commands.
"""

import argparse
import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from theory_checks.checking.arguments import VERDICT_OPTIONS
from theory_checks.checking.options import Options, options_from


class CommandError(Exception):
    """What the user has to change, in one line; ends the program with status 2."""


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """A ValueError about what the user gave becomes a CommandError of the same words."""
    try:
        yield
    except ValueError as error:
        raise CommandError(str(error)) from error


def add_options(
    parser: argparse.ArgumentParser, options: Mapping[str, Mapping[str, Any]] = VERDICT_OPTIONS
) -> None:
    """Options of a run, by default those on which its verdicts depend."""
    for name, settings in options.items():
        parser.add_argument(f"--{name}", **settings)


@refusing()
def run_options(arguments: argparse.Namespace) -> Options:
    """What was chosen of them. Raises CommandError that says what is wrong."""
    return options_from({**vars(arguments), "claims_from": arguments.claims})
