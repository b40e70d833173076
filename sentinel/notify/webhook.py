"""The webhook receiver: Alertmanager's `webhook_configs`, its body version 4, and Standard Webhooks' id.

    webhook_configs:
      - url: https://hooks.example.net/sentinel    # or url_file
        send_resolved: true
        max_alerts: 0                              # 0 = all
        timeout: 10s                               # 0 = 30 s
        http_config: {authorization: {credentials_file: /run/secrets/hook}}

The header `webhook-id` is the same on every retry of a notice, so that a receiver can drop what it has.
The User-Agent is Sentinel's own: a receiver's log should say who called, and nothing keys on Alertmanager's,
which changes with its every release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import ClassVar, Final
from urllib.parse import urljoin, urlsplit

import msgspec

from sentinel import __version__
from sentinel.clock import Clock
from sentinel.model import Delivery, Duration, Notification, Secret
from sentinel.notify.auth import HttpConfig, Problem, auth_headers, check_http, read_secret
from sentinel.notify.client import HttpClient, Response, is_http_url, redact
from sentinel.notify.payload import webhook_body

DEFAULT_TIMEOUT_SECONDS: Final = 30.0
_MOST_HOPS: Final = 10


class WebhookConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of `webhook_configs`. The URL is a secret: many receivers put a token into it."""

    url: Secret = Secret("")
    url_file: str = ""
    send_resolved: bool = True
    max_alerts: int = 0
    timeout: Duration = Duration(0)
    http_config: HttpConfig = HttpConfig()


def check_webhook(config: WebhookConfig) -> Iterator[Problem]:
    """(path, message) of every mistake; none shows the URL."""
    if bool(config.url) == bool(config.url_file):
        yield ("url",), "give exactly one of url and url_file"
    url = config.url.reveal()
    if "{{" in url:
        yield ("url",), "templates in a webhook's url are not supported"
    elif url and not is_http_url(url):
        yield ("url",), "a webhook's url must read http://host/... or https://host/..."
    if config.max_alerts < 0:
        yield ("max_alerts",), "max_alerts cannot be negative; 0 means all"
    for path, message in check_http(config.http_config):
        yield ("http_config", *path), message


class WebhookReceiver:
    """Sends notifications to one URL."""

    Config: ClassVar[type[WebhookConfig]] = WebhookConfig
    example: ClassVar[dict[str, str]] = {"url": "https://hooks.example.net/services/s3cret"}
    """The least that a user writes; contract tests take it."""

    def __init__(self, config: WebhookConfig, client: HttpClient, clock: Clock) -> None:
        self._config, self._client, self._clock = config, client, clock

    async def send(self, notification: Notification) -> Delivery:
        """One attempt. Raises nothing that the outside world causes; shows no URL and no secret."""
        config = self._config
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Sentinel/{__version__}",
            "webhook-id": notification.id,
            "webhook-timestamp": str(self._clock.now_ms() // 1000),
        }
        body = webhook_body(notification, config.max_alerts)
        try:
            headers |= await auth_headers(config.http_config)
            url = await read_secret(config.url, config.url_file)
        except OSError as error:
            return Delivery(False, retryable=True, reason="auth", detail=f"a secret's file: {error.strerror}")
        try:
            return self._outcome(await self._post(url, body, headers))
        except TimeoutError:
            return Delivery(
                False, retryable=True, reason="timeout", detail=f"{redact(url)}: no answer in time"
            )
        except OSError as error:
            return Delivery(False, retryable=True, reason="network", detail=f"{redact(url)}: {error}")

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Response:
        seconds = self._config.timeout.seconds or DEFAULT_TIMEOUT_SECONDS
        answer = await self._client.post(url, body, headers, seconds)
        for _ in range(_MOST_HOPS):
            if answer.status not in (307, 308) or not self._config.http_config.follow_redirects:
                break
            target = urljoin(url, answer.headers.get("location", ""))
            if urlsplit(target)[:2] != urlsplit(url)[:2]:  # another host must not learn the secret
                headers = {name: text for name, text in headers.items() if name != "Authorization"}
            url = target
            answer = await self._client.post(url, body, headers, seconds)
        return answer

    def _outcome(self, answer: Response) -> Delivery:
        status, detail = answer.status, f"HTTP status {answer.status}"
        if 200 <= status < 300:
            return Delivery(True)
        wait = self._retry_after(answer.headers.get("retry-after", ""))
        if status == 429:
            return Delivery(False, True, "rate_limited", detail, wait)
        if status >= 500:
            return Delivery(False, True, "server", detail, wait)
        return Delivery(False, False, "auth" if status in (401, 403) else "client", detail)

    def _retry_after(self, text: str) -> float:
        """Seconds from now, of seconds or an HTTP date; 0 for none or nonsense."""
        if text.strip().isdecimal():
            return float(text)
        try:
            return max(0.0, parsedate_to_datetime(text).timestamp() - self._clock.now_ms() / 1000)
        except ValueError:
            return 0.0
