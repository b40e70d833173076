"""The HTTP client that receivers are given: one method, so that a simulation needs no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import msgspec


class Response(msgspec.Struct, frozen=True):
    """`headers` by lower-case name; of the body at most the first 64 KiB."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class HttpClient(Protocol):
    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> Response:
        """One POST, redirects not followed.

        Raises TimeoutError, or OSError with a text that does not show the URL.
        """
        ...


def is_http_url(url: str) -> bool:
    """Whether it reads http://host/... or https://host:port/..."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port that is no number
        return False


def redact(url: str) -> str:
    """Scheme and host: whatever else stands in a URL may be a secret."""
    if not is_http_url(url):
        return "<secret>"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}/<secret>"
