"""From payloads to samples in the store, with every record and sample accounted for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from sentinel.engine import Engine
from sentinel.host.accounts import Accounts
from sentinel.host.feed import Feed
from sentinel.host.schedule import Schedule
from sentinel.host.suspects import JOURNAL, Activity, Suspects
from sentinel.host.watermarks import SourceTime
from sentinel.model import Decoded, Labels, Payloads
from sentinel.store.journal import InputEntry
from sentinel.telemetry import logger

log = logger("host")


class Intake:
    """`arrival_ms` is the journaled time by which records from Kafka are judged to be from the future."""

    def __init__(
        self,
        engine: Engine,
        times: Mapping[str, SourceTime],
        accounts: Accounts,
        schedule: Schedule,
        suspects: Suspects,
    ) -> None:
        self.arrival_ms = 0
        self._engine, self._times, self._accounts, self._schedule = engine, times, accounts, schedule
        self._suspects = suspects

    def ingest(self, payloads: Payloads, number: int = 0) -> None:
        """Decode and store; what was ingested before (read again after a rebalance) is passed over.

        `number` is the journal's, of payloads that came from no partition.
        """
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
        oldest_ms, newest_ms = self._take(feed, payloads, number)
        source.observe(payloads.partition, payloads.next_offset, oldest_ms, newest_ms)
        if newest_ms:
            self._schedule.arrived(newest_ms)

    def _take(self, feed: Feed, payloads: Payloads, number: int) -> tuple[int, int]:
        """Store what may be stored; the times of the first and of the newest sample, 0 if there was none."""
        oldest_ms = newest_ms = 0
        part = payloads.partition if feed.replayable else f"{JOURNAL}{number}"
        for piece, set_aside in self._suspects.pieces(payloads, part):
            self._accounts.add("records", len(piece), feed.name)
            if set_aside:
                self._refuse(feed, piece, [(row, "set_aside") for row in range(len(piece))])
                continue
            if len(piece):
                bounds = int(piece.offset[0]), int(piece.offset[-1]) + 1
                self._suspects.enter(Activity("batch", feed.name, part, *bounds))
            for good, decoded in self._decode(feed, piece):
                first_ms, last_ms = self._store(feed, good, decoded)
                oldest_ms, newest_ms = oldest_ms or first_ms, max(newest_ms, last_ms)
            self._suspects.leave()
        return oldest_ms, newest_ms

    def _decode(self, feed: Feed, payloads: Payloads) -> Iterator[tuple[Payloads, Decoded]]:
        """A decoder that fails on a record costs that record, not its neighbours and not the daemon."""
        try:
            decoded = feed.decoders[payloads.format].decode(payloads)
        except Exception as error:  # a decoder raises nothing: this is a bug in one
            if len(payloads) > 1:
                head, tail = payloads.split(int(payloads.offset[len(payloads) // 2]))
                yield from self._decode(feed, head)
                yield from self._decode(feed, tail)
                return
            where = {"source": feed.name, "partition": payloads.partition, "offset": payloads.offset.tolist()}
            log.error("decoder failed", error=repr(error)[:200], **where)
            self._refuse(feed, payloads, [(row, "decoder_failed") for row in range(len(payloads))])
            return
        yield payloads, decoded

    def _store(self, feed: Feed, payloads: Payloads, decoded: Decoded) -> tuple[int, int]:
        batch = decoded.batch
        if feed.replayable or not payloads.partition:
            stored, dropped = self._engine.ingest(feed.name, batch, feed.series_limit)
        else:
            stored, dropped = self._engine.ingest_target(
                feed.name, payloads.partition, batch, payloads.arrival_ms, feed.series_limit
            )
        self._accounts.add("samples", stored, feed.name)
        for reason, count in dropped.items():
            self._accounts.add("samples_dropped", count, feed.name, reason)
        self._refuse(feed, payloads, decoded.refused)
        if not len(batch):
            return 0, 0
        return int(batch.timestamp_ms[0]), int(batch.timestamp_ms.max())

    def _refuse(self, feed: Feed, payloads: Payloads, rows: list[tuple[int, str]]) -> None:
        for _, reason in rows:
            self._accounts.add("records_refused", 1, feed.name, reason)
        if rows and feed.refused is not None:
            feed.refused(payloads, rows)


def payloads_of(entry: InputEntry) -> Payloads:
    """The payloads that the entry was made of."""
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
