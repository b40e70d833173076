"""`sentinel.yml` and the files it names: what is taken from them, and all that is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel.config.load import Config, load_config
from sentinel.config.schema import json_schema
from sentinel.errors import ConfigErrors
from sentinel.model import Duration, Secret

WHOLE = """\
global:
  evaluation_interval: 30s
  external_labels: {region: eu-west-1}
  external_url: http://sentinel.example:9464
sources:
  - name: telemetry
    kafka:
      bootstrap_servers: "${BROKER:-127.0.0.1:9092}"
      topics: [telemetry]
      group_id: sentinel
      security_protocol: SASL_SSL
      sasl_mechanism: SCRAM-SHA-512
      sasl_username: sentinel
      sasl_password_file: secrets/kafka
      ssl_ca_file: /etc/ca.pem
    format: json
    json: {name: n, labels: l, value: v, timestamp: t}
    dead_letter_topic: telemetry.dead
    limits: {series: 10, labels: 5, label_value_bytes: 100, record_bytes: 1000}
    time: {delay: 1s, max_future: 2m, max_wait: 10m}
  - name: brokers
    scrape: {interval: 15s, timeout: 10s, targets: ["127.0.0.1:19401"], labels: {cluster: main}}
  - name: push
    http: {}
rule_files: ["rules/*.yml", rules/a.yml]
store: {retention: 1h}
alert_topic: {bootstrap_servers: "127.0.0.1:9092", topic: sentinel.alerts}
alerting: {config_file: am/alertmanager.yml}
"""
RULES = "groups:\n- name: %s\n  rules:\n  - {alert: A, expr: up == 0}\n  - {record: b, expr: up}\n"
ALERTMANAGER = """\
route: {receiver: hook, group_wait: 0s, routes: [{matchers: ['severity="page"', team=a], receiver: hook}]}
receivers: [{name: hook, webhook_configs: [{url_file: url}]}]
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes `sentinel.yml` beside a full set of other files."""
    for name, text in {
        "rules/a.yml": RULES % "a",
        "rules/b.yml": RULES % "b",
        "am/alertmanager.yml": ALERTMANAGER,
        "sentinel.yml": WHOLE,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def write(text: str) -> Path:
        (tmp_path / "sentinel.yml").write_text(text)
        return tmp_path / "sentinel.yml"

    return write


def refusals(path: Path) -> list[str]:
    """Without the folder in front."""
    with pytest.raises(ConfigErrors) as caught:
        load_config(path)
    return [str(error).replace(f"{path.parent}{os.sep}", "") for error in caught.value.errors]


def test_the_whole_file(write: Callable[[str], Path], tmp_path: Path) -> None:
    config = load_config(write(WHOLE))
    telemetry, brokers, push = config.sources
    assert (config.path, config.base) == (tmp_path / "sentinel.yml", tmp_path)
    assert config.global_.evaluation_interval == 30_000
    assert config.global_.external_labels == {"region": "eu-west-1"}
    assert telemetry.kafka is not None
    assert telemetry.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert telemetry.kafka.sasl_password_file == str(tmp_path / "secrets/kafka")
    assert telemetry.kafka.ssl_ca_file == "/etc/ca.pem"
    assert telemetry.limits.of_records().record_bytes == 1000
    assert telemetry.time.max_wait == Duration(600_000)
    assert brokers.scrape is not None
    assert brokers.scrape.targets == ["127.0.0.1:19401"]
    assert [source.decoder for source in config.sources] == ["json", "openmetrics", "json"]
    assert push.http is not None
    assert config.store.retention_ms == 3_600_000
    assert config.alert_topic is not None
    assert config.alert_topic.topic == "sentinel.alerts"
    assert [group.key for group in config.groups] == ["rules/a.yml;a", "rules/b.yml;b"]
    assert config.alertmanager is not None
    assert config.alertmanager.receivers[0].webhook_configs[0].url_file == str(tmp_path / "am/url")
    assert [str(each) for each in config.alertmanager.route.routes[0].all_matchers()] == [
        'severity="page"',
        'team="a"',
    ]


def test_the_defaults(write: Callable[[str], Path]) -> None:
    config: Config = load_config(write(""))
    assert config.global_.evaluation_interval == 15_000
    assert (config.sources, config.groups, config.alertmanager, config.alert_topic) == ((), (), None, None)
    assert config.store.retention_ms is None
    (source,) = load_config(write("sources: [{name: a, http: {}}]")).sources
    assert (source.json.name, source.limits.series, source.time.max_future) == ("name", 1_000_000, 60_000)
    assert load_config(write("store: {retention: demand}")).store.retention_ms is None


def test_loading_twice_is_the_same(write: Callable[[str], Path]) -> None:
    path = write(WHOLE)
    first, second = load_config(path), load_config(path)
    assert first.sources == second.sources
    assert first.alert_topic == second.alert_topic


KAFKA = "kafka: {bootstrap_servers: b, topics: [t], group_id: g"
MISTAKES = {
    "global: {evaluation_interval: 0s}": "1:31: evaluation_interval must be above zero",
    "global: {external_labels: {__name__: a}}": "1:38: invalid label name: '__name__'",
    "global: {external_url: sentinel}": "1:24: not a URL: 'sentinel'",
    "globl: {}": "1:1: unknown key 'globl' (did you mean 'global'?)",
    "sources: [{http: {}}]": "1:11: missing key 'name'",
    "sources: [{name: a b, http: {}}]": "1:18: not a source's name: 'a b'",
    "sources: [{name: a, http: {}}, {name: a, scrape: {targets: [b]}}]": "1:39: source 'a' is defined twice",
    "sources: [{name: a}]": "1:11: source 'a' needs one of kafka, scrape, http",
    "sources: [{name: a, http: }]": "1:11: source 'a' needs one of kafka, scrape, http",
    "sources: [{name: a, http: {}, scrape: {targets: [a]}}]": "source 'a' is scrape and http; it must be one",
    "sources: [{name: a, http: {}, format: jsn}]": "1:39: unknown format 'jsn' (did you mean 'json'?)",
    "sources: [{name: a, http: {}, dead_letter_topic: d}]": "1:50: dead_letter_topic is for kafka sources",
    "sources: [{name: a, http: {}, format: avro}]": "1:39: avro is read from kafka, with schemas of",
    "sources: [{name: a, http: {}, schema_registry: {url: 'http://r'}}]": "schema_registry is for avro",
    "sources: [{name: a, http: {}, refill: {max_records: 0}}]": "1:39: refill is for kafka sources",
    "sources: [{name: a, http: {}, limits: {series: 0}}]": "1:48: expected a whole number (at least 1)",
    "sources: [{name: a, http: {}, time: {delay: 5}}]": '1:45: not a valid duration string: "5"',
    "sources: [{name: a, http: {}, json: {name: x, value: x}}]": "1:37: name, labels, value and",
    "sources: [{name: a, scrape: {targets: []}}]": "1:39: needs at least 1 item",
    "sources: [{name: a, kafka: {topics: [t], group_id: g}}]": "1:28: missing key 'bootstrap_servers'",
    f"sources: [{{name: a, {KAFKA}, sasl_mechanism: PLAN}}}}]": "unknown value 'PLAN' (did you mean",
    f"sources: [{{name: a, {KAFKA}, sasl_password: a, sasl_password_file: b}}}}]": "not both",
    "rule_files: [none/*.yml]": "1:14: rule_files pattern 'none/*.yml' matches no file",
    "rule_files: ['']": "1:14: rule_files pattern '' matches no file",
    "store: {retention: long}": '1:20: not a valid duration string: "long"',
    "alerting: {config_file: none.yml}": "1:25: config_file: no such file: ",
    "alerting: {}": "1:11: missing key 'config_file'",
    "alert_topic: {bootstrap_servers: b, topic: ''}": "1:44: expected a text",
    "global: {external_url: 'http://${NO_SUCH_VARIABLE}'}": "1:24: environment variable NO_SUCH_VARIABLE",
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items(), ids=range(len(MISTAKES)))
def test_mistakes(write: Callable[[str], Path], text: str, said: str) -> None:
    (message,) = refusals(write(text))
    assert message.startswith("sentinel.yml:1:")
    assert said in message


def test_too_many_sources(write: Callable[[str], Path]) -> None:
    many = "".join(f"- {{name: s{n}, scrape: {{targets: [a]}}}}\n" for n in range(62))
    (message,) = refusals(write(f"sources:\n{many}"))
    assert message.startswith("sentinel.yml:2:1: 62 sources are too many (a cluster counts as two), 61 is")


def test_mistakes_of_all_files_at_once(write: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "rules/a.yml").write_text(RULES.replace("up == 0", "up >") % "a")
    am = ALERTMANAGER.replace("receiver: hook}]", "receiver: nobody}]").replace("group_wait", "group_wiat")
    (tmp_path / "am/alertmanager.yml").write_text(am)
    said = refusals(write(WHOLE.replace("format: json", "format: cbor").replace("store:", "stor:")))
    assert [message.split(": ")[0] for message in said] == [
        "sentinel.yml:16:13",
        "sentinel.yml:26:1",
        f"rules{os.sep}a.yml:4:26",
        f"am{os.sep}alertmanager.yml:1:25",
        f"am{os.sep}alertmanager.yml:1:100",
    ]


def test_a_missing_file(tmp_path: Path) -> None:
    assert refusals(tmp_path / "none.yml") == ["none.yml: no such file"]


def test_only_one_source_takes_pushes(write: Callable[[str], Path]) -> None:
    (message,) = refusals(write("sources: [{name: a, http: {}}, {name: b, http: {}}]"))
    assert message.startswith("sentinel.yml:1:") and "'a' does already" in message


def test_environment(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIES", "7")
    monkeypatch.setenv("BROKER", "kafka:9092")
    monkeypatch.setenv("PASSWORD", "hunter2")
    text = WHOLE.replace("series: 10", 'series: "${SERIES}"').replace(
        "sasl_password_file: secrets/kafka", "sasl_password: ${PASSWORD}"
    )
    (telemetry, *_) = load_config(write(text)).sources
    assert telemetry.kafka is not None
    assert telemetry.limits.series == 7
    assert telemetry.kafka.bootstrap_servers == "kafka:9092"
    assert telemetry.kafka.sasl_password == Secret("hunter2")
    assert "hunter2" not in repr(telemetry)


def test_the_schema_knows_every_key() -> None:
    schema = json.loads(json.dumps(json_schema()))
    definitions = schema["$defs"]
    assert set(definitions["ConfigFile"]["properties"]) == {
        "global", "sources", "rule_files", "store", "alert_topic", "alerting", "alertmanagers", "heartbeat",
        "clusters",
    }  # fmt: skip
    assert {"topics", "sasl_password_file", "ssl_ca_file"} <= set(definitions["KafkaConfig"]["properties"])
    assert all(each.get("additionalProperties") is False for each in definitions.values())
