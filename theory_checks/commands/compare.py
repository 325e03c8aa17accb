"""say what changed between two runs; status 1 if anything got worse"""

import argparse
from pathlib import Path

from theory_checks.commands import CommandError, refusing
from theory_checks.report.document import Report, read_report
from theory_checks.report.terminal import changes

EXAMPLES = (
    "compare old/report.json theory-report",
    "compare --all old new",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "old", metavar="OLD", type=Path, help="report.json of the earlier run, or its directory"
    )
    parser.add_argument(
        "new", metavar="NEW", type=Path, help="report.json of the later run, or its directory"
    )
    parser.add_argument(
        "--all", action="store_true", help="list claims that did not change as well"
    )


def run(arguments: argparse.Namespace) -> int:
    from theory_checks.report.compare import compare

    old, new = read(arguments.old), read(arguments.new)
    if old.profile != new.profile:
        raise CommandError(
            f"nothing to compare: {arguments.old} has profile {old.profile}, {arguments.new}"
            f" {new.profile}"
        )
    comparison = compare(old, new)
    print("\n".join(changes(comparison, also_unchanged=arguments.all)))
    return int(comparison.worse)


@refusing()
def read(path: Path) -> Report:
    """The report there. Raises CommandError if there is none."""
    return read_report(path)
