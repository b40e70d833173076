"""The body of a webhook, version 4: byte for byte what Alertmanager sends.

Go writes JSON with `<`, `>`, `&` and two line separators escaped, maps sorted by key, times in RFC 3339
without trailing zeros; and the body ends in a newline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from sentinel.model import AlertEvent, Notification

_ZERO_TIME: Final = "0001-01-01T00:00:00Z"
_META: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GO_ESCAPES: Final = [(char.encode(), f"\\u{ord(char):04x}".encode()) for char in "<>&\u2028\u2029"]


def webhook_body(notification: Notification, max_alerts: int = 0) -> bytes:
    """`max_alerts` 0 is all; what is cut is counted in `truncatedAlerts`.

    What the alerts have in common is taken of those shown, as Alertmanager does; the status is that of the
    whole group, or a cut could close an incident that goes on.
    """
    shown = notification.alerts[:max_alerts] if max_alerts else notification.alerts
    return go_json(
        {
            "receiver": _META.sub(r"\\\g<0>", notification.receiver),
            "status": notification.status,
            "alerts": [_alert(event) for event in shown],
            "groupLabels": notification.group_labels.map,
            "commonLabels": _common([event.labels.map for event in shown]),
            "commonAnnotations": _common([event.annotations for event in shown]),
            "externalURL": notification.external_url,
            "version": "4",
            "groupKey": notification.group_key,
            "truncatedAlerts": len(notification.alerts) - len(shown),
        }
    )


def _alert(event: AlertEvent) -> dict[str, Any]:
    return {
        "status": event.state,
        "labels": event.labels.map,
        "annotations": dict(sorted(event.annotations.items())),
        "startsAt": rfc3339(event.starts_at_ms),
        "endsAt": rfc3339(event.ends_at_ms) if event.state == "resolved" else _ZERO_TIME,
        "generatorURL": event.generator_url,
        "fingerprint": f"{event.labels.fingerprint:016x}",
    }


def _common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, rest = maps[0], maps[1:]
    return {
        name: first[name] for name in sorted(first) if all(other.get(name) == first[name] for other in rest)
    }


def go_json(value: Any) -> bytes:
    """JSON as Go's `encoding/json` writes it to a stream. Maps must come sorted."""
    encoded = msgspec.json.encode(value)
    for raw, escaped in _GO_ESCAPES:  # outside of strings none of these can stand
        encoded = encoded.replace(raw, escaped)
    return encoded + b"\n"


def rfc3339(time_ms: int) -> str:
    """UTC, with as many decimals as are needed."""
    seconds, fraction = divmod(time_ms, 1000)
    moment = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return moment + (f".{fraction:03d}".rstrip("0") if fraction else "") + "Z"
