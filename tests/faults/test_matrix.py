"""What the kill matrix concludes from results, and its pages."""

import json
import re
from dataclasses import replace

import pytest

from theory_checks.checking.registry import declared_ids
from theory_checks.faults import FAULTS
from theory_checks.faults.cells import Cell, Result, claims
from theory_checks.faults.matrix import KEPT, Matrix, cells_of, dependency_order
from theory_checks.faults.pages import headline, heat_maps, page, table
from theory_checks.report.serial import plain

KILLED, SURVIVED, ERROR = (
    Result("killed", -0.5, samples=120),
    Result("survived", 0.1),
    Result("error", detail="<b>boom</b>"),
)
ORDER = ("D.2", "D.5", "R.5", "G.3", "E.3")


def matrix(**results: dict[str, Result]) -> Matrix:
    faults = tuple(FAULTS[name] for name in results)
    return Matrix(
        "quick",
        1,
        ORDER,
        {claim_id: f"Statement {claim_id}." for claim_id in ORDER},
        faults,
        results,
    )


FOUND = matrix(
    LABELS_FLIPPED={"D.2": SURVIVED, "D.5": KILLED, "R.5": SURVIVED, "G.3": KILLED, "E.3": KILLED},
    LABELS_BIASED={"D.2": SURVIVED, "D.5": SURVIVED, "R.5": SURVIVED, "G.3": SURVIVED},
    NOISE_ON_GRID={"D.2": SURVIVED, "D.5": SURVIVED, "R.5": ERROR, "G.3": KILLED},
    NOISE_CENTRED={"D.2": SURVIVED, "R.5": SURVIVED},
    ROUTER_FROZEN={"D.2": SURVIVED},
)


def test_dependencies_come_first_and_then_groups_and_numbers() -> None:
    order = dependency_order(claims())
    assert sorted(order) == sorted(claims())
    for claim_id, claim in claims().items():
        assert all(order.index(other) < order.index(claim_id) for other in claim.depends_on)
    assert order.index("D.1") == 0
    assert order.index("G.9") < order.index("G.10")


def test_claims_about_training_are_checked_on_representatives() -> None:
    cells = {
        name: cells_of(FAULTS[name], ORDER, ("E.3",), "quick", 1)
        for name in ("GATE_ONE", "GATE_SQUARED")
    }
    assert tuple(cells["GATE_ONE"]) == ORDER
    assert tuple(cells["GATE_SQUARED"]) == ORDER[:-1]
    assert cells["GATE_ONE"]["E.3"] == Cell("theory_checks.faults:GATE_ONE", "E.3", "quick", 1)


def test_the_headline_counts_checks_that_ended_in_an_error() -> None:
    assert headline(FOUND) == (
        "2 of 5 faults are killed, 1 is equivalent: 1 gap; 1 not checked by every claim that must"
        " notice. 1 check ended in an error."
    )
    assert "error" not in headline(matrix(ROUTER_FROZEN={"D.2": SURVIVED}))


def test_the_table_names_who_notices_first_and_who_survives() -> None:
    assert table(FOUND).splitlines() == [
        "fault           noticed first by  margin",
        "LABELS_FLIPPED  D.5               -0.5",
        "LABELS_BIASED   -",
        "NOISE_ON_GRID   G.3               -0.5",
        "NOISE_CENTRED   equivalent",
        "ROUTER_FROZEN   -",
        "survivors: LABELS_BIASED, ROUTER_FROZEN",
    ]
    assert table(matrix(LABELS_FLIPPED={"D.5": KILLED})).endswith("\nsurvivors: none")


def test_fates_and_localisation() -> None:
    fates = {fault.name: FOUND.fate(fault) for fault in FOUND.faults}
    assert fates == {
        "LABELS_FLIPPED": "killed",
        "LABELS_BIASED": "gap",
        "NOISE_ON_GRID": "killed",
        "NOISE_CENTRED": "equivalent",
        "ROUTER_FROZEN": "open",
    }
    flipped, _, grid, *_ = FOUND.faults
    assert FOUND.killers(flipped) == ("D.5", "G.3", "E.3")
    assert FOUND.localised(flipped)
    assert not FOUND.localised(grid)
    assert FOUND.missed(grid) == ("R.5",)
    elsewhere_first = matrix(GATE_ONE={"D.2": KILLED, "G.3": KILLED})
    assert not elsewhere_first.localised(elsewhere_first.faults[0])
    assert FOUND.summary == {
        "faults": 5,
        "killed": 2,
        "localised": 1,
        "equivalent": 1,
        "gaps": 1,
        "errors": 1,
    }


