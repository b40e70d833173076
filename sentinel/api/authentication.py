"""Who may ask: basic authentication against bcrypt hashes, clients' certificates, and the rate limit."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from secrets import token_bytes
from typing import Final

import bcrypt
from aiohttp import web
from prometheus_client import Counter

from sentinel.api.tls import alternative_names
from sentinel.api.web_config import RateLimit, WebConfig
from sentinel.model import Secret
from sentinel.telemetry import REGISTRY

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN_PATHS: Final = frozenset(["/-/healthy", "/-/ready"])
"""Asked by orchestrators, which send no password."""
MOST_REMEMBERED: Final = 1024
MOST_WAITING: Final = 32
BCRYPT_BYTES: Final = 72
"""bcrypt looks at no more of a password."""
REFUSED = Counter(
    "sentinel_http_requests_refused_total",
    "HTTP requests turned away: authentication, certificate, rate_limit, or too many at once (busy).",
    ["reason"],
    registry=REGISTRY,
)


class BusyError(Exception):
    """Too many passwords are being checked."""


class Passwords:
    """Checks passwords, one at a time and on another thread: each costs some 50 ms by design.

    Answers are remembered under a keyed hash, so that a scrape costs nothing from its second time on. Wrong
    ones are remembered apart: no number of them makes a right one forgotten.
    """

    def __init__(self) -> None:
        self._key = token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._turn, self._waiting = asyncio.Lock(), 0

    async def right(self, users: Mapping[str, Secret], name: str, password: bytes) -> bool:
        """Whether it is the user's. An unknown user costs as much as a known one. Raises BusyError."""
        matches = await self._matches(self._hash_for(users, name), name, password)
        return matches and name in users

    async def _matches(self, hashed: bytes, name: str, password: bytes) -> bool:
        asked = self._digest(hashed, name.encode(), password)
        known = self._remembered(asked)
        if known is not None:
            return known
        if self._waiting >= MOST_WAITING:
            raise BusyError
        self._waiting += 1
        try:
            async with self._turn:
                known = self._remembered(asked)  # others may have asked the same meanwhile
                if known is None:
                    known = await asyncio.to_thread(bcrypt.checkpw, password[:BCRYPT_BYTES], hashed)
                    _remember(self._right if known else self._wrong, asked)
                return known
        finally:
            self._waiting -= 1

    def _hash_for(self, users: Mapping[str, Secret], name: str) -> bytes:
        """The user's hash; for an unknown user somebody else's, always the same one's."""
        names = sorted(users)
        if name not in users:
            name = names[int.from_bytes(self._digest(name.encode())) % len(names)]
        return users[name].reveal().encode()

    def _digest(self, *parts: bytes) -> bytes:
        digest = blake2b(key=self._key)
        for part in parts:
            digest.update(len(part).to_bytes(8) + part)
        return digest.digest()

    def _remembered(self, asked: bytes) -> bool | None:
        for answers, answer in ((self._right, True), (self._wrong, False)):
            if asked in answers:
                answers.move_to_end(asked)
                return answer
        return None


def _remember(answers: OrderedDict[bytes, None], asked: bytes) -> None:
    answers[asked] = None
    if len(answers) > MOST_REMEMBERED:
        answers.popitem(last=False)


_ROUNDING: Final = 1e-9


class Tokens:
    """A token bucket, kept as the time at which it was last empty."""

    def __init__(self) -> None:
        self._empty_at = 0.0

    def take(self, limit: RateLimit, now_seconds: float) -> bool:
        """Whether there was a token. `now_seconds` never runs backwards."""
        each = limit.interval.seconds
        empty_at = max(self._empty_at, now_seconds - each * limit.burst)
        if each and empty_at + each > now_seconds + _ROUNDING:
            return False
        self._empty_at = empty_at + each
        return True


class Guard:
    """The middleware that turns away; `current` gives the configuration of the moment."""

    def __init__(self, current: Callable[[], WebConfig]) -> None:
        self._current, self._passwords, self._tokens = current, Passwords(), Tokens()

    @web.middleware
    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        config = self._current()
        if config.allowed_sans and not config.allowed_sans & _names_of_client(request):
            REFUSED.labels("certificate").inc()
            raise web.HTTPForbidden(text="client_allowed_sans allows no name of this certificate\n")
        if request.path in OPEN_PATHS:
            return await handler(request)
        if not self._tokens.take(config.rate_limit, time.monotonic()):
            REFUSED.labels("rate_limit").inc()
            raise web.HTTPTooManyRequests(text="rate_limit is exceeded\n", headers={"Retry-After": "1"})
        if config.users and not await self._knows(config, request.headers.get("Authorization", "")):
            REFUSED.labels("authentication").inc()
            challenge = {"WWW-Authenticate": 'Basic realm="sentinel", charset="UTF-8"'}
            raise web.HTTPUnauthorized(text="a user and password are needed\n", headers=challenge)
        return await handler(request)

    async def _knows(self, config: WebConfig, header: str) -> bool:
        name, password = credentials(header)
        if not name:
            return False
        try:
            return await self._passwords.right(config.users, name, password)
        except BusyError:
            REFUSED.labels("busy").inc()
            text = "too many passwords are being checked\n"
            raise web.HTTPServiceUnavailable(text=text, headers={"Retry-After": "5"}) from None


def credentials(header: str) -> tuple[str, bytes]:
    """Name and password of `Authorization: Basic ...`; an empty name for anything else."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", b""
    try:
        name, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode() if colon else ""), password
    except ValueError:
        return "", b""


def _names_of_client(request: web.Request) -> set[str]:
    """What a certificate that was verified says of its owner."""
    certificate = request.get_extra_info("peercert")
    return alternative_names(certificate) if certificate else set()
