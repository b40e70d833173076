"""`--web.config.file`: what it may say, and what is refused with which words."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from sentinel.api.tls import CIPHERS, CURVES, alternative_names
from sentinel.api.web_config import WebConfig, load_web_config
from sentinel.errors import ConfigErrors

from .certificates import Authority

HASH = "$2y$10$" + "a" * 53
TLS = "cert_file: server.crt, key_file: server.key"
MUTUAL = f"{TLS}, client_auth_type: RequireAndVerifyClientCert"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    Authority(folder).sign("server", "DNS:localhost", "IP:127.0.0.1")
    Authority(folder, "other")
    (folder / "text.pem").write_text("no certificate")
    return folder


def load(folder: Path, text: str) -> WebConfig:
    path = folder / "web.yml"
    path.write_text(text)
    return load_web_config(path)


def test_an_empty_file_is_plain_http_for_everybody(folder: Path) -> None:
    assert (
        load(folder, "") == load(folder, "tls_server_config: {}\n") == WebConfig(files=(folder / "web.yml",))
    )


def test_all_of_it(folder: Path) -> None:
    config = load(
        folder,
        f"""
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [prometheus.example, "10.0.0.1"]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256]
http_server_config:
  http2: false
  headers: {{X-Frame-Options: deny, Strict-Transport-Security: max-age=31536000, X-XSS-Protection: ""}}
basic_auth_users: {{alice: {HASH}}}
rate_limit: {{interval: 1s, burst: 20}}
""",
    )
    assert config.headers == {"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=31536000"}
    assert config.allowed_sans == {"prometheus.example", "10.0.0.1"}
    assert (config.rate_limit.interval.seconds, config.rate_limit.burst) == (1, 20)
    assert config.users["alice"].reveal() == HASH and HASH not in repr(config)
    context = config.context
    assert context is not None and context.verify_mode is ssl.CERT_REQUIRED
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    spoken = {cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"}
    assert spoken == {"ECDHE-ECDSA-AES128-GCM-SHA256"}
    assert [path.name for path in config.files] == ["web.yml", "server.crt", "server.key", "ca.crt"]


@pytest.mark.parametrize("name", CIPHERS)
def test_every_cipher_is_known_to_openssl(name: str, folder: Path) -> None:
    context = load(folder, f"tls_server_config: {{{TLS}, cipher_suites: [{name}]}}").context
    assert context is not None and CIPHERS[name] in {cipher["name"] for cipher in context.get_ciphers()}


@pytest.mark.parametrize("name", CURVES)
def test_every_curve_is_known_to_openssl(name: str, folder: Path) -> None:
    assert load(folder, f"tls_server_config: {{{TLS}, curve_preferences: [{name}]}}").context


def test_certificate_and_key_may_stand_in_the_file(folder: Path) -> None:
    blocks = {"cert": "server.crt", "key": "server.key", "client_ca": "ca.crt"}
    lines = ["tls_server_config:", "  client_auth_type: VerifyClientCertIfGiven"]
    for key, name in blocks.items():
        lines += [f"  {key}: |", *(f"    {line}" for line in (folder / name).read_text().splitlines())]
    config = load(folder, "\n".join(lines))
    assert config.context is not None and config.context.verify_mode is ssl.CERT_OPTIONAL


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("min_version: TLS13", "TLS needs cert_file and key_file"),
        ("cert_file: server.crt", "TLS needs key_file"),
        (f"{TLS}, cert: inline", "give cert or cert_file, not both"),
        ("cert_file: no.crt, key_file: server.key", "cannot read"),
        ("cert_file: text.pem, key_file: server.key", "no certificate in PEM form"),
        ("cert_file: server.crt, key_file: text.pem", "no private key in PEM form"),
        ("cert_file: server.crt, key_file: other.key", "the key does not belong to the certificate"),
        (f"{TLS}, client_auth_type: RequireAnyClientCert", "without checking them"),
        (f"{TLS}, client_auth_type: RequestClientCert", "without checking them"),
        (MUTUAL, "needs client_ca_file"),
        (f"{MUTUAL}, client_ca_file: text.pem", "no certificate in PEM form"),
        (f"{TLS}, client_ca_file: ca.crt", "no client certificate is asked for"),
        (f"{TLS}, client_allowed_sans: [a]", "client_allowed_sans needs client_auth_type"),
        (f"{TLS}, client_auth_type: Always", "unknown value 'Always'"),
        (f"{TLS}, min_version: TLS10", "TLS10 is broken"),
        (f"{TLS}, max_version: SSL3", "unknown value 'SSL3'"),
        (f"{TLS}, min_version: TLS13, max_version: TLS12", "max_version TLS12 is below TLS13"),
        (f"{TLS}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]", "unknown cipher suite"),
        (f"{TLS}, cipher_suites: [TLS_AES_128_GCM_SHA256]", "leaves TLS 1.2 without a cipher"),
        (f"{TLS}, curve_preferences: [P256]", "unknown curve 'P256'"),
        (f"{TLS}, curve_preferences: [X25519, CurveP256]", "takes one curve"),
    ],
)
def test_tls_that_is_refused(section: str, says: str, folder: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        load(folder, f"tls_server_config: {{{section}}}")
    (error,) = caught.value.errors
    assert says in error.message and error.line == 1, error


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(folder: Path) -> None:
    head = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
    head += f"DEK-Info: AES-128-CBC,{'00' * 16}\n\n"
    (folder / "locked.key").write_text(f"{head}{'A' * 64}\n-----END EC PRIVATE KEY-----\n")
    with pytest.raises(ConfigErrors, match="the key is encrypted"):
        load(folder, "tls_server_config: {cert_file: server.crt, key_file: locked.key}")


def test_everything_wrong_is_said_at_once_and_no_secret_is_shown(folder: Path) -> None:
    text = f"""\
tls_server_config: {{cert_file: server.crt}}
http_server_config:
  headers: {{X-Frame-Options: DENY, Content-Security-Policy: "a\\nb", X-Powered-By: us}}
basic_auth_users:
  alice: hunter2
  "b:b": {HASH}
  carol: {HASH.replace("10", "17", 1)}
  dave: [hunter2]
rate_limit: {{interval: 1s}}
users: {{}}
"""
    with pytest.raises(ConfigErrors) as caught:
        load(folder, text)
    found = [(error.line, error.message) for error in caught.value.errors]
    assert [line for line, _ in found] == [1, 3, 3, 3, 5, 6, 7, 8, 9, 10]
    assert "hunter2" not in str(caught.value) and HASH not in str(caught.value)
    assert "the password of 'alice' is not a bcrypt hash" in str(caught.value)


@pytest.mark.parametrize("path", ["", "missing.yml"])
def test_a_file_that_cannot_be_read(path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match=r"no such file|cannot be read"):
        load_web_config(tmp_path / path)


def test_names_of_a_certificate_are_written_as_go_does() -> None:
    names = (
        ("DNS", "a.example"),
        ("IP Address", "10.0.0.1"),
        ("IP Address", "2001:DB8:0:0:0:0:0:1\n"),
        ("IP Address", "<invalid>"),
        ("email", "ops@a.example"),
        ("URI", "spiffe://a/b"),
        ("DirName", (("commonName", "b.example"),)),
    )
    found = alternative_names({"subjectAltName": names}) - {""}
    assert found == {"a.example", "10.0.0.1", "2001:db8::1", "ops@a.example", "spiffe://a/b"}
