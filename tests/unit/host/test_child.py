"""A forked child: it sees the memory of its moment, changes nothing of ours, and outlives nobody."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sentinel.host.child import FORKS, Child, fork

pytestmark = pytest.mark.skipif(not FORKS, reason="this system has no fork that is safe with threads")

TO_STOP = sorted([signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
PARENT = """
import fcntl, os, sys, time
from sentinel.host.child import fork
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
child = fork(lambda: time.sleep(60) or b"")
print(child.pid, flush=True)
time.sleep(60)
"""


def asleep() -> bytes:
    time.sleep(60)
    return b""


def gone(pid: int) -> bool:
    """Whether the process has ended, be it that nobody has asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def within(seconds: float, pid: int) -> bool:
    until = time.monotonic() + seconds
    while not gone(pid) and time.monotonic() < until:
        time.sleep(0.005)
    return gone(pid)


def test_it_sees_the_memory_of_its_moment_and_changes_nothing_of_ours() -> None:
    held = [1]
    child = fork(lambda: bytes([held.pop(), len(held)]))
    held.append(2)
    assert child.answer(30) == bytes([1, 0])
    assert held == [1, 2]


def test_a_long_answer_arrives_whole() -> None:
    assert fork(lambda: b"x" * 1_000_000).answer(30) == b"x" * 1_000_000


def test_it_tells_how_it_ended() -> None:
    with pytest.raises(ChildProcessError, match="ended with status 1"):
        fork(lambda: bytes(1 // 0)).answer(30)
    child = fork(asleep)
    os.kill(child.pid, signal.SIGKILL)
    with pytest.raises(ChildProcessError, match="killed by signal 9"):
        child.answer(30)


def test_one_that_hangs_is_killed() -> None:
    child = fork(asleep)
    with pytest.raises(TimeoutError):
        child.answer(0.05)
    assert not Path(f"/proc/{child.pid}").exists()


def test_signals_are_for_the_parent() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    child = fork(lambda: bytes(sorted(signal.sigwait(TO_STOP) for _ in TO_STOP)))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    for number in TO_STOP:
        os.kill(child.pid, number)
    assert child.answer(30) == bytes(TO_STOP)


def test_a_connection_that_the_parent_closes_is_closed() -> None:
    here, there = socket.socketpair()
    child = fork(asleep)
    try:
        here.close()
        there.settimeout(5)
        assert there.recv(1) == b""
        assert not gone(child.pid)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        there.close()
    with pytest.raises(ChildProcessError):
        child.answer(30)


def test_nothing_stays_open_behind_it() -> None:
    before = set(Path("/proc/self/fd").iterdir())
    fork(lambda: b"").answer(30)
    with pytest.raises(ChildProcessError):
        fork(lambda: bytes(1 // 0)).answer(30)
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_it_ends_with_its_parent_and_holds_none_of_its_locks(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
        parent.wait(30)
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert within(5, pid)


def test_it_ends_with_the_thread_that_forked_it(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    children: list[Child] = []

    def work() -> bytes:
        begun.touch()
        return asleep()

    def forking() -> None:
        children.append(fork(work))
        while not begun.exists():
            time.sleep(0.005)

    thread = threading.Thread(target=forking)
    thread.start()
    thread.join()
    assert within(5, children[0].pid)
    with pytest.raises(ChildProcessError, match="signal 9"):
        children[0].answer(30)
