"""`tls_server_config` of the web configuration: from Prometheus's names, which are Go's, to an `ssl` context.

What Python's `ssl` cannot do (asking for a certificate without checking it, several curves) and what nobody
should (TLS before 1.2) is refused: a server must not be less strict than its file.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, NoReturn

import msgspec

from sentinel.documents.wording import advice
from sentinel.model import Secret

Version = Literal["TLS10", "TLS11", "TLS12", "TLS13"]
ClientAuth = Literal[
    "",
    "NoClientCert",
    "RequestClientCert",
    "RequireClientCert",
    "RequireAnyClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
VERSIONS: Final = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
VERIFICATION: Final = {
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
CIPHERS: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
ALWAYS_ON: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""TLS 1.3 has these whatever a file says, in Go as here."""
CURVES: Final = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
_NAMES: Final = ("DNS", "IP Address", "email", "URI")


class TlsServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the server speaks TLS. File names are relative to the web configuration."""

    cert: str = ""
    key: Secret = Secret("")
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_auth_type: ClientAuth = ""
    client_ca_file: str = ""
    client_allowed_sans: list[str] = []
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: list[str] = []
    prefer_server_cipher_suites: bool = True
    curve_preferences: list[str] = []


class Problem(NamedTuple):
    """A mistake: the keys that lead to it, what is wrong, what to do."""

    where: tuple[str | int, ...]
    message: str
    hint: str = ""


class UnusableError(Exception):
    """A certificate, key or authority does not load."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def check_tls(tls: TlsServerConfig) -> Iterator[Problem]:
    """What is wrong with the section itself; its files are not looked at."""
    yield from _check_material(tls)
    yield from _check_clients(tls)
    for key in ("min_version", "max_version"):
        if getattr(tls, key) not in VERSIONS:
            yield Problem((key,), f"{getattr(tls, key)} is broken and not spoken here", "TLS12 is the least")
    if tls.min_version > tls.max_version:
        yield Problem(("max_version",), f"max_version {tls.max_version} is below {tls.min_version}")
    yield from _check_ciphers(tls)
    for number, name in enumerate(tls.curve_preferences):
        if name not in CURVES:
            hint = advice(name, list(CURVES))
            yield Problem(("curve_preferences", number), f"unknown curve {name!r}", hint)
    if len(tls.curve_preferences) > 1:
        hint = "name one, or leave the key out for the usual ones"
        yield Problem(("curve_preferences",), "this server takes one curve, not a list of preferences", hint)


def _check_ciphers(tls: TlsServerConfig) -> Iterator[Problem]:
    known = [*CIPHERS, *ALWAYS_ON]
    for number, name in enumerate(tls.cipher_suites):
        if name not in known:
            yield Problem(("cipher_suites", number), f"unknown cipher suite {name!r}", advice(name, known))
    if tls.cipher_suites and set(tls.cipher_suites) <= set(ALWAYS_ON) and tls.min_version != "TLS13":
        hint = "add one of TLS 1.2, or write min_version: TLS13"
        yield Problem(("cipher_suites",), "cipher_suites leaves TLS 1.2 without a cipher", hint)


def _check_material(tls: TlsServerConfig) -> Iterator[Problem]:
    for key in ("cert", "key", "client_ca"):
        inline, file = getattr(tls, key), getattr(tls, f"{key}_file")
        if inline and file:
            yield Problem((f"{key}_file",), f"give {key} or {key}_file, not both")
        if inline and not hasattr(os, "memfd_create"):
            yield Problem((key,), f"{key} is not supported on this system", f"write {key}_file")
    lacking = [f"{key}_file" for key in ("cert", "key") if not _given(tls, key)]
    if lacking:
        hint = "to serve plain HTTP leave tls_server_config out"
        yield Problem((), f"TLS needs {' and '.join(lacking)}", hint)


def _given(tls: TlsServerConfig, key: str) -> bool:
    return bool(getattr(tls, key) or getattr(tls, f"{key}_file"))


