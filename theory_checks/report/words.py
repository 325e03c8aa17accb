"""Words and numbers that people read, in one place: terminal, summary and page all use these."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from theory_checks.checking.claim import GROUPS

if TYPE_CHECKING:
    from theory_checks.checking.record import Record


@dataclass(frozen=True)
class VerdictWords:
    """How a verdict is shown and explained.

    symbol: on the page, in the verdict's colour
    mark: in the summary, where GitHub has no colours
    meaning: one sentence
    """

    symbol: str
    mark: str
    meaning: str


VERDICT_WORDS = {
    "violated": VerdictWords("✗", "❌", "The code under test violates the claim."),
    "error": VerdictWords("!", "💥", "The code under test raised an exception."),
    "not run": VerdictWords("–", "🚫", "No evidence: a worker crashed or the run ended early."),
    "vacuous": VerdictWords(
        "∅",
        "⚪",
        "Hardly any input satisfied the hypotheses, or the claim says nothing about this code: it"
        " is not applicable, or the baseline of a control fails.",
    ),
    "inconclusive": VerdictWords("?", "❔", "The sample budget ran out before a decision."),
    "finding": VerdictWords(
        "≈",
        "🔎",
        "What is claimed in the limit fails at the sizes that were tried, as often as is predicted"
        " for them: the prediction holds.",
    ),
    "holds": VerdictWords(
        "✓",
        "✅",
        "No violation was detected; one as large as the resolution would have been missed with"
        " probability at most 10 %.",
    ),
}  # worst first

SMALL_BUT_SIGNIFICANT = "smaller than the guaranteed resolution, yet statistically significant"
SUSPECT = "builds on a claim that is violated or in error"
UNRESOLVED_BAND = "bound, with the band this run cannot resolve"

SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
DASH, MINUS, THIN = "–", "−", "\u202f"


def number(value: Any, digits: int = 3) -> str:
    """A number in ASCII: a few significant digits, in scientific notation where that is shorter; a
    dash for None.

    >>> number(1234.5), number(0.00012345), number(None)
    ('1234', '1.23e-4', '-')
    """
    if value is None:
        return "-"
    x = float(f"{float(value):.{digits}g}")
    if not math.isfinite(x):
        return {math.inf: "inf", -math.inf: "-inf"}.get(x, "NaN")
    if x and not 1e-3 <= abs(x) < 1e5:
        mantissa, _, exponent = f"{x:e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{float(value):.0f}" if abs(x) >= 10**digits else f"{x:g}"


def quantity(value: Any, digits: int = 3) -> str:
    """`number` as a typographer sets it."""
    text = number(value, digits)
    if text == "-":
        return DASH
    mantissa, power, exponent = text.replace("inf", "∞").partition("e")
    if mantissa.lstrip("-").isdecimal():
        mantissa = count(int(mantissa))
    return mantissa.replace("-", MINUS) + (
        f"×10{exponent.translate(SUPERSCRIPTS)}" if power else ""
    )


def count(value: int) -> str:
    """A whole number; a large one in groups of three digits."""
    return f"{value:,}".replace(",", THIN) if abs(value) >= 10_000 else str(value)


def percent(share: float, digits: int = 0) -> str:
    """A share of 1 in percent; a dash for NaN.

    >>> percent(0.125), percent(0.125, 1)
    ('12 %', '12.5 %')
    """
    return DASH if math.isnan(share) else f"{100 * share:.{digits}f} %"


def plural(n: int, noun: str) -> str:
    """The number with the noun: 1 claim, 2 claims."""
    return f"{count(n)} {noun}{'' if n == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds as people say them: 3.2 s, 4 min 5 s, 1 h 2 min."""
    minutes, rest = divmod(round(seconds), 60)
    if seconds < 9.95:
        text = f"{seconds:.1f} s"
    elif minutes < 60:
        text = f"{minutes} min {rest} s" if minutes else f"{rest} s"
    else:
        text = f"{minutes // 60} h {minutes % 60} min"
    return text.replace(" ", THIN)


def when(created: str) -> str:
    """An ISO 8601 time to the minute; any other text unchanged."""
    try:
        return datetime.fromisoformat(created).strftime("%-d %B %Y, %H:%M %Z").strip()
    except ValueError:
        return created


def cut(text: str, width: int) -> str:
    """The text, at most this long."""
    return text if len(text) <= width else text[: width - 1] + "…"


def slug(verdict: str) -> str:
    """The verdict as a name in style sheets."""
    return verdict.replace(" ", "-")


def group_of(claim_id: str) -> str:
    """The letters that a claim's id begins with."""
    return claim_id.partition(".")[0]


def natural(claim_id: str) -> tuple[int, str, Sequence[int]]:
    """Sort key of ids: by group in the order of GROUPS, then by number, so G.9 before G.10."""
    group = group_of(claim_id)
    place = list(GROUPS).index(group) if group in GROUPS else len(GROUPS)
    return place, group, tuple(map(int, re.findall(r"\d+", claim_id)))


def shortened(value: Any, length: int = 40) -> str:
    """A value of any type for an error message."""
    return cut(repr(value), length)


def how_far(record: Record) -> str:
    """Observed value and bound, in words."""
    if record.sense == "~" and record.bound == record.resolution:
        return f"off by {number(record.observed)}, where {number(record.bound)} is allowed"
    return (
        f"observed {number(record.observed)} {record.sense or 'against'} {number(record.bound)},"
        f" margin {number(record.margin)}"
    )


def which_input(record: Record) -> str:
    """What the worst case is, in words."""
    if record.verdict != "violated":
        return "the input closest to the bound"
    if record.shrunk:
        return "the smallest input found that violates it"
    return "an input that violates it" if record.examples > 1 else "the input, which violates it"
