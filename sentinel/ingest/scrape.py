"""Scraping targets over HTTP, as Prometheus does: one loop per target, at times that do not drift."""

from __future__ import annotations

import asyncio
import base64
import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import aiohttp
import msgspec

from sentinel.clock import Clock, SystemClock
from sentinel.ingest.scrape_config import ScrapeConfig
from sentinel.ingest.source import FAILURES, PartitionStatus, Sink
from sentinel.model import Labels, Payloads, payload_of
from sentinel.telemetry import logger

ACCEPT: Final = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
SNAP_MS: Final = 2
"""A scrape that starts this close to its time carries that time: even distances compress and rate better."""
REPORT: Final = " scrape"
"""Ends the name of the partition that carries what we ourselves say about a target."""


class ScrapeSource:
    """Each scrape gives two payloads: the exposition in the partition `host:port`, and `up` with its kin.

    A failed scrape gives an empty exposition, so that whoever keeps track of a partition's series sees all
    of them missing. `check` says why an exposition will be refused, so that `up` tells the truth about it.
    """

    def __init__(
        self,
        name: str,
        config: ScrapeConfig,
        sink: Sink,
        *,
        check: Callable[[Payloads], str] = lambda payloads: "",
        clock: Clock | None = None,
    ) -> None:
        self.name, self.assigned = name, False
        self._check = check
        self._config, self._sink, self._clock = config, sink, clock or SystemClock()
        self._logger = logger("ingest").bind(source=name)
        self._down: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        timeout = aiohttp.ClientTimeout(total=self._config.timeout_seconds)
        connector = aiohttp.TCPConnector(limit=0)  # one connection a target, however many there are
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as loops,
        ):
            self.assigned = True
            for target in self._config.targets:
                loops.create_task(self._scrape_for_ever(session, target))

    def partitions(self) -> Mapping[str, PartitionStatus]:
        return {}

    def connected(self, now_ms: int) -> bool:
        """Always: a target that is down is an observation, not a gap."""
        return self.assigned

    async def _scrape_for_ever(self, session: aiohttp.ClientSession, target: str) -> None:
        interval = int(self._config.interval)
        offset = offset_ms(self.name, target, interval)
        while True:
            now_ms = self._clock.now_ms()
            due_ms = next_time(now_ms, interval, offset)
            await asyncio.sleep((due_ms - now_ms) / 1000)
            now_ms = self._clock.now_ms()
            start_ms = due_ms if abs(now_ms - due_ms) <= SNAP_MS else now_ms
            await self._scrape_once(session, target, start_ms)

    async def _scrape_once(self, session: aiohttp.ClientSession, target: str, start_ms: int) -> None:
        began = time.perf_counter()
        body, error, samples = b"", "", 0
        try:
            body = await self._fetch(session, target)
            payloads = self._payloads(target, target, body, start_ms)
            refusal, samples = await asyncio.to_thread(lambda: (self._check(payloads), count_samples(body)))
            error = f"the exposition is refused: {refusal}" if refusal else ""
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as failure:
            error = str(failure) or type(failure).__name__
        if error:
            FAILURES.labels(self.name, "scrape").inc()
        self._tell(target, error)
        seconds = time.perf_counter() - began
        report = (
            f"# TYPE up gauge\nup {int(not error)}\n"
            f"# TYPE scrape_duration_seconds gauge\nscrape_duration_seconds {seconds:.9f}\n"
            f"# TYPE scrape_samples_scraped gauge\nscrape_samples_scraped {samples}\n"
        )
        await self._sink.put(self._payloads(target, target, body, start_ms))
        await self._sink.put(self._payloads(target, target + REPORT, report.encode(), start_ms))

    def _payloads(self, target: str, partition: str, body: bytes, start_ms: int) -> Payloads:
        labels = Labels({"job": self.name, "instance": target, **self._config.labels})
        payloads = payload_of(self.name, "openmetrics", body, arrival_ms=start_ms, target=labels)
        return msgspec.structs.replace(payloads, partition=partition)

    async def _fetch(self, session: aiohttp.ClientSession, target: str) -> bytes:
        """The exposition. Raises ClientError, TimeoutError, OSError, ValueError."""
        config = self._config
        headers = {
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip",
            "User-Agent": "Sentinel",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{config.timeout_seconds:g}",
            **await asyncio.to_thread(_authorization, config),
        }
        url = f"{config.scheme}://{target}{config.metrics_path}"
        async with session.get(url, headers=headers) as response:
            if response.status != 200:
                raise ValueError(f"the target answered {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > config.body_size_limit:
                    raise ValueError(
                        f"the exposition exceeds body_size_limit ({config.body_size_limit} bytes)"
                    )
            return bytes(body)

    def _tell(self, target: str, error: str) -> None:
        """Logs changes, not every scrape."""
        if error and target not in self._down:
            self._logger.warning("scrape failed", target=target, error=error)
        elif not error and target in self._down:
            self._logger.info("scrape works again", target=target)
        (self._down.add if error else self._down.discard)(target)


def _authorization(config: ScrapeConfig) -> dict[str, str]:
    """The header, its secret read anew from its file each time: tokens rotate. Raises OSError, ValueError."""
    if config.bearer_token_file:
        return {
            "Authorization": f"Bearer {Path(config.bearer_token_file).read_text(encoding='utf-8').strip()}"
        }
    auth = config.basic_auth
    if auth is None:
        return {}
    password = auth.password.reveal()
    if auth.password_file:
        password = Path(auth.password_file).read_text(encoding="utf-8").strip()
    return {"Authorization": "Basic " + base64.b64encode(f"{auth.username}:{password}".encode()).decode()}


def offset_ms(job: str, target: str, interval_ms: int) -> int:
    """Where in the interval a target is scraped: spread evenly, and the same after every restart."""
    return Labels({"job": job, "instance": target}).fingerprint % interval_ms


def next_time(now_ms: int, interval_ms: int, offset: int) -> int:
    """The first `k * interval + offset` after now."""
    return now_ms - (now_ms - offset) % interval_ms + interval_ms


def count_samples(body: bytes) -> int:
    """Lines of an exposition that carry a sample. Line by line: a list of them takes several times `body`."""
    lines = map(bytes.lstrip, io.BytesIO(body))
    return sum(1 for line in lines if line and not line.startswith(b"#"))
