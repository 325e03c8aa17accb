"""The commands of `theory-checks`, a module each.

A command has the name of its module, the module's first line as help, `add_arguments(parser)` and
`run(arguments)`, which returns the exit status. Heavy imports belong into `run`: they would delay
all the other commands.
"""

import argparse

from theory_checks.checking.claim import DEFAULT_ALPHA, DEFAULT_SEED, DEFAULT_SUBJECT
from theory_checks.checking.options import Options, options_from
from theory_checks.checking.profiles import PROFILES


class CommandError(Exception):
    """What the user has to change, in one line; ends the program with status 2."""


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that determine the verdicts of a run."""
    parser.add_argument(
        "--subject",
        default=DEFAULT_SUBJECT,
        metavar="module:NAME",
        help="the core.Subject to check (%(default)s)",
    )
    parser.add_argument(
        "--profile",
        choices=list(PROFILES),
        default="standard",
        help="how much evidence to gather (%(default)s)",
    )
    parser.add_argument(
        "--seed",
        default=str(DEFAULT_SEED),
        metavar="N",
        help="a whole number, or random (%(default)s)",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:i or mps (%(default)s)"
    )
    parser.add_argument(
        "--claims",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of your own claims, which take part in the run (repeatable)",
    )
    parser.add_argument(
        "--alpha",
        default=str(float(DEFAULT_ALPHA)),
        metavar="A",
        help="bound on the probability of any false alarm in the whole run (%(default)s)",
    )


def run_options(arguments: argparse.Namespace) -> Options:
    """What was chosen of them. Raises CommandError that says what is wrong."""
    try:
        return options_from({**vars(arguments), "claims_from": arguments.claims})
    except ValueError as error:
        raise CommandError(str(error)) from error
