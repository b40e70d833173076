"""From OpenTelemetry's resources, scopes, metrics and attributes to label sets, as Prometheus 3 makes them.

`job` is the service's namespace and name, `instance` its instance; what else a resource has stands in the
series `target_info`, and in others where it is promoted. Attributes whose names become the same label are
joined with `;`, in the order of their names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from sentinel.decode._otlp_attributes import Pairs, plain_float, read_attributes, read_message, refuse
from sentinel.decode._otlp_names import Kind, label_name, metric_name
from sentinel.decode._otlp_plain import GAUGE, SUM
from sentinel.decode.limits import Limits
from sentinel.decode.otlp_config import OtlpConfig
from sentinel.errors import DecodeError
from sentinel.model import Labels

NONE, OF_SUM, OF_COUNT, OF_BUCKET, OF_QUANTILE, OF_TARGET = range(6)
"""Which of a metric's series: several make up a histogram or a summary; the last one is a resource's."""
_SUFFIXES: Final = ("", "_sum", "_count", "_bucket", "", "")
_NAMESPACE, _NAME, _INSTANCE = "service.namespace", "service.name", "service.instance.id"
_MOST_KEPT, _LONGEST_KEPT = 4096, 4096
_RESOURCE, _SCOPE = 1, 3
"""The field of a Resource and of an InstrumentationScope that has the attributes."""


class Inherited(NamedTuple):
    """Labels that a resource or a scope gives to all points in it, or why it cannot."""

    labels: Mapping[str, str]
    reason: str = ""
    target: Labels | None = None
    """Those of a resource's `target_info`."""


class Metric(NamedTuple):
    """What of a metric is in its series' names."""

    name: bytes
    unit: bytes
    kind: int
    monotonic: bool
    suffix: int = NONE
    bound: float = 0.0
    """Of a bucket its upper one; the quantile."""


class Translator:
    """Reads messages to labels, and remembers those of the resources and scopes that come again and again."""

    def __init__(self, config: OtlpConfig, limits: Limits) -> None:
        self._config, self._limits = config, limits
        self._strategy = config.translation_strategy
        self._resources: dict[bytes, Inherited] = {}
        self._scopes: dict[bytes, Inherited] = {}

    @property
    def takes_deltas(self) -> bool:
        return self._config.delta == "accumulate"

    def resource(self, body: bytes) -> Inherited:
        """Of a Resource message."""
        return _kept(self._resources, body, self._read_resource)

    def scope(self, body: bytes, url: bytes) -> Inherited:
        """Of an InstrumentationScope message, and the schema's address of its metrics."""
        key = len(body).to_bytes(4, "little") + body + url
        return _kept(self._scopes, key, lambda _: self._read_scope(body, url))

    def name(self, metric: Metric) -> str:
        """Raises DecodeError."""
        try:
            name, unit = metric.name.decode(), metric.unit.decode()
        except UnicodeDecodeError:
            refuse("invalid_utf8")
        counter = metric.kind == SUM and metric.monotonic
        kind: Kind = "counter" if counter else "gauge" if metric.kind == GAUGE else "other"
        found = metric_name(name, unit, kind, self._strategy)
        return found + _SUFFIXES[metric.suffix] if found else refuse("missing_name")

    def labels(self, resource: Inherited, scope: Inherited, metric: Metric, pairs: Pairs) -> dict[str, str]:
        """The labels of one series. Raises DecodeError."""
        found = self._own(pairs)
        for name, value in resource.labels.items():
            if name in ("job", "instance") or not found.get(name):
                found[name] = value
        found.update(scope.labels)
        if metric.suffix in (OF_BUCKET, OF_QUANTILE):
            found["le" if metric.suffix == OF_BUCKET else "quantile"] = plain_float(metric.bound)
        found["__name__"] = self.name(metric)
        return found

    def judged(self, labels: dict[str, str]) -> dict[str, str]:
        """The same. Raises DecodeError where they pass a limit."""
        limits, count = self._limits, 0
        for name, value in labels.items():
            count += value != "" and name != "__name__"
            long = len(name.encode()) > limits.label_name_bytes and name != "__name__"
            if long or len(value.encode()) > limits.label_value_bytes:
                refuse("label_too_long", f"{name[:40]!r}")
        if count > limits.labels:
            refuse("too_many_labels", f"{count}, at most {limits.labels}")
        return labels

    def _own(self, pairs: Pairs) -> dict[str, str]:
        """Labels of attributes. Raises DecodeError."""
        found: dict[str, str] = {}
        for key, value in sorted(pairs):
            if key == "__name__":
                continue
            name = label_name(key, self._strategy) or refuse("invalid_label", f"an attribute {key[:40]!r}")
            found[name] = f"{found[name]};{value}" if found.get(name) else value
        return found

    def _read_resource(self, body: bytes) -> Inherited:
        try:
            pairs = read_attributes(body, _RESOURCE)
            wanted = self._config.promote_resource_attributes
            promoted = self._own([pair for pair in pairs if pair[0] in wanted])
            labels = self.judged({**promoted, **_identity(dict(pairs))})
        except DecodeError as error:
            return Inherited({}, error.reason)
        try:
            return Inherited(labels, target=self._target(pairs))
        except DecodeError:
            return Inherited(labels)

    def _target(self, pairs: Pairs) -> Labels | None:
        """The labels of `target_info`; None if it would say nothing. Raises DecodeError."""
        keep = self._config.keep_identifying_resource_attributes
        rest = [pair for pair in pairs if pair[0] not in (_NAMESPACE, _NAME, _INSTANCE)]
        labels = self._own(pairs if keep else rest) | _identity(dict(pairs))
        if not rest or not (labels.get("job") or labels.get("instance")):
            return None
        return Labels(self.judged({**labels, "__name__": "target_info"}))

    def _read_scope(self, body: bytes, url: bytes) -> Inherited:
        try:
            fields = {field.number: field.data for field in read_message(body) if field.kind == 2}
            name, version, schema = (_decoded(text) for text in (fields.get(1), fields.get(2), url))
            pairs = read_attributes(body, _SCOPE)
            if not self._config.promote_scope_metadata or not name:
                return Inherited({})
            labels = self._own([(f"otel_scope_{key}", value) for key, value in pairs])
            facts = {"name": name, "version": version, "schema_url": schema}
            labels |= {f"otel_scope_{fact}": value for fact, value in facts.items()}
            return Inherited(self.judged(labels))
        except DecodeError as error:
            return Inherited({}, error.reason)


def _identity(attributes: Mapping[str, str]) -> dict[str, str]:
    """`job` and `instance` of a resource with these attributes."""
    found = {}
    if _NAME in attributes:
        before = f"{attributes[_NAMESPACE]}/" if _NAMESPACE in attributes else ""
        found["job"] = before + attributes[_NAME]
    if attributes.get(_INSTANCE):
        found["instance"] = attributes[_INSTANCE]
    return {name: value for name, value in found.items() if value}


def _kept(known: dict[bytes, Inherited], body: bytes, read: Callable[[bytes], Inherited]) -> Inherited:
    """What is remembered of a message, or is read now; long ones are not worth the room."""
    found = known.get(body)
    if found is None:
        found = read(body)
        if len(known) >= _MOST_KEPT:
            known.clear()
        if len(body) <= _LONGEST_KEPT:
            known[body] = found
    return found


def _decoded(text: bytes | None) -> str:
    try:
        return (text or b"").decode()
    except UnicodeDecodeError:
        refuse("invalid_utf8")
