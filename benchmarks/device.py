# ruff: noqa: E402  # thread limits are set before NumPy is imported
"""Training on a GPU: is it right, how fast is it against one CPU core, where does a step's time go?

    PYTHONPATH=. python benchmarks/device.py [--parts correct speed ...] [--budget 300] [--out DIR]

Prints one JSON object a line: the part, the seconds since the start, and what was measured. An
error in one part is reported and the others still run. The parts:

    correct   float64 and float32 runs of the same seeds on both devices agree; runs repeat
    limits    what the device can do: products, copies, launches, synchronisations
    syncs     the places in a training step that wait for the device
    noise     one generator a replicate against one generator for all
    profile   kernels, busy time and idle share of one step
    speed     time of a step against one CPU core, by the number of replicates
    suite     the quick profile on the device and on the CPU, into DIR

`limits`, `syncs` and `profile` need CUDA. With `--device cpu` the other parts run without a GPU,
which tests this script and measures nothing of interest. Without the device asked for the exit
status is 2, and 1 if a part ended in an error or found the devices to disagree.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from theory_checks.checking.process import tune_process

tune_process()

import numpy as np
import torch
from torch import Tensor

from core import PAPER, Hyperparameters, Patches, Problem, train
from core.model import Parameters
from core.seeds import generator_from
from core.training import (
    Replicate,
    Trajectory,
    descent,
    draw_replicate,
    gradients,
    margins,
    stack,
)
from theory_checks.experiments.scenarios import Scenario, ladder

CPU = torch.device("cpu")
Result = Mapping[str, Any]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-3}  # of a relative gap after STEPS steps
STEPS = 60
SHAPES = (  # d, n, P, K, M, J
    (64, 800, 4, 4, 8, 8),
    (48, 500, 6, 2, 4, 6),
    (16, 37, 4, 3, 6, 5),
)
SIZES = ((1500, 64), (4000, 64), (4000, 256), (4096, 1024))  # n, d
REPLICATES = (1, 2, 5, 8, 32, 64, 128, 256, 512)
DEVICE_BYTES = 20 * 2**30  # of patches: replicates that need more are not timed


@dataclass(frozen=True)
class Settings:
    """What to measure on, for how long, and where to put files.

    device: the device under test.
    budget: seconds for all parts together.
    out: the folder of the reports of `suite`.
    started: when the script started, on the clock of time.perf_counter.
    """

    device: torch.device
    budget: float
    out: Path
    started: float

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    def seconds(self, work: Callable[[], object]) -> float:
        """Wall time of one call, until the device has finished it."""
        self.wait()
        started = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - started

    def wait(self) -> None:
        """Returns when the device has finished all that was asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


@dataclass(frozen=True, eq=False)
class Batch:
    """Replicates side by side on a device, as a training step takes them.

    hyper: their hyperparameters.
    start: parameters, (R, M, ...).
    x: the training examples, (R, n).
    y: their labels, (R, n).
    generators: the generator of each replicate's router noise, R of them.
    """

    hyper: Hyperparameters
    start: Parameters
    x: Patches
    y: Tensor
    generators: Sequence[torch.Generator]

    def noise(self, step: int) -> Tensor:
        """The router noise of a step, (R, M, n)."""
        shape = (self.hyper.M, self.hyper.n)
        return torch.stack([PAPER.router_noise(shape, g, step) for g in self.generators])

    def step(self, p: Parameters, step: int) -> Parameters:
        """The parameters after one more step of Algorithm 1."""
        for_W, for_theta = gradients(PAPER, p, self.x, self.y, self.noise(step))
        W, _ = PAPER.expert_update(p.W, for_W, self.hyper.eta, None)
        theta, _ = PAPER.router_update(p.theta, for_theta, self.hyper.eta_r, None)
        return Parameters(theta, W)


def seeds(count: int) -> list[np.random.SeedSequence]:
    """Seeds of so many replicates."""
    return [np.random.SeedSequence((1, i)) for i in range(count)]


def batch(
    hyper: Hyperparameters,
    replicates: Sequence[Replicate],
    device: torch.device,
    noise_from: torch.device,
) -> Batch:
    """The replicates on the device, with generators of their noise on another or the same."""
    return Batch(
        hyper,
        stack([r.start for r in replicates], device),
        stack([r.examples.patches for r in replicates], device),
        torch.stack([r.examples.y for r in replicates]).to(device),
        [
            generator_from(np.random.SeedSequence((9, i)), noise_from)
            for i in range(len(replicates))
        ],
    )


