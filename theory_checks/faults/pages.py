"""The kill matrix for people: matrix.md, and matrix.html as one self-contained page with heat
maps."""

import math
from collections.abc import Iterator
from importlib.metadata import version

from theory_checks.checking.pictures import Heatmap
from theory_checks.faults.fault import FAMILIES, Fault
from theory_checks.faults.matrix import KEPT, Matrix, about_parts
from theory_checks.report.page import templates
from theory_checks.report.plots import Drawing, drawn
from theory_checks.report.words import number

SHADES = {
    "killed": 1.0,
    "survived": 0.0,
    "inconclusive": -0.4,
    "vacuous": -0.4,
    "error": -1.0,
    "": math.nan,
}
COLUMN = 13.0  # points, enough for slanted ids side by side
MOST_ROWS = 24  # of a heat map, each with room for its name
STYLE_OF_FATE = {
    "killed": "holds",
    "equivalent": "inconclusive",
    "gap": "violated",
    "open": "not-run",
}  # how the page's style calls the colours of fates


def headline(matrix: Matrix) -> str:
    """The matrix in one sentence, and a second one if checks ended in errors."""
    counts = matrix.summary
    gaps = {0: "no gap", 1: "1 gap"}.get(counts["gaps"], f"{counts['gaps']} gaps")
    unchecked = sum(matrix.fate(fault) == "open" for fault in matrix.faults)
    rest = f"; {unchecked} not checked by every claim that must notice" if unchecked else ""
    equivalent = f"{counts['equivalent']} {'is' if counts['equivalent'] == 1 else 'are'} equivalent"
    ended = counts["errors"]
    errors = f" {ended} {'check' if ended == 1 else 'checks'} ended in an error." if ended else ""
    killed = f"{counts['killed']} of {counts['faults']} faults are killed"
    return f"{killed}, {equivalent}: {gaps}{rest}.{errors}"


def how_it_was_killed(matrix: Matrix, fault: Fault) -> str:
    """By which claim first, with which margin, after how many samples, and by which others; why
    not, if it was not."""
    killers = matrix.killers(fault)
    if not killers:
        return fault.equivalent or (
            "No claim notices."
            if fault in matrix.gaps
            else "Not checked by every claim that must notice."
        )
    result = matrix.results[fault.name][killers[0]]
    evidence = f"{result.samples} samples" if result.samples else "exactly"
    others = f"; also {', '.join(killers[1:])}" if killers[1:] else ""
    return f"{killers[0]}, margin {number(result.margin)}, {evidence}{others}"


def why_kept(matrix: Matrix) -> dict[str, str]:
    """Why each redundant claim is kept."""
    return {
        claim_id: KEPT.get(claim_id, "No reason is known: sharpen or drop it.")
        for claim_id in matrix.redundant
    }


def heat_maps(matrix: Matrix) -> Iterator[Drawing]:
    """Families x claims, with the claims about parts and those about training apart."""
    for family in FAMILIES:
        for about, title in ((True, "claims about the parts"), (False, "claims about training")):
            ids = [claim_id for claim_id in matrix.order if about_parts(claim_id) is about]
            rows = [
                m
                for m in matrix.faults
                if m.family == family and any(matrix.outcome(m, claim_id) for claim_id in ids)
            ]
            pieces = -(-len(rows) // MOST_ROWS)
            for piece in range(pieces):
                some = rows[len(rows) * piece // pieces : len(rows) * (piece + 1) // pieces]
                names = [fault.name.replace("_", " ").lower() for fault in some]
                values = [
                    [SHADES[matrix.outcome(fault, claim_id)] for claim_id in ids] for fault in some
                ]
                part = f", {piece + 1} of {pieces}" if pieces > 1 else ""
                picture = Heatmap(
                    f"Faults of {family} against {title}{part}",
                    names,
                    ids,
                    values,
                    low=-1.0,
                    high=1.0,
                )
                width = 20 + 5 * max(map(len, names)) + COLUMN * max(len(ids), 6)
                yield drawn(picture, f"{family}-{'parts' if about else 'training'}-{piece}", width)


def table(matrix: Matrix) -> str:
    """A line for each fault, with the claim that notices it first and the margin, and the
    survivors: those that are neither noticed nor equivalent."""
    rows = [("fault", "noticed first by", "margin")]
    for fault in matrix.faults:
        first, margin = {"equivalent": "equivalent"}.get(matrix.fate(fault), "-"), ""
        for first in matrix.killers(fault)[:1]:
            margin = number(matrix.results[fault.name][first].margin)
        rows.append((fault.name, first, margin))
    survivors = [f.name for f in matrix.faults if matrix.fate(f) in ("gap", "open")]
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(
        [
            *(f"{name:{width}}  {first:16}  {margin}".rstrip() for name, first, margin in rows),
            f"survivors: {', '.join(survivors) or 'none'}",
        ]
    )


def page(matrix: Matrix, kind: str) -> str:
    """All of the matrix.

    kind: html, a page that fetches nothing from elsewhere, or md, the same in short for a pull
        request.
    """
    return (
        templates()
        .get_template(f"matrix.{kind}")
        .render(
            matrix=matrix,
            headline=headline(matrix),
            drawings=heat_maps(matrix),
            families=FAMILIES,
            fates={fault.name: matrix.fate(fault) for fault in matrix.faults},
            roles=STYLE_OF_FATE,
            killed={fault.name: how_it_was_killed(matrix, fault) for fault in matrix.faults},
            kept=why_kept(matrix),
            version=version("moe-theory-checks"),
        )
    )
