"""The host: one thread that feeds the engine, tells it the time, and writes down what must survive.

Order within a turn: journal inputs, decode and ingest them, look at the sources' times, evaluate what is due,
journal that, sync journal and alert log side by side. Only then are pushes acknowledged and readers woken.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from sentinel.clock import Clock
from sentinel.engine import Engine
from sentinel.errors import SourceError, StateError
from sentinel.host.accounts import Accounts
from sentinel.host.advance import Advance
from sentinel.host.checkpoint import Checkpoints, Mark, State, capture
from sentinel.host.durable import Durable
from sentinel.host.feed import Feed
from sentinel.host.gauges import Gauges
from sentinel.host.inbox import Ack, Inbox
from sentinel.host.intake import Intake
from sentinel.host.refill import Refill
from sentinel.host.replay import Replay
from sentinel.host.schedule import Schedule
from sentinel.host.settings import EventLog, HostSettings
from sentinel.host.suspects import Suspects
from sentinel.host.watermarks import SourceTime
from sentinel.model import AlertEvent, Payloads
from sentinel.rules.load import RuleGroup
from sentinel.store.journal import Journal
from sentinel.telemetry import logger

log = logger("host")
T = TypeVar("T")

INBOX_RECORDS: Final = 40_000
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
        self.refill = Refill(engine, self.times, suspects)
        self._inputs = ChainMap(self.times, self.refill.times)
        """The sources, and of some the past that is read beside the present."""
        self._advance = Advance(engine, self.durable, self._inputs, self._intake, lambda: self.on_events())
        self._snapshot_ms = self.beat_ms
        self._cut = (0, 0)
        self._stopping = self._has_past = False
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
        time = self._inputs.get(source)
        return {} if time is None else dict(time.positions)

    def attach(self, feeds: Sequence[Feed]) -> None:
        """The sources, in the order of the engine's settings; before `start`."""
        self.times.update((feed.name, SourceTime(feed)) for feed in feeds)
        self.accounts.open(self.times)
        self.refill.attach(feeds)

    def start(self) -> None:
        """Restore the newest snapshot and begin to replay what came after it; StateError if neither works.

        With many series it takes seconds, in which the caller's thread does nothing else.
        """
        restored = self._checkpoints.restore(self._restore)
        if not restored:
            self._events.remember(0, self._journal.last)
        self._has_past = restored or self._journal.last > 0
        entries = self._journal.read(self._cut[0])
        self._replay = Replay(entries, self._inputs, self._ingest, self._advance.again)
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
            self._advance.publish(engine.reload(groups))
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
            self._ingest(payloads, number)
        for payloads in self._replay.rest():
            self._ingest(payloads)
        log.info("ready", series=len(self.engine.store.index), groups=len(self.engine.groups))

    def _turn(self) -> None:
        now_ms = self._now()
        wait_ms = 0 if self._advance.unfinished else self._schedule.wait_ms(now_ms)
        for number, payloads in self._receive(wait_ms / 1000, self._ingest):
            self._ingest(payloads, number)
        now_ms = self._now()
        for source in self.times.values():
            source.update(now_ms)
        self._advance.due(self._schedule.due(now_ms), now_ms, self.gauges)
        self.refill.give_way(now_ms, busy=self._advance.unfinished)
        if self.refill.plan():
            self._snapshot_ms = 0
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
            source = self._inputs.get(payloads.source)
            if source is None:
                continue  # of a past that nobody asks for any more
            if source.feed.replayable:
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

    def _ingest(self, payloads: Payloads, number: int = 0) -> None:
        if payloads.source in self.times:
            self._intake.ingest(payloads, number)
        elif payloads.source in self.refill.times:
            self.refill.ingest(payloads, self._intake.arrival_ms)

    def _tick(self) -> None:
        """Journal the time before records are judged by it, so that a replay judges the same."""
        now_ms = self._now()
        if not self.replaying and now_ms - self._intake.arrival_ms >= TICK_MS:
            self._advance.record(now_ms, [])

    def _take_snapshot(self) -> None:
        self._snapshot_ms = self._now()
        self.durable.roll()
        positions = {name: dict(time.positions) for name, time in self._inputs.items()}
        mark = Mark(self._journal.last, self._events.end, positions)
        self._checkpoints.take(lambda: self._capture(mark), mark)

    def _capture(self, mark: Mark) -> State:
        ends = {"journal": mark.journal, "log": mark.log, "arrival_ms": self._intake.arrival_ms}
        refill = {"refill": self.refill.snapshot()}
        return capture(self.engine, dict(self._inputs), self.accounts) | ends | refill

    def _kept(self, mark: Mark) -> None:
        """The journal may be cut behind the snapshot before this one: that is still there as a spare."""
        spare, self._cut = self._cut, (mark.journal, mark.log)
        self.log_position = spare[1]

        def command() -> None:
            self._journal.cut(spare[0])
            self.suspects.passed(self._now(), mark.positions, mark.journal)
            self.refill.kept(mark.positions)

        self._inbox.command(command)
        self.on_snapshot(mark.positions)

    def _restore(self, state: State) -> None:
        self._intake.arrival_ms = state["arrival_ms"]
        for name, saved in state["times"].items():
            if name in self.times:
                self.times[name].restore(saved)
        self.accounts.restore(state["accounts"])
        self.log_position = state["log"]
        self._cut = (state["journal"], state["log"])
        self._events.remember(self.log_position, max(self._journal.last, state["journal"]))
        self._advance.publish(self.engine.restore(state["engine"]))
        if "refill" in state:
            self.refill.restore(state["refill"], state["times"])

    def _beat(self) -> None:
        self.beat_ms = self._now()

    def _now(self) -> int:
        return self._clock.now_ms()
