"""What the endpoints ask of the rest of the daemon; whoever serves them says how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sentinel.api.prometheus.queries import QuerySettings
from sentinel.clock import Clock
from sentinel.host import Host
from sentinel.ingest.scrape_config import ScrapeConfig


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The functions are asked each time: a reload changes what they give."""

    host: Host
    clock: Clock
    queries: QuerySettings = QuerySettings()
    configuration: Callable[[], Mapping[str, Any]] = dict
    """The sections of the configuration by their names, as structs or plain values."""
    flags: Mapping[str, str] = {}
    retention: Callable[[], str] = str
    scraped: Callable[[], Mapping[str, ScrapeConfig]] = dict
    """What is scraped, by source."""
    alertmanagers: Callable[[], list[str]] = list
    """Where their web interfaces lie."""
    reloaded: Callable[[], tuple[bool, int]] = lambda: (True, 0)
    """Whether the last reload went well, and when the configuration in use was read, in ms."""
