"""Which groups are due, and at which event times."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from sentinel.engine import Engine
from sentinel.host.watermarks import SourceTime
from sentinel.rules.group import RunningGroup
from sentinel.store.journal import Step

ARRIVAL_PAUSE_MS: Final = 10
"""An `on_arrival` group is evaluated at most this often."""
START_GRACE_MS: Final = 10_000
"""At first groups wait this long for sources to say what they hold."""
GAP_MS: Final = 30_000
"""A group over pushed or scraped samples that was not evaluated for longer goes on with the present."""
BLOCKED_MS: Final = 50
BACKLOG_MS: Final = 10_000
MOST_STEPS: Final = 20_000
"""A backlog of more evaluations than this is entered at its end: one odd timestamp must not cost a year."""


class Readiness(msgspec.Struct, frozen=True):
    """How far a group may be evaluated now; `until_ms` 0: it stands still."""

    until_ms: int
    held: tuple[str, ...] = ()
    incomplete: bool = False


class Schedule:
    def __init__(
        self, engine: Engine, times: Mapping[str, SourceTime], *, spread: bool, started_ms: int
    ) -> None:
        self._engine, self._times, self._spread = engine, times, spread
        self._started_ms = started_ms
        self._begun: dict[str, int] = {}
        self._arrived: dict[str, int] = {}
        self._arrival_done: dict[str, int] = {}

    def arrived(self, newest_ms: int) -> None:
        """A batch was ingested; groups that want to look at once and read of it are noted."""
        for key in self._engine.arrivals.take():
            self._arrived[key] = max(newest_ms, self._arrived.get(key, 0))

    def due(self, now_ms: int) -> list[Step]:
        """The steps that are due, in order of event time."""
        unknown = [name for name, time in self._times.items() if not time.started()]
        grace = bool(unknown) and now_ms - self._started_ms < START_GRACE_MS
        steps: list[Step] = []
        for group in self._engine.groups.values():
            if grace and self._may_wait_for(group, unknown):
                continue
            ready = self.readiness(group, now_ms)
            regular = self._regular(group, ready)
            steps += regular
            steps += self._on_arrival(group, ready, regular, now_ms)
        steps.sort(key=lambda step: step.at_ms)
        return steps

    def wait_ms(self, now_ms: int) -> int:
        """How long nothing will be due if nothing comes in; at most a second.

        What is overdue waits for its sources: they are looked at now and then.
        """
        waits = [1000]
        for group in self._engine.groups.values():
            if group.last_ms:
                waits.append(self._next(group, group.last_ms) - now_ms)
            if group.key in self._arrived:
                waits.append(max(self._arrived[group.key], self._pause_over(group)) - now_ms)
        return min(wait if wait > 0 else BLOCKED_MS for wait in waits)

    def catching_up(self, group: RunningGroup, now_ms: int) -> bool:
        """Whether a backlog is evaluated: what fires may be over already. Standing still is none."""
        ready = self.readiness(group, now_ms)
        if not ready.until_ms:
            return False
        if ready.until_ms - group.last_ms > max(2 * group.spec.interval_ms, BACKLOG_MS):
            return True
        sources = [self._times[name] for name in self._engine.names(group.sources())]
        return any(source.catching_up(now_ms, BACKLOG_MS) for source in sources)

    def readiness(self, group: RunningGroup, now_ms: int) -> Readiness:
        sources = self._engine.names(group.sources())
        held = tuple(name for name in sources if self._times[name].condition == "disconnected")
        if held and len(held) == len(sources):
            return Readiness(0)
        stuck = [name for name in sources if self._times[name].stuck(now_ms)]
        waited = [self._times[name].time_ms for name in sources if name not in held and name not in stuck]
        return Readiness(min([now_ms, *waited]), held, bool(stuck))

    def _regular(self, group: RunningGroup, ready: Readiness) -> list[Step]:
        interval = group.spec.interval_ms
        at = self._next(group, group.last_ms or self._begin(group, ready))
        if self._gap(group, ready) or ready.until_ms - at > MOST_STEPS * interval:
            at = self._next(group, ready.until_ms - interval)
        steps = []
        while 0 < at <= ready.until_ms:
            steps.append(Step(group.key, at, ready.held, ready.incomplete))
            at += interval
        return steps

    def _may_wait_for(self, group: RunningGroup, sources: list[str]) -> bool:
        """Whether one of these sources feeds the group, or may do so: a selector matches nothing yet."""
        selections = [selection for rule in group.rules for selection in rule.query.selections]
        empty = not selections or any(not len(selection.slots()) for selection in selections)
        return empty or bool(group.sources() & self._engine.mask(sources))

    def _gap(self, group: RunningGroup, ready: Readiness) -> bool:
        """Whether evaluations were missed for which there is no input: none is read again."""
        sources = self._engine.names(group.sources())
        missed_ms = ready.until_ms - group.last_ms
        if not group.last_ms or missed_ms < max(GAP_MS, 2 * group.spec.interval_ms):
            return False
        return not any(self._times[name].feed.replayable for name in sources)

    def _on_arrival(
        self, group: RunningGroup, ready: Readiness, regular: list[Step], now_ms: int
    ) -> list[Step]:
        """One more step at the time of what arrived, unless the group has a backlog to evaluate first."""
        newest = self._arrived.get(group.key)
        if newest is None or newest > now_ms or self._pause_over(group) > now_ms:
            return []
        if now_ms - ready.until_ms > 10_000 or len(regular) > 1:
            return []
        del self._arrived[group.key]
        self._arrival_done[group.key] = now_ms
        last = regular[-1].at_ms if regular else group.last_ms
        return [Step(group.key, max(newest, last + 1), ready.held, ready.incomplete)]

    def _pause_over(self, group: RunningGroup) -> int:
        return self._arrival_done.get(group.key, 0) + ARRIVAL_PAUSE_MS

    def _begin(self, group: RunningGroup, ready: Readiness) -> int:
        """A new group starts with the oldest sample its sources gave, or now."""
        if group.key not in self._begun and ready.until_ms:
            sources = self._engine.names(group.sources())
            firsts = [self._times[name].first_ms for name in sources if self._times[name].first_ms]
            self._begun[group.key] = min([ready.until_ms, *firsts]) - 1
        return self._begun.get(group.key, 0)

    def _next(self, group: RunningGroup, after_ms: int) -> int:
        """The first evaluation time behind `after_ms`."""
        interval = group.spec.interval_ms
        offset = _offset(group.key, interval) if self._spread else 0
        return (after_ms - offset) // interval * interval + interval + offset


@functools.lru_cache(maxsize=1 << 12)
def _offset(key: str, interval_ms: int) -> int:
    """Spreads groups over their interval, the same way in every process."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little") % interval_ms
