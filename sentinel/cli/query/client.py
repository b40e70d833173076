"""Asks Prometheus's HTTP API, and reads times as people type them."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

import msgspec
import typer

from sentinel.cli.query.table import printable
from sentinel.errors import QueryError, SourceError
from sentinel.model import Duration

_NUMBER: Final = re.compile(r"-?\d{1,15}(\.\d+)?", re.ASCII)
PATIENCE_SECONDS: Final = 150.0
"""Longer than a server's own longest: it says best what took so long."""
_DIRECTLY: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(server: str, endpoint: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """The envelope of a success. Raises QueryError with what the server says, SourceError without that."""
    parts = _parts(server)
    host = parts.netloc.rpartition("@")[2]
    url = f"{parts.scheme}://{host}{parts.path.rstrip('/')}/api/v1/{endpoint}"
    request = urllib.request.Request(url, urlencode(parameters).encode(), _headers(parts))
    try:
        with _DIRECTLY.open(request, timeout=PATIENCE_SECONDS) as answer:
            return _envelope(answer.read(), url, answer.status)
    except urllib.error.HTTPError as refusal:
        return _envelope(refusal.read(), url, refusal.code)
    except urllib.error.URLError as error:
        reason = error.reason.strerror if isinstance(error.reason, OSError) else error.reason
        raise SourceError(f"cannot reach {url}: {reason}; is it running there? see --url") from None
    except (OSError, http.client.HTTPException) as error:
        raise SourceError(f"{url} does not answer: {error or type(error).__name__}") from None


def moment(text: str, now: float) -> str:
    """Unix seconds of a time: a number, RFC 3339, `now`, or so long ago as `-1h`."""
    if text == "now":
        return f"{now:.3f}"
    try:
        if text.startswith("-") and not _NUMBER.fullmatch(text):
            return f"{now - Duration.parse(text[1:]).seconds:.3f}"
        if _NUMBER.fullmatch(text):
            return f"{float(text):.3f}"
        found = datetime.fromisoformat(text)
        return f"{(found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp():.3f}"
    except ValueError:
        hint = "write unix seconds, 2026-03-14T15:00:00Z, now or -1h"
        raise typer.BadParameter(f"not a time: {text!r}; {hint}") from None


def _parts(server: str) -> SplitResult:
    try:
        parts = urlsplit(server)
        usable = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise typer.BadParameter("the server's address must read http://host:port", param_hint="--url")
    return parts


def _headers(parts: SplitResult) -> dict[str, str]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if parts.username is not None:
        who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + b64encode(who.encode()).decode()
    return headers


def _envelope(body: bytes, url: str, status: int) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
        if found["status"] == "success":
            return dict(found)
        raise QueryError(printable(f"{found['errorType']}: {found['error']}"), kind=found["errorType"])
    except (msgspec.DecodeError, TypeError, KeyError):
        said = body[:200].decode("utf-8", "replace").strip()
        raise SourceError(f"{url} answered {status}, not as Prometheus's API does: {said!r}") from None
