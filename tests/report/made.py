"""Records and reports made by hand."""

from typing import Any

import numpy as np

from theory_checks.checking.pictures import Heatmap, Lines, Series, compact
from theory_checks.checking.record import Record
from theory_checks.report.document import Report
from theory_checks.report.results import FORMAT, Share

INFINITY = float("inf")


def record(claim_id: str = "R.1", verdict: str = "holds", **fields: Any) -> Record:
    """A record with everything that one may have."""
    common: dict[str, Any] = {
        "statement": f"What {claim_id} says: |x| <= 1.",
        "kind": "probability",
        "given": "D_alpha = D_gamma",
        "source": "Lemma 5.1",
        "formula": r"|x| \le 1",
        "derivation": "By inspection.\n\nAnd again.",
        "hash": "0123456789abcdef",
        "observed": 0.25,
        "bound": 0.5,
        "margin": 0.25,
        "resolution": 0.1,
        "sense": "<=",
        "detail": "mean: 0.25 <= 0.5",
        "examples": 3,
        "samples": 1000,
        "false_alarm": 1e-8,
        "false_pass": 0.1,
        "stopped": "resolution reached",
        "visited": {"M": "2 to 3"},
        "worst_case": "x=1",
        "measured": ("x=1: mean: 0.25 <= 0.5",),
        "path": ((256.0, 0.3), (1000.0, 0.25)),
        "averages": True,
        "margins": {"00000001": (0.25, 0.1, 1000, 1.0)},
        "pictures": (
            compact(
                Lines(
                    "a line",
                    "n",
                    "x",
                    (Series("x", [0, 1], [1, float("inf")], low=[0, 1], high=[1, 2]),),
                    ticks=("a", "b"),
                )
            ),
            compact(Heatmap("a table", ["a"], ["b"], [[float("nan")]], low=0.0, high=1.0)),
        ),
        "seconds": 0.5,
        "seed": 7,
        "command": f"python -m theory_checks reproduce {claim_id} --seed 7",
    }
    return Record(claim_id, verdict, **{**common, **fields})


def report(*records: Record, **fields: Any) -> Report:
    """A report of these records."""
    common: dict[str, Any] = {
        "created": "2026-01-02T03:04:05+00:00",
        "subject": "core:PAPER",
        "profile": "quick",
        "device": "cpu",
        "seed": 7,
        "alpha": 1e-6,
        "command": "pytest theory_checks/",
        "environment": {"python": "3.11"},
        "commit": "0" * 40,
        "dirty": False,
        "seconds": 1.5,
        "complete": True,
        "ledger": (Share("R.1", 1e-6, 400, "samples are cheap"),),
    }
    return Report(schema=FORMAT, records=records, **{**common, **fields})


def sampled(draws: np.ndarray, bound: float, **fields: Any) -> Record:
    """The record of "the mean is at most the bound" for these draws, looked at in batches."""
    from theory_checks.evidence.sampling import batch_sizes

    ends = np.cumsum(list(batch_sizes(len(draws))))
    path = tuple((float(n), float(draws[:n].mean())) for n in ends)
    margin = bound - path[-1][1]
    margins = {"00000001": (margin, 0.1, len(draws), 1.0)}
    return record(
        observed=path[-1][1],
        bound=bound,
        margin=margin,
        path=path,
        margins=margins,
        samples=len(draws),
        **fields,
    )
