"""`${VAR}` in the texts of the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping

_FORM = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|(\{))")


def substitute(text: str, environment: Mapping[str, str]) -> str:
    """`${VAR}` and `${VAR:-default}` replaced (the default also for an empty VAR); `$$` is a dollar sign.

    What comes in is not looked at again. Raises ValueError; a second line of its text is a hint.
    """

    def value(found: re.Match[str]) -> str:
        escaped, name, default, stray = found.groups()
        if escaped:
            return "$"
        if stray:
            raise ValueError(
                "'${' begins no variable\nwrite ${NAME}, ${NAME:-default}, or $${ for the text itself"
            )
        text = environment.get(name, "")
        if default is not None:
            return text or default
        if name not in environment:
            raise ValueError(f"environment variable {name} is not set\nset it, or write ${{{name}:-default}}")
        return text

    return _FORM.sub(value, text)
