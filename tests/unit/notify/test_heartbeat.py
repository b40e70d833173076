"""The heartbeat: sent while the daemon is healthy, tried again within its interval, and never shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel.alert.config import dec_hook
from sentinel.notify.client import Response
from sentinel.notify.heartbeat import (
    HEARTBEAT_LAST,
    HEARTBEATS,
    HEARTBEATS_FAILED,
    Heartbeat,
    HeartbeatConfig,
)
from tests.simulation.world import START_MS, LoopClock, in_virtual_time

URL = "https://hc.example/ping/s3cret"


def read(**written: Any) -> HeartbeatConfig:
    return msgspec.convert(written, HeartbeatConfig, dec_hook=dec_hook)


class Outside:
    """Who is called; and how healthy we say we are."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, str]] = []
        self.answer: Callable[[], Response | Exception] = lambda: Response(200, {})
        self.latency = 0.0
        self.problem = ""
        self.stuck_seconds = 0.0

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> Response:
        assert body == b""
        assert headers["User-Agent"].startswith("Sentinel/")
        self.calls.append((round(asyncio.get_running_loop().time(), 3), url))
        async with asyncio.timeout(timeout_seconds):
            await asyncio.sleep(self.latency)
        answer = self.answer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def healthy(self) -> str:
        await asyncio.sleep(self.stuck_seconds)
        return self.problem

    def times(self) -> list[float]:
        return [at for at, _ in self.calls]


def beating(main: Callable[[Outside], Awaitable[None]], **written: Any) -> Outside:
    """Runs `main` while the heart beats."""
    outside = Outside()

    @asynccontextmanager
    async def heart() -> Any:
        task = asyncio.create_task(
            Heartbeat(read(**({"url": URL} | written)), outside, LoopClock(), outside.healthy).run()
        )
        yield
        assert not task.done(), task
        task.cancel()
        await asyncio.wait([task])

    async def whole() -> None:
        async with heart():
            await main(outside)

    in_virtual_time(whole())
    return outside


def for_seconds(seconds: float) -> Callable[[Outside], Coroutine[Any, Any, None]]:
    async def wait(_: Outside) -> None:
        await asyncio.sleep(seconds)

    return wait


def test_it_beats_at_once_and_every_interval_without_drift() -> None:
    before = HEARTBEATS._value.get()

    async def main(outside: Outside) -> None:
        outside.latency = 3.0
        await asyncio.sleep(300)

    outside = beating(main)
    assert outside.calls == [(60.0 * n, URL) for n in range(5)]
    assert HEARTBEATS._value.get() - before == 5
    assert HEARTBEAT_LAST._value.get() == START_MS / 1000 + 243


def test_it_stays_away_while_the_daemon_is_not_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    async def main(outside: Outside) -> None:
        await asyncio.sleep(30)
        outside.problem = "the engine stopped"
        await asyncio.sleep(300)
        outside.problem = ""
        await asyncio.sleep(60)

    assert beating(main).times() == [0, 360]
    shown = capsys.readouterr().out
    assert shown.count("heartbeat_held_back") == 1, "the change is said once"
    assert shown.count("heartbeat_goes_on") == 1
    assert "the engine stopped" in shown


def test_no_answer_about_health_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    async def main(outside: Outside) -> None:
        await asyncio.sleep(1)
        outside.stuck_seconds = 3600
        await asyncio.sleep(200)
        outside.stuck_seconds = 0
        await asyncio.sleep(60)

    assert beating(main).times() == [0, 240]
    assert "no word from the engine within 10s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(404, {}), "client"),
        (Response(500, {}), "server"),
        (ConnectionError("Connection refused"), "network"),
        (TimeoutError(), "timeout"),
    ],
)
def test_a_failure_is_tried_again_within_the_interval(
    answer: Response | Exception, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = HEARTBEATS_FAILED.labels(reason)._value.get()

    async def main(outside: Outside) -> None:
        outside.answer = lambda: answer
        await asyncio.sleep(59)
        assert 4 <= len(outside.calls) <= 7
        outside.answer = lambda: Response(200, {})
        await asyncio.sleep(60)

    outside = beating(main)
    assert outside.times()[-1] == 60, "the next beat is in time, and needs no second"
    assert HEARTBEATS_FAILED.labels(reason)._value.get() - before == len(outside.calls) - 1
    shown = capsys.readouterr().out
    assert shown.count("heartbeat_failed") == shown.count("heartbeat_taken_again") == 1
    assert "https://hc.example/<secret>" in shown
    assert "s3cret" not in shown


def test_one_that_never_answers_delays_no_beat() -> None:
    async def main(outside: Outside) -> None:
        outside.latency = 3600
        await asyncio.sleep(125)

    times = beating(main, interval="20s", timeout="20s").times()
    assert [at for at in times if at % 20 == 0] == [0, 20, 40, 60, 80, 100, 120]


def test_its_url_may_come_from_a_file_that_changes(tmp_path: Path) -> None:
    file = tmp_path / "url"
    failed = HEARTBEATS_FAILED.labels("client")._value.get()

    async def main(outside: Outside) -> None:
        await asyncio.sleep(59)
        file.write_text("no address")
        await asyncio.sleep(60)
        file.write_text(URL + "\n")
        await asyncio.sleep(60)

    outside = beating(main, url_file=str(file), url="")
    assert outside.calls == [(120.0, URL)]
    assert HEARTBEATS_FAILED.labels("client")._value.get() > failed


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, "exactly one of url and url_file"),
        ({"url": URL, "url_file": "f"}, "exactly one of url and url_file"),
        ({"url": "hc.example/s3cret"}, "url must read"),
        ({"url": "http://[s3cret"}, "url must read"),
        ({"url": URL, "interval": "10ms"}, "interval must be at least 1s"),
        ({"url": URL, "interval": "5s", "timeout": "6s"}, "at most the interval, 5s"),
        ({"url": URL, "http_config": {"bearer_token": "s3cret", "bearer_token_file": "b"}}, "choose one of"),
    ],
)
def test_mistakes_are_named_and_secrets_are_not(written: dict[str, Any], message: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=message) as caught:
        read(**written)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(read(url=URL))


@pytest.mark.parametrize(
    ("written", "patience"),
    [({}, 10_000), ({"interval": "5s"}, 5_000), ({"interval": "5s", "timeout": "2s"}, 2_000)],
)
def test_the_timeout_follows_the_interval(written: dict[str, str], patience: int) -> None:
    config = msgspec.convert({"url": URL, **written}, HeartbeatConfig, dec_hook=dec_hook)
    assert config.patience == patience
