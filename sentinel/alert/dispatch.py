"""Flushing groups: deciding what each integration is to be told, telling it, and noting that it was told.

An alert leaves its group when it is resolved and no integration may believe it to be firing any more. That is
how a firing notice that was delivered always gets its resolve, whatever a route, a crash or a slow receiver
does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sentinel.alert.config import AlertmanagerConfig
from sentinel.alert.flush import (
    Entry,
    Flush,
    LedgerKey,
    Notice,
    Stage,
    compose,
    dedup,
    fingerprint,
    hold,
    in_order,
)
from sentinel.alert.group import Group, GroupId, GroupRow, Groups, regroup
from sentinel.alert.nflog import Forgetful, Saved, Saver
from sentinel.alert.route import route_tree
from sentinel.alert.tell import Ledger, Outcome, Teller
from sentinel.clock import Clock
from sentinel.model import AlertEvent
from sentinel.telemetry import logger

_LOG = logger("alert")

RETENTION_MS: Final = 120 * 3_600_000
"""A resolve that a receiver has not taken for so long is given up; what it was told is remembered as long."""


class Dispatcher:
    """Groups, and a ledger for each of their integrations.

    Every method but `serve` is synchronous: what they change is put into the saver, and it is on disk before
    anybody is told. `wake` is called when a timer has moved to an earlier time.
    """

    def __init__(
        self,
        saver: Saver | Forgetful,
        teller: Teller,
        clock: Clock,
        *,
        external_url: str,
        catching_up: Callable[[str], bool],
        wake: Callable[[], None],
    ) -> None:
        self._saver, self._teller, self._clock = saver, teller, clock
        self._external_url, self._catching_up, self._wake = external_url, catching_up, wake
        self._stages: list[Stage] = [hold(catching_up), dedup]
        self._ledgers: dict[LedgerKey, Ledger] = {}
        self._held: set[GroupId] = set()
        self._forget_at_ms = 0

    # -- configuration and what was kept

    def restore(self, config: AlertmanagerConfig, saved: Saved) -> None:
        """After a start: timers go on where they were; what was being told is told at once."""
        now = self._clock.now_ms()
        self._ledgers = {key: Ledger(key, entry) for key, entry in saved.entries.items()}
        self._regroup(config, saved.alerts, saved.groups, now)
        for row in saved.groups:
            if (group := self._groups.get(row.id)) is not None:
                group.flushed = row.flushed
                self._groups.arm(group, row.next_ms)
        for ledger in self._ledgers.values():
            if ledger.entry.attempted and (group := self._groups.get(ledger.key[:2])) is not None:
                self._groups.arm(group, now)

    def reload(self, config: AlertmanagerConfig) -> None:
        """Another configuration: groups form anew and their timers with them; what was told stays known."""
        alerts, rows, changes = (
            self._groups.alerts(),
            [group.row() for group in self._groups],
            self._saver.changes,
        )
        self._regroup(config, list(alerts.values()), rows, self._clock.now_ms())
        changes.groups |= {row.id: None for row in rows}
        changes.groups |= {group.id: group.row() for group in self._groups}
        changes.alerts |= {print: None for print in alerts if not self._groups.holds(print)}
        for ledger in self._ledgers.values():
            if ledger.notice is not None and self._groups.get(ledger.key[:2]) is None:
                ledger.overtake()

    def _regroup(
        self, config: AlertmanagerConfig, alerts: list[AlertEvent], rows: list[GroupRow], now: int
    ) -> None:
        self._integrations = {receiver.name: receiver.integrations() for receiver in config.receivers}
        told: dict[GroupId, frozenset[str]] = {}
        for (group, receiver, index), ledger in self._ledgers.items():
            if index < len(self._integrations.get(receiver, ())):
                told[group, receiver] = told.get((group, receiver), frozenset()) | ledger.entry.open
        self._groups: Groups = regroup(route_tree(config.route), alerts, rows, told, now)
        self._held.clear()

    # -- alerts in, flushes out

    def put(self, event: AlertEvent, now: int) -> None:
        """Takes in one event. A resolve of what no group knows is nobody's news."""
        print = fingerprint(event)
        if event.state == "firing" or self._groups.holds(print):
            self._saver.changes.alerts[print] = event
            for group in self._groups.put(event, now):
                self._saver.changes.groups[group.id] = group.row()

    def next_ms(self) -> int | None:
        """When the next group is due."""
        return self._groups.next_ms()

    @property
    def holding(self) -> bool:
        """Whether a group waits for a rule to catch up. Nobody says when it has: it is asked now and then."""
        return bool(self._held)

    def flush_due(self, now: int) -> list[Ledger]:
        """Flushes what is due; the ledgers that have got something to tell."""
        for id in list(self._held):
            group = self._groups.get(id)
            if group is None or not any(self._catching_up(event.rule) for event in group.alerts.values()):
                self._held.discard(id)
                if group is not None:
                    self._groups.arm(group, now)
        started = []
        for group in self._groups.due(now):
            started += self._flush(group, now)
        return started

    def _flush(self, group: Group, now: int) -> list[Ledger]:
        self._arm(group, self._next_flush(group, now))
        group.flushed = True
        group.offered = frozenset(event.id for event in group.alerts.values())
        if any(self._catching_up(event.rule) for event in group.alerts.values()):
            self._held.add(group.id)
        started = []
        for ledger in self._ledgers_of(group):
            notice = self._decide(group, ledger, now)
            if ledger.notice is None and notice is not None:
                self._begin(ledger, notice)
            elif ledger.notice is not None and (notice is None or notice.id != ledger.notice.id):
                ledger.overtake()
            if ledger.notice is not None and not ledger.serving:
                ledger.serving = True
                started.append(ledger)
        self._settle(group, now)
        return started

    def _next_flush(self, group: Group, now: int) -> int:
        """The next tick, or before it the moment at which some integration is to be told again.

        A `repeat_interval` shorter than the tick means every tick, as Alertmanager has it.
        """
        times = [now + group.timers.interval]
        if group.timers.repeat >= group.timers.interval:
            entries = [ledger.entry for ledger in self._ledgers_of(group)]
            times += [entry.time_ms + group.timers.repeat for entry in entries if entry.firing]
        return min(time for time in times if time > now)

    def _ledgers_of(self, group: Group) -> list[Ledger]:
        keys = [(*group.id, index) for index in range(len(self._integrations.get(group.id[1], ())))]
        return [self._ledgers.setdefault(key, Ledger(key)) for key in keys]

    def _decide(self, group: Group, ledger: Ledger, now: int) -> Notice | None:
        flush: Flush | None = Flush(
            key=ledger.key,
            labels=group.labels,
            alerts=in_order(group.alerts.values()),
            entry=ledger.entry,
            now_ms=now,
            repeat_ms=group.timers.repeat,
            send_resolved=self._sends_resolved(ledger.key),
        )
        for stage in self._stages:
            if flush is None:
                return None
            flush = stage(flush)
        return compose(flush, self._external_url) if flush is not None else None

    def _sends_resolved(self, key: LedgerKey) -> bool:
        return self._integrations[key[1]][key[2]].send_resolved

    def _begin(self, ledger: Ledger, notice: Notice) -> None:
        if notice.notification is None:
            self._record(ledger, notice)
            return
        ledger.notice = notice
        self._enter(ledger, ledger.entry.attempting(notice.flush))

    # -- telling, and what came of it

    async def serve(self, ledger: Ledger) -> None:
        """Tells a ledger's notices until there is none. One task per ledger (`serving`)."""
        while True:
            await self._saver.save()
            notice = ledger.notice
            if notice is None or notice.notification is None:
                ledger.serving = False
                return
            outcome = await self._teller.tell(ledger, notice.notification)
            self._conclude(ledger, notice, outcome)

    def _conclude(self, ledger: Ledger, notice: Notice, outcome: Outcome) -> None:
        again, now = ledger.overtaken, self._clock.now_ms()
        ledger.settle()
        if outcome.delivery.delivered:
            self._record(ledger, notice)
        elif not outcome.maybe_told:
            self._enter(ledger, notice.flush.entry)
        group = self._groups.get(ledger.key[:2])
        if group is None or ledger.key[2] >= len(self._integrations[group.id[1]]):
            return
        if again and (fresh := self._decide(group, ledger, now)) is not None:
            self._begin(ledger, fresh)
        self._settle(group, now)

    def _record(self, ledger: Ledger, notice: Notice) -> None:
        now, flush = self._clock.now_ms(), notice.flush
        entry = Entry(
            time_ms=now,
            notice_id=notice.id,
            firing=flush.in_state("firing"),
            resolved=flush.in_state("resolved"),
            attempted=ledger.entry.attempted & flush.held,
        )
        self._enter(ledger, entry)
        group = self._groups.get(ledger.key[:2])
        if group is not None and (soon := self._next_flush(group, now)) < group.next_ms:
            self._arm(group, soon)
            self._wake()

    def _enter(self, ledger: Ledger, entry: Entry) -> None:
        ledger.entry = self._saver.changes.entries[ledger.key] = entry

    def _arm(self, group: Group, at_ms: int) -> None:
        self._groups.arm(group, at_ms)
        self._saver.changes.groups[group.id] = group.row()

    # -- forgetting

    def _settle(self, group: Group, now: int) -> None:
        """Lets go of resolved alerts that were offered and that nobody need hear of any more."""
        needed: frozenset[str] = frozenset()
        ledgers = self._ledgers_of(group)
        for ledger in ledgers:
            if self._sends_resolved(ledger.key):
                needed |= ledger.entry.open
            if ledger.notice is not None:
                needed |= ledger.notice.flush.in_state("resolved")
        for print, event in list(group.alerts.items()):
            if event.state == "firing" or event.id not in group.offered:
                continue
            given_up = event.ends_at_ms + RETENTION_MS < now
            if given_up and print in needed:
                _LOG.error(
                    "resolve_given_up", receiver=group.id[1], group=group.id[0], alert=repr(event.labels)
                )
            if given_up or print not in needed:
                self._groups.leave(group, print)
                if not self._groups.holds(print):
                    self._saver.changes.alerts[print] = None
        if not group.alerts and not any(ledger.notice for ledger in ledgers):
            self._groups.discard(group)
            self._saver.changes.groups[group.id] = None

    def forget(self, now: int) -> None:
        """Now and then: drops ledgers of groups long gone."""
        if now < self._forget_at_ms:
            return
        self._forget_at_ms = now + RETENTION_MS // 24
        for key, ledger in list(self._ledgers.items()):
            idle = self._groups.get(key[:2]) is None and not ledger.serving
            if idle and ledger.entry.time_ms + RETENTION_MS < now:
                del self._ledgers[key]
                self._saver.changes.entries[key] = None
