"""From the configuration's sources to running ones, each with the decoders that its records need."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web

from sentinel import plugins
from sentinel.clock import Clock
from sentinel.config.load import Config
from sentinel.config.schema import SourceConfig
from sentinel.decode.influx import split_points
from sentinel.decode.lines import split_lines
from sentinel.host.feed import Decoder, Feed, Hold, Refused
from sentinel.ingest import http, influx, otlp, own_metrics, remote_write
from sentinel.ingest.dead_letter import DeadLetter, DeadLetters
from sentinel.ingest.http import PushSource
from sentinel.ingest.influx import InfluxWrite
from sentinel.ingest.kafka import KafkaConfig, KafkaSource
from sentinel.ingest.kafka_connection import client_options
from sentinel.ingest.otlp import Otlp
from sentinel.ingest.own_metrics import OwnMetrics
from sentinel.ingest.push_config import PushConfig
from sentinel.ingest.remote_write import RemoteWrite
from sentinel.ingest.schema_registry import SchemaRegistry, SchemaSink, SchemaUpstream
from sentinel.ingest.scrape import ScrapeSource
from sentinel.ingest.source import Sink, Source
from sentinel.model import Labels, Payloads
from sentinel.telemetry import REGISTRY
from sentinel.watch.check import installed
from sentinel.watch.config import ClusterConfig
from sentinel.watch.exposition import LIMITS
from sentinel.watch.source import WatchFeed, WatchSource, feed_names

if TYPE_CHECKING:
    from sentinel.ingest.kafka_past import KafkaPast

DRAIN_SECONDS: Final = 3.0
MAX_FUTURE_MS: Final = 60_000
_REQUESTS: Final = (remote_write.FORMAT, otlp.FORMAT, *influx.FORMATS)
"""What is pushed as whole requests, each of them one record."""


def source_names(config: Config) -> tuple[str, ...]:
    """All that will be fed, in the order of their bits: what a file names first, so that they stay."""
    watched = [name for cluster in config.clusters for name in feed_names(cluster.name)]
    return (*(source.name for source in config.sources), own_metrics.NAME, *watched)


def source_labels(config: Config) -> dict[str, Labels]:
    """Labels that all series of a source have, for those that lay some over."""
    scraped = {
        source.name: Labels({"job": source.name, **source.scrape.labels})
        for source in config.sources
        if source.scrape is not None
    }
    watched = {
        name: Labels({"cluster": cluster.name})
        for cluster in config.clusters
        for name in feed_names(cluster.name)
    }
    return scraped | watched


class Sources:
    """All sources, our own metrics and watched clusters among them.

    They put what they read into `sink`; `feeds` tells the host of them. What has to outlive the process, and
    is no sample, lies in `storage`.
    """

    def __init__(self, config: Config, sink: Sink, clock: Clock, instance: str, storage: Path) -> None:
        self._sources: dict[str, Source] = {}
        self._dead_letters: dict[str, DeadLetters] = {}
        self._pasts: dict[str, KafkaPast] = {}
        self._routes: list[web.RouteDef] = []
        self._own = OwnMetrics(sink, REGISTRY, instance, clock=clock)
        self._watched = [_watch(cluster, sink, clock) for cluster in config.clusters]
        self.feeds: list[Feed] = []
        for source in config.sources:
            registry = _registry(source, storage, clock)
            given = sink if registry is None else SchemaSink(sink, registry)
            reader = self._sources[source.name] = _source(source, given, clock)
            if isinstance(reader, PushSource):
                self._routes += http.routes(reader) + _remote_write_routes(source, reader, sink, clock)
                self._routes += _influx_routes(source, reader, sink, clock)
                self._routes += _otlp_routes(source, reader, sink, clock)
            if source.dead_letter_topic and source.kafka:
                options = partial(client_options, source.kafka)
                self._dead_letters[source.name] = DeadLetters(source.name, options, source.dead_letter_topic)
            if source.kafka and source.refill.max_records:
                self._pasts[source.name] = _past(source, source.kafka, given, clock)
            self.feeds.append(self._feed(source, registry))
        self.feeds.append(_exposed(self._own))
        for watch in self._watched:
            self.feeds += [_exposed(watch.liveness), _exposed(watch.state)]

    def run(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run, each until cancelled."""
        return [
            *(source.run() for source in self._sources.values()),
            self._own.run(),
            *(cluster.run() for cluster in self._watched),
            *(letters.run() for letters in self._dead_letters.values()),
            *(past.run() for past in self._pasts.values()),
        ]

    def routes(self) -> list[web.RouteDef]:
        return self._routes or http.disabled_routes(http.PATH, remote_write.PATH, *influx.PATHS, *otlp.PATHS)

    async def commit(self, source: str, positions: Mapping[str, int]) -> None:
        """Tell Kafka what a snapshot holds, for tools that watch lag."""
        reader = self._sources.get(source)
        if isinstance(reader, KafkaSource) and positions:
            await reader.commit(positions)

    async def drain(self) -> None:
        """What was refused goes to its topic before the end, if the broker takes it soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                for letters in self._dead_letters.values():
                    await letters.flush()

    def _feed(self, source: SourceConfig, registry: SchemaRegistry | None) -> Feed:
        letters, reader = self._dead_letters.get(source.name), self._sources[source.name]
        decoders = {format: _decoder(source, format) for format in _formats(source)}
        if registry is not None:
            decoders[source.decoder].schemas = registry.schemas
        return Feed(
            name=source.name,
            upstream=reader if registry is None else SchemaUpstream(reader, registry),
            decoders=decoders,
            replayable=source.kafka is not None,
            series_limit=source.limits.series,
            delay_ms=int(source.time.delay),
            max_wait_ms=int(source.time.max_wait),
            refused=None if letters is None else _dead_letter_writer(letters),
            hold=_holder(reader),
            past=self._pasts.get(source.name),
        )


def _source(source: SourceConfig, sink: Sink, clock: Clock) -> Source:
    if source.kafka is not None:
        return KafkaSource(source.name, source.kafka, sink, format=source.decoder, clock=clock)
    if source.scrape is not None:
        return ScrapeSource(source.name, source.scrape, sink, check=_check(source), clock=clock)
    limits = source.http or PushConfig()
    split = split_points if source.decoder == "influx" else split_lines
    return PushSource(source.name, sink, split, format=source.decoder, limits=limits, clock=clock)


def _registry(source: SourceConfig, storage: Path, clock: Clock) -> SchemaRegistry | None:
    """What knows the schemas of the source's records, if they need any."""
    if source.schema_registry is None:
        return None
    from sentinel.ingest.schema_client import SchemaClient

    file = storage / "schemas" / f"{source.name}.json"
    return SchemaRegistry(source.name, SchemaClient(source.schema_registry), file, clock=clock)


