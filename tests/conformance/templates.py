"""Runs template cases: text and data to what Prometheus and Alertmanager made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from sentinel.errors import QueryError, TemplateError
from sentinel.template import RuleData, RuleTemplate, expand
from sentinel.template.functions.prometheus import rule_functions, sample
from sentinel.template.golayout import parse_time
from sentinel.template.gotime import ZERO_NS, Time
from sentinel.template.notification import Definitions, NotificationTemplate
from sentinel.template.notification_data import Alert, alert_of, data_of
from sentinel.template.payload import render_payload
from sentinel.template.values import NO_VALUE, Function, Record, StringMap, Strings, function

Case = dict[str, Any]
NOW_MS = 1_770_000_000_000
"""For the notifications: behind the alerts' starts."""
DEFINITIONS = Definitions(
    {
        "default.tmpl": '{{ define "__subject" }}default{{ end }}'
        '{{ define "slack.default.title" }}{{ template "__subject" . }}{{ end }}'
    }
)
"""For the case that redefines one template which another one calls."""
UNITS = {"h": 3_600_000, "m": 60_000, "s": 1000}


def read_cases(file: Path) -> list[Case]:
    """Without the texts of Alertmanager's default templates: they belong to the receivers."""
    cases: list[Case] = json.loads(file.read_text())
    return [case for case in cases if "default_template" not in case]


class Histogram(Record):
    methods: ClassVar[Mapping[str, Function]] = {
        "String": function(lambda self: f"{{count:{self.values['count']}, sum:{self.values['sum']}}}")
    }


def _value(found: Mapping[str, Any]) -> Any:
    if "histogram" in found:
        return Histogram("*histogram.FloatHistogram", found["histogram"])
    return float(found["value"])


def _dot(data: Mapping[str, Any] | None) -> Any:
    """The Go value that a case describes."""
    if not data or "dot" not in data:
        return NO_VALUE
    kind, value = data["dot"]["go"], data["dot"]["value"]
    match kind:
        case "sample":
            return sample({}, _value(value))
        case "map[string]string":
            return StringMap(value)
        case "[]string":
            return Strings(value)
        case "time.Time":
            return _time(value)
    if kind.startswith("[]"):
        return [float(item) if kind == "[]float64" else int(item) for item in value]
    return value


def _query(case: Case) -> Callable[[str], list[tuple[dict[str, str], Any]]]:
    answers, errors = case.get("query_results") or {}, case.get("query_errors") or {}

    def query(expression: str) -> list[tuple[dict[str, str], Any]]:
        if expression in errors:
            raise QueryError(errors[expression])
        found = answers[expression] if expression in answers else answers["*"]
        return [(one["labels"], _value(one)) for one in found]

    return query


def _expand(case: Case) -> str:
    functions = rule_functions(_query(case), case["now_ms"], case["server_url"])
    options = {"strict": "missingkey=error" in (case.get("options") or []), "html": case["html"]}
    try:
        return expand(case["text"], _dot(case["data"]), functions, name="test", **options)
    except TemplateError as error:
        return f"error {'parsing' if error.load else 'executing'} template test: {error}"


def _rule(case: Case) -> str:
    data = case["data"]
    try:
        template = RuleTemplate(case["text"], alertname="T")
    except TemplateError as error:
        assert error.load
        return str(error)
    return template.render(
        RuleData(
            labels=data["labels"],
            value=_value(data),
            external_labels=data["external_labels"],
            external_url=data["external_url"],
            query=_query(case),
            now_ms=case["now_ms"],
        )
    )


def _time(text: str) -> Time:
    """An RFC 3339 time, or `@now-90m5s`."""
    if text.startswith("@now-"):
        parts = re.findall(r"(\d+)([hms])", text)
        return Time((NOW_MS - sum(int(count) * UNITS[unit] for count, unit in parts)) * 1_000_000)
    return parse_time("2006-01-02T15:04:05Z07:00", text)


def _alert(found: Mapping[str, Any], start: str | None) -> Alert:
    start = start or found.get("startsAt")
    times = tuple(_time(text) if text else Time(ZERO_NS) for text in (start, found.get("endsAt")))
    return alert_of(
        found["status"],
        found.get("labels"),
        found.get("annotations"),
        (times[0], times[1]),
        generator_url=found.get("generatorURL", ""),
        fingerprint=found.get("fingerprint", ""),
    )


def _notification(case: Case) -> str:
    data = dict(case["data"] or {})
    if "dot" in data:
        dot = _dot(data)
    else:
        starts = [case.get("starts_at_0")] + [None] * len(data.get("alerts", []))
        alerts = [_alert(found, start) for found, start in zip(data.pop("alerts", []), starts, strict=False)]
        dot = data_of(alerts, **data)
    rendered = bool(case.get("route_labels_rendered"))
    try:
        template = NotificationTemplate(case["text"], definitions=DEFINITIONS, html=case["html"])
        return template.render(dot, now_ms=NOW_MS, labels_rendered=rendered)
    except TemplateError as error:
        return str(error)


def _payload(case: Case) -> Any:
    suffix = "-templated" if "append" in case["template_func"] else ""
    value = case["data"]["input"]
    for key in case["data"].get("int_keys", []):
        value[int(key)] = value.pop(key)
    return render_payload(value, lambda text: text + suffix)


def got(case: Case) -> Any:
    if case["kind"] == "alertmanager":
        return _payload(case) if case.get("mode") == "deepcopy" else _notification(case)
    return _expand(case) if case["mode"] == "expand" else _rule(case)


def expected(case: Case) -> Any:
    """The text or the error; where any error will do, the one that was seen."""
    keys = ("observed_error", "expected_text", "expected_load_error", "expected_error", "expected")
    return next((case[key] for key in keys if case.get(key) is not None), None)
