"""What `clusters:` of the configuration may hold: which clusters are watched, and what of them."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Final

import msgspec

from sentinel.ingest.kafka_connection import KafkaConnection
from sentinel.model import Duration
from sentinel.watch.names import Dialect

DEFAULT_TIMEOUT_MS: Final = 3_000


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names that a pattern of `include` matches, and none of `exclude`. Patterns are RE2, of whole names."""

    include: list[str] = msgspec.field(default_factory=lambda: [".*"])
    exclude: list[str] = []

    def __post_init__(self) -> None:
        for pattern in (*self.include, *self.exclude):
            _compiled(pattern)

    def matches(self, name: str) -> bool:
        return _any(self.include, name) and not _any(self.exclude, name)


class ClusterConfig(KafkaConnection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Kafka cluster to watch: it is asked every `interval`, and gives samples with the label `cluster`.

    A broker that gives no answer within `timeout` counts as silent; 0 means 3 seconds, or half the interval
    if that is shorter. Internal topics such as `__consumer_offsets` are topics too. `names` chooses whose
    metric names are spoken beside our own; both by default.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    interval: Duration = Duration(10_000)
    timeout: Duration = Duration(0)
    topics: Filter = msgspec.field(default_factory=Filter)
    groups: Filter = msgspec.field(default_factory=Filter)
    names: list[Dialect] = msgspec.field(default_factory=lambda: ["kafka_exporter", "kminion"])

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.name or "/" in self.name:
            raise ValueError(f"name {self.name!r} must be a text without '/'")
        if self.interval <= 0:
            raise ValueError("interval must be above 0")
        if self.timeout > self.interval:
            raise ValueError(f"timeout {self.timeout} is longer than the interval {self.interval}")

    @property
    def timeout_seconds(self) -> float:
        """How long one request to one broker may take."""
        return self.timeout.seconds or min(DEFAULT_TIMEOUT_MS, self.interval / 2) / 1000


def _any(patterns: list[str], name: str) -> bool:
    return any(_compiled(pattern).fullmatch(name) is not None for pattern in patterns)


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    """Raises ValueError with a text for the user."""
    import re2  # only who watches a cluster pays for it

    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        problem = error.args[0]
        text = problem.decode(errors="replace") if isinstance(problem, bytes) else str(problem)
        raise ValueError(f"bad regex {pattern!r}: {text}") from None
