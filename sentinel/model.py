"""The types that travel between rooms: small, frozen, without behaviour that belongs to one room."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

Int64s = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
UInt64s = npt.NDArray[np.uint64]
UInt8s = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

STALE_BITS: Final = 0x7FF0000000000002
"""Prometheus's staleness marker. Compare bits: to a float comparison it is one NaN among others."""
STALE: Final = float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])

_FNV_OFFSET, _FNV_PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


class Labels:
    """An immutable label set: pairs sorted by name, no empty values (empty means absent).

    Equal sets compare equal and hash equal; the hash and the fingerprint are computed once.
    """

    __slots__ = ("_fingerprint", "_hash", "_map", "pairs")

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        items = pairs.items() if isinstance(pairs, Mapping) else pairs
        self.pairs: tuple[tuple[str, str], ...] = tuple(sorted((n, v) for n, v in items if v))
        self._map: dict[str, str] | None = None
        self._hash = hash(self.pairs)
        self._fingerprint = -1

    @property
    def map(self) -> Mapping[str, str]:
        """The same pairs for look-up by name; not to be changed."""
        if self._map is None:
            self._map = dict(self.pairs)
        return self._map

    @property
    def name(self) -> str:
        return self.map.get("__name__", "")

    @property
    def fingerprint(self) -> int:
        """Prometheus's FNV-1a-64 over `name 0xFF value 0xFF`, unsigned."""
        if self._fingerprint < 0:
            value = _FNV_OFFSET
            for name, text in self.pairs:
                for byte in b"%b\xff%b\xff" % (name.encode(), text.encode()):
                    value = ((value ^ byte) * _FNV_PRIME) & _MASK
            self._fingerprint = value
        return self._fingerprint

    def get(self, name: str, default: str = "") -> str:
        return self.map.get(name, default)

    def with_(self, changes: Mapping[str, str]) -> Labels:
        """These labels with `changes` laid over; an empty value removes a label."""
        return Labels({**self.map, **changes})

    def keep(self, names: Iterable[str]) -> Labels:
        wanted = set(names)
        return Labels([pair for pair in self.pairs if pair[0] in wanted])

    def drop(self, names: Iterable[str]) -> Labels:
        unwanted = set(names)
        return Labels([pair for pair in self.pairs if pair[0] not in unwanted])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels) and self.pairs == other.pairs

    def __lt__(self, other: Labels) -> bool:
        return self.pairs < other.pairs

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        """As Prometheus prints a series: `name{a="b", c="d"}`."""
        inner = ", ".join(f"{n}={quote(v)}" for n, v in self.pairs if n != "__name__")
        return f"{self.name}{{{inner}}}" if inner or not self.name else self.name

    def __reduce__(self) -> tuple[type[Labels], tuple[tuple[tuple[str, str], ...]]]:
        return Labels, (self.pairs,)


