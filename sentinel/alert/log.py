"""The alert event log: a local, synced, append-only file between deciding and telling.

One writer (the engine's thread) appends; any number of readers (the pipeline, the alert topic) keep positions
of their own. A position is the number of bytes ever written before it, so it grows over all segments and
finds its place without an index. A segment is named by the position of its first byte.

Events are synced while the journal's entry that led to them is, and shown to readers when both are: so each
says which entry that is, and after a power cut those are cut off whose entry is not in the journal.
"""

from __future__ import annotations

import os
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from sentinel.errors import StateError
from sentinel.model import AlertEvent, Labels
from sentinel.store.frames import cut_torn_tail, frame, frames, sync_folder
from sentinel.telemetry import logger

_LOG = logger("alert")
E = TypeVar("E", bound=AlertEvent)


def _from_labels(value: Any) -> Any:
    if isinstance(value, Labels):
        return value.pairs
    raise NotImplementedError(f"{type(value).__name__} in an alert event")


def _to_labels(kind: type, value: Any) -> Any:
    return Labels([(name, text) for name, text in value]) if kind is Labels else kind(value)


_RECENT: Final = 1000
"""So many of the newest events are at hand without reading the file."""


class _Logged(AlertEvent, frozen=True, kw_only=True):
    """As an event stands in the file: with the number of the journal's entry that it follows from."""

    entry: int = 0


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_from_labels)
_DECODER: Final = msgspec.msgpack.Decoder(AlertEvent, dec_hook=_to_labels)
_LOGGED: Final = msgspec.msgpack.Decoder(_Logged, dec_hook=_to_labels)


def _logged(event: AlertEvent, entry: int) -> AlertEvent:
    return _Logged(**msgspec.structs.asdict(event), entry=entry) if entry else event


def encode_event(event: AlertEvent) -> bytes:
    """An event as msgpack, fields by name: a newer release may add some."""
    return _ENCODER.encode(event)


def decode_event(data: bytes) -> AlertEvent:
    return _DECODER.decode(data)


