"""index.html: what it says, and how it looks and works in a browser on a laptop, on a phone, in the
dark and in print."""

import math
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from browser import LAPTOP, PHONE, Browser, installed, started
from made import record, report
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from theory_checks.checking.claim import GROUPS
from theory_checks.checking.pictures import Heatmap, Lines, Series, compact
from theory_checks.checking.record import Record
from theory_checks.checking.registry import built_in, declared_ids
from theory_checks.report.compare import compare
from theory_checks.report.document import Report
from theory_checks.report.page import drawings, observed_sequence, render, standing
from theory_checks.report.results import headline
from theory_checks.report.words import natural, number, quantity

ROOT = Path(__file__).parents[2]
MOST_BYTES = 5_000_000


class Text(HTMLParser):
    """The elements of a page and its text, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.parts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is None:  # not within style or script
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())


# What it says


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"false_pass": 0.1, "resolution": 0.02},
            "P(holds, although wrong by 0.02 or more) ≤ 0.1",
        ),
        (
            {"false_pass": 0.0, "resolution": 1e-12, "coarsest": (0.3, 0.1)},
            "P(holds, although wrong by 0.3 or more) ≤ 0.1",
        ),
        ({"false_pass": 0.0, "resolution": 1e-12}, None),
    ],
)
def test_what_samples_has_error_rates(fields: dict[str, Any], said: str | None) -> None:
    text = Text(render(report(record("R.2", false_alarm=1e-8, **fields)))).text
    assert ("although wrong" in text) == (said is not None)
    assert said is None or said in text


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ([], "No claim was checked."),
        (["holds"], "The claim holds."),
        (["holds"] * 3, "All 3 claims hold."),
        (["violated", "holds"], "1 of 2 claims is violated."),
        (
            ["violated", "violated", "error", "not run"],
            (
                "2 of 4 claims are violated, 1 is in error (the code under test raised), 1 is"
                " undecided."
            ),
        ),
        (["error", "holds"], "1 of 2 claims is in error (the code under test raised)."),
        (
            ["inconclusive", "vacuous", "holds"],
            "No claim is violated; 2 of 3 claims are undecided.",
        ),
    ],
)
def test_the_verdict_of_the_whole_is_one_sentence(verdicts: list[str], sentence: str) -> None:
    found = report(*(record(f"R.{i}", verdict) for i, verdict in enumerate(verdicts)))
    assert headline(found) == sentence
    assert sentence in Text(render(found)).text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (0.125, "0.125"),
        (-0.125, "−0.125"),
        (999.9, "1000"),
        (1234.5, "1234"),
        (12345, "12\u202f345"),
        (5.678e-15, "5.68×10⁻¹⁵"),
        (-2e20, "−2×10²⁰"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_for_people(value: float | None, text: str) -> None:
    assert quantity(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.125, "0.125"),
        (999.9, "1000"),
        (12345, "12345"),
        (99999.6, "1e5"),
        (5.678e-15, "5.68e-15"),
        (-2e20, "-2e20"),
        (math.inf, "inf"),
        (math.nan, "NaN"),
    ],
)
def test_the_terminal_has_the_same_numbers_in_ascii(value: float | None, text: str) -> None:
    assert number(value) == text


def compared(
    sense: str,
    observed: float,
    bound: float,
    margin: float,
    resolution: float,
    *,
    sampled: bool = True,
    verdict: str = "holds",
) -> Record:
    return record(
        verdict=verdict,
        sense=sense,
        observed=observed,
        bound=bound,
        margin=margin,
        resolution=resolution,
        false_pass=0.1 if sampled else 0.0,
    )


@pytest.mark.parametrize(
    ("found", "inside", "zone", "text"),
    [
        # Sampled: in units of the resolution.
        (compared(">=", 0.25, 0.125, 0.125, 0.02), 6.25, 1, "6.2 resolutions to spare"),
        (compared("<=", 0.124, 0.125, -0.001, 0.01), -0.1, 1, "beyond by 0.1 resolutions"),
        (
            compared("<=", 0.20, 0.1, -0.1, 0.02, verdict="violated"),
            -5,
            1,
            "beyond by 5 resolutions",
        ),
        (
            compared("<=", 0.11, 0.1, -0.01, 0.02, verdict="violated"),
            -0.5,
            1,
            "beyond by 0.5 resolutions, yet statistically significant",
        ),
        # Laws and equalities: never inside, off by their distance.
        (compared("~", 0.013, 0.02, 0.007, 0.02), -0.65, 1, "off by 0.65 resolutions"),
        (
            compared("~", 0.013, 0.02, 0.007, 0.02, verdict="violated"),
            -0.65,
            1,
            "off by 0.65 resolutions, yet statistically significant",
        ),
        (compared("~", 0.56, 0.5, 0.04, 0.1), -0.6, 1, "off by 0.6 resolutions"),
        (compared("~", 0.0, 0.02, 0.02, 0.02), 0, 1, "no difference"),
        # Exact: in units of the bound, or of the tolerance where that is larger.
        (
            compared("<=", 0.5, 2.0, 1.5, 1e-15, sampled=False),
            0.75,
            5e-16,
            "75 % of the bound to spare",
        ),
        (compared("<=", 1.0, 1.0, 0.0, 1e-15, sampled=False), 0, 1e-15, "at the bound"),
        (
            compared("<=", 3.0, 1.0, -2.0, 1e-15, sampled=False, verdict="violated"),
            -2,
            1e-15,
            "beyond by 2 times the bound",
        ),
        (
            compared("<=", 1 + 5e-13, 1.0, -5e-13, 1e-15, sampled=False, verdict="violated"),
            -5e-13,
            1e-15,
            "beyond by 500 tolerances",
        ),
        (
            compared("<=", 1e-16, 0.0, -1e-16, 1e-15, sampled=False),
            -0.1,
            1,
            "beyond by 0.1 tolerances",
        ),
        (
            compared("~", 2e-15, 1e-15, -1e-15, 1e-15, sampled=False, verdict="violated"),
            -2,
            1,
            "off by 2 tolerances",
        ),
        (
            compared("<=", 0.3, 0.0, -0.3, 0.0, sampled=False, verdict="violated"),
            -math.inf,
            0,
            "beyond by 0.3, with no room for rounding",
        ),
        (compared("~", 0.0, 0.0, 0.0, 0.0, sampled=False), 0, 0, "no difference"),
    ],
)
def test_how_far_from_the_bound(found: Record, inside: float, zone: float, text: str) -> None:
    where = standing(found)
    assert where is not None
    assert (where.inside, where.zone, where.text) == (
        pytest.approx(inside),
        pytest.approx(zone),
        text,
    )
    assert 0 <= where.place <= 100
    # What is inside lies to the left of the line at a third of the bar, what is beyond to its
    # right.
    assert (where.place < 100 / 3 - 1e-9) == (inside > 0)
    assert where.outside_the_bar == ("left" if inside > 1 else "right" if inside < -2 else "")


@pytest.mark.parametrize("field", ["margin", "bound", "resolution"])
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_where_nothing_can_be_compared_there_is_no_bar_or_an_arrow(
    field: str, value: float | None
) -> None:
    where = standing(record(**{field: value}))
    if value is None or math.isnan(value):
        assert where is None
    render(report(record(**{field: value}, observed=value)))


def test_the_observed_sequence_is_shown_against_the_bound_and_what_is_not_resolved() -> None:
    path = ((100.0, 0.3), (200.0, 0.4))
    below = observed_sequence(
        record(observed=0.4, bound=0.3, margin=-0.1, resolution=0.05, path=path, sense="<=")
    )
    above = observed_sequence(
        record(observed=0.4, bound=0.5, margin=-0.1, resolution=0.05, path=path, sense=">=")
    )
    equal = observed_sequence(
        record(observed=0.4, bound=0.3, margin=-0.05, resolution=0.05, path=path, sense="~")
    )
    distance = {"observed": 0.4, "bound": 0.05, "margin": -0.35, "resolution": 0.05, "sense": "~"}
    law = observed_sequence(record(**distance, path=path, pictures=()))
    # Not beside a picture of what was claimed and observed.
    assert observed_sequence(record(**distance, path=path)) is None
    assert below is not None
    assert above is not None
    assert equal is not None
    assert law is not None
    assert (below.series[0].x, below.series[0].y) == ([100.0, 200.0], [0.3, 0.4])
    bands = [
        (picture.series[1].y[0], picture.series[1].low, picture.series[1].high)
        for picture in (below, above, equal, law)
    ]
    assert bands == [
        (0.3, [0.3] * 2, [pytest.approx(0.35)] * 2),
        (0.5, [0.45] * 2, [0.5] * 2),
        (0.3, [0.25] * 2, [pytest.approx(0.35)] * 2),
        (0.05, None, None),
    ]
    assert observed_sequence(record(path=())) is None
    assert observed_sequence(record(bound=math.inf, path=path)) is None


def test_ids_are_in_the_order_of_groups_and_numbers() -> None:
    assert sorted(["G.10", "Q.1", "R.2", "G.9", "D.1"], key=natural) == [
        "D.1",
        "R.2",
        "G.9",
        "G.10",
        "Q.1",
    ]
    assert {claim_id.partition(".")[0] for claim_id in declared_ids()} == set(GROUPS)


HOSTILE = (
    "<script>alert('x')</script> a < b & \"c\" 'd' {{ 7 * 7 }} </style></details><img src=x"
    " onerror=alert(1)>"
)


def test_whatever_is_said_is_shown_as_text() -> None:
    fields: dict[str, Any] = {
        name: HOSTILE
        for name in (
            "statement",
            "given",
            "source",
            "formula",
            "derivation",
            "detail",
            "stopped",
            "worst_case",
            "command",
            "undrawn",
            "kind",
        )
    }
    picture = compact(
        Lines(
            HOSTILE,
            HOSTILE,
            HOSTILE,
            [Series(HOSTILE, [0, 1], [0, 1])],
            caption=HOSTILE,
            ticks=[HOSTILE],
        )
    )
    table = compact(Heatmap(HOSTILE, [HOSTILE], [HOSTILE], [[1.0]], HOSTILE, HOSTILE, HOSTILE))
    claims = (
        record(
            "R.1",
            "violated",
            visited={HOSTILE: HOSTILE},
            measured=(HOSTILE, HOSTILE),
            pictures=(picture, table),
            **fields,
        ),
        record("R.2", "error", depends_on=("R.1", HOSTILE), **fields),
        record(f"Q.{HOSTILE}", "inconclusive", **fields),
    )
    found = report(
        *claims,
        subject=HOSTILE,
        command=HOSTILE,
        commit=HOSTILE,
        environment={HOSTILE: HOSTILE},
        created=HOSTILE,
        profile=HOSTILE,
    )
    page = Text(render(found, compare(report(record("R.1")), found)))
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert "img" not in {tag for tag, _ in page.elements}
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    shown = " ".join(HOSTILE.split())
    assert page.text.count(shown) > 40
    assert "49" not in page.text.replace("10⁻⁴⁹", "")


def test_a_run_without_anything_still_has_a_page() -> None:
    bare = Record("R.1", "not run")
    found = report(
        bare,
        environment={},
        ledger=(),
        commit="",
        dirty=None,
        complete=False,
        command="",
        created="",
    )
    page = Text(render(found)).text
    assert "No claim is violated; 1 of 1 claim is undecided." in page
    assert "The run ended early" in page
    assert "uncommitted" not in page
    render(report())


def test_infinities_and_what_is_not_a_number_are_shown() -> None:
    odd = record(
        observed=math.inf,
        bound=-math.inf,
        margin=math.nan,
        tightness=math.nan,
        resolution=math.inf,
        path=((1.0, math.nan),) * 3,
    )
    assert "∞" in Text(render(report(odd))).text


def test_facts_of_the_run() -> None:
    page = Text(
        render(report(record(), dirty=True, commit="abcdef0123456789", seconds=3725.0, alpha=1e-6))
    ).text
    for fact in (
        "core:PAPER",
        "quick",
        "abcdef012345 with uncommitted changes",
        "1×10⁻⁶",
        "1 h 2 min",
        "2 January 2026, 03:04 UTC",
    ):
        assert fact in page
    assert "0123456789" not in page.replace("abcdef0123456789", "")


def test_what_is_violated_stands_at_the_top_with_how_badly_and_what_it_puts_in_doubt() -> None:
    found = report(
        record("D.1", "violated", observed=0.9, bound=0.5, margin=-0.4, resolution=0.1),
        record("R.1", "holds", depends_on=("D.1",)),
        record("N.1", "violated", depends_on=("R.1",)),
        record("L.1", "inconclusive", depends_on=("D.1",)),
    )
    text = Text(render(found)).text
    top = text[text.index("Violated or in error") : text.index("The run")]
    assert "Observed 0.9 against 0.5 : beyond by 4 resolutions." in top
    assert "Casts doubt on R.1 , N.1 , L.1 ." in top
    assert "Builds on D.1 , violated or in error; start there." in top[top.index("Undecided") :]
    assert "Builds on D.1 , also violated or in error; start there." in top
    assert top.index("D.1") < top.index("N.1") < top.index("Undecided") < top.rindex("L.1")


def test_a_picture_that_cannot_be_drawn_is_missing_but_the_page_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from theory_checks.report import plots

    def broken(*_: object) -> None:
        raise ValueError("no room")

    monkeypatch.setattr(plots, "drawn", broken)
    page = Text(render(report(record(undrawn="IndexError: too few")))).text
    assert "A picture could not be drawn (ValueError: no room)." in page
    assert "A picture could not be drawn (IndexError: too few)." in page


def test_without_what_draws_pictures_all_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "theory_checks.report.plots", None)
    found = drawings(record(path=()))
    assert not found.made
    assert [reason.partition(":")[0] for reason in found.missing] == ["ModuleNotFoundError"] * 2


def test_a_comparison_has_its_own_section() -> None:
    old = report(record("R.1"), record("R.2", "violated"), record("R.3"), record("R.4"))
    new = report(
        record("R.1", "violated"), record("R.2"), record("R.3", hash="other"), record("R.4")
    )
    text = Text(render(new, compare(old, new))).text
    section = text[text.index("Since the baseline") : text.index("Which claim builds on which")]
    for words in (
        "newly violated",
        "fixed",
        "not comparable",
        "the claim or its check changed",
        "1 unchanged",
    ):
        assert words in section
    assert section.index("newly violated", section.index("Note")) < section.index(
        "fixed", section.index("Note")
    )
    assert "R.4" not in section
    assert "Since the baseline" not in Text(render(new)).text


def test_the_page_is_complete_in_itself() -> None:
    page = render(full_report())
    elements = Text(page).elements
    for tag, attributes in elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert (attributes.get(name) or "#").startswith(("#", "data:,")), (tag, attributes)
    assert not re.search(r"@import|https?://|url\((?!#)", page)
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(a.get("href") or "#claim-R.1")[1:] for t, a in elements if t == "a"} <= set(ids)


def full_report() -> Report:
    """As large as the whole catalogue: 70 claims, 40 of them with pictures, and all that sample
    with a sequence."""
    t = list(range(200))
    curves = compact(
        Lines(
            "curves",
            "t",
            "y",
            [Series(f"s{i}", t, [math.sin(i + x / 30) for x in t]) for i in range(8)],
        )
    )
    table = compact(
        Heatmap(
            "table",
            [f"m = {i}" for i in range(8)],
            list("abcd"),
            [[i / (j + 1) for j in range(4)] for i in range(8)],
        )
    )
    ids = [f"{group}.{i}" for group in GROUPS for i in range(1, 8)][:70]
    path = tuple((256.0 * 1.3**i, 0.3 + 0.1 / (i + 1)) for i in range(20))
    return report(
        *(
            record(
                claim_id,
                depends_on=tuple(ids[max(0, n - 9) : n : 4]),
                pictures=(() if n % 7 > 3 else (curves,) if n % 2 else (table,)),
                path=path if n % 3 else (),
                measured=("a case described at some length, " * 8,) * 40,
                worst_case="h=(8, 8) [[0.123456789, " * 20,
            )
            for n, claim_id in enumerate(ids)
        )
    )


def test_the_page_of_the_whole_catalogue_is_not_too_large() -> None:
    page = render(full_report())
    assert page.count("<figure>") >= 80
    assert len(page.encode()) < MOST_BYTES


def test_runs_start_without_what_only_the_page_needs() -> None:
    code = (
        "import sys, theory_checks.checking.session; sys.exit(bool({'matplotlib', 'jinja2',"
        " 'latex2mathml'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with something of everything, compared with an earlier one."""
    fields: dict[str, Any] = {"path": tuple((100.0 * i, 0.3 + 0.2 / i) for i in range(1, 9))}
    long = (
        "a statement of some length, with norm_inf(p(h) - p(h')) <= M^2 norm_inf(h - h'), for every"
        " h and every h' that there is"
    )
    formula = (
        r"\frac{\|a_{m\cdot k}^{(T_1)}\|_2}{\sigma_0^{1/2}}\to 1\ (m\in\mathcal M_k),\qquad "
        r"\frac{\|a_{m\cdot l}^{(T_1)}\|_2}{\sigma_0^{1/2}}\to 0\ (l\ne k)"
    )
    new = report(
        record(
            "D.1",
            "holds",
            kind="exact",
            samples=0,
            seconds=9.0,
            tightness=0.4,
            false_pass=0.0,
            pictures=(),
        ),
        record("R.1", "holds", samples=10, seconds=0.1, statement=long, formula=formula, **fields),
        record(
            "R.2",
            "violated",
            depends_on=("R.1",),
            observed=0.9,
            margin=-0.4,
            seconds=2.0,
            worst_case="h=" + "0.123456789" * 60,
            **fields,
        ),
        record(
            "R.10",
            "holds",
            kind="law",
            depends_on=("R.2",),
            samples=500,
            tightness=0.9,
            formula="+".join("abcdefg" * 6),
            **fields,
        ),
        record("E.1", "inconclusive", kind="rate", depends_on=("D.1",), **fields),
        record(
            "N.1",
            "error",
            depends_on=("R.10", "E.1"),
            observed=None,
            bound=None,
            margin=None,
            resolution=None,
            path=(),
            pictures=(),
        ),
        Record("N.2", "not run", statement="Nothing is known."),
    )
    old = report(
        record("D.1", "holds", kind="exact", seconds=9.0), record("R.2"), record("E.1", "violated")
    )
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(render(new, compare(old, new)), encoding="utf-8")
    return path


