"""The command line: python -m theory_checks."""

import argparse
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from theory_checks.checking.process import tune_process

tune_process()

from theory_checks.commands import (
    CommandError,
    claims,
    compare,
    false_alarms,
    faults,
    graded,
    report,
    reproduce,
)

COMMANDS: tuple[ModuleType, ...] = (
    claims,
    compare,
    report,
    reproduce,
    faults,
    graded,
    false_alarms,
)


class Parser(argparse.ArgumentParser):
    """One that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (-h for help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status; 2 if the user asked for something that is not
    there."""
    parser = Parser(
        prog="python -m theory_checks", description="Claims of the theory, and reports of runs."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        name, text = module.__name__.rpartition(".")[2], module.__doc__ or ""
        command = commands.add_parser(name, help=text.partition("\n")[0], description=text)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    chosen = parser.parse_args(arguments)
    try:
        return int(chosen.run(chosen))
    except CommandError as error:
        print(f"python -m theory_checks: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
