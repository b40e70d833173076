"""Regular expressions of matchers: whether they are any, in the words of Prometheus."""

from __future__ import annotations

import functools

from sentinel.model.regex import go_fault


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
        problem, where = go_fault(error)
        where = f": `{where}`" if where else ""
        raise ValueError(f"error parsing regexp: {problem}{where}") from None
