"""Webhook payloads: a structure of templates becomes a structure of values."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, Final

import yaml

from sentinel.errors import TemplateError

_MAX_NODES: Final = 100_000


def render_payload(value: Any, render: Callable[[str], str]) -> Any:
    """A copy of `value` with every text rendered, keys too; keys that are no texts are left out.

    A rendered text that is YAML (so JSON too) of anything but a text becomes what it says: `3`, `{"a": 1}`.
    Raises TemplateError if a text fails to render or says too much.
    """
    if isinstance(value, str):
        return _read(render(value))
    if isinstance(value, list):
        return [render_payload(item, render) for item in value]
    if isinstance(value, dict):
        texts = ((key, item) for key, item in value.items() if isinstance(key, str))
        return {render(key): render_payload(item, render) for key, item in texts}
    return value


def _read(text: str) -> Any:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    if isinstance(found, str | datetime.date):
        return text
    return _Copy().of(found)


class _Copy:
    """A copy without aliases, dates or keys other than texts; bounded, as aliases can multiply."""

    def __init__(self) -> None:
        self._nodes = 0

    def of(self, value: Any) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise TemplateError(f"payload has more than {_MAX_NODES} values")
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if isinstance(value, dict):
            return {key: self.of(item) for key, item in value.items() if isinstance(key, str)}
        return value.isoformat() if isinstance(value, datetime.date) else value
