"""How many threads libraries may use; to be imported before NumPy and torch are."""

import os


def one_thread() -> None:
    """One thread for each process, unless the user said otherwise: two threads in each of two workers run many times slower."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
