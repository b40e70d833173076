"""Prometheus's HTTP API v1, so that Grafana, promtool and whatever else speaks it can ask Sentinel.

An endpoint takes `Parameters` and gives an `Answer`, or raises QueryError, whose kind is Prometheus's
errorType. What it needs of the engine it asks for by turns; see `turns.py` for what that means for alerts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from prometheus_client import Counter

from sentinel.api.authentication import Handler
from sentinel.api.prometheus.about import About
from sentinel.api.prometheus.answers import Answer, encoded, packed, refused
from sentinel.api.prometheus.federate import CONTENT_TYPE, Federation
from sentinel.api.prometheus.parameters import Parameters
from sentinel.api.prometheus.queries import Queries, QuerySettings
from sentinel.api.prometheus.query import QueryEndpoints
from sentinel.api.prometheus.rules import RuleEndpoints
from sentinel.api.prometheus.selecting import SeriesEndpoints
from sentinel.api.prometheus.status import StatusEndpoints
from sentinel.api.prometheus.targets import TargetEndpoints
from sentinel.api.prometheus.turns import Turns
from sentinel.errors import QueryError
from sentinel.telemetry import REGISTRY

__all__ = ["About", "QuerySettings", "routes"]

Endpoint = Callable[[Parameters], Awaitable[Answer]]

PREFIX: Final = "/api/v1"
REQUESTS = Counter(
    "sentinel_api_requests_total",
    "Requests to Prometheus's API by path, and what became of them: success or an errorType.",
    ["path", "result"],
    registry=REGISTRY,
)


def routes(about: About) -> list[web.RouteDef]:
    """What the HTTP server has to mount. To be made on the event loop."""
    turns = Turns(about.host, lambda: about.host.replaying)
    gets, forms = _endpoints(about, turns)
    found = [
        web.get(PREFIX + path, _served(path, endpoint, turns)) for path, endpoint in (gets | forms).items()
    ]
    found += [web.post(PREFIX + path, _served(path, endpoint, turns)) for path, endpoint in forms.items()]
    return [*found, web.get("/federate", _federated(about, turns))]


def _endpoints(about: About, turns: Turns) -> tuple[dict[str, Endpoint], dict[str, Endpoint]]:
    """(those that are only got, those that take a form as well), by path."""
    timeout = about.queries.timeout_seconds
    query = QueryEndpoints(Queries(turns, about.queries), turns, about.clock)
    series, rules = SeriesEndpoints(turns, timeout), RuleEndpoints(turns, timeout)
    status, targets = StatusEndpoints(about, turns), TargetEndpoints(about, turns)
    gets: dict[str, Endpoint] = {
        "/label/{name}/values": series.label_values,
        "/rules": rules.rules,
        "/alerts": rules.alerts,
        "/metadata": targets.metadata,
        "/targets": targets.targets,
        "/targets/metadata": targets.target_metadata,
        "/scrape_pools": targets.scrape_pools,
        "/alertmanagers": targets.alertmanagers,
        "/status/buildinfo": status.buildinfo,
        "/status/runtimeinfo": status.runtimeinfo,
        "/status/config": status.config,
        "/status/flags": status.flags,
        "/status/tsdb": status.tsdb,
    }
    forms: dict[str, Endpoint] = {
        "/query": query.query,
        "/query_range": query.query_range,
        "/query_exemplars": query.query_exemplars,
        "/format_query": query.format_query,
        "/parse_query": query.parse_query,
        "/labels": series.labels,
        "/series": series.series,
    }
    return gets, forms


def _served(path: str, endpoint: Endpoint, turns: Turns) -> Handler:
    async def serve(request: web.Request) -> web.Response:
        try:
            parameters = await Parameters.of(request)
            with turns.admitted():
                answer = await endpoint(parameters)
                pack = _takes_gzip(request)
                response = await turns.worker(lambda: encoded(answer, pack=pack))
        except QueryError as error:
            REQUESTS.labels(path, error.kind).inc()
            return refused(error)
        REQUESTS.labels(path, "success").inc()
        return response

    return serve


def _federated(about: About, turns: Turns) -> Handler:
    settings = about.queries
    federation = Federation(turns, about.clock, settings.timeout_seconds, settings.lookback_ms)

    async def serve(request: web.Request) -> web.Response:
        try:
            with turns.admitted():
                text = await federation.text(await Parameters.of(request))
                pack = _takes_gzip(request)
                return await turns.worker(lambda: packed(text, CONTENT_TYPE, pack=pack))
        except QueryError as error:
            status = 503 if error.kind in ("unavailable", "timeout") else 400
            return web.Response(status=status, text=f"{error.message}\n")

    return serve


def _takes_gzip(request: web.Request) -> bool:
    return any(part.strip() == "gzip" for part in request.headers.get("Accept-Encoding", "").split(","))
