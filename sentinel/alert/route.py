"""Which routes take an alert, and which group of a route it belongs to; keys as Alertmanager writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sentinel.alert.config import ALL_LABELS, RouteConfig
from sentinel.model import Labels, Matcher, quote

_RESERVED: Final = frozenset("{}!=~,\\\"'`")
_ORDER: Final = {"=": 0, "!=": 1, "=~": 2, "!~": 3}
_SHORT: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    "\\": "\\\\", '"': '\\"',
}  # fmt: skip


class Timers(msgspec.Struct, frozen=True):
    """When a group is flushed, in ms: first after `wait`, then every `interval`, again after `repeat`."""

    wait: int = 30_000
    interval: int = 300_000
    repeat: int = 14_400_000


class Route(msgspec.Struct, frozen=True, eq=False):
    """One node of the routing tree and what it inherits. `key` is the path of matchers from the root."""

    key: str
    receiver: str
    group_by: frozenset[str]
    timers: Timers
    matchers: tuple[Matcher, ...]
    goes_on: bool
    children: tuple[Route, ...]

    def match(self, labels: Labels) -> list[Route]:
        """Depth first: the children that take the alert, else this route; [] if it does not match."""
        if not all(matcher.matches(labels.get(matcher.name)) for matcher in self.matchers):
            return []
        found: list[Route] = []
        for child in self.children:
            taken = child.match(labels)
            found += taken
            if taken and not child.goes_on:
                break
        return found or [self]

    def group_labels(self, labels: Labels) -> Labels:
        """Those of `group_by` that the alert has."""
        return labels if ALL_LABELS in self.group_by else labels.keep(self.group_by)

    def walk(self) -> Iterator[Route]:
        """This route and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def route_tree(config: RouteConfig) -> Route:
    """The tree of a checked configuration, inheritance worked out."""
    return _route(config, None)


def _route(config: RouteConfig, parent: Route | None) -> Route:
    above = parent.timers if parent else Timers()
    matchers = tuple(sorted(config.all_matchers(), key=lambda m: (m.name, m.value, _ORDER[m.op])))
    written = "{" + ",".join(_matcher_text(matcher) for matcher in matchers) + "}"
    route = Route(
        key=f"{parent.key}/{written}" if parent else written,
        receiver=config.receiver or (parent.receiver if parent else ""),
        group_by=frozenset(config.group_by) or (parent.group_by if parent else frozenset()),
        timers=Timers(
            wait=above.wait if config.group_wait is None else int(config.group_wait),
            interval=above.interval if config.group_interval is None else int(config.group_interval),
            repeat=above.repeat if config.repeat_interval is None else int(config.repeat_interval),
        ),
        matchers=matchers,
        goes_on=config.continue_,
        children=(),
    )
    return msgspec.structs.replace(route, children=tuple(_route(child, route) for child in config.routes))


def group_key(route: Route, labels: Labels) -> str:
    """`routeKey:groupLabels`, what receivers know a group by."""
    inner = ", ".join(f"{name}={go_quote(value)}" for name, value in labels)
    return f"{route.key}:{{{inner}}}"


def _matcher_text(matcher: Matcher) -> str:
    plain = not any(c.isspace() or c in _RESERVED for c in matcher.name)
    return f"{matcher.name if plain else go_quote(matcher.name)}{matcher.op}{quote(matcher.value)}"


def go_quote(text: str) -> str:
    """A text as Go's `strconv.Quote` writes it."""
    return '"' + "".join(_go_escape(char) for char in text) + '"'


def _go_escape(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
