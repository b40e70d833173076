"""`sentinel run` as a process of its own: configured, started, killed, restarted and read from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from .waiting import free_ports, wait_until

READY_SECONDS = 120.0
"""The first start of a fresh checkout compiles kernels."""


class Daemon:
    """One daemon with its files in `folder`: `sentinel.yml`, `rules/`, `data/`, `stderr.log`."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder = folder
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.program = [str(Path(sys.executable).with_name("sentinel"))]
        self.write("sentinel.yml", config)

    def write(self, name: str, content: Mapping[str, Any] | str) -> None:
        """Writes one of the daemon's files; a mapping as YAML."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(dict(content)))

    def launch(self) -> None:
        """Starts the process and waits for nothing."""
        assert self.process is None, "already running"
        command = [
            *self.program,
            "run",
            f"--config.file={self.folder / 'sentinel.yml'}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
        ]
        with (self.folder / "stderr.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def start(self) -> Daemon:
        """Starts the process; returns when `/-/ready` says so."""
        self.launch()
        wait_until(self.ready, timeout=READY_SECONDS, what="ready daemon", why=self.log)
        return self

    def ready(self) -> bool:
        self.must_run()
        return self.get("/-/ready")[0] == 200

    def must_run(self) -> None:
        """Fails with the daemon's last words if it has ended by itself."""
        assert self.process is not None
        assert self.process.poll() is None, f"sentinel ended with {self.process.returncode}\n{self.log()}"

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(60)
        self.process = None
        return status

    def __enter__(self) -> Daemon:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; status 0 while nothing answers."""
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, body: bytes = b"") -> tuple[int, str]:
        kind = {"Content-Type": "application/x-ndjson"}
        return self._ask(urllib.request.Request(self.url + path, data=body, headers=kind, method="POST"))

    def _ask(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """All samples of `/metrics` by name and labels."""
        status, text = self.get("/metrics")
        assert status == 200, f"/metrics answered {status}\n{self.log()}"
        families = text_string_to_metric_families(text)
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples that carry these labels; 0 if there is none."""
        wanted = labels.items()
        return sum(value for (n, found), value in self.metrics().items() if n == name and wanted <= found)

    def log(self) -> str:
        """The end of standard error."""
        return (self.folder / "stderr.log").read_text(errors="replace")[-6000:]

    def cpu_seconds(self) -> float:
        """User and system time that the process has used."""
        assert self.process is not None
        return cpu_seconds(self.process.pid)

    def peak_memory_mb(self) -> float:
        """The most that was resident at any time."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(peak) / 1024


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, from `/proc/PID/stat`."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
