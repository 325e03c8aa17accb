"""Formulas for the page: LaTeX to MathML that browsers lay out as the paper does."""

from __future__ import annotations

import itertools
import re
import unicodedata
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from latex2mathml import converter

ALPHABETS = {"bold": "BOLD", "script": "SCRIPT", "double-struck": "DOUBLE-STRUCK"}
OPERATORS = {"~": "\u223c", ";": ";", ":": ":"}  # which the converter takes for identifiers
FENCES = {"\u27e8": "prefix", "\u27e9": "postfix"}  # angle brackets, likewise
BEFORE_A_SIGN = "([|,=\u2264\u2265:"  # after which a minus is a sign, not a difference
APART = (
    "1em",
    "2em",
)  # the spaces of \quad and \qquad, which separate what may stand on lines of its own


def mathml(latex: str) -> str:
    """One <math> element for each part of the formula between \\quad or \\qquad, so that a narrow
    page can break it there.

    Raises ValueError if the formula cannot be converted.
    """
    braces = re.sub(r"\\[{}]", "", latex)
    if braces.count("{") != braces.count("}"):
        raise ValueError(f"not a formula: {latex!r} leaves a brace open")
    try:
        root = ElementTree.fromstring(converter.convert(latex))
    except (
        Exception
    ) as error:  # the converter has many of its own, and lets IndexError and others through
        raise ValueError(f"not a formula: {latex!r} ({type(error).__name__})") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    for element in root.iter():
        _corrected(element)
    row = next(iter(root))
    parts = [Element("mrow")]
    for child in row:
        if child.tag == "mspace" and child.get("width") in APART:
            parts.append(Element("mrow"))
        else:
            parts[-1].append(child)
    found = "".join(
        f'<math displaystyle="true">{ElementTree.tostring(part, encoding="unicode")}</math>'
        for part in parts
    )
    if "\\" in found:
        raise ValueError(f"not a formula: {latex!r} has a command that is unknown")
    return found


def _corrected(element: Element) -> None:
    """What the converter leaves to old browsers, or gets wrong: alphabets, words, relations,
    brackets, spaces. In place."""
    children = list(element)
    if (
        element.tag == "mrow"
        and len(children) > 1
        and all(c.tag == "mi" and c.get("mathvariant") == "normal" for c in children)
    ):
        element.tag, element.text = "mi", "".join(child.text or "" for child in children)
        element[:] = []
    text, variant = element.text or "", element.get("mathvariant", "")
    if variant in ALPHABETS:
        element.text = "".join(_letter(letter, ALPHABETS[variant]) for letter in text)
        del element.attrib["mathvariant"]
    elif element.tag == "mi" and text in OPERATORS:
        element.tag, element.text = "mo", OPERATORS[text]
        if text == ":":
            element.attrib |= {"lspace": "0", "rspace": "0.3em"}
    elif element.tag == "mi" and text in FENCES:
        element.tag = "mo"
        element.attrib |= {"fence": "true", "form": FENCES[text], "stretchy": "false"}
    elif element.tag == "mi" and len(text) == 1 and "\u0391" <= text <= "\u03a9":
        element.set("mathvariant", "normal")  # capital Greek letters are upright
    elif element.get("width") == "negativethinmathspace":
        element.set("width", "-0.167em")
    for child, follower in itertools.pairwise(children):
        if (
            child.tag == "mo"
            and (child.text or "") in BEFORE_A_SIGN
            and follower.tag == "mo"
            and follower.text == "\u2212"
        ):
            follower.set("form", "prefix")
    for index, (child, follower) in reversed(list(enumerate(itertools.pairwise(children)))):
        name = child[0] if child.tag in ("msub", "msup", "msubsup") and len(child) else child
        if (
            name.tag == "mi"
            and len(name.text or "") > 1
            and follower.tag in ("mi", "mn", "msub", "msup", "mfrac", "msqrt")
        ):
            element.insert(index + 1, Element("mspace", {"width": "0.17em"}))


def _letter(text: str, alphabet: str) -> str:
    """The letter or digit in another alphabet; a few of these are older characters with shorter
    names."""
    name = unicodedata.name(text).removeprefix("LATIN ").replace("LETTER ", "")
    try:
        return unicodedata.lookup(f"MATHEMATICAL {alphabet} {name}")
    except KeyError:
        return unicodedata.lookup(f"{alphabet} {name}")
