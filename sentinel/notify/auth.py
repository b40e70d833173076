"""The part of Alertmanager's `http_config` that says who calls: basic, bearer, any other scheme."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sentinel.model import Secret

Problem = tuple[tuple[str | int, ...], str]


class BasicAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name and a password, each given itself or by the file that holds it."""

    username: str = ""
    username_file: str = ""
    password: Secret = Secret("")
    password_file: str = ""


class Authorization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The header of that name: a scheme and what follows it."""

    type: str = "Bearer"
    credentials: Secret = Secret("")
    credentials_file: str = ""


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`http_config`. With `follow_redirects` only 307 and 308 are followed: they keep method and body."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    bearer_token: Secret = Secret("")
    bearer_token_file: str = ""
    follow_redirects: bool = False


def check_http(config: HttpConfig) -> Iterator[Problem]:
    """(path, message) of what contradicts itself."""
    ways = [
        name
        for name, used in (
            ("basic_auth", config.basic_auth),
            ("authorization", config.authorization),
            ("bearer_token", config.bearer_token or config.bearer_token_file),
        )
        if used
    ]
    if len(ways) > 1:
        yield (ways[1],), f"choose one of {' and '.join(ways)}"
    if config.bearer_token and config.bearer_token_file:
        yield ("bearer_token_file",), "choose one of bearer_token and bearer_token_file"
    basic = config.basic_auth
    if basic and ((basic.username and basic.username_file) or (basic.password and basic.password_file)):
        yield ("basic_auth",), "give each of username and password once: itself or its file"
    other = config.authorization
    if other and other.credentials and other.credentials_file:
        yield ("authorization", "credentials_file"), "choose one of credentials and credentials_file"


async def read_secret(secret: Secret, file: str) -> str:
    """The text itself, or what its file holds now (files are read each time, so that they can be rotated)."""
    if not file:
        return secret.reveal()
    return (await asyncio.to_thread(Path(file).read_text, "utf-8")).strip()


async def auth_headers(config: HttpConfig) -> dict[str, str]:
    """The header to send, if any. Raises OSError where a secret's file cannot be read."""
    if config.basic_auth is not None:
        basic = config.basic_auth
        name = await read_secret(Secret(basic.username), basic.username_file)
        word = await read_secret(basic.password, basic.password_file)
        return {"Authorization": "Basic " + b64encode(f"{name}:{word}".encode()).decode()}
    if config.authorization is not None:
        other = config.authorization
        return {
            "Authorization": f"{other.type} {await read_secret(other.credentials, other.credentials_file)}"
        }
    if config.bearer_token or config.bearer_token_file:
        return {"Authorization": f"Bearer {await read_secret(config.bearer_token, config.bearer_token_file)}"}
    return {}