ALL = ["R.2", "N.1", "N.2", "E.1", "D.1", "R.1", "R.10"]  # worst first, then by id


def shown(browser: Browser) -> list[str]:
    """The ids of the claims that are shown, in their order."""
    claims = browser.chrome.find_elements(By.CSS_SELECTOR, ".claim")
    return [
        (claim.get_attribute("id") or "").removeprefix("claim-")
        for claim in claims
        if claim.is_displayed()
    ]


def press(browser: Browser, verdict: str) -> None:
    browser.chrome.find_element(By.CSS_SELECTOR, f'.chip[data-verdict="{verdict}"]').click()


def choose(browser: Browser, name: str, value: str) -> None:
    Select(browser.chrome.find_element(By.NAME, name)).select_by_value(value)


def outside(browser: Browser, selector: str) -> list[str]:
    """Which of these elements are not shown in full width within the screen, or have no size."""
    return browser.run(
        """const wide = document.documentElement.clientWidth;
        return [...document.querySelectorAll(arguments[0])].filter((element) => {
          const box = element.getBoundingClientRect();
          return !(box.width > 1 && box.height > 1 && box.left >= -0.5 && box.right <= wide + 0.5);
        }).map((element) => element.outerHTML.slice(0, 100));""",
        selector,
    )


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_statements_and_pictures_are_seen_without_scrolling_sideways(
    browser: Browser, page: Path, size: tuple[int, int], scheme: str
) -> None:
    browser.open(page, size, scheme=scheme)
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true;")
    assert browser.run("return innerWidth") == size[0]
    assert browser.run("return document.documentElement.scrollWidth") <= size[0]
    assert shown(browser) == ALL
    for selector, least in (
        (".statement", 7),
        ("#claim-R\\.1 math", 2),
        (".formula", 6),
        (".plot svg", 12),
        (".bar", 6),
        (".command", 6),
        ("h1", 1),
    ):
        assert (
            browser.run("return document.querySelectorAll(arguments[0]).length", selector) >= least
        ), selector
        assert outside(browser, selector) == [], selector
    assert browser.complaints() == []
    assert browser.requests() == []


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
def test_the_formula_of_every_claim_is_shown_without_scrolling(
    browser: Browser, size: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "index.html"
    claims = built_in().values()
    pages = report(*(record(c.id, formula=c.formula, pictures=(), path=()) for c in claims))
    path.write_text(render(pages), encoding="utf-8")
    browser.open(path, size)
    assert browser.run("return document.querySelectorAll('.formula').length") == len(claims)
    assert too_wide(browser) == []
    # The check can fail: in a narrow box nothing can wrap far enough.
    browser.run("for (const f of document.querySelectorAll('.formula')) f.style.width = '1px';")
    assert len(too_wide(browser)) >= len(claims)


def too_wide(browser: Browser) -> list[str]:
    """The formulas, and parts of formulas, whose content is wider than they are."""
    return browser.run(
        """const right = (e) => e.getBoundingClientRect().right;
        return [...document.querySelectorAll('.formula, .formula > span, math')].filter((e) =>
          e.scrollWidth > e.clientWidth || right(e) > right(e.closest('.what')) + 0.5
        ).map((e) => e.closest('.claim').id + ' ' + e.outerHTML.slice(0, 100));"""
    )


def luminance(colour: str) -> float:
    """Relative luminance of an rgb() colour (WCAG 2)."""
    channels = [int(c) / 255 for c in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(browser: Browser, selector: str, kind: str = "color") -> float:
    """The least contrast of these elements with the page."""
    colours, paper = browser.run(
        """const found = [...document.querySelectorAll(arguments[0])];
        return [found.map((e) => getComputedStyle(e)[arguments[1]]),
        getComputedStyle(document.body).backgroundColor];""",
        selector,
        kind,
    )
    assert colours
    light = [luminance(colour) for colour in colours]
    return min((max(a, luminance(paper)) + 0.05) / (min(a, luminance(paper)) + 0.05) for a in light)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_page(browser: Browser, page: Path, scheme: str) -> None:
    browser.open(page, scheme=scheme)
    browser.run("for (const d of document.querySelectorAll('details')) d.open = true;")
    paper = luminance(browser.run("return getComputedStyle(document.body).backgroundColor"))
    assert (paper > 0.8) == (scheme == "light")
    plain = (
        ".statement, .id, h1, .standing, .note, dt, .badge:not(.violated, .error), a, .chip,"
        " .legend li, figcaption"
    )
    assert contrast(browser, plain) >= 4.5
    assert contrast(browser, ".plot svg text, .graph svg text", "fill") >= 4.5
    assert (
        contrast(browser, ".plot path[style*='--series'], .graph [data-from] path", "stroke") >= 2.5
    )


def test_print_is_light_and_without_controls(browser: Browser, page: Path) -> None:
    browser.open(page, scheme="dark", media="print")
    assert luminance(browser.run("return getComputedStyle(document.body).backgroundColor")) > 0.9
    assert (
        browser.run("return getComputedStyle(document.querySelector('.controls')).display")
        == "none"
    )
    assert (
        browser.run("return getComputedStyle(document.querySelector('.reading')).display") == "none"
    )
    assert shown(browser) == ALL
    # What is violated is unfolded, so that it is printed with its worst case.
    assert browser.chrome.find_element(By.CSS_SELECTOR, "#claim-R\\.2 .command").is_displayed()


def test_without_scripts_everything_can_be_read(browser: Browser, page: Path) -> None:
    browser.open(page, scripts=False)
    try:
        assert shown(browser) == ALL
        assert not browser.chrome.find_element(By.CSS_SELECTOR, ".controls").is_displayed()
        claim = browser.chrome.find_element(By.CSS_SELECTOR, "#claim-R\\.1")
        assert not claim.find_element(By.CSS_SELECTOR, ".command").is_displayed()
        claim.find_element(By.CSS_SELECTOR, "summary .statement").click()
        assert claim.find_element(By.CSS_SELECTOR, ".command").is_displayed()
    finally:
        browser.open(page)  # with scripts again


def test_filters(browser: Browser, page: Path) -> None:
    browser.open(page)
    press(browser, "violated")
    assert shown(browser) == ["R.2"]
    press(browser, "inconclusive")
    assert shown(browser) == ["R.2", "E.1"]
    press(browser, "violated")
    press(browser, "inconclusive")
    assert shown(browser) == ALL
    press(browser, "suspect")
    assert shown(browser) == ["N.1", "R.10"]
    assert browser.chrome.find_element(By.TAG_NAME, "output").text == "2 of 7 claims"
    browser.chrome.find_element(By.CSS_SELECTOR, "button[type=reset]").click()
    browser.run("return new Promise((resolve) => setTimeout(resolve))")
    assert shown(browser) == ALL
    choose(browser, "group", "R")
    assert shown(browser) == ["R.2", "R.1", "R.10"]
    choose(browser, "kind", "law")
    assert shown(browser) == ["R.10"]
    choose(browser, "group", "")
    choose(browser, "kind", "")
    field = browser.chrome.find_element(By.NAME, "text")
    field.send_keys("EVERY length")
    assert shown(browser) == ["R.1"]
    field.send_keys(" nonsense")
    assert shown(browser) == []
    assert browser.chrome.find_element(By.CSS_SELECTOR, ".none").is_displayed()
    assert browser.complaints() == []


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("rank", ALL),
        ("place", ["D.1", "R.1", "R.2", "R.10", "E.1", "N.1", "N.2"]),
        ("tightness", ["R.10", "D.1", "R.1", "R.2", "E.1", "N.1", "N.2"]),
        ("samples", ["R.2", "E.1", "N.1", "R.10", "R.1", "D.1", "N.2"]),
        ("seconds", ["D.1", "R.2", "R.10", "E.1", "N.1", "R.1", "N.2"]),
    ],
)
def test_sorting(browser: Browser, page: Path, by: str, order: list[str]) -> None:
    browser.open(page)
    choose(browser, "sort", "place" if by == "rank" else "rank")
    choose(browser, "sort", by)
    assert shown(browser) == order


