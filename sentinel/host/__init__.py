"""The engine's thread: its inbox, its sense of time, its journal and snapshots."""

from sentinel.host.feed import Feed
from sentinel.host.host import Host

__all__ = ["Feed", "Host"]
