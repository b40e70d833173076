"""A flush: what passes through the pipeline's deciding stages, once per group and integration.

A stage takes a Flush and gives it back, changed or not, or None: there is nothing to tell. Deciding is pure;
so the same alerts after a restart lead to the same notice with the same id.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable

import msgspec

from sentinel.model import AlertEvent, AlertState, Labels, Notification

Fingerprint = str
"""An alert's fingerprint in 16 hex digits."""
LedgerKey = tuple[str, str, int]
"""(group key, receiver, index of the integration)."""


def fingerprint(event: AlertEvent) -> Fingerprint:
    return f"{event.labels.fingerprint:016x}"


class Entry(msgspec.Struct, frozen=True):
    """What one integration was last told about one group; the default is "nothing yet".

    `firing` is what the receiver surely holds for firing; of `attempted` it is not known: a notice that
    says so, or that it is over, was sent without an answer (a time-out, a crash). These are told anew as they
    are.
    """

    time_ms: int = 0
    notice_id: str = ""
    firing: frozenset[Fingerprint] = frozenset()
    resolved: frozenset[Fingerprint] = frozenset()
    attempted: frozenset[Fingerprint] = frozenset()

    @property
    def open(self) -> frozenset[Fingerprint]:
        """What the receiver may believe to be firing."""
        return self.firing | self.attempted

    def attempting(self, flush: Flush) -> Entry:
        """What is known from the first attempt to tell `flush` on, until there is an answer."""
        unsure = flush.in_state("firing") - self.firing | self.firing & flush.in_state("resolved")
        return msgspec.structs.replace(self, firing=self.firing - unsure, attempted=self.attempted | unsure)


class Flush(msgspec.Struct, frozen=True):
    """The alerts of a group at one moment, and what the integration `key` was told before."""

    key: LedgerKey
    labels: Labels
    alerts: tuple[AlertEvent, ...]
    entry: Entry
    now_ms: int
    repeat_ms: int
    send_resolved: bool = True
    held: frozenset[Fingerprint] = frozenset()
    reason: str = ""

    def in_state(self, state: str) -> frozenset[Fingerprint]:
        return frozenset(fingerprint(event) for event in self.alerts if event.state == state)


Stage = Callable[[Flush], Flush | None]


def hold(catching_up: Callable[[str], bool]) -> Stage:
    """An alert whose rule is catching up is left out, or shown as it was last told."""

    def stage(flush: Flush) -> Flush | None:
        held = frozenset(fingerprint(event) for event in flush.alerts if catching_up(event.rule))
        if not held:
            return flush
        shown = []
        for event in flush.alerts:
            if fingerprint(event) not in held:
                shown.append(event)
            elif fingerprint(event) in flush.entry.firing:
                shown.append(msgspec.structs.replace(event, state="firing", ends_at_ms=0))
        return msgspec.structs.replace(flush, alerts=tuple(shown), held=held) if shown else None

    return stage


def dedup(flush: Flush) -> Flush | None:
    """Whether anything is new since the last entry, and what; Alertmanager's table and words."""
    entry, firing = flush.entry, flush.in_state("firing")
    if not firing <= entry.firing:
        reason = "new alerts added" if entry.firing else "first notification"
    elif not firing:
        reason = "all alerts resolved" if entry.open else ""
    elif flush.send_resolved and not flush.in_state("resolved") <= entry.resolved:
        reason = "some alerts resolved"
    else:
        reason = "repeat interval elapsed" if entry.time_ms + flush.repeat_ms <= flush.now_ms else ""
    return msgspec.structs.replace(flush, reason=reason) if reason else None


class Notice(msgspec.Struct, frozen=True):
    """A decided flush. `notification` is None where only the entry changes (`send_resolved: false`)."""

    id: str
    flush: Flush
    notification: Notification | None


def compose(flush: Flush, external_url: str) -> Notice:
    """The notice of a flush. Its id hashes group, receiver, alerts with states, and the entry it follows."""
    group, receiver, index = flush.key
    state = [[fingerprint(event), event.state, event.starts_at_ms] for event in flush.alerts]
    hashed = msgspec.json.encode([group, receiver, index, state, flush.entry.notice_id])
    id = hashlib.sha256(hashed).hexdigest()[:32]
    alerts = tuple(event for event in flush.alerts if flush.send_resolved or event.state == "firing")
    if not alerts:
        return Notice(id, flush, None)
    status: AlertState = "firing" if any(event.state == "firing" for event in alerts) else "resolved"
    notification = Notification(
        id=id,
        receiver=receiver,
        status=status,
        group_key=group,
        group_labels=flush.labels,
        alerts=alerts,
        external_url=external_url,
        reason=flush.reason,
        now_ms=flush.now_ms,
    )
    return Notice(id, flush, notification)


def in_order(events: Iterable[AlertEvent]) -> tuple[AlertEvent, ...]:
    """Alertmanager's order: by `job`, `instance` (absent last), then fewer labels first, then one by one."""
    return tuple(sorted(events, key=lambda event: (*_place(event.labels), _by_labels(event.labels))))


def _place(labels: Labels) -> tuple[bool, str, bool, str]:
    job, instance = labels.get("job"), labels.get("instance")
    return (not job, job, not instance, instance)


def _compare(a: Labels, b: Labels) -> int:
    if len(a) != len(b):
        return len(a) - len(b)
    for (name, value), (other, text) in zip(a, b, strict=True):
        if name != other:
            return -1 if name > other else 1  # whoever lacks the smaller name comes first
        if value != text:
            return -1 if value < text else 1
    return 0


_by_labels = functools.cmp_to_key(_compare)
