"""What the configuration makes of sources."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sentinel.app.sources import Sources, source_names
from sentinel.clock import SystemClock
from sentinel.config.load import load_config
from sentinel.host.feed import Feed
from sentinel.model import Payloads, payload_of

CONFIG = """
sources:
  - {name: node, scrape: {targets: ["127.0.0.1:1"], body_size_limit: 3000000}}
  - {name: push, http: {}}
clusters: [{name: main, bootstrap_servers: "127.0.0.1:2"}]
"""
LINE = b'load{host="h"} 1\n'


class Sink:
    async def put(self, payloads: Payloads) -> None: ...

    async def put_synced(self, payloads: Payloads) -> None: ...

    def positions(self, source: str) -> dict[str, int]:
        return {}


@pytest.fixture
def feeds(tmp_path: Path) -> dict[str, Feed]:
    (tmp_path / "sentinel.yml").write_text(CONFIG)
    config = load_config(tmp_path / "sentinel.yml")

    async def build() -> list[Feed]:
        return Sources(config, Sink(), SystemClock(), "127.0.0.1:3", tmp_path).feeds

    found = asyncio.run(build())
    assert tuple(feed.name for feed in found) == source_names(config)
    return {feed.name: feed for feed in found}


@pytest.mark.parametrize(
    ("source", "size", "refused"),
    [
        ("node", 2_900_000, []),
        ("node", 3_100_000, [(0, "record_too_large")]),
        ("watch/main", 30_000_000, []),
        ("watch/main/state", 30_000_000, []),
        ("sentinel/self", 3_000_000, []),
    ],
)
def test_an_exposition_may_be_as_large_as_it_is_let_in(
    feeds: dict[str, Feed], source: str, size: int, refused: list[tuple[int, str]]
) -> None:
    body = LINE * (size // len(LINE))
    payloads = payload_of(source, "openmetrics", body, arrival_ms=1_800_000_000_000)
    assert feeds[source].decoders["openmetrics"].decode(payloads).refused == refused
