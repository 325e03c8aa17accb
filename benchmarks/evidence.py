"""How cheaply the betting e-process catches a violation, and what a sample costs it.

    python benchmarks/evidence.py [--runs 200]

Prints the samples it takes to reject "mean >= 1/8" at alpha = 1e-8 when the mean is 0.10, against
Wald's expectation log(1 / alpha) / KL for the best test that knows the alternative, and nanoseconds
per sample of an update for several batch sizes.
"""

import argparse
import math
import statistics
import time

import numpy as np

from theory_checks.evidence import Verdict, betting, mean_at_least
from theory_checks.evidence.design import kl_bernoulli

BOUND, RATE, ALPHA = 1 / 8, 0.10, 1e-8


def wrong(stream: np.random.SeedSequence, size: int) -> np.ndarray:
    """Errors at a rate of 0.10."""
    return np.random.default_rng(stream).random(size) < RATE


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    wald = math.log(1 / ALPHA) / kl_bernoulli(RATE, BOUND)
    for resolution in (0.005, 0.01, 0.02):
        statement = mean_at_least(BOUND, wrong, resolution=resolution)
        budget = statement.samples_needed(ALPHA)
        found = [
            statement.judge(np.random.SeedSequence(seed), ALPHA, budget)
            for seed in range(options.runs)
        ]
        caught = [evidence.samples for evidence in found if evidence.verdict is Verdict.VIOLATED]
        print(
            f"resolution {resolution}: {len(caught)} of {options.runs} caught,"
            f" {statistics.mean(caught):.0f} samples on average,"
            f" {statistics.mean(caught) / wald:.2f} times Wald's {wald:.0f}"
        )
    for kind, values in (
        ("{0, 1}", np.random.default_rng(0).random(2**20) < RATE),
        ("[0, 1]", np.random.default_rng(0).random(2**20)),
    ):
        for batch in (1024, 8192, 65536):
            wealth = betting.start(BOUND, betting.portfolio(betting.kelly(BOUND, 0.01)))
            started = time.perf_counter()
            for first in range(0, len(values), batch):
                wealth = betting.update(wealth, values[first : first + batch])
            print(
                f"{kind} in batches of {batch:6}:"
                f" {(time.perf_counter() - started) / len(values) * 1e9:5.1f} ns per sample"
            )


if __name__ == "__main__":
    main()
