"""What may stand under `alertmanagers`, and what the caller makes of answers, redirects and secrets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel.alert.config import dec_hook
from sentinel.clock import ManualClock
from sentinel.model import Secret
from sentinel.notify.alertmanager import ForwardConfig
from sentinel.notify.auth import HttpConfig
from sentinel.notify.caller import Attempt, Caller
from sentinel.notify.client import Response
from tests.contract.test_receivers import NOW_MS, FakeClient


def read(**written: Any) -> ForwardConfig:
    return msgspec.convert(written, ForwardConfig, dec_hook=dec_hook)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://alertmanager:9093", "alertmanager:9093"),
        ("http://alertmanager:9093/", "alertmanager:9093"),
        ("https://am.example.net/team/a", "am.example.net:443"),
        ("http://10.0.0.1", "10.0.0.1:80"),
        ("http://[::1]:9093/x", "[::1]:9093"),
    ],
)
def test_an_alertmanager_is_called_by_host_and_port(url: str, name: str) -> None:
    config = read(url=url)
    assert config.name == name
    assert config.base == url.rstrip("/")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"url": ""}, "url must read"),
        ({"url": "alertmanager:9093"}, "url must read"),
        ({"url": "ftp://am:9093"}, "url must read"),
        ({"url": "http://:9093"}, "url must read"),
        ({"url": "http://am:0"}, "url must read"),
        ({"url": "http://am:99999"}, "not a valid URL"),
        ({"url": "http://[::1"}, "not a valid URL"),
        ({"url": "http://me:s3cret@am:9093"}, "http_config.basic_auth"),
        ({"url": "http://me@am:9093"}, "http_config.basic_auth"),
        ({"url": "http://am:9093?tenant=s3cret"}, "must end with its path"),
        ({"url": "http://am:9093/#/alerts"}, "must end with its path"),
        ({"url": "http://am:9093/api/v2/alerts"}, "leave /api/v2/alerts out"),
        ({"url": "http://am:9093/p/api/v2/alerts/"}, "leave /api/v2/alerts out"),
        ({"url": "http://am", "timeout": "0"}, "timeout must be above 0"),
        ({"url": "http://am", "resend": "500ms"}, "resend must be at least 1s"),
        (
            {"url": "http://am", "http_config": {"bearer_token": "a", "bearer_token_file": "b"}},
            "choose one of",
        ),
        ({"url": "http://am", "resent": "1m"}, "unknown field"),
    ],
)
def test_mistakes_are_named_and_secrets_are_not(written: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message) as caught:
        read(**written)
    assert "s3cret" not in str(caught.value)


def call(client: FakeClient, **http: Any) -> Attempt:
    caller = Caller(client, HttpConfig(**http), ManualClock(NOW_MS))
    return asyncio.run(caller.post("http://am/x?s3cret", b"[]", 5.0, {"Content-Type": "application/json"}))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(200, {}), Attempt(200, "", "HTTP status 200")),
        (Response(204, {"retry-after": "9"}), Attempt(204, "", "HTTP status 204")),
        (Response(400, {}, b"why"), Attempt(400, "client", "HTTP status 400", b"why")),
        (Response(403, {}), Attempt(403, "auth", "HTTP status 403")),
        (Response(307, {"location": "http://y/"}), Attempt(307, "client", "HTTP status 307")),
        (Response(429, {"retry-after": "7"}), Attempt(429, "rate_limited", "HTTP status 429", b"", 7.0)),
        (
            Response(503, {"retry-after": "Sun, 06 Nov 1994 08:51:07 GMT"}),
            Attempt(503, "server", "HTTP status 503", b"", 90.0),
        ),
        (Response(503, {"retry-after": "soon"}), Attempt(503, "server", "HTTP status 503")),
        (TimeoutError("x"), Attempt(0, "timeout", "no answer in time")),
        (ConnectionError("Connection refused"), Attempt(0, "network", "Connection refused")),
    ],
)
def test_what_an_answer_means(answer: Response | Exception, expected: Attempt) -> None:
    assert call(FakeClient(answer)) == expected


def test_redirects_are_followed_if_wanted_and_tell_no_stranger_the_secret() -> None:
    hops = [
        Response(308, {"location": "/y"}),
        Response(307, {"location": "http://other/z"}),
        Response(200, {}),
    ]
    client = FakeClient(*hops)
    assert call(client, bearer_token=Secret("t"), follow_redirects=True).status == 200
    assert [url for url, _, _ in client.sent] == ["http://am/x?s3cret", "http://am/y", "http://other/z"]
    assert [headers.get("Authorization") for _, _, headers in client.sent] == ["Bearer t", "Bearer t", None]
    assert {body for _, body, _ in client.sent} == {b"[]"}


def test_a_secret_that_cannot_be_read_is_a_failure_like_others(tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"\xff\xfe")
    for file in ("garbage", "absent"):
        assert call(FakeClient(), bearer_token_file=str(tmp_path / file)).reason == "auth"
