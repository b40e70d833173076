"""After a crash: the journal's advances again, each after exactly the inputs that came before it.

Records are read again from Kafka by offset and held back here until the journal asks for them. A source that
stays away is not waited for: its rules stand still, and paging goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from sentinel.host.intake import payloads_of
from sentinel.host.watermarks import SourceTime
from sentinel.model import Payloads
from sentinel.store.journal import AdvanceEntry, Entry

PATIENCE_MS: Final = 15_000
"""How long a disconnected source is waited for."""
_END: Final[tuple[int, Entry | None]] = (0, None)


class Replay:
    """`ingest` and `advance` are the host's: what it also does when it runs live."""

    def __init__(
        self,
        entries: Iterator[tuple[int, Entry]],
        times: Mapping[str, SourceTime],
        ingest: Callable[[Payloads, int], None],
        advance: Callable[[AdvanceEntry], None],
    ) -> None:
        self._entries, self._times = entries, times
        self._ingest, self._advance = ingest, advance
        self._held: dict[tuple[str, str], deque[Payloads]] = {}
        self._number, self._entry = next(entries, _END)
        self._since_ms = 0
        self._given_up: set[str] = set()

    @property
    def done(self) -> bool:
        return self._entry is None

    def hold(self, payloads: Payloads) -> None:
        self._held.setdefault((payloads.source, payloads.partition), deque()).append(payloads)

    def rest(self) -> list[Payloads]:
        """What was held back and is not part of the replay: to be ingested as if it came now."""
        rest = [payloads for queue in self._held.values() for payloads in queue]
        self._held.clear()
        return rest

    def go_on(self, now_ms: int) -> None:
        """As far as the records at hand allow."""
        while self._entry is not None:
            if isinstance(self._entry, AdvanceEntry):
                if not self._reached(self._entry, now_ms):
                    return
                self._advance(self._without_given_up(self._entry))
            else:
                self._ingest(payloads_of(self._entry), self._number)
            self._since_ms = now_ms
            self._number, self._entry = next(self._entries, _END)

    def _reached(self, entry: AdvanceEntry, now_ms: int) -> bool:
        """Ingest up to the entry's positions; whether all of them are reached."""
        self._since_ms = self._since_ms or now_ms
        missing = False
        for source, positions in entry.positions.items():
            time = self._times.get(source)
            if time is None or source in self._given_up:
                continue
            waiting = [p for p, offset in positions.items() if not self._read_to(time, source, p, offset)]
            if waiting and now_ms - self._since_ms > PATIENCE_MS and not time.feed.upstream.connected(now_ms):
                self._given_up.add(source)
            missing = missing or (bool(waiting) and source not in self._given_up)
        return not missing

    def _read_to(self, time: SourceTime, source: str, partition: str, offset: int) -> bool:
        queue = self._held.get((source, partition), deque())
        while queue and time.positions.get(partition, 0) < offset:
            payloads = queue.popleft()
            if payloads.next_offset > offset:
                payloads, rest = payloads.split(offset)
                queue.appendleft(rest)
            self._ingest(payloads, 0)
        return time.positions.get(partition, 0) >= offset or self._out_of_reach(time, partition, offset)

    def _out_of_reach(self, time: SourceTime, partition: str, offset: int) -> bool:
        """Another member of the group has the partition now, or the topic was made anew."""
        partitions = time.feed.upstream.partitions() if time.feed.upstream.assigned else {}
        status = partitions.get(partition)
        return bool(partitions) and (status is None or 0 <= status.end < offset)

    def _without_given_up(self, entry: AdvanceEntry) -> AdvanceEntry:
        if not self._given_up:
            return entry
        held = tuple(sorted(self._given_up))
        steps = tuple(msgspec.structs.replace(s, held=(*s.held, *held)) for s in entry.steps)
        return msgspec.structs.replace(entry, steps=steps)
