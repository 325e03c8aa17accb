"""Draws: seeds, growing batches, and the refusal of observations that no verdict may rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .verdict import NotANumber

Array = npt.NDArray[Any]
Draw = Callable[[np.random.SeedSequence, int], Array]

FIRST_BATCH = 256
LARGEST_BATCH = 65_536  # bounds the memory of a draw
UNSEEN_BATCH = 4096  # where no test looks between batches: enough to share the overhead
THINNING = 1.03  # the least factor between the sample counts of neighbouring points of a path


def children(stream: np.random.SeedSequence) -> Iterator[np.random.SeedSequence]:
    """The children of a stream, one after another. `stream.spawn` counts its calls; this does not
    change the stream."""
    own = np.random.SeedSequence(
        stream.entropy, spawn_key=stream.spawn_key, pool_size=stream.pool_size
    )
    while True:
        yield own.spawn(1)[0]


def batch_sizes(budget: int) -> Iterator[int]:
    """Batch sizes that add up to the budget; each is a quarter of all samples before it, within
    limits. A test that looks only between batches then takes at most about a quarter more samples
    than it needs, and looks logarithmically often until batches have their largest size."""
    drawn = 0
    while drawn < budget:
        size = min(max(FIRST_BATCH, drawn // 4), LARGEST_BATCH, budget - drawn)
        yield size
        drawn += size


def batches(draw: Draw, stream: np.random.SeedSequence, budget: int) -> Iterator[Array]:
    """Batches of observations, each from its own child of the stream."""
    for size, child in zip(batch_sizes(budget), children(stream), strict=False):
        yield observe(draw, child, size)


def looks(samples: int) -> int:
    """How many batches these samples were drawn in at most, which is how often a test that looks
    after each batch has looked."""
    return sum(1 for _ in batch_sizes(samples))


def thinned(path: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """Some points of a path: each has at least 3 % more samples than the one before, and the last
    point of the path is always among them.

    Whether a point is kept does not depend on later ones, so that two paths over the same batches
    can be compared point by point.
    """
    kept = path[:1]
    for point in path[1:]:
        if point[0] >= THINNING * kept[-1][0]:
            kept.append(point)
    return tuple(kept if kept[-1:] == path[-1:] else [*kept, path[-1]])


def observe(draw: Draw, stream: np.random.SeedSequence, size: int) -> Array:
    """Exactly `size` finite real observations; raises ValueError, or NotANumber, otherwise."""
    observations = np.asarray(draw(stream, size))
    if observations.shape != (size,):
        raise ValueError(f"draw returned shape {observations.shape} when asked for ({size},)")
    return real(observations)


def real(observations: Array) -> Array:
    """The observations themselves if they are finite real numbers; raises ValueError, or
    NotANumber, otherwise."""
    if observations.dtype.kind not in "biuf":
        raise ValueError(f"observations of dtype {observations.dtype} must be real numbers")
    return finite(observations)


def finite(observations: Array) -> Array:
    """The observations themselves if all are finite; raises NotANumber otherwise."""
    if not np.isfinite(observations).all():
        strange = observations[~np.isfinite(observations)]
        raise NotANumber(
            f"{strange[0]} among the observations, not a number in {len(strange)} of"
            f" {observations.size}"
        )
    return observations


def within(observations: Array, low: float, high: float) -> Array:
    """The observations themselves if all lie in [low, high]; raises ValueError with the worst
    otherwise."""
    lowest, highest = observations.min(), observations.max()
    if lowest < low or highest > high:
        worst = lowest if lowest < low else highest
        raise ValueError(f"observation {worst} lies outside [{low}, {high}]")
    return observations


def zeros_and_ones(events: npt.ArrayLike, what: str) -> Array:
    """Whether something happened in each replicate, as an array; raises ValueError unless the
    entries are 0 or 1 in one dimension."""
    happened = np.asarray(events)
    if happened.ndim != 1 or not np.isin(happened, (0, 1)).all():
        raise ValueError(f"{what} must be 0 or 1, one for each replicate")
    return happened


def require_between(name: str, value: float, low: float, high: float) -> None:
    """Raises ValueError unless low < value < high; high may be infinite."""
    if not low < value < high:
        raise ValueError(f"{name} = {value} must lie in ({low:g}, {high:g})")


def require_level(alpha: float) -> None:
    """Raises ValueError unless alpha lies strictly between 0 and 1."""
    require_between("alpha", alpha, 0, 1)


def require_budget(budget: int, needed: int) -> None:
    """Raises ValueError if the budget is too small for the design."""
    if budget < needed:
        raise ValueError(
            f"a budget of {budget} samples is below the {needed} that the design needs"
        )