def _past(source: SourceConfig, kafka: KafkaConfig, sink: Sink, clock: Clock) -> KafkaPast:
    from sentinel.ingest.kafka_past import KafkaPast  # the Kafka client: only who reads from it pays for it

    return KafkaPast(source.name, kafka, sink, source.refill, format=source.decoder, clock=clock)


def _watch(cluster: ClusterConfig, sink: Sink, clock: Clock) -> WatchSource:
    from sentinel.watch.poll import ClusterPoller  # the Kafka client: only who watches a cluster pays for it

    poller = ClusterPoller(
        cluster,
        topics=cluster.topics.matches,
        groups=cluster.groups.matches,
        timeout_seconds=cluster.timeout_seconds,
        clock=clock,
    )
    return WatchSource(cluster, poller, sink, installed(), clock=clock)


def _exposed(source: OwnMetrics | WatchFeed) -> Feed:
    """The feed of something of ours that speaks in expositions."""
    decoder = plugins.load("decoders", "openmetrics")(None, LIMITS, MAX_FUTURE_MS)
    return Feed(source.name, source, {"openmetrics": decoder}, replayable=False)


def _remote_write_routes(
    source: SourceConfig, reader: PushSource, sink: Sink, clock: Clock
) -> list[web.RouteDef]:
    """Remote write into the source that takes pushes."""
    survey = _decoder(source, remote_write.FORMAT).survey
    most_bytes = (source.http or PushConfig()).decompressed_bytes
    receiver = RemoteWrite(source.name, sink, reader.reception, survey, most_bytes=most_bytes, clock=clock)
    return remote_write.routes(receiver)


