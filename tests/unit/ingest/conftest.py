"""Fixtures for sources: a broker, a sink that keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from broker import Broker

from sentinel.errors import SourceError
from sentinel.model import Payloads


class MemorySink:
    """Keeps payloads; `full` makes put wait and put_synced refuse."""

    def __init__(self) -> None:
        self.got: list[Payloads] = []
        self.known: dict[str, int] = {}
        self.full = False

    async def put(self, payloads: Payloads) -> None:
        self.got.append(payloads)

    async def put_synced(self, payloads: Payloads) -> None:
        if self.full:
            raise SourceError("the inbox is full", reason="overloaded")
        self.got.append(payloads)

    def positions(self, source: str) -> Mapping[str, int]:
        return self.known

    def values(self, partition: str | None = None) -> list[bytes]:
        chosen = [p for p in self.got if partition in (None, p.partition)]
        return [payloads.record(row) for payloads in chosen for row in range(len(payloads))]


@pytest.fixture(autouse=True)
def the_event_loop_is_never_blocked() -> Iterator[None]:
    with blockbuster_ctx("sentinel.ingest"):
        yield


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    pytest.importorskip("noida_db")
    one = Broker(tmp_path_factory.mktemp("kafka"))
    one.start()
    yield one
    one.stop()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """One that a test may stop."""
    pytest.importorskip("noida_db")
    one = Broker(tmp_path)
    one.start()
    yield one
    one.stop()
