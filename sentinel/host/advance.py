"""Evaluating what is due: journaled with the inputs that it follows, and durable before anybody is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sentinel.engine import Engine
from sentinel.host.durable import Durable
from sentinel.host.gauges import Gauges
from sentinel.host.intake import Intake
from sentinel.host.watermarks import SourceTime
from sentinel.model import AlertEvent
from sentinel.store.journal import AdvanceEntry, Step

TURN_SECONDS: Final = 0.1
"""A backlog of evaluations yields to the inbox this often."""


class Advance:
    """`inputs` are those with positions, to be read again; `told` is called when the log has grown."""

    def __init__(
        self,
        engine: Engine,
        durable: Durable,
        inputs: Mapping[str, SourceTime],
        intake: Intake,
        told: Callable[[], None],
    ) -> None:
        self.unfinished = False
        """Whether some of what was due last time is due still."""
        self._engine, self._durable, self._inputs, self._intake = engine, durable, inputs, intake
        self._told = told

    def due(self, steps: list[Step], now_ms: int, gauges: Gauges) -> None:
        """Evaluate for one turn; what remains is due again next time."""
        self.unfinished = False
        if not steps:
            return
        events: list[AlertEvent] = []
        until = time.monotonic() + TURN_SECONDS
        done: list[Step] = []
        for step in steps:
            begun = time.perf_counter()
            events += self._engine.advance([step])
            gauges.evaluated(step, time.perf_counter() - begun)
            done.append(step)
            if time.monotonic() > until:
                break
        self.unfinished = len(done) < len(steps)
        self.record(now_ms, done)
        self.publish(events)

    def again(self, entry: AdvanceEntry) -> None:
        """As the journal has it, in a replay."""
        self.publish([event for step in entry.steps for event in self._engine.advance([step])])
        self._intake.arrival_ms = entry.now_ms

    def record(self, now_ms: int, steps: Sequence[Step]) -> None:
        """Journal the time, what was evaluated, and after which records."""
        positions = {name: dict(t.positions) for name, t in self._inputs.items() if t.feed.replayable}
        self._durable.advance(now_ms, positions, steps)
        self._durable.write()
        self._intake.arrival_ms = now_ms

    def publish(self, events: list[AlertEvent]) -> None:
        """Durable first, then told."""
        if events:
            self._durable.publish(events)
            self._told()
