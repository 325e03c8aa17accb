"""Formulas: every claim's becomes MathML, and what is no formula is refused."""

import re
from xml.etree import ElementTree

import pytest

from theory_checks.checking.registry import built_in
from theory_checks.report.mathml import mathml

FORMULAS = {claim_id: claim.formula for claim_id, claim in built_in().items()}


def parsed(latex: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{mathml(latex)}</div>")


def text_of(latex: str) -> str:
    return "".join(parsed(latex).itertext())


@pytest.mark.parametrize("claim_id", FORMULAS)
def test_the_formula_of_every_claim_is_converted(claim_id: str) -> None:
    assert FORMULAS[claim_id], "a claim has no formula"
    found = parsed(FORMULAS[claim_id])
    assert {child.tag for child in found} == {"span"}
    assert {piece.tag for part in found for piece in part} <= {"math", "span"}
    # Nothing is left of LaTeX, nor of letters that browsers would not show in their alphabet.
    assert not re.search(r"[\\{}$]", "".join(found.itertext()).replace("{", "").replace("}", ""))
    assert {element.get("mathvariant") for element in found.iter()} <= {None, "normal"}


def test_parts_stand_apart_so_that_lines_can_break() -> None:
    assert [("".join(part.itertext())) for part in parsed(r"a=1,\qquad b=2\quad c")] == [
        "a=1,",
        "b=2",
        "c",
    ]
    assert len(parsed(r"\frac{a\quad b}{c}")) == 1  # a fraction stays whole


@pytest.mark.parametrize(
    ("latex", "pieces"),
    [
        (r"a+b=c", ["a", "+b", "=c"]),
        (r"f(a,b-c),-d", ["f(a,b−c),", "−d"]),
        (r"x\ \text{for every}\ y", ["x", " ", "for every", " ", "y"]),
        (r"\textstyle\sum_k v=w", ["∑kv", "=w"]),
        (r"a\not\to b", ["a", "↛b"]),
    ],
)
def test_lines_can_break_at_relations_sums_commas_and_words(latex: str, pieces: list[str]) -> None:
    (part,) = parsed(latex)
    assert ["".join(piece.itertext()) for piece in part] == pieces


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\mathcal M_k", "ℳk"),
        (r"\mathcal D", "𝒟"),
        (r"\mathbb E[x]", "𝔼[x]"),
        (r"\mathbf 1[k=l]", "𝟏[k=l]"),
        (r"\mathrm{Unif}", "Unif"),
        (r"a\sim b", "a∼b"),
        (r"\langle a,b\rangle", "⟨a,b⟩"),
        (r"x<y \& z", "x<y&z"),
    ],
)
def test_letters_and_signs(latex: str, text: str) -> None:
    assert text_of(latex) == text


def test_words_are_one_identifier_and_set_apart_from_what_follows() -> None:
    words = [element.text for element in parsed(r"\mathrm{Unif}(a)").iter("mi")]
    assert words == ["Unif", "a"]
    assert [e.tag for e in parsed(r"\log K").iter()][-3:] == ["mi", "mspace", "mi"]
    assert "mspace" not in {e.tag for e in parsed(r"\log(K)").iter()}


def test_a_minus_after_a_bracket_is_a_sign() -> None:
    signs = [
        element.get("form") for element in parsed(r"\ell(-z)-z").iter("mo") if element.text == "−"
    ]
    assert signs == ["prefix", "infix"]


@pytest.mark.parametrize("latex", [r"\frac{1", r"\quadP(x)", r"\nonsense", r"a_{b", r"\left( x"])
def test_what_is_no_formula_is_refused(latex: str) -> None:
    with pytest.raises(ValueError, match="not a formula"):
        mathml(latex)