def _check_clients(tls: TlsServerConfig) -> Iterator[Problem]:
    kind, authority = tls.client_auth_type, _given(tls, "client_ca")
    if kind not in VERIFICATION and kind not in ("", "NoClientCert"):
        hint = "RequireAndVerifyClientCert is the secure choice"
        message = f"{kind} takes certificates without checking them, which this server cannot"
        yield Problem(("client_auth_type",), message, hint)
    if kind in VERIFICATION and not authority:
        yield Problem(("client_auth_type",), f"{kind} needs client_ca_file", "whose certificates are good?")
    if kind in ("", "NoClientCert") and authority:
        where = "client_ca_file" if tls.client_ca_file else "client_ca"
        hint = "write client_auth_type: RequireAndVerifyClientCert"
        yield Problem((where,), f"{where} is given, but no client certificate is asked for", hint)
    if tls.client_allowed_sans and kind != "RequireAndVerifyClientCert":
        message = "client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert"
        yield Problem(("client_allowed_sans",), message)


def server_context(tls: TlsServerConfig, base: Path) -> ssl.SSLContext:
    """The context for a section that `check_tls` finds right. Reads files. Raises UnusableError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = VERSIONS[tls.min_version], VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    if _ciphers(tls):
        context.set_ciphers(":".join(_ciphers(tls)))
    if tls.curve_preferences:
        context.set_ecdh_curve(CURVES[tls.curve_preferences[0]])
    _load_certificate(context, tls, base)
    if tls.client_auth_type in VERIFICATION:
        context.verify_mode = VERIFICATION[tls.client_auth_type]
        _load_authority(context, "client_ca", _text(tls, "client_ca", base))
    return context


def _ciphers(tls: TlsServerConfig) -> list[str]:
    return [CIPHERS[name] for name in tls.cipher_suites if name in CIPHERS]


def _load_certificate(context: ssl.SSLContext, tls: TlsServerConfig, base: Path) -> None:
    _load_authority(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "cert", _text(tls, "cert", base))  # is it one?
    _text(tls, "key", base)

    def encrypted() -> NoReturn:
        raise UnusableError(Problem(("key_file",), "the key is encrypted", "store it without a passphrase"))

    try:
        with _path(tls, "cert", base) as cert, _path(tls, "key", base) as key:
            context.load_cert_chain(cert, key, password=encrypted)
    except ssl.SSLError as error:
        raise UnusableError(_explained(error.reason or "")) from None


def _explained(reason: str) -> Problem:
    if reason == "KEY_VALUES_MISMATCH":
        return Problem(("key_file",), "the key does not belong to the certificate")
    if "TOO_SMALL" in reason or "WEAK" in reason:
        return Problem(("cert_file",), f"too weak for OpenSSL: {reason.lower().replace('_', ' ')}")
    return Problem(("key_file",), "no private key in PEM form")


def _load_authority(context: ssl.SSLContext, key: str, text: str) -> None:
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise UnusableError(Problem((f"{key}_file",), "no certificate in PEM form")) from None


def _text(tls: TlsServerConfig, key: str, base: Path) -> str:
    """What stands inline or in the file. Raises UnusableError."""
    file = getattr(tls, f"{key}_file")
    if not file:
        return _inline(tls, key).decode()
    path: Path = base / file
    try:
        return path.read_bytes().decode("ascii", "ignore")  # PEM allows any text around its blocks
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise UnusableError(Problem((f"{key}_file",), message)) from None


def _inline(tls: TlsServerConfig, key: str) -> bytes:
    text = getattr(tls, key)
    return str(text.reveal() if isinstance(text, Secret) else text).encode("ascii", "ignore")


@contextmanager
def _path(tls: TlsServerConfig, key: str, base: Path) -> Iterator[str]:
    """The file; for an inline text one in memory, as `ssl` reads files only and keys must get to no disk."""
    file = getattr(tls, f"{key}_file")
    if file:
        yield str(base / file)
        return
    number = os.memfd_create("pem")
    try:
        os.write(number, _inline(tls, key))
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def alternative_names(certificate: Mapping[str, Any]) -> set[str]:
    """The names that `client_allowed_sans` may allow: DNS, IP, e-mail, URI of `getpeercert()`."""
    found: set[str] = set()
    for kind, name in certificate.get("subjectAltName", ()):
        if kind in _NAMES:
            found.add(_plain_address(name.strip()) if kind == "IP Address" else name)
    return found


def _plain_address(text: str) -> str:
    """As Go writes it: OpenSSL spells IPv6 addresses out."""
    try:
        return str(ip_address(text))
    except ValueError:
        return ""
