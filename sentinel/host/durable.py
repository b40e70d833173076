"""Writing what must survive, patiently: a disk that takes nothing holds the engine up and loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from sentinel.errors import StateError
from sentinel.host.settings import EventLog
from sentinel.model import AlertEvent, Payloads
from sentinel.store.journal import AdvanceEntry, InputEntry, Journal, Positions, Step
from sentinel.telemetry import logger

log = logger("host")

AGAIN_SECONDS: Final = 0.5


class Durable:
    """The journal and the alert log as the engine's thread writes them.

    While a write fails it is tried again, and `trouble` says what is wrong: somebody else has to page. Only
    `give_up` ends that. `beat` is called when the waiting is over: it was no idleness of the engine's.
    """

    def __init__(self, journal: Journal, events: EventLog, beat: Callable[[], None] = lambda: None) -> None:
        self.trouble = ""
        self._beat = beat
        self._journal, self._events = journal, events
        self._given_up = False
        self._syncing = ThreadPoolExecutor(1, thread_name_prefix="journal")

    def give_up(self) -> None:
        """The process is to end: from now on a failing write raises StateError."""
        self._given_up = True

    def input(self, payloads: Payloads) -> int:
        """Take payloads that only the journal can give again; their number in it."""
        return self._journal.append(entry_of(payloads))

    def advance(self, now_ms: int, positions: Positions, steps: Sequence[Step]) -> None:
        self._journal.append(AdvanceEntry(now_ms, positions, tuple(steps)))

    def write(self) -> None:
        """What was taken outlives this process."""
        self._patiently(self._journal.write)

    def sync(self) -> None:
        """What was taken survives a power cut."""
        self._patiently(self._journal.sync)

    def publish(self, events: Sequence[AlertEvent]) -> None:
        """Into the alert log; seen there once everything that led to them is as durable as they are.

        Two files are synced in about the time of one.
        """
        self.write()
        journaled = self._syncing.submit(self._journal.sync)
        try:
            self._patiently(lambda: self._events.add(events, self._journal.last))
        finally:
            journaled.result()
        self._events.show()

    def roll(self) -> None:
        """Sync, and begin a new segment: the old one can be cut behind a snapshot."""
        self._patiently(self._journal.roll)

    def _patiently(self, write: Callable[[], object]) -> None:
        while True:
            try:
                write()
            except StateError as error:
                if self._given_up:
                    raise
                if str(error) != self.trouble:
                    log.error("cannot write", error=str(error), hint="free space or make the folder writable")
                self.trouble = str(error)
                time.sleep(AGAIN_SECONDS)
                continue
            if self.trouble:
                log.info("can write again")
                self._beat()
                self.trouble = ""
            return


def entry_of(payloads: Payloads) -> InputEntry:
    """What the journal keeps of payloads that cannot be read again."""
    body = [payloads.record(row) for row in range(len(payloads))]
    return InputEntry(
        payloads.source,
        payloads.partition,
        payloads.format,
        body,
        payloads.arrival_ms,
        payloads.target.pairs,
    )
