"""The embedded broker: one small binary that speaks Kafka's protocol, on a free port of the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from sentinel.errors import ConfigError, SourceError


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def embedded_broker(folder: Path) -> AsyncIterator[str]:
    """Runs a broker with its data in `folder`; gives its address.

    Raises:
        ConfigError: the `demo` extra is not installed.
        SourceError: the broker does not start.
    """
    if find_spec("noida_db") is None:
        raise ConfigError("the embedded broker is not installed", hint="pip install 'sentinel-monitor[demo]'")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        str(files("noida_db") / "noida-db"), "start", "--only", "kafka",
        "--kafka-port", str(port), "--data-dir", str(folder),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await _answering(port)
        yield f"127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()


async def _answering(port: int) -> None:
    for _ in range(100):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise SourceError("the embedded broker did not start within 10 s")
