"""How a cluster is reached: what configuration is refused, and what clients are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sentinel.errors import ConfigError
from sentinel.ingest.kafka import KafkaConfig
from sentinel.ingest.kafka_connection import KafkaConnection, client_options
from sentinel.model import Duration, Secret


def connection(**settings: Any) -> KafkaConnection:
    def hook(kind: type, value: Any) -> Any:
        return Secret(value) if kind is Secret else Duration.parse(value)

    return msgspec.convert({"bootstrap_servers": "a:1, b:2", **settings}, KafkaConnection, dec_hook=hook)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"bootstrap_servers": " "}, "bootstrap_servers is empty"),
        ({"security_protocol": "SASL_SSL"}, "needs sasl_username"),
        ({"sasl_username": "u"}, "security_protocol is PLAINTEXT"),
        ({"ssl_ca_file": "x"}, "ssl files are set"),
        ({"security_protocol": "SSL", "ssl_cert_file": "x"}, "come together"),
        ({"sasl_password": "a", "sasl_password_file": "b"}, "not both"),
        ({"sasl_mechanism": "GSSAPI"}, "Invalid enum value"),
        ({"nonsense": 1}, "unknown field"),
    ],
)
def test_wrong_settings_are_refused_with_what_to_do(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        connection(**settings)


def test_options_for_clients(tmp_path: Path) -> None:
    plain = client_options(connection())
    assert plain["bootstrap_servers"] == ["a:1", "b:2"] and "sasl_mechanism" not in plain
    file = tmp_path / "password"
    file.write_text("hush\n")
    sasl = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "u"}
    from_file = client_options(connection(**sasl, sasl_password_file=str(file)))
    assert from_file["sasl_plain_password"] == "hush" and from_file["ssl_context"].check_hostname
    given = connection(**sasl, sasl_password="hush")
    assert client_options(given)["sasl_plain_password"] == "hush" and "hush" not in repr(given)


@pytest.mark.parametrize("setting", ["sasl_password_file", "ssl_ca_file", "ssl_cert_file"])
def test_a_file_that_cannot_be_used_is_named(setting: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    path = str(tmp_path / "absent") if setting == "sasl_password_file" else str(bad)
    settings: dict[str, Any] = {"security_protocol": "SASL_SSL", "sasl_username": "u", setting: path}
    if setting != "sasl_password_file":
        settings["sasl_password"] = "p"
    if setting == "ssl_cert_file":
        settings["ssl_key_file"] = path
    with pytest.raises(ConfigError) as caught:
        client_options(connection(**settings))
    assert caught.value.path == path


def test_a_source_needs_topics_and_a_group() -> None:
    for missing in ({"topics": [], "group_id": "g"}, {"topics": ["t"], "group_id": ""}, {"topics": ["t"]}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({"bootstrap_servers": "a:1", **missing}, KafkaConfig)
