"""What a demo proves: incidents injected, paged, resolved, and what was paged for nothing."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import msgspec

from sentinel.cli.demo.traffic import Incident


class Page(msgspec.Struct, frozen=True):
    """One alert of a webhook's body, and when it came, in seconds from the start of the traffic."""

    at_seconds: float
    alert: str
    service: str
    status: str


class Scorecard(msgspec.Struct, frozen=True):
    """Delays run from the incident's first sample to the webhook's receipt of the firing notice."""

    seed: int
    incidents: int
    paged: int
    resolved: int
    median_delay_seconds: float | None
    false_pages: int
    events_on_topic: int
    samples: int

    @property
    def passed(self) -> bool:
        return self.paged == self.resolved == self.incidents and self.false_pages == 0

    def json(self) -> str:
        return msgspec.json.encode({**msgspec.structs.asdict(self), "passed": self.passed}).decode()

    def text(self) -> str:
        delay = "-" if self.median_delay_seconds is None else f"{self.median_delay_seconds:.2f} s"
        rows: list[tuple[str, Any]] = [
            ("incidents injected", self.incidents),
            ("paged", self.paged),
            ("resolved", self.resolved),
            ("median delay", delay),
            ("false pages", self.false_pages),
            ("events on the alert topic", self.events_on_topic),
            ("samples", f"{self.samples:,}"),
            ("seed", self.seed),
        ]
        lines = [f"  {name:<27}{value}" for name, value in rows]
        return "\n".join(["", *lines, "", "PASSED" if self.passed else "FAILED"])


def score(
    seed: int, planned: Sequence[Incident], pages: Sequence[Page], events_on_topic: int, samples: int
) -> Scorecard:
    """Match pages with incidents by alert and service."""
    delays, resolved, matched = [], 0, 0
    for incident in planned:
        mine = [p for p in pages if (p.alert, p.service) == (incident.kind.alert, incident.service)]
        firing = [p for p in mine if p.status == "firing" and p.at_seconds >= incident.start_seconds]
        matched += len(firing)
        if firing:
            delays.append(firing[0].at_seconds - incident.start_seconds)
            resolved += any(p.status == "resolved" and p.at_seconds > firing[0].at_seconds for p in mine)
    return Scorecard(
        seed=seed,
        incidents=len(planned),
        paged=len(delays),
        resolved=resolved,
        median_delay_seconds=round(statistics.median(delays), 3) if delays else None,
        false_pages=sum(page.status == "firing" for page in pages) - matched,
        events_on_topic=events_on_topic,
        samples=samples,
    )
