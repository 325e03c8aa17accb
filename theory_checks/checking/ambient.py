"""The state of the process that torch and NumPy keep, under which checks compute: a user's module
that sets it when it is imported changes neither a verdict nor another part of the process."""

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Ambient:
    """What computations depend on besides their arguments.

    default_dtype: of new tensors.
    default_device: of new tensors.
    deterministic: whether torch refuses operations that are not deterministic; 0 no, 1 warns, 2
        raises.
    matmul_precision: of products in single precision.
    threads: that torch uses.
    gradients: whether torch records operations.
    anomalies: whether torch looks for NaN in gradients.
    numpy_errors: what NumPy does about overflow and the like.
    """

    default_dtype: torch.dtype
    default_device: torch.device
    deterministic: int
    matmul_precision: str
    threads: int
    gradients: bool
    anomalies: bool
    numpy_errors: tuple[tuple[str, Any], ...]

    @classmethod
    def present(cls) -> "Ambient":
        """That of this moment."""
        return cls(
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.get_deterministic_debug_mode(),
            torch.get_float32_matmul_precision(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.is_anomaly_enabled(),
            tuple(sorted(np.geterr().items())),
        )

    def differences(self, other: "Ambient") -> dict[str, tuple[Any, Any]]:
        """What differs from another, by the name of the field: the values of both."""
        pairs = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    def restore(self) -> None:
        """Makes the present state this one; what is as it should be is left alone."""
        for name in self.differences(Ambient.present()):
            value = getattr(self, name)
            if name == "default_dtype":
                torch.set_default_dtype(value)
            elif name == "default_device":
                # To name the CPU, which it is anyway, would slow every call of torch down.
                torch.set_default_device(None if value.type == "cpu" else value)
            elif name == "deterministic":
                torch.set_deterministic_debug_mode(value)
            elif name == "matmul_precision":
                torch.set_float32_matmul_precision(value)
            elif name == "threads":
                torch.set_num_threads(value)
            elif name == "gradients":
                torch.set_grad_enabled(value)
            elif name == "anomalies":
                torch.autograd.set_detect_anomaly(value)
            else:
                np.seterr(**dict(value))


# The defaults of torch and NumPy, and one thread.
STANDARD = Ambient(
    default_dtype=torch.float32,
    default_device=torch.device("cpu"),
    deterministic=0,
    matmul_precision="highest",
    threads=1,
    gradients=True,
    anomalies=False,
    numpy_errors=(
        ("divide", "warn"),
        ("invalid", "warn"),
        ("over", "warn"),
        ("under", "ignore"),
    ),
)


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Ends with the state that it began with, that of the global random generators included."""
    before = Ambient.present()
    chance = random.getstate(), torch.get_rng_state()
    of_numpy = np.random.get_state()  # noqa: NPY002 (the user's, not ours)
    try:
        yield
    finally:
        before.restore()
        random.setstate(chance[0])
        torch.set_rng_state(chance[1])
        np.random.set_state(of_numpy)  # noqa: NPY002


@contextlib.contextmanager
def standard() -> Iterator[None]:
    """Computes with torch's and NumPy's own defaults and in one thread, and ends with the state
    that it began with."""
    with kept(), torch.inference_mode(False):
        STANDARD.restore()
        yield
