"""What one Alertmanager has to be told, and when: a table of alerts rather than a queue of events.

An alert stands in it once, with its newest event, so that an outage of any length takes no more memory than
there are alerts. What fires is told again and again, for an Alertmanager resolves what it hears no more of;
what resolved is repeated for a while, in case the Alertmanager was restarted or an old request overtaken.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from sentinel.model import AlertEvent, Labels

RETENTION_SECONDS: Final = 900.0
"""How long a resolve is repeated after it was taken, as Prometheus does."""
REFUSED_FACTOR: Final = 10
"""What was refused for its content is tried again so many times more rarely."""


class Item(msgspec.Struct):
    """An alert's newest event. `before`: the position in the log from which it can be read again."""

    event: AlertEvent
    before: int
    due: float = 0.0
    until: float = math.inf
    """When repeating a resolve ends; for ever while nobody has taken it."""


class Outbox:
    """Times are seconds of one steady clock. `catching_up(rule)` says whose news have to wait.

    Each queue is in the order in which its alerts are due. Taken items must be given back to one of
    `accepted`, `failed` and `refused`; one that got a newer event meanwhile is dropped there.
    """

    def __init__(self, resend_seconds: float, catching_up: Callable[[str], bool]) -> None:
        self._resend, self._catching_up = resend_seconds, catching_up
        self._news: OrderedDict[Labels, Item] = OrderedDict()
        self._again: OrderedDict[Labels, Item] = OrderedDict()
        self._firing: OrderedDict[Labels, Item] = OrderedDict()
        self._ended: OrderedDict[Labels, Item] = OrderedDict()
        self._refused: OrderedDict[Labels, Item] = OrderedDict()
        self._held: dict[Labels, Item] = {}
        self._out: dict[Labels, Item] = {}
        self._told: set[Labels] = set()
        """What the Alertmanager may believe to be firing, be it for an old request that arrives late."""

    @property
    def pending(self) -> int:
        """How many alerts there are whose state has yet to be taken."""
        return len(self._news) + len(self._again) + len(self._refused)

    @property
    def holding(self) -> bool:
        """Whether news wait for a rule to catch up. Nobody says when it has: `release` asks."""
        return bool(self._held)

    # -- in

    def restore(self, events: Iterable[tuple[int, AlertEvent]]) -> None:
        """(position before the event, event), of alerts that an earlier life may have told as firing."""
        for before, event in events:
            self._told.add(event.labels)
            self.put(event, before)

    def put(self, event: AlertEvent, before: int) -> None:
        """Takes the place of the alert's older event. A resolve of what was never told is nobody's news."""
        key = event.labels
        if event.state == "resolved" and key not in self._told:
            self._forget(key)
        elif self._catching_up(event.rule):  # what was told before stays as it is till then
            self._held[key] = Item(event, before)
        else:
            self._forget(key)
            self._news[key] = Item(event, before)

    def release(self) -> None:
        """Lets go of the news of rules that have caught up."""
        over = [item for item in self._held.values() if not self._catching_up(item.event.rule)]
        for item in over:
            self.put(item.event, item.before)

    def _forget(self, key: Labels) -> None:
        queues = (self._news, self._again, self._firing, self._ended, self._refused, self._held, self._out)
        for queue in queues:
            queue.pop(key, None)

    # -- out

    def take(self, now: float) -> Item | None:
        """The next alert to be told; from here on the Alertmanager may know of it."""
        if self._news:
            return self._take_first(self._news)
        for queue in (self._firing, self._ended):
            if queue and self._first(queue).due <= now:
                return self._take_first(queue)
        return self._take_first(self._again) if self._again else None

    def take_refused(self, now: float) -> Item | None:
        """One that was refused and is to be tried again, alone."""
        if self._refused and self._first(self._refused).due <= now:
            return self._take_first(self._refused)
        return None

    def next_due(self) -> float:
        """When there is something to take: 0 for at once, infinity for nothing."""
        if self._news or self._again:
            return 0.0
        return min(
            (self._first(queue).due for queue in (self._firing, self._ended, self._refused) if queue),
            default=math.inf,
        )

    def position(self, read_to: int) -> int:
        """What lies before it in the log is needed no more; all before `read_to` has been put.

        What fires need not be read again, for the engine knows it. A resolve has to be, as long as it is
        repeated: a request that was given up may still arrive and undo it.
        """
        queues = (self._news, self._again, self._held, self._ended)
        items = (item for queue in queues for item in queue.values())
        return min((item.before for item in items if item.event.state == "resolved"), default=read_to)

    @staticmethod
    def _first(queue: OrderedDict[Labels, Item]) -> Item:
        return next(iter(queue.values()))

    def _take_first(self, queue: OrderedDict[Labels, Item]) -> Item:
        key, item = queue.popitem(last=False)
        if item.event.state == "firing":
            self._told.add(key)
        self._out[key] = item
        return item

    # -- and back

    def accepted(self, items: Iterable[Item], now: float) -> None:
        """The Alertmanager has taken them."""
        for item in self._back(items):
            item.due = now + self._resend
            if item.event.state == "firing":
                self._firing[item.event.labels] = item
                continue
            item.until = min(item.until, now + RETENTION_SECONDS)
            if item.due <= item.until:
                self._ended[item.event.labels] = item
            else:
                self._told.discard(item.event.labels)

    def failed(self, items: Iterable[Item], now: float) -> None:
        """It is not known what became of them; they come behind whatever else has to be told."""
        for item in self._back(items):
            if now < item.until:
                self._again[item.event.labels] = item
            else:
                self._told.discard(item.event.labels)

    def refused(self, item: Item, now: float) -> None:
        """The Alertmanager does not want this one. If it is a resolve, there is nothing there to resolve."""
        for mine in self._back([item]):
            if mine.event.state == "resolved":
                self._told.discard(mine.event.labels)
            else:
                mine.due = now + REFUSED_FACTOR * self._resend
                self._refused[mine.event.labels] = mine

    def drop(self, item: Item) -> None:
        """A resolve that was taken before is not to be repeated any more."""
        for mine in self._back([item]):
            self._told.discard(mine.event.labels)

    def _back(self, items: Iterable[Item]) -> list[Item]:
        """Those that no newer event has replaced while they were out."""
        mine = [item for item in items if self._out.get(item.event.labels) is item]
        for item in mine:
            del self._out[item.event.labels]
        return mine
