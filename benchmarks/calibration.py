"""False alarms of the whole pipeline: claims that sit on their boundary, checked with many seeds at
a large alpha.

    python benchmarks/calibration.py [--runs 200] [--alpha 0.05] [--workers 2]

Each run checks S.2, D.1 to D.5, I.1, I.2, R.5 and S.3 for S.4's witness alone (error exactly 1/8)
in the quick profile on PAPER, where all of them are true. P(a run calls any violated) <= alpha, so
the number of such runs is compared with its exact binomial bound at 1e-6. The search streams alone,
at a level of 1e-3 an input, show how often a claim came under suspicion.
"""

import argparse
import multiprocessing
import tempfile
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import torch
from hypothesis import strategies as st
from scipy.stats import binom

from core import PAPER
from theory_checks import test_data_model, test_initialisation, test_routing, test_single_expert
from theory_checks.checking.budget import ledger
from theory_checks.checking.claim import Claim
from theory_checks.checking.profiles import Profile
from theory_checks.checking.registry import built_in
from theory_checks.checking.run import Run
from theory_checks.checking.search import check
from theory_checks.experiments.single_experts import SMALL_PROBLEM, Classifier

BOUNDARY = ("D.1", "D.2", "D.3", "D.4", "D.5", "I.1", "I.2", "R.5", "S.2", "S.3")


def boundary_claims() -> list[Claim]:
    """The claims that hold with equality; S.3 for the witness only."""
    modules = (test_data_model, test_initialisation, test_routing, test_single_expert)
    claims = {
        value.id: value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, Claim)
    }
    over = {
        "problem": st.just(SMALL_PROBLEM),
        "classifier": st.builds(Classifier, st.just("witness"), st.just(""), st.integers(0, 99)),
    }
    claims["S.3"] = replace(claims["S.3"], over=over, always=())
    return [claims[claim_id] for claim_id in BOUNDARY]


def verdicts(job: tuple[int, str]) -> dict[str, str]:
    """The verdict on every claim with one seed."""
    seed, alpha = job
    torch.set_num_threads(1)
    run = Run(
        PAPER,
        "core:PAPER",
        Profile.QUICK,
        torch.device("cpu"),
        seed,
        ledger(Fraction(alpha), built_in().values()),
        Path(tempfile.gettempdir()),
    )
    return {claim.id: check(claim, run).verdict for claim in boundary_claims()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--alpha", default="0.05")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    alarms = done = 0
    with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
        for found in pool.imap_unordered(
            verdicts, [(1000 + seed, options.alpha) for seed in range(options.runs)]
        ):
            counts.update(found.items())
            alarms += "violated" in found.values()
            done += 1
            print(f"\r{done}/{options.runs} runs, {alarms} with a false alarm", end="", flush=True)
    most = int(binom.isf(1e-6, options.runs, float(options.alpha)))
    print(
        f"\n{alarms} of {options.runs} runs had a false alarm; more than {most} would refute alpha"
        f" = {options.alpha} (at 1e-6)"
    )
    for claim_id in BOUNDARY:
        print(
            f"{claim_id}: "
            + ", ".join(
                f"{number} {verdict}"
                for (name, verdict), number in sorted(counts.items())
                if name == claim_id
            )
        )


if __name__ == "__main__":
    main()
