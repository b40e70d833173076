"""Regular expressions of matchers: whether they are any, in the words of Prometheus."""

from __future__ import annotations

import functools
from typing import Final

_WORDS: Final = {
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "invalid repetition size": "invalid repeat count",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid named capture group": "invalid named capture",
    "trailing \\ at end of regexp": "trailing backslash at end of expression",
}
"""What Go says for what RE2 says: the languages are the same."""


@functools.lru_cache(maxsize=4096)
def check_regex(pattern: str) -> None:
    """Raises ValueError with a text for the user unless this is RE2 syntax."""
    import re2  # only queries with regexes pay for it

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise ValueError("error parsing regexp: invalid UTF-8") from None
    except re2.error as error:
        problem, _, where = _text(error.args[0]).partition(": ")
        where = f": `{where}`" if where else ""
        raise ValueError(f"error parsing regexp: {_WORDS.get(problem, problem)}{where}") from None


def _text(message: bytes | str) -> str:
    return message.decode(errors="replace") if isinstance(message, bytes) else message
