"""The daemon's HTTP side against strangers, broken clients and attackers, and with a new certificate."""

from __future__ import annotations

import json
import random
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zlib
from base64 import b64encode
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from ..unit.api.certificates import Authority
from .daemon import Daemon
from .waiting import wait_until

CONFIG = {"sources": [{"name": "push", "http": {}}]}
PASSWORD = "wonderland-4711"
LINE = b'{"name": "load", "value": 1}\n'


class Secured(Daemon):
    """A daemon with a web configuration, and the client that may talk to it."""

    tls: ssl.SSLContext | None = None
    authorization = ""

    def launch(self) -> None:
        command = [
            str(Path(sys.executable).with_name("sentinel")),
            "run",
            f"--config.file={self.folder / 'sentinel.yml'}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--web.config.file={self.folder / 'web.yml'}",
        ]
        with (self.folder / "stderr.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)

    def _ask(self, request: urllib.request.Request) -> tuple[int, str]:
        if self.authorization:
            request.add_header("Authorization", self.authorization)
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.tls) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""


def serial(daemon: Secured) -> str:
    assert daemon.tls is not None
    with (
        socket.create_connection(("127.0.0.1", daemon.port), timeout=5) as plain,
        daemon.tls.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return str((connection.getpeercert() or {})["serialNumber"])


def test_tls_with_a_password_and_a_new_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for name in ("server", "renewed"):
        authority.sign(name, "DNS:localhost", "IP:127.0.0.1")
    daemon = Secured(tmp_path, CONFIG)
    daemon.url = f"https://localhost:{daemon.port}"
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    files = {"cert_file": "server.crt", "key_file": "server.key"}
    daemon.write("web.yml", {"tls_server_config": files, "basic_auth_users": {"alice": hashed}})
    daemon.tls = authority.trusted()
    with daemon:  # ready without a password
        assert [daemon.get(path)[0] for path in ("/-/healthy", "/metrics", "/x")] == [200, 401, 401]
        assert [daemon.post(path, LINE)[0] for path in ("/api/v1/push", "/-/reload")] == [401, 401]
        daemon.authorization = "Basic " + b64encode(f"alice:{PASSWORD}".encode()).decode()
        assert daemon.post("/api/v1/push", LINE) == (202, '{"accepted": 1}')
        assert daemon.metric("sentinel_http_requests_refused_total", reason="authentication") == 4
        first = serial(daemon)
        for end in ("crt", "key"):
            shutil.copy(tmp_path / f"renewed.{end}", tmp_path / f"server.{end}")
        wait_until(lambda: serial(daemon) != first, timeout=10, what="new certificate", why=daemon.log)
        assert daemon.metric("sentinel_web_config_last_reload_successful") == 1
        assert PASSWORD not in daemon.log() and hashed not in daemon.log()
        assert "Traceback" not in daemon.log()


def test_a_wrong_web_configuration_ends_the_start_with_every_mistake(tmp_path: Path) -> None:
    daemon = Secured(tmp_path, CONFIG)
    users = {"alice": PASSWORD}
    daemon.write("web.yml", {"basic_auth_users": users, "tls_server_config": {"min_version": "TLS10"}})
    daemon.launch()
    assert daemon.process is not None and daemon.process.wait(120) == 1
    log = daemon.log()
    assert "web.yml:2:" in log and "not a bcrypt hash" in log and "TLS needs cert_file" in log
    assert PASSWORD not in log and "Traceback" not in log


def send(daemon: Daemon, data: bytes, wait: bool = True) -> bytes:
    """What comes back on a connection of its own; nothing if it is reset."""
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as connection:
        try:
            connection.sendall(data)
            return connection.recv(4096) if wait else b""
        except ConnectionError:
            return b""


def garbage(number: int) -> bytes:
    """A request that is none, of one of some kinds."""
    noise = random.Random(number).randbytes(300)
    head = b"POST /api/v1/push HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
    return [
        noise + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00" + noise + b"\r\n\r\n",
        b"GET /\x1b[31m HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAuthorization: Basic c2VjcmV0OnNlY3JldA==\0\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: %d\r\n" % (n, n) for n in range(2000)) + b"\r\n",
        head + b"Content-Length: 9999999999\r\n\r\n" + noise,
        head + b"Content-Length: -5\r\n\r\n",
        head + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        head + b"Content-Encoding: gzip\r\nContent-Length: 300\r\n\r\n" + noise,
        head + b"Content-Encoding: br\r\nContent-Length: 300\r\n\r\n" + noise,
    ][number % 11]


