"""Waiting between attempts that never end: doubling up to a bound, spread so that nobody knocks in step."""

from __future__ import annotations

import asyncio
import random
from typing import Final

FIRST_SECONDS: Final = 0.5
MOST_SECONDS: Final = 30.0


class Backoff:
    """One row of attempts. `succeeded` starts it again."""

    def __init__(self, first_seconds: float = FIRST_SECONDS, most_seconds: float = MOST_SECONDS) -> None:
        self._first, self._most = first_seconds, most_seconds
        self._next = first_seconds

    def succeeded(self) -> None:
        self._next = self._first

    async def wait(self) -> None:
        seconds, self._next = self._next, min(self._next * 2, self._most)
        await asyncio.sleep(seconds * random.uniform(0.5, 1.0))


def asked_to_stop() -> bool:
    """Whether the current task is to end: the Kafka client cancels futures of its own when a broker goes."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
