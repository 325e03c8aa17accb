"""Pictures as SVG: in the page's colours, safe beside each other, and drawn from whatever data
there is."""

import json
import math
import re
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from theory_checks.checking.pictures import (
    Heatmap,
    Lines,
    Picture,
    Series,
    Style,
    compact,
)
from theory_checks.report.plots import COLOURS, Drawing, drawn
from theory_checks.report.serial import plain, restored

NAN, INF = math.nan, math.inf
CURVES = Lines(
    "All styles",
    "n",
    "y",
    [
        Series("line", [1, 2, 4], [1, 2, 3], [0, 1, 2], [2, 3, 4]),
        Series("other line", [1, 2, 4], [3, 2, 1]),
        Series("cloud", [1, 2, 4], [2, 2, 2], [1, 1, 1], [3, 3, 3], Style.POINTS),
        Series("bars", [1, 2, 4], [1, 1, 1], style=Style.BARS),
        Series("bound", [1, 4], [2, 2], style=Style.BOUND),
        Series("law", [1, 4], [1, 3], style=Style.REFERENCE),
        Series("law", [1, 4], [2, 1], style=Style.REFERENCE),
    ],
    caption="What it shows.",
)
TABLE = Heatmap("A table", ["a", "b"], ["c", "d"], [[-1.0, 0.0], [0.5, 2.0]], "row", "column")


def parsed(svg: str) -> Element:
    return ElementTree.fromstring(svg)


def styles(svg: str, tag: str = "path") -> Iterator[str]:
    return (element.get("style", "") for element in parsed(svg).iter(tag))


@pytest.mark.parametrize("picture", [CURVES, TABLE])
def test_the_same_picture_is_the_same_text(picture: Picture) -> None:
    text = json.dumps(plain(compact(picture)))
    assert drawn(picture, "a") == drawn(restored(Picture, json.loads(text), "picture"), "a")


@pytest.mark.parametrize("picture", [CURVES, TABLE])
def test_all_colours_are_the_page_s(picture: Picture) -> None:
    svg = drawn(picture, "a").svg
    assert not re.search(r"#[0-9a-f]{6}\b|rgb|font-family|<style|<metadata|date", svg)
    used = set(re.findall(r"var\(--([\w-]+)\)", svg))
    assert {"ink"} < used <= set(COLOURS)


@pytest.mark.parametrize("picture", [CURVES, TABLE])
def test_pictures_stand_beside_each_other(picture: Picture) -> None:
    both = [drawn(picture, name).svg for name in ("R.3-0", "R.3-1")]
    ids = [set(re.findall(r'\bid="([^"]*)"', svg)) for svg in both]
    assert ids[0]
    assert not ids[0] & ids[1]
    for svg, known in zip(both, ids, strict=True):
        referred = set(
            re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)|aria-labelledby="([^"]*)"', svg)
        )
        assert {"".join(parts) for parts in referred} <= known


def test_a_picture_has_a_title_and_a_legend_as_text() -> None:
    picture = drawn(CURVES, "a")
    root = parsed(picture.svg)
    title = root.find("title")
    assert title is not None
    assert (root.get("role"), root.get("aria-labelledby"), title.text) == (
        "img",
        title.get("id"),
        "All styles",
    )
    assert [(key.names, key.style, key.role) for key in picture.legend] == [
        (("line",), "line", "series-0"),
        (("other line",), "line", "series-1"),
        (("cloud",), "points", "series-2"),
        (("bars",), "bars", "series-3"),
        (("bound",), "bound", "ink"),
        (("law",), "reference", "muted"),
    ]
    assert (picture.title, picture.caption) == ("All styles", "What it shows.")


def test_series_are_drawn_where_they_are() -> None:
    """A line at the height of the bound, and one twice as high: in an SVG y grows downwards."""
    at = [
        Series("low", [0, 1], [1, 1]),
        Series("high", [0, 1], [2, 2]),
        Series("zero", [0, 1], [0, 0], style=Style.BOUND),
    ]
    svg = drawn(Lines("t", "x", "y", at), "a").svg
    heights = {}
    for element in parsed(svg).iter("path"):
        for role in ("series-0", "series-1", "ink"):
            if f"stroke: var(--{role})" in element.get("style", "") and (
                points := re.findall(r"[ML] \S+ (\S+)", element.get("d", ""))
            ):
                heights.setdefault(role, {float(y) for y in points})
    (low,), (high,), (zero,) = heights["series-0"], heights["series-1"], heights["ink"]
    assert high < low < zero
    assert zero - low == pytest.approx(low - high, abs=0.1)


