"""How a process of the checks uses its core and its memory; to be set before NumPy and torch are
imported."""

import ctypes
import os

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
