"""list claims, or show some with their derivation"""

import argparse
import inspect
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from theory_checks.checking.arguments import VERDICT_OPTIONS
from theory_checks.checking.claim import GROUPS, Claim, Kind
from theory_checks.checking.profiles import STANDARD
from theory_checks.checking.registry import meant
from theory_checks.commands import CommandError, add_options, refusing
from theory_checks.report.words import cut

EXAMPLES = (
    "claims --group R",
    'claims --text "Lemma 5.1"',
    "claims R.3 R.5",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", nargs="*", metavar="ID", help="show these claims in full")
    groups = ", ".join(f"{letter} ({name})" for letter, name in GROUPS.items())
    parser.add_argument("--group", help=f"only those of a group: {groups}")
    parser.add_argument(
        "--kind", choices=[kind.value for kind in Kind], help="only those of a kind"
    )
    add_options(parser, {"claims": VERDICT_OPTIONS["claims"]})
    parser.add_argument(
        "--text",
        help=(
            "only those with this text in statement, hypotheses, source or derivation, in any case"
        ),
    )


def run(arguments: argparse.Namespace) -> int:
    claims = available(arguments.claims)
    if arguments.id:
        print("\n\n".join(shown(find(claim_id, claims), claims) for claim_id in arguments.id))
        return 0
    found = [claim for claim in claims.values() if matches(claim, arguments)]
    width = shutil.get_terminal_size().columns
    for claim in found:
        print(cut(f"{claim.id:5} {claim.kind.value:12} {claim.statement}", width))
    print(f"{len(found)} of {len(claims)} claims; `claims ID` shows one with its derivation")
    return 0


@refusing()
def available(modules: Sequence[str]) -> dict[str, Claim]:
    """All claims by id, with those from outside. Raises CommandError if a module has none to
    offer."""
    from theory_checks.checking.registry import registered

    return registered(modules)


def find(claim_id: str, claims: Mapping[str, Claim]) -> Claim:
    """The claim with this id. Raises CommandError if there is none."""
    if claim_id not in claims:
        raise CommandError(f"no claim {claim_id!r}; {meant(claim_id, claims)}")
    return claims[claim_id]


def matches(claim: Claim, wanted: argparse.Namespace) -> bool:
    """Whether the claim is among those asked for."""
    given = claim.hypotheses(STANDARD)
    words = " ".join([claim.id, claim.statement, given, claim.source, claim.derivation])
    return (
        (wanted.group is None or claim.id.startswith(f"{wanted.group.upper()}."))
        and (wanted.kind is None or claim.kind.value == wanted.kind)
        and (wanted.text is None or wanted.text.lower() in words.lower())
    )


def shown(claim: Claim, claims: Mapping[str, Claim]) -> str:
    """A claim in full: what it says, why, and where it stands."""
    builds_on = [
        f"{claim_id} {claims[claim_id].statement}" if claim_id in claims else claim_id
        for claim_id in claim.depends_on
    ]
    dependants = [other.id for other in claims.values() if claim.id in other.depends_on]
    lines = inspect.getsourcelines(claim.check)[1]
    facts = {
        "formula": claim.formula,
        "given": claim.hypotheses(STANDARD),
        "kind": claim.kind.value,
        "source": claim.source,
        "builds on": "\n".join(builds_on),
        "needed by": ", ".join(dependants),
        "check": f"{Path(inspect.getfile(claim.check))}:{lines} {claim.check.__name__}",
    }
    parts = [wrapped(f"{claim.id} {claim.statement}")]
    parts += [wrapped(value, f"  {name:10}") for name, value in facts.items() if value]
    parts += [
        "\n" + wrapped(" ".join(paragraph.split()), "  ")
        for paragraph in claim.derivation.split("\n\n")
        if paragraph
    ]
    return "\n".join(parts)


def wrapped(text: str, label: str = "") -> str:
    """The text in lines no longer than the terminal, beside its label."""
    width = max(shutil.get_terminal_size().columns, 60)
    lines = [
        line
        for part in text.split("\n")
        for line in textwrap.wrap(part, width - len(label), break_on_hyphens=False)
    ]
    return "\n".join((" " * len(label) if i else label) + line for i, line in enumerate(lines))
