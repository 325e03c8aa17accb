"""Pictures of rates: what was measured at every size of a ladder, against what is claimed, with the
exponent fitted to it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import numpy as np

from theory_checks.checking.pictures import Lines, Series, Style
from theory_checks.evidence import fitted_exponent
from theory_checks.experiments.replicates import Finished, finished
from theory_checks.experiments.scenarios import Scenario
from theory_checks.experiments.trajectories import Trained

SHOWN = 6  # replicates at each size, where measuring one takes time
TENTHS = (0.1, 0.5, 0.9)  # quantiles over replicates: a bar, and its point
FIT = 0  # seed of the bootstrap, which illustrates only

Values = Mapping[int, np.ndarray]  # by size, one for each replicate
Curve = Callable[[int], float]  # of the size


def some_finished(trained: Trained, scenario: Scenario) -> list[Finished]:
    """A few replicates at T_1."""
    return list(islice(finished(trained, scenario, scenario.hyper.T_1), SHOWN))


def ladder_picture(
    title: str,
    size: str,
    measured: Mapping[str, Values],
    *,
    bounds: Mapping[str, Curve],
    references: Mapping[str, Curve] | None = None,
) -> Lines:
    """Medians over replicates with the range from the first to the last tenth, by size, on
    logarithmic scales.

    size: the letter of what grows
    measured: values by size, by name
    bounds: what is claimed, as curves over the sizes, by name
    references: what to compare with, likewise
    """
    sizes = sorted({point for values in measured.values() for point in values})
    curves = [
        Series(name, sizes, [curve(point) for point in sizes], style=style)
        for style, named in ((Style.BOUND, bounds), (Style.REFERENCE, references or {}))
        for name, curve in named.items()
    ]
    points = [_points(name, values) for name, values in measured.items()]
    caption = "; ".join(_fit(name, values, size) for name, values in measured.items())
    return Lines(title, size, "median", (*points, *curves), log_x=True, log_y=True, caption=caption)


def _points(name: str, values: Values) -> Series:
    low, median, high = (
        list(column)
        for column in zip(*(np.quantile(v, TENTHS) for v in values.values()), strict=True)
    )
    return Series(name, list(values), median, low, high, Style.POINTS)


def _fit(name: str, values: Values, size: str) -> str:
    """The exponent of the least-squares line through the medians, in words."""
    sizes = sorted(values)
    replicates = min(map(len, values.values()))
    if replicates < 2 or not all((v > 0).all() for v in values.values()):
        return f"{name}: no exponent, for lack of positive values"
    slope, low, high = fitted_exponent(sizes, [values[point] for point in sizes], FIT)
    return (
        f"{name}: fitted {size}^{slope:.2f} (95 %: {low:.2f} to {high:.2f}), {replicates}"
        " replicates at each size"
    )


def through_the_first(values: Values, exponent: float) -> Curve:
    """The power law with this exponent through the median at the smallest size."""
    first = min(values)
    start = float(np.median(values[first]))
    return lambda size: start * (size / first) ** exponent


def along(sizes: Sequence[int], heights: Sequence[float]) -> Curve:
    """The curve with these heights at these sizes."""
    return dict(zip(sizes, heights, strict=True)).__getitem__
