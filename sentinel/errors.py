"""The errors that cross a room's border. Each says what, where, and what to do.

`AssertionError` is left for our own bugs: it ends the process, and a restart continues from the journal.
"""

from __future__ import annotations


class SentinelError(Exception):
    """Base of everything a caller may expect from us."""


class ConfigError(SentinelError):
    """The user's file is wrong. `line` and `column` count from 1; 0 means unknown."""

    def __init__(
        self, message: str, *, path: str = "", line: int = 0, column: int = 0, hint: str = ""
    ) -> None:
        self.message, self.path, self.line, self.column, self.hint = message, path, line, column, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        return _located(self.path, self.line, self.column, self.message, self.hint)


class ConfigErrors(SentinelError):  # noqa: N818 - it is many
    """All errors of one load, so that a user mends them in one go."""

    def __init__(self, errors: list[ConfigError | RuleError]) -> None:
        self.errors = errors
        super().__init__("\n".join(str(error) for error in errors))


class RuleError(SentinelError):
    """One rule is wrong: `check` prints it; at run time its group is unhealthy and the others run."""

    def __init__(
        self, message: str, *, path: str = "", line: int = 0, column: int = 0, rule: str = "", hint: str = ""
    ) -> None:
        self.message, self.path, self.line, self.column = message, path, line, column
        self.rule, self.hint = rule, hint
        super().__init__(str(self))

    def __str__(self) -> str:
        what = f"rule {self.rule!r}: {self.message}" if self.rule else self.message
        return _located(self.path, self.line, self.column, what, self.hint)


class DecodeError(SentinelError):
    """Bad bytes. `reason` comes from a closed set per format: it is a metric label."""

    def __init__(self, format: str, reason: str, detail: str = "") -> None:
        self.format, self.reason, self.detail = format, reason, detail
        super().__init__(f"{format}: {reason}" + (f": {detail}" if detail else ""))


class QueryError(SentinelError):
    """A query is wrong or too dear. `kind` is Prometheus's errorType; `position` a 0-based offset or -1."""

    def __init__(self, message: str, *, kind: str = "bad_data", position: int = -1) -> None:
        self.message, self.kind, self.position = message, kind, position
        super().__init__(message)


class TemplateError(SentinelError):
    """A Go template does not parse (`load` is true: the file is refused) or fails while running."""

    def __init__(self, message: str, *, load: bool = False) -> None:
        self.message, self.load = message, load
        super().__init__(message)


class SourceError(SentinelError):
    """The outside world does not give; retried with back-off. `reason` is a bounded metric label."""

    def __init__(self, message: str, *, reason: str = "other", retryable: bool = True) -> None:
        self.reason, self.retryable = reason, retryable
        super().__init__(message)


class StateError(SentinelError):
    """Our own files cannot be read or written: a start is refused with what to do about it."""


def _located(path: str, line: int, column: int, message: str, hint: str) -> str:
    where = path + (f":{line}:{column}" if line else "")
    text = f"{where}: {message}" if where else message
    return f"{text} ({hint})" if hint else text