def timed_batch(R: int, n: int, d: int, device: torch.device) -> Batch:
    """R replicates of the ladder's point at n and d. Only four are drawn, the others repeat their
    data: that makes no difference to speed."""
    scenario = ladder(Problem(K=4, d=d), n, R)
    drawn = [draw_replicate(PAPER, scenario.problem, scenario.hyper, s) for s in seeds(min(R, 4))]
    return batch(scenario.hyper, [drawn[i % len(drawn)] for i in range(R)], device, device)


def relative_gap(value: Tensor, reference: Tensor) -> float:
    """The largest difference, as a share of the largest reference."""
    return float((value - reference).abs().max() / reference.abs().max().clamp(min=1e-30))


def end_of(subject_batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """W, theta and margins after STEPS steps with noise drawn where the generators are, on the
    CPU."""
    b = subject_batch
    device = b.y.device
    hyper = replace(b.hyper, T=STEPS)
    *_, last = descent(PAPER, hyper, b.start, b.x, b.y, lambda t: b.noise(t).to(device))
    return last.W.cpu(), last.theta.cpu(), margins(PAPER, last, b.x, b.y)[0].cpu()


def correct(settings: Settings) -> Iterator[Result]:
    """The same seeds on both devices. Their generators differ, so the noise of the runs that must
    agree is drawn on the CPU."""
    for dtype, tolerance in TOLERANCE.items():
        for d, n, P, K, M, J in SHAPES:
            s = ladder(Problem(K=K, d=d, P=P), n, 3, M=M, J=J)
            drawn = [draw_replicate(PAPER, s.problem, s.hyper, i, dtype=dtype) for i in seeds(3)]
            reference = end_of(batch(s.hyper, drawn, CPU, CPU))
            ended = end_of(batch(s.hyper, drawn, settings.device, CPU))
            gaps = [relative_gap(a, b) for a, b in zip(ended, reference, strict=True)]
            yield {
                "what": "descent",
                "dtype": str(dtype),
                "shape": {"d": d, "n": n, "P": P, "K": K, "M": M, "J": J},
                "relative_gap": dict(zip(("W", "theta", "margins"), gaps, strict=True)),
                "ok": max(gaps[:2]) < tolerance,  # margins pass through zero
            }
    yield from whole_runs_agree(settings)


def whole_runs_agree(settings: Settings) -> Iterator[Result]:
    """`train` itself on both devices, where the noise differs: what must be equal all the same."""
    s = ladder(Problem(K=4, d=64), 1500, 8)

    def run(device: torch.device) -> Trajectory:
        return train(
            PAPER,
            s.problem,
            s.hyper,
            seeds(8),
            keep=(0,),
            watch={"W": lambda _, at: at.W},
            watch_until=2,
            device=device,
        )

    reference, ended, again = run(CPU), run(settings.device), run(settings.device)
    left = (ended.W, ended.theta, ended.training_error, ended.watched["W"])
    same_start = torch.equal(reference.parameters(0).W, ended.parameters(0).W)
    lengths = ended.watched["W"].diff(dim=1).norm(dim=(-2, -1)) / s.hyper.eta
    yield {
        "what": "train",
        "same_start": same_start,
        "results_on_cpu": all(tensor.device.type == "cpu" for tensor in left),
        "step_length_over_eta": [float(lengths.min()), float(lengths.max())],
        "error_cpu": float(reference.training_error[:, -1].mean()),
        "error_device": float(ended.training_error[:, -1].mean()),
        "ok": same_start,
    }
    yield {
        "what": "train, twice",
        "same_bits": torch.equal(again.W, ended.W),  # not promised: torch's index_add_ on CUDA
        "relative_gap": relative_gap(again.W, ended.W),
    }


def limits(settings: Settings) -> Iterator[Result]:
    """What the device can do, to set the speed of a step against."""
    device = settings.device

    def each(work: Callable[[], object], times: int) -> float:
        settings.seconds(work)  # the first call pays for set-up
        return settings.seconds(lambda: [work() for _ in range(times)]) / times

    size = 8192
    square = torch.randn(size, size, device=device)
    yield {
        "float32_product_TFLOP_per_s": 2 * size**3 / each(lambda: square @ square, 5) / 1e12,
        "tf32_allowed": torch.backends.cuda.matmul.allow_tf32,
    }
    source = torch.empty(2**29, device=device)
    target = torch.empty_like(source)
    moved = 2 * source.numel() * source.element_size()  # read once, written once
    yield {"copy_GB_per_s": moved / each(lambda: target.copy_(source), 5) / 1e9}
    one = torch.zeros(1, device=device)
    yield {
        "us_per_launch": 1e6 * each(lambda: one.add_(1), 2000),
        "us_per_synchronisation": 1e6 * each(one.item, 500),
    }


def syncs(settings: Settings) -> Iterator[Result]:
    """Every place in a step that waits for the device, by file and line."""
    b = timed_batch(4, 1000, 64, settings.device)
    r = b.noise(0)
    for_W, _ = gradients(PAPER, b.start, b.x, b.y, r)  # the first call pays for set-up
    steps: dict[str, Callable[[], object]] = {
        "gradients": lambda: gradients(PAPER, b.start, b.x, b.y, r),
        "margins": lambda: margins(PAPER, b.start, b.x, b.y),
        "expert_update": lambda: PAPER.expert_update(b.start.W, for_W, b.hyper.eta, None),
    }
    for name, work in steps.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                work()
            finally:
                torch.cuda.set_sync_debug_mode("default")
        where = Counter(f"{Path(w.filename).name}:{w.lineno}" for w in caught)
        yield {"of": name, "count": len(caught), "where": where}


def noise(settings: Settings) -> Iterator[Result]:
    """What a generator for each replicate costs, beside one generator for all."""
    device, shape = settings.device, (8, 1500)
    one = torch.Generator(device).manual_seed(0)
    for R in (1, 8, 64, 256):
        own = [generator_from(s, device) for s in seeds(R)]

        def separately(own: list[torch.Generator] = own) -> Tensor:
            return torch.stack([PAPER.router_noise(shape, g, 0) for g in own])

        def at_once(R: int = R) -> Tensor:
            return PAPER.router_noise((R, *shape), one, 0)

        for how, draw in (("a generator a replicate", separately), ("one generator", at_once)):
            settings.seconds(draw)
            us = 1e6 * statistics.median(settings.seconds(draw) for _ in range(20))
            yield {"R": R, "how": how, "us": round(us, 1)}


def profile(settings: Settings) -> Iterator[Result]:
    """Kernels of one step, the time that the device is busy with them, and what the rest is."""
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    waits = ("cudaLaunch", "cudaMemcpy", "cudaStreamSync", "cudaDeviceSync", "aten::item")
    for R, n, d in ((2, 4000, 64), (64, 1500, 64), (64, 4000, 256)):
        b = timed_batch(R, n, d, settings.device)
        for t in range(3):
            b.step(b.start, t)
        step = partial(b.step, b.start, 0)
        wall = statistics.median(settings.seconds(step) for _ in range(5))
        with torch.profiler.profile(activities=activities) as profiled:
            b.step(b.start, 9)
            settings.wait()
        kernels: Counter[str] = Counter()
        launched = 0
        for event in profiled.events():
            if event.device_type.name == "CUDA":
                launched += 1
                kernels[event.name[:70]] += round(event.time_range.elapsed_us())
        yield {
            "shape": {"R": R, "n": n, "d": d},
            "wall_us": round(1e6 * wall),
            "kernels": launched,
            "busy_us": kernels.total(),
            "idle_share": round(1 - kernels.total() / (1e6 * wall), 2),
            "runtime_calls": {
                e.key: {"us": round(e.self_cpu_time_total), "count": e.count}
                for e in profiled.key_averages()
                if e.key.startswith(waits)
            },
            "longest_us": dict(kernels.most_common(14)),
        }


def step_seconds(settings: Settings, R: int, n: int, d: int, device: torch.device) -> float:
    """Time of one training step of R replicates on a device, the median of three rounds."""
    b = timed_batch(R, n, d, device)
    parameters, steps = b.start, 8 if device.type == "cuda" else 3

    def run() -> None:
        nonlocal parameters
        for t in range(steps):
            parameters = b.step(parameters, t)

    settings.seconds(run)
    return statistics.median(settings.seconds(run) for _ in range(3)) / steps


def speed(settings: Settings) -> Iterator[Result]:
    """A step on the device against one core, whole blocks of the suite, and drawing on the CPU."""
    for n, d in SIZES:
        some = 2 if n > 2000 else 5
        per_replicate = step_seconds(settings, some, n, d, CPU) / some
        for R in REPLICATES:
            if 16 * R * n * d > DEVICE_BYTES or settings.spent > 0.7 * settings.budget:
                break
            seconds = step_seconds(settings, R, n, d, settings.device)
            yield {
                "shape": {"R": R, "n": n, "d": d},
                "ms_per_step": round(1e3 * seconds, 3),
                "us_per_replicate_step": round(1e6 * seconds / R, 1),
                "cpu_us_per_replicate_step": round(1e6 * per_replicate, 1),
                "times_one_core": round(per_replicate * R / seconds, 2),
            }
            if settings.device.type == "cuda":
                torch.cuda.empty_cache()
    block = ladder(Problem(K=4, d=64), 4000, 2)
    for device in (CPU, settings.device):

        def trained(device: torch.device = device) -> object:
            hyper = replace(block.hyper, T=30)
            return train(PAPER, block.problem, hyper, seeds(2), device=device)

        what = "train() of 2 replicates, n = 4000, d = 64, T = 30"
        yield {
            "what": what,
            "device": str(device),
            "seconds": round(settings.seconds(trained), 3),
        }
    for n, d in ((4000, 256), (4096, 1024), (16384, 4096)):
        if settings.spent > 0.8 * settings.budget:
            return
        yield drawing(settings, ladder(Problem(K=4, d=d), n, 1))


def drawing(settings: Settings, scenario: Scenario) -> Result:
    """How long it takes to draw a replicate on the CPU, and to copy its patches to the device."""
    started = time.perf_counter()
    replicate = draw_replicate(PAPER, scenario.problem, scenario.hyper, seeds(1)[0])
    drawn = time.perf_counter() - started
    copied = settings.seconds(lambda: stack([replicate.examples.patches], settings.device))
    return {
        "what": "drawing on the CPU, then copying",
        "shape": {"n": scenario.hyper.n, "d": scenario.problem.d},
        "draw_ms": round(1e3 * drawn, 1),
        "copy_ms": round(1e3 * copied, 1),
    }


def suite(settings: Settings) -> Iterator[Result]:
    """The quick profile with four workers, on the device and on the CPU."""
    for device in dict.fromkeys((str(settings.device), "cpu")):
        left = settings.budget - settings.spent
        if left < 40:
            yield {"device": device, "skipped": "less than 40 s of the budget are left"}
            continue
        command = [sys.executable, "-m", "pytest", "-q", "-n", "4", "theory_checks/"]
        command += ["--theory-profile", "quick", "--theory-device", device]
        command += ["--theory-report", str(settings.out / f"report-{device.replace(':', '-')}")]
        started = time.perf_counter()
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=left)
        except subprocess.TimeoutExpired:
            yield {"device": device, "stopped_after_seconds": round(left)}
            continue
        yield {
            "device": device,
            "seconds": round(time.perf_counter() - started, 1),
            "status": done.returncode,
            "tail": done.stdout[-600:],
        }


