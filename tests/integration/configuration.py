"""The daemon's configuration for these tests, section by section."""

from __future__ import annotations

from typing import Any

from .kafka_broker import Broker


def configuration(
    *sources: dict[str, Any], interval: str = "500ms", alert_topic: dict[str, str] | None = None
) -> dict[str, Any]:
    """A whole `sentinel.yml` that reads `rules/*.yml` and `alertmanager.yml`."""
    config: dict[str, Any] = {
        "global": {"evaluation_interval": interval},
        "sources": list(sources),
        "rule_files": ["rules/*.yml"],
        "alerting": {"config_file": "alertmanager.yml"},
    }
    return config | ({"alert_topic": alert_topic} if alert_topic else {})


def kafka_source(broker: Broker, topic: str, **settings: Any) -> dict[str, Any]:
    """The source `telemetry`: a topic of JSON samples, from its beginning."""
    reading = {
        "bootstrap_servers": broker.bootstrap,
        "topics": [topic],
        "group_id": f"sentinel-{topic}",
        "auto_offset_reset": "earliest",
    }
    return {"name": "telemetry", "kafka": reading, "format": "json", **settings}


def alerts_to(broker: Broker, topic: str) -> dict[str, str]:
    return {"bootstrap_servers": broker.bootstrap, "topic": topic}


def one_webhook(url: str) -> dict[str, Any]:
    """Alertmanager's configuration: every alert at once and by itself to one webhook."""
    route = {
        "receiver": "pager",
        "group_by": ["..."],
        "group_wait": "0s",
        "group_interval": "1s",
        "repeat_interval": "4h",
    }
    return {"route": route, "receivers": [{"name": "pager", "webhook_configs": [{"url": url}]}]}


def rule_group(name: str, *rules: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """A rule file with one group."""
    return {"groups": [{"name": name, **settings, "rules": list(rules)}]}


def alert(name: str, expr: str, **settings: Any) -> dict[str, Any]:
    return {"alert": name, "expr": expr, **settings}
