"""Pictures as data: what is refused, and what survives the way to the report."""

import json
import math

import pytest

from theory_checks.checking.pictures import (
    MOST_POINTS,
    Heatmap,
    Lines,
    Series,
    Style,
    from_plain,
    thinned,
    to_plain,
)


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
        text = json.dumps(to_plain(picture), allow_nan=False)
        assert json.dumps(to_plain(from_plain(json.loads(text)))) == text


def test_numbers_that_json_lacks_become_gaps() -> None:
    plain = to_plain(Lines("", "", "", (Series("s", [1, 2, 3], [math.inf, math.nan, 1 / 3]),)))
    assert plain["series"][0]["y"] == [None, None, 0.33333]
    back = from_plain(plain)
    assert isinstance(back, Lines)
    assert [math.isnan(y) for y in back.series[0].y] == [True, True, False]


def test_long_series_keep_their_ends() -> None:
    short = thinned(
        Series("s", list(range(10_001)), list(range(10_001)), low=[0] * 10_001, high=[1] * 10_001)
    )
    assert len(short.x) == len(short.low or ()) == MOST_POINTS
    assert (short.x[0], short.x[-1]) == (0, 10_000)


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
    "value", [{}, {"type": "cube"}, {"type": "lines", "colour": 1, "series": []}]
)
def test_what_is_no_picture_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a picture"):
        from_plain(value)
