"""Names that do not follow what most do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sentinel.rules.lint.finding import Found
from sentinel.rules.lint.subject import Subject

_ALERT: Final = re.compile(r"[A-Z][A-Za-z0-9]*")
_RECORD: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*:[a-zA-Z0-9_:]*|:[a-zA-Z0-9_:]+")


def naming(subject: Subject) -> Iterator[Found]:
    """Alerts in CamelCase, recorded series as `level:metric:operations`."""
    rule = subject.rule
    if rule.alert and not _ALERT.fullmatch(rule.alert):
        message = "alerts are usually named LikeThis"
        yield subject.about(
            "alert", message=message, hint="names without spaces are easier to silence and route"
        )
    if rule.record and not _RECORD.fullmatch(rule.record):
        message = "recorded series are usually named level:metric:operations"
        yield subject.about("record", message=message, hint="a colon tells them from what sources bring")
