"""From payloads to samples in the store, with every record and sample accounted for."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from sentinel.engine import Engine
from sentinel.host.accounts import Accounts
from sentinel.host.feed import Feed
from sentinel.host.schedule import Schedule
from sentinel.host.watermarks import SourceTime
from sentinel.model import Labels, Payloads
from sentinel.store.journal import InputEntry
from sentinel.telemetry import logger

log = logger("host")


class Intake:
    """`arrival_ms` is the journaled time by which records from Kafka are judged to be from the future."""

    def __init__(
        self, engine: Engine, times: Mapping[str, SourceTime], accounts: Accounts, schedule: Schedule
    ) -> None:
        self.arrival_ms = 0
        self._engine, self._times, self._accounts, self._schedule = engine, times, accounts, schedule

    def ingest(self, payloads: Payloads) -> None:
        """Decode and store; what was ingested before (read again after a rebalance) is passed over."""
        source = self._times[payloads.source]
        feed = source.feed
        if feed.replayable:
            position = source.positions.get(payloads.partition, -1)
            if payloads.next_offset <= position:
                if not source.rewound(payloads.partition):
                    return
                log.warning("partition begins anew", partition=payloads.partition, position=position)
            elif len(payloads) and payloads.offset[0] < position:
                payloads = payloads.split(position)[1]
            payloads = msgspec.structs.replace(payloads, arrival_ms=self.arrival_ms)
        oldest_ms, newest_ms = self._store(feed, payloads)
        source.observe(payloads.partition, payloads.next_offset, oldest_ms, newest_ms)
        if newest_ms:
            self._schedule.arrived(feed.name, newest_ms)

    def _store(self, feed: Feed, payloads: Payloads) -> tuple[int, int]:
        """Returns the times of the first and of the newest sample, 0 if there was none."""
        decoded = feed.decoders[payloads.format].decode(payloads)
        batch = decoded.batch
        if feed.replayable or not payloads.partition:
            stored, dropped = self._engine.ingest(feed.name, batch, feed.series_limit)
        else:
            stored, dropped = self._engine.ingest_target(
                feed.name, payloads.partition, batch, payloads.arrival_ms, feed.series_limit
            )
        self._accounts.add("records", len(payloads), feed.name)
        self._accounts.add("samples", stored, feed.name)
        for reason, count in dropped.items():
            self._accounts.add("samples_dropped", count, feed.name, reason)
        for _, reason in decoded.refused:
            self._accounts.add("records_refused", 1, feed.name, reason)
        if decoded.refused and feed.refused is not None:
            feed.refused(payloads, decoded.refused)
        if not len(batch):
            return 0, 0
        return int(batch.timestamp_ms[0]), int(batch.timestamp_ms.max())


def entry_of(payloads: Payloads) -> InputEntry:
    """What the journal keeps of payloads that cannot be read again."""
    body = [payloads.record(row) for row in range(len(payloads))]
    return InputEntry(
        payloads.source,
        payloads.partition,
        payloads.format,
        body,
        payloads.arrival_ms,
        payloads.target.pairs,
    )


def payloads_of(entry: InputEntry) -> Payloads:
    """The payloads that `entry_of` was given."""
    ends = np.cumsum([len(record) for record in entry.body], dtype=np.int64)
    rows = np.arange(len(entry.body), dtype=np.int64)
    return Payloads(
        source=entry.source,
        partition=entry.partition,
        format=entry.format,
        buffer=np.frombuffer(b"".join(entry.body), np.uint8),
        start=np.concatenate([np.zeros(1, np.int64), ends[:-1]]),
        end=ends,
        offset=rows,
        record_ms=np.full(len(rows), -1, np.int64),
        next_offset=len(rows),
        arrival_ms=entry.arrival_ms,
        target=Labels(entry.target),
    )
