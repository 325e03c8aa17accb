"""What a run is: its subject, profile, device and seed, as the command line chose them."""

import hashlib
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core import Subject
from core.seeds import child
from theory_checks.checking.ambient import kept
from theory_checks.checking.budget import ledger
from theory_checks.checking.guests import imported
from theory_checks.checking.options import Options, is_whole
from theory_checks.checking.profiles import PROFILES, Profile
from theory_checks.checking.registry import registered
from theory_checks.evidence.ledger import Ledger


@dataclass(frozen=True)
class Run:
    """Everything a claim's verdict depends on besides the claim.

    subject_name: module:NAME, or "" if the subject cannot be imported; claims_from: modules of
    claims from outside; shared: a directory that the workers of this run have in common.
    """

    subject: Subject
    subject_name: str
    profile: Profile
    device: torch.device
    seed: int
    ledger: Ledger
    shared: Path
    claims_from: tuple[str, ...] = ()

    @property
    def replays(self) -> bool:
        """Whether another process can check the same again: not what lives in a notebook,
        nor with a profile of one's own."""
        ours = PROFILES.get(self.profile.name) == self.profile
        return ours and bool(self.subject_name) and "__main__" not in self.claims_from

    def stream(self, *names: Any) -> np.random.SeedSequence:
        """The seed sequence that belongs to these names in this run."""
        return child(np.random.SeedSequence(self.seed), *digest(names))


def digest(value: Any) -> tuple[int, ...]:
    """Eight 32-bit words that depend on every part of a value: records, containers, tensors,
    numbers and strings."""
    found = hashlib.sha256(_canonical(value).encode()).digest()
    return tuple(int(word) for word in np.frombuffer(found, dtype="<u4"))


PLAIN = (bool, int, float, str, type(None))  # what most parts of a value are, so looked for first


def _canonical(value: Any) -> str:
    if isinstance(value, PLAIN):
        return repr(value)
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return f"array{value.shape}{value.dtype}{content}"
    if is_dataclass(value) and not isinstance(value, type):
        # Fields at their default are left out, so that a new one leaves the draws of old records
        # alone.
        named = [(f.name, getattr(value, f.name), f.default) for f in fields(value)]
        return type(value).__name__ + _canonical([(n, v) for n, v, d in named if not _same(v, d)])
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{_canonical(k)}:{_canonical(v)}" for k, v in sorted(value.items()))
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ",".join(_canonical(v) for v in value) + "]"
    raise TypeError(
        "inputs of claims are records, containers, tensors, numbers and strings, not"
        f" {type(value).__name__}"
    )


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and not isinstance(value, Tensor) and bool(value == default)


def make_run(options: Options, shared: Path, worker: int = 0) -> Run:
    """The run that the options describe, for this process, which gets one thread.

    shared: a directory that the workers of the run have in common; worker: the number of this one.

    Raises ValueError if there is no such subject, device or module of claims.
    """
    torch.set_num_threads(1)
    return Run(
        load_subject(options.subject),
        options.subject,
        options.profile,
        resolve_device(options.device, worker),
        options.seed,
        ledger(options.alpha, registered(options.claims_from).values()),
        shared,
        options.claims_from,
    )


MOVED = {"theory_checks.mutants": "theory_checks.faults"}  # modules of Subjects


def load_subject(name: str) -> Subject:
    """The Subject called `module:NAME`. Raises ValueError that says what is missing."""
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute or module_name.startswith("."):
        raise ValueError(f"subject {name!r}: needs the form module:NAME, for example core:PAPER")
    if module_name in MOVED:
        raise ValueError(f"subject {name!r}: is now {MOVED[module_name]}:{attribute}")
    try:
        with kept():
            module = imported(module_name)
    except ImportError as error:
        raise ValueError(
            f"subject {name!r}: module {module_name!r} cannot be imported ({error})"
        ) from error
    if not hasattr(module, attribute):
        raise ValueError(f"subject {name!r}: module {module_name!r} has no {attribute!r}")
    subject = getattr(module, attribute)
    if not isinstance(subject, Subject):
        raise ValueError(f"subject {name!r}: is a {type(subject).__name__}, needs a core.Subject")
    return subject


def resolve_device(name: str, worker: int = 0) -> torch.device:
    """auto, cpu, cuda, cuda:i or mps as a device that is there; without i, parallel workers take
    the CUDA devices in turn.

    Raises ValueError for another name or a device that is not there.
    """
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto" and not cuda:
        return torch.device("cpu")
    if name in ("auto", "cuda") and cuda:
        return torch.device("cuda", worker % cuda)
    kind, _, index = name.partition(":")
    if kind == "cpu" and not index:
        return torch.device("cpu")
    if kind == "mps" and not index:
        if torch.backends.mps.is_available():
            return torch.device("mps")
        raise ValueError("device 'mps': not available here")
    if name == "cuda" or (kind == "cuda" and is_whole(index)):
        if index and int(index) < cuda:
            return torch.device("cuda", int(index))
        raise ValueError(f"device {name!r}: {cuda} CUDA devices are available here")
    raise ValueError(f"device {name!r}: needs auto, cpu, cuda, cuda:i or mps")
