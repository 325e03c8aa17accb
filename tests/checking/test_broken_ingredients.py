"""Each fault makes the claim that is designated to notice it fail, with a message that says how;
what breaks nothing does not."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from core import PAPER
from core.updates import gaussian_experts
from theory_checks import (
    test_algorithm,
    test_data_model,
    test_initialisation,
    test_routing,
    test_single_expert,
)
from theory_checks.checking.claim import Claim
from theory_checks.checking.profiles import PROFILES, Profile
from theory_checks.checking.run import Run
from theory_checks.checking.search import check, failure, inputs_tried
from theory_checks.faults import FAULTS

CLAIMS = {
    value.id: value
    for module in (
        test_algorithm,
        test_data_model,
        test_initialisation,
        test_routing,
        test_single_expert,
    )
    for value in vars(module).values()
    if isinstance(value, Claim)
}


# Those of the claims that train, and edits of core, are in tests/faults and `theory-checks faults`.
DESIGNATED = [
    fault.name
    for fault in FAULTS.values()
    if fault.noticed_by and fault.noticed_by[0] in CLAIMS and not fault.edit
]


@pytest.mark.parametrize("name", DESIGNATED)
def test_a_fault_is_killed_by_its_designated_claim(name: str, run: Run) -> None:
    fault = FAULTS[name]
    claim_id = fault.noticed_by[0]
    subject_name = f"theory_checks.faults:{name}"
    record = check(CLAIMS[claim_id], replace(run, subject=fault.subject, subject_name=subject_name))
    assert record.verdict == "violated"
    message = failure(record)
    for part in (
        claim_id,
        record.statement,
        f"seen: {record.detail}",
        f"seed {run.seed}",
        f"--subject {subject_name}",
    ):
        assert part in message
    assert record.worst_case


@pytest.mark.parametrize(
    "name", [fault.name for fault in FAULTS.values() if fault.equivalent and not fault.edit]
)
@pytest.mark.parametrize("claim_id", ["D.1", "D.2", "R.5", "R.9", "G.3", "I.3"])
def test_an_equivalent_fault_breaks_no_claim(claim_id: str, name: str, run: Run) -> None:
    record = check(CLAIMS[claim_id], replace(run, subject=FAULTS[name].subject))
    assert record.verdict == "holds", failure(record)


@pytest.mark.parametrize("claim_id", ["G.1", "G.2", "G.3", "G.4", "R.5", "S.7"])
@pytest.mark.parametrize("respond", [torch.relu, torch.tanh])
def test_a_different_response_breaks_no_claim_that_is_true_of_it(
    claim_id: str, respond: Any, run: Run
) -> None:
    subject = replace(PAPER, respond=lambda z: respond(z).sum(dim=(-2, -1)))
    record = check(CLAIMS[claim_id], replace(run, subject=subject))
    assert record.verdict == "holds", failure(record)


def test_hypotheses_that_no_draw_meets_make_a_claim_vacuous(run: Run) -> None:
    still = replace(PAPER, initialise_experts=lambda *given: 0 * gaussian_experts(*given))
    assert check(CLAIMS["I.2"], replace(run, subject=still)).verdict == "vacuous"


@pytest.mark.parametrize("profile", PROFILES.values(), ids=str)
def test_every_profile_stays_within_the_ledger(profile: Profile, run: Run) -> None:
    for claim in CLAIMS.values():
        tried = inputs_tried(claim, replace(run, profile=profile))
        assert 1 <= tried <= run.ledger.line(claim.id).inputs - len(claim.always)
