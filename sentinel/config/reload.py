"""What a running daemon may be told anew: rules and alerting. The rest needs a restart, and says so."""

from __future__ import annotations

from sentinel.config.load import Config, load_config
from sentinel.errors import ConfigError, ConfigErrors

FIXED = {
    "sources": "sources",
    "alert_topic": "alert_topic",
    "store": "store",
    "global_": "global",
    "alertmanagers": "alertmanagers",
    "heartbeat": "heartbeat",
    "clusters": "clusters",
}
"""Parts that a reload cannot change, and what they are called in the file."""


def reload_config(running: Config) -> Config:
    """The configuration as its files say now.

    Raises:
        ConfigErrors: a file is wrong, or something changed that only a restart can change. Nothing is taken
            over then.
    """
    fresh = load_config(running.path)
    changed = [name for field, name in FIXED.items() if getattr(fresh, field) != getattr(running, field)]
    if (fresh.alertmanager is None) != (running.alertmanager is None):
        changed.append("alerting")
    if changed:
        message = f"changed, but only a restart can change it: {', '.join(changed)}"
        hint = "restart the daemon, or undo the change to reload rules and receivers only"
        raise ConfigErrors([ConfigError(message, path=str(running.path), hint=hint)])
    return fresh
