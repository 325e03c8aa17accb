"""index.html: a run as one self-contained page, for reading on a screen of any size and in
print."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from theory_checks.checking.claim import GROUPS
from theory_checks.checking.pictures import Lines, Series, Style, from_plain, to_plain
from theory_checks.checking.record import MORE_THAN_CHANCE, VERDICTS, Record, more_than_chance
from theory_checks.report.document import BROKEN, Report, headline, suspects
from theory_checks.report.mathml import mathml
from theory_checks.report.tables import joint_tables
from theory_checks.report.terminal import tally

if TYPE_CHECKING:
    from theory_checks.report.compare import Comparison
    from theory_checks.report.plots import Drawing

SYMBOLS = {
    "violated": "✗",
    "error": "!",
    "not run": "–",
    "vacuous": "∅",
    "inconclusive": "?",
    "holds": "✓",
}
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
DASH, MINUS, THIN = "–", "−", "\u202f"
AT_THE_BOUND = 5e-4  # of the unit of a margin: closer than anybody sees
INSIDE, BEYOND = 1.0, 2.0  # units of the margin that the bar shows on each side of the bound


def render(
    report: Report,
    comparison: Comparison | None = None,
    drawn: Mapping[str, Drawings] = MappingProxyType({}),
) -> str:
    """The page. drawn: the drawings of claims, by id, that were made before."""
    from theory_checks.report.plots import Node, graph

    doubts = suspects(report.records)
    rows = [
        _row(record, report, doubts, drawn.get(record.id) or drawings(record))
        for record in sorted(report.records, key=lambda r: natural(r.id))
    ]
    nodes = [
        Node(r.record.id, r.group, slug(r.record.verdict), r.record.depends_on, bool(r.doubted_by))
        for r in rows
    ]
    names = {**GROUPS, **{row.group: "" for row in rows if row.group not in GROUPS}}
    return (
        templates()
        .get_template("index.html")
        .render(
            report=report,
            comparison=comparison,
            rows=sorted(rows, key=lambda row: row.rank),
            counts=Counter(row.record.verdict for row in rows),
            broken=[row for row in rows if row.broken],
            undecided=[row for row in rows if not row.broken and row.record.verdict != "holds"],
            doubted=sum(bool(row.doubted_by) for row in rows),
            changes=(
                []
                if comparison is None
                else sorted(
                    (c for c in comparison.changes if c.kind != "unchanged"),
                    key=lambda c: (not c.worse, natural(c.id)),
                )
            ),
            comparison_summary="" if comparison is None else tally(comparison),
            order=VERDICTS,
            symbols=SYMBOLS,
            headline=headline(report),
            groups={
                group: name
                for group, name in names.items()
                if any(row.group == group for row in rows)
            },
            kinds=sorted({row.record.kind for row in rows if row.record.kind}),
            tables=joint_tables(row.record for row in rows),
            graph=Markup(graph(nodes, names, "graph")) if nodes else "",
            version=version("moe-theory-checks"),
        )
    )


def templates() -> Environment:
    """The templates of pages, with the filters that they use."""
    environment = Environment(
        loader=PackageLoader("theory_checks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "quantity": quantity,
        "count": count,
        "slug": slug,
        "duration": duration,
        "when": when,
    }
    return environment


@dataclass(frozen=True)
class Row:
    """What the page shows of a claim.

    place: in the order of ids; doubted_by: the broken claims it builds on; doubts: the claims that
    it makes suspect, if it is broken; undrawn: why a picture is missing.
    """

    record: Record
    group: str
    place: int
    rank: int
    standing: Standing | None
    formula: Markup
    doubted_by: tuple[str, ...]
    doubts: tuple[str, ...]
    drawings: tuple[Drawing, ...]
    undrawn: tuple[str, ...]

    @property
    def broken(self) -> bool:
        return self.record.verdict in BROKEN


def _row(
    record: Record, report: Report, doubts: Mapping[str, tuple[str, ...]], drawn: Drawings
) -> Row:
    ids = sorted((r.id for r in report.records), key=natural)
    return Row(
        record,
        group=group_of(record.id),
        place=ids.index(record.id),
        rank=VERDICTS.index(record.verdict),
        standing=standing(record),
        formula=_formula(record.formula),
        doubted_by=doubts.get(record.id, ()),
        doubts=tuple(id for id, lemmas in doubts.items() if record.id in lemmas),
        drawings=drawn.found,
        undrawn=drawn.missing,
    )


def _formula(latex: str) -> Markup:
    """The formula as MathML; as it is written, if it cannot be converted."""
    try:
        return Markup(mathml(latex)) if latex else Markup()
    except ValueError:
        return Markup("<code>{}</code>").format(latex)


@dataclass(frozen=True)
class Drawings:
    """A claim's pictures and the observed sequence, and why others are missing: they illustrate,
    the page does without."""

    found: tuple[Drawing, ...]
    missing: tuple[str, ...]


def drawings(record: Record) -> Drawings:
    """The drawings of a claim. matplotlib is imported here, not before: that takes as long as most
    runs of a few claims. If it cannot be, every picture is missing: this is called while the run
    goes on, which pictures must not end."""
    found, missing = [], [record.undrawn] if record.undrawn else []
    sequence = observed_sequence(record)
    pictures = [*record.pictures, *([] if sequence is None else [to_plain(sequence)])]
    for index, picture in enumerate(
        reversed(pictures) if record.verdict == "violated" else pictures
    ):
        try:
            from theory_checks.report.plots import drawn

            found.append(drawn(from_plain(picture), f"{record.id}-{index}"))
        except Exception as error:
            missing.append(f"{type(error).__name__}: {error}")
    return Drawings(tuple(found), tuple(missing))


# How far from its bound


@dataclass(frozen=True)
class Standing:
    """Where the observed value stands, in units in which claims can be compared.

    inside: by how many units it is inside its bound, negative beyond it; what is claimed to be
    equal is never inside, and beyond by its difference. zone: up to how many units beyond it may
    lie although the claim holds (resolution, or rounding).
    """

    inside: float
    zone: float
    text: str

    @property
    def place(self) -> float:
        """On the bar, from 0 (inside by one unit or more) to 100 (beyond by two or more)."""
        return _place(self.inside)

    @property
    def zone_width(self) -> float:
        return _place(-self.zone) - _place(0.0)

    @property
    def outside_the_bar(self) -> str:
        return "left" if self.inside > INSIDE else "right" if self.inside < -BEYOND else ""


def _place(inside: float) -> float:
    return 100 * (INSIDE - min(max(inside, -BEYOND), INSIDE)) / (INSIDE + BEYOND)


def side(record: Record) -> int:
    """1 if the claim is that observed is at most its bound, -1 at least, 0 that two things are
    equal: as the margin tells."""
    if (
        record.observed is None
        or record.bound is None
        or record.margin is None
        or record.bound == record.resolution
    ):
        return 0  # a difference or a distance, whose bound is what may be rounding or chance
    above = record.observed - record.bound
    return (
        1
        if math.isclose(record.margin, -above, abs_tol=1e-15)
        else -1
        if math.isclose(record.margin, above, abs_tol=1e-15)
        else 0
    )


def standing(record: Record) -> Standing | None:
    """Where samples decide the unit is the resolution, since the ratio of an estimate to a small
    bound is mostly noise; for exact claims it is the bound, or the tolerance for rounding where
    that is larger. None if there is nothing to compare."""
    margin, bound, resolution = record.margin, record.bound, record.resolution
    if (
        margin is None
        or bound is None
        or resolution is None
        or math.isnan(margin + resolution)
        or not math.isfinite(bound)
    ):
        return None
    sampled, equality = bool(record.false_pass), side(record) == 0
    unit = resolution if sampled or equality else max(abs(bound), resolution)
    name = "resolution" if sampled else "tolerance" if unit == resolution else "bound"
    away = margin - resolution if equality else margin
    inside = away / unit if unit > 0 else 0.0 if away == 0 else math.copysign(math.inf, away)
    return Standing(
        inside, resolution / unit if unit > 0 else 0.0, _in_words(inside, name, equality, record)
    )


def _in_words(inside: float, unit: str, equality: bool, record: Record) -> str:
    violated = record.verdict == "violated"
    if math.isinf(inside):
        return f"beyond by {quantity(abs(record.margin or 0.0))}, with no room for rounding"
    if inside > AT_THE_BOUND:
        if unit == "resolution":
            return f"{quantity(inside, 2)} resolutions to spare"
        share = "over 99" if 0.99 < inside < 1 else quantity(100 * inside, 2)
        return f"{share} % of the {unit} to spare"
    if not violated and (inside == 0 if equality else inside > -AT_THE_BOUND):
        return "no difference" if equality else "at the bound"
    if unit == "bound" and inside > -AT_THE_BOUND and record.resolution:
        inside, unit = (record.margin or 0.0) / record.resolution, "tolerance"
    size = quantity(-inside, 2)
    amount = f"{size} times the bound" if unit == "bound" else f"{size} {unit}{'s' * (size != '1')}"
    beyond_chance = (
        ", which is more than chance" if violated and unit == "resolution" and inside > -1 else ""
    )
    return f"{'off' if equality else 'beyond'} by {amount}{beyond_chance}"


def observed_sequence(record: Record) -> Lines | None:
    """The running estimate of the worst case against its bound, for claims that sample."""
    bound, width = record.bound, record.resolution
    if len(record.path) < 2 or bound is None or width is None or not math.isfinite(bound + width):
        return None
    samples, values = [n for n, _ in record.path], [y for _, y in record.path]
    ends = [samples[0], samples[-1]]
    observed = Series("observed so far", samples, values)
    if bound == width:
        against = Series("what this run resolves", ends, [bound] * 2, style=Style.BOUND)
        label, caption = (
            "distance",
            (
                "The distance from what is claimed, as the samples came in; chance alone makes it"
                " fall to 0."
            ),
        )
        if more_than_chance(record):
            caption += f" It stays: {MORE_THAN_CHANCE}."
    else:
        low, high = bound - width * (side(record) != 1), bound + width * (side(record) != -1)
        against = Series(
            "bound, and as far beyond as this run does not resolve",
            ends,
            [bound] * 2,
            [low] * 2,
            [high] * 2,
            Style.BOUND,
        )
        label, caption = "mean", "The worst case found, as its samples came in."
    return Lines(
        "The observed sequence", "samples", label, (observed, against), log_x=True, caption=caption
    )


# Words and numbers


def group_of(id: str) -> str:
    """The letters that an id begins with."""
    return id.partition(".")[0]


def natural(id: str) -> tuple[int, str, tuple[int, ...]]:
    """Sorts ids by group, then by number: G.9 before G.10."""
    group = group_of(id)
    place = list(GROUPS).index(group) if group in GROUPS else len(GROUPS)
    return place, group, tuple(map(int, re.findall(r"\d+", id)))


def slug(verdict: str) -> str:
    """The verdict as a name in style sheets."""
    return verdict.replace(" ", "-")


def quantity(value: Any, digits: int = 3) -> str:
    """A number for people: a few significant digits, powers of ten where they are shorter, a dash
    for none."""
    if value is None:
        return DASH
    number = float(value)
    if not math.isfinite(number):
        return {math.inf: "∞", -math.inf: f"{MINUS}∞"}.get(number, "not a number")
    if number != 0 and not 1e-3 <= abs(number) < 1e5:
        mantissa, _, exponent = f"{number:.{digits - 1}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}×10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    else:
        text = count(round(number)) if abs(number) >= 10**digits else f"{number:.{digits}g}"
    return text.replace("-", MINUS)


def count(value: int) -> str:
    """A whole number in groups of three digits."""
    return f"{value:,}".replace(",", THIN) if abs(value) >= 10_000 else str(value)


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 9.95:
        return f"{seconds:.1f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    return (
        f"{minutes // 60}{THIN}h {minutes % 60}{THIN}min"
        if minutes >= 60
        else f"{minutes}{THIN}min {rest}{THIN}s"
        if minutes
        else f"{rest}{THIN}s"
    )


def when(created: str) -> str:
    """An ISO time to the minute; as it is, if it is none."""
    try:
        return datetime.fromisoformat(created).strftime("%-d %B %Y, %H:%M %Z").strip()
    except ValueError:
        return created
