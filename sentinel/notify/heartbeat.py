"""The heartbeat: a sign of life to somebody outside, who pages when it stays away.

    heartbeat:
      url: https://hc.example.net/ping/0c5f    # or url_file; called with POST and no body
      interval: 1m

It is sent only while the daemon is healthy, so it also tells of one that runs and does nothing.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from prometheus_client import Counter, Gauge

from sentinel.clock import Clock
from sentinel.model import Duration, Secret
from sentinel.notify.auth import HttpConfig, check_http, read_secret
from sentinel.notify.caller import Attempt, Caller
from sentinel.notify.client import HttpClient, is_http_url, redact
from sentinel.telemetry import REGISTRY, logger

_LOG = logger("notify")
_FIRST_PAUSE: Final = 1.0

HEARTBEATS: Final = Counter("sentinel_heartbeat_total", "Heartbeats that were taken.", registry=REGISTRY)
HEARTBEATS_FAILED: Final = Counter(
    "sentinel_heartbeat_failed_total", "Attempts at a heartbeat that failed.", ["reason"], registry=REGISTRY
)
HEARTBEAT_LAST: Final = Gauge(
    "sentinel_heartbeat_last_success_timestamp_seconds",
    "When the last heartbeat was taken.",
    registry=REGISTRY,
)


class HeartbeatConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A URL that is called every `interval` while this daemon is healthy. It is a secret: whoever knows it
    can call it in our place. A `timeout` of 0 is ten seconds, or the interval if that is shorter.
    """

    url: Secret = Secret("")
    url_file: str = ""
    interval: Duration = Duration(60_000)
    timeout: Duration = Duration(0)
    http_config: HttpConfig = HttpConfig()

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.url_file):
            raise ValueError("give exactly one of url and url_file")
        if self.url and not is_http_url(self.url.reveal()):
            raise ValueError("url must read http://host/... or https://host/...")
        if self.interval < 1000:
            raise ValueError("interval must be at least 1s")
        if not 0 <= self.timeout <= self.interval:
            raise ValueError(f"timeout must be at most the interval, {self.interval}")
        for path, message in check_http(self.http_config):
            raise ValueError(f"http_config.{'.'.join(map(str, path))}: {message}")

    @property
    def patience(self) -> Duration:
        """The time-out: ten seconds, or the interval if that is shorter, unless told otherwise."""
        return self.timeout or min(Duration(10_000), self.interval)


class Heartbeat:
    """`healthy` says why the daemon is not healthy, or nothing; no answer in time is a reason too."""

    def __init__(
        self, config: HeartbeatConfig, client: HttpClient, clock: Clock, healthy: Callable[[], Awaitable[str]]
    ) -> None:
        self._config, self._clock, self._healthy = config, clock, healthy
        self._caller = Caller(client, config.http_config, clock)
        self._held_back = self._failing = ""

    async def run(self) -> None:
        """Until cancelled. A URL that fails is tried again within the interval."""
        loop = asyncio.get_running_loop()
        tick = loop.time()
        while True:
            tick = max(tick + self._config.interval.seconds, loop.time())
            pause = _FIRST_PAUSE
            while not await self._beat(tick) and loop.time() + pause < tick:
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))
                pause *= 2
            await asyncio.sleep(tick - loop.time())

    async def _beat(self, tick: float) -> bool:
        """Whether this interval, which ends at `tick`, needs no further attempt."""
        problem = await self._problem()
        if problem != self._held_back:
            log = _LOG.error if problem else _LOG.info
            log("heartbeat_held_back" if problem else "heartbeat_goes_on", problem=problem)
        self._held_back = problem
        if problem:
            return True
        left = max(tick - asyncio.get_running_loop().time(), _FIRST_PAUSE)
        attempt = await self._call(min(self._config.patience.seconds, left))
        self._note(attempt)
        return not attempt.reason

    async def _problem(self) -> str:
        try:
            async with asyncio.timeout(self._config.patience.seconds):
                return await self._healthy()
        except TimeoutError:
            return f"no word from the engine within {self._config.patience}"

    async def _call(self, seconds: float) -> Attempt:
        try:
            url = await read_secret(self._config.url, self._config.url_file)
        except (OSError, ValueError):
            return Attempt(0, "auth", "url_file cannot be read")
        if not is_http_url(url):
            return Attempt(
                0, "client", "what url_file holds does not read http://host/... or https://host/..."
            )
        attempt = await self._caller.post(url, b"", seconds)
        return msgspec.structs.replace(attempt, detail=f"{redact(url)}: {attempt.detail}")

    def _note(self, attempt: Attempt) -> None:
        if not attempt.reason:
            HEARTBEATS.inc()
            HEARTBEAT_LAST.set(self._clock.now_ms() / 1000)
            if self._failing:
                _LOG.info("heartbeat_taken_again")
        else:
            HEARTBEATS_FAILED.labels(attempt.reason).inc()
            if attempt.reason != self._failing:
                _LOG.warning("heartbeat_failed", reason=attempt.reason, detail=attempt.detail)
        self._failing = attempt.reason
