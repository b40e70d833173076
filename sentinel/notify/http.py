"""The HTTP client over aiohttp. Apart from its interface: checking a configuration imports no aiohttp."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping
from typing import Final

import aiohttp

from sentinel.notify.client import Response

_LONGEST_ANSWER: Final = 65_536
_PER_HOST: Final = 16


class AiohttpClient:
    """Keeps connections alive, at most 16 to a host. The session is made on first use, in its loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> Response:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=_PER_HOST),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        try:
            async with (
                asyncio.timeout(timeout_seconds),
                self._session.post(
                    url,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as answer,
            ):
                head = {name.lower(): value for name, value in answer.headers.items()}
                return Response(answer.status, head, await answer.content.read(_LONGEST_ANSWER))
        except TimeoutError:
            raise TimeoutError("the receiver did not answer in time") from None
        except aiohttp.ClientConnectorError as error:
            raise ConnectionError(_cause(error.os_error)) from None
        except (aiohttp.ClientError, ValueError) as error:
            raise ConnectionError(type(error).__name__) from None  # its text may show the URL

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _cause(error: OSError) -> str:
    known = error.errno in errno.errorcode
    return os.strerror(error.errno or 0) if known else error.strerror or type(error).__name__
