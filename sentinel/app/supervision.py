"""The event loop watches the engine, the disk and what was set aside, and pages by itself.

These alerts need no rule, no engine and no disk; a rule could not say that rules are not evaluated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from sentinel.app.state_folder import Folder
from sentinel.app.telling import Telling
from sentinel.clock import Clock
from sentinel.host import Host
from sentinel.host.suspects import Suspect
from sentinel.model import AlertEvent, Labels
from sentinel.rules.active import event_id, resolved
from sentinel.telemetry import SET_ASIDE, STATE_WRITABLE, logger

log = logger("app")

LOOK_SECONDS: Final = 1.0
LEAST_SILENCE_MS: Final = 15_000
INTERVALS: Final = 3
"""The engine is stuck when it has made no progress for so many intervals of its quickest group."""
RUNBOOKS: Final = "https://github.com/sentinel-monitor/sentinel/blob/main/docs/runbooks"


class Trouble(msgspec.Struct, frozen=True):
    """Something that somebody has to be told of. `labels` tell alerts of one name apart."""

    name: str
    summary: str
    description: str
    labels: dict[str, str] = {}
    since_ms: int = 0


class Supervisor:
    """Looks at the host and at those who tell, every second, and has its own alerts told past both."""

    def __init__(
        self, host: Host, telling: Telling, clock: Clock, folder: Folder, external_labels: Labels
    ) -> None:
        self._host, self._telling, self._clock, self._folder = host, telling, clock, folder
        self._external = external_labels
        self.fatal = ""
        """Why the daemon is about to end, or nothing."""
        self.on_fatal: Callable[[], None] = lambda: None

    def stuck(self) -> str:
        """Why the engine does nothing, or nothing. A restart may help."""
        host = self._host
        if self.fatal:
            return self.fatal
        if host.failure is not None:
            return f"the engine stopped: {host.failure!r}"
        intervals = [group.spec.interval_ms for group in list(host.engine.groups.values())]
        silent_ms = self._clock.now_ms() - host.beat_ms
        if (
            silent_ms > max(INTERVALS * min(intervals, default=0), LEAST_SILENCE_MS)
            and not host.durable.trouble
        ):
            return f"the engine has made no progress for {silent_ms / 1000:.0f} s"
        return ""

    def unwritable(self) -> str:
        """Why state cannot be written, or nothing. A restart does not help."""
        return self._host.trouble or self._telling.trouble

    async def healthy(self) -> str:
        """Why the path from a sample to a page is broken, or nothing; waits for the engine to answer."""
        problem = self.stuck() or self.unwritable() or self._telling.undelivered
        if not problem:
            await self._host.call(lambda engine: None)
        return problem

    async def run(self) -> None:
        """Until cancelled."""
        looking = asyncio.create_task(self._look_at_the_folder())
        try:
            while True:
                self.look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            looking.cancel()

    async def _look_at_the_folder(self) -> None:
        """In another thread: a disk that stands still must hold up nobody."""
        while not await asyncio.to_thread(self._folder.lost):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(LOOK_SECONDS)
        self.fatal = "the state folder was removed or replaced; Sentinel begins anew with what is there"
        self.on_fatal()

    def look(self) -> None:
        """Raise what is new, end what is over."""
        now_ms = self._clock.now_ms()
        STATE_WRITABLE.set(not self.unwritable())
        aside = [suspect for suspect in self._host.suspects.all if suspect.set_aside]
        for kind in ("batch", "rule"):
            SET_ASIDE.labels(kind).set(sum(each.activity.kind == kind for each in aside))
        events = {event.labels: event for event in map(self._event, self._troubles(aside))}
        firing = {event.labels: event for event in self._telling.firing}
        for labels, event in events.items():
            if labels not in firing:
                log.critical(event.labels.get("alertname"), **event.annotations)
                self._telling.put(event)
        if not self._host.replaying:
            for labels, event in firing.items():
                if labels not in events:
                    log.info("over", alert=labels.get("alertname"))
                    self._telling.put(resolved(event, now_ms))

    def _troubles(self, aside: list[Suspect]) -> list[Trouble]:
        found = [_set_aside(suspect) for suspect in aside]
        if stuck := self.stuck():
            found.append(Trouble("SentinelEngineStuck", "Sentinel evaluates no rules", stuck))
        if unwritable := self.unwritable():
            text = f"{unwritable}. What needs it waits until it can be written; nothing is lost."
            found.append(Trouble("SentinelStateUnwritable", "Sentinel cannot write its state", text))
        return found

    def _event(self, trouble: Trouble) -> AlertEvent:
        now_ms = self._clock.now_ms()
        starts_ms = trouble.since_ms or now_ms
        own = {"alertname": trouble.name, "severity": "critical", "job": "sentinel", **trouble.labels}
        labels = Labels({**self._external.map, **own})
        rule = f"sentinel;supervision;{trouble.name}"
        annotations = {
            "summary": trouble.summary,
            "description": trouble.description,
            "runbook_url": f"{RUNBOOKS}/{trouble.name}.md",
        }
        return AlertEvent(
            id=event_id(rule, labels, "firing", starts_ms),
            rule=rule,
            labels=labels,
            annotations=annotations,
            state="firing",
            starts_at_ms=starts_ms,
            ends_at_ms=0,
            value=1.0,
            evaluated_at_ms=now_ms,
        )


def _set_aside(suspect: Suspect) -> Trouble:
    activity = suspect.activity
    if activity.kind == "rule":
        labels = {"kind": "rule", "group": activity.owner, "rule": activity.part}
        what = f"The rule {activity.part} of group {activity.owner} is evaluated no more"
    else:
        labels = {"kind": "batch", "source": activity.owner, "part": activity.part}
        what = (
            f"Records {activity.first} to {activity.last - 1} of {activity.part} of source "
            f"{activity.owner} are left out"
        )
    text = f"{what}: the daemon crashed in it {suspect.crashes} times."
    return Trouble("SentinelSetAside", "Sentinel has set something aside", text, labels, suspect.seen_ms)