def test_text_is_text_whatever_it_holds() -> None:
    hostile = "$x_1^2$ <script>alert(1)</script> & \"quotes\" 'and' \\frac"
    svg = drawn(
        Lines(hostile, hostile, hostile, [Series(hostile, [0], [0])], ticks=[hostile]), "a"
    ).svg
    assert "<script" not in svg
    texts = [element.text for element in parsed(svg).iter("text")]
    assert texts.count(hostile) == 3


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "series",
    [
        [],
        [Series("none", [], [])],
        [Series("gaps", [1, 2, 3], [NAN, 1, NAN])],
        [Series("only gaps", [1, 2], [NAN, NAN], [NAN, NAN], [NAN, NAN], Style.POINTS)],
        [Series("one", [1], [1])],
        [Series("constant", [1, 2], [1, 1])],
        [Series("zeros", [0, 0], [0, 0], style=Style.BARS)],
        [Series("negative", [-1, -2], [-1, -2])],
        [Series("far apart", [1e-30, 1e30], [1e-12, 1e12])],
        [Series("below 0 in part", [1, 10, 100], [0, 1, -1], [-1, 0, -2], [1, 2, 0], Style.POINTS)],
    ],
    ids=lambda series: series[0].name if series else "nothing",
)
def test_whatever_the_data_there_is_a_picture_without_a_warning(
    series: list[Series], log: bool
) -> None:
    parsed(drawn(Lines("t", "x", "y", series, log_x=log, log_y=log), "a").svg)


def test_sizes_of_a_ladder_stand_at_the_axis() -> None:
    sizes = [64, 128, 256, 1024]
    svg = drawn(Lines("t", "d", "y", [Series("s", sizes, [1, 2, 3, 4])], log_x=True), "a").svg
    assert {"64", "128", "256", "1024"} <= {element.text for element in parsed(svg).iter("text")}
    close = [256, 512, 1024, 2048, 4096, 8192, 8200]
    svg = drawn(Lines("t", "d", "y", [Series("s", close, close)], log_x=True), "a").svg
    assert "8200" not in {element.text for element in parsed(svg).iter("text")}


def cells(picture: Heatmap) -> list[tuple[str, float]]:
    """Hue and strength of every cell that is drawn."""
    found = (
        re.search(r"fill: var\(--(high|low)\)(?:.*opacity: ([\d.]+))?", style)
        for style in styles(drawn(picture, "a").svg)
    )
    return [(match[1], float(match[2] or 1)) for match in found if match]


def test_a_heat_map_is_stronger_where_values_are_larger() -> None:
    assert [hue for hue, _ in cells(TABLE)] == ["low", "high", "high", "high"]
    assert [strength for _, strength in cells(TABLE)] == pytest.approx(
        [0.06 + 0.94 * x for x in (0.5, 0, 0.25, 1)]
    )
    one_sided = Heatmap("", ["a"], ["b", "c", "d"], [[0.0, 0.3, 0.9]], low=0.0, high=0.6)
    assert [strength for _, strength in cells(one_sided)] == pytest.approx([0.06, 0.53, 1.0])


def test_heat_maps_of_any_size_and_content() -> None:
    assert cells(Heatmap("", ["a"], ["b"], [[NAN]])) == []
    assert cells(Heatmap("", ["a"], ["b"], [[3.0]])) == [("high", 0.06)]
    large = Heatmap(
        "", ["row"] * 64, ["column"] * 64, [[float(i * j) for i in range(64)] for j in range(64)]
    )
    assert len(cells(large)) == 64 * 64


def test_numbers_stand_in_cells_where_there_is_room() -> None:
    texts = [element.text for element in parsed(drawn(TABLE, "a").svg).iter("text")]
    assert {"-1", "0", "0.5", "2", "a", "b", "c", "d", "row", "column"} == set(texts)


def test_drawings_are_values() -> None:
    assert isinstance(drawn(TABLE, "a"), Drawing)
    assert drawn(TABLE, "a") != drawn(TABLE, "b")
