"""A webhook receiver in a process of its own: notes when each alert arrived, and tells it when asked to end.

It says its address on the first line of standard output; a line on standard input ends it. Then it prints
[[status, host, seconds], ...] in order of arrival, by the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

Arrival = tuple[str, str, float]


async def main() -> None:
    arrivals: list[Arrival] = []

    async def take(request: web.Request) -> web.Response:
        now = time.monotonic()
        alerts = json.loads(await request.read())["alerts"]
        arrivals.extend((alert["status"], alert["labels"].get("host", ""), now) for alert in alerts)
        return web.Response()

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(arrivals))
    await runner.cleanup()


class Pager:
    """The receiver as those who start it see it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self._process, self.url = process, process.stdout.readline().strip()

    def end(self) -> list[Arrival]:
        out, _ = self._process.communicate("\n", timeout=60)
        return [(status, host, at) for status, host, at in json.loads(out)]


@contextmanager
def pager() -> Iterator[Pager]:
    command = [sys.executable, "-m", "benchmarks.pager"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, cwd=root, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield Pager(process)
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(main())
