"""An Alertmanager that a site has already: its configuration, and telling it what an outbox holds.

    alertmanagers:
      - url: http://alertmanager:9093
        http_config: {basic_auth: {username: sentinel, password_file: /run/secrets/alertmanager}}
        resend: 1m

As Prometheus does, what fires is sent again every `resend`, each time with an end that lies four times that
ahead: an Alertmanager never resolves by itself while we live, and does when we are gone.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from prometheus_client import Counter

from sentinel.clock import Clock
from sentinel.model import AlertEvent, Duration
from sentinel.notify.auth import HttpConfig, check_http
from sentinel.notify.caller import Attempt, Caller
from sentinel.notify.client import HttpClient
from sentinel.notify.outbox import Item, Outbox
from sentinel.notify.payload import rfc3339
from sentinel.telemetry import REGISTRY, logger

_LOG = logger("notify")
_PATH: Final = "/api/v2/alerts"
_HEADERS: Final = {"Content-Type": "application/json"}
_MOST_ALERTS, _MOST_BYTES = 256, 1 << 20
"""Of one request, but that a single alert may have more bytes."""
_REFUSALS: Final = frozenset({400, 413, 422})
"""Statuses that speak of a request's content: another content may be taken."""
_GENERATOR: Final = re.compile(r"https?://[^\s/?#]+(?:[/?#][!-~]*)?")
"""Of another form of it Alertmanager refuses the whole request: an alert is worth more than its link."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_LONGEST_WISH: Final = 300.0
"""A Retry-After beyond this is not believed: alerts would end meanwhile."""

FORWARDED: Final = Counter(
    "sentinel_forward_alerts_total",
    "Alerts that an Alertmanager took, repetitions included.",
    ["alertmanager"],
    registry=REGISTRY,
)
FORWARD_FAILED: Final = Counter(
    "sentinel_forward_failed_total",
    "Requests that an Alertmanager did not take.",
    ["alertmanager", "reason"],
    registry=REGISTRY,
)


class ForwardConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Alertmanager that every alert is forwarded to; its own routes decide what becomes of them.

    `url` is where its web interface lies, a path prefix included. `resend` is how often what fires is sent
    again: the Alertmanager resolves what it has not heard of for four times that.
    """

    url: str
    http_config: HttpConfig = HttpConfig()
    timeout: Duration = Duration(10_000)
    resend: Duration = Duration(60_000)

    def __post_init__(self) -> None:
        if problem := _problem(self.url):
            raise ValueError(problem)
        if self.timeout <= 0:
            raise ValueError("timeout must be above 0")
        if self.resend < 1000:
            raise ValueError("resend must be at least 1s")
        for path, message in check_http(self.http_config):
            raise ValueError(f"http_config.{'.'.join(map(str, path))}: {message}")

    @property
    def valid_ms(self) -> int:
        """How far ahead an end is set: a request that takes its whole time-out lets nothing run out."""
        return 4 * max(self.resend, self.timeout)

    @property
    def base(self) -> str:
        """The URL in the form that tells one Alertmanager from another."""
        return self.url.rstrip("/")

    @property
    def name(self) -> str:
        """`host:port`: what this Alertmanager is called in metrics and logs."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _problem(url: str) -> str:
    """What is wrong with an Alertmanager's URL, or nothing. Does not show it: it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "url is not a valid URL; write http://host:9093"
    if parts.username is not None or parts.password is not None:
        return "url must not hold a user or a password; write them into http_config.basic_auth"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "url must read http://host:9093 or https://host/prefix"
    if parts.query or parts.fragment:
        return "url must end with its path"
    if parts.path.rstrip("/").endswith(_PATH):
        return f"leave {_PATH} out of url: it is added"
    return ""


def alert_json(event: AlertEvent, open_end_ms: int) -> bytes:
    """One alert of a `POST /api/v2/alerts`; `open_end_ms` is the end of one that fires."""
    alert: dict[str, Any] = {
        "annotations": dict(sorted(event.annotations.items())),
        "endsAt": rfc3339(event.ends_at_ms if event.state == "resolved" else open_end_ms),
        "startsAt": rfc3339(event.starts_at_ms),
        "labels": event.labels.map,
    }
    if _GENERATOR.fullmatch(event.generator_url):
        alert["generatorURL"] = event.generator_url
    return msgspec.json.encode(alert)


Renew = Callable[[list[AlertEvent]], Awaitable[list[AlertEvent | None]]]
"""Events with the values and annotations that their alerts have now, one for each, in order. None: it is not
to be told again, for the alert that had resolved is pending."""
Part = list[tuple[Item, bytes]]
"""The alerts of one request, each with its JSON."""


