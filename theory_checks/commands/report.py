"""write index.html and summary.md again, from report.json"""

import argparse
import json
from pathlib import Path

from theory_checks.commands import CommandError, refusing
from theory_checks.commands.compare import read
from theory_checks.report.document import document_schema
from theory_checks.report.write import PAGE, SUMMARY, reserve, write_pages

EXAMPLES = (
    "report theory-report",
    "report theory-report --baseline old/report.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    default = Path("theory-report")
    parser.add_argument(
        "directory", metavar="DIR", nargs="?", type=Path, default=default, help="(%(default)s)"
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON schema of report.json instead"
    )
    parser.add_argument(
        "--baseline",
        metavar="OLD",
        type=Path,
        help="report.json of a run to compare with, or its directory",
    )


def run(arguments: argparse.Namespace) -> int:
    from theory_checks.report.compare import compare

    if arguments.schema:
        print(json.dumps(document_schema(), indent=1))
        return 0
    directory = arguments.directory
    report = read(directory)
    comparison = None if arguments.baseline is None else compare(read(arguments.baseline), report)
    with refusing(), reserve(directory):
        problems = write_pages(report, directory, comparison)
    if problems:
        raise CommandError("; ".join(problems))
    print(f"{directory / PAGE}\n{directory / SUMMARY}")
    return 0
