"""Telling one integration: attempts with back-off until the notice is delivered, refused or overtaken."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final

import msgspec

from sentinel.alert.flush import Entry, LedgerKey, Notice
from sentinel.model import Delivery, Notification
from sentinel.telemetry import NOTIFICATIONS, NOTIFICATIONS_FAILED, NOTIFICATIONS_FAILING, logger

_LOG = logger("alert")

Deliver = Callable[[str, int, Notification], Awaitable[Delivery]]
"""(receiver name, index of the integration, notification) -> what came of it."""

PARALLEL: Final = 16
"""Attempts at a time per integration: a slow receiver fills its own places, nobody else's."""
ATTEMPT_SECONDS: Final = 60.0
FIRST_PAUSE, PAUSE_FACTOR, LONGEST_PAUSE = 0.5, 1.5, 60.0
LONGEST_WISH: Final = 3600.0
"""A Retry-After beyond this is not believed."""
_CERTAIN: Final = frozenset({"auth", "rate_limited", "client"})
"""Answers that say that the receiver has not taken the notice."""


class Ledger:
    """One integration and one group: what it was told (`entry`) and what it is being told (`notice`)."""

    def __init__(self, key: LedgerKey, entry: Entry | None = None) -> None:
        self.key = key
        self.entry = entry or Entry()
        self.notice: Notice | None = None
        self.serving = False
        self._overtaken = asyncio.Event()
        self._not_before = 0.0

    @property
    def overtaken(self) -> bool:
        """Whether the group was flushed with other alerts than those of the notice under way."""
        return self._overtaken.is_set()

    def overtake(self) -> None:
        """Ends the attempts after the one in flight; the caller decides afresh."""
        self._overtaken.set()

    def settle(self) -> None:
        """Nothing is under way any more."""
        self.notice = None
        self._overtaken.clear()

    async def wait_until_allowed(self) -> None:
        await asyncio.sleep(self._not_before - asyncio.get_running_loop().time())

    async def pause(self, seconds: float, wish: float) -> None:
        """Waits before the next attempt; overtaking cuts it short, though never below the receiver's wish."""
        now = asyncio.get_running_loop().time()
        self._not_before = now + min(wish, LONGEST_WISH)
        try:
            async with asyncio.timeout(max(seconds, self._not_before - now)):
                await self._overtaken.wait()
        except TimeoutError:
            return


class Failing:
    """Since when integrations have taken nothing: a gauge by receiver that is right when scraped."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, int], float] = {}
        self._receivers: Collection[str] | None = None

    def note(self, receiver: str, index: int, delivered: bool) -> None:
        gone = self._receivers is not None and receiver not in self._receivers
        if delivered or gone:
            self._since.pop((receiver, index), None)
        else:
            self._since.setdefault((receiver, index), time.monotonic())
        NOTIFICATIONS_FAILING.labels(receiver).set_function(partial(self.seconds, receiver))

    def keep_only(self, receivers: Collection[str]) -> None:
        """After a reload: nobody waits for a receiver that is gone, though a last attempt may still fail."""
        self._receivers = receivers
        self._since = {key: at for key, at in self._since.items() if key[0] in receivers}

    def seconds(self, receiver: str | None = None) -> float:
        """The longest, of one receiver or of all; 0 if all is well."""
        begun = [at for (name, _), at in list(self._since.items()) if receiver in (None, name)]
        return time.monotonic() - min(begun) if begun else 0.0


class Outcome(msgspec.Struct, frozen=True):
    """How telling ended: the last answer, and whether an unanswered attempt may have got through."""

    delivery: Delivery
    maybe_told: bool


class Teller:
    """Makes the attempts. Its own loop rather than a retry library's: an overtaken notice must stop waiting,
    a receiver's wish counts, and virtual time must pass in tests."""

    def __init__(self, deliver: Deliver, jitter: random.Random, failing: Failing | None = None) -> None:
        self._deliver, self._jitter, self._failing = deliver, jitter, failing or Failing()
        self._places: defaultdict[tuple[str, int], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(PARALLEL)
        )

    async def tell(self, ledger: Ledger, notification: Notification) -> Outcome:
        """Until delivered, refused for good, or overtaken (the last answer is then a retryable one)."""
        pause, maybe_told = FIRST_PAUSE, False
        await ledger.wait_until_allowed()
        while True:
            delivery = await self._attempt(ledger.key, notification)
            if delivery.delivered:
                return Outcome(delivery, maybe_told=True)
            maybe_told = maybe_told or delivery.reason not in _CERTAIN
            if not delivery.retryable or ledger.overtaken:
                return Outcome(delivery, maybe_told)
            await ledger.pause(pause * self._jitter.uniform(0.5, 1.5), delivery.retry_after_seconds)
            if ledger.overtaken:
                return Outcome(delivery, maybe_told)
            pause = min(pause * PAUSE_FACTOR, LONGEST_PAUSE)

    async def _attempt(self, key: LedgerKey, notification: Notification) -> Delivery:
        _, receiver, index = key
        async with self._places[receiver, index]:
            delivery = await self._guarded(receiver, index, notification)
        self._failing.note(receiver, index, delivery.delivered)
        if delivery.delivered:
            NOTIFICATIONS.labels(receiver).inc()
        else:
            NOTIFICATIONS_FAILED.labels(receiver, delivery.reason or "other").inc()
            _LOG.warning(
                "notify_failed",
                receiver=receiver,
                integration=index,
                id=notification.id,
                reason=delivery.reason,
                detail=delivery.detail,
                retry=delivery.retryable,
            )
        return delivery

    async def _guarded(self, receiver: str, index: int, notification: Notification) -> Delivery:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self._deliver(receiver, index, notification)
        except TimeoutError:
            return Delivery(False, retryable=True, reason="timeout", detail="the receiver did not answer")
        except AssertionError:
            raise
        except Exception as error:  # a receiver's bug must not lose an alert; its text might show a secret
            return Delivery(False, retryable=True, reason="other", detail=type(error).__name__)
