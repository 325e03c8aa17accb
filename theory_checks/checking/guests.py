"""Code of the user as a guest in this process: what its import may change is put back, and whatever
it raises is told in one line.

Imports the standard library only: the controller of parallel runs reads it.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

MOST_SHOWN = 300  # characters of a message
MOST_LINES = 12  # of a traceback
# What Python itself does not show by default, except of a script.
SILENT = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


class Ended(Exception):
    """Code under test raised, or tried to end the program or the test (sys.exit, pytest.skip, a
    timeout), which is an error of the code like others. The text says all."""


def reason(error: BaseException) -> str:
    """What went wrong, in one line: the type and the message."""
    try:
        said = " ".join(str(error).split())
    except Exception:  # of what cannot even be shown
        said = ""
    if isinstance(error, Ended):
        return said
    shown = said if len(said) <= MOST_SHOWN else f"{said[: MOST_SHOWN - 3]}..."
    named = f"{type(error).__name__}: {shown}" if shown else type(error).__name__
    return f"{named} (it tries to end the program)" if isinstance(error, SystemExit) else named


def lines_from(function: Callable[..., object], error: BaseException) -> list[str]:
    """Where the error was raised: the lines of the function and of what it called. The frames
    before them, of pytest and Hypothesis, and those of this package's checker say nothing about
    it."""
    causes = [error, error.__cause__] if isinstance(error, Ended) else [error]
    frames = [frame for e in causes if e for frame in traceback.extract_tb(e.__traceback__)]
    begins = [frame.name == getattr(function, "__name__", None) for frame in frames]
    lines = [
        f"  {frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}"
        for frame in frames[begins.index(True) if any(begins) else 0 :]
        if Path(frame.filename).parent != Path(__file__).parent
    ]
    if len(lines) > MOST_LINES:
        left_out = f"  ... {len(lines) - MOST_LINES} lines ..."
        lines[MOST_LINES // 2 : -MOST_LINES // 2] = [left_out]
    return lines


def imported(name: str) -> ModuleType:
    """The module of this name. Raises ImportError, which says in one line why there is none."""
    with hosted():
        try:
            return importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit and pytest.skip among them
            raise ImportError(reason(error)) from error


@contextlib.contextmanager
def hosted() -> Iterator[None]:
    """Puts back what the block changes of this process: the current directory, the standard
    streams, the arguments, the answer to Ctrl-C. Its warnings are no errors, whatever the filters
    are. If it forks, the other process ends with the block: it would check everything again and
    write to the same report."""
    process, directory = os.getpid(), os.getcwd()
    streams, arguments = (sys.stdin, sys.stdout, sys.stderr), sys.argv[:]
    main = threading.current_thread() is threading.main_thread()
    interrupted = signal.getsignal(signal.SIGINT) if main else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            for category in SILENT:
                warnings.simplefilter("ignore", category)
            yield
    finally:
        if os.getpid() != process:
            os._exit(0)
        os.chdir(directory)
        (sys.stdin, sys.stdout, sys.stderr), sys.argv = streams, arguments
        if interrupted is not None:
            signal.signal(signal.SIGINT, interrupted)
