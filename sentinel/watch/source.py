"""A watched cluster as a source of samples: a poll every interval, checks over what it saw, two feeds.

`watch/<name>` carries what is true of a silent cluster too, above all that it is silent. All else is carried
by `watch/<name>/state`, which is disconnected while nobody answers: rules over it stand still, so that no
alert resolves because a whole cluster is gone.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol

import msgspec
from prometheus_client import Counter, Histogram

from sentinel.clock import Clock
from sentinel.ingest.scrape import SNAP_MS, next_time
from sentinel.ingest.source import PartitionStatus, Sink
from sentinel.model import Labels, Payloads, payload_of
from sentinel.telemetry import REGISTRY, logger
from sentinel.watch.check import Check, speaks_of_silence
from sentinel.watch.config import ClusterConfig
from sentinel.watch.exposition import exposition
from sentinel.watch.names import told
from sentinel.watch.snapshot import ClusterSnapshot, Part

POLLS = Counter(
    "sentinel_watch_polls_total", "Polls of a watched cluster.", ["cluster", "outcome"], registry=REGISTRY
)
POLL_SECONDS = Histogram(
    "sentinel_watch_poll_seconds",
    "How long a poll of a watched cluster took.",
    ["cluster"],
    registry=REGISTRY,
)
SKIPPED = Counter(
    "sentinel_watch_skipped_total",
    "Polls left out because the one before took longer than the interval.",
    ["cluster"],
    registry=REGISTRY,
)

FAILED = Counter(
    "sentinel_watch_checks_failed_total",
    "Checks that failed over what a poll saw: a bug in them.",
    ["cluster", "check"],
    registry=REGISTRY,
)

FRESH_INTERVALS: Final = 3
"""So many intervals (and a time-out) after an answered poll its cluster's state is still held to be known."""

Outcome = Literal["answered", "incomplete", "unanswered"]


class Poller(Protocol):
    """Who asks the brokers."""

    async def poll(self, needs: frozenset[Part]) -> ClusterSnapshot:
        """What the cluster shows now, of these parts. Bounded in time."""
        ...

    async def close(self) -> None: ...


class WatchFeed:
    """One feed, as the host sees its source."""

    def __init__(self, name: str, connected_until_ms: float) -> None:
        self.name, self.assigned = name, False
        self.connected_until_ms = connected_until_ms

    def partitions(self) -> Mapping[str, PartitionStatus]:
        return {}

    def connected(self, now_ms: int) -> bool:
        return self.assigned and now_ms <= self.connected_until_ms


def feed_names(cluster: str) -> tuple[str, str]:
    """What a cluster's two feeds are called."""
    return f"watch/{cluster}", f"watch/{cluster}/state"


