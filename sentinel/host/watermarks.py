"""How far each source's time has come: current, behind or disconnected."""

from __future__ import annotations

from typing import Any, Literal

from sentinel.host.feed import Feed

Condition = Literal["current", "behind", "disconnected"]

AHEAD_MS = 120_000
"""How far a partition may be read ahead of the slowest one, in event time."""
HEARD_WITHIN_MS = 5_000
"""A partition whose leader has not answered for longer is not known to be read to its end."""
RETURN_WITHIN_MS = 30_000
"""After an outage producers try again by and by: until something came, read to the end means nothing."""
SETTLE_MS = 2_000
"""And when something came, the other partitions' producers follow within this time."""
RESUME_WITHIN_MS = 60_000
"""After a restart a pushed or scraped source is held to be away until it gives something, at most so long."""


class SourceTime:
    """One source. `time_ms` never goes back; 0 means that nothing is known yet.

    Current: read to its end, so its time is the wall clock less `delay`. Behind: its time is the smallest
    watermark of the partitions with unread records. Disconnected: its time stands still.
    """

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.time_ms = 0
        self.first_ms = 0
        """Time of the first sample ever read from Kafka: where evaluating a backlog begins."""
        self.condition: Condition = "current"
        self.moved_ms = 0
        """When, by the wall clock, its time last moved."""
        self.resuming_until_ms = 0
        self.positions: dict[str, int] = {}
        """Next offset to ingest, by partition."""
        self._watermarks: dict[str, int] = {}
        self._ahead: frozenset[str] = frozenset()
        self._met = self._silent = self._given = False
        self._returning_until_ms = self._silent_ms = 0

    def observe(self, partition: str, next_offset: int, oldest_ms: int, newest_ms: int) -> None:
        """A payload was ingested; times of its first and its newest sample, 0 if it had none."""
        self.positions[partition] = next_offset
        self.resuming_until_ms = 0
        if newest_ms and self.feed.replayable:
            self._given = self._given or not self._silent or newest_ms >= self._silent_ms
            self._watermarks[partition] = max(newest_ms, self._watermarks.get(partition, 0))
            self.first_ms = min(oldest_ms, self.first_ms or oldest_ms)

    def update(self, now_ms: int) -> None:
        """Look at the outside world and move on."""
        self.condition, time_ms = self._look(now_ms)
        if time_ms > self.time_ms:
            self.time_ms, self.moved_ms = time_ms, now_ms

    def started(self) -> bool:
        """Whether it is known what the source holds: it gave something, or is read to its end."""
        return self.time_ms > 0

    def stuck(self, now_ms: int) -> bool:
        """Behind, and not moving for longer than others are made to wait."""
        return self.condition == "behind" and now_ms - self.moved_ms > self.feed.max_wait_ms

    def catching_up(self, now_ms: int, beyond_ms: int) -> bool:
        """Behind by more than `beyond_ms`, and moving."""
        behind = self.condition == "behind" and now_ms - self.time_ms > beyond_ms
        return behind and now_ms - self.moved_ms < beyond_ms

    def snapshot(self) -> dict[str, Any]:
        return {
            "time_ms": self.time_ms,
            "first_ms": self.first_ms,
            "positions": dict(self.positions),
            "watermarks": dict(self._watermarks),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.time_ms, self.first_ms = state["time_ms"], state["first_ms"]
        self.positions, self._watermarks = dict(state["positions"]), dict(state["watermarks"])

    def rewound(self, partition: str) -> bool:
        """Whether the broker's end lies before what we have read: the topic was deleted and made anew."""
        status = self.feed.upstream.partitions().get(partition)
        return status is not None and 0 <= status.end < self.positions.get(partition, 0)

    def resume(self, now_ms: int) -> None:
        """The daemon starts with this source's past restored: nobody knows yet what it holds now."""
        if not self.feed.replayable:
            self.resuming_until_ms = now_ms + RESUME_WITHIN_MS

    def _look(self, now_ms: int) -> tuple[Condition, int]:
        feed = self.feed
        if not feed.replayable:
            away = now_ms < self.resuming_until_ms or not feed.upstream.connected(now_ms)
            return ("disconnected", 0) if away else ("current", now_ms - feed.delay_ms)
        if not feed.upstream.connected(now_ms) or not feed.upstream.assigned:
            self._fell_silent(now_ms, self._met)
            return "disconnected", 0
        self._met = True
        unread, moving, quiet = [], [], False
        for partition, status in feed.upstream.partitions().items():
            read = self.positions.get(partition, -1)  # ingested, not merely on its way to us
            heard = now_ms - status.heard_ms <= HEARD_WITHIN_MS
            if heard and 0 <= status.end <= read:
                continue
            unread.append(self._watermarks.get(partition, 0))
            moving += unread[-1:] if heard else []
            quiet = quiet or (0 <= status.end <= read and partition not in self._ahead)
        self._align(min(moving, default=now_ms))
        self._fell_silent(now_ms, quiet)
        if not quiet and self._returning(now_ms):
            return "disconnected", 0
        if not unread:
            return "current", now_ms - feed.delay_ms
        return "behind", min(unread) - feed.delay_ms

    def _fell_silent(self, now_ms: int, silent: bool) -> None:
        """From here on what is given counts, if it is new: it may come before the return is looked at."""
        if silent:
            self._silent_ms = self._silent_ms if self._silent else now_ms
            self._silent, self._given = True, False

    def _returning(self, now_ms: int) -> bool:
        """Whether brokers answer again, but those who write to them may not have found back yet."""
        if self._silent:
            self._silent = False
            self._returning_until_ms = now_ms + RETURN_WITHIN_MS
        if self._given and now_ms < self._returning_until_ms:
            self._given = False
            self._returning_until_ms = min(self._returning_until_ms, now_ms + SETTLE_MS)
        return now_ms < self._returning_until_ms

    def _align(self, slowest_ms: int) -> None:
        """Hold partitions read far ahead of the slowest: windows must keep all they bring till then."""
        ahead = frozenset(p for p, newest in self._watermarks.items() if newest > slowest_ms + AHEAD_MS)
        if ahead != self._ahead:
            self._ahead = ahead
            self.feed.hold(ahead)
