"""One POST to a machine that we go on calling: who we are, what came of it, and when to come again."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

from sentinel import __version__
from sentinel.clock import Clock
from sentinel.model import DeliveryReason
from sentinel.notify.auth import HttpConfig, auth_headers
from sentinel.notify.client import HttpClient, Response

_MOST_HOPS: Final = 10


class Attempt(msgspec.Struct, frozen=True):
    """What came of one POST. `status` 0: no answer. An empty `reason`: it was taken."""

    status: int
    reason: DeliveryReason = ""
    detail: str = ""
    body: bytes = b""
    wish_seconds: float = 0.0
    """How long the other side asks to be left alone (`Retry-After`)."""


class Caller:
    """POSTs with one `http_config`. Raises nothing that the outside world causes; shows no URL, no secret."""

    def __init__(self, client: HttpClient, http: HttpConfig, clock: Clock) -> None:
        self._client, self._http, self._clock = client, http, clock

    async def post(
        self, url: str, body: bytes, timeout_seconds: float, headers: Mapping[str, str] | None = None
    ) -> Attempt:
        """One attempt; `headers` are sent beside those that say who we are."""
        own = {"User-Agent": f"Sentinel/{__version__}"}
        try:
            own |= await auth_headers(self._http)
        except OSError as error:
            return Attempt(0, "auth", f"a secret's file: {error.strerror}")
        except ValueError:
            return Attempt(0, "auth", "a secret's file is no UTF-8 text")
        try:
            answer = await self._post(url, body, {**(headers or {}), **own}, timeout_seconds)
        except TimeoutError:
            return Attempt(0, "timeout", "no answer in time")
        except OSError as error:
            return Attempt(0, "network", str(error))
        except ValueError:
            return Attempt(0, "client", "redirected to what is no URL")
        return self._outcome(answer)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Response:
        answer = await self._client.post(url, body, headers, seconds)
        for _ in range(_MOST_HOPS):
            if answer.status not in (307, 308) or not self._http.follow_redirects:
                break
            target = urljoin(url, answer.headers.get("location", ""))
            if urlsplit(target)[:2] != urlsplit(url)[:2]:  # another host must not learn the secret
                headers = {name: text for name, text in headers.items() if name != "Authorization"}
            url = target
            answer = await self._client.post(url, body, headers, seconds)
        return answer

    def _outcome(self, answer: Response) -> Attempt:
        status = answer.status
        reason: DeliveryReason = "client"
        if 200 <= status < 300:
            reason = ""
        elif status == 429:
            reason = "rate_limited"
        elif status >= 500:
            reason = "server"
        elif status in (401, 403):
            reason = "auth"
        wish = self._seconds(answer.headers.get("retry-after", "")) if status >= 429 else 0.0
        return Attempt(status, reason, f"HTTP status {status}", answer.body, wish)

    def _seconds(self, text: str) -> float:
        """From now, of seconds or an HTTP date; 0 for none or nonsense."""
        if text.strip().isdecimal():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock.now_ms() / 1000)
        except (ValueError, OverflowError):
            return 0.0