class WatchSource:
    """One cluster. `liveness` and `state` are its feeds."""

    def __init__(
        self, config: ClusterConfig, poller: Poller, sink: Sink, checks: Sequence[Check], *, clock: Clock
    ) -> None:
        self._config, self._poller, self._sink, self._clock = config, poller, sink, clock
        liveness, state = feed_names(config.name)
        self.liveness, self.state = WatchFeed(liveness, math.inf), WatchFeed(state, 0)
        self._checks = sorted(checks, key=speaks_of_silence, reverse=True)
        self._needs = frozenset[Part]().union(*(check.needs for check in checks))
        self._fresh_ms = FRESH_INTERVALS * config.interval + round(config.timeout_seconds * 1000)
        self._target = Labels({"cluster": config.name})
        self._log = logger("watch").bind(cluster=config.name)
        self._outcome: Outcome = "answered"
        self._missing: frozenset[Part] = frozenset()

    async def run(self) -> None:
        """Until cancelled. Polls start at whole multiples of the interval."""
        self.liveness.assigned = self.state.assigned = True
        due_ms = 0
        try:
            while True:
                due_ms = self._next_due(due_ms)
                await asyncio.sleep((due_ms - self._clock.now_ms()) / 1000)
                now_ms = self._clock.now_ms()
                await self._poll_once(due_ms if abs(now_ms - due_ms) <= SNAP_MS else now_ms)
        finally:
            await self._poller.close()

    def _next_due(self, last_ms: int) -> int:
        """The slot after the one of `last_ms` (0: there was none); slots that a poll ran over are skipped."""
        interval = int(self._config.interval)
        due_ms = next_time(self._clock.now_ms(), interval, 0)
        if due_ms == last_ms:
            due_ms += interval  # timers fire a moment early
        if last_ms:
            SKIPPED.labels(self._config.name).inc(max(0, (due_ms - last_ms) // interval - 1))
        return due_ms

    async def _poll_once(self, start_ms: int) -> None:
        snapshot = await self._look(start_ms)
        if not snapshot.answered:
            self.state.connected_until_ms = 0
        for payloads in await asyncio.to_thread(self._judge, snapshot, start_ms):
            await self._sink.put(payloads)
        if snapshot.answered:
            self.state.connected_until_ms = start_ms + self._fresh_ms

    async def _look(self, start_ms: int) -> ClusterSnapshot:
        """One poll; if it fails for a reason outside, nobody answered."""
        began, error = time.perf_counter(), "no broker answered"
        try:
            snapshot = await self._poller.poll(self._needs)
        except AssertionError:
            raise
        except Exception as failure:
            snapshot, error = ClusterSnapshot(start_ms, answered=False), repr(failure)
        outcome: Outcome = "unanswered"
        if snapshot.answered:
            outcome = "incomplete" if snapshot.incomplete else "answered"
        POLL_SECONDS.labels(self._config.name).observe(time.perf_counter() - began)
        POLLS.labels(self._config.name, outcome).inc()
        self._tell(outcome, snapshot.incomplete if snapshot.answered else frozenset(), error)
        return snapshot

    def _judge(self, snapshot: ClusterSnapshot, start_ms: int) -> list[Payloads]:
        """What the checks say, in a thread: of a large cluster it is much."""
        checks = [check for check in self._checks if snapshot.answered or speaks_of_silence(check)]
        found = (self._guarded(check, snapshot, start_ms) for check in checks)
        return [payloads for payloads in found if payloads is not None]

    def _guarded(self, check: Check, snapshot: ClusterSnapshot, start_ms: int) -> Payloads | None:
        """A check that fails costs what it would have said, and nothing else."""
        try:
            return self._payloads(check, snapshot, start_ms)
        except Exception as error:  # a bug in a plug-in
            FAILED.labels(self._config.name, check.name).inc()
            self._log.error("check failed", check=check.name, error=repr(error)[:200])
            return None

    def _payloads(self, check: Check, snapshot: ClusterSnapshot, start_ms: int) -> Payloads:
        """With a partition it is all that there is of it; without, what is missing stays as it was."""
        feed = self.liveness if speaks_of_silence(check) else self.state
        families = told(check.check(snapshot), snapshot, self._config.names)
        body = exposition(families)
        payloads = payload_of(feed.name, "openmetrics", body, arrival_ms=start_ms, target=self._target)
        complete = snapshot.answered and not check.needs & snapshot.incomplete
        return msgspec.structs.replace(payloads, partition=check.name if complete else "")

    def _tell(self, outcome: Outcome, missing: frozenset[Part], error: str) -> None:
        """Logs changes, not every poll."""
        silent, was_silent = outcome == "unanswered", self._outcome == "unanswered"
        if silent and not was_silent:
            self._log.warning("cluster unreachable", error=error)
        elif was_silent and not silent:
            self._log.info("cluster answers again")
        if not silent and missing != self._missing:
            level = self._log.warning if missing else self._log.info
            level("polls are incomplete" if missing else "polls are complete again", parts=sorted(missing))
            self._missing = missing
        self._outcome = outcome
