"""The command line: `theory-checks`, or python -m theory_checks."""

import argparse
import contextlib
import io
import os
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
INTERRUPTED, UNREAD = 130, 141  # as shells have it: 128 and the number of SIGINT, of SIGPIPE


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
    there, or a file cannot be read or written."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    prepare_output()
    try:
        try:
            return run(given)
        finally:
            sys.stdout.flush()  # while what it raises can be told; also after --help
    except KeyboardInterrupt:
        problem, status = "interrupted", INTERRUPTED
    except BrokenPipeError:
        problem, status = "nobody reads on", UNREAD
    except CommandError as error:
        problem, status = str(error), 2
    except OSError as error:
        where = "standard output" if error.filename is None else error.filename
        problem, status = f"{where}: {error.strerror}" if error.strerror else str(error), 2
    discard_output()
    print(f"{NAME}: {problem}", file=sys.stderr)
    return status


def run(given: Sequence[str]) -> int:
    """The exit status of the command. Raises CommandError that says what is not there."""
    if given and given[0] in RENAMED:
        raise CommandError(f"the command {given[0]} is now {RENAMED[given[0]]}")
    chosen = parser().parse_args(given)
    with refusing():
        find_modules_in(here())
    return int(chosen.run(chosen))


def here() -> Path:
    """The current directory. Raises ValueError if it has been removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise ValueError("the current directory does not exist any more") from None


def prepare_output() -> None:
    """Shows as an escape what a terminal lacks, and takes output that nobody wants."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by >&-
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_output() -> None:
    """Throws away what could not be written: Python tries again when it ends."""
    with contextlib.suppress(OSError, ValueError):  # where it is no file of the system
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
