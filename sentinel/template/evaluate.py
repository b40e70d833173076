"""Evaluates expressions: pipelines, commands, fields, function calls.

The evaluator remembers the node it is at, as Go's does: error texts name it and its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from sentinel.errors import TemplateError
from sentinel.template import nodes
from sentinel.template.goquote import quote
from sentinel.template.limits import MAX_DEPTH, MAX_STEPS, TEXT_PER_STEP, CallError
from sentinel.template.signature import Arguments, accept, constant, literal
from sentinel.template.values import MISSING, NO_VALUE, Function, Record, method, type_name, zero_of

_NONE: Final = Arguments()


class Evaluator:
    """One rendering. Variables are a stack that blocks cut back; steps and depth are bounded.

    A CallError out of any method here means a fault at `node`; `Execution` words it as Go does.
    """

    def __init__(self, functions: Mapping[str, Function], *, strict: bool) -> None:
        self.functions, self.strict = functions, strict
        self.steps, self.depth = MAX_STEPS, 0
        self.node: nodes.Placed | None = None
        self.variables: list[tuple[str, Any]] = []
        self._dynamic: dict[type, Callable[[Any, Any, Arguments], Any]] = {
            nodes.Field: self._field,
            nodes.Variable: self._variable,
            nodes.Chain: self._chain,
            nodes.Identifier: self._function,
            nodes.Pipe: self._parenthesized,
        }

    def fault(self, message: str) -> TemplateError:
        """The error for `message` at the current node."""
        raise NotImplementedError

    def spend(self, steps: int = 1) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise self.fault(f"more than {MAX_STEPS} steps")

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fault(f"exceeded maximum template depth ({MAX_DEPTH})")

    def leave(self) -> None:
        self.depth -= 1

    def pipeline(self, dot: Any, pipe: nodes.Pipe) -> Any:
        """Each command's value is the last argument of the next one."""
        self.node = pipe
        self.enter()
        value: Any = MISSING
        for command in pipe.commands:
            value = self._command(dot, command, value)
            if value is None:
                value = NO_VALUE
        for name in pipe.variables:
            if pipe.assigns:
                self.assign(name, value)
            else:
                self.variables.append((name, value))
        self.leave()
        return value

    def assign(self, name: str, value: Any) -> None:
        for index in reversed(range(len(self.variables))):
            if self.variables[index][0] == name:
                self.variables[index] = (name, value)
                return
        raise self.fault(f"undefined variable: {name}")

    def _command(self, dot: Any, command: nodes.Command, final: Any) -> Any:
        self.spend()
        first, *rest = command.operands
        arguments = Arguments(tuple(rest), final)
        if isinstance(first, nodes.Identifier):
            self.node = first
            return self._call(self.functions[first.name], first.name, dot, arguments, command)
        evaluate = self._dynamic.get(type(first))
        if evaluate is not None:
            return evaluate(dot, first, arguments)
        self.node = first
        self._refuse_arguments(first, arguments)
        if isinstance(first, nodes.Nil):
            raise self.fault("nil is not a command")
        return dot if isinstance(first, nodes.Dot) else self._checked(constant, first)

    def _argument(self, dot: Any, wanted: str, operand: nodes.Operand) -> Any:
        """One argument, of the type a parameter wants."""
        self.node = operand
        evaluate = self._dynamic.get(type(operand))
        if evaluate is not None:
            return self._checked(accept, evaluate(dot, operand, _NONE), wanted)
        if isinstance(operand, nodes.Dot):
            return self._checked(accept, dot, wanted)
        return self._checked(literal, operand, wanted)

    def _checked(self, check: Callable[..., Any], *arguments: Any) -> Any:
        """What `check` gives; what it objects to is a fault at the current node."""
        try:
            return check(*arguments)
        except CallError as error:
            raise self.fault(str(error)) from None

    def _refuse_arguments(self, operand: nodes.Operand, arguments: Arguments) -> None:
        if arguments.number:
            raise self.fault(f"can't give argument to non-function {operand}")

    def _parenthesized(self, dot: Any, pipe: nodes.Pipe, arguments: Arguments) -> Any:
        self._refuse_arguments(pipe, arguments)
        return self.pipeline(dot, pipe)

    def _function(self, dot: Any, name: nodes.Identifier, arguments: Arguments) -> Any:
        return self._call(self.functions[name.name], name.name, dot, arguments, name)

    def _field(self, dot: Any, field: nodes.Field, arguments: Arguments) -> Any:
        self.node = field
        return self._members(dot, dot, field.names, arguments, field)

    def _variable(self, dot: Any, variable: nodes.Variable, arguments: Arguments) -> Any:
        self.node = variable
        value = self._value_of(variable.name)
        if variable.fields:
            return self._members(dot, value, variable.fields, arguments, variable)
        self._refuse_arguments(variable, arguments)
        return value

    def _value_of(self, name: str) -> Any:
        for known, value in reversed(self.variables):
            if known == name:
                return value
        raise self.fault(f"undefined variable: {name}")

    def _chain(self, dot: Any, chain: nodes.Chain, arguments: Arguments) -> Any:
        self.node = chain
        if isinstance(chain.node, nodes.Nil):
            raise self.fault(f"indirection through explicit nil in {chain}")
        receiver = self._argument(dot, "value", chain.node)
        return self._members(dot, receiver, chain.fields, arguments, chain)

    def _members(
        self, dot: Any, receiver: Any, names: tuple[str, ...], arguments: Arguments, at: nodes.Placed
    ) -> Any:
        """`.a.b.c` of a value; the arguments go to the last."""
        for name in names[:-1]:
            receiver = self._member(dot, receiver, name, _NONE, at)
        return self._member(dot, receiver, names[-1], arguments, at)

    def _member(self, dot: Any, receiver: Any, name: str, arguments: Arguments, at: nodes.Placed) -> Any:
        """A method, a field of a struct or an entry of a map."""
        if receiver is NO_VALUE:
            if self.strict:
                raise self.fault(f"nil data; no entry for key {quote(name)}")
            return NO_VALUE
        if receiver is None:
            raise self.fault(f"nil pointer evaluating interface {{}}.{name}")
        found = method(receiver, name)
        if found is not None:
            bound = found._replace(call=partial(found.call, receiver))
            return self._call(bound, name, dot, arguments, at)
        if isinstance(receiver, Record) and name in receiver.values:
            if arguments.number:
                raise self.fault(f"{name} has arguments but cannot be invoked as function")
            return receiver.values[name]
        if not isinstance(receiver, dict):
            raise self.fault(f"can't evaluate field {name} in type {type_name(receiver)}")
        if arguments.number:
            raise self.fault(f"{name} is not a method but has arguments")
        if self.strict and name not in receiver:
            raise self.fault(f"map has no entry for key {quote(name)}")
        return receiver.get(name, zero_of(receiver))

    def _call(self, target: Function, name: str, dot: Any, arguments: Arguments, at: nodes.Placed) -> Any:
        """Evaluates and checks the arguments, then calls."""
        types = self._checked(arguments.types, target, name)
        values: Any = self._lazily(dot, types, arguments)
        if target.lazy:
            return target.call(values)
        values = list(values)
        self.spend(1 + sum(len(value) for value in values if isinstance(value, str)) // TEXT_PER_STEP)
        try:
            result = target.call(*values)
        except (CallError, TemplateError) as error:
            self.node = at
            raise self.fault(f"error calling {name}: {error}") from None
        if isinstance(result, str):
            self.spend(len(result) // TEXT_PER_STEP)
        return result

    def _lazily(self, dot: Any, types: tuple[str, ...], arguments: Arguments) -> Iterator[Any]:
        for wanted, operand in zip(types, arguments.operands, strict=False):
            yield self._argument(dot, wanted, operand)
        if arguments.final is not MISSING:
            yield self._checked(accept, arguments.final, types[-1])
