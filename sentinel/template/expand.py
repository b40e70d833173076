"""Expands any text with any functions: what rules and notifications are special cases of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinel.template.execute import Execution
from sentinel.template.parse import parse
from sentinel.template.values import Function, function


def expand(
    text: str,
    data: Any,
    functions: Mapping[str, Function],
    *,
    name: str = "",
    strict: bool = False,
    html: bool = False,
) -> str:
    """The text rendered for `data`, a value as `values.py` has them.

    `strict` makes a missing key an error. `html` escapes values for element content and adds `tmpl`, which
    calls a template by a computed name. Raises TemplateError, with `load` if the text does not parse.
    """
    names = {*functions, "tmpl"} if html else functions.keys()
    execution = Execution(parse(text, name=name, functions=names), functions, strict=strict, html=html)
    if html:
        execution.functions = {**functions, "tmpl": function(execution.include, "string", "any")}
    return execution.render(name, data)
