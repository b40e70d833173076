"""Rule files to rule groups: everything wrong with a file at once, each mistake where it stands.

What is refused is what Prometheus refuses (`rulefmt`); beyond it, detectors and their arguments are checked.
Kubernetes manifests are read too: all their PrometheusRule objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sentinel import plugins
from sentinel.documents import Place, Positions, compose, read_node, read_text, reread
from sentinel.documents.wording import advice
from sentinel.errors import ConfigError, ConfigErrors, QueryError, RuleError, TemplateError
from sentinel.promql import Expr, ast, parse
from sentinel.rules.schema import (
    GroupEntry,
    PrometheusRule,
    Rule,
    RuleEntry,
    RuleFile,
    RuleGroup,
    RuleText,
)
from sentinel.template import RuleTemplate

__all__ = ["Rule", "RuleGroup", "RuleText", "load_rules", "parse_rules"]

_IN_EXPRESSION = re.compile(r"^\d+:\d+: ")
"""Where in the expression: said better by the place in the file."""
NOT_BESIDE_RECORD = ("for", "keep_firing_for", "annotations", "resolve_expr", "no_data", "flap")
ABSENCE = frozenset(("absent", "absent_over_time"))
"""Functions that give something because there is no data: with them a rule is its own `no_data`."""


def load_rules(path: str | Path, file: str = "", *, strict: bool = True) -> list[RuleGroup]:
    """The groups of one file. `file` is the name they go by, if it is to differ from `path`.

    If not `strict`, unknown keys are passed over.
    Raises ConfigErrors with a RuleError for each mistake, in the order of the file.
    """
    try:
        text = read_text(path)
    except ConfigError as error:
        raise ConfigErrors([_as_rule_error(error)]) from None
    return parse_rules(text, str(path), file, strict=strict)


def parse_rules(text: str, path: str, file: str = "", *, strict: bool = True) -> list[RuleGroup]:
    """As `load_rules`, of the text of a file. An empty text has no groups."""
    loader = _Loader(path, text, file or path, strict)
    groups = loader.groups()
    if loader.errors:
        raise ConfigErrors(sorted(loader.errors, key=lambda error: (error.line, error.column)))
    return groups


def _as_rule_error(error: ConfigError) -> RuleError:
    return RuleError(error.message, path=error.path, line=error.line, column=error.column, hint=error.hint)


class _Loader:
    """One file on its way: what is loaded, and the errors so far."""

    def __init__(self, path: str, text: str, file: str, strict: bool) -> None:
        self.errors: list[RuleError] = []
        self._path, self._text, self._file, self._strict = path, text, file, strict
        self._names: set[str] = set()
        self._positions: Positions

    def groups(self) -> list[RuleGroup]:
        try:
            return [self._group(entry) for entry in self._entries()]
        except ConfigError as error:
            self.errors.append(_as_rule_error(error))
            return []

    def _entries(self) -> Iterator[GroupEntry]:
        """Of a rule file, the groups of its first document; of a manifest, those of every PrometheusRule."""
        documents = compose(self._path, self._text)
        first = next(documents, None)
        if first is None:
            return
        if not _key(first, "kind"):
            yield from getattr(self._read(first, RuleFile), "groups", ())
            return
        found = [node for node in (first, *documents) if _key(node, "kind") == "PrometheusRule"]
        if not found:
            hint = "of Kubernetes manifests, only those of kind PrometheusRule hold rules"
            raise ConfigError(
                "no PrometheusRule in this manifest", path=self._path, line=1, column=1, hint=hint
            )
        for node in found:
            manifest = self._read(node, PrometheusRule)
            yield from manifest.spec.groups if manifest else ()

    def _read(self, node: yaml.Node, struct: type[Any]) -> Any:
        found = read_node(self._path, self._text, node, struct, strict=self._strict)
        value, self._positions, errors = found
        self.errors.extend(map(_as_rule_error, errors))
        return value

    def _group(self, entry: GroupEntry) -> RuleGroup:
        if not entry.name:
            self._refuse("a group needs a name", entry, self._positions.of(entry, "name"))
        elif entry.name in self._names:
            message = f"group name {entry.name!r} is repeated in the same file"
            self._refuse(message, entry, self._positions.of(entry, "name"))
        self._names.add(entry.name)
        self._check_names("label", entry, entry.labels)
        rules = [self._rule(rule, entry.labels) for rule in entry.rules]
        return RuleGroup(
            name=entry.name,
            file=self._file,
            line=self._positions.of(entry).line,
            interval_ms=int(entry.interval),
            query_offset_ms=int(entry.query_offset),
            limit=entry.limit,
            on_arrival=entry.on_arrival,
            rules=tuple(rule for rule in rules if rule is not None),
        )

    def _rule(self, entry: RuleEntry, group_labels: Mapping[str, str]) -> Rule | None:
        """None if the rule is refused."""
        before = len(self.errors)
        self._check_shape(entry)
        self._check_names("label", entry, entry.labels)
        self._check_names("annotation", entry, entry.annotations)
        expr = self._expression(entry, "expr", entry.expr)
        resolve_expr = self._expression(entry, "resolve_expr", entry.resolve_expr)
        self._check_keeping(entry, expr, resolve_expr)
        labels = self._templates("labels", entry, {**group_labels, **entry.labels})
        annotations = self._templates("annotations", entry, entry.annotations)
        options = self._options(entry) if entry.detector else None
        if expr is None or len(self.errors) > before:
            return None
        line, column = self._positions.of(entry)
        return Rule(
            record=entry.record,
            alert=entry.alert,
            expr=expr,
            text=entry.expr,
            labels=labels,
            annotations=annotations,
            for_ms=int(entry.for_),
            keep_firing_for_ms=int(entry.keep_firing_for),
            resolve_expr=resolve_expr,
            no_data=entry.no_data,
            flap=entry.flap,
            detector=entry.detector,
            options=options,
            file=self._path,
            line=line,
            column=column,
        )

    def _check_shape(self, entry: RuleEntry) -> None:
        """Which keys go together."""
        if entry.record and entry.alert:
            self._refuse("only one of 'record' and 'alert' must be set", entry)
        elif not entry.name and self._positions.is_whole(entry):
            self._refuse("one of 'record' or 'alert' must be set", entry)
        if not entry.expr and self._positions.is_whole(entry):
            self._refuse("field 'expr' must be set in rule", entry)
        if entry.record:
            told = (entry.for_, entry.keep_firing_for, entry.annotations)
            own = (entry.resolve_expr, entry.no_data != "ok", entry.flap)
            for key, value in zip(NOT_BESIDE_RECORD, (*told, *own), strict=True):
                if value:
                    place = self._positions.key(entry, key)
                    self._refuse(f"invalid field {key!r} in recording rule", entry, place)
            if "{" in entry.record or "}" in entry.record:
                message = f"braces present in the recording rule name {entry.record!r}"
                place = self._positions.of(entry, "record")
                self._refuse(message, entry, place, hint="should it be in expr?")
        if entry.with_ is not None and not entry.detector:
            place = self._positions.key(entry, "with")
            self._refuse("'with' holds a detector's arguments, but no detector is named", entry, place)

    def _check_names(self, what: str, entry: RuleEntry | GroupEntry, names: Mapping[str, str]) -> None:
        """Any text but none is a name, since Prometheus 3; `__name__` is no label to be set."""
        for name in names:
            if not name or (what == "label" and name == "__name__"):
                place = self._positions.key(entry, f"{what}s", name)
                self._refuse(f"invalid {what} name: {name!r}", entry, place)

    def _check_keeping(self, entry: RuleEntry, expr: Expr | None, resolve_expr: Expr | None) -> None:
        """What keeps an alert firing: keys of our own."""
        if resolve_expr is not None and resolve_expr.kind != "instant vector":
            message = f"'resolve_expr' must give an instant vector, not a {resolve_expr.kind}"
            self._refuse(message, entry, self._positions.of(entry, "resolve_expr"))
        if entry.no_data != "ok" and expr is not None and _says_absence(expr):
            message = f"'no_data: {entry.no_data}' beside absent(): the expression says itself what is absent"
            self._refuse(message, entry, self._positions.of(entry, "no_data"))
        if entry.flap is not None:
            for key in ("changes", "within", "hold"):
                if getattr(entry.flap, key) <= 0:
                    place = self._positions.of(entry.flap, key)
                    self._refuse(f"'{key}' must be more than 0", entry, place)

    def _expression(self, entry: RuleEntry, key: str, text: str) -> Expr | None:
        """None: there is none, or it is refused."""
        if not text:
            return None
        try:
            return parse(text)
        except QueryError as error:
            place = self._positions.inside(entry, key, offset=error.position)
            message = _IN_EXPRESSION.sub("", error.message)
            self._refuse(f"could not parse expression: {message}", entry, place)
            return None

    def _templates(self, key: str, entry: RuleEntry, texts: Mapping[str, str]) -> dict[str, RuleText]:
        if entry.record:
            return {name: RuleText(text) for name, text in texts.items()}
        templates: dict[str, RuleText] = {}
        for name, text in texts.items():
            try:
                templates[name] = RuleText(text, RuleTemplate(text, alertname=entry.alert))
            except TemplateError as error:
                place = self._positions.of(entry, key, name)
                self._refuse(f"{key.removesuffix('s')} {name!r}: {error.message}", entry, place)
        return templates

    def _options(self, entry: RuleEntry) -> msgspec.Struct | None:
        """The detector's arguments as its `Config`."""
        place = self._positions.of(entry, "detector")
        known = plugins.names("detectors")
        if not entry.record:
            self._refuse("a detector writes series: it goes beside 'record'", entry, place)
        if entry.detector not in known:
            hint = advice(entry.detector, known)
            self._refuse(f"unknown detector {entry.detector!r}", entry, place, hint=hint)
            return None
        try:
            detector = plugins.load("detectors", entry.detector)
        except ImportError as error:
            self._refuse(f"detector {entry.detector!r} cannot be loaded: {error}", entry, place)
            return None
        options, errors = reread(self._positions, entry, "with", detector.Config)
        for each in errors:
            self._refuse(each.message, entry, Place(each.line, each.column), hint=each.hint)
        return options

    def _refuse(
        self, message: str, entry: RuleEntry | GroupEntry, place: Place | None = None, hint: str = ""
    ) -> None:
        line, column = place or self._positions.of(entry)
        name = entry.name if isinstance(entry, RuleEntry) else ""
        self.errors.append(
            RuleError(message, path=self._path, line=line, column=column, rule=name, hint=hint)
        )


def _says_absence(expr: Expr) -> bool:
    return any(isinstance(node, ast.Call) and node.function in ABSENCE for node in ast.walk(expr))


def _key(node: yaml.Node, name: str) -> str:
    """The text under a key of a mapping, or nothing."""
    pairs: Sequence[tuple[yaml.Node, yaml.Node]] = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((str(value.value) for key, value in pairs if key.value == name), "")
