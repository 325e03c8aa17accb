"""Draws docs/coarse_steps.svg: which experts specialise elsewhere when steps are coarse (P.4).

    python benchmarks/coarse_steps.py

On the population dynamics, and in runs of Algorithm 1 at d = 1024 and 4096. Takes some minutes of
one core.
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from core import PAPER, Problem, train
from core.measures import feature_alignment
from theory_checks.checking.pictures import Lines, Series, Style
from theory_checks.experiments.asymptotics_pictures import share, winners_by_step
from theory_checks.experiments.population_law import own_cluster
from theory_checks.experiments.scenarios import ladder
from theory_checks.report.plots import drawn

K, J, M = 4, 8, 8
RUNS = {1024: (1.0, 3.0, 10.0, 30.0), 4096: (3.0, 10.0, 30.0, 100.0)}  # x, by d
COLOURS = {
    "ink": "#222222",
    "muted": "#777777",
    "grid": "#dddddd",
    "series-0": "#0072b2",
    "series-1": "#d55e00",
    "series-2": "#009e73",
    "series-3": "#cc79a7",
}


def elsewhere(d: int, x: float, n: int, replicates: int) -> np.ndarray:
    """Whether the winner at T_1 of each expert is outside the cluster of its M_k, in runs with eta
    = x sigma_0 / sqrt(d)."""
    scenario = ladder(Problem(K=K, d=d), n, replicates, M=M, J=J)
    eta = x * scenario.hyper.sigma_0 / d**0.5
    hyper = replace(scenario.hyper, eta=eta, eta_r=M**2 * eta)
    hyper = replace(hyper, T=hyper.T_1)
    seeds = np.random.SeedSequence((d, round(x))).spawn(replicates)
    run = train(PAPER, scenario.problem, hyper, seeds, keep=(0,), look_every=max(1, hyper.T))
    start, end = (
        feature_alignment(run.signals, run.parameters(t).W).flatten(0, 1).double().numpy()
        for t in (0, hyper.T)
    )
    return own_cluster(end) != own_cluster(start)


def picture(experts: int, n: int, replicates: int) -> Lines:
    """The picture of the documents."""
    limit = J * (K - 1) / (2 * (J * K - 1))
    curves = winners_by_step(PAPER, K, J, experts, np.random.SeedSequence(0))
    runs = [
        share(
            f"runs at d = {d}",
            list(steps),
            [elsewhere(d, x, n, replicates) for x in steps],
            Style.POINTS,
        )
        for d, steps in RUNS.items()
    ]
    lowest, highest = min(curves[0].x), max(curves[0].x)
    bound = Series("limit", [lowest, highest], [limit, limit], style=Style.BOUND)
    return Lines(
        "Experts that specialise to another cluster",
        "x = eta sqrt(d) / sigma_0",
        "share of experts",
        (*curves, *runs, bound),
        log_x=True,
    )


def standalone(svg: str) -> str:
    """The element of a page as a file of its own, with colours."""
    coloured = re.sub(r"var\(--([\w-]+)\)", lambda m: COLOURS.get(m[1], "#222222"), svg)
    background = '<rect width="100%" height="100%" fill="white"/>'
    opened = coloured.replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" ', 1
    )
    return opened.replace(">", f">{background}", 1) + "\n"


def main() -> None:
    """Draws the picture, and prints its numbers."""
    parser = argparse.ArgumentParser(description="Draws docs/coarse_steps.svg.")
    parser.add_argument("--out", type=Path, default=Path("docs/coarse_steps.svg"))
    parser.add_argument("--experts", type=int, default=2000, help="of the population dynamics")
    parser.add_argument("--examples", type=int, default=4000, help="n of the runs")
    parser.add_argument("--replicates", type=int, default=16, help="of each run, 8 experts each")
    given = parser.parse_args()
    found = picture(given.experts, given.examples, given.replicates)
    for series in found.series:
        print(series.name, *(f"{x:g}: {y:.3f}" for x, y in zip(series.x, series.y, strict=True)))
    given.out.write_text(standalone(drawn(found, "coarse-steps").svg), encoding="utf-8")


if __name__ == "__main__":
    main()