class AlertLog:
    """Alert events in the order in which they were decided.

    `start` and `end` are the positions of the first event kept and behind the last one synced.
    Raises StateError where the folder cannot be written or a segment is damaged before its tail.
    """

    def __init__(self, folder: Path, segment_bytes: int = 64 << 20) -> None:
        self._folder, self._segment_bytes = folder, segment_bytes
        self._known: set[str] | None = None
        self._lock = threading.Lock()
        self._recent: deque[tuple[int, AlertEvent]] = deque()
        self._recent_lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            found = sorted(int(path.stem) for path in folder.glob("*.log"))
            self._starts: tuple[int, ...] = tuple(found) or (0,)
            path = self._path(self._starts[-1])
            path.touch()
            kept, torn = cut_torn_tail(path)
            sync_folder(folder)
        except OSError as error:
            raise StateError(f"the alert log in {folder} cannot be opened: {error}") from error
        if torn:
            _LOG.warning("torn_tail_cut", file=path.name, bytes=torn)
        self.end = self._recent_from = self._starts[-1] + kept
        self._unseen: list[tuple[int, AlertEvent]] = []
        self._file = path.open("r+b", buffering=0)
        os.fdatasync(self._file.fileno())  # what was written before a kill is shown from now on

    @property
    def start(self) -> int:
        return self._starts[0]

    def append(self, events: Sequence[AlertEvent]) -> int:
        """Writes, syncs and shows; returns the new end. Skips ids seen since `remember`."""
        self.add(events)
        self.show()
        return self.end

    def add(self, events: Sequence[AlertEvent], entry: int = 0) -> None:
        """Writes and syncs what follows from the journal's entry of this number; seen after `show`."""
        fresh = self._unknown(events)
        if fresh:
            pieces = [frame(_ENCODER.encode(_logged(event, entry))) for event in fresh]
            with self._lock:
                self._write(b"".join(pieces))
            ends = accumulate(map(len, pieces), initial=self.end)
            self._unseen = list(zip(islice(ends, 1, None), fresh, strict=True))
            if self._known is not None:
                self._known.update(event.id for event in fresh)

    def show(self) -> None:
        """Readers may have what was added."""
        if self._unseen:
            with self._recent_lock:
                self._recent += self._unseen
                while len(self._recent) > _RECENT:
                    self._recent_from = self._recent.popleft()[0]
            self.end, self._unseen = self._unseen[-1][0], []

    def _unknown(self, events: Sequence[AlertEvent]) -> Sequence[AlertEvent]:
        if self._known is None:
            return events
        return [each for each in {event.id: event for event in events}.values() if each.id not in self._known]

    def _write(self, data: bytes) -> None:
        offset = self.end - self._starts[-1]
        try:
            if offset and offset + len(data) > self._segment_bytes:
                self._roll()
                offset = 0
            try:
                rest, at = memoryview(data), offset
                while rest:
                    written = os.pwrite(self._file.fileno(), rest, at)
                    rest, at = rest[written:], at + written
                os.fdatasync(self._file.fileno())
            except OSError:
                self._file.truncate(offset)  # half an append must not stand before the next one
                raise
        except OSError as error:
            raise StateError(f"the alert log in {self._folder} cannot be written: {error}") from error

    def _roll(self) -> None:
        file = self._path(self.end).open("w+b", buffering=0)
        sync_folder(self._folder)
        self._file.close()
        self._file, self._starts = file, (*self._starts, self.end)

    def remember(self, since: int, entry: int) -> None:
        """Learns the ids at or after `since`: a restarted engine repeats what came after its snapshot.

        The journal's last entry is `entry`. What follows from later ones, that a power cut took, was shown to
        nobody and is cut off. To be called before anybody reads.
        """
        kept, self._known = since, set()
        for position, event in self._decoded(since, _LOGGED):
            if event.entry > entry:
                self._cut(max(kept, self.start))
                return
            kept = position
            self._known.add(event.id)

    def _cut(self, end: int) -> None:
        _LOG.warning("undecided_cut", bytes=self.end - end)
        try:
            self._file.close()
            for start in [start for start in self._starts if start > end]:
                self._path(start).unlink()
            self._starts = tuple(start for start in self._starts if start <= end)
            self._file = self._path(self._starts[-1]).open("r+b", buffering=0)
            self._file.truncate(end - self._starts[-1])
            os.fsync(self._file.fileno())
            sync_folder(self._folder)
        except OSError as error:
            raise StateError(f"the alert log in {self._folder} cannot be cut: {error}") from error
        self.end = self._recent_from = end

    def forget(self) -> None:
        """The replay is over: the ids may go."""
        self._known = None

    def read(self, position: int, limit: int = 1000) -> list[tuple[int, AlertEvent]]:
        """Up to `limit` of (position behind the event, event) from `position`; safe from any thread."""
        return list(islice(self._decoded(position, _DECODER), limit))

    def recent(self, position: int) -> list[tuple[int, AlertEvent]] | None:
        """All from `position`, where none of it has to be read from the file; safe from any thread."""
        with self._recent_lock:
            if position < self._recent_from:
                return None
            return [each for each in self._recent if each[0] > position]

    def _decoded(self, position: int, decoder: msgspec.msgpack.Decoder[E]) -> Iterator[tuple[int, E]]:
        starts, end = self._starts, self.end  # only what was synced before this line is shown
        position = max(position, starts[0])
        for at in range(bisect_right(starts, position) - 1, len(starts)):
            stop = min(end, starts[at + 1]) if at + 1 < len(starts) else end
            for offset, payload in frames(self._path(starts[at]), position - starts[at]):
                if starts[at] + offset > stop:
                    break
                position = starts[at] + offset
                yield position, decoder.decode(payload)
            if position < stop:
                raise StateError(
                    f"{self._path(starts[at])} is damaged at byte {position - starts[at]}; "
                    "move the alert log's folder away to start with an empty one"
                )

    def trim(self, before: int) -> None:
        """Removes whole segments that lie before `before`, where every reader has passed."""
        with self._lock:
            gone = [
                s for s, following in zip(self._starts, self._starts[1:], strict=False) if following <= before
            ]
            self._starts = self._starts[len(gone) :]
        for start in gone:
            self._path(start).unlink(missing_ok=True)

    def close(self) -> None:
        self._file.close()

    def _path(self, start: int) -> Path:
        return self._folder / f"{start:020d}.log"
