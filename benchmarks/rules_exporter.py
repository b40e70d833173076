"""Ten targets of 10,000 counters each, in a process of its own that costs neither program anything."""

from __future__ import annotations

import multiprocessing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from threading import Thread
from typing import Any

from tests.integration.waiting import free_ports

TARGETS = 10
SERVICES = 100
PATHS = 100


def _body(target: int, paths: int, now: int) -> bytes:
    """`req_total` of every service and path; each counter grows by its own step at each scrape."""
    shard = f"t{target}"
    lines = [
        f'req_total{{service="s{service}",path="/p{path}",shard="{shard}"}} {now * (path % 7 + 1) + service}'
        for service in range(SERVICES)
        for path in range(paths)
    ]
    return ("# TYPE req_total counter\n" + "\n".join(lines) + "\n").encode()


def _serve(ports: list[int], paths: Synchronized[int], ready: Event) -> None:
    servers = [_server(target, port, paths) for target, port in enumerate(ports)]
    for server in servers[1:]:
        Thread(target=server.serve_forever, daemon=True).start()
    ready.set()
    servers[0].serve_forever()


def _server(target: int, port: int, paths: Synchronized[int]) -> ThreadingHTTPServer:
    scrapes = iter(range(1, 1 << 40))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = _body(target, paths.value // SERVICES // TARGETS, next(scrapes))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


class Exporter:
    """`series` counters on `targets` while the `with` block lasts."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self._series: Any = multiprocessing.Value("q", TARGETS * SERVICES * PATHS)
        self._process: multiprocessing.Process | None = None

    @property
    def series(self) -> int:
        return int(self._series.value)

    def double(self) -> None:
        """From the next scrape on there are twice as many."""
        self._series.value *= 2

    def __enter__(self) -> Exporter:
        ports, ready = free_ports(TARGETS), multiprocessing.Event()
        self.targets = [f"127.0.0.1:{port}" for port in ports]
        self._process = multiprocessing.Process(target=_serve, args=(ports, self._series, ready), daemon=True)
        self._process.start()
        ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.join(10)
