"""`--web.config.file`: TLS, passwords, headers and a rate limit of the HTTP server, in Prometheus's format.

    tls_server_config: {cert_file: server.crt, key_file: server.key}
    basic_auth_users: {alice: $2y$10$...}          # htpasswd -nBC 10 "" | tr -d ':\\n'
    http_server_config: {headers: {X-Frame-Options: deny}}
    rate_limit: {interval: 10ms, burst: 20}        # a token each interval, `burst` of them kept

As in Prometheus's exporter-toolkit, with these differences. HTTP/2 is never offered, whatever `http2` says:
clients then speak HTTP/1.1. A `tls_server_config` without a certificate is refused rather than served plain.
`/-/healthy` and `/-/ready` need no password and no token: orchestrators send none.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from sentinel.api.tls import Problem, TlsServerConfig, UnusableError, check_tls, server_context
from sentinel.documents import Positions, read_struct, read_text
from sentinel.errors import ConfigError, ConfigErrors, RuleError
from sentinel.model import Duration, Secret

DEAREST_COST: Final = 16
"""Some seconds a password. One more doubles it, and 31 would take a day."""
_HASH: Final = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")


class Headers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Headers of every answer; an empty one is not sent."""

    content_security_policy: str = msgspec.field(default="", name="Content-Security-Policy")
    x_frame_options: Literal["", "deny", "sameorigin"] = msgspec.field(default="", name="X-Frame-Options")
    x_content_type_options: Literal["", "nosniff"] = msgspec.field(default="", name="X-Content-Type-Options")
    x_xss_protection: str = msgspec.field(default="", name="X-XSS-Protection")
    strict_transport_security: str = msgspec.field(default="", name="Strict-Transport-Security")

    def sent(self) -> dict[str, str]:
        """By name, those that are set."""
        fields = msgspec.structs.fields(self)
        return {field.encode_name: text for field in fields if (text := getattr(self, field.name))}


class HttpServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the server speaks HTTP."""

    http2: bool = True
    headers: Headers = Headers()


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token bucket over all requests; interval 0 is no limit."""

    interval: Duration = Duration(0)
    burst: Annotated[int, msgspec.Meta(ge=0)] = 0


class WebConfigFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    tls_server_config: TlsServerConfig = TlsServerConfig()
    http_server_config: HttpServerConfig = HttpServerConfig()
    basic_auth_users: dict[str, Secret] = {}
    rate_limit: RateLimit = RateLimit()


class WebConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the server keeps to. The default is plain HTTP for everybody."""

    context: ssl.SSLContext | None = None
    """None: plain HTTP."""
    allowed_sans: frozenset[str] = frozenset()
    """Of a client's certificate one must be among them; empty: any will do."""
    users: dict[str, Secret] = {}
    """Name to bcrypt hash; empty: no password is asked for."""
    headers: dict[str, str] = {}
    rate_limit: RateLimit = RateLimit()
    files: tuple[Path, ...] = ()
    """All that was read."""


def load_web_config(path: Path) -> WebConfig:
    """Reads the file, its certificates and keys. Raises ConfigErrors with everything that is wrong."""
    file, positions, found = read_struct(str(path), read_web_text(path), WebConfigFile)
    errors: list[ConfigError | RuleError] = [*found]
    if file is None:
        raise ConfigErrors(errors)
    context = None
    tls = file.tls_server_config
    problems = list(_check(file))
    if tls != TlsServerConfig() and not problems and not errors:
        try:
            context = server_context(tls, path.parent)
        except UnusableError as unusable:
            problems.append(_below("tls_server_config", unusable.problem))
    errors += [_located(problem, file, positions) for problem in problems]
    if errors:
        raise ConfigErrors(sorted(errors, key=lambda error: (error.line, error.column)))
    named = (tls.cert_file, tls.key_file, tls.client_ca_file)
    return WebConfig(
        context=context,
        allowed_sans=frozenset(tls.client_allowed_sans),
        users=file.basic_auth_users,
        headers=file.http_server_config.headers.sent(),
        rate_limit=file.rate_limit,
        files=(path, *(path.parent / name for name in named if name)),
    )


def read_web_text(path: Path) -> str:
    """Raises ConfigErrors."""
    try:
        return read_text(path)
    except ConfigError as error:
        raise ConfigErrors([error]) from None


def _check(file: WebConfigFile) -> Iterator[Problem]:
    if file.tls_server_config != TlsServerConfig():
        yield from (_below("tls_server_config", problem) for problem in check_tls(file.tls_server_config))
    for name, text in file.http_server_config.headers.sent().items():
        if not text.isprintable():
            where = ("http_server_config", "headers", name)
            yield Problem(where, f"{name} holds a line end or another control character")
    for name, hashed in file.basic_auth_users.items():
        yield from _check_user(name, hashed.reveal())
    if file.rate_limit.interval and not file.rate_limit.burst:
        yield Problem(("rate_limit",), "burst 0 would refuse every request", "write for example burst: 20")


def _check_user(name: str, hashed: str) -> Iterator[Problem]:
    """No message shows the hash: it may be a password, written there by mistake."""
    where, found = ("basic_auth_users", name), _HASH.fullmatch(hashed)
    if not name or ":" in name:
        yield Problem(where, f"not a user's name: {name!r}", "a name has no colon")
    if found is None:
        hint = "htpasswd -nBC 10 \"\" | tr -d ':\\n' asks for a password and prints its hash"
        yield Problem(where, f"the password of {name!r} is not a bcrypt hash", hint)
    elif not 4 <= int(found[1]) <= DEAREST_COST:
        message = f"the hash of {name!r} has cost {int(found[1])}; 4 to {DEAREST_COST} are possible"
        yield Problem(where, message, "10 is usual")


def _below(section: str, problem: Problem) -> Problem:
    return problem._replace(where=(section, *problem.where))


def _located(problem: Problem, file: WebConfigFile, positions: Positions) -> ConfigError:
    line, column = positions.of(file, *problem.where)
    return ConfigError(problem.message, path=positions.path, line=line, column=column, hint=problem.hint)
