"""Writes the kill matrix that comes with the package, from the results of a whole one.

    theory-checks faults --limit 600 --output theory-report/faults     # hours; can be interrupted
    python benchmarks/kill_matrix.py theory-report/faults/cells.json

Only results of the present versions of faults and claims are taken. Prints how many cells there
are, how many are missing, and the size of the file.
"""

import argparse
from pathlib import Path

from theory_checks.checking.claim import DEFAULT_SEED, DEFAULT_SUBJECT
from theory_checks.faults import FAULTS
from theory_checks.faults.cells import KNOWN, Cell, Store, claims, write_known
from theory_checks.faults.matrix import cells_of, dependency_order, untouched


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cells", type=Path, help="the file of results of `theory-checks faults`")
    found = Store(parser.parse_args().cells).results
    trained = [claim_id for claim_id, claim in claims().items() if claim.trains]
    healthy = {
        claim_id: Cell(DEFAULT_SUBJECT, claim_id, "quick", DEFAULT_SEED)
        for claim_id in claims()
        if claim_id not in trained
    }
    wanted = set(healthy.values())
    for fault in FAULTS.values():
        row = cells_of(fault, dependency_order(claims()), trained, "quick", DEFAULT_SEED)
        for claim_id, cell in row.items():
            paper = found.get(healthy.get(claim_id, cell))
            if cell in found or paper is None or not untouched(fault, paper):
                wanted.add(cell)
    taken = {cell: result for cell, result in found.items() if cell in wanted}
    missing = len(wanted) - len(taken)
    write_known(taken)
    print(f"{KNOWN}: {len(taken)} cells, {missing} missing, {KNOWN.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
