"""Templates of rules: annotations and labels, parsed once when the rules are loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from sentinel.errors import TemplateError
from sentinel.template.execute import Execution
from sentinel.template.functions.prometheus import NAMES, Answer, rule_functions
from sentinel.template.nodes import Text, Tree
from sentinel.template.parse import parse
from sentinel.template.values import Record, StringMap

_VARIABLES: Final = {
    "$labels": "Labels",
    "$externalLabels": "ExternalLabels",
    "$externalURL": "ExternalURL",
    "$value": "Value",
}
_PREFIX: Final = "".join(f"{{{{{name} := .{field}}}}}" for name, field in _VARIABLES.items())
"""Prometheus puts it in front of every text; columns in error texts count it."""
_GO_TYPE: Final = (
    "struct { Labels map[string]string; ExternalLabels map[string]string; "
    "ExternalURL string; Value interface {} }"
)


class RuleData(NamedTuple):
    """What a rule's template sees of one alert. `query` is called only by templates that use it."""

    labels: Mapping[str, str]
    value: Any
    external_labels: Mapping[str, str] = {}
    external_url: str = ""
    query: Callable[[str], Answer] | None = None
    now_ms: int = 0


class RuleTemplate:
    """One annotation or label of an alerting rule.

    `constant` is the whole text if no action is in it: rendering it is free.
    """

    __slots__ = ("_name", "_trees", "constant")

    def __init__(self, text: str, *, alertname: str) -> None:
        """Raises TemplateError(load=True) with Prometheus's message for what it would refuse to load."""
        self._name = f"__alert_{alertname}"
        self._trees: dict[str, Tree] = {}
        self.constant: str | None = text
        if "{{" not in text:
            return
        self._trees = parse(_PREFIX + text, name=self._name, functions=NAMES)
        main = self._trees[self._name]
        body = main.body[len(_VARIABLES) :]  # the prefix: `render` sets its variables itself
        self._trees[self._name] = main._replace(body=body)
        texts = [node.text for node in body if isinstance(node, Text)]
        self.constant = "".join(texts) if len(texts) == len(body) else None

    def render(self, data: RuleData) -> str:
        """Never fails: what goes wrong becomes the text, and the alert fires all the same."""
        if self.constant is not None:
            return self.constant
        dot = Record(
            _GO_TYPE,
            {
                "Labels": StringMap(data.labels),
                "ExternalLabels": StringMap(data.external_labels),
                "ExternalURL": data.external_url,
                "Value": data.value,
            },
        )
        variables = [(name, dot.values[field]) for name, field in _VARIABLES.items()]
        functions = rule_functions(data.query, data.now_ms, data.external_url)
        try:
            return Execution(self._trees, functions).render(self._name, dot, variables)
        except TemplateError as error:
            return f"<error expanding template: error executing template {self._name}: {error}>"
