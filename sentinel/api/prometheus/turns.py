"""Who may use the engine's thread when: ad-hoc work gets it piece by piece, in the order in which it asked.

Between two pieces the engine takes in and evaluates whatever is due, so how long a piece takes is how much
later an alert may come. `worker` is for what needs no engine: parsing, sorting, writing JSON.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from prometheus_client import Gauge, Histogram

from sentinel.engine import Engine
from sentinel.errors import QueryError
from sentinel.host import Host
from sentinel.telemetry import REGISTRY

T = TypeVar("T")

PIECE_SECONDS: Final = 0.02
"""What can be done in several pieces is cut into pieces about this long."""
MOST_SECONDS: Final = 2.0
"""What goes on longer without an end or a next piece is given up: alerts wait for it."""
MOST_AT_ONCE: Final = 100
"""Beyond so many that wait or are under way, requests are turned away."""
GRACE_SECONDS: Final = 5.0
"""Whoever is not answered so long after the time-out is told that it is over."""
WORKERS: Final = 2
FORGET_AFTER: Final = 50
"""Pieces after which the store forgets what only queries have looked for."""

AT_ONCE = Gauge("sentinel_queries", "Requests that use the engine, waiting ones included.", registry=REGISTRY)
HELD = Histogram(
    "sentinel_query_hold_seconds",
    "How long pieces of ad-hoc queries held the engine's thread.",
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
    registry=REGISTRY,
)


class Patience:
    """How long somebody waits: until a time, and until they hang up."""

    def __init__(self, seconds: float, gone: Callable[[], bool] = lambda: False) -> None:
        self._until, self.gone = time.monotonic() + seconds, gone
        self._stage = "query queue"

    def begin(self) -> None:
        """The turn has come for the first time."""
        self._stage = "expression evaluation"

    def over(self) -> QueryError:
        return QueryError(f"query timed out in {self._stage}", kind="timeout")

    def canceled(self) -> QueryError:
        return QueryError(f"query was canceled in {self._stage}", kind="canceled")

    def left(self) -> float:
        return max(0.0, self._until - time.monotonic())

    def expired(self) -> bool:
        return time.monotonic() >= self._until


class Turns:
    """`restoring` says whether the engine's state is still being restored: nobody is served before."""

    def __init__(self, host: Host, restoring: Callable[[], bool]) -> None:
        self._host, self._restoring = host, restoring
        self._turn, self._at_once, self._pieces = asyncio.Lock(), 0, 0
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="query")

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """For the length of a request. Raises QueryError of kind `unavailable`."""
        if self._restoring():
            raise QueryError("state is being restored", kind="unavailable")
        if self._at_once >= MOST_AT_ONCE:
            raise QueryError(f"{self._at_once} requests wait already", kind="unavailable")
        self._at_once += 1
        AT_ONCE.inc()
        try:
            yield
        finally:
            self._at_once -= 1
            AT_ONCE.dec()

    async def piece(self, work: Callable[[Engine], T], patience: Patience) -> T:
        """What `work` gives, on the engine's thread. Raises QueryError of kind `timeout` or `canceled`."""
        try:
            async with asyncio.timeout(patience.left()):
                await self._turn.acquire()
        except TimeoutError:
            raise patience.over() from None
        if patience.gone():
            self._turn.release()
            raise patience.canceled()
        answer = asyncio.ensure_future(self._host.call(lambda engine: self._timed(engine, work, patience)))
        answer.add_done_callback(self._end)
        try:
            async with asyncio.timeout(patience.left() + GRACE_SECONDS):
                return await asyncio.shield(answer)  # the turn ends with the work, not with the wait for it
        except TimeoutError:
            raise patience.over() from None

    async def worker(self, work: Callable[[], T]) -> T:
        """What `work` gives, on a thread that holds up neither the engine nor the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    def _end(self, answer: asyncio.Future[T]) -> None:
        self._turn.release()
        if not answer.cancelled():
            answer.exception()  # seen, whether or not somebody still waits

    def _timed(self, engine: Engine, work: Callable[[Engine], T], patience: Patience) -> T:
        if patience.expired():  # the engine was busy with what is due
            raise patience.over()
        patience.begin()
        began = time.perf_counter()
        try:
            return work(engine)
        finally:
            self._pieces += 1
            if self._pieces % FORGET_AFTER == 0:
                _forget(engine)
            HELD.observe(time.perf_counter() - began)


def _forget(engine: Engine) -> None:
    """Selections that no rule asks for: the engine's own sweep comes only where rules are evaluated."""
    asked = (demand.matchers for group in engine.groups.values() for demand in group.demands())
    engine.store.index.keep_only(set(asked))
