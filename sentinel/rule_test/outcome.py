"""What came of a test: what is not as expected, as data that any report can be written from."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Mismatch(msgspec.Struct, frozen=True):
    """Two lists that should be equal, each item as a text."""

    expected: Sequence[str]
    got: Sequence[str]
    blocks: bool = False
    """Items of several lines, each to be shown by itself."""


class Failure(msgspec.Struct, frozen=True):
    """`about` says which check failed; `why` is the mismatch, or an error's text."""

    about: str
    why: Mismatch | str


class Outcome(msgspec.Struct):
    """One test. It passed if nothing failed; `notes` may be worth knowing all the same."""

    name: str
    where: str
    """Its place: file:line:column."""
    failures: list[Failure] = []
    notes: list[str] = []
    seconds: float = 0.0
