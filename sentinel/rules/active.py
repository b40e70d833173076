"""One active alert and its state machine."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from sentinel.model import AlertEvent, AlertState, Histogram, Labels
from sentinel.rules.rendering import Element


class ActiveAlert(msgspec.Struct):
    """A pending or firing alert. Times are event times in ms; 0 means never."""

    labels: Labels
    sample: Labels
    """Labels of the sample that raised it: what annotations are rendered from."""
    active_at_ms: int
    value: float = 0.0
    """Of a histogram 0, as in Prometheus."""
    histogram: Histogram | None = None
    seen_ms: int = 0
    """When the expression gave it last."""
    keep_since_ms: int = 0
    """Since when it fires only because something keeps it."""
    told: AlertEvent | None = None
    """The event that said it fires; None while it is pending."""

    @property
    def state(self) -> str:
        return "firing" if self.told else "pending"

    @property
    def element(self) -> Element:
        """What the expression gave last."""
        return Element(self.sample, self.value, self.histogram)

    def see(self, element: Element, at_ms: int) -> None:
        """The expression gives it."""
        self.sample, self.value, self.histogram = element
        self.seen_ms, self.keep_since_ms = at_ms, 0

    def step(self, holds: bool, at_ms: int, for_ms: int) -> AlertState | None:
        """The change that this evaluation brings and that others must hear of, if there is one."""
        due = holds and at_ms - self.active_at_ms >= for_ms
        if due and self.told is None:
            return "firing"
        if not due and self.told is not None:  # gone, or the rule was edited and its `for` is longer now
            return "resolved"
        return None

    def dump(self) -> dict[str, Any]:
        """For the snapshot."""
        told = msgspec.structs.asdict(self.told) if self.told else None
        return {**msgspec.structs.asdict(self), "told": told}

    @classmethod
    def load(cls, state: dict[str, Any]) -> ActiveAlert:
        """Snapshots of the version before this one know less of an alert."""
        told = AlertEvent(**state["told"]) if state["told"] else None
        histogram = Histogram.load(state["histogram"]) if state.get("histogram") else None
        return cls(**{**state, "told": told, "histogram": histogram})


def event_id(rule: str, labels: Labels, state: AlertState, at_ms: int) -> str:
    """The same change has the same id, whoever computes it and however often."""
    parts = (rule, f"{labels.fingerprint:016x}", state, str(at_ms))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def resolved(told: AlertEvent, at_ms: int, **changes: Any) -> AlertEvent:
    """The event that ends what `told` began: under the same labels, whatever has been configured since."""
    id = event_id(told.rule, told.labels, "resolved", at_ms)
    return msgspec.structs.replace(
        told, id=id, state="resolved", ends_at_ms=at_ms, evaluated_at_ms=at_ms, **changes
    )
