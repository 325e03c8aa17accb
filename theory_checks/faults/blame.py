"""Which ingredient of a variant, or which changed file of core, each violated claim follows."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from theory_checks.checking.claim import DEFAULT_SUBJECT
from theory_checks.checking.record import BROKEN, RAISED
from theory_checks.checking.run import load_subject
from theory_checks.faults.causes import NOTHING, Causes, Parts, all_causes
from theory_checks.faults.cells import Cell, Result, claims
from theory_checks.faults.put_back import put_back
from theory_checks.faults.taken_back import TakenBack
from theory_checks.report.words import plural


class Change(Protocol):
    """What may have caused violations, in parts that can be taken back."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the parts."""

    @property
    def without(self) -> str:
        """What there is without the change."""

    @property
    def note(self) -> str:
        """What has to be known about the parts, in a sentence; "" if nothing."""

    def subject(self, kept: Parts) -> str:
        """The name, module:NAME, of what there is if these parts alone stay changed."""


@dataclass(frozen=True)
class Ingredients:
    """A variant of the paper's Subject.

    variant: module:NAME.
    parts: the ingredients in which it differs.
    """

    variant: str
    parts: tuple[str, ...]
    without = "the paper's Subject"
    note = ""

    def subject(self, kept: Parts) -> str:
        """The variant with the other ingredients put back."""
        if not kept:
            return DEFAULT_SUBJECT
        back = [part for part in self.parts if part not in kept]
        return put_back(self.variant, back) if back else self.variant


