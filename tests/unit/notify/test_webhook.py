"""The webhook: captured bytes, authentication, redirects, and a real client on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from sentinel.alert.config import dec_hook
from sentinel.clock import ManualClock
from sentinel.model import AlertEvent, Delivery, Labels, Notification
from sentinel.notify.client import Response
from sentinel.notify.http import AiohttpClient
from sentinel.notify.payload import go_json, rfc3339, webhook_body
from sentinel.notify.webhook import WebhookConfig, WebhookReceiver
from tests.contract.test_receivers import FakeClient, notification

MIDNIGHT_MS = 1_795_305_600_000  # 2026-11-22T00:00:00Z


def captured_group(status: Any) -> Notification:
    """What Alertmanager had when its bytes were captured; the third alert was cut by `max_alerts`."""

    def alert(number: int) -> AlertEvent:
        labels = {"alertname": "HighLat", "cluster": "c1", "severity": "page", "team": "a"}
        return AlertEvent(
            id=str(number),
            rule="",
            labels=Labels({**labels, "instance": f"i{number}"}),
            annotations={"summary": "slow"},
            state=status,
            starts_at_ms=MIDNIGHT_MS,
            ends_at_ms=MIDNIGHT_MS + 300_000 if status == "resolved" else 0,
            value=1.0,
            evaluated_at_ms=MIDNIGHT_MS,
            generator_url="http://p/graph?g0.expr=up",
        )

    return Notification(
        id="id",
        receiver="web.hook",
        status=status,
        group_key='{}/{severity=~"page|crit",team="a"}:{alertname="HighLat", cluster="c1"}',
        group_labels=Labels({"alertname": "HighLat", "cluster": "c1"}),
        alerts=tuple(alert(number) for number in range(3)),
        external_url="http://am.example:9093",
        reason="",
        now_ms=0,
    )


@pytest.mark.parametrize("file", ["webhook_v4.json", "webhook_v4_am0.28.1.json"])
def test_the_body_equals_alertmanagers(file: str, conformance: Callable[[str], Path]) -> None:
    captured = json.loads(conformance(f"conformance/alertmanager/{file}").read_text())["deliveries"]
    bodies = [webhook_body(captured_group(status), max_alerts=2) for status in ("firing", "resolved")]
    assert bodies == [delivery["raw"].encode() for delivery in captured]


def test_a_cut_never_hides_that_the_group_fires() -> None:
    whole = captured_group("firing")
    resolved = captured_group("resolved").alerts[:2]
    mixed = msgspec.structs.replace(whole, alerts=(*resolved, whole.alerts[2]))
    assert json.loads(webhook_body(mixed, max_alerts=2))["status"] == "firing"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<a href='x'>&", rb"\u003ca href='x'\u003e\u0026"),
        ("\u2028\u2029", rb"\u2028\u2029"),
        ("\b\f\n\r\t", rb"\b\f\n\r\t"),
        ("\x00\x1f\x7f", b"\\u0000\\u001f\x7f"),
        ('"\\/', rb"\"\\/"),
        ("é🙂", "é🙂".encode()),
    ],
)
def test_strings_are_escaped_as_go_does(text: str, written: bytes) -> None:
    assert go_json(text) == b'"' + written + b'"\n'


@pytest.mark.parametrize(
    ("time_ms", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1500, "1970-01-01T00:00:01.5Z"),
        (MIDNIGHT_MS + 7, "2026-11-22T00:00:00.007Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_times(time_ms: int, text: str) -> None:
    assert rfc3339(time_ms) == text


def receiver(client: Any, **config: Any) -> WebhookReceiver:
    raw = {"url": "http://h/s3cret", **config}
    return WebhookReceiver(msgspec.convert(raw, WebhookConfig, dec_hook=dec_hook), client, ManualClock(0))


def test_authentication(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    ways: list[tuple[dict[str, Any], str]] = [
        ({"basic_auth": {"username": "u", "password": "p"}}, "Basic dTpw"),
        ({"bearer_token": "t"}, "Bearer t"),
        ({"authorization": {"type": "Token", "credentials": "c"}}, "Token c"),
        ({"authorization": {"credentials_file": str(tmp_path / "token")}}, "Bearer from-file"),
    ]
    for http_config, expected in ways:
        client = FakeClient(Response(200, {}))
        assert asyncio.run(receiver(client, http_config=http_config).send(notification())).delivered
        assert client.sent[0][2]["Authorization"] == expected


def test_a_url_file_is_read_each_time(tmp_path: Path) -> None:
    client, file = FakeClient(Response(200, {}), Response(200, {})), tmp_path / "url"
    hook = receiver(client, url="", url_file=str(file))
    missing = asyncio.run(hook.send(notification()))
    assert (missing.retryable, missing.reason) == (True, "auth")
    for url in ("http://one/", "http://two/"):
        file.write_text(url + "\n")
        asyncio.run(hook.send(notification()))
    assert [url for url, *_ in client.sent] == ["http://one/", "http://two/"]


def test_redirects_are_followed_only_on_request_and_without_the_secret() -> None:
    answers = [
        Response(307, {"location": "/there"}),
        Response(308, {"location": "https://b/"}),
        Response(200, {}),
    ]
    client = FakeClient(*answers)
    config = {"follow_redirects": True, "bearer_token": "t"}
    assert asyncio.run(receiver(client, http_config=config).send(notification())).delivered
    assert [(url, "Authorization" in headers) for url, _, headers in client.sent] == [
        ("http://h/s3cret", True),
        ("http://h/there", True),
        ("https://b/", False),
    ]
    assert not asyncio.run(receiver(FakeClient(answers[0])).send(notification())).delivered


async def on_a_socket(handler: Any, use: Callable[[AiohttpClient, str], Any]) -> Any:
    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    client = AiohttpClient()
    try:
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return await use(client, f"http://127.0.0.1:{port}/s3cret")
    finally:
        await client.close()
        await runner.cleanup()


def test_the_client_speaks_http_and_keeps_the_connection() -> None:
    seen: list[tuple[bytes, Mapping[str, str], Any]] = []

    async def handler(request: web.Request) -> web.Response:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        seen.append((await request.read(), request.headers, peer))
        return web.Response(status=429, headers={"Retry-After": "7"}, text="slow down")

    async def use(client: AiohttpClient, url: str) -> list[Delivery]:
        return [await receiver(client, url=url).send(notification()) for _ in range(2)]

    deliveries = asyncio.run(on_a_socket(handler, use))
    assert deliveries == [Delivery(False, True, "rate_limited", "HTTP status 429", 7.0)] * 2
    assert seen[0][2] == seen[1][2]
    assert seen[0][0] == webhook_body(notification())
    assert seen[0][1]["Content-Type"] == "application/json"
    assert seen[0][1]["User-Agent"].startswith("Sentinel/")
    assert seen[0][1]["webhook-id"] == notification().id


def test_the_client_reports_time_outs_and_refusals_without_the_url() -> None:
    async def handler(_request: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return web.Response()

    async def use(client: AiohttpClient, url: str) -> list[Delivery]:
        slow = await receiver(client, url=url, timeout="100ms").send(notification())
        closed = receiver(client, url="http://127.0.0.1:1/s3cret")
        return [slow, await closed.send(notification())]

    slow, refused = asyncio.run(on_a_socket(handler, use))
    assert (slow.reason, refused.reason) == ("timeout", "network")
    assert "s3cret" not in repr((slow, refused))
    assert "refused" in refused.detail.lower()
