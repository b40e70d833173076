"""Running one client over the topic: what it read, and what it took from its first samples to its last."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
PATIENCE_SECONDS = 900.0


class Run(NamedTuple):
    """One pass over the topic. The times are those of `counted` samples, all behind the warm-up."""

    samples: int
    total: float
    alerts: int
    counted: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float

    @property
    def rate(self) -> float:
        """Samples per CPU second."""
        return self.counted / self.cpu_seconds


class Peer(NamedTuple):
    """A program that keeps to the handshake of `benchmarks.peers.tally`."""

    name: str
    command: tuple[str, ...]
    variant: str = ""


def run_peer(peer: Peer, bootstrap: str, topic: str, samples: int) -> Run:
    """From the sample on that ends the warm-up. Fails with the program's last words if it does not finish."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PEER_VARIANT": peer.variant}
    with tempfile.TemporaryDirectory() as folder, Path(folder, "stderr").open("w+") as errors:
        given = {"bootstrap": bootstrap, "topic": topic, "samples": samples, "folder": f"{folder}/state"}
        command = [
            *peer.command,
            *(text for key, value in given.items() for text in (f"--{key}", str(value))),
        ]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
        with subprocess.Popen(command, text=True, cwd=folder, env=environment, **pipes) as process:  # type: ignore[call-overload]
            watchdog = threading.Timer(PATIENCE_SECONDS, process.kill)
            watchdog.start()
            try:
                return _follow(process, process.pid)
            except (AssertionError, BrokenPipeError) as problem:
                errors.seek(0)
                raise AssertionError(
                    f"{peer.name} did not finish: {problem}\n{errors.read()[-3000:]}"
                ) from None
            finally:
                watchdog.cancel()
                process.kill()


def _follow(process: subprocess.Popen[str], pid: int) -> Run:
    begin = _told(process)
    cpu, wall = tree_cpu_seconds(pid), time.monotonic()
    _go_on(process)
    end = _told(process)
    cpu, wall = tree_cpu_seconds(pid) - cpu, time.monotonic() - wall
    counted = int(end["samples"] - begin["samples"])
    return Run(int(end["samples"]), end["sum"], int(end["alerts"]), counted, cpu, wall, peak_mb(pid))


def _told(process: subprocess.Popen[str]) -> Mapping[str, float]:
    assert process.stdout
    for line in process.stdout:
        if line.startswith("bench:"):
            found: dict[str, float] = json.loads(line[6:])
            return found
    raise AssertionError(f"its output ended, status {process.poll()}")


def _go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def tree_cpu_seconds(pid: int) -> float:
    """User and system time of a process, its living children, and those it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for each in threads for child in (each / "children").read_text().split()]
    return own + sum(map(tree_cpu_seconds, children))


def peak_mb(pid: int) -> float:
    """The most that was resident at any time."""
    return _status_mb(pid, "VmHWM:")


def resident_mb(pid: int) -> float:
    return _status_mb(pid, "VmRSS:")


def _status_mb(pid: int, key: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = [line for line in status if line.startswith(key)]
    return int(line.split()[1]) / 1024