def _influx_routes(source: SourceConfig, reader: PushSource, sink: Sink, clock: Clock) -> list[web.RouteDef]:
    """InfluxDB's ways to write into the source that takes pushes."""
    surveys = {format: _decoder(source, format).survey for format in influx.FORMATS}
    most_bytes = (source.http or PushConfig()).decompressed_bytes
    receiver = InfluxWrite(source.name, sink, reader.reception, surveys, most_bytes=most_bytes, clock=clock)
    return influx.routes(receiver)


def _otlp_routes(source: SourceConfig, reader: PushSource, sink: Sink, clock: Clock) -> list[web.RouteDef]:
    """OpenTelemetry's metrics into the source that takes pushes."""
    survey = _decoder(source, otlp.FORMAT).survey
    most_bytes = (source.http or PushConfig()).decompressed_bytes
    receiver = Otlp(source.name, sink, reader.reception, survey, most_bytes=most_bytes, clock=clock)
    return otlp.routes(receiver)


def _formats(source: SourceConfig) -> list[str]:
    """What the records of a source may be."""
    return [source.decoder, *_REQUESTS] if source.http is not None else [source.decoder]


def _decoder(source: SourceConfig, format: str) -> Any:
    kind = plugins.load("decoders", "influx" if format in influx.FORMATS else format)
    settings = _settings(source, format) or kind.Config()
    limits = source.limits.of_records()
    if source.scrape is not None:  # an exposition is one record
        limits = msgspec.structs.replace(limits, record_bytes=source.scrape.body_size_limit)
    elif source.http is not None and format in _REQUESTS:  # and so is a request
        limits = msgspec.structs.replace(limits, record_bytes=source.http.decompressed_bytes)
    return kind(settings, limits, int(source.time.max_future))


def _settings(source: SourceConfig, format: str) -> msgspec.Struct | None:
    """What the source says of this format."""
    if precision := influx.FORMATS.get(format):  # the request said it
        return msgspec.structs.replace(source.influx, precision=precision)
    said = {"json": source.json, "influx": source.influx, "otlp": source.otlp, "avro": source.avro}
    return said.get(format)


def _check(source: SourceConfig) -> Callable[[Payloads], str]:
    """Why payloads will be refused, or nothing; asked on another thread than the engine's."""
    decoder: Decoder = _decoder(source, source.decoder)

    def check(payloads: Payloads) -> str:
        refused = decoder.decode(payloads).refused
        return refused[0][1] if refused else ""

    return check


def _holder(source: Source) -> Hold:
    """The engine's thread wishes, the event loop does."""
    if not isinstance(source, KafkaSource):
        return lambda partitions: None
    loop, apply = asyncio.get_running_loop(), source.hold

    def hold(partitions: frozenset[str]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(apply, partitions)

    return hold


def _dead_letter_writer(letters: DeadLetters) -> Refused:
    def refused(payloads: Payloads, rows: list[tuple[int, str]]) -> None:
        topic, _, partition = payloads.partition.rpartition("/")
        letters.offer(
            DeadLetter(payloads.record(row), reason, topic, int(partition), int(payloads.offset[row]))
            for row, reason in rows
        )

    return refused
