"""Failures as text: as promtool prints them, or as a difference line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from sentinel.rule_test.outcome import Failure, Mismatch, Outcome

_DEEP = " " * 12


def failure_text(outcome: Outcome, failure: Failure, *, diff: bool = False) -> str:
    """One failure, without a line end."""
    head = f"    name: {outcome.name},\n    {failure.about}, "
    if isinstance(failure.why, str):
        return f"{head}err: {failure.why}"
    if diff:
        return "\n".join([f"{head}\n        diff:", *_difference(failure.why)])
    if failure.why.blocks:
        return (
            f"{head}\n        exp:{_blocks(failure.why.expected)}, \n        got:{_blocks(failure.why.got)}"
        )
    expected, got = (", ".join(side) or "nil" for side in (failure.why.expected, failure.why.got))
    return f"{head}\n        exp: {expected}\n        got: {got}"


def _blocks(items: Sequence[str]) -> str:
    """`[]`, or a numbered block for each item."""
    if not items:
        return "[]"
    blocks = (
        f"\n{_DEEP}{number}:" + "".join(f"\n{_DEEP}  {line}" for line in item.splitlines())
        for number, item in enumerate(items)
    )
    return f"[{','.join(blocks)}\n{_DEEP}]"


def _difference(mismatch: Mismatch) -> Iterator[str]:
    """`- ` before what is expected and lacking, `+ ` before what came instead."""
    expected, got = (
        [line for item in side for line in item.splitlines()] for side in (mismatch.expected, mismatch.got)
    )
    for line in difflib.ndiff(expected, got):
        yield f"{_DEEP}{line.rstrip()}"
