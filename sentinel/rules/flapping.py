"""Flapping: an alert that keeps on firing and resolving fires on until it has been quiet for a while."""

from __future__ import annotations

from typing import Any

from sentinel.model import Labels
from sentinel.rules.schema import Flap


class Flapping:
    """Remembers when the alerts of one rule fired and resolved, for `within`.

    An alert with at least `changes` of them flaps. When its condition is over it is kept for `hold`, counted
    from then on: what is held back is no change, so the memory empties while it is quiet.
    """

    def __init__(self, settings: Flap | None) -> None:
        self._settings = settings
        self._changed_ms: dict[Labels, list[int]] = {}

    @property
    def remembers(self) -> bool:
        return bool(self._changed_ms)

    def note(self, alert: Labels, at_ms: int) -> None:
        """An alert fired or resolved."""
        if self._settings is not None:
            self._changed_ms.setdefault(alert, []).append(at_ms)

    def hold_ms(self, alert: Labels, since_ms: int) -> int:
        """For how long an alert is kept whose condition is over since then; 0: it does not flap."""
        if self._settings is None:
            return 0
        after = since_ms - self._settings.within
        changes = sum(at > after for at in self._changed_ms.get(alert, ()))
        return int(self._settings.hold) if changes >= self._settings.changes else 0

    def forget(self, at_ms: int) -> None:
        """What is older than anybody will ask for."""
        if self._settings is None or not self._changed_ms:
            return
        after = at_ms - self._settings.within - self._settings.hold
        kept = {alert: [at for at in times if at > after] for alert, times in self._changed_ms.items()}
        self._changed_ms = {alert: times for alert, times in kept.items() if times}

    def snapshot(self) -> list[tuple[Labels, list[int]]]:
        return [(alert, list(times)) for alert, times in self._changed_ms.items()]

    def restore(self, state: list[Any]) -> None:
        self._changed_ms = {alert: list(times) for alert, times in state}
