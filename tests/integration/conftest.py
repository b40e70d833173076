"""Brokers for the integration tests. Each test names its own topics: the shared broker is never emptied."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .kafka_broker import Broker, KafkaUnavailableError, kafka_jars


@pytest.fixture(scope="session")
def jars() -> Path:
    """Kafka's jars; skips without Java and Maven, except where `CI=true` says that they must be there."""
    try:
        return kafka_jars()
    except KafkaUnavailableError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def kafka(jars: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for all tests that leave it running."""
    yield from _running(Broker(jars, tmp_path_factory.mktemp("kafka")))


@pytest.fixture
def fresh_kafka(jars: Path, tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own, to stop and kill."""
    yield from _running(Broker(jars, tmp_path / "kafka"))


def _running(broker: Broker) -> Iterator[Broker]:
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A topic name that no other test uses."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