def test_garbage_is_answered_counted_and_hardly_logged(tmp_path: Path) -> None:
    with Daemon(tmp_path, CONFIG) as daemon:
        before, lines = daemon.peak_memory_mb(), len(daemon.log().splitlines())
        answers = Counter(send(daemon, garbage(number))[9:12] for number in range(550))
        assert set(answers) <= {b"400", b"413", b"415", b""}, answers
        assert answers[b"400"] > 300
        for number in range(50):  # cut off in the middle of a body
            send(daemon, garbage(6)[:-100].replace(b"9999999999", b"%d" % (1000 + number)), wait=False)
        assert daemon.post("/api/v1/push", LINE)[0] == 202
        assert daemon.metric("sentinel_http_bad_requests_total") >= 300
        assert daemon.metric("sentinel_http_errors_total") == 0
        log = daemon.log()
        assert len(log.splitlines()) - lines <= 3, log
        assert not any(sign in log for sign in ("Traceback", "c2VjcmV0", "\x1b"))
        assert daemon.peak_memory_mb() < before + 60


def test_a_thousand_idle_connections_lock_nobody_out(tmp_path: Path) -> None:
    with Daemon(tmp_path, CONFIG) as daemon, ExitStack() as stack:
        for number in range(900):  # below the 1,024 files that a test may have open
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", daemon.port), timeout=5))
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Slow: %d" % number)
            if number % 100 == 99:
                assert daemon.get("/-/healthy")[0] == 200
                assert daemon.post("/api/v1/push", LINE)[0] == 202
        assert daemon.metric("sentinel_http_requests_refused_total", reason="connections") >= 300
        assert len(daemon.log().splitlines()) < 12, daemon.log()


def bomb() -> bytes:
    """Half a gigabyte of `{}` lines in half a megabyte."""
    packer = zlib.compressobj(9, wbits=31)
    lines = b"{}\n" * (1 << 20)
    return b"".join(packer.compress(lines) for _ in range(170)) + packer.flush()


def test_bombs_take_no_memory_and_hold_nobody_up(tmp_path: Path) -> None:
    with Daemon(tmp_path, CONFIG) as daemon:
        before, packed = daemon.peak_memory_mb(), bomb()
        head = (
            "POST /api/v1/push HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
        )
        request = f"{head}Content-Length: {len(packed)}\r\n\r\n".encode() + packed
        answers: list[bytes] = []
        senders = [
            threading.Thread(target=lambda: answers.append(send(daemon, request)[9:12])) for _ in range(10)
        ]
        for sender in senders:
            sender.start()
        while any(sender.is_alive() for sender in senders):
            assert daemon.get("/-/healthy")[0] == 200
        assert answers == [b"413"] * 10
        assert daemon.peak_memory_mb() < before + 150
        assert daemon.post("/api/v1/push", LINE)[0] == 202


@pytest.mark.parametrize("limits", [{"body_bytes": 1}, {"in_flight_bytes": 2048}, {"body": 5}])
def test_wrong_limits_are_refused(limits: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "sentinel.yml").write_text(json.dumps({"sources": [{"name": "push", "http": limits}]}))
    command = [str(Path(sys.executable).with_name("sentinel")), "check", "config", "sentinel.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("sentinel.yml:1:"), done.stderr


def test_pushes_that_nobody_takes(tmp_path: Path) -> None:
    with Daemon(tmp_path, {"sources": []}) as daemon:
        status, answer = daemon.post("/api/v1/push", LINE)
        assert status == 403 and "to sources" in answer
        assert daemon.get("/api/v1/push")[0] == 405 and daemon.get("/nothing")[0] == 404
