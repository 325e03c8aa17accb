"""Pictures as data: what is refused, and what survives the way to the report."""

import json
import math
from dataclasses import replace

import pytest

from theory_checks.checking.pictures import (
    MOST_POINTS,
    Heatmap,
    Lines,
    Picture,
    Series,
    Style,
    compact,
    of_comparison,
)
from theory_checks.evidence.verdict import Compared
from theory_checks.report.serial import plain, restored


def test_pictures_survive_json() -> None:
    curve = Series(
        "law", (1.0, 2.0), (0.25, 0.5), low=(0.0, 0.25), high=(1.0, 1.0), style=Style.BOUND
    )
    lines = Lines(
        "a title",
        "x",
        "y",
        (curve, Series("other", (1.0,), (2.0,))),
        log_x=True,
        caption="a caption",
    )
    heatmap = Heatmap(
        "errors",
        ("expert 1",),
        ("cluster 1", "cluster 2"),
        ((0.0, 0.5),),
        "expert",
        "cluster",
        low=0,
        high=1,
    )
    for picture in (lines, heatmap):
        text = json.dumps(plain(compact(picture)), allow_nan=False)
        assert restored(Picture, json.loads(text), "picture") == compact(picture) == picture


def test_what_is_not_finite_becomes_a_gap_and_numbers_are_rounded() -> None:
    lines = compact(Lines("", "", "", (Series("s", [1, 2, 3], [math.inf, math.nan, 1 / 3]),)))
    table = compact(Heatmap("", ["a"], ["b", "c"], [[-math.inf, 2 / 3]]))
    assert isinstance(lines, Lines)
    assert isinstance(table, Heatmap)
    assert repr(lines.series[0].y) == "(nan, nan, 0.33333)"
    assert repr(table.values) == "((nan, 0.66667),)"


def test_long_series_keep_their_ends() -> None:
    n = 10_001
    lines = compact(Lines("", "", "", (Series("s", range(n), range(n), [0] * n, [1] * n),)))
    assert isinstance(lines, Lines)
    (short,) = lines.series
    assert len(short.x) == len(short.low or ()) == MOST_POINTS
    assert (short.x[0], short.x[-1]) == (0, n - 1)


@pytest.mark.parametrize(("low", "high"), [(None, [1, 1]), ([0], [1, 1])])
def test_series_of_different_lengths_are_refused(
    low: list[float] | None, high: list[float] | None
) -> None:
    with pytest.raises(ValueError, match="series 's'"):
        Series("s", [1, 2], [1, 2], low=low, high=high)


def test_heat_maps_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows of 1"):
        Heatmap("", ["a", "b"], ["c"], [[1.0]])
    with pytest.raises(ValueError, match="at most 64"):
        Heatmap("", ["a"], [str(i) for i in range(65)], [[0.0] * 65])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({}, "picture.*missing 4 required"),
        ({"type": "cube"}, r"picture\.type is 'cube', needs one of lines"),
        ({"type": "lines", "colour": 1}, "picture has 'colour'"),
        (
            {"type": "heatmap", "values": [["red"]]},
            r"picture\.values\[0\]\[0\] is 'red', needs float",
        ),
    ],
)
def test_what_is_not_a_picture_is_refused(value: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        restored(Picture, value, "picture")
    with pytest.raises(TypeError, match="not a picture: dict"):
        compact(value)  # type: ignore[arg-type]


def test_claimed_and_observed_stand_side_by_side() -> None:
    short = Compared("experts", ("expert 0", "expert 1"), (), (0.25, 0.75), (0.5, 0.5))
    picture = of_comparison(short)
    assert picture.title == "Claimed and observed: experts"
    assert (picture.ticks, picture.caption) == (("expert 0", "expert 1"), "")
    observed, claimed = picture.series
    assert (tuple(observed.y), tuple(claimed.y)) == ((0.25, 0.75), (0.5, 0.5))
    long = of_comparison(replace(short, names=("first example to expert 0", "b")))
    assert long.ticks == ("1", "2")
    assert long.caption == "1: first example to expert 0; 2: b"
    many = [f"a long name of cell {i}" for i in range(20)]
    of_many = Compared("", tuple(many), (), tuple(i / 210 for i in range(20)), (0.0,) * 20)
    assert of_comparison(of_many).caption.startswith("1: a long name of cell 8; 2: ")
    assert len(of_comparison(of_many).ticks) == 12
    line = of_comparison(Compared("", (), (1.0, 2.0), (0.1, 0.9), (0.2, 0.8)))
    assert line.title == "Claimed and observed"
    assert (tuple(line.series[0].x), line.ticks) == ((1.0, 2.0), ())
