"""Runs a parsed template: writes text, follows if, with, range and template calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sentinel.errors import TemplateError
from sentinel.template import nodes
from sentinel.template.evaluate import Evaluator
from sentinel.template.gofmt import sprint
from sentinel.template.goquote import quote
from sentinel.template.limits import MAX_DEPTH, CallError, Text
from sentinel.template.values import NO_VALUE, Function, SafeHtml, kind, truth

_HTML: Final = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "+": "&#43;"}
)


class Execution(Evaluator):
    """One rendering of a set of templates.

    `strict` makes a missing key an error; `html` escapes values for element content (not for attributes,
    scripts or URLs).
    """

    def __init__(
        self,
        trees: Mapping[str, nodes.Tree],
        functions: Mapping[str, Function],
        *,
        strict: bool = False,
        html: bool = False,
    ) -> None:
        super().__init__(functions, strict=strict)
        self.trees, self.html = trees, html
        self.tree: nodes.Tree | None = None
        self.out = Text()

    def render(self, name: str, dot: Any, variables: Iterable[tuple[str, Any]] = ()) -> str:
        """The text of template `name` for `dot`. Raises TemplateError with Go's message."""
        try:
            self.variables = [("$", dot), *variables]
            self.tree = self.trees[name]
            self._body(dot, self.tree.body)
        except CallError as error:
            raise self.fault(str(error)) from None
        except RecursionError:
            raise self.fault(f"exceeded maximum template depth ({MAX_DEPTH})") from None
        return str(self.out)

    def capture(self, tree: nodes.Tree, dot: Any) -> str:
        """The text of one more template inside this rendering: its costs count together."""
        out, node, self.out = self.out, self.node, Text()
        self._template(tree, dot)
        text, self.out, self.node = str(self.out), out, node
        return text

    def include(self, name: str, dot: Any) -> SafeHtml:
        """`tmpl`: the text of the template that a value names."""
        tree = self.trees.get(name)
        if tree is None:
            raise CallError(f"template {quote(name)} not defined")
        return SafeHtml(self.capture(tree, NO_VALUE if dot is None else dot))

    def fault(self, message: str) -> TemplateError:
        assert self.tree is not None
        if self.node is None:
            return TemplateError(f"template: {self.tree.name}: {message}")
        place, name = self.tree.place(self.node.pos), quote(self.tree.name)
        return TemplateError(f"template: {place}: executing {name} at <{self.node}>: {message}")

    def _body(self, dot: Any, body: nodes.Body) -> str:
        """Runs nodes in order; a `break` or `continue` ends it and is told to the loop around."""
        self.enter()
        jump = ""
        for node in body:
            self.spend()
            if isinstance(node, nodes.Text):
                self.out.write(node.text)
            elif isinstance(node, nodes.Action):
                self._action(dot, node)
            elif isinstance(node, nodes.Branch):
                jump = self._range(dot, node) if node.keyword == "range" else self._if_or_with(dot, node)
            elif isinstance(node, nodes.Call):
                self._call_template(dot, node)
            else:
                jump = node.keyword
            if jump:
                break
        self.leave()
        return jump

    def _action(self, dot: Any, action: nodes.Action) -> None:
        self.node = action
        value = self.pipeline(dot, action.pipe)
        if action.pipe.variables:
            return
        self.node = action
        if value is NO_VALUE:
            self.out.write("" if self.html else "<no value>")
        else:
            text = value if isinstance(value, str) else sprint([value])
            escape = self.html and not isinstance(value, SafeHtml)
            self.out.write(text.translate(_HTML) if escape else text)

    def _if_or_with(self, dot: Any, branch: nodes.Branch) -> str:
        scope = len(self.variables)
        value = self.pipeline(dot, branch.pipe)
        jump = ""
        if truth(value):
            jump = self._body(value if branch.keyword == "with" else dot, branch.body)
        elif branch.otherwise is not None:
            jump = self._body(dot, branch.otherwise)
        del self.variables[scope:]
        return jump

    def _range(self, dot: Any, branch: nodes.Branch) -> str:
        scope = len(self.variables)
        jump, empty = "", True
        items = self._items(self.pipeline(dot, branch.pipe), len(branch.pipe.variables))
        inner = len(self.variables)
        for index, element in items:
            empty = False
            self.spend()
            self._set_loop_variables(branch.pipe, index, element)
            jump = self._body(element, branch.body)
            del self.variables[inner:]
            if jump == "break":
                break
        jump = ""
        if empty and branch.otherwise is not None:
            jump = self._body(dot, branch.otherwise)
        del self.variables[scope:]
        return jump

    def _items(self, value: Any, variables: int) -> Iterable[tuple[Any, Any]]:
        """Index and element of each round; maps go in the order of their keys."""
        match kind(value):
            case "slice":
                return enumerate(value)
            case "map":
                self.spend(len(value))
                return sorted(value.items(), key=lambda item: item[0])
            case "int" | "uint":
                if variables > 1:
                    raise self.fault(f"can't use {value} to iterate over more than one variable")
                return ((NO_VALUE, number) for number in range(value))
            case "invalid" | "nil":
                return ()
        raise self.fault(f"range can't iterate over {sprint([value])}")

    def _set_loop_variables(self, pipe: nodes.Pipe, index: Any, element: Any) -> None:
        """One variable is the element; of two, the first is the index."""
        values = (index, element) if len(pipe.variables) > 1 else (element,)
        for offset, (name, value) in enumerate(zip(pipe.variables, values, strict=False)):
            if pipe.assigns:
                self.assign(name, value)
            else:
                self.variables[len(self.variables) - len(pipe.variables) + offset] = (name, value)

    def _call_template(self, dot: Any, call: nodes.Call) -> None:
        self.node = call
        tree = self.trees.get(call.name)
        if tree is None:
            raise self.fault(f"template {quote(call.name)} not defined")
        data = NO_VALUE if call.pipe is None else self.pipeline(dot, call.pipe)
        self._template(tree, data)

    def _template(self, tree: nodes.Tree, dot: Any) -> None:
        """Runs another template; it sees none of the caller's variables."""
        saved = self.tree, self.variables
        self.tree, self.variables = tree, [("$", dot)]
        self._body(dot, tree.body)
        self.tree, self.variables = saved
