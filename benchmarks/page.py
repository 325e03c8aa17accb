"""How long index.html takes to render from a report.json, in a new process, as a share of the run's
time.

    python benchmarks/page.py [theory-report] [--rounds 5]

A run draws its pictures while workers go on, so its end is delayed by less than this time, which
includes all pictures and imports.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from theory_checks.report.document import read_report

ONCE = """
import sys, time
from pathlib import Path
from theory_checks.report.document import read_report
report = read_report(Path(sys.argv[1]))
started = time.perf_counter()
from theory_checks.report.page import render
page = render(report)
print(time.perf_counter() - started, len(page.encode()), page.count("<figure>"))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", nargs="?", type=Path, default=Path("theory-report"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    report = read_report(options.report)
    command = [sys.executable, "-c", ONCE, str(options.report)]
    rounds = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(options.rounds)
    ]
    seconds = statistics.median(float(seconds) for seconds, *_ in rounds)
    _, size, figures = rounds[0]
    print(
        f"{len(report.records)} claims, {figures} pictures, {int(size) / 1e6:.1f} MB: {seconds:.2f}"
        f" s, {seconds / report.seconds:.1%} of the run's {report.seconds:.1f} s"
    )


if __name__ == "__main__":
    main()
