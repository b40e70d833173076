"""The HTTP server: listens, bounds what clients can hold open, and leads each request past the guard."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from sentinel.api.authentication import REFUSED, Guard, Handler
from sentinel.api.faults import answer_faults, server_logger
from sentinel.api.web_config import WebConfig
from sentinel.api.web_file import FreshContext, WebFile
from sentinel.errors import StateError
from sentinel.telemetry import logger

SHUTDOWN_SECONDS: Final = 3.0
log = logger("api")


class Bounds(msgspec.Struct, frozen=True):
    """What clients may hold open, and for how long."""

    connections: int = 512
    """At the limit the oldest connection without a request makes room for a new one."""
    idle_seconds: float = 75.0
    """From one request, or the connection, to the next complete header."""
    body_seconds: float = 60.0
    """From a header to the end of its body."""
    handshake_seconds: float = 10.0


class Server:
    """One listening address. Made by `serve`; `cleanup` ends it."""

    def __init__(self, routes: Iterable[web.AbstractRouteDef], file: WebFile | None, bounds: Bounds) -> None:
        self._file, self._bounds = file, bounds
        self._busy: set[web.RequestHandler] = set()
        guard = Guard(lambda: self.config)
        app = web.Application(middlewares=[self._track, answer_faults, self._hurry, guard.admit])
        app.add_routes(routes)
        app.on_response_prepare.append(self._add_headers)
        self._runner = web.AppRunner(
            app,
            handle_signals=False,
            shutdown_timeout=SHUTDOWN_SECONDS,
            access_log=None,
            logger=server_logger(),
            keepalive_timeout=bounds.idle_seconds,
            auto_decompress=False,  # who reads a body knows how much of it to unpack
        )

    @property
    def config(self) -> WebConfig:
        return self._file.config if self._file else WebConfig()

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._listening.sockets[0].getsockname()[1])

    async def listen(self, host: str, port: int) -> None:
        """Raises OSError."""
        await self._runner.setup()
        tls = self._file is not None and self.config.context is not None
        loop = asyncio.get_running_loop()
        try:
            self._listening = await loop.create_server(
                self._accept,
                host or None,
                port,
                ssl=FreshContext.of(self._file) if tls and self._file else None,
                ssl_handshake_timeout=self._bounds.handshake_seconds if tls else None,
            )
        except OSError:
            await self._runner.cleanup()
            raise
        self._following = loop.create_task(self._file.follow()) if self._file else None

    async def cleanup(self) -> None:
        """Listens no more; requests under way have three seconds."""
        if self._following is not None:
            self._following.cancel()
        self._listening.close()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        """What speaks on a new connection."""
        server = self._runner.server
        assert server is not None, "listening before setup"
        connected = [connection for connection in server.connections if connection.connected]
        if len(connected) >= self._bounds.connections:
            REFUSED.labels("connections").inc()
            idle = next((connection for connection in connected if connection not in self._busy), None)
            if idle is None:
                return _Closed()
            idle.force_close()
        return server()

    @web.middleware
    async def _track(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Knows the connections that have a request."""
        self._busy.add(request.protocol)
        try:
            return await handler(request)
        finally:
            self._busy.discard(request.protocol)

    @web.middleware
    async def _hurry(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Whoever reads a body that does not come is interrupted, and its client answered with 408."""
        if not request.can_read_body:
            return await handler(request)
        text = f"the body did not come within {self._bounds.body_seconds:g} s\n"
        late = web.HTTPRequestTimeout(text=text)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._bounds.body_seconds, request.content.set_exception, late)
        try:
            return await handler(request)
        finally:
            timer.cancel()

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.pop("Server", None)  # versions are nobody's business
        response.headers.update(self.config.headers)


class _Closed(asyncio.Protocol):
    """Ends a connection that there is no room for."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def serve(
    routes: Iterable[web.AbstractRouteDef],
    listen: str,
    web_config_file: Path | None = None,
    *,
    bounds: Bounds | None = None,
) -> Server:
    """Serves `routes` on `listen`, written `host:port`, `[::1]:port` or `:port` for all addresses.

    Bodies reach handlers as they were sent: whoever takes packed ones unpacks them.

    Raises:
        ConfigErrors: the web configuration is wrong.
        StateError: the address is none, or cannot be listened on.
    """
    host, port = parse_address(listen)
    file = await asyncio.to_thread(WebFile, web_config_file) if web_config_file else None
    server = Server(routes, file, bounds or Bounds())
    try:
        await server.listen(host, port)
    except OSError as error:
        reason = _reason(error)
        raise StateError(f"cannot listen on {listen}: {reason}; see --web.listen-address") from None
    config = server.config
    log.info("listening", address=listen, tls=config.context is not None, authentication=bool(config.users))
    if file is None and not _is_loopback(host):
        log.warning("anybody who reaches this address may push and read", hint="see --web.config.file")
    return server


def parse_address(listen: str) -> tuple[str, int]:
    """Host and port. Raises StateError."""
    host, colon, port = listen.rpartition(":")
    hint = "write host:port, for example 127.0.0.1:9464"
    if not colon or (":" in host and not (host.startswith("[") and host.endswith("]"))):
        raise StateError(f"cannot listen on {listen}: no host and port; {hint}")
    if not (port.isascii() and port.isdecimal() and int(port) <= 65_535):
        raise StateError(f"cannot listen on {listen}: a port lies between 0 and 65535; {hint}")
    return host.strip("[]"), int(port)


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno not in errno.errorcode:
        return error.strerror or str(error)
    return os.strerror(error.errno or 0)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
