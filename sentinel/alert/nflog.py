"""The notification log and what else the pipeline must know after a crash, in one sqlite file.

Write-ahead log with `synchronous=FULL`: a commit that returned survives a power cut. `Saver` shares one sync
among all who wait for one at the same time.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final

import msgspec

from sentinel.alert.flush import Entry, Fingerprint, LedgerKey
from sentinel.alert.group import GroupId, GroupRow
from sentinel.alert.log import decode_event, encode_event
from sentinel.errors import StateError
from sentinel.model import AlertEvent, Labels
from sentinel.telemetry import logger

_LOG = logger("alert")

AGAIN_SECONDS: Final = 1.0
LATEST_SECONDS: Final = 1.0
"""What nobody waits for is committed with something else, at the latest so long after the commit before."""
_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE progress (id INTEGER PRIMARY KEY CHECK (id = 0), position INTEGER NOT NULL);
INSERT INTO progress VALUES (0, 0);
CREATE TABLE alerts (fingerprint TEXT PRIMARY KEY, event BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE groups (
    group_key TEXT, receiver TEXT, labels BLOB NOT NULL, next_ms INTEGER NOT NULL, flushed INTEGER NOT NULL,
    PRIMARY KEY (group_key, receiver)
) WITHOUT ROWID;
CREATE TABLE entries (
    group_key TEXT, receiver TEXT, integration INTEGER, entry BLOB NOT NULL,
    PRIMARY KEY (group_key, receiver, integration)
) WITHOUT ROWID;
"""


class Changes(msgspec.Struct):
    """What the next commit writes; None removes. `position` is how far the alert log was taken in."""

    alerts: dict[Fingerprint, AlertEvent | None] = {}
    groups: dict[GroupId, GroupRow | None] = {}
    entries: dict[LedgerKey, Entry | None] = {}
    position: int | None = None

    def __bool__(self) -> bool:
        return bool(self.alerts or self.groups or self.entries) or self.position is not None


class Saved(msgspec.Struct):
    """What was on disk at the start."""

    alerts: list[AlertEvent]
    groups: list[GroupRow]
    entries: dict[LedgerKey, Entry]
    position: int


class NotificationLog:
    """`alerts.sqlite` in a folder. One thread at a time; raises StateError where the file cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "alerts.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{self._path} cannot be opened: {error}") from error

    def _prepare(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        elif version != _VERSION:
            raise StateError(
                f"{self._path} was written by another release (format {version}, not {_VERSION})"
            )

    def load(self) -> Saved:
        """Everything that was written."""
        fetch = self._db.execute
        (position,) = fetch("SELECT position FROM progress").fetchone()
        groups = fetch("SELECT group_key, receiver, labels, next_ms, flushed FROM groups")
        entries = fetch("SELECT group_key, receiver, integration, entry FROM entries")
        return Saved(
            alerts=[decode_event(data) for (data,) in fetch("SELECT event FROM alerts")],
            groups=[
                GroupRow(
                    (key, name),
                    Labels(msgspec.msgpack.decode(labels, type=list[tuple[str, str]])),
                    next_ms,
                    bool(flushed),
                )
                for key, name, labels, next_ms, flushed in groups
            ],
            entries={
                (key, name, index): msgspec.msgpack.decode(data, type=Entry)
                for key, name, index, data in entries
            },
            position=position,
        )

    def write(self, changes: Changes) -> None:
        """One transaction, synced when it returns."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._put("alerts", [((print,), _event(event)) for print, event in changes.alerts.items()])
                self._put("groups", [(id, _group(row)) for id, row in changes.groups.items()])
                self._put("entries", [(key, _entry(entry)) for key, entry in changes.entries.items()])
                if changes.position is not None:
                    self._db.execute("UPDATE progress SET position = ?", (changes.position,))
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise StateError(f"{self._path} cannot be written: {error}") from error

    def _put(self, table: str, rows: list[tuple[tuple[Any, ...], tuple[Any, ...] | None]]) -> None:
        columns = {"alerts": ("fingerprint",), "groups": ("group_key", "receiver")}
        keys = columns.get(table, ("group_key", "receiver", "integration"))
        gone = [key for key, values in rows if values is None]
        kept = [key + values for key, values in rows if values is not None]
        where = " AND ".join(f"{column} = ?" for column in keys)
        self._db.executemany(f"DELETE FROM {table} WHERE {where}", gone)
        if kept:
            marks = ", ".join("?" * len(kept[0]))
            self._db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", kept)

    def close(self) -> None:
        self._db.close()


def _event(event: AlertEvent | None) -> tuple[Any, ...] | None:
    return None if event is None else (encode_event(event),)


def _group(row: GroupRow | None) -> tuple[Any, ...] | None:
    return None if row is None else (msgspec.msgpack.encode(row.labels.pairs), row.next_ms, row.flushed)


def _entry(entry: Entry | None) -> tuple[Any, ...] | None:
    return None if entry is None else (msgspec.msgpack.encode(entry),)


class Saver:
    """Collects changes and commits them in another thread.

    `save` returns once everything changed before the call is on disk. Callers that come while a commit runs
    share the next one; what nobody has to wait for goes with it, if it comes within a second. A commit that
    fails is tried again for ever: nothing may be told that is not on disk. Meanwhile `trouble` says what is
    wrong.
    """

    def __init__(self, log: NotificationLog, executor: Executor) -> None:
        self.changes = Changes()
        self.trouble = ""
        self._log, self._executor = log, executor
        self._lock = asyncio.Lock()
        self._saved = 0.0

    async def save(self) -> None:
        mine = self.changes
        async with self._lock:
            if self.changes is not mine or not mine:
                return  # written by whoever held the lock before, or nothing to write
            self.changes = Changes()
            while not await self._written(mine):  # noqa: ASYNC110 - nobody tells when a disk has room
                await asyncio.sleep(AGAIN_SECONDS)
            self._saved = asyncio.get_running_loop().time()

    def seconds_left(self) -> float:
        """How long what was changed may still wait for a commit that somebody needs."""
        if not self.changes:
            return math.inf
        left = self._saved + LATEST_SECONDS - asyncio.get_running_loop().time()
        return left if left > 0.001 else 0.0  # a timer may be coarser: who waited for less would wait again

    async def _written(self, changes: Changes) -> bool:
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._log.write, changes)
        except StateError as error:
            if not self.trouble:
                _LOG.error("cannot write", error=str(error), hint="free space or make the folder writable")
            self.trouble = str(error)
            return False
        self.trouble = ""
        return True


class Forgetful:
    """A saver for alerts that must be told although nothing can be written."""

    def __init__(self) -> None:
        self.changes = Changes()

    async def save(self) -> None:
        self.changes = Changes()
