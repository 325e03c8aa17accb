"""Profiles: how much evidence a run gathers."""

from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Profile(StrEnum):
    """How much evidence a run gathers."""

    QUICK = "quick"
    STANDARD = "standard"
    DEEP = "deep"

    def pick(self, quick: T, standard: T, deep: T) -> T:
        """The value for this profile."""
        return {Profile.QUICK: quick, Profile.STANDARD: standard, Profile.DEEP: deep}[self]
