"""Scraping: times, limits, and what a target that fails leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from conftest import MemorySink
from hypothesis import given
from hypothesis import strategies as st

from sentinel.clock import ManualClock
from sentinel.ingest.scrape import ScrapeSource, count_samples, next_time, offset_ms
from sentinel.ingest.scrape_config import ScrapeConfig
from sentinel.model import Duration, Labels

BODY = b'# TYPE a counter\na_total{x="1"} 1\n\n  b 2 123\n# EOF\n'
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def scraped(handler: Handler, sink: MemorySink, **settings: Any) -> tuple[str, ScrapeSource]:
    """One scrape of a target that answers with `handler`."""
    app = web.Application()
    app.router.add_get("/metrics", handler)
    async with TestServer(app) as server:
        target = f"{server.host}:{server.port}"
        settings = {"interval": Duration(100), "timeout": Duration(90), **settings}
        check = settings.pop("check", lambda payloads: "")
        source = ScrapeSource("node", ScrapeConfig(targets=[target], **settings), sink, check=check)
        task = asyncio.create_task(source.run())
        async with asyncio.timeout(10):
            while len(sink.got) < 2:  # noqa: ASYNC110 - the sink has no event
                await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return target, source


def report(sink: MemorySink) -> dict[str, float]:
    lines = [line for line in sink.got[1].record(0).decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.split() for line in lines)}


def test_a_scrape_gives_the_exposition_and_a_report(sink: MemorySink) -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(body=gzip.compress(BODY), headers={"Content-Encoding": "gzip"})

    target, source = asyncio.run(scraped(answer, sink, labels={"dc": "a", "job": "mine"}))
    exposition, about = sink.got[:2]
    assert exposition.record(0) == BODY
    assert exposition.partition == target and about.partition == target + " scrape"
    assert exposition.format == "openmetrics" and exposition.arrival_ms == about.arrival_ms
    assert exposition.target == about.target == Labels({"job": "mine", "instance": target, "dc": "a"})
    assert report(sink)["up"] == 1 and report(sink)["scrape_samples_scraped"] == 2
    assert 0 < report(sink)["scrape_duration_seconds"] < 1
    assert "openmetrics-text" in seen[0].headers["Accept"] and seen[0].headers["Accept-Encoding"] == "gzip"
    assert source.assigned and source.connected(0) and not source.partitions()


@pytest.mark.parametrize("failure", ["status", "slow", "large", "broken"])
def test_a_failed_scrape_gives_an_empty_exposition_and_up_0(sink: MemorySink, failure: str) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if failure == "slow":
            await asyncio.sleep(0.2)
        if failure == "broken":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(body=BODY * 100, status=500 if failure == "status" else 200)

    target, _ = asyncio.run(scraped(answer, sink, body_size_limit=len(BODY) * 99))
    assert sink.got[0].record(0) == b"" and sink.got[0].partition == target
    assert report(sink)["up"] == 0 and report(sink)["scrape_samples_scraped"] == 0


def test_rubbish_is_handed_on_to_be_refused_and_the_target_is_down(sink: MemorySink) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="<html>")

    asyncio.run(scraped(answer, sink, check=lambda payloads: "invalid_syntax"))
    assert sink.got[0].record(0) == b"<html>"
    assert report(sink)["up"] == 0


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_secrets_are_read_from_files(sink: MemorySink, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "secret"
    file.write_text("hush\n")
    auth = {"username": "u", "password_file": str(file)}
    given = {"basic_auth": auth} if kind == "basic" else {"bearer_token_file": str(file)}
    settings = msgspec.convert({"targets": ["x:1"], **given}, ScrapeConfig)
    seen: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response(body=BODY)

    chosen = {"basic_auth": settings.basic_auth, "bearer_token_file": settings.bearer_token_file}
    asyncio.run(scraped(answer, sink, **chosen))
    assert seen[0] == ("Basic dTpodXNo" if kind == "basic" else "Bearer hush")


@given(st.integers(0, 2**42), st.integers(1, 10**6), st.text(max_size=5))
def test_times_are_aligned_to_the_offset_of_the_target(now: int, interval: int, target: str) -> None:
    offset = offset_ms("job", target, interval)
    due = next_time(now, interval, offset)
    assert 0 <= offset < interval and now < due <= now + interval and due % interval == offset


def test_targets_are_spread() -> None:
    offsets = {offset_ms("job", f"host-{i}:9100", 15_000) // 1500 for i in range(200)}
    assert offsets == set(range(10))


def test_a_scrape_carries_its_due_time_unless_it_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, starts = ManualClock(1_000_000), []
    lateness = iter([0, 1, 40])
    source = ScrapeSource("job", ScrapeConfig(targets=["h:1"]), MemorySink(), clock=clock)

    async def sleep(seconds: float) -> None:
        clock.time_ms += round(seconds * 1000) + next(lateness)

    async def once(session: Any, target: str, start_ms: int) -> None:
        starts.append((start_ms - offset_ms("job", "h:1", 15_000)) % 15_000)

    monkeypatch.setattr("sentinel.ingest.scrape.asyncio.sleep", sleep)
    monkeypatch.setattr(source, "_scrape_once", once)
    with pytest.raises(RuntimeError):  # the table of delays is at its end
        asyncio.run(source._scrape_for_ever(None, "h:1"))  # type: ignore[arg-type]
    assert starts == [0, 0, 40]


def test_samples_are_counted_as_lines() -> None:
    assert count_samples(BODY) == 2 and count_samples(b"") == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"targets": []}, "length >= 1"),
        ({"targets": ["http://h:1/metrics"]}, "metrics_path"),
        ({"targets": ["h:1", "h:1"]}, "twice"),
        ({"targets": ["h:1"], "basic_auth": {"username": "u"}, "bearer_token_file": "f"}, "not both"),
        ({"targets": ["h:1"], "tls": {}}, "unknown field"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(settings, ScrapeConfig)


def test_the_timeout_follows_the_interval() -> None:
    with pytest.raises(ValueError, match="timeout 6s is longer than the interval 5s"):
        ScrapeConfig(targets=["h:1"], interval=Duration(5000), timeout=Duration(6000))
    with pytest.raises(ValueError, match="interval must be above 0"):
        ScrapeConfig(targets=["h:1"], interval=Duration(0))
    assert ScrapeConfig(targets=["h:1"], interval=Duration(5000)).timeout_seconds == 5
    assert ScrapeConfig(targets=["h:1"], interval=Duration(60_000)).timeout_seconds == 10
