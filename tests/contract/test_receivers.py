"""What every receiver must do; new ones are found by their entry point.

A receiver class has `Config`, `example` (the least that a user writes, a secret in its address) and takes
`(config, client, clock)`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from sentinel import plugins
from sentinel.alert.config import dec_hook
from sentinel.alert.flush import Entry, Flush, compose
from sentinel.clock import ManualClock
from sentinel.model import AlertState, Delivery, Labels, Notification
from sentinel.notify.client import Response
from tests.simulation.world import event

NOW_MS = 784_111_777_000  # Sun, 06 Nov 1994 08:49:37 GMT
SECRET = "s3cret"


class FakeClient:
    """Answers, or raises, what it is told to; keeps what it was sent."""

    def __init__(self, *answers: Response | Exception) -> None:
        self._answers = list(answers)
        self.sent: list[tuple[str, bytes, Mapping[str, str]]] = []

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> Response:
        assert timeout_seconds > 0
        self.sent.append((url, body, headers))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def notification(state: AlertState = "firing", annotation: str = "slow") -> Notification:
    alerts = [event(state, 9000, 1000, {"summary": annotation}, alertname="A", n=str(n)) for n in range(3)]
    flush = Flush(("{}:{}", "r", 0), Labels(), tuple(alerts), Entry(), NOW_MS, 3_600_000, reason="first")
    made = compose(flush, "http://sentinel").notification
    assert made is not None
    return made


def send(name: str, client: FakeClient, what: Notification | None = None) -> Delivery:
    kind = plugins.load("receivers", name)
    assert SECRET in str(kind.example)
    config = msgspec.convert(kind.example, kind.Config, dec_hook=dec_hook)
    assert SECRET not in repr(config)
    return asyncio.run(kind(config, client, ManualClock(NOW_MS)).send(what or notification()))


RECEIVERS = pytest.mark.parametrize("name", plugins.names("receivers"))
OUTCOMES: list[tuple[Response | Exception, Delivery]] = [
    (Response(200, {}), Delivery(True)),
    (Response(202, {}, b"ok"), Delivery(True)),
    (Response(302, {"location": "http://x/"}), Delivery(False, False, "client")),
    (Response(400, {}), Delivery(False, False, "client")),
    (Response(401, {}), Delivery(False, False, "auth")),
    (Response(403, {}), Delivery(False, False, "auth")),
    (Response(404, {"retry-after": "9"}), Delivery(False, False, "client")),
    (Response(410, {}), Delivery(False, False, "client")),
    (Response(429, {}), Delivery(False, True, "rate_limited")),
    (Response(429, {"retry-after": "120"}), Delivery(False, True, "rate_limited", "", 120.0)),
    (
        Response(429, {"retry-after": "Sun, 06 Nov 1994 08:51:07 GMT"}),
        Delivery(False, True, "rate_limited", "", 90.0),
    ),
    (Response(429, {"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT"}), Delivery(False, True, "rate_limited")),
    (Response(429, {"retry-after": "soon"}), Delivery(False, True, "rate_limited")),
    (Response(500, {}), Delivery(False, True, "server")),
    (Response(503, {"retry-after": "5"}), Delivery(False, True, "server", "", 5.0)),
    (TimeoutError("late"), Delivery(False, True, "timeout")),
    (ConnectionRefusedError(111, "Connection refused"), Delivery(False, True, "network")),
]


@RECEIVERS
@pytest.mark.parametrize(("answer", "expected"), OUTCOMES, ids=str)
def test_outcomes(name: str, answer: Response | Exception, expected: Delivery) -> None:
    delivery = send(name, FakeClient(answer))
    assert msgspec.structs.replace(delivery, detail="") == expected
    assert bool(delivery.detail) is not delivery.delivered


@RECEIVERS
@pytest.mark.parametrize(("answer", "_expected"), OUTCOMES, ids=str)
def test_no_secret_is_shown(
    name: str,
    answer: Any,
    _expected: Any,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    delivery = send(name, FakeClient(answer))
    shown = capfd.readouterr()
    assert SECRET not in repr(delivery) + shown.out + shown.err + caplog.text


@RECEIVERS
def test_equal_input_gives_equal_bytes_and_one_id(name: str) -> None:
    client = FakeClient(Response(500, {}), Response(200, {}))
    send(name, client)
    send(name, client)
    (_, body, headers), (_, again, headers_again) = client.sent
    assert (body, headers["webhook-id"]) == (again, headers_again["webhook-id"])
    assert "." not in headers["webhook-id"]


@RECEIVERS
def test_firing_and_resolved_differ(name: str) -> None:
    client = FakeClient(Response(200, {}), Response(200, {}))
    send(name, client)
    send(name, client, notification("resolved"))
    assert client.sent[0][1] != client.sent[1][1]


@RECEIVERS
@pytest.mark.parametrize("text", ["", "ä" * 40_000, "<b>&\u2028\x00", "🙂" * 3])
def test_any_text_can_be_sent(name: str, text: str) -> None:
    client = FakeClient(Response(200, {}))
    assert send(name, client, notification(annotation=text)).delivered
    client.sent[0][1].decode()
