"""Windows that a rule asks for anew are filled from Kafka, where the past is still to be read.

What is read again is one more input with positions of its own. They are journaled with every evaluation and
kept with every snapshot, as those of the sources are, and a past is not begun before a snapshot that knows
of it is on disk: so a replay after a crash puts the same samples between the same evaluations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from prometheus_client import Counter

from sentinel.engine import Engine
from sentinel.host.feed import Feed
from sentinel.host.suspects import Activity, Suspects
from sentinel.host.watermarks import SourceTime
from sentinel.ingest.past import Past, PastReader
from sentinel.model import Payloads
from sentinel.telemetry import REFILL_PENDING, REGISTRY, logger

log = logger("host")

BEHIND_MS: Final = 10_000
"""While a source is further behind, the past has to wait."""
RECORDS = Counter(
    "sentinel_refill_records_total",
    "Records read again to fill windows.",
    ["source"],
    registry=REGISTRY,
)
REFUSED = Counter(
    "sentinel_refill_records_refused_total",
    "Records read again that could not be decoded.",
    ["source", "reason"],
    registry=REGISTRY,
)
SAMPLES = Counter(
    "sentinel_refill_samples_total",
    "Samples stored that were read again.",
    ["source"],
    registry=REGISTRY,
)
DROPPED = Counter(
    "sentinel_refill_samples_dropped_total",
    "Samples read again and not stored: there already, not asked for, too late.",
    ["source", "reason"],
    registry=REGISTRY,
)


class Refill:
    """One past of each source at most. Methods belong to the engine's thread."""

    def __init__(self, engine: Engine, times: Mapping[str, SourceTime], suspects: Suspects) -> None:
        self.times: dict[str, SourceTime] = {}
        """How far each past is read, by its name."""
        self._engine, self._sources, self._suspects = engine, times, suspects
        self._readers: dict[str, PastReader] = {}
        self._pasts: dict[str, Past] = {}
        """By source, the one that is read or was read last."""
        self._planned: dict[str, int] = {}
        """By source, the change of the demands that it was last looked at for."""
        self._waiting: set[str] = set()
        """Sources whose past no snapshot knows of yet."""

    def attach(self, feeds: Sequence[Feed]) -> None:
        """The sources; before `restore`."""
        self._readers = {feed.name: feed.past for feed in feeds if feed.past is not None}

    def plan(self) -> bool:
        """Whether there is a new past to read; a snapshot is to follow at once."""
        changes = self._engine.past.changes
        due = [source for source in self._readers if self._planned.get(source, 0) != changes]
        planned = [source for source in due if self._plan(source, changes)]
        return bool(planned)

    def kept(self, names: Collection[str]) -> None:
        """A snapshot is on disk that knows the pasts of these names: they may be begun."""
        for source in [each for each in self._waiting if self._pasts[each].name in names]:
            self._begin(source)

    def give_way(self, now_ms: int, *, busy: bool) -> None:
        """Reads on only while there is nothing better to do."""
        behind = any(time.catching_up(now_ms, BEHIND_MS) for time in self._sources.values())
        for reader in self._readers.values():
            reader.paused = busy or behind

    def ingest(self, payloads: Payloads, arrival_ms: int) -> None:
        """Takes a piece of a past in, what was taken in before excepted."""
        time = self.times[payloads.source]
        position = time.positions.get(payloads.partition, -1)
        if payloads.next_offset <= position:
            return
        payloads = payloads.split(position)[1]
        payloads = msgspec.structs.replace(payloads, arrival_ms=arrival_ms)
        (source,) = (source for source, past in self._pasts.items() if past.name == payloads.source)
        for piece, set_aside in self._suspects.pieces(payloads, payloads.partition):
            RECORDS.labels(source).inc(len(piece))
            if set_aside:
                REFUSED.labels(source, "set_aside").inc(len(piece))
            elif len(piece):
                bounds = int(piece.offset[0]), int(piece.offset[-1]) + 1
                self._suspects.enter(Activity("batch", payloads.source, payloads.partition, *bounds))
                self._store(source, time.feed, piece)
            self._suspects.leave()
        self._moved(source, time, payloads)

    def snapshot(self) -> dict[str, Any]:
        pasts = {source: msgspec.to_builtins(past) for source, past in self._pasts.items()}
        return {"pasts": pasts, "planned": dict(self._planned)}

    def restore(self, state: Mapping[str, Any], times: Mapping[str, Mapping[str, Any]]) -> None:
        """Goes on with the pasts that were not read to their ends; `times` holds how far that was."""
        self._planned = dict(state["planned"])
        pasts = msgspec.convert(state["pasts"], dict[str, Past])
        for source in self._readers.keys() & pasts.keys():
            self._open(source, pasts[source])
            self.times[pasts[source].name].restore(dict(times[pasts[source].name]))
            if self._left(source):
                self._begin(source)

    def _plan(self, source: str, changes: int) -> bool:
        """False where nothing is to be read, or where it is not known yet how far the source was read."""
        time = self._sources[source]
        here = time.feed.upstream.partitions() if time.feed.upstream.assigned else {}
        until = {partition: end for partition, end in time.positions.items() if end > 0 and partition in here}
        if not until:
            return False
        from_ms = self._engine.past.missing_since_ms(self._engine.mask((source,)))
        self._planned[source] = changes
        self._close(source)
        if from_ms:
            self._open(source, Past(f"{source} (past {changes})", from_ms, until))
            self._waiting.add(source)
        return bool(from_ms)

    def _open(self, source: str, past: Past) -> None:
        feed = msgspec.structs.replace(
            self._sources[source].feed, name=past.name, upstream=self._readers[source]
        )
        self._pasts[source], self.times[past.name] = past, SourceTime(feed)

    def _close(self, source: str) -> None:
        """What is still on its way of an older past has no place any more."""
        if past := self._pasts.pop(source, None):
            del self.times[past.name]
            self._readers[source].begin(None)
        self._waiting.discard(source)
        REFILL_PENDING.labels(source).set(0)

    def _begin(self, source: str) -> None:
        past = self._pasts[source]
        self._waiting.discard(source)
        self._readers[source].begin(past)
        log.info("windows are being filled", source=source, partitions=len(past.until), since_ms=past.from_ms)

    def _store(self, source: str, feed: Feed, payloads: Payloads) -> None:
        try:
            decoded = feed.decoders[payloads.format].decode(payloads)
        except Exception as error:  # a decoder raises nothing: this is a bug in one
            log.error("decoder failed", source=payloads.source, error=repr(error)[:200])
            REFUSED.labels(source, "decoder_failed").inc(len(payloads))
            return
        for _, reason in decoded.refused:
            REFUSED.labels(source, reason).inc()
        bit = self._engine.mask((source,))
        stored, dropped = self._engine.past.ingest(decoded.batch, bit, feed.series_limit)
        SAMPLES.labels(source).inc(stored)
        for reason, count in dropped.items():
            DROPPED.labels(source, reason).inc(count)

    def _left(self, source: str) -> int:
        """Offsets that are not read yet."""
        past = self._pasts[source]
        positions = self.times[past.name].positions
        left = sum(max(0, end - positions.get(partition, 0)) for partition, end in past.until.items())
        REFILL_PENDING.labels(source).set(left)
        return left

    def _moved(self, source: str, time: SourceTime, payloads: Payloads) -> None:
        before = self._left(source)
        time.observe(payloads.partition, payloads.next_offset, 0, 0)
        if before and not self._left(source):
            past = self._pasts[source]
            since_ms = max(past.from_ms, past.begins_ms)
            if self._planned[source] == self._engine.past.changes:  # else another past is to be read
                self._engine.past.filled(self._engine.mask((source,)), since_ms)
            log.info("windows filled", source=source, whole=since_ms == past.from_ms)
