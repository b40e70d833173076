"""The host: one thread that feeds the engine, tells it the time, and writes down what must survive.

Order within a turn: journal inputs, decode and ingest them, look at the sources' times, evaluate what is due,
journal that, sync, append the events to the alert log. Only then are pushes acknowledged and readers woken.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from sentinel.clock import Clock
from sentinel.engine import Engine
from sentinel.errors import SourceError, StateError
from sentinel.host.accounts import Accounts
from sentinel.host.checkpoint import Checkpoints, State, capture
from sentinel.host.durable import Durable
from sentinel.host.feed import Feed
from sentinel.host.gauges import Gauges
from sentinel.host.inbox import Ack, Inbox
from sentinel.host.intake import Intake
from sentinel.host.replay import Replay
from sentinel.host.schedule import Schedule
from sentinel.host.settings import EventLog, HostSettings
from sentinel.host.suspects import Suspects
from sentinel.host.watermarks import SourceTime
from sentinel.model import AlertEvent, Payloads
from sentinel.rules.load import RuleGroup
from sentinel.store.journal import AdvanceEntry, Journal, Step
from sentinel.telemetry import logger

log = logger("host")
T = TypeVar("T")

INBOX_RECORDS: Final = 500_000
TURN_SECONDS: Final = 0.1
"""A backlog of evaluations yields to the inbox this often."""
TICK_MS: Final = 1_000
"""How far the journaled time of arrival may lag: it bounds timestamps from the future."""
STOP_SECONDS: Final = 20.0


class Host:
    """Owns the engine's thread. Methods named `async` belong to the event loop."""

    def __init__(
        self, engine: Engine, events: EventLog, clock: Clock, settings: HostSettings, suspects: Suspects
    ) -> None:
        self.engine = engine
        self.times: dict[str, SourceTime] = {}
        self.accounts = Accounts()
        self.log_position = 0
        """Where in the alert log the last snapshot on disk stands."""
        self.beat_ms = clock.now_ms()
        """When the thread last finished a turn."""
        self.replaying = True
        self.failure: BaseException | None = None
        self._events, self._clock, self._settings = events, clock, settings
        self._inbox = Inbox(INBOX_RECORDS)
        self.suspects = suspects
        self._journal = Journal(settings.folder / "journal")
        self.durable = Durable(self._journal, events, self._beat)
        self._checkpoints = Checkpoints(settings.folder, self._kept)
        self._schedule = Schedule(engine, self.times, spread=settings.spread, started_ms=self.beat_ms)
        self.gauges = Gauges(engine, self.times, self._schedule)
        self._intake = Intake(engine, self.times, self.accounts, self._schedule, suspects)
        self._intake.arrival_ms = self.beat_ms
        self._snapshot_ms = self.beat_ms
        self._cut = (0, 0)
        self._stopping = self._unfinished = self._has_past = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.on_events: Callable[[], None] = lambda: None
        """Called on the engine's thread when the alert log has grown."""
        self.on_snapshot: Callable[[Mapping[str, Mapping[str, int]]], None] = lambda positions: None
        """Called on the writing thread with the positions that a kept snapshot holds."""
        self.on_failure: Callable[[], None] = lambda: None

    # On the event loop

    async def put(self, payloads: Payloads) -> None:
        await self._inbox.put(payloads)

    async def put_synced(self, payloads: Payloads) -> None:
        """Returns when the journal holds the payloads durably; SourceError if that takes too long."""
        if self.durable.trouble:
            raise SourceError(self.durable.trouble, reason="unwritable")
        await self._inbox.put_synced(payloads)

    @property
    def trouble(self) -> str:
        """Why state cannot be written, or nothing."""
        return self.durable.trouble or self._checkpoints.trouble

    def positions(self, source: str) -> Mapping[str, int]:
        return dict(self.times[source].positions)

    def attach(self, feeds: Sequence[Feed]) -> None:
        """The sources, in the order of the engine's settings; before `start`."""
        self.times.update((feed.name, SourceTime(feed)) for feed in feeds)
        self.accounts.open(self.times)

    def start(self) -> None:
        """Restore the newest snapshot and begin to replay what came after it; StateError if neither works."""
        state = self._checkpoints.load()
        after = self._restore(state) if state is not None else 0
        self._has_past = state is not None or self._journal.last > 0
        self._events.remember(self.log_position)
        self._replay = Replay(self._journal.read(after), self.times, self._intake, self._advance_again)
        self._thread.start()

    async def call(self, work: Callable[[Engine], T]) -> T:
        """Run `work` on the engine's thread, between two inputs."""
        return await self._inbox.call(lambda: work(self.engine))

    async def firing(self) -> tuple[list[AlertEvent], int]:
        """The events that began what fires now, and the end of the alert log then; waits for the replay."""
        while self.replaying:  # noqa: ASYNC110 - a thread gives no event to wait for
            await asyncio.sleep(0.1)
        return await self.call(lambda engine: (engine.firing(), self._events.end))

    async def reload(self, groups: Sequence[RuleGroup]) -> None:
        """Other rules; a snapshot follows at once, so that no replay crosses a reload."""

        def work(engine: Engine) -> None:
            self._publish(engine.reload(groups))
            self.gauges.reloaded()
            self._snapshot_ms = 0

        await self.call(work)

    async def stop(self) -> None:
        """A last snapshot, then the end of the thread; a thread that does not end is left behind."""
        self._stopping = True
        self.durable.give_up()
        self._inbox.command(lambda: None)
        until = time.monotonic() + STOP_SECONDS
        while self._thread.is_alive():
            if time.monotonic() > until:
                self.failure = self.failure or StateError(f"it did not end within {STOP_SECONDS:.0f} s")
                return
            await asyncio.sleep(0.01)

    # On the engine's thread

    def _run(self) -> None:
        try:
            self._replay_all()
            while not self._stopping:
                self._turn()
            if not self.replaying:  # else the snapshot on disk and the whole journal are still the truth
                self._take_snapshot()
                self._checkpoints.finish()
            self.durable.sync()
        except BaseException as error:
            self.failure = error
            log.critical("engine stopped", error=repr(error), exc_info=True)
            self.on_failure()

    def _replay_all(self) -> None:
        deferred: list[tuple[int, Payloads]] = []
        while not self._replay.done and not self._stopping:
            self.beat_ms = self._now()
            self._replay.go_on(self.beat_ms)
            deferred += self._receive(0.05, self._replay.hold)
        if self._stopping:
            return
        self._events.forget()
        self.replaying = False
        for source in self.times.values() if self._has_past else ():
            source.resume(self._now())
        for number, payloads in deferred:
            self._intake.ingest(payloads, number)
        for payloads in self._replay.rest():
            self._intake.ingest(payloads)
        log.info("ready", series=len(self.engine.store.index), groups=len(self.engine.groups))

    def _turn(self) -> None:
        now_ms = self._now()
        wait_ms = 0 if self._unfinished else self._schedule.wait_ms(now_ms)
        for number, payloads in self._receive(wait_ms / 1000, self._intake.ingest):
            self._intake.ingest(payloads, number)
        now_ms = self._now()
        for source in self.times.values():
            source.update(now_ms)
        self._advance(self._schedule.due(now_ms), now_ms)
        if now_ms - self._snapshot_ms >= self._settings.snapshot_interval_ms and not self._checkpoints.busy:
            self._take_snapshot()
        self.gauges.update(now_ms)
        self._beat()

    def _receive(
        self, timeout_seconds: float, kafka: Callable[[Payloads], None]
    ) -> list[tuple[int, Payloads]]:
        """Take what is in the inbox: records from Kafka go to `kafka`; what was journaled is returned."""
        journaled: list[tuple[int, Payloads]] = []
        acks: list[Ack] = []
        for item in self._inbox.take(timeout_seconds):
            if not isinstance(item, tuple):
                item()
                continue
            payloads, ack = item
            if self.times[payloads.source].feed.replayable:
                self._tick()
                kafka(payloads)
            else:
                journaled.append((self.durable.input(payloads), payloads))
            if ack is not None:
                acks.append(ack)
        if acks:
            self.durable.sync()
        elif journaled:
            self.durable.write()
        for ack in acks:
            ack()
        return journaled

    def _tick(self) -> None:
        """Journal the time before records are judged by it, so that a replay judges the same."""
        now_ms = self._now()
        if not self.replaying and now_ms - self._intake.arrival_ms >= TICK_MS:
            self._record(now_ms, [])

    def _advance(self, steps: list[Step], now_ms: int) -> None:
        """Evaluate for one turn; what remains is due again next time."""
        self._unfinished = False
        if not steps:
            return
        events: list[AlertEvent] = []
        until = time.monotonic() + TURN_SECONDS
        done: list[Step] = []
        for step in steps:
            begun = time.perf_counter()
            events += self.engine.advance([step])
            self.gauges.evaluated(step, time.perf_counter() - begun)
            done.append(step)
            if time.monotonic() > until:
                break
        self._unfinished = len(done) < len(steps)
        self._record(now_ms, done)
        self._publish(events)

    def _advance_again(self, entry: AdvanceEntry) -> None:
        self._publish([event for step in entry.steps for event in self.engine.advance([step])])
        self._intake.arrival_ms = entry.now_ms
        self._beat()

    def _record(self, now_ms: int, steps: list[Step]) -> None:
        positions = {name: dict(s.positions) for name, s in self.times.items() if s.feed.replayable}
        self.durable.advance(now_ms, positions, steps)
        self.durable.write()
        self._intake.arrival_ms = now_ms

    def _publish(self, events: list[AlertEvent]) -> None:
        """Durable first, then told."""
        if events:
            self.durable.publish(events)
            self.on_events()

    def _take_snapshot(self) -> None:
        self._snapshot_ms = self._now()
        self.durable.roll()
        self._checkpoints.take(self._capture)

    def _capture(self) -> State:
        state = capture(self.engine, self.times, self.accounts)
        ends = {"journal": self._journal.last, "log": self._events.end}
        return state | ends | {"arrival_ms": self._intake.arrival_ms}

    def _kept(self, state: State) -> None:
        """The journal may be cut behind the snapshot before this one: that is still there as a spare."""
        spare, self._cut = self._cut, (state["journal"], state["log"])
        self.log_position = spare[1]
        positions = {name: time["positions"] for name, time in state["times"].items()}

        def command() -> None:
            self._journal.cut(spare[0])
            self.suspects.passed(self._now(), positions, state["journal"])

        self._inbox.command(command)
        self.on_snapshot(positions)

    def _restore(self, state: State) -> int:
        self._intake.arrival_ms = state["arrival_ms"]
        for name, saved in state["times"].items():
            if name in self.times:
                self.times[name].restore(saved)
        self.accounts.restore(state["accounts"])
        self.log_position = state["log"]
        self._cut = (state["journal"], state["log"])
        self._publish(self.engine.restore(state["engine"]))
        return int(state["journal"])

    def _beat(self) -> None:
        self.beat_ms = self._now()

    def _now(self) -> int:
        return self._clock.now_ms()
