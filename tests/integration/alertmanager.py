"""A real Alertmanager on the loopback: started, asked what it believes, killed, started with nothing."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import bcrypt

from .waiting import free_ports, wait_until

BINARIES = ("alertmanager", "prometheus-alertmanager")
USER, PASSWORD = "sentinel", "s3cret"


class AlertmanagerUnavailableError(Exception):
    """There is no Alertmanager on this machine."""


def binary() -> str:
    """Its path. Raises AlertmanagerUnavailableError with what to do."""
    for name in BINARIES:
        if found := shutil.which(name):
            return found
    raise AlertmanagerUnavailableError(f"none of {', '.join(BINARIES)} is on the PATH; install one of them")


class Alertmanager:
    """One process in `folder`, always on the same port; with `secured` it asks for a password."""

    def __init__(self, folder: Path, *, secured: bool = False, prefix: str = "") -> None:
        self._binary, self._folder = binary(), folder
        self._port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self._port}{prefix}"
        folder.mkdir()
        config = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
        (folder / "alertmanager.yml").write_text(json.dumps(config))
        self._options = [
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            f"--web.route-prefix={prefix or '/'}",
            "--cluster.listen-address=",
        ]
        self._headers = {}
        if secured:
            hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
            (folder / "web.yml").write_text(json.dumps({"basic_auth_users": {USER: hashed}}))
            self._options.append(f"--web.config.file={folder / 'web.yml'}")
            word = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            self._headers["Authorization"] = f"Basic {word}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([self._binary, *self._options], stdout=log, stderr=log)
        wait_until(self._ready, timeout=20, what="Alertmanager that is ready", why=self.log)

    def kill(self) -> None:
        """At once; what it knew of alerts is gone, for it keeps that nowhere."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def pause(self) -> None:
        """Takes connections, answers none."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def active(self) -> dict[str, dict[str, Any]]:
        """What it holds as firing, by alertname."""
        with self._get("/api/v2/alerts") as answer:
            return {alert["labels"]["alertname"]: alert for alert in json.load(answer)}

    def log(self) -> str:
        return (self._folder / "log").read_text()[-2000:]

    def _ready(self) -> bool:
        try:
            self._get("/-/ready").close()
        except OSError:
            return False
        return True

    def _get(self, path: str) -> Any:
        request = urllib.request.Request(self.url + path, headers=self._headers)
        return urllib.request.urlopen(request, timeout=5)