PARTS: Mapping[str, Callable[[Settings], Iterator[Result]]] = {
    "correct": correct,
    "limits": limits,
    "syncs": syncs,
    "noise": noise,
    "profile": profile,
    "speed": speed,
    "suite": suite,
}
NEED_CUDA = ("limits", "syncs", "profile")


def measured(settings: Settings, parts: Sequence[str]) -> Iterator[Result]:
    """The results of the parts in order; a part that raises yields its error."""
    gpu = settings.device.type == "cuda"
    name = torch.cuda.get_device_name(settings.device) if gpu else None
    machine = {"torch": torch.__version__, "gpu": name, "cores": os.cpu_count()}
    yield {"part": "machine", "t": round(settings.spent, 1), **machine}
    for part in parts:
        try:
            if part in NEED_CUDA and not gpu:
                yield {"part": part, "skipped": "needs CUDA"}
                continue
            for result in PARTS[part](settings):
                yield {"part": part, "t": round(settings.spent, 1), **result}
        except Exception as error:  # whatever a part raises: the others say something all the same
            at = traceback.format_exc().splitlines()[-5:]
            yield {"part": part, "error": f"{type(error).__name__}: {error}"[:500], "at": at}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the parts and returns the exit status, as the text at the top says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--parts", nargs="+", choices=tuple(PARTS), default=list(PARTS), metavar="PART"
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=300,
        metavar="S",
        help="seconds for all parts (default: 300)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("device-out"),
        metavar="DIR",
        help="for the reports of suite",
    )
    parser.add_argument(
        "--device", default="cuda", metavar="DEVICE", help="cuda, cuda:1, ... or cpu"
    )
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("device.py: this machine has no CUDA device (--device cpu tests the script)")
        return 2
    torch.set_num_threads(1)
    failed = False
    settings = Settings(device, options.budget, options.out, time.perf_counter())
    for result in measured(settings, options.parts):
        print(json.dumps(result), flush=True)
        failed |= "error" in result or result.get("ok") is False
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
