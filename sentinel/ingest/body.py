"""Bodies that others send us: read within bounds, and answered in one form when they cannot be taken."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from aiohttp import web

from sentinel.errors import SourceError
from sentinel.ingest.codings import TooLargeError
from sentinel.ingest.source import FAILURES

RETRY_AFTER_SECONDS: Final = 5

Take = Callable[[int], None]
"""Claims so many bytes more for a request; SourceError if there is no room for them."""
Accept = Callable[[bytearray, Take], Awaitable[web.Response]]


class Reception:
    """Where the requests to one source arrive. `room_bytes` is for all that are not answered yet."""

    def __init__(self, source: str, body_bytes: int, room_bytes: int) -> None:
        self._source, self._body_bytes, self._free = source, body_bytes, room_bytes

    async def receive(
        self, request: web.Request, accept: Accept, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        """What `accept` answers to the body; 400, 413 and 503 for what it raises.

        It may raise TooLargeError, ValueError with a text for the client, and SourceError. `headers` come
        with every refusal.
        """
        headers = headers or {}
        try:
            with self._guest() as take:
                return await accept(await self._read(request, take), take)
        except TooLargeError as error:
            text = f"the body exceeds {error.most} bytes; send less"
            return self.refuse(413, "too_large", text, headers)
        except web.RequestPayloadError:
            request.content.feed_eof()  # or the server reads on, and meets the same error
            text = "the body cannot be read: cut off, or wrongly chunked"
            return self.refuse(400, "body", text, headers)
        except ValueError as error:
            return self.refuse(400, "form", str(error), headers)
        except SourceError as error:
            headers = {**headers, "Retry-After": str(RETRY_AFTER_SECONDS)}
            return self.refuse(503, error.reason, f"{error}; send it again later", headers)

    def refuse(
        self, status: int, reason: str, text: str, headers: Mapping[str, str] | None = None
    ) -> web.Response:
        """A counted refusal that says what to do."""
        FAILURES.labels(self._source, reason).inc()
        body: dict[str, Any] = {"error": text, "reason": reason}
        return web.json_response(body, status=status, headers=headers)

    async def _read(self, request: web.Request, take: Take) -> bytearray:
        """Raises TooLargeError, SourceError, RequestPayloadError."""
        if (request.content_length or 0) > self._body_bytes:
            raise TooLargeError(self._body_bytes)
        body = bytearray()
        async for chunk in request.content.iter_any():
            take(len(chunk))
            body += chunk
            if len(body) > self._body_bytes:
                raise TooLargeError(self._body_bytes)
        return body

    @contextmanager
    def _guest(self) -> Iterator[Take]:
        """Gives a function to take bytes with; they are free again when the request is answered."""
        held = 0

        def take(count: int) -> None:
            nonlocal held
            if count > self._free:
                raise SourceError("too much is being pushed at once", reason="overloaded")
            self._free -= count
            held += count

        try:
            yield take
        finally:
            self._free += held
