"""Formulas for the page: LaTeX to MathML, laid out as in the paper."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from latex2mathml import converter

ALPHABETS = {"bold": "BOLD", "script": "SCRIPT", "double-struck": "DOUBLE-STRUCK"}
OPERATORS = {"~": "\u223c", ";": ";", ":": ":"}  # identifiers, to the converter
FENCES = {"\u27e8": "prefix", "\u27e9": "postfix"}  # angle brackets, likewise
BEFORE_A_SIGN = "([|,=\u2264\u2265:"  # after which a minus is a sign, not a difference
APART = ("1em", "2em")  # the spaces of \\quad and \\qquad, which separate parts
OPENING, CLOSING = "([{\u27e8", ")]}\u27e9"
RELATIONS = "=<>\u2264\u2265\u2260\u223c\u2248\u226b\u2208\u2287\u2190\u2192\u219b\u21a6"
BREAK_BEFORE = RELATIONS + "+\u2212"


def mathml(latex: str) -> str:
    """The formula as HTML that can wrap: for each part between \\quad or \\qquad a <span> of <math>
    elements and words. Lines break between parts and at relations, sums, commas and words.

    Raises ValueError if the formula cannot be converted.
    """
    braces = re.sub(r"\\[{}]", "", latex)
    if braces.count("{") != braces.count("}"):
        raise ValueError(f"not a formula: {latex!r} leaves a brace open")
    try:
        root = ElementTree.fromstring(converter.convert(latex))
    except Exception as error:  # the converter raises many types, IndexError among them
        raise ValueError(f"not a formula: {latex!r} ({type(error).__name__})") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    for element in root.iter():
        _corrected(element)
    html = ElementTree.tostring(root[0], encoding="unicode")
    if "\\" in html:
        raise ValueError(f"not a formula: {latex!r} has a command that is unknown")
    return "".join(ElementTree.tostring(part, encoding="unicode") for part in _parts(root[0]))


def _parts(row: Element) -> list[Element]:
    """The parts of a formula, in pieces between which lines can break."""
    parts = [Element("span")]
    depth, piece = 0, None
    for child, display in _flat(row):
        text = child.text or ""
        operator = child.tag == "mo" and text
        if child.tag == "mspace" and child.get("width") in APART:
            parts.append(Element("span"))
            piece = None
            continue
        if child.tag == "mtext":
            SubElement(parts[-1], "span").text = text.replace("\u00a0", " ")
            piece = None
            continue
        if operator and depth == 0 and text in BREAK_BEFORE and child.get("form") != "prefix":
            child.set("form", "infix")  # though it stands first in its piece
            piece = None
        if piece is None or piece.get("displaystyle") != display:
            piece = SubElement(parts[-1], "math", {"displaystyle": display})
        piece.append(child)
        if operator:
            depth += (text in OPENING) - (text in CLOSING)
            piece = None if text == "," and depth == 0 else piece
    return parts


def _flat(row: Element, display: str = "true") -> Iterator[tuple[Element, str]]:
    """The children of a row, with those of its styles, and whether each is in display style."""
    for child in row:
        if child.tag == "mstyle":
            yield from _flat(child, child.get("displaystyle", display))
        else:
            yield child, display


def _corrected(element: Element) -> None:
    """Corrects in place what the converter gets wrong or leaves to old browsers: alphabets, words,
    relations, brackets, spaces."""
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
        if child.tag == "mpadded":  # the slash of \\not, beside the relation
            element.remove(child)
            follower.text = unicodedata.normalize("NFC", f"{follower.text}\u0338")
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
    """The letter or digit in another alphabet; some are older characters with shorter names."""
    name = unicodedata.name(text).removeprefix("LATIN ").replace("LETTER ", "")
    try:
        return unicodedata.lookup(f"MATHEMATICAL {alphabet} {name}")
    except KeyError:
        return unicodedata.lookup(f"{alphabet} {name}")
