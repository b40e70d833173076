"""`/-/healthy`, `/-/ready`, `/-/reload` and `/metrics`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from sentinel.errors import SentinelError


class Lifecycle(msgspec.Struct, frozen=True):
    """What the endpoints ask. `unhealthy` and `unready` give a reason, or nothing when all is well."""

    unhealthy: Callable[[], str]
    unready: Callable[[], str]
    reload: Callable[[], Awaitable[None]]
    registry: CollectorRegistry
    reload_enabled: bool = False


def routes(lifecycle: Lifecycle) -> list[web.RouteDef]:
    async def healthy(request: web.Request) -> web.Response:
        return _answer(lifecycle.unhealthy(), "Sentinel is healthy.\n")

    async def ready(request: web.Request) -> web.Response:
        return _answer(lifecycle.unready(), "Sentinel is ready.\n")

    async def reload(request: web.Request) -> web.Response:
        if not lifecycle.reload_enabled:
            return web.Response(
                status=403, text="Lifecycle API is not enabled: start with --web.enable-lifecycle.\n"
            )
        try:
            await lifecycle.reload()
        except SentinelError as error:
            return web.Response(status=500, text=f"failed to reload config: {error}\n")
        return web.Response(text="")

    async def metrics(request: web.Request) -> web.Response:
        body = generate_latest(lifecycle.registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    return [
        web.get("/-/healthy", healthy),
        web.get("/-/ready", ready),
        web.post("/-/reload", reload),
        web.put("/-/reload", reload),
        web.get("/metrics", metrics),
    ]


def _answer(problem: str, fine: str) -> web.Response:
    return web.Response(status=503, text=problem + "\n") if problem else web.Response(text=fine)
