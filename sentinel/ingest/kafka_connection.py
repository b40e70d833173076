"""How to reach a Kafka cluster: the settings that sources, the alert topic and dead letters share."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Literal

import msgspec

from sentinel.errors import ConfigError
from sentinel.model import Secret

REQUEST_TIMEOUT_MS = 15_000


class KafkaConnection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Addresses, encryption and authentication. Files are read anew with each connection attempt."""

    bootstrap_servers: list[str] | str
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: Secret = Secret("")
    sasl_password_file: str = ""
    ssl_ca_file: str = ""
    ssl_cert_file: str = ""
    ssl_key_file: str = ""

    def __post_init__(self) -> None:
        if not servers(self):
            raise ValueError("bootstrap_servers is empty; write for example [kafka:9092]")
        for server in servers(self):
            _check_server(server)
        sasl = self.security_protocol.startswith("SASL")
        if self.sasl_password and self.sasl_password_file:
            raise ValueError("give sasl_password or sasl_password_file, not both")
        if sasl and not (self.sasl_username and (self.sasl_password or self.sasl_password_file)):
            raise ValueError(
                f"{self.security_protocol} needs sasl_username and sasl_password or sasl_password_file"
            )
        if self.sasl_username and not sasl:
            raise ValueError(f"sasl_username is set, but security_protocol is {self.security_protocol}")
        if (self.ssl_ca_file or self.ssl_cert_file) and not self.security_protocol.endswith("SSL"):
            raise ValueError(f"ssl files are set, but security_protocol is {self.security_protocol}")
        if bool(self.ssl_cert_file) is not bool(self.ssl_key_file):
            raise ValueError("ssl_cert_file and ssl_key_file come together")


def _check_server(server: str) -> None:
    """Raises ValueError; a text that may hold a password is not shown."""
    if "@" in server:
        raise ValueError("bootstrap_servers holds a user; sasl_username and sasl_password are for that")
    _, colon, port = server.rpartition(":")
    if colon and not (port.isascii() and port.isdecimal() and 0 < int(port) < 65_536):
        raise ValueError(f"bootstrap_servers: {server!r} ends in no port; write for example kafka:9092")


def servers(connection: KafkaConnection) -> list[str]:
    """The addresses, however they were written."""
    given = connection.bootstrap_servers
    parts = given.split(",") if isinstance(given, str) else given
    return [part.strip() for part in parts if part.strip()]


def client_options(connection: KafkaConnection) -> dict[str, Any]:
    """Keyword arguments for any aiokafka client. Reads files, so call it in a thread.

    Raises ConfigError if a file cannot be used.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": servers(connection),
        "security_protocol": connection.security_protocol,
        "client_id": "sentinel",
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
    }
    if connection.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": connection.sasl_mechanism,
            "sasl_plain_username": connection.sasl_username,
            "sasl_plain_password": _password(connection),
        }
    if connection.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl_context(
            connection.ssl_ca_file, connection.ssl_cert_file, connection.ssl_key_file
        )
    return options


def _password(connection: KafkaConnection) -> str:
    if not connection.sasl_password_file:
        return connection.sasl_password.reveal()
    try:
        return Path(connection.sasl_password_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read sasl_password_file: {error}", path=connection.sasl_password_file
        ) from None


def ssl_context(ca_file: str, cert_file: str, key_file: str) -> ssl.SSLContext:
    """Of files that may be none. Raises ConfigError naming the one that does not load."""
    path = ca_file
    try:
        context = ssl.create_default_context(cafile=path or None)
        path = cert_file
        if path:
            context.load_cert_chain(path, key_file)
    except (OSError, ssl.SSLError) as error:
        hint = "PEM files: a CA bundle, and a certificate with its key"
        raise ConfigError(f"cannot load: {error}", path=path, hint=hint) from None
    return context
