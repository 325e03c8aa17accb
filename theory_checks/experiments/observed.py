"""What training passes to the ingredients that draw, and what they return to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core import Hyperparameters, Parameters, Problem, Signals, Subject, train
from core.training import Trajectory
from theory_checks.evidence import Statement, all_of, at_most
from theory_checks.experiments.finite import same_numbers

AT_THE_START = ("draw_signals", "initialise_router", "initialise_experts", "draw_examples")
DRAWING = (*AT_THE_START, "router_noise")
AT_ONCE = 4  # random words that are compared together: they agree by chance with 2^-124
MOST_WORDS = 4096  # that a call is followed through


@dataclass(frozen=True, eq=False)
class Draw:
    """One call of an ingredient that draws.

    ingredient: its name.
    arguments: what it was passed.
    result: what it returned.
    before, after: the state of its generator when it was called, and when it returned.
    """

    ingredient: str
    arguments: tuple[Any, ...]
    result: Any
    before: Tensor
    after: Tensor


def observed(subject: Subject, ingredients: Sequence[str] = DRAWING) -> tuple[Subject, list[Draw]]:
    """The subject, and a list to which every call of these ingredients is appended."""
    calls: list[Draw] = []

    def watched(name: str) -> Callable[..., Any]:
        ingredient = getattr(subject, name)

        def call(*arguments: Any) -> Any:
            (generator,) = (a for a in arguments if isinstance(a, torch.Generator))
            before = generator.get_state()
            result = ingredient(*arguments)
            calls.append(Draw(name, arguments, result, before, generator.get_state()))
            return result

        return call

    return replace(subject, **{name: watched(name) for name in ingredients}), calls


def starts_as_drawn(run: Trajectory, start: Parameters, calls: Sequence[Draw]) -> Statement:
    """A run begins with what the ingredients returned, rounded to its precision: its signals are
    those of `draw_signals`, also for `draw_examples`, and its parameters those of `initialise_*`.

    run, start: of R replicates in one chunk; start is what it found at step 0, (R, M, ...).
    calls: of the ingredients AT_THE_START, each once for each replicate, in their order.
    """
    drawn = {name: [c for c in calls if c.ingredient == name] for name in AT_THE_START}
    passed = [call.arguments[1] for call in drawn["draw_examples"]]
    pairs: dict[str, tuple[Tensor, list[Tensor]]] = {
        "Theta^(0)": (start.theta, [c.result for c in drawn["initialise_router"]]),
        "W^(0)": (start.W, [c.result for c in drawn["initialise_experts"]]),
    }
    of_one = {
        "Theta^(0)": ("expert", "coordinate"),
        "W^(0)": ("expert", "filter", "coordinate"),
    }
    for f in fields(Signals):
        returned = [getattr(call.result, f.name) for call in drawn["draw_signals"]]
        pairs[f.name] = getattr(run.signals, f.name), returned
        given = torch.stack([getattr(signals, f.name) for signals in passed])
        pairs[f"{f.name} of the examples"] = given, returned
    return all_of(
        *(
            same_numbers(
                found.double(),
                torch.stack(returned).to(found.dtype).double(),
                tolerance=0.0,
                detail=f"{name} against what was drawn",
                axes=("replicate", *of_one.get(name, ("cluster", "coordinate"))),
            )
            for name, (found, returned) in pairs.items()
        )
    )


def words(state: Tensor, count: int) -> np.ndarray:
    """The next random words of a CPU generator in this state, 31 bits of each, (count,)."""
    generator = torch.Generator()
    generator.set_state(state)
    return torch.empty(count, dtype=torch.int32).random_(generator=generator).numpy()


def stretches(draw: Draw) -> np.ndarray:
    """AT_ONCE random words from each one on that the call used, (words used, AT_ONCE)."""
    ahead = words(draw.before, MOST_WORDS + AT_ONCE)
    every = np.lib.stride_tricks.sliding_window_view(ahead, AT_ONCE)[:MOST_WORDS]
    (ends,) = (every == words(draw.after, AT_ONCE)).all(axis=1).nonzero()
    return every[: ends[0] if ends.size else MOST_WORDS]


def no_random_number_is_used_twice(subject: Subject, replicates: int) -> Statement:
    """In training, no two calls of ingredients, of one replicate or two, use the same stretch of
    random numbers.

    Looks at what generators are ahead of before and after each call, so that it does not matter
    what an ingredient makes of the numbers.
    """
    hyper = Hyperparameters(M=2, J=2, n=4, sigma_0=1.0, eta=0.1, eta_r=0.1, T=3)
    watched, calls = observed(subject)
    seeds = [np.random.SeedSequence((replicates, r)) for r in range(replicates)]
    train(watched, Problem(K=3, d=6), hyper, seeds, look_every=hyper.T)
    seen: dict[bytes, str] = {}
    twice: list[str] = []
    for call in calls:
        for stretch in map(bytes, stretches(call)):
            if stretch in seen:
                twice.append(f"{call.ingredient} and {seen[stretch]}")
            seen[stretch] = call.ingredient
    where = f", first by {twice[0]}" if twice else ""
    return at_most(len(twice), 0.0, detail=f"random numbers used twice{where}")
