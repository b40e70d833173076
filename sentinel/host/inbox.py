"""The one queue into the engine's thread: bounded in records, filled on the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

from sentinel.errors import SourceError
from sentinel.model import Payloads
from sentinel.telemetry import INBOX, INBOX_LIMIT

Ack = Callable[[], None]
Command = Callable[[], Any]
Item = tuple[Payloads, Ack | None] | Command
T = TypeVar("T")

PATIENCE_SECONDS: Final = 10.0
"""How long somebody who pushes is kept waiting."""


class Inbox:
    """Commands pass at once; payloads wait for room."""

    def __init__(self, limit_records: int) -> None:
        self._limit, self._records = limit_records, 0
        self._items: deque[Item] = deque()
        self._filled = threading.Condition()
        self._room: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        INBOX_LIMIT.set(limit_records)

    async def put(self, payloads: Payloads, ack: Ack | None = None) -> None:
        """Waits while the inbox is full. One payload larger than the limit passes when it is empty."""
        while not self._try_put(payloads, ack):
            loop = asyncio.get_running_loop()
            turn = loop.create_future()
            with self._filled:
                self._room.append((loop, turn))
            if not self._full(len(payloads)):
                self._wake_waiters()
            await turn

    async def put_synced(self, payloads: Payloads) -> None:
        """Returns when the thread has acknowledged the payloads.

        Raises:
            SourceError: not within the time a client may be kept waiting.
        """
        loop = asyncio.get_running_loop()
        synced: asyncio.Future[None] = loop.create_future()

        def ack() -> None:
            loop.call_soon_threadsafe(resolve, synced)

        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.put(payloads, ack)
                await synced
        except TimeoutError:
            raise SourceError("the engine is busy", reason="overloaded") from None

    async def call(self, work: Callable[[], T]) -> T:
        """What `work` gives, run on the thread between two inputs."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def set_answer(result: T | None, error: Exception | None) -> None:
            if answer.done():  # whoever asked may have given up
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(result)  # type: ignore[arg-type]

        def command() -> None:
            try:
                loop.call_soon_threadsafe(set_answer, work(), None)
            except Exception as error:  # handed to the caller, whose mistake it may be
                loop.call_soon_threadsafe(set_answer, None, error)

        self.command(command)
        return await answer

    def command(self, command: Command) -> None:
        with self._filled:
            self._items.append(command)
            self._filled.notify()

    def take(self, timeout_seconds: float, limit: int = 64) -> list[Item]:
        """Up to `limit` payloads, or one command: what came in before it is to be looked at first.

        In order; waits at most `timeout_seconds` for the first. The thread's side.
        """
        with self._filled:
            if not self._items and timeout_seconds > 0:
                self._filled.wait(timeout_seconds)
            items: list[Item] = []
            while self._items and len(items) < limit and (not items or isinstance(self._items[0], tuple)):
                items.append(self._items.popleft())
                if not isinstance(items[0], tuple):
                    break
            self._records -= sum(len(item[0]) for item in items if isinstance(item, tuple))
            INBOX.set(self._records)
        if items:
            self._wake_waiters()
        return items

    def _full(self, more: int) -> bool:
        return self._records > 0 and self._records + more > self._limit

    def _try_put(self, payloads: Payloads, ack: Ack | None) -> bool:
        with self._filled:
            if self._full(len(payloads)):
                return False
            self._items.append((payloads, ack))
            self._records += len(payloads)
            INBOX.set(self._records)
            self._filled.notify()
            return True

    def _wake_waiters(self) -> None:
        with self._filled:
            waiters, self._room = self._room, deque()
        for loop, turn in waiters:
            loop.call_soon_threadsafe(resolve, turn)


def resolve(turn: asyncio.Future[None]) -> None:
    """On the loop; whoever waited may have given up meanwhile."""
    if not turn.done():
        turn.set_result(None)
