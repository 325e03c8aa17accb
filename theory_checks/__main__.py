"""The command line: `theory-checks`, or python -m theory_checks."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from theory_checks.checking.process import find_modules_in, tune_process

tune_process()

from theory_checks.commands import (
    CommandError,
    blame,
    check,
    claims,
    compare,
    false_alarms,
    faults,
    graded,
    refusing,
    report,
    reproduce,
)

NAME = "theory-checks"
COMMANDS: tuple[ModuleType, ...] = (
    check,
    claims,
    reproduce,
    blame,
    compare,
    report,
    faults,
    graded,
    false_alarms,
)
RENAMED = {"mutants": "faults"}


class Parser(argparse.ArgumentParser):
    """One that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (-h for help)\n")


def parser() -> Parser:
    """The parser of all commands."""
    layout = argparse.RawDescriptionHelpFormatter
    top = Parser(
        prog=NAME,
        description="Checks the theory of the mixture-of-experts layer by experiment.",
        epilog=examples([module.EXAMPLES[0] for module in COMMANDS]),
        formatter_class=layout,
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for module in COMMANDS:
        text = module.__doc__ or ""
        command = commands.add_parser(
            module.__name__.rpartition(".")[2],
            help=" ".join(text.partition("\n\n")[0].split()).replace("%", "%%"),
            description=text.strip(),
            epilog=examples(module.EXAMPLES),
            formatter_class=layout,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return top


def examples(lines: Sequence[str]) -> str:
    """The end of a help text: commands to try."""
    return "\n".join(["examples:", *(f"  {NAME} {line}" for line in lines)])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit status; 2 if the user asked for something that is not
    there."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] in RENAMED:
            raise CommandError(f"the command {given[0]} is now {RENAMED[given[0]]}")
        chosen = parser().parse_args(given)
        with refusing():
            find_modules_in(Path.cwd())
        return int(chosen.run(chosen))
    except CommandError as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
