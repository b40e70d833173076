"""Work in a child process: it has this process's memory as it is now, and whatever it does there stays there.

The child holds nothing open but its answer, ends with the thread that forked it, and is the first to go
when memory runs out. Of this process's threads only the forking one lives on in it, so a lock that another
one held stays locked for ever: `work` must stay away from logs, metrics and the event loop, and compile no
kernel.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

FORKS: Final = sys.platform == "linux"
"""Elsewhere a fork in a process with threads, or the death of a child with its parent, is not to be had."""
_PR_SET_PDEATHSIG: Final = 1
_NICER: Final = 5
"""A page goes out before a snapshot does."""


class Child:
    """One child at work."""

    def __init__(self, pid: int, answers: int) -> None:
        self.pid, self._answers = pid, answers

    def answer(self, patience_seconds: float) -> bytes:
        """What `work` gave, waited for so long; to be asked for once.

        Raises:
            ChildProcessError: it ended without, and how.
            TimeoutError: it had to be killed.
        """
        until = time.monotonic() + patience_seconds
        found = bytearray()
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._answers, selectors.EVENT_READ)
                while selector.select(max(until - time.monotonic(), 0)):
                    piece = os.read(self._answers, 65_536)
                    if not piece:
                        return self._ended(bytes(found))
                    found += piece
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise TimeoutError(f"it was not done within {patience_seconds:.0f} s")
        finally:
            os.close(self._answers)

    def _ended(self, found: bytes) -> bytes:
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
            raise ChildProcessError(f"the process at work on it {how}")
        return found


def fork(work: Callable[[], bytes]) -> Child:
    """A child that does `work`; OSError where there can be none."""
    if not FORKS:
        raise OSError("no fork on this system")
    libc, parent = ctypes.CDLL(None), os.getpid()
    answers, answering = os.pipe()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # in the child for good
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            pid = os.fork()
        if not pid:
            _live(work, answering, parent, libc)
    except OSError:
        os.close(answers)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        os.close(answering)
    return Child(pid, answers)


def _live(work: Callable[[], bytes], answering: int, parent: int, libc: ctypes.CDLL) -> NoReturn:
    """The child's whole life. Nothing of the parent's is tidied up behind it."""
    status = 1
    try:
        gc.disable()  # a collection writes to every object, and so copies the page it lies on
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        _let_go(answering)
        os.nice(_NICER)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        if os.getppid() == parent:  # else it died before its death was a signal to us
            rest = memoryview(work())
            while rest:
                rest = rest[os.write(answering, rest) :]
            status = 0
    finally:
        os._exit(status)


def _let_go(answering: int) -> None:
    """A socket that the parent closes would otherwise stay open to its peer as long as the child lives."""
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        if descriptor > 2 and descriptor != answering:
            with contextlib.suppress(OSError):
                os.close(descriptor)
