"""Templates of notifications: named definitions from files, and texts that call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sentinel.template.execute import Execution
from sentinel.template.functions.alertmanager import NAMES, notification_functions
from sentinel.template.limits import CallError
from sentinel.template.nodes import Tree
from sentinel.template.notification_data import KV
from sentinel.template.parse import parse

_TEXT_NAME: Final = ""


class Definitions:
    """The `{{ define }}`d templates of several files; a later file redefines what an earlier one has."""

    def __init__(self, files: Mapping[str, str]) -> None:
        """`files` maps names to texts. Raises TemplateError(load=True)."""
        self.trees: dict[str, Tree] = {}
        for name, text in files.items():
            found = parse(text, name=name, functions=NAMES)
            self.trees |= {key: tree for key, tree in found.items() if not (tree.empty and key in self.trees)}


class NotificationTemplate:
    """One text of a receiver, parsed once.

    With `html` values are escaped for element content; attributes, scripts and URLs are the author's to
    write literally.
    """

    def __init__(self, text: str, *, definitions: Definitions | None = None, html: bool = False) -> None:
        """Raises TemplateError(load=True)."""
        known = definitions.trees if definitions else {}
        self._trees = {**known, **parse(text, name=_TEXT_NAME, functions=NAMES)}
        self._html = html

    def render(self, data: Any, *, now_ms: int, labels_rendered: bool = False) -> str:
        """`data` is a `notification_data.Data`. Raises TemplateError: the notification fails for good then.

        `labels_rendered` says that the route's labels are texts already, not templates.
        """
        execution = Execution(self._trees, {}, html=self._html)
        labels = _RouteLabels(execution, data, rendered=labels_rendered)
        execution.functions = notification_functions(now_ms, labels.text)
        return execution.render(_TEXT_NAME, data)


class _RouteLabels:
    """The labels of a route are templates themselves and may call one another."""

    def __init__(self, execution: Execution, data: Any, *, rendered: bool) -> None:
        self._execution, self._data, self._rendered = execution, data, rendered
        self._open: list[str] = []

    def text(self, name: str) -> str:
        """Raises CallError if a label needs itself, TemplateError if it fails."""
        labels: KV = self._data.values["RouteLabels"]
        if name in self._open:
            raise CallError(f"route label cycle detected: {' -> '.join([*self._open, name])}")
        if self._rendered or name not in labels:
            return labels.get(name, "")
        self._open.append(name)
        tree = parse(labels[name], name=_TEXT_NAME, functions=NAMES)[_TEXT_NAME]
        text = self._execution.capture(tree, self._data)
        self._open.pop()
        return text
