"""`min.insync.replicas` of topics. It hardly ever changes, so it is asked for every few minutes only."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from sentinel.watch.poll.protocol.describe_configs import DescribeConfigs
from sentinel.watch.poll.round import Round

KEY: Final = "min.insync.replicas"
KEPT_MS: Final = 300_000
AGAIN_MS: Final = 30_000
"""When a topic is asked for again that a broker said nothing of."""
CHUNK: Final = 2_000
"""Topics asked for in one request."""


class _Known(msgspec.Struct, frozen=True):
    value: int | None
    until_ms: int


class MinIsr:
    """The setting by topic, remembered."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    async def poll(self, asked: Round, topics: Collection[str], now_ms: int) -> dict[str, int]:
        """Of these topics, as far as known; an answer that does not come leaves the last one standing."""
        due = [topic for topic in topics if topic not in self._known or self._known[topic].until_ms <= now_ms]
        for at in range(0, len(due), CHUNK):
            part = due[at : at + CHUNK]
            answer = await asked.ask_anyone(DescribeConfigs(KEY, part), "min_isr")
            if answer is None:
                break
            self._take(part, answer, now_ms)
        self._known = {topic: self._known[topic] for topic in topics if topic in self._known}
        found = {topic: each.value for topic, each in self._known.items() if each.value is not None}
        if len(found) < len(topics):
            asked.incomplete.add("min_isr")
        return found

    def _take(self, asked_for: Collection[str], answer: dict[str, str], now_ms: int) -> None:
        for topic in asked_for:
            text = answer.get(topic, "")
            if text.isdecimal():
                self._known[topic] = _Known(int(text), now_ms + KEPT_MS)
            else:
                last = self._known[topic].value if topic in self._known else None
                self._known[topic] = _Known(last, now_ms + AGAIN_MS)