def test_a_link_to_a_claim_unfolds_it_whatever_is_filtered_out(
    browser: Browser, page: Path
) -> None:
    browser.open(page, fragment="#claim-D.1")
    assert browser.chrome.find_element(By.CSS_SELECTOR, "#claim-D\\.1 .command").is_displayed()
    press(browser, "violated")
    browser.chrome.find_element(By.CSS_SELECTOR, ".comparison a[href='#claim-E.1']").click()
    browser.run("return new Promise((resolve) => setTimeout(resolve, 50))")
    assert shown(browser) == ALL
    assert browser.chrome.find_element(By.CSS_SELECTOR, "#claim-E\\.1 .command").is_displayed()


def test_pointing_at_a_claim_in_the_graph_lights_what_it_builds_on_and_what_builds_on_it(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    browser.run(
        "document.querySelector('.graph a[href=\"#claim-R.2\"]').dispatchEvent(new"
        " Event('pointerenter'))"
    )
    lit = browser.run(
        "return [...document.querySelectorAll('.graph .lit[data-from]')].map((e) => e.dataset.from"
        " + ' ' + e.dataset.to)"
    )
    assert sorted(lit) == ["R.1 R.2", "R.10 N.1", "R.2 R.10"]
    assert browser.run("return document.querySelector('.graph svg').classList.contains('pointing')")
    assert (
        browser.run(
            "return getComputedStyle(document.querySelector('.graph [data-from=\"D.1\"]')).opacity"
        )
        == "0.08"
    )


def test_on_a_phone_the_graph_scrolls_in_its_own_box(browser: Browser, page: Path) -> None:
    browser.open(page, PHONE)
    box, drawing = browser.run(
        "return ['.graph .scroll', '.graph svg'].map((s) =>"
        " document.querySelector(s).getBoundingClientRect().width)"
    )
    assert box <= PHONE[0] < drawing


def test_a_page_that_fetches_or_fails_would_be_noticed(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    """The checks of requests, complaints and width can fail."""
    bad = tmp_path / "bad.html"
    without_policy = re.sub(
        r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8")
    )
    wide = (
        "<div style='width: 3000px'>wide</div><img"
        " src='http://127.0.0.1:9/x.png'><script>undefined.x</script>"
    )
    bad.write_text(without_policy.replace("</main>", f"{wide}</main>"), encoding="utf-8")
    browser.open(bad, PHONE)
    assert browser.requests() == ["http://127.0.0.1:9/x.png"]
    assert any("TypeError" in message for message in browser.complaints())
    assert browser.run("return document.documentElement.scrollWidth") > PHONE[0]
    # With the policy of the page the attempt is refused.
    bad.write_text(
        page.read_text(encoding="utf-8").replace("</main>", f"{wide}</main>"), encoding="utf-8"
    )
    browser.open(bad)
    assert any("Content Security Policy" in message for message in browser.complaints())


def test_a_missing_browser_is_a_failure_where_one_is_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("THEORY_REQUIRE_BROWSER", "1")
    with pytest.raises(pytest.fail.Exception, match="NOT looked at"):
        installed()
    monkeypatch.delenv("THEORY_REQUIRE_BROWSER")
    with pytest.raises(pytest.skip.Exception, match="NOT looked at"):
        installed()
