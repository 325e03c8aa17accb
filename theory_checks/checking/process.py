"""How a process of the checks uses its core and its memory, and where it finds what it imports: to
be settled before NumPy and torch are imported."""

import ctypes
import importlib.util
import multiprocessing.process
import os
import sys
import threading
from pathlib import Path

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of glibc's mallopt


def tune_process() -> None:
    """One thread for each process, freed memory kept and large pages for large tensors, unless the
    user said otherwise.

    Two threads in each of two workers run many times slower. Temporary tensors of some megabytes
    are made and freed all the time; to get each page of them anew from the system can cost more
    than to compute what is in it. What is freed up to 32 MiB is kept; glibc keeps nothing larger,
    so that torch asks Linux for such tensors (n d numbers at d = 4096) in pages of 2 MiB, not 4
    KiB.
    """
    for variable in (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "THP_MEM_ALLOC_ENABLE",
    ):
        os.environ.setdefault(variable, "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:  # other C libraries than glibc have none
        mallopt(MMAP_THRESHOLD, 2**25)
        mallopt(TRIM_THRESHOLD, 2**28)


def begin_worker() -> None:
    """Settles a process that another one waits for: as `tune_process`, and it ends with the other.

    A pool cannot tell its processes that it was killed: they would wait for work for ever.
    """
    tune_process()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(process: multiprocessing.process.BaseProcess) -> None:
    process.join()
    os._exit(1)


def find_modules_in(directory: Path) -> None:
    """Lets modules that lie there be imported, after all others. Raises ValueError, which names
    both paths, if `core` is or might be another package than the one beside `theory_checks`, and if
    this Python has no docstrings."""
    require_docstrings()
    require_own_core(directory)
    if str(directory) not in sys.path:
        sys.path.append(str(directory))


def require_docstrings() -> None:
    """Raises ValueError if this Python has none: they state the claims."""
    if sys.flags.optimize > 1:
        raise ValueError("python -OO removes docstrings, which state the claims; leave it out")


def require_own_core(directory: Path | None = None) -> None:
    """Raises ValueError, which names both paths, if `core` is another package than the one beside
    `theory_checks`, or if another `core` lies in the directory."""
    ours = Path(__file__).resolve().parents[2] / "core"
    spec = importlib.util.find_spec("core")
    places = (
        [Path(p) for p in spec.submodule_search_locations or [spec.origin or ""]] if spec else []
    )
    if directory is not None:
        places += [p for p in (directory / "core", directory / "core.py") if p.suffix or p.is_dir()]
    for place in places:
        if place.exists() and not place.samefile(ours):
            raise ValueError(
                f"{place} is not the package `core` of theory_checks, which is {ours}: two cannot"
                " be imported under one name; rename yours, or run from another folder"
            )