def test_minimality() -> None:
    assert FOUND.only_killer_of("G.3") == ("LABELS_FLIPPED", "NOISE_ON_GRID")  # of its group
    assert FOUND.first_killer_of("D.5") == ("LABELS_FLIPPED",)
    assert FOUND.killed_by("E.3") == ("LABELS_FLIPPED",)
    assert FOUND.killed_by("R.5") == ()
    assert FOUND.only_killer_of("E.3") == ("LABELS_FLIPPED",)
    assert FOUND.redundant == ("D.2", "R.5")
    rivals = matrix(LABELS_FLIPPED={"D.2": KILLED, "D.5": KILLED, "G.3": KILLED})
    assert (rivals.first_killer_of("D.2"), rivals.first_killer_of("D.5")) == (
        ("LABELS_FLIPPED",),
        (),
    )
    assert rivals.only_killer_of("D.2") == ()
    assert rivals.redundant == ("D.5",)


def test_an_equivalent_fault_that_is_noticed_is_a_wrong_argument() -> None:
    assert [fault.name for fault in matrix(NOISE_CENTRED={"R.5": KILLED}).false_kills] == [
        "NOISE_CENTRED"
    ]
    assert FOUND.false_kills == ()


def test_json_has_everything() -> None:
    found = json.loads(json.dumps(plain(FOUND.to_json()), allow_nan=False))
    assert [fault["name"] for fault in found["faults"]] == [fault.name for fault in FOUND.faults]
    assert found["faults"][0]["first"] == "D.5"
    assert found["faults"][0]["cells"]["D.5"]["samples"] == 120
    assert found["claims"][3]["only_killer_of"] == ["LABELS_FLIPPED", "NOISE_ON_GRID"]


def test_markdown_tells_how_each_was_killed() -> None:
    text = page(FOUND, "md")
    assert (
        "2 of 5 faults are killed, 1 is equivalent: 1 gap; 1 not checked by every claim that must"
        " notice." in text
    )
    assert "killed | D.5, margin -0.5, 120 samples; also G.3, E.3 | yes |" in text
    assert "- NOISE_ON_GRID: R.5 (error)" in text


def test_redundant_claims_are_kept_for_a_reason() -> None:
    unknown = "D.2: No reason is known: sharpen or drop it."
    assert f"- {unknown}" in page(FOUND, "md")
    assert unknown in page(FOUND, "html")
    lemma = replace(
        FOUND, order=("R.2",), results={fault.name: {"R.2": SURVIVED} for fault in FOUND.faults}
    )
    assert f"- R.2: {KEPT['R.2']}" in page(lemma, "md")
    assert set(KEPT) <= set(declared_ids())


def test_the_page_is_self_contained_and_draws_every_family() -> None:
    text = page(FOUND, "html")
    assert not re.search(r"""(src|href)=["']?https?:|url\((?!#|["']?data:)|@import""", text)
    assert "<b>boom</b>" not in text
    titles = [drawing.title for drawing in heat_maps(FOUND)]
    assert titles == [
        "Faults of data against claims about the parts",
        "Faults of data against claims about training",
        "Faults of routing against claims about the parts",
        "Faults of updates against claims about the parts",
    ]
    assert all(title in text for title in titles)


@pytest.mark.parametrize("columns", [6, 60])
def test_heat_maps_grow_with_the_number_of_claims(columns: int) -> None:
    ids = [claim_id for claim_id in dependency_order(claims()) if claim_id[0] in "DRGIS"][:columns]
    found = Matrix(
        "quick",
        1,
        tuple(ids),
        {},
        (FAULTS["GATE_ONE"],),
        {"GATE_ONE": dict.fromkeys(ids, SURVIVED)},
    )
    (drawing,) = heat_maps(found)
    width = re.search(r'viewBox="0 0 ([\d.]+)', drawing.svg)
    assert width is not None
    assert float(width[1]) > 13 * len(ids)
