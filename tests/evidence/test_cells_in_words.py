"""Cells of joint tables in words: those that are furthest off are named, in as few words as do."""

import numpy as np
import pytest

from theory_checks.evidence import Verdict, cells_follow
from theory_checks.evidence.tables import MOST_DRAWN, compared, table

LABEL = ("label", ("-1", "+1"))
CLUSTER = ("cluster", range(3))
ORDERS = ("", [("a first", "c last"), ("a first", "b last"), ("b first", "c last")])


def seen(counts: list[int], *axes, p=None, cells=None):
    """The words for these counts; uniform probabilities unless others are given."""
    found = table(axes, cells or len(counts), "examples", "no cluster")
    law = np.full(len(counts), 1 / len(counts)) if p is None else np.asarray(p)
    return compared(np.array(counts), law, found, "what")


def test_the_first_axis_changes_fastest():
    text, picture = seen([100, 100, 100, 100, 100, 700], LABEL, CLUSTER)
    assert text.startswith(
        "cluster 2 and label +1: 58.3 % of 1200 examples, claimed 16.7 % (3.5 times)"
    )
    assert picture.names == tuple(f"cluster {k} and label {y}" for k in range(3) for y in LABEL[1])
    assert picture.observed == pytest.approx([1 / 12] * 5 + [7 / 12])
    assert picture.expected == pytest.approx([1 / 6] * 6)


def test_an_axis_that_explains_it_alone_stands_alone():
    text, picture = seen([50, 150, 50, 150, 50, 150], LABEL, CLUSTER)
    assert text == (
        "label -1: 25 % of 600 examples, claimed 50 % (0.5 times);"
        " label +1: 75 % of 600 examples, claimed 50 % (1.5 times)"
    )
    assert picture.names == ("label -1", "label +1")


def test_each_fact_of_a_place_is_looked_at_alone():
    text, picture = seen([100, 700, 100], ORDERS)
    assert text.startswith("b last: 77.8 % of 900 examples, claimed 33.3 % (2.33 times)")
    assert picture.names == ("c last", "b last")


def test_what_lies_beyond_the_axes_is_named_first():
    p = [1 / 6] * 6 + [0.0]
    text, _ = seen([300, 100, 100, 100, 100, 100, 1], LABEL, CLUSTER, p=p)
    assert text == "no cluster: 0.125 % of 801 examples, claimed 0 %"


def test_shares_that_differ_do_not_read_the_same():
    text, _ = seen([500_200, 499_800], LABEL)
    assert text == "label -1: 50.02 % of 1000000 examples, claimed 50 % (1 times)"


def test_a_picture_has_the_cells_that_are_furthest_off():
    counts = [100] * 40
    counts[7] = 300
    _, picture = seen(counts)
    assert len(picture.names) == MOST_DRAWN
    assert "cell 7" in picture.names


def test_axes_must_fit_the_table():
    with pytest.raises(ValueError, match="axes of 6 cells for a table of 5"):
        table((LABEL, CLUSTER), 5, "examples", "none")


def test_a_violated_law_of_cells_names_them_and_has_a_picture():
    def draw(stream, size):
        return np.random.default_rng(stream).choice(6, size, p=[0.1, 0.4, 0.1, 0.1, 0.1, 0.2])

    statement = cells_follow(
        np.full(6, 1 / 6),
        draw,
        resolution=0.1,
        detail="pairs",
        axes=(LABEL, CLUSTER),
        of="examples",
    )
    needed = statement.samples_needed(1e-6)
    evidence = statement.judge(np.random.SeedSequence(0), 1e-6, needed)
    assert evidence.verdict is Verdict.VIOLATED
    assert evidence.detail.startswith("pairs: cluster 0 and label +1: ")
    assert "examples, claimed 16.7 % (2." in evidence.detail
    assert evidence.compared is not None
