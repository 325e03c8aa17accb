"""Writes the kill matrix that comes with the package, from the results of a whole one.

    theory-checks faults --limit 600 --output theory-report/faults     # hours; can be interrupted
    python benchmarks/kill_matrix.py theory-report/faults/cells.json

Only results of the present versions of faults and claims are taken. Prints how many cells there
are, how many are missing, and the size of the file.
"""

import argparse
from pathlib import Path

from theory_checks.faults.cells import KNOWN, Store, write_known
from theory_checks.faults.matrix import whole


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", type=Path, help="the file of results of `theory-checks faults`")
    results = Store(parser.parse_args().cells).results
    wanted = whole(results)
    write_known({cell: result for cell, result in results.items() if cell in wanted})
    missing = len(wanted - results.keys())
    print(f"{KNOWN}: {len(wanted)} cells, {missing} missing, {KNOWN.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
