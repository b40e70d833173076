"""What `sentinel.yml` may hold, and its JSON Schema. Keys are the field names; unknown ones are refused."""

from __future__ import annotations

from typing import Annotated, Any, Self

import msgspec

from sentinel.decode.avro_config import AvroConfig
from sentinel.decode.influx_config import InfluxConfig
from sentinel.decode.json import JsonConfig
from sentinel.decode.limits import Limits
from sentinel.decode.otlp_config import OtlpConfig
from sentinel.documents.json_schema import schema_of
from sentinel.ingest.kafka import KafkaConfig
from sentinel.ingest.kafka_connection import KafkaConnection
from sentinel.ingest.past import RefillConfig
from sentinel.ingest.push_config import PushConfig
from sentinel.ingest.schema_registry_config import SchemaRegistryConfig
from sentinel.ingest.scrape_config import ScrapeConfig
from sentinel.model import Duration, Secret
from sentinel.notify.alertmanager import ForwardConfig
from sentinel.notify.heartbeat import HeartbeatConfig
from sentinel.watch.config import ClusterConfig

Count = Annotated[int, msgspec.Meta(ge=1)]

MINUTE = 60_000


class GlobalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Defaults of rule groups, and who this Sentinel is to those it tells."""

    evaluation_interval: Duration = Duration(15_000)
    external_labels: dict[str, str] = {}
    external_url: str = ""


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one source may bring. Beyond `series`, new series are refused and known ones go on."""

    series: Count = 1_000_000
    labels: Count = 64
    label_value_bytes: Count = 2048
    record_bytes: Count = 1 << 20

    def of_records(self) -> Limits:
        """The part that decoders watch over."""
        return Limits(
            labels=self.labels, label_value_bytes=self.label_value_bytes, record_bytes=self.record_bytes
        )


class TimeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a source's time runs: how late samples may be, how early, and how long a group waits for them."""

    delay: Duration = Duration(0)
    max_future: Duration = Duration(MINUTE)
    max_wait: Duration = Duration(5 * MINUTE)


class SourceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One source: exactly one of `kafka`, `scrape` and `http`. An empty `format` means the usual one."""

    name: str
    kafka: KafkaConfig | None = None
    scrape: ScrapeConfig | None = None
    http: PushConfig | None = None
    format: str = ""
    json: JsonConfig = JsonConfig()
    influx: InfluxConfig = InfluxConfig()
    otlp: OtlpConfig = OtlpConfig()
    avro: AvroConfig = AvroConfig()
    schema_registry: SchemaRegistryConfig | None = None
    dead_letter_topic: str = ""
    limits: LimitsConfig = LimitsConfig()
    time: TimeConfig = TimeConfig()
    refill: RefillConfig = RefillConfig()

    @property
    def decoder(self) -> str:
        """The format, or what sources of this kind usually speak."""
        return self.format or ("openmetrics" if self.scrape else "json")


class Retention(Duration):
    """How long samples are kept whoever asks; 0, written `demand`, is as long as something needs them."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with a text for the user."""
        try:
            return cls(0 if text == "demand" else Duration.parse(text))
        except ValueError as error:
            raise ValueError(f"{error}, or demand") from None

    def __str__(self) -> str:
        return super().__str__() if self else "demand"

    __repr__ = __str__


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long samples are kept: `demand` is what rules read, a duration keeps all that long."""

    retention: Retention = Retention(0)

    @property
    def retention_ms(self) -> int | None:
        """None: by demand."""
        return int(self.retention) or None


class AlertTopicConfig(KafkaConnection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Kafka topic that every alert event is copied to."""

    topic: Annotated[str, msgspec.Meta(min_length=1)]


class AlertingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where Alertmanager's configuration lies: routes and receivers are written there, as ever."""

    config_file: str


class ConfigFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `sentinel.yml`."""

    global_: GlobalConfig = msgspec.field(default=GlobalConfig(), name="global")
    sources: list[SourceConfig] = []
    rule_files: list[str] = []
    store: StoreConfig = StoreConfig()
    alert_topic: AlertTopicConfig | None = None
    alerting: AlertingConfig | None = None
    alertmanagers: list[ForwardConfig] = []
    heartbeat: HeartbeatConfig | None = None
    clusters: list[ClusterConfig] = []


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the file."""
    return schema_of(ConfigFile, _text_schema)


def _text_schema(kind: type) -> dict[str, Any]:
    if kind is Secret:
        return {"type": "string", "writeOnly": True}
    if kind is Retention:
        return {"type": "string", "examples": ["demand", "1h"]}
    return {"type": "string", "examples": ["250ms", "30s", "1h30m"]}
