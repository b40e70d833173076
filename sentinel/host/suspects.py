"""Who was at work when the daemon died: what does it three times is set aside, so that the rest goes on.

Before a batch is decoded or a rule evaluated, a note of it goes into the file `activity`; a note that is
still there at the next start is what the last process died in. A batch under suspicion is then taken record
by record, so that the third time it is one record that is left out. What was passed without harm is
forgotten: a rule at once, a batch when a snapshot is kept behind it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from sentinel.model import Payloads
from sentinel.rules.context import Guard
from sentinel.store.frames import write_synced
from sentinel.telemetry import logger

log = logger("host")

PATIENCE: Final = 3
"""Crashes in one and the same thing, before it is set aside."""
SHOWN_MS: Final = 3_600_000
"""A batch that was set aside is shown, and paged for, this long."""
JOURNAL: Final = "journal entry "
"""Begins the part of a batch that came from no partition; the entry's number follows."""
_NOTE_BYTES: Final = 4096


class Activity(msgspec.Struct, frozen=True, array_like=True):
    """A batch: a source, its partition, offsets [first, last).

    A rule: its group's key, its name, and the event time of the evaluation as both.
    """

    kind: Literal["batch", "rule"]
    owner: str
    part: str
    first: int = 0
    last: int = 0

    def holds(self, other: Activity) -> bool:
        """Whether a crash in `other` is one in this."""
        same = (self.kind, self.owner, self.part) == (other.kind, other.owner, other.part)
        return same and (self.kind == "rule" or (self.first <= other.first and other.last <= self.last))

    def behind(self, other: Activity) -> bool:
        """Whether a rule that lived through `other` has passed this."""
        return (self.kind, self.owner, self.part) == (other.kind, other.owner, other.part) and (
            self.kind == "rule" and self.first <= other.first
        )


class Suspect(msgspec.Struct, frozen=True):
    activity: Activity
    crashes: int
    seen_ms: int
    """When the daemon found, starting, that it had died in it last."""

    @property
    def set_aside(self) -> bool:
        return self.crashes >= PATIENCE


class Suspects(Guard):
    """The engine's thread writes, any may read `all`. A disk that fails makes it forget, no more."""

    def __init__(self, folder: Path, now_ms: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._list = folder / "suspects.json"
        self._note = _page(folder / "activity")
        self.all: tuple[Suspect, ...] = tuple(self._load())
        self._under_way: Activity | None = None
        noted = self._read_note()
        if noted is not None:
            self._blame(noted, now_ms)
        self._write_note(b"")

    def rules(self) -> frozenset[tuple[str, str]]:
        found = (each.activity for each in self.all if each.set_aside and each.activity.kind == "rule")
        return frozenset((activity.owner, activity.part) for activity in found)

    def enter(self, activity: Activity) -> None:
        """What follows may kill us; what came before did not."""
        self._survived()
        self._under_way = activity
        self._write_note(msgspec.json.encode(activity))

    def leave(self) -> None:
        """It did not."""
        self._survived()
        self._write_note(b"")

    def loaded(self, rules: Collection[tuple[str, str]]) -> None:
        """Who changes a rule, or takes it out, has it tried again."""

        def gone(activity: Activity) -> bool:
            return activity.kind == "rule" and (activity.owner, activity.part) not in rules

        self._keep(tuple(each for each in self.all if not gone(each.activity)))

    def evaluating(self, group: str, rule: str, at_ms: int) -> None:
        self.enter(Activity("rule", group, rule, at_ms, at_ms))

    def evaluated(self) -> None:
        self.leave()

    def pieces(self, payloads: Payloads, part: str) -> Iterator[tuple[Payloads, bool]]:
        """Payloads in order, every record under suspicion alone; with each, whether it is set aside."""
        rest = payloads
        for suspect in sorted(self._of(payloads.source, part), key=lambda each: each.activity.first):
            before, rest = rest.split(suspect.activity.first)
            if len(before):
                yield before, False
            inside, rest = rest.split(suspect.activity.last)
            while len(inside):
                one, inside = inside.split(int(inside.offset[0]) + 1)
                yield one, suspect.set_aside
        if len(rest) or rest is payloads:
            yield rest, False

    def passed(self, now_ms: int, positions: Mapping[str, Mapping[str, int]], journal: int) -> None:
        """A snapshot that has read so far is kept: batches before it did no harm, or are over."""

        def over(suspect: Suspect) -> bool:
            batch = suspect.activity
            if batch.kind != "batch":
                return False
            entry = batch.part.removeprefix(JOURNAL)
            read = (
                int(entry) <= journal
                if entry != batch.part
                else positions.get(batch.owner, {}).get(batch.part, 0) >= batch.last
            )
            here = batch.owner in positions  # else its source was taken out of the configuration
            return (read or not here) and not (suspect.set_aside and suspect.seen_ms + SHOWN_MS > now_ms)

        self._keep(tuple(each for each in self.all if not over(each)))

    def _survived(self) -> None:
        done, self._under_way = self._under_way, None
        if self.all and done is not None:
            self._keep(tuple(each for each in self.all if not each.activity.behind(done)))

    def _keep(self, suspects: tuple[Suspect, ...]) -> None:
        if suspects != self.all:
            self.all = suspects
            self._save()

    def _of(self, source: str, part: str) -> list[Suspect]:
        wanted = ("batch", source, part)
        return [s for s in self.all if (s.activity.kind, s.activity.owner, s.activity.part) == wanted]

    def _blame(self, noted: Activity, now_ms: int) -> None:
        known = [each for each in self.all if each.activity.holds(noted)]
        suspect = Suspect(noted, 1 + max((each.crashes for each in known), default=0), now_ms)
        self.all = (*(each for each in self.all if each not in known), suspect)
        self._save()
        told: dict[str, Any] = {"kind": noted.kind, "of": noted.owner, "what": noted.part}
        if noted.kind == "batch":
            told |= {"first": noted.first, "last": noted.last - 1}
        log.error(
            "set aside" if suspect.set_aside else "the last run died here", crashes=suspect.crashes, **told
        )

    def _load(self) -> list[Suspect]:
        try:
            return msgspec.json.decode(self._list.read_bytes(), type=list[Suspect])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("suspects forgotten", error=str(error))
            return []

    def _save(self) -> None:
        try:
            write_synced(self._list, msgspec.json.encode(self.all).decode())
        except OSError as error:
            log.warning("suspects not kept", error=str(error))

    def _read_note(self) -> Activity | None:
        length = int.from_bytes(self._note[:4], "little")
        with contextlib.suppress(msgspec.MsgspecError):
            return msgspec.json.decode(self._note[4 : 4 + length], type=Activity)
        return None

    def _write_note(self, text: bytes) -> None:
        """Into a page that is mapped already: it outlives the process, and costs no call of the system."""
        text = text[: _NOTE_BYTES - 4]
        self._note[:4] = bytes(4)  # a note that is half there is none
        self._note[4 : 4 + len(text)] = text
        self._note[:4] = len(text).to_bytes(4, "little")


def _page(path: Path) -> mmap.mmap:
    """A file of one page, mapped. It has its space: a store into a hole on a full disk would kill us."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, os.pread(file, _NOTE_BYTES, 0).ljust(_NOTE_BYTES, b"\0"), 0)
            return mmap.mmap(file, _NOTE_BYTES)
        finally:
            os.close(file)
    except OSError as error:
        log.warning("a crash will not be remembered", file=str(path), error=str(error))
        return mmap.mmap(-1, _NOTE_BYTES)
