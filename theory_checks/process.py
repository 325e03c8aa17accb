"""How a process of the checks uses its core and its memory; to be set before NumPy and torch are imported."""

import ctypes
import os

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # parameters of glibc's mallopt


def tune_process() -> None:
    """One thread for each process, unless the user said otherwise, and no freed memory goes back to the system at once.

    Two threads in each of two workers run many times slower. Temporary tensors of some megabytes are made and freed all the time;
    to get each page of them anew from the system can cost more than to compute what is in it.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:  # other C libraries than glibc have none
        mallopt(MMAP_THRESHOLD, 2**25)
        mallopt(TRIM_THRESHOLD, 2**28)
