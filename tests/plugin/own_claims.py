"""A claim of a user, in a module that pytest does not collect."""

from hypothesis import strategies as st

from theory_checks import Kind, claim
from theory_checks.evidence import Statement, at_most


@claim("U.1", kind=Kind.EXACT, samples=False, source="mine", over={"x": st.integers(0, 100)})
def small(x: int) -> Statement:
    """x is at most 50."""
    return at_most(x, 50)
