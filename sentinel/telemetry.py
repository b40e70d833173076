"""Sentinel's own metrics and logs: declared once, used by every room."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any, TextIO, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

SOURCE_UP = Gauge(
    "sentinel_source_up",
    "Whether a source answers (1) or is disconnected (0).",
    ["source"],
    registry=REGISTRY,
)
INGEST_LAG = Gauge(
    "sentinel_ingest_lag_seconds",
    "How far a source's time is behind the clock.",
    ["source"],
    registry=REGISTRY,
)
INBOX = Gauge("sentinel_host_inbox_records", "Records waiting for the engine's thread.", registry=REGISTRY)
INBOX_LIMIT = Gauge("sentinel_host_inbox_limit_records", "Bound of the inbox.", registry=REGISTRY)
SERIES = Gauge("sentinel_store_series", "Series in the store.", registry=REGISTRY)
STORE_BYTES = Gauge("sentinel_store_window_bytes", "Memory reserved for windows.", registry=REGISTRY)
GROUP_LAST = Gauge(
    "sentinel_rule_group_last_evaluation_timestamp_seconds",
    "Event time of a group's last evaluation.",
    ["group"],
    registry=REGISTRY,
)
GROUP_DURATION = Gauge(
    "sentinel_rule_group_last_duration_seconds",
    "How long a group's last evaluation took.",
    ["group"],
    registry=REGISTRY,
)
RULE_EVALUATIONS = Counter(
    "sentinel_rule_evaluations_total", "Rules evaluated, well or not.", ["group"], registry=REGISTRY
)
RULES_SHORT = Gauge(
    "sentinel_rules_short",
    "Rules that look further back than was kept before they came: their windows still fill.",
    registry=REGISTRY,
)
REFILL_PENDING = Gauge(
    "sentinel_refill_pending_records",
    "Records still to be read again to fill windows that rules ask for anew.",
    ["source"],
    registry=REGISTRY,
)
RULE_FAILURES = Counter(
    "sentinel_rule_evaluation_failures_total", "Rule evaluations that failed.", ["group"], registry=REGISTRY
)
ALERTS = Gauge("sentinel_alerts", "Active alerts by state.", ["state"], registry=REGISTRY)
SOURCE_SERIES = Gauge(
    "sentinel_source_series",
    "Series that a source has made, which count against its limit.",
    ["source"],
    registry=REGISTRY,
)
SOURCE_SERIES_LIMIT = Gauge(
    "sentinel_source_series_limit", "How many series a source may make.", ["source"], registry=REGISTRY
)
SET_ASIDE = Gauge(
    "sentinel_set_aside",
    "Batches and rules set aside because the daemon crashed in them three times.",
    ["kind"],
    registry=REGISTRY,
)
STATE_WRITABLE = Gauge(
    "sentinel_state_writable",
    "Whether the state folder takes what is written (1) or not (0).",
    registry=REGISTRY,
)
NOTIFICATIONS_FAILING = Gauge(
    "sentinel_notifications_failing_seconds",
    "Time since the first of the failures that no delivery has followed; 0 if there is none.",
    ["receiver"],
    registry=REGISTRY,
)
NOTIFICATIONS = Counter(
    "sentinel_notifications_total", "Notifications delivered.", ["receiver"], registry=REGISTRY
)
NOTIFICATIONS_FAILED = Counter(
    "sentinel_notifications_failed_total",
    "Attempts to notify that failed.",
    ["receiver", "reason"],
    registry=REGISTRY,
)
TOPIC_PENDING = Gauge(
    "sentinel_alert_topic_pending_events",
    "Events in the alert log not yet in the alert topic.",
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "sentinel_dead_letters_total",
    "Refused records written to a dead-letter topic.",
    ["source"],
    registry=REGISTRY,
)
DEAD_LETTERS_DROPPED = Counter(
    "sentinel_dead_letters_dropped_total",
    "Refused records that a dead-letter topic did not take.",
    ["source", "reason"],
    registry=REGISTRY,
)
SNAPSHOT_STALL = Histogram(
    "sentinel_snapshot_stall_seconds", "How long a snapshot held up the inbox.", registry=REGISTRY
)
SNAPSHOT_LAST = Gauge(
    "sentinel_snapshot_last_success_timestamp_seconds", "When the last snapshot was kept.", registry=REGISTRY
)
RELOAD_OK = Gauge(
    "sentinel_config_last_reload_successful", "Whether the last (re)load was taken.", registry=REGISTRY
)
BUILD_INFO = Gauge("sentinel_build_info", "Constant 1.", ["version"], registry=REGISTRY)


class _Logger:
    """structlog's, which is imported with the first line: most commands never write one."""

    def __init__(self, room: str) -> None:
        self._room = room

    def __getattr__(self, name: str) -> Any:
        import structlog

        return getattr(structlog.get_logger(room=self._room), name)


def logger(room: str) -> Any:
    """A logger with the fixed field `room`; events are short words, everything else is a field."""
    return _Logger(room)


def configure_logging(level: str = "info") -> None:
    """Logfmt on a terminal, JSON lines otherwise; always to standard error."""
    import structlog

    # The Kafka client repeats itself while a broker is away; sources and topics say it once themselves.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.basicConfig(level=logging.WARNING, handlers=[_FromLibraries()], force=True)
    on_terminal = sys.stderr.isatty()
    last: Any = (
        structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "room", "event"])
        if on_terminal
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=cast(TextIO, _Tolerant(sys.stderr))),
    )


class _FromLibraries(logging.Handler):
    """What libraries log, in our form: one line each, an exception by its name."""

    def emit(self, record: logging.LogRecord) -> None:
        error = {"error": repr(record.exc_info[1])[:500]} if record.exc_info else {}
        level = "error" if record.levelno >= logging.ERROR else "warning"
        getattr(logger(record.name.partition(".")[0]), level)(record.getMessage(), **error)


class _Tolerant:
    """A stream that may be full or closed: what cannot be logged must not stop what is being done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()
