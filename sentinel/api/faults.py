"""What goes wrong with requests: a plain answer, a counter, and at most one short line in the log."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from prometheus_client import Counter

from sentinel.api.authentication import Handler
from sentinel.telemetry import REGISTRY, logger

QUIET_SECONDS: Final = 60.0
"""Bad requests get one line in this time, however many there are."""
BAD_REQUESTS = Counter(
    "sentinel_http_bad_requests_total",
    "HTTP requests that could not be read: malformed, header_too_large, slow, or cut off (disconnected).",
    ["reason"],
    registry=REGISTRY,
)
ERRORS = Counter(
    "sentinel_http_errors_total",
    "HTTP requests answered with 500 because of a mistake of ours.",
    ["path"],
    registry=REGISTRY,
)

log = logger("api")


@web.middleware
async def answer_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """500 with a plain text for what a handler did not expect."""
    try:
        return await handler(request)
    except web.HTTPRequestTimeout:
        BAD_REQUESTS.labels("slow").inc()
        raise
    except web.HTTPException:
        raise
    except ConnectionError:  # of the client, while its body was read: nobody is there to be told
        BAD_REQUESTS.labels("disconnected").inc()
        return web.Response(status=400, text="the connection was lost\n")
    except web.RequestPayloadError:
        BAD_REQUESTS.labels("malformed").inc()
        return web.Response(status=400, text="the body cannot be read\n")
    except Exception as error:
        path = _route(request)
        ERRORS.labels(path).inc()
        log.error("request failed", path=path, error=f"{type(error).__name__}: {error}", at=_origin(error))
        return web.Response(status=500, text="internal error; the log says more\n")


def _route(request: web.Request) -> str:
    """The path as we mount it: what a client writes goes into no label and no log."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _bad_reason(error: BaseException | None) -> str:
    """Why a request cannot be read, if the client is to blame."""
    if isinstance(error, LineTooLong):
        return "header_too_large"
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        return "malformed"
    return "disconnected" if isinstance(error, ConnectionError) else ""


def _origin(error: BaseException | None) -> str:
    """File and line where the error was raised."""
    trace = error.__traceback__ if error else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


class ServerLog(logging.Handler):
    """Takes what aiohttp's server logs, stack traces and all, and makes counters and short lines of it."""

    def __init__(self) -> None:
        super().__init__()
        self._told_at, self._untold = -QUIET_SECONDS, 0

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, web.HTTPException):
            return  # an answer of ours, raised once more by the rest of a body that nobody reads
        reason = _bad_reason(error)
        if reason:
            BAD_REQUESTS.labels(reason).inc()
            self._tell(reason)
        else:
            ERRORS.labels("").inc()
            log.error("request failed", error=f"{type(error).__name__}: {error}", at=_origin(error))

    def _tell(self, reason: str) -> None:
        """What the client sent is not shown: it may hold a secret, or control characters."""
        self._untold += 1
        now = time.monotonic()
        if now - self._told_at >= QUIET_SECONDS:
            log.warning("bad requests", count=self._untold, last=reason)
            self._told_at, self._untold = now, 0


def server_logger() -> logging.Logger:
    """For aiohttp's server: a logger of its own, that nothing else listens to."""
    made = logging.Logger("sentinel.http", logging.DEBUG)
    made.addHandler(ServerLog())
    return made