class Alertmanager:
    """Empties an outbox into one Alertmanager, a request at a time.

    After a failure the next request carries half as many alerts, after a success twice as many: a request
    too large to be answered in time gets smaller, one bad alert holds up no other for long, and while an
    Alertmanager is away only few alerts have to be taken for told.
    """

    def __init__(
        self, config: ForwardConfig, client: HttpClient, clock: Clock, outbox: Outbox, renew: Renew
    ) -> None:
        self._config, self._clock, self._outbox, self._renew = config, clock, outbox, renew
        self._caller = Caller(client, config.http_config, clock)
        self._most, self._pause = _MOST_ALERTS, _FIRST_PAUSE
        self._longest_pause = min(_LONGEST_PAUSE, config.resend.seconds / 2)
        self._reason = ""
        self.not_before = 0.0
        self.failing_since: float | None = None
        """When the first failure was that no success followed, in the loop's time."""

    async def tell(self) -> bool:
        """Makes the requests that one batch takes; whether there was anything to tell, and leave to do so."""
        now = asyncio.get_running_loop().time()
        batch = await self._renewed(self._batch(now)) if now >= self.not_before else []
        parts = [batch] if batch else []
        while parts:
            part = parts.pop()
            body = b"[" + b",".join(encoded for _, encoded in part) + b"]"
            url, seconds = self._config.base + _PATH, self._config.timeout.seconds
            attempt = await self._caller.post(url, body, seconds, _HEADERS)
            if not attempt.reason:
                self._taken(part)
            elif attempt.status in _REFUSALS and len(part) > 1:  # find the one that is wrong
                parts += [part[len(part) // 2 :], part[: len(part) // 2]]
            elif attempt.status in _REFUSALS:
                self._refused(part[0][0], attempt)
            else:
                self._failed([part, *parts], attempt)
                break
        return bool(batch)

    def _batch(self, now: float) -> Part:
        """What is to be told next. What was refused before goes alone, or it would be refused with others."""
        part: Part = []
        open_end_ms, size = self._clock.now_ms() + self._config.valid_ms, 0
        while len(part) < self._most and size < _MOST_BYTES and (item := self._outbox.take(now)):
            part.append((item, alert_json(item.event, open_end_ms)))
            size += len(part[-1][1])
        if not part and (item := self._outbox.take_refused(now)):
            part.append((item, alert_json(item.event, open_end_ms)))
        return part

    async def _renewed(self, part: Part) -> Part:
        """The same, but what was told before says what is true now: values change while an alert fires."""
        old = [item for item, _ in part if item.due]
        if not old:
            return part
        open_end_ms, renewed = self._clock.now_ms() + self._config.valid_ms, dict[int, bytes]()
        for item, event in zip(old, await self._renew([item.event for item in old]), strict=True):
            if event is None:
                self._outbox.drop(item)
                continue
            item.event = event
            renewed[id(item)] = alert_json(event, open_end_ms)
        kept = ((item, renewed.get(id(item)) if item.due else encoded) for item, encoded in part)
        return [(item, encoded) for item, encoded in kept if encoded is not None]

    def _taken(self, part: Part) -> None:
        self._outbox.accepted(_items(part), asyncio.get_running_loop().time())
        FORWARDED.labels(self._config.name).inc(len(part))
        if self.failing_since is not None:
            _LOG.info("alertmanager_takes_alerts_again", alertmanager=self._config.name)
        self.failing_since, self._reason, self._pause = None, "", _FIRST_PAUSE
        self._most = min(self._most * 2, _MOST_ALERTS)

    def _refused(self, item: Item, attempt: Attempt) -> None:
        answer = attempt.body[:200].decode(errors="replace").strip()
        self._note("refused")
        _LOG.error(
            "alert_refused",
            alertmanager=self._config.name,
            alert=repr(item.event.labels),
            detail=attempt.detail,
            answer=answer,
        )
        self._outbox.refused(item, asyncio.get_running_loop().time())

    def _failed(self, parts: list[Part], attempt: Attempt) -> None:
        now = asyncio.get_running_loop().time()
        for part in parts:
            self._outbox.failed(_items(part), now)
        self._most = max(1, len(parts[0]) // 2)
        self._note(attempt.reason)
        if attempt.reason != self._reason:
            self._reason = attempt.reason
            _LOG.warning(
                "alertmanager_takes_no_alerts",
                alertmanager=self._config.name,
                reason=attempt.reason,
                detail=attempt.detail,
            )
        wait = max(self._pause * random.uniform(0.5, 1.0), min(attempt.wish_seconds, _LONGEST_WISH))
        self.not_before = now + wait
        self._pause = min(self._pause * 2, self._longest_pause)

    def _note(self, reason: str) -> None:
        FORWARD_FAILED.labels(self._config.name, reason).inc()
        if self.failing_since is None:
            self.failing_since = asyncio.get_running_loop().time()


def _items(part: Part) -> list[Item]:
    return [item for item, _ in part]
