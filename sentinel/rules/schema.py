"""Rule files: as they are written (`RuleFile`, `PrometheusRule`), and checked and parsed (`RuleGroup`)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from sentinel import plugins
from sentinel.model import Duration
from sentinel.promql import Expr
from sentinel.template import RuleData, RuleTemplate

NONE = Duration(0)


NoDataPolicy = Literal["ok", "alert", "keep_last"]
"""An alert without data is over, as in Prometheus; or it is, and an alert says that there is no data at all;
or it stays as it was."""


class Flap(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an alert counts as flapping: it fired or resolved `changes` times `within` a while; and for how
    long its condition must then be over before it resolves."""

    changes: int
    within: Duration
    hold: Duration


class RuleEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule as written. The keys up to `annotations` are Prometheus's, the others ours."""

    record: str = ""
    alert: str = ""
    expr: str = ""
    for_: Duration = msgspec.field(default=NONE, name="for")
    keep_firing_for: Duration = NONE
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    resolve_expr: str = ""
    no_data: NoDataPolicy = "ok"
    flap: Flap | None = None
    detector: str = ""
    with_: dict[str, Any] | None = msgspec.field(default=None, name="with")

    @property
    def name(self) -> str:
        return self.alert or self.record


class GroupEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule group as written. `on_arrival` is ours."""

    name: str = ""
    interval: Duration = NONE
    query_offset: Duration = NONE
    limit: int = 0
    labels: dict[str, str] = {}
    rules: list[RuleEntry] = []
    on_arrival: bool = False


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Prometheus rule file."""

    groups: list[GroupEntry] = []


class ManifestGroup(GroupEntry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of a PrometheusRule object, which may carry a setting for Thanos."""

    partial_response_strategy: str = ""


class ManifestSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    groups: list[ManifestGroup] = []


class PrometheusRule(msgspec.Struct, frozen=True, kw_only=True):
    """The Kubernetes object that wraps a rule file in `spec`."""

    kind: Literal["PrometheusRule"]
    spec: ManifestSpec = ManifestSpec()


class RuleText(msgspec.Struct, frozen=True):
    """A label or annotation, ready to render. Recording rules fill nothing in: theirs have no `template`."""

    text: str
    """As written."""
    template: RuleTemplate | None = None

    @property
    def constant(self) -> str | None:
        """The result, where nothing needs to be filled in."""
        return self.text if self.template is None else self.template.constant

    def render(self, data: RuleData) -> str:
        """Never fails: what goes wrong becomes the text."""
        return self.text if self.template is None else self.template.render(data)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One checked rule. Either `record` or `alert` is set; `detector` only beside `record`, and
    `resolve_expr`, `no_data` and `flap` only beside `alert`.

    `labels` hold the group's labels, with the rule's own laid over. `expr` is parsed from `text`.
    `options` are the detector's settings, its `Config`.
    """

    record: str = ""
    alert: str = ""
    expr: Expr
    text: str
    labels: dict[str, RuleText]
    annotations: dict[str, RuleText]
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    resolve_expr: Expr | None = None
    no_data: NoDataPolicy = "ok"
    flap: Flap | None = None
    detector: str = ""
    options: Any = None
    file: str
    line: int
    column: int

    @property
    def name(self) -> str:
        return self.alert or self.record

    def static_labels(self) -> dict[str, str]:
        """Labels as written, as recording rules want them."""
        return {name: template.text for name, template in self.labels.items()}

    def make_detector(self) -> Any:
        """A fresh `Detector` with this rule's settings."""
        return plugins.load("detectors", self.detector)(self.options)


class RuleGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Rules evaluated together, in order. `interval_ms` 0 is the configuration's `evaluation_interval`."""

    name: str
    file: str
    line: int
    interval_ms: int = 0
    query_offset_ms: int = 0
    limit: int = 0
    on_arrival: bool = False
    rules: tuple[Rule, ...] = ()

    @property
    def key(self) -> str:
        """Unique among all groups that are loaded."""
        return f"{self.file};{self.name}"