@dataclass(frozen=True)
class Files:
    """Core, changed since a revision.

    checked: the subject to check on it, module:NAME.
    revision: as git names it.
    groups: the changed files; those of a group are taken back together.
    """

    checked: str
    revision: str
    groups: tuple[tuple[str, ...], ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The files of each group."""
        return tuple(map(" + ".join, self.groups))

    @property
    def without(self) -> str:
        """The revision."""
        return f"core at {self.revision}"

    @property
    def note(self) -> str:
        """Which files are in one group, and why."""
        joined = [" + ".join(group) for group in self.groups if len(group) > 1]
        return (
            f"Taken back together, as they do not import apart: {', '.join(joined)}."
            if joined
            else ""
        )

    def subject(self, kept: Parts) -> str:
        """The subject, on core with the files of the other groups taken back."""
        back = {file for group in self.groups if " + ".join(group) not in kept for file in group}
        if not back:
            return self.checked
        return TakenBack(self.checked, self.revision, tuple(sorted(back))).name


def import_error(subject: str) -> str:
    """Why this process cannot import the claims or the subject; "" if it can."""
    try:
        claims()
        load_subject(subject)
    except Exception as error:  # whatever an edited core raises
        return f"{type(error).__name__}: {error}"
    return ""


@dataclass(frozen=True)
class Violation:
    """A violated claim, or one of which the check raised, with its cause.

    claim: its id.
    verdict: violated or error.
    detail: what was observed.
    causes: what it follows.
    checked: what was found with some of the parts changed, by these parts.
    """

    claim: str
    verdict: str
    detail: str
    causes: Causes
    checked: Mapping[Parts, Result]

    @property
    def is_traced(self) -> bool:
        """Whether it follows a part of the change."""
        return bool(self.causes.causes) and NOTHING not in self.causes.causes

    @property
    def unclear(self) -> Mapping[Parts, str]:
        """The verdicts that neither confirm the violation nor are without it."""
        verdicts = {kept: verdict_of(result) for kept, result in self.checked.items()}
        return {kept: v for kept, v in verdicts.items() if remains(self.verdict, v) is None}

    @property
    def hides_another(self) -> bool:
        """Whether it is an error without which the claim is violated."""
        return self.verdict == RAISED and "violated" in map(verdict_of, self.checked.values())


def verdict_of(result: Result) -> str:
    """The verdict in a result; a finding counts as holds."""
    not_a_number = result.outcome == RAISED and result.margin is not None
    if result.outcome == "killed" or not_a_number:
        return "violated"
    return {"survived": "holds"}.get(result.outcome, result.outcome)


def remains(before: str, after: str) -> bool | None:
    """Whether a verdict that is not passed is still there after parts were taken back; None if the
    new verdict does not tell.

    An error may hide whether a claim is violated, but not the other way round.
    """
    if before == RAISED:
        return after == RAISED
    return {before: True, "holds": False}.get(after)


def violations(
    change: Change,
    order: Sequence[str],
    profile: str,
    seed: int,
    completed: Callable[[Sequence[Cell], str], dict[Cell, Result]],
) -> tuple[list[Violation], Counter[str]]:
    """The violations of the claims with these ids, and how often each verdict was found.

    completed: from cells to their results, under a title.
    """

    def cell(kept: Parts, claim_id: str) -> Cell:
        return Cell(change.subject(kept), claim_id, profile, seed)

    every = frozenset(change.parts)
    whole = {claim_id: cell(every, claim_id) for claim_id in order}
    first = completed(list(whole.values()), "what is violated")
    verdicts = {claim_id: verdict_of(first[c]) for claim_id, c in whole.items()}
    checked: dict[str, dict[Parts, Result]] = {c: {} for c in order if verdicts[c] in BROKEN}

    def check(wanted: Sequence[tuple[Parts, str]]) -> dict[tuple[Parts, str], bool | None]:
        """Those of one subject one after the other, as they share training runs."""
        subjects = sorted(wanted, key=lambda pair: (len(pair[0]), sorted(pair[0])))
        cells = {pair: cell(*pair) for pair in subjects}
        results = completed(list(cells.values()), "what they follow") if cells else {}
        for (kept, claim_id), c in cells.items():
            checked[claim_id][kept] = results[c]
        return {
            (kept, claim_id): remains(verdicts[claim_id], verdict_of(results[c]))
            for (kept, claim_id), c in cells.items()
        }

    causes = all_causes(every, checked, check)
    found = [
        Violation(c, verdicts[c], first[whole[c]].detail, causes[c], checked[c]) for c in checked
    ]
    return found, Counter(verdicts.values())


def follows(causes: Causes) -> str:
    """The causes in words."""
    if NOTHING in causes.causes:
        return "none"
    return " or ".join(map(together, causes.causes)) or "unclear"


def together(parts: Collection[str], joint: str = " with ") -> str:
    """Several parts as one."""
    return joint.join(sorted(parts))


def remark(violation: Violation, change: Change) -> str:
    """What was seen of a violation when parts were taken back, in words."""
    causes, cures = violation.causes.causes, violation.causes.cures
    if NOTHING in causes:
        return f"{violation.verdict} with {change.without}, too"
    involved = NOTHING.union(*causes)
    alone = all(len(cause) == 1 for cause in causes)
    gone = " or without ".join(together(cure, " and ") for cure in cures)
    if len(causes) == 1 and set(cures) == {frozenset({part}) for part in involved}:
        either = "either" if len(involved) == 2 else "any one"
        text = "" if alone else f"only {all_of(involved)} together: gone without {either}"
    elif len(causes) > 1 and alone and cures == (involved,):
        text = f"each alone suffices: gone only without {all_of(involved)}"
    else:
        suffices = ["each of these suffices"] if len(causes) > 1 else []
        text = ": ".join([*suffices, *([f"gone without {gone}"] if gone else [])])
    unclear = (
        f"{verdict} with " + (f"only {together(kept, ' and ')} changed" if kept else change.without)
        for kept, verdict in violation.unclear.items()
    )
    behind = "violated where there is no error" if violation.hides_another else ""
    return "; ".join(filter(None, [text, *unclear, behind]))


def all_of(parts: Parts) -> str:
    """Several parts, as one says all of them."""
    return "both" if len(parts) == 2 else f"all {len(parts)}"


def headline(found: Sequence[Violation], checked: Counter[str]) -> str:
    """How many claims are violated and what how many of them follow, in one sentence."""
    counts = Counter(follows(violation.causes) for violation in found)
    parts = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    return f"{len(found)} of {plural(checked.total(), 'claim')} violated or in error: {parts}."


def table(found: Sequence[Violation], change: Change) -> str:
    """A line for each violation."""
    rows = [("claim", "verdict", "follows", "")]
    rows += [(v.claim, v.verdict, follows(v.causes), remark(v, change)) for v in found]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        "  ".join(
            [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]
        ).rstrip()
        for row in rows
    )


def markdown(found: Sequence[Violation], checked: Counter[str], change: Change, title: str) -> str:
    """The table, and below it all that was checked."""
    lines = [
        f"# {title}",
        "",
        f"{headline(found, checked)} {change.note}".strip(),
        "",
        "| claim | verdict | follows | | statement | observed |",
        "|---|---|---|---|---|---|",
    ]
    for v in found:
        cells = (v.claim, v.verdict, follows(v.causes), remark(v, change))
        texts = (claims()[v.claim].statement, v.detail)
        lines.append("| " + " | ".join(c.replace("|", "\\|") for c in (*cells, *texts)) + " |")
    lines += ["", "| claim | with these changed alone | verdict |", "|---|---|---|"]
    for v in found:
        lines += [
            f"| {v.claim} | {together(kept, ', ') or change.without} | {verdict_of(result)} |"
            for kept, result in v.checked.items()
        ]
    return "\n".join(lines) + "\n"


def to_json(found: Sequence[Violation]) -> list[dict[str, Any]]:
    """[{"claim", "verdict", "detail", "follows": sets of parts, "gone_without": sets of parts,
    "checked": [{"changed": parts, "verdict", "detail"}]}], for `plain`."""

    def sets(many: Sequence[Parts]) -> list[list[str]]:
        return [sorted(parts) for parts in many]

    return [
        {
            "claim": v.claim,
            "verdict": v.verdict,
            "detail": v.detail,
            "follows": sets(v.causes.causes),
            "gone_without": sets(v.causes.cures),
            "checked": [
                {"changed": sorted(kept), "verdict": verdict_of(result), "detail": result.detail}
                for kept, result in v.checked.items()
            ],
        }
        for v in found
    ]
