"""Alertmanager's configuration file, as far as it is built: loaded verbatim, unknown fields refused.

`FROM_TEXT` and `dec_hook` (from `matchers`) tell a loader how durations, secrets and matchers are read;
`check` finds what a type cannot say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from sentinel.alert.matchers import FROM_TEXT, MatcherLine, dec_hook
from sentinel.model import Duration, Matcher, quote
from sentinel.notify.webhook import WebhookConfig, check_webhook

__all__ = [
    "FROM_TEXT",
    "AlertmanagerConfig",
    "GlobalConfig",
    "ReceiverConfig",
    "RouteConfig",
    "check",
    "dec_hook",
]

Path = tuple[str | int, ...]
ALL_LABELS: Final = "..."
"""In `group_by`: every label, so that each alert is a group of its own."""


class GlobalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`global:`; `resolve_timeout` is for alerts that come in without an end."""

    resolve_timeout: Duration = Duration(300_000)


class RouteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One node of the routing tree; what is absent is inherited from the parent."""

    receiver: str = ""
    group_by: list[str] = []
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    matchers: list[MatcherLine] = []
    match: dict[str, str] = {}
    match_re: dict[str, str] = {}
    continue_: bool = msgspec.field(default=False, name="continue")
    routes: list[RouteConfig] = []

    def all_matchers(self) -> list[Matcher]:
        """New and old forms together; raises ValueError for a bad regex in `match_re`."""
        return [
            *(Matcher(name, "=", value) for name, value in self.match.items()),
            *(Matcher(name, "=~", f"^(?:{value})$") for name, value in self.match_re.items()),
            *(matcher for line in self.matchers for matcher in line),
        ]


class ReceiverConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name, and the integrations that are told together."""

    name: str
    webhook_configs: list[WebhookConfig] = []

    def integrations(self) -> list[WebhookConfig]:
        """In the order that gives each its index."""
        return self.webhook_configs


class AlertmanagerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    route: RouteConfig
    receivers: list[ReceiverConfig]
    global_: GlobalConfig = msgspec.field(default_factory=GlobalConfig, name="global")


def check(config: AlertmanagerConfig) -> list[tuple[Path, str]]:
    """(path, message) of every mistake that is left once the types are right."""
    return [*_check_root(config.route), *_check_routes(config), *_check_receivers(config.receivers)]


def _check_root(root: RouteConfig) -> Iterator[tuple[Path, str]]:
    if not root.receiver:
        yield ("route",), "the root route must name a receiver"
    for field in ("matchers", "match", "match_re"):
        if getattr(root, field):
            yield ("route", field), "the root route takes every alert and must not have matchers"
    if root.continue_:
        yield ("route", "continue"), "the root route has no sibling to continue with"


def _check_routes(config: AlertmanagerConfig) -> Iterator[tuple[Path, str]]:
    known = {receiver.name for receiver in config.receivers}
    for path, route in _walk(("route",), config.route):
        if route.receiver and route.receiver not in known:
            hint = f"known: {', '.join(sorted(known))}"
            yield (*path, "receiver"), f"undefined receiver {quote(route.receiver)} ({hint})"
        for label, count in Counter(route.group_by).items():
            if count > 1:
                yield (*path, "group_by"), f"label {quote(label)} is repeated"
        if ALL_LABELS in route.group_by and len(set(route.group_by)) > 1:
            yield (*path, "group_by"), f"{quote(ALL_LABELS)} means every label and must stand alone"
        for field in ("group_interval", "repeat_interval"):
            if getattr(route, field) == 0:
                yield (*path, field), f"{field} cannot be zero"
        try:
            route.all_matchers()
        except ValueError as error:
            yield (*path, "match_re"), str(error)


def _walk(path: Path, route: RouteConfig) -> Iterator[tuple[Path, RouteConfig]]:
    yield path, route
    for number, child in enumerate(route.routes):
        yield from _walk((*path, "routes", number), child)


def _check_receivers(receivers: list[ReceiverConfig]) -> Iterator[tuple[Path, str]]:
    seen: set[str] = set()
    for number, receiver in enumerate(receivers):
        path: Path = ("receivers", number)
        if not receiver.name:
            yield (*path, "name"), "a receiver needs a name"
        if receiver.name in seen:
            yield (*path, "name"), f"receiver {quote(receiver.name)} is defined twice"
        seen.add(receiver.name)
        for index, webhook in enumerate(receiver.webhook_configs):
            for inner, message in check_webhook(webhook):
                yield (*path, "webhook_configs", index, *inner), message
