"""A server for the length of a test, and a client that may send it anything."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from sentinel.api.server import Bounds, Server, serve


class Answer(msgspec.Struct):
    """`headers` by lower-case name. Status 0: the connection was closed without a word."""

    status: int
    headers: dict[str, str]
    body: str


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello\n")


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def broken(request: web.Request) -> web.Response:
    raise KeyError("our mistake")


ROUTES = [
    web.get("/hello", hello),
    web.post("/echo", echo),
    web.get("/broken", broken),
    web.get("/-/ready", hello),
]


@asynccontextmanager
async def serving(
    config: Path | None = None, bounds: Bounds | None = None, routes: Iterable[web.RouteDef] = ROUTES
) -> AsyncIterator[Server]:
    """On a free port of 127.0.0.1."""
    server = await serve(routes, "127.0.0.1:0", config, bounds=bounds)
    try:
        yield server
    finally:
        await server.cleanup()


async def raw(port: int, data: bytes, context: ssl.SSLContext | None = None) -> Answer:
    """Sends bytes and reads to the end of the connection, ten seconds at most."""
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            writer.write(data)
            return parse(await reader.read())
        except ConnectionError:
            return parse(b"")
        finally:
            writer.close()


async def get(port: int, path: str, context: ssl.SSLContext | None = None, **headers: str) -> Answer:
    lines = "".join(f"{name}: {text}\r\n" for name, text in headers.items())
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{lines}\r\n"
    return await raw(port, head.encode(), context)


def parse(text: bytes) -> Answer:
    head, _, body = text.decode("utf-8", "replace").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]) if first else 0, headers, body)
