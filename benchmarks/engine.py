"""Time of one training step per replicate, and its useful rate as a share of the fastest square
float32 product.

    python benchmarks/engine.py [--replicates 1 8 32 64] [--rounds 7]

A step is one step of Algorithm 1 at n = 1000, P = 4, d = 50, M = 8, J = 16 in float32 on one
thread. Its useful work is 4 n P d J + 4 n d M floating-point operations per replicate; gathering,
sorting, noise, gate and loss count as overhead. Products and steps are timed in turn in the same
process, because the speed of shared machines drifts; medians are compared.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from core import PAPER, Hyperparameters, Problem, Subject
from core.model import Parameters
from core.seeds import child, generator_from
from core.training import CPU_BUDGET, descent, draw_replicate, in_chunks, stack

PROBLEM = Problem(K=4, d=50, P=4)
HYPER = Hyperparameters(M=8, J=16, n=1000, sigma_0=0.05, eta=0.01, eta_r=0.64, T=10)
USEFUL = 4 * HYPER.n * PROBLEM.P * PROBLEM.d * HYPER.J + 4 * HYPER.n * PROBLEM.d * HYPER.M
SIZES = (1024, 1448, 2048)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def routed_to(experts: Tensor) -> Subject:
    """PAPER with routing forced: select returns the given expert for every example, (n,)."""
    return replace(PAPER, select=lambda h, r: experts.expand(*h.shape[:-2], -1))


def steps(subject: Subject, replicates: int) -> Callable[[], float]:
    """A function that trains `replicates` replicates, in the chunks that `train` forms, and returns
    seconds per replicate-step."""
    seeds = [np.random.SeedSequence(i) for i in range(replicates)]
    drawn = [draw_replicate(subject, PROBLEM, HYPER, seed) for seed in seeds]
    chunks = []
    for part in in_chunks(drawn, PROBLEM, HYPER, torch.float32, CPU_BUDGET):
        generators = [generator_from(child(r.noise_seed, 0)) for r in part]
        x, y = stack([r.examples.patches for r in part]), torch.stack([r.examples.y for r in part])
        chunks.append((stack([r.start for r in part]), x, y, generators))

    def run() -> float:
        spent = 0.0
        for start, x, y, generators in chunks:

            def noise(t: int, generators: list[torch.Generator] = generators) -> Tensor:
                return torch.stack(
                    [subject.router_noise((HYPER.M, HYPER.n), g, t) for g in generators]
                )

            iterates = descent(subject, HYPER, Parameters(start.theta, start.W), x, y, noise)
            next(iterates), next(iterates)  # the first step pays for the patch sums, once in a run
            spent += seconds(partial(list, iterates))
        return spent / (HYPER.T - 1) / replicates

    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    n, M = HYPER.n, HYPER.M
    states = {
        "balanced": PAPER,
        "K experts share all": routed_to(torch.arange(n) % PROBLEM.K),
        "one expert gets all": routed_to(torch.zeros(n, dtype=torch.long)),
    }
    squares = {size: torch.randn(size, size) for size in SIZES}
    cases = {
        (name, R): steps(subject, R) for R in options.replicates for name, subject in states.items()
    }
    rates: dict[int, list[float]] = {size: [] for size in SIZES}
    times: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
    for _ in range(options.rounds):
        for size, square in squares.items():
            rates[size].append(2 * size**3 / seconds(partial(torch.mm, square, square)))
        for case, run in cases.items():
            times[case].append(run())
    fastest = max(statistics.median(found) for found in rates.values())
    print(
        f"n = {n}, M = {M}: fastest square product {fastest / 1e9:.1f} GFLOP/s; {USEFUL / 1e6:.1f}"
        " MFLOP useful per replicate-step"
    )
    for (name, R), found in times.items():
        median, best = statistics.median(found), min(found)
        print(
            f"R = {R:3}  {name:20} {median * 1e6:7.0f} us per replicate-step (best"
            f" {best * 1e6:.0f}), {100 * USEFUL / median / fastest:5.1f} % of the fastest product"
        )


if __name__ == "__main__":
    main()
