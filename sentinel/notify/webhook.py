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

from collections.abc import Iterator
from typing import ClassVar, Final

import msgspec

from sentinel.clock import Clock
from sentinel.model import Delivery, Duration, Notification, Secret
from sentinel.notify.auth import HttpConfig, Problem, check_http, read_secret
from sentinel.notify.caller import Attempt, Caller
from sentinel.notify.client import HttpClient, is_http_url, redact
from sentinel.notify.payload import webhook_body

DEFAULT_TIMEOUT_SECONDS: Final = 30.0


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
        self._config, self._clock = config, clock
        self._caller = Caller(client, config.http_config, clock)

    async def send(self, notification: Notification) -> Delivery:
        """One attempt. Raises nothing that the outside world causes; shows no URL and no secret."""
        config = self._config
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notification.id,
            "webhook-timestamp": str(self._clock.now_ms() // 1000),
        }
        body = webhook_body(notification, config.max_alerts)
        try:
            url = await read_secret(config.url, config.url_file)
        except OSError as error:
            return Delivery(False, retryable=True, reason="auth", detail=f"a secret's file: {error.strerror}")
        except ValueError:
            return Delivery(False, retryable=True, reason="auth", detail="a secret's file is no UTF-8 text")
        seconds = config.timeout.seconds or DEFAULT_TIMEOUT_SECONDS
        return _delivery(await self._caller.post(url, body, seconds, headers), url)


def _delivery(attempt: Attempt, url: str) -> Delivery:
    """Without an answer it may work next time; with one, if it says so."""
    if not attempt.reason:
        return Delivery(True)
    again = not attempt.status or attempt.reason in ("rate_limited", "server")
    where = "" if attempt.status or attempt.reason == "auth" else f"{redact(url)}: "
    return Delivery(False, again, attempt.reason, where + attempt.detail, attempt.wish_seconds)
