"""The graph of dependencies: who builds on whom, and where doubt is carried on."""

import re
from xml.etree import ElementTree

import pytest

from theory_checks.checking.record import Record
from theory_checks.report.graph import graph
from theory_checks.report.page import templates
from theory_checks.report.results import suspects

GROUPS = {"D": "data", "R": "routing", "N": "network"}


def node(claim_id: str, *depends_on: str, verdict: str = "holds") -> Record:
    return Record(claim_id, verdict, depends_on=depends_on)


def drawn(nodes: list[Record]) -> str:
    """The graph of these claims as the page has it."""
    laid_out = graph(nodes, suspects(nodes), GROUPS)
    return templates().get_template("graph.html").render(graph=laid_out)


def edges(svg: str) -> dict[tuple[str, str], str]:
    """The colour of every edge."""
    found = {}
    for element in ElementTree.fromstring(svg).iter():
        if "data-from" in element.attrib:
            path = element.find(".//path")
            assert path is not None
            colour = re.search(r"stroke: var\(--([\w-]+)\)", path.get("style", ""))
            assert colour is not None
            found[element.attrib["data-from"], element.attrib["data-to"]] = colour[1]
    return found


def test_the_graph_shows_who_builds_on_whom_without_what_follows() -> None:
    nodes = [
        node("D.1"),
        node("R.1", "D.1"),
        node("R.2", "R.1", "D.1"),
        node("N.1", "R.2", "D.1", "Q.7"),
    ]
    svg = drawn(nodes)
    assert set(edges(svg)) == {("D.1", "R.1"), ("R.1", "R.2"), ("R.2", "N.1")}
    assert {a.get("href") for a in ElementTree.fromstring(svg).iter("a")} == {
        "#claim-D.1",
        "#claim-R.1",
        "#claim-R.2",
        "#claim-N.1",
    }
    assert {element.text for element in ElementTree.fromstring(svg).iter("text")} == {
        "D.1",
        "R.1",
        "R.2",
        "N.1",
        "data",
        "routing",
        "network",
    }


def test_doubt_is_carried_on_from_broken_claims() -> None:
    nodes = [
        node("D.1", verdict="violated"),
        node("D.2"),
        node("R.1", "D.1"),
        node("R.2", "D.2"),
        node("N.1", "R.1", "R.2"),
    ]
    assert edges(drawn(nodes)) == {
        ("D.1", "R.1"): "violated",
        ("R.1", "N.1"): "violated",
        ("D.2", "R.2"): "muted",
        ("R.2", "N.1"): "muted",
    }


def test_a_graph_with_a_cycle_is_shown_as_it_is() -> None:
    assert set(edges(drawn([node("D.1", "D.2"), node("D.2", "D.1")]))) == {
        ("D.1", "D.2"),
        ("D.2", "D.1"),
    }


def test_nodes_do_not_cover_each_other() -> None:
    nodes = [
        node(f"{group}.{i}", *(f"D.{j}" for j in range(i)))
        for group in GROUPS
        for i in range(1, 12)
    ]
    places = {}
    for element in ElementTree.fromstring(drawn(nodes)).iter():
        if "data-id" in element.attrib:
            box = element.find("rect")
            assert box is not None
            places[element.attrib["data-id"]] = box.get("x"), box.get("y")
    assert len(places) == len(nodes) == len(set(places.values()))


def test_a_graph_of_unknown_groups_is_the_callers_business() -> None:
    with pytest.raises(ValueError, match="max"):
        graph([node("Q.1")], (), {})
