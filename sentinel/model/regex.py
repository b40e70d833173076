"""What is wrong with a regular expression, in words of Go: RE2 takes the same language and has its own."""

from __future__ import annotations

from typing import Final

_WORDS: Final = {
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "trailing \\": "trailing backslash at end of expression",
    "trailing \\ at end of regexp": "trailing backslash at end of expression",
}


def go_fault(error: Exception) -> tuple[str, str]:
    """(what is wrong, the part of the expression that is meant, perhaps nothing) of an `re2.error`."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    fault, _, where = text.partition(": ")
    return _WORDS.get(fault, fault), where
