"""What a user asks of a run, in pytest's options, on the command line or from Python. All of it is
looked at before any work. Imports neither torch nor SciPy: the controller of parallel runs reads
it."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theory_checks.checking.claim import DEFAULT_ALPHA, DEFAULT_SEED, DEFAULT_SUBJECT
from theory_checks.checking.profiles import STANDARD, Profile, named

MOST_DIGITS = 40  # of a seed, more than the 128 bits that a seed sequence keeps


@dataclass(frozen=True)
class Options:
    """What determines the verdicts of a run.

    subject: module:NAME of the core.Subject to check.
    alpha: bound on the probability of any false alarm in the run.
    device: auto, cpu, cuda, cuda:i or mps.
    claims_from: the modules of claims from outside.
    """

    subject: str = DEFAULT_SUBJECT
    profile: Profile = STANDARD
    seed: int = DEFAULT_SEED
    alpha: Fraction = DEFAULT_ALPHA
    device: str = "auto"
    claims_from: tuple[str, ...] = ()


def options_from(given: Mapping[str, Any]) -> Options:
    """The options with these values, texts or numbers; where one is missing or None, its default.

    Raises ValueError, which names the option, the value and what is possible.
    """
    read: Mapping[str, Callable[[Any], Any]] = {
        "subject": str,
        "profile": named,
        "seed": seed_from,
        "alpha": alpha_from,
        "device": str,
        "claims_from": tuple,
    }
    return Options(**{k: f(given[k]) for k, f in read.items() if given.get(k) is not None})


def seed_from(given: int | str) -> int:
    """A seed. Raises ValueError unless it is a whole number >= 0 that is not too long, or
    random."""
    text = str(given)
    if text == "random":
        return secrets.randbelow(2**32)
    if not is_whole(text) or len(text) > MOST_DIGITS:
        raise ValueError(
            f"seed {text[: MOST_DIGITS + 1]}: needs a whole number >= 0 of at most {MOST_DIGITS}"
            " digits, or random"
        )
    return int(text)


def is_whole(text: str) -> bool:
    """Whether the text is a whole number >= 0, of the digits 0 to 9."""
    return text.isascii() and text.isdecimal()


def alpha_from(given: Fraction | float | str) -> Fraction:
    """A probability, like 1e-6 or 1/20. Raises ValueError unless it lies between 0 and 1."""
    text = str(given)
    try:
        # As a float first: as a fraction, 1e-999999999 would take forever.
        possible = text.isascii() and ("/" in text or 0 < float(text) < 1)
        alpha = Fraction(text if possible else 0)
    except (ValueError, ZeroDivisionError):  # not a number: refused with the same words
        alpha = Fraction(0)
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {text}: needs a number between 0 and 1, both excluded")
    return alpha
