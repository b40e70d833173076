"""A real Prometheus as a process of its own, that scrapes nothing and takes remote write."""

from __future__ import annotations

import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

from tests.integration.waiting import free_ports, wait_until


def program() -> str | None:
    """Where Prometheus is: what `$SENTINEL_PROMETHEUS` says, else what the path has."""
    return os.environ.get("SENTINEL_PROMETHEUS") or shutil.which("prometheus")


def is_modern(path: str) -> bool:
    """Whether it is Prometheus 3, which takes ranges open on the left as Sentinel does."""
    shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    text = shown.stdout + shown.stderr
    return "version 3." in text or "version 0.3" in text


class Prometheus:
    """One Prometheus with its files in `folder`."""

    def __init__(self, path: str, folder: Path) -> None:
        self.folder = folder
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "prometheus.yml").write_text("global: {evaluation_interval: 1m}\n")
        self.command = [
            path,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
        ]

    def __enter__(self) -> Prometheus:
        with (self.folder / "prometheus.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        try:
            wait_until(self._ready, timeout=60, what="ready Prometheus", why=self._log)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)

    def _ready(self) -> bool:
        assert self.process is not None and self.process.poll() is None, self._log()
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _log(self) -> str:
        return (self.folder / "prometheus.log").read_text(errors="replace")[-3000:]
