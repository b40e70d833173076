"""What notification templates see: Alertmanager's Data, Alerts and label maps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from sentinel.template.gotime import Time
from sentinel.template.values import Function, Record, StringMap, Strings, function


class Words(Strings):
    """Names or values of a label map."""

    go_type: ClassVar[str] = "template.Strings"
    underlying: ClassVar[str] = "[]string"
    methods: ClassVar[Mapping[str, Function]] = {
        "Join": function(lambda self, separator: separator.join(self), "string"),
    }


class Pairs(list[Record]):
    """Labels in order: `alertname` first, then by name."""

    go_type: ClassVar[str] = "template.Pairs"
    methods: ClassVar[Mapping[str, Function]] = {
        "Names": function(lambda self: Words(pair.values["Name"] for pair in self)),
        "Values": function(lambda self: Words(pair.values["Value"] for pair in self)),
        "String": function(lambda self: self.text()),
    }

    def text(self) -> str:
        return ", ".join(f"{pair.values['Name']}={pair.values['Value']}" for pair in self)


class KV(StringMap):
    """Labels or annotations; `absent` ones are `null` in JSON."""

    go_type: ClassVar[str] = "template.KV"
    absent = False
    methods: ClassVar[Mapping[str, Function]] = {
        "SortedPairs": function(lambda self: self.pairs()),
        "Names": function(lambda self: Words(pair.values["Name"] for pair in self.pairs())),
        "Values": function(lambda self: Words(pair.values["Value"] for pair in self.pairs())),
        "Remove": function(lambda self, names: self.without(names), "[]string"),
        "String": function(lambda self: self.pairs().text()),
    }

    def pairs(self) -> Pairs:
        ordered = sorted(self.items(), key=lambda pair: (pair[0] != "alertname", pair))
        return Pairs(Record("template.Pair", {"Name": name, "Value": value}) for name, value in ordered)

    def without(self, names: Iterable[str]) -> KV:
        unwanted = set(names)
        return KV((name, value) for name, value in self.items() if name not in unwanted)


class _AlertList(list[Record]):
    go_type: ClassVar[str] = "[]template.Alert"


class Alerts(list[Record]):
    go_type: ClassVar[str] = "template.Alerts"
    methods: ClassVar[Mapping[str, Function]] = {
        "Firing": function(lambda self: self.having("firing")),
        "Resolved": function(lambda self: self.having("resolved")),
    }

    def having(self, status: str) -> _AlertList:
        return _AlertList(alert for alert in self if alert.values["Status"] == status)


_ALERT: Final = {
    "Status": "status",
    "Labels": "labels",
    "Annotations": "annotations",
    "StartsAt": "startsAt",
    "EndsAt": "endsAt",
    "GeneratorURL": "generatorURL",
    "Fingerprint": "fingerprint",
}
_DATA: Final = {
    "Receiver": "receiver",
    "Status": "status",
    "Alerts": "alerts",
    "NotificationReason": "notification_reason",
    "GroupLabels": "groupLabels",
    "CommonLabels": "commonLabels",
    "CommonAnnotations": "commonAnnotations",
    "RouteLabels": "routeLabels",
    "ExternalURL": "externalURL",
}


class Alert(Record):
    json_names: ClassVar[Mapping[str, str]] = _ALERT


class Data(Record):
    json_names: ClassVar[Mapping[str, str]] = _DATA


def labels_of(labels: Mapping[str, str] | None) -> KV:
    found = KV(labels or {})
    found.absent = labels is None
    return found


def alert_of(
    status: str,
    labels: Mapping[str, str] | None,
    annotations: Mapping[str, str] | None,
    times: tuple[Time, Time],
    *,
    generator_url: str = "",
    fingerprint: str = "",
) -> Alert:
    """One alert; `times` are its start and its end, the end `ZERO_NS` while it is open."""
    values = (status, labels_of(labels), labels_of(annotations), *times, generator_url, fingerprint)
    return Alert("template.Alert", dict(zip(_ALERT, values, strict=True)))


def data_of(alerts: Iterable[Alert], **values: Any) -> Data:
    """The data of one notification. `values` by the JSON names of the webhook: `receiver`, `groupLabels`...

    What is not given is empty.
    """
    found: dict[str, Any] = {}
    for name, json_name in _DATA.items():
        given = values.get(json_name)
        found[name] = labels_of(given) if name.endswith(("Labels", "Annotations")) else given or ""
    return Data("template.Data", found | {"Alerts": Alerts(alerts)})
