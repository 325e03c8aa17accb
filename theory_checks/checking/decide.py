"""Search, then decide: how the statement about one input is judged.

The statement is judged on a search stream at level SUSPICION. Only if it is rejected there is it
judged again, on an independent stream at the claim's share of the run's alpha, and only that
verdict counts. `theory_checks.evidence.ledger` proves that a run's false alarms stay below alpha.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis.errors import UnsatisfiedAssumption

from theory_checks.checking.claim import Claim
from theory_checks.checking.contracts import Breach, held, narrowed
from theory_checks.checking.run import Run
from theory_checks.evidence import (
    Evidence,
    HypothesesNotMet,
    NotANumber,
    Statement,
    Verdict,
    at_most,
)
from theory_checks.evidence.ledger import SUSPICION
from theory_checks.experiments.trajectories import DECIDE, SEARCH, Trained


def search_then_decide(claim: Claim, run: Run, inputs: Mapping[str, Any]) -> Evidence:
    """The evidence for the claim on one input (module docstring)."""
    *_, (_, evidence) = phases(claim, run, inputs)
    return evidence


def phases(claim: Claim, run: Run, inputs: Mapping[str, Any]) -> Iterator[tuple[int, Evidence]]:
    """SEARCH with its evidence and, if that rejects the statement, DECIDE with the evidence that
    counts.

    Raises ValueError if the claim samples although it declares samples=False, TypeError if its
    check returns something else than a Statement.
    """
    found = _judge(claim, run, inputs, SEARCH, float(SUSPICION))
    if found.samples > 0 and not claim.samples:
        raise ValueError(f"claim {claim.id} samples, but declares samples=False: no part of alpha")
    yield SEARCH, found
    if found.verdict is Verdict.VIOLATED and found.samples > 0:
        share = float(run.ledger.share(claim.id))
        yield DECIDE, _judge(claim, run, inputs, DECIDE, share)


def _judge(claim: Claim, run: Run, inputs: Mapping[str, Any], phase: int, alpha: float) -> Evidence:
    """The evidence of one phase. Where the check raises or meets NaN, it is done again with a look
    at every call of an ingredient, to name the one that is to blame."""

    def judged(every: bool) -> Evidence:
        context = context_of(run, phase, every=every)
        statement: Statement = claim.check(**wanted_by(claim.check, context), **inputs)
        if not hasattr(statement, "judge"):
            kind = type(statement).__name__
            raise TypeError(f"claim {claim.id}: its check returned a {kind}, needs a Statement")
        if share := float(run.ledger.share(claim.id)):
            # Raises HypothesesNotMet if what was measured could not be found violated at all.
            statement.samples_needed(share)
        evidence = statement.judge(
            run.stream(claim.id, dict(inputs), phase), alpha, statement.samples_needed(alpha)
        )
        if evidence.verdict is Verdict.VIOLATED and (words := narrowed(context["subject"])):
            return replace(evidence, detail=f"{evidence.detail} ({'; '.join(words)})")
        return evidence

    try:
        try:
            return judged(every=False)
        except (Breach, HypothesesNotMet, UnsatisfiedAssumption):
            raise
        except Exception:
            return judged(every=True)
    except Breach as reason:
        return _of_breach(reason)
    except HypothesesNotMet as reason:
        return _without_numbers(Verdict.VACUOUS, reason.stopped, reason)
    except NotANumber as reason:
        # No chance enters: whatever the claim says of numbers, these are none.
        return _without_numbers(Verdict.VIOLATED, "not a number", reason)


def _without_numbers(verdict: Verdict, stopped: str, reason: Exception) -> Evidence:
    nan = math.nan
    notes = (str(reason), *getattr(reason, "__notes__", ()))
    return Evidence(verdict, nan, nan, nan, None, nan, 0, 0.0, 0.0, stopped, "; ".join(notes))


def _of_breach(reason: Breach) -> Evidence:
    """No chance enters: 0 is due, and `measured` was found, if that is a number."""
    if reason.measured is None:
        return _without_numbers(Verdict.VIOLATED, "contract", reason)
    evidence = at_most(reason.measured, 0.0).evidence
    return replace(evidence, stopped="contract", detail=str(reason))


def context_of(run: Run, phase: int, *, every: bool = False) -> dict[str, Any]:
    """The arguments that a check may name besides its inputs. All ingredients are held to their
    contracts.

    every: whether in every call.
    """
    run = replace(run, subject=held(run.subject, every=every))
    return {
        "subject": run.subject,
        "profile": run.profile,
        "trained": Trained(run, phase),
    }


def wanted_by(function: Callable[..., Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the context that the function has parameters for."""
    return {
        name: context[name] for name in inspect.signature(function).parameters if name in context
    }
