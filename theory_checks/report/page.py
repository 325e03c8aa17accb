"""index.html: a run as one self-contained page, for screens of any size and for print."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from theory_checks.checking.claim import GROUPS
from theory_checks.checking.pictures import Lines, Series, Style
from theory_checks.checking.record import WORST_FIRST, Record
from theory_checks.report import looks_like, words
from theory_checks.report.graph import graph
from theory_checks.report.mathml import mathml
from theory_checks.report.results import Results, headline, suspects
from theory_checks.report.tables import joint_tables
from theory_checks.report.terminal import tally
from theory_checks.report.words import group_of, natural, quantity

if TYPE_CHECKING:
    from theory_checks.report.compare import Comparison
    from theory_checks.report.plots import Drawing

AT_THE_BOUND = 5e-4  # of the unit of a margin: closer than anybody sees
INSIDE, BEYOND = 1.0, 2.0  # units of the margin that the bar shows on each side of the bound


def render(
    report: Results,
    comparison: Comparison | None = None,
    drawn: Mapping[str, Drawings] = MappingProxyType({}),
) -> str:
    """The page.

    comparison: with the baseline
    drawn: drawings made before, by claim
    """
    doubts = suspects(report.records)
    records = sorted(report.records, key=lambda r: natural(r.id))
    rows = [
        Row(
            record,
            place,
            standing(record),
            _formula(record.formula),
            doubts.get(record.id, ()),
            tuple(claim_id for claim_id, lemmas in doubts.items() if record.id in lemmas),
            drawn.get(record.id) or drawings(record),
        )
        for place, record in enumerate(records)
    ]
    groups = {
        group: GROUPS.get(group, "") for group in dict.fromkeys(group_of(r.id) for r in records)
    }
    return (
        templates()
        .get_template("index.html")
        .render(
            report=report,
            headline=headline(report),
            rows=sorted(rows, key=lambda row: row.rank),
            counts=Counter(r.verdict for r in records),
            suspects=len(doubts),
            likenesses=looks_like.words({r.id: r.verdict for r in report.records}),
            comparison=comparison,
            comparison_summary="" if comparison is None else tally(comparison),
            groups=groups,
            kinds=sorted({r.kind for r in records if r.kind}),
            tables=joint_tables(records),
            graph=graph(records, doubts, groups) if records else None,
            version=version("moe-theory-checks"),
        )
    )


def templates() -> Environment:
    """The templates of pages, with the words and filters that they use."""
    environment = Environment(
        loader=PackageLoader("theory_checks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["words"] = words
    for name in ("count", "duration", "number", "percent", "plural", "quantity", "slug", "when"):
        environment.filters[name] = getattr(words, name)
    return environment


@dataclass(frozen=True)
class Row:
    """What the page shows of a claim.

    record: of the claim
    place: in the order of ids
    standing: distance from the bound; None if there is nothing to compare
    formula: in MathML
    doubted_by: ids of the broken claims that it builds on
    doubts: ids of the claims that build on it, if it is broken
    drawings: of its pictures
    """

    record: Record
    place: int
    standing: Standing | None
    formula: Markup
    doubted_by: tuple[str, ...]
    doubts: tuple[str, ...]
    drawings: Drawings

    @property
    def rank(self) -> int:
        """Place of the verdict, worst first."""
        return WORST_FIRST.index(self.record.verdict)


def _formula(latex: str) -> Markup:
    """The formula as MathML; in LaTeX if it cannot be converted."""
    try:
        return Markup(mathml(latex)) if latex else Markup()
    except ValueError:
        return Markup("<code>{}</code>").format(latex)


@dataclass(frozen=True)
class Drawings:
    """A claim's pictures and its observed sequence.

    made: those that could be drawn
    missing: for each of the others the reason
    """

    made: tuple[Drawing, ...]
    missing: tuple[str, ...]


def drawings(record: Record) -> Drawings:
    """The drawings of a claim.

    This is called during the run, which pictures must neither delay nor end: matplotlib is imported
    here, since that takes as long as most runs of a few claims, and any error is a missing picture.
    """
    made, missing = [], [record.undrawn] if record.undrawn else []
    sequence = observed_sequence(record)
    pictures = [*record.pictures, *([sequence] if sequence else [])]
    for index, picture in enumerate(pictures[:: -1 if record.verdict == "violated" else 1]):
        try:
            from theory_checks.report.plots import drawn

            made.append(drawn(picture, f"{record.id}-{index}"))
        except Exception as error:
            missing.append(f"{type(error).__name__}: {error}")
    return Drawings(tuple(made), tuple(missing))


# How far from its bound


@dataclass(frozen=True)
class Standing:
    """Where the observed value stands, in units that make claims comparable.

    inside: distance from the bound in units, negative beyond it; values claimed to be equal are
        never inside, and beyond by their difference
    zone: units beyond the bound within which the claim may hold (resolution, or rounding)
    text: the same in words
    """

    inside: float
    zone: float
    text: str

    @property
    def place(self) -> float:
        """Position on the bar, from 0 (inside by one unit or more) to 100 (beyond by two or
        more)."""
        return _place(self.inside)

    @property
    def zone_width(self) -> float:
        """Width of the zone on the bar, from 0 to 100."""
        return _place(-self.zone) - _place(0.0)

    @property
    def outside_the_bar(self) -> str:
        """left or right if the value lies further out than the bar shows; else empty."""
        return "left" if self.inside > INSIDE else "right" if self.inside < -BEYOND else ""


def _place(inside: float) -> float:
    return 100 * (INSIDE - min(max(inside, -BEYOND), INSIDE)) / (INSIDE + BEYOND)


def side(record: Record) -> int:
    """1 if the claim is that observed is at most its bound, -1 if at least, 0 if two things are
    claimed to be equal."""
    return {"<=": 1, ">=": -1}.get(record.sense, 0)


def standing(record: Record) -> Standing | None:
    """Where the observed value stands; None if there is nothing to compare.

    The unit is the resolution where samples decide, since the ratio of an estimate to a small bound
    is mostly noise. For exact claims it is the bound, or the rounding tolerance if that is larger.
    """
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
    significant = violated and unit == "resolution" and inside > -1
    return (
        f"{'off' if equality else 'beyond'} by {amount}"
        f"{', yet statistically significant' if significant else ''}"
    )


def observed_sequence(record: Record) -> Lines | None:
    """The running estimate of the worst case against its bound, for claims that sample."""
    bound, width = record.bound, record.resolution
    if len(record.path) < 2 or bound is None or width is None or not math.isfinite(bound + width):
        return None
    if bound == width and record.pictures:
        return None  # a distance, which tells less than what was claimed and observed
    samples, values = [n for n, _ in record.path], [y for _, y in record.path]
    ends = [samples[0], samples[-1]]
    observed = Series("running estimate", samples, values)
    if bound == width:
        against = Series("resolution of this run", ends, [bound] * 2, style=Style.BOUND)
        label = "distance"
        caption = (
            "Distance from the claimed value after each batch of samples. By chance alone it would"
            " tend to 0"
        )
        if record.violated_within_resolution:
            caption += f"; it does not: it is {words.SMALL_BUT_SIGNIFICANT}"
    else:
        low, high = bound - width * (side(record) != 1), bound + width * (side(record) != -1)
        against = Series(
            words.UNRESOLVED_BAND, ends, [bound] * 2, [low] * 2, [high] * 2, Style.BOUND
        )
        label, caption = "mean", "The worst case after each batch of samples"
    return Lines(
        "Running estimate",
        "samples",
        label,
        (observed, against),
        log_x=True,
        caption=f"{caption}.",
    )
