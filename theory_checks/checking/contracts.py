"""What every ingredient of a Subject owes those who call it, checked where claims call it.

Its result has the shape, the kind of numbers and the device that follow from its arguments, holds
no NaN unless they do, and depends on them alone: the same arguments, with a generator in the same
state, give the same result, and stay what they are. A claim whose check meets a breach is violated:
its detail names the ingredient and what it owes.

A look takes longer than many a call. So only the first call of an ingredient on each input of a
claim is looked at, with gradients on and off, and made again with gradients on to compare the two;
later calls are looked at where that result had to be converted. If the check then raises or meets
NaN, it is done again with a look at every call (`checking.decide`). That evaluation repeats itself
and agrees with training is claim R.12.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from core import Examples, Patches, Signals, Subject
from theory_checks.checking.ambient import Ambient
from theory_checks.checking.guests import Ended, reason

SAME_WITHIN = 1000  # eps of the largest entry, by which equal calls may differ: orders of summation


class Breach(Exception):
    """An ingredient breaks its contract.

    measured: how far off it is, or how often, where 0 is due; None where that is no number.
    """

    def __init__(self, reason: str, measured: float | None = None) -> None:
        super().__init__(reason)
        self.measured = measured


class Raised(Ended):
    """An ingredient raised an exception; the text names both."""


Arguments = Sequence[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Contract:
    """What one ingredient owes.

    arguments: their names.
    shape: of the result, or of the parameter that an update returns, from the arguments.
    whole: whether the result consists of whole numbers, experts.
    like: the argument whose dtype and device the result has; none if it is drawn, on the device of
        its generator.
    least: of a result that is drawn: the dtype that narrower ones are converted to.
    """

    arguments: tuple[str, ...]
    shape: Callable[[Arguments], Shape]
    whole: bool = False
    like: int | None = 0
    least: torch.dtype = torch.float64


def _of_logits(arguments: Arguments) -> Shape:
    theta, x = arguments
    lead, examples = theta.shape[:-2], x.order.shape
    if lead != examples[:-2]:
        lead = torch.broadcast_shapes(lead, examples[:-2])
    return (*lead, theta.shape[-2], examples[-2])


def _of_choice(arguments: Arguments) -> Shape:
    h, r = arguments
    shape = h.shape if h.shape == r.shape else torch.broadcast_shapes(h.shape, r.shape)
    return (*shape[:-2], shape[-1])


DRAWN = ("problem", "hyper", "generator")
UPDATE = ("gradient", "rate", "state")
CONTRACTS: Mapping[str, Contract] = {
    "initialise_router": Contract(DRAWN, lambda a: (a[1].M, a[0].d), like=None),
    "initialise_experts": Contract(DRAWN, lambda a: (a[1].M, a[1].J, a[0].d), like=None),
    "logits": Contract(("theta", "x"), _of_logits),
    "router_noise": Contract(
        ("shape", "generator", "step"), lambda a: tuple(a[0]), like=None, least=torch.float32
    ),
    "select": Contract(("h", "r"), _of_choice, whole=True),
    "gate": Contract(("h",), lambda a: a[0].shape),
    "respond": Contract(("z",), lambda a: a[0].shape[:-2]),
    "loss": Contract(("margin",), lambda a: a[0].shape),
    "expert_update": Contract(("W", *UPDATE), lambda a: a[0].shape),
    "router_update": Contract(("theta", *UPDATE), lambda a: a[0].shape),
    "draw_signals": Contract(("problem", "generator"), lambda a: (a[0].K, a[0].d), like=None),
    "draw_examples": Contract(("problem", "signals", "n", "generator"), lambda a: (a[2],)),
}
UPDATES = ("expert_update", "router_update")
# Autograd differentiates these in their first argument.
DIFFERENTIATED = ("logits", "gate", "respond", "loss")


@dataclass(frozen=True, eq=False)
class Held:
    """An ingredient that is held to its contract wherever it is called.

    used: names of ingredients that were called, or of which an attribute was read.
    every: whether every call is looked at.
    plain: the ingredients that a look found to need no other, with whether gradients were recorded.
    repeated: the same for those that were called again.
    narrow: of which ingredient a result had another precision than its arguments, in words.
    """

    name: str
    ingredient: Any
    used: set[str]
    every: bool
    plain: set[tuple[str, bool]]
    repeated: set[tuple[str, bool]]
    narrow: set[str]

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        key = (self.name, torch.is_grad_enabled())
        if key in self.plain:
            return self.ingredient(*arguments, **options)
        self.used.add(self.name)
        if self.every or key not in self.repeated:
            return self._looked_at(arguments, options, key)
        return self._settled(self._called(arguments, options), arguments)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # of Python's protocols, such as copying
            raise AttributeError(name)
        self.used.add(self.name)
        return getattr(self.ingredient, name)

    def _called(self, arguments: Arguments, options: Mapping[str, Any]) -> Any:
        try:
            return self.ingredient(*arguments, **options)
        except (Exception, SystemExit) as error:
            raise Raised(f"{self.name} raised {reason(error)}") from error

    def _looked_at(
        self, arguments: Arguments, options: Mapping[str, Any], key: tuple[str, bool]
    ) -> Any:
        """The result of a call, after a close look at it."""
        inputs = [a for a in arguments if not isinstance(a, torch.Generator)]
        if self.name in UPDATES:
            inputs = inputs[:2]  # a state may be what the update changes
        given = list(tensors(inputs))
        copies = [(where, value.detach().clone()) for where, value in given]
        generators = [a for a in arguments if isinstance(a, torch.Generator)]
        before, ambient = [g.get_state() for g in generators], Ambient.present()
        returned = self._called(arguments, options)
        result = self._settled(returned, arguments)
        if changed := ambient.differences(Ambient.present()):
            ambient.restore()
            self._breaks(f"changed {', '.join(changed)} of torch or NumPy for all others")
        for (where, value), (_, copy) in zip(given, copies, strict=True):
            if not _equal(value.detach(), copy):
                self._breaks(f"changed its argument {self._named(inputs, where)} in place")
        self._require_numbers(result, arguments, copies)
        first = key not in self.repeated
        self.repeated.add(key)
        if first and torch.is_grad_enabled() and (self.name not in UPDATES or arguments[3] is None):
            after = [g.get_state() for g in generators]
            for generator, state in zip(generators, before, strict=True):
                generator.set_state(state)
            again = self._settled(self._called(arguments, options), arguments)
            for generator, state in zip(generators, after, strict=True):
                generator.set_state(state)
            self._require_equal(result, again)
        if not self.every and _same(returned, result):
            self.plain.add(key)
        return result

    def _named(self, inputs: Arguments, where: str) -> str:
        """An argument, or the part of one, by name; where: its place, as `tensors` writes it."""
        place, _, part = where.partition(".")
        names = [n for n in CONTRACTS[self.name].arguments if n != "generator"]
        return f"{names[int(place)]}{'.' if part else ''}{part}"

    def _breaks(self, what: str, measured: float | None = None) -> None:
        raise Breach(f"{self.name} {what}", measured)

    def _settled(self, result: Any, arguments: Arguments) -> Any:
        """The result as the contract has it: raises Breach where no conversion makes it so."""
        name, contract = self.name, CONTRACTS[self.name]
        if name in UPDATES:
            if not isinstance(result, tuple) or len(result) != 2:
                self._breaks(
                    f"returned {_kind(result)}, needs a pair: the next"
                    f" {contract.arguments[0]} and state"
                )
            return self._tensor(result[0], arguments, contract), result[1]
        if name == "draw_signals":
            return self._signals(result, arguments, contract)
        if name == "draw_examples":
            return self._examples(result, arguments)
        return self._tensor(result, arguments, contract)

    def _tensor(self, result: Any, arguments: Arguments, contract: Contract) -> Tensor:
        shape = contract.shape(arguments)
        like = None if contract.like is None else arguments[contract.like]
        if not isinstance(result, Tensor) or result.shape != shape:
            self._require_shape(result, shape)
        if contract.whole:
            if result.dtype != torch.int64:
                self._breaks(f"returned dtype {result.dtype}, needs whole numbers, torch.int64")
            return self._on(result, arguments[0].device)
        if like is None:
            generator = next(a for a in arguments if isinstance(a, torch.Generator))
            result = self._wide(self._on(result, generator.device), contract.least)
        else:
            result = self._on(result, like.device)
            if result.dtype != like.dtype:
                self.narrow.add(
                    f"{self.name} returned {self._floating(result).dtype} for {like.dtype}"
                )
                result = result.to(like.dtype)
        source = arguments[0] if self.name in DIFFERENTIATED else None
        if source is not None and torch.is_grad_enabled() and source.requires_grad:
            # What does not depend on its argument has gradient 0.
            return result if result.requires_grad else result + source.flatten()[:0].sum()
        return result.detach() if result.requires_grad else result

    def _require_shape(self, result: Any, shape: Sequence[int], part: str = "") -> None:
        if not isinstance(result, Tensor):
            what = f"{_kind(result)} as {part}" if part else _kind(result)
            self._breaks(f"returned {what}, needs a tensor of shape {_text(shape)}")
        if result.shape != tuple(shape):
            what = f"{part} of shape" if part else "shape"
            self._breaks(f"returned {what} {_text(result.shape)}, needs {_text(shape)}")

    def _on(self, result: Tensor, device: torch.device) -> Tensor:
        if result.device != device:
            self._breaks(f"returned a tensor on {result.device}, needs {device}")
        return result

    def _floating(self, result: Tensor, part: str = "") -> Tensor:
        if not result.is_floating_point():
            what = f"{part} of dtype" if part else "dtype"
            self._breaks(f"returned {what} {result.dtype}, needs floating-point numbers")
        return result

    def _wide(self, result: Tensor, least: torch.dtype, part: str = "") -> Tensor:
        """At least as precise as `least`."""
        eps = torch.finfo(self._floating(result, part).dtype).eps
        return result.to(least) if eps > torch.finfo(least).eps else result

    def _signals(self, result: Any, arguments: Arguments, contract: Contract) -> Signals:
        if not isinstance(result, Signals):
            self._breaks(f"returned {_kind(result)}, needs core.Signals")
        parts = {}
        for f in fields(Signals):
            value = getattr(result, f.name)
            self._require_shape(value, contract.shape(arguments), f.name)
            value = self._on(value, arguments[1].device)
            parts[f.name] = self._wide(value, contract.least, f.name).detach()
        return replace(result, **parts)

    def _examples(self, result: Any, arguments: Arguments) -> Examples:
        problem, signals, n, _ = arguments
        if not isinstance(result, Examples):
            self._breaks(f"returned {_kind(result)}, needs core.Examples")
        x, like = result.patches, signals.features
        if not isinstance(x, Patches):
            self._breaks(f"returned patches of {_kind(x)}, needs core.Patches")
        rows, pieces = (
            part.shape[at] if isinstance(part, Tensor) and part.ndim == 2 else 0
            for part, at in ((x.dictionary, 0), (x.which, 1))
        )
        P, d = problem.P, problem.d
        shapes = {
            "dictionary": (rows, d),
            "which": (n, pieces),
            "coefficient": (n, pieces),
            "noise": (n, P - pieces, d),
            "order": (n, P),
        }

        def part(owner: Any, name: str, shape: Shape, whole: bool) -> Tensor:
            value = getattr(owner, name)
            if not isinstance(value, Tensor) or value.shape != shape:
                self._require_shape(value, shape, name)
            value = self._on(value, like.device)
            if whole:
                if value.dtype != torch.int64:
                    self._breaks(f"returned {name} of dtype {value.dtype}, needs torch.int64")
                return value
            if value.dtype != like.dtype:
                value = self._floating(value, name).to(like.dtype)
            return value.detach() if value.requires_grad else value

        whole = ("which", "order", "k", "k_prime")
        of_patches = {name: part(x, name, shape, name in whole) for name, shape in shapes.items()}
        latent = [f.name for f in fields(Examples) if f.name != "patches"]
        of_examples = {name: part(result, name, (n,), name in whole) for name in latent}
        if any(value is not getattr(x, name) for name, value in of_patches.items()):
            x = replace(x, **of_patches)
        if x is not result.patches or any(
            value is not getattr(result, name) for name, value in of_examples.items()
        ):
            result = replace(result, patches=x, **of_examples)
        return result

    def _require_numbers(
        self, result: Any, arguments: Arguments, given: Sequence[tuple[str, Tensor]]
    ) -> None:
        """Raises Breach for NaN that no argument explains, infinity where numbers are drawn, and
        whole numbers outside their range."""
        returned = result[:1] if self.name in UPDATES else (result,)
        drawn = CONTRACTS[self.name].like is None or self.name == "draw_examples"
        for where, value in tensors(returned):
            part = where.partition(".")[2]
            what = f"{part} with " if part else ""
            if value.is_floating_point():
                wrong = ~value.isfinite() if drawn or self.name == "loss" else value.isnan()
                count = int(wrong.sum())
                if count and all(bool(v.isfinite().all()) for _, v in given):
                    which = "NaN" if bool(value.isnan().any()) else "infinity"
                    self._breaks(
                        f"returned {what}{which} in {count} of {value.numel()} entries",
                        float(count),
                    )
            elif value.numel() and (most := self._most(part, arguments)) is not None:
                low, high = int(value.min()), int(value.max())
                if low < 0 or high > most:
                    worst = low if low < 0 else high
                    self._breaks(
                        f"returned {part + ' ' if part else ''}{worst}, needs 0 to {most}",
                        float(max(-low, high - most)),
                    )

    def _most(self, part: str, arguments: Arguments) -> int | None:
        """The largest whole number that a result, or this part of it, may hold."""
        if self.name == "select":
            return int(arguments[0].shape[-2]) - 1
        problem = arguments[0]
        last = part.rpartition(".")[2]
        return {"k": problem.K - 1, "k_prime": problem.K - 1, "order": problem.P - 1}.get(last)

    def _require_equal(self, result: Any, again: Any) -> None:
        for (where, one), (_, other) in zip(tensors((result,)), tensors((again,)), strict=False):
            one, other = one.detach(), other.detach()
            part = where.partition(".")[2]
            if one.shape == other.shape and _equal(one, other):
                continue
            source = " and generator" if "generator" in CONTRACTS[self.name].arguments else ""
            what = (
                f"is not deterministic: two calls with equal arguments{source} differ"
                f"{f' in {part}' if part and self.name not in UPDATES else ''}"
            )
            if one.shape != other.shape:
                self._breaks(f"{what}: shapes {_text(one.shape)} and {_text(other.shape)}")
            if not one.is_floating_point():
                count = int((one != other).sum())
                self._breaks(f"{what} in {count} of {one.numel()} entries", float(count))
            off = _distance(one, other)
            largest = float(one.abs().nan_to_num(0.0, 0.0, 0.0).max())
            if off > SAME_WITHIN * torch.finfo(one.dtype).eps * largest:
                self._breaks(f"{what} by {off:.3g}", off)


def _same(returned: Any, settled: Any) -> bool:
    """Whether nothing had to be converted."""
    pairs = zip(tensors((returned,)), tensors((settled,)), strict=True)
    return all(one is other for (_, one), (_, other) in pairs)


def _kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__module__}.{type(value).__name__}"


def _text(shape: Sequence[int]) -> str:
    return str(tuple(shape))


def _equal(one: Tensor, other: Tensor) -> bool:
    """The same numbers, NaN in the same places."""
    same = torch.equal(one, other)
    return same or bool(((one == other) | ((one != one) & (other != other))).all())


def _distance(one: Tensor, other: Tensor) -> float:
    """The largest difference; infinite where one is NaN and the other is not."""
    difference = (one.double() - other.double()).abs()
    difference = difference.masked_fill(one == other, 0.0)
    difference = difference.masked_fill(one.isnan() & other.isnan(), 0.0)
    return float(difference.nan_to_num(torch.inf).max())


def tensors(value: Any, where: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in a value of records and sequences, what records have cached included, each with
    its place: 0.features is a field of the first entry."""
    if isinstance(value, Tensor):
        yield where, value
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from tensors(part, f"{where}.{i}" if where else str(i))
    elif is_dataclass(value) and not isinstance(value, type):
        for name, part in list(vars(value).items()):
            yield from tensors(part, f"{where}.{name}" if where else name)


def held(subject: Subject, used: set[str] | None = None, *, every: bool = False) -> Subject:
    """The subject with every ingredient held to its contract, none looked at yet.

    used: a set to which the names of the ingredients that are called are added; those that were
        held before keep theirs.
    every: whether to look at every call.
    """
    noted: set[str] = set() if used is None else used
    plain: set[tuple[str, bool]] = set()
    repeated: set[tuple[str, bool]] = set()
    narrow: set[str] = set()

    def hold(name: str, value: Any) -> Held:
        ingredient, names = (
            (value.ingredient, value.used) if isinstance(value, Held) else (value, noted)
        )
        return Held(name, ingredient, names, every, plain, repeated, narrow)

    return replace(subject, **{name: hold(name, value) for name, value in vars(subject).items()})


def narrowed(subject: Subject) -> tuple[str, ...]:
    """Which ingredients of a subject that is held returned another precision than that of their
    arguments, in words."""
    return tuple(sorted({words for value in vars(subject).values() for words in value.narrow}))
