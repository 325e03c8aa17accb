"""The error budget of a run: the part of alpha that each claim has, and the proof that a run
declares some true claim violated with probability at most alpha.

1. Each input x of claim c has two streams of its own, seeded by a hash of (run seed, c, *all* of x,
   phase): the streams of different inputs, and the two of one input, are independent. (Hashes are
   treated as independent uniform seeds, as every use of a pseudo-random generator does.)
2. Let x_1, x_2, ... be the inputs that are tried, each once, and F_i what the first i of them have
   shown, on both streams. Which input comes next may depend on all of F_i: Hypothesis sees search
   verdicts, and after a suspicion what was decided as well. But x_(i+1) is then fixed by F_i, is
   none of x_1 .. x_i, and its streams are independent of F_i. So given F_i a true claim is
   suspicious on it with probability at most s, the level of the search stream, and violated only if
   the deciding stream, independent of that, rejects at the claim's share alpha_c: with probability
   at most s alpha_c.
3. The sum over the inputs tried, at most N_c of them, is at most N_c s alpha_c: that is alpha_c
   when N_c <= 1 / s. Training claims differ: their inputs share replicates, within a phase, with
   each other and with other claims. But these inputs come from a list, of at most N_c, that the
   run's scenarios determine: the sum goes over the whole list, tried or not, and needs only that
   the replicates of the two phases are different ones.
4. The shares add up to alpha; exact claims have none, because no chance enters them.

Every process computes the ledger from the same list of claims, so that all workers have the same
ledger without communication.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from .sampling import require_level

SUSPICION = Fraction(1, 1000)  # s: the level of search streams


@dataclass(frozen=True)
class Line:
    """One claim's line.

    id: the id of the claim
    weight: its part of alpha relative to the other lines; 0 for a claim that no chance enters
    inputs: how many inputs it may try at most
    reason: why it has this weight, in words
    """

    id: str
    weight: int
    inputs: int
    reason: str


@dataclass(frozen=True)
class Ledger:
    """alpha split over the lines in proportion to their weights.

    Raises ValueError unless 0 < alpha < 1, all ids differ, all weights are at least 0 and one is
    above 0, and every line allows for 1 to 1 / SUSPICION inputs.
    """

    alpha: Fraction
    lines: tuple[Line, ...]

    def __post_init__(self) -> None:
        require_level(float(self.alpha))
        ids = [line.id for line in self.lines]
        if len(set(ids)) < len(ids):
            raise ValueError(
                "two lines of the ledger have the same id:"
                f" {sorted(name for name in ids if ids.count(name) > 1)}"
            )
        if any(line.weight < 0 for line in self.lines) or not any(
            line.weight for line in self.lines
        ):
            raise ValueError("weights in the ledger must be at least 0, and at least one above 0")
        for line in self.lines:
            if not 1 <= line.inputs <= 1 / SUSPICION:
                raise ValueError(
                    f"{line.id} may try {line.inputs} inputs: needs 1 to {1 / SUSPICION}"
                )

    def line(self, claim: str) -> Line:
        """The line of a claim, by its id. Raises ValueError if it has none."""
        for line in self.lines:
            if line.id == claim:
                return line
        raise ValueError(f"claim {claim} has no line in the ledger")

    def share(self, claim: str) -> Fraction:
        """The claim's part of alpha; all of them add up to alpha exactly."""
        return self.alpha * self.line(claim).weight / sum(line.weight for line in self.lines)

    def text(self) -> list[str]:
        """The ledger as text: a heading, a line for each claim, and their sum."""
        rows = [f"{'claim':6} {'share of alpha':>14} {'inputs':>6}  reason"]
        rows += [
            f"{e.id:6} {float(self.share(e.id)):>14.3g} {e.inputs:>6}  {e.reason}"
            for e in self.lines
        ]
        total = sum((self.share(e.id) for e in self.lines), Fraction(0))
        return [
            *rows,
            (
                f"{'sum':6} {float(total):>14.3g}  = alpha, the probability of any false alarm in"
                " a run"
            ),
        ]
