"""What the API answers: Prometheus's envelope around data or an error, packed if the client can unpack."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from sentinel.errors import QueryError

STATUS: Final = {
    "bad_data": 400,
    "not_found": 404,
    "not_acceptable": 406,
    "execution": 422,
    "canceled": 499,
    "internal": 500,
    "timeout": 503,
    "unavailable": 503,
}
"""HTTP status by errorType. `unavailable` is what comes back by itself: clients try a 503 again."""
MOST_NOTES: Final = 10
"""Of the warnings, and of the infos, that an answer carries."""
TRUNCATED: Final = "results truncated due to limit"
_WORTH_PACKING: Final = 1400
"""Bytes; what fits in one packet anyhow is sent as it is."""
_EFFORT: Final = 4


class Answer(msgspec.Struct, frozen=True):
    """`data` is anything that JSON can say, or JSON already (`msgspec.Raw`)."""

    data: Any
    warnings: Sequence[str] = ()
    infos: Sequence[str] = ()


def encoded(answer: Answer, *, pack: bool) -> web.Response:
    """The whole response. Takes time when there is much to say: for a thread."""
    body: dict[str, Any] = {"status": "success", "data": answer.data}
    for name, notes in (("warnings", answer.warnings), ("infos", answer.infos)):
        if notes:
            body[name] = _shortened(notes, name.removesuffix("s"))
    return packed(msgspec.json.encode(body), "application/json", pack=pack)


def packed(text: bytes, content_type: str, *, pack: bool) -> web.Response:
    """A text, in gzip if that is understood and saves something."""
    headers = {"Content-Type": content_type, "Vary": "Accept-Encoding"}
    if pack and len(text) > _WORTH_PACKING:
        text = gzip.compress(text, _EFFORT, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=text, headers=headers)


def refused(error: QueryError) -> web.Response:
    status = STATUS.get(error.kind, 500)
    body = {"status": "error", "errorType": error.kind, "error": error.message}
    headers = {"Retry-After": "1"} if error.kind == "unavailable" else {}
    return web.Response(
        status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers
    )


def _shortened(notes: Sequence[str], kind: str) -> list[str]:
    left = len(notes) - MOST_NOTES
    more = [f"{left} more {kind} annotations omitted"] if left > 0 else []
    return [*notes[:MOST_NOTES], *more]