def quote(text: str) -> str:
    """A Go-style double-quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


MatchOp = Literal["=", "!=", "=~", "!~"]


@functools.lru_cache(maxsize=4096)
def _anchored(pattern: str) -> Any:
    import re2  # only queries and routes with regexes pay for it

    try:
        return re2.compile(f"^(?s:{pattern})$")
    except re2.error as error:
        raise ValueError(f"bad regex {pattern!r}: {error}") from None


class Matcher(msgspec.Struct, frozen=True, order=True):
    """`name op "value"`. Regexes are RE2, anchored at both ends; an absent label is the empty string."""

    name: str
    op: MatchOp
    value: str

    def __post_init__(self) -> None:
        if self.op in ("=~", "!~"):
            _anchored(self.value)  # raises ValueError early, where the position is known

    def matches(self, text: str) -> bool:
        if self.op == "=":
            return text == self.value
        if self.op == "!=":
            return text != self.value
        return (_anchored(self.value).match(text) is not None) is (self.op == "=~")

    def __str__(self) -> str:
        return f"{self.name}{self.op}{quote(self.value)}"


class Payloads(msgspec.Struct, frozen=True, eq=False):
    """Undecoded records of one source and partition, as spans into one buffer.

    `record_ms` is the broker's time of each record, or -1. `next_offset` is where reading goes on, which
    may lie behind the last record (control batches, compaction). `arrival_ms` bounds future timestamps.
    `target` labels are laid over every sample (`job` and `instance` of a scrape).
    """

    source: str
    partition: str
    format: str
    buffer: UInt8s
    start: Int64s
    end: Int64s
    offset: Int64s
    record_ms: Int64s
    next_offset: int
    arrival_ms: int
    target: Labels = Labels()

    def __len__(self) -> int:
        return len(self.start)

    def record(self, row: int) -> bytes:
        return self.buffer[self.start[row] : self.end[row]].tobytes()

    def split(self, offset: int) -> tuple[Payloads, Payloads]:
        """What lies before `offset`, and the rest; both share the buffer."""
        cut = int(np.searchsorted(self.offset, offset))
        head, tail = slice(None, cut), slice(cut, None)
        return self._part(head, min(offset, self.next_offset)), self._part(tail, self.next_offset)

    def _part(self, rows: slice, next_offset: int) -> Payloads:
        return msgspec.structs.replace(
            self,
            start=self.start[rows],
            end=self.end[rows],
            offset=self.offset[rows],
            record_ms=self.record_ms[rows],
            next_offset=next_offset,
        )


def payload_of(
    source: str, format: str, body: bytes, *, arrival_ms: int, target: Labels | None = None
) -> Payloads:
    """One record with no partition: a scrape's answer, a push's body."""
    one = np.zeros(1, np.int64)
    return Payloads(
        source=source,
        partition="",
        format=format,
        buffer=np.frombuffer(body, np.uint8),
        start=one,
        end=one + len(body),
        offset=one,
        record_ms=one - 1,
        next_offset=1,
        arrival_ms=arrival_ms,
        target=target or Labels(),
    )


LabelReader = Callable[[bytes, bytes], Labels]
"""Makes labels of the raw bytes of (name, labels) of one sample; called once per new key, not per sample."""


class SampleBatch(msgspec.Struct, frozen=True, eq=False):
    """Decoded samples as columns, in the order of their records.

    `series_hash` (n x 2) hashes the raw name and label bytes and the target labels; `key` (n x 4) holds the
    spans name start, name end, labels start, labels end in `buffer`. `record` is the row in the payloads
    that a sample came from: samples of one record stand or fall together.
    """

    series_hash: UInt64s
    key: Int64s
    buffer: UInt8s
    timestamp_ms: Int64s
    value: Floats
    record: Int64s
    read_labels: LabelReader
    target: Labels = Labels()

    def __len__(self) -> int:
        return len(self.timestamp_ms)

    def labels(self, row: int) -> Labels:
        """The label set of one row, target labels laid over. For misses and edges: it builds objects."""
        a, b, c, d = self.key[row]
        labels = self.read_labels(self.buffer[a:b].tobytes(), self.buffer[c:d].tobytes())
        return labels.with_(self.target.map) if len(self.target) else labels


class Decoded(msgspec.Struct, frozen=True, eq=False):
    """What a decoder makes of payloads: good samples, and each refused record with its reason."""

    batch: SampleBatch
    refused: list[tuple[int, str]]
    """(row in the payloads, reason), by row."""


AlertState = Literal["firing", "resolved"]


class AlertEvent(msgspec.Struct, frozen=True):
    """One change of one alert. `labels` are final: external labels included. Times in ms; ends 0 = open."""

    id: str
    rule: str
    """Which rule made it: `file;group;alertname`."""
    labels: Labels
    annotations: dict[str, str]
    state: AlertState
    starts_at_ms: int
    ends_at_ms: int
    value: float
    evaluated_at_ms: int
    generator_url: str = ""
    incomplete: bool = False
    """Decided without a source that was behind for longer than its `max_wait`."""


class Notification(msgspec.Struct, frozen=True):
    """What a receiver is given: one flush of one group. `id` is the same on every retry of it."""

    id: str
    receiver: str
    status: AlertState
    group_key: str
    group_labels: Labels
    alerts: tuple[AlertEvent, ...]
    external_url: str
    reason: str
    now_ms: int


DeliveryReason = Literal["", "auth", "rate_limited", "client", "server", "timeout", "network", "other"]


class Delivery(msgspec.Struct, frozen=True):
    """What came of one attempt. `retry_after_seconds` is the receiver's wish, 0 if it has none."""

    delivered: bool
    retryable: bool = False
    reason: DeliveryReason = ""
    detail: str = ""
    retry_after_seconds: float = 0.0


class Duration(int):
    """Milliseconds, written as Prometheus does: `1h30m`, `250ms`, `0`."""

    _UNITS: Final = {
        "y": 31_536_000_000,
        "w": 604_800_000,
        "d": 86_400_000,
        "h": 3_600_000,
        "m": 60_000,
        "s": 1000,
        "ms": 1,
    }
    _FORM: Final = re.compile(
        r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?"
    )

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises ValueError with a text for the user."""
        found = cls._FORM.fullmatch(text)
        if text == "0":
            return cls(0)
        if not text or found is None:
            raise ValueError(
                f"not a valid duration string: {quote(text)}; write for example 30s, 5m or 1h30m"
            )
        parts = zip(found.groups(), cls._UNITS.values(), strict=True)
        return cls(sum(int(count) * unit for count, unit in parts if count))

    @property
    def seconds(self) -> float:
        return self / 1000

    def __str__(self) -> str:
        rest, out = int(self), ""
        for unit, size in self._UNITS.items():
            if unit in ("y", "w") and rest % size:
                continue  # as Prometheus: 8d, not 1w1d
            count, rest = divmod(rest, size)
            out += f"{count}{unit}" if count else ""
        return out or "0s"

    __repr__ = __str__


class Secret:
    """A text that is never shown: it prints as `<secret>` wherever it lands."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__
