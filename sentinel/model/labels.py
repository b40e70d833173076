"""Label sets, and matchers of them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

_FNV_OFFSET, _FNV_PRIME, _MASK = 0xCBF29CE484222325, 0x100000001B3, 0xFFFFFFFFFFFFFFFF


class Labels:
    """An immutable label set: pairs sorted by name, no empty values (empty means absent).

    Equal sets compare equal and hash equal; the hash and the fingerprint are computed once.
    """

    __slots__ = ("_fingerprint", "_hash", "pairs")

    def __init__(self, pairs: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        # dict first: asking the abstract class costs more than all the rest
        items = pairs.items() if isinstance(pairs, dict) or isinstance(pairs, Mapping) else pairs  # noqa: SIM101
        self._set(tuple(sorted([pair for pair in items if pair[1]])))

    def _set(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self.pairs = pairs
        self._hash = hash(pairs)
        self._fingerprint = -1

    def _part(self, pairs: Iterable[tuple[str, str]]) -> Labels:
        """A label set of some of these pairs, in their order."""
        part = Labels.__new__(Labels)
        part._set(tuple(pairs))
        return part

    def share(self, pool: dict[tuple[str, str], tuple[str, str]]) -> None:
        """Keeps the pool's pairs instead of its own equal ones: of many sets most pairs are the same."""
        self.pairs = tuple([pool.get(pair) or _pooled(pool, pair) for pair in self.pairs])

    @property
    def map(self) -> Mapping[str, str]:
        """The same pairs as a dict, made anew: of a million series nobody wants to keep a million of them."""
        return dict(self.pairs)

    @property
    def name(self) -> str:
        return self.get("__name__")

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
        for own, text in self.pairs:  # a handful: faster than making a dict
            if own == name:
                return text
        return default

    def with_(self, changes: Mapping[str, str]) -> Labels:
        """These labels with `changes` laid over; an empty value removes a label."""
        return Labels({**self.map, **changes})

    def keep(self, names: Collection[str]) -> Labels:
        return self._part([pair for pair in self.pairs if pair[0] in names])

    def drop(self, names: Collection[str]) -> Labels:
        return self._part([pair for pair in self.pairs if pair[0] not in names])

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


def _pooled(pool: dict[tuple[str, str], tuple[str, str]], pair: tuple[str, str]) -> tuple[str, str]:
    pair = (sys.intern(pair[0]), pair[1])
    pool[pair] = pair
    return pair


def quote(text: str) -> str:
    """A Go-style double-quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


MatchOp = Literal["=", "!=", "=~", "!~"]


@functools.lru_cache(maxsize=4096)
def _anchored(pattern: str) -> Any:
    import re2  # only queries and routes with regexes pay for it

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(f"^(?s:{pattern})$", options)
    except re2.error as error:
        problem = error.args[0]
        text = problem.decode() if isinstance(problem, bytes) else str(problem)
        raise ValueError(f"bad regex {pattern!r}: {text.replace(f'^(?s:{pattern})$', pattern)}") from None


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
