"""Go's print functions: `%v` of any value, and how each kind of value answers each verb.

`printf.py` reads the format string.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sentinel.template.gonumber import Spec, format_float, format_integer
from sentinel.template.goquote import can_backquote, describe, quote
from sentinel.template.limits import Text
from sentinel.template.values import Record, is_basic, kind, method, type_name, utf8

_STRING_VERBS: Final = "vsqxX"


def sprint(values: Sequence[Any]) -> str:
    """As `print`: spaces only between two values neither of which is a string."""
    out = Text()
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            out.write(" ")
        Printer(out, Spec()).show(value, "v")
    return str(out)


def sprintln(values: Sequence[Any]) -> str:
    out = Text()
    for index, value in enumerate(values):
        out.write(" " if index else "")
        Printer(out, Spec()).show(value, "v")
    out.write("\n")
    return str(out)


class Printer:
    """Writes values under one verb's flags."""

    def __init__(self, out: Text, spec: Spec) -> None:
        self.out, self.spec = out, spec

    def show(self, value: Any, verb: str, *, faulty: bool = False) -> None:
        """`faulty` is the rendering inside a bad-verb text: methods are not asked then."""
        if verb == "T":
            self.out.write(self.spec.pad("<nil>" if kind(value) in ("nil", "invalid") else type_name(value)))
            return
        text_method = None if faulty or is_basic(value) else method(value, "String")
        if text_method is not None and verb in _STRING_VERBS:
            value = text_method.call(value)
        family = kind(value)
        if family in ("nil", "invalid"):
            self._nil(value, verb)
        elif family in ("slice", "map", "struct"):
            self._container(value, verb, family)
        else:
            text = self._scalar(value, verb, family)
            if text is None:
                self._bad_verb(value, verb)
            else:
                self.out.write(text)

    def _nil(self, value: Any, verb: str) -> None:
        self.out.write(self.spec.pad("<nil>") if verb == "v" else f"%!{verb}(<nil>)")

    def _bad_verb(self, value: Any, verb: str) -> None:
        self.out.write(f"%!{verb}({type_name(value)}=")
        self.show(value, "v", faulty=True)
        self.out.write(")")

    def _container(self, value: Any, verb: str, family: str) -> None:
        literal = verb == "v" and self.spec.go_syntax
        if literal:
            opening, closing, between = type_name(value) + "{", "}", ", "
        else:
            opening, closing = {"slice": "[]", "map": ("map[", "]"), "struct": "{}"}[family]
            between = " "
        self.out.write(opening)
        for index, (name, item) in enumerate(_parts(value, family)):
            self.out.write(between if index else "")
            if family == "map":
                self.show(name, verb)
            elif family == "struct" and (literal or (verb == "v" and self.spec.plus)):
                self.out.write(name)
            self.out.write(":" if family == "map" or (family == "struct" and self.spec.plus) else "")
            self.show(item, verb)
        self.out.write(closing)

    def _scalar(self, value: Any, verb: str, family: str) -> str | None:
        """The text of a basic value, None if the verb is not for its kind."""
        spec = self.spec
        if family == "string":
            return self._string(value, verb)
        if family == "bool":
            return spec.pad("true" if value else "false", zero=spec.zero) if verb in "tv" else None
        if family in ("int", "uint"):
            return self._integer(value, verb)
        if family == "complex":
            return self._complex(value, verb)
        if verb == "v":
            return format_float(value, "g", spec)
        return format_float(value, verb, spec) if verb in "eEfFgG" else None

    def _integer(self, value: int, verb: str) -> str | None:
        spec = self.spec
        if verb in "cqU" and not (0 <= value < 0xD800 or 0xE000 <= value <= 0x10FFFF):
            value = 0xFFFD
        match verb:
            case "v" | "d" | "b" | "o" | "O" | "x" | "X":
                return format_integer(value, verb, spec)
            case "c":
                return spec.pad(chr(value))
            case "q":
                return spec.pad(quote(chr(value), ascii_only=spec.plus, mark="'"))
            case "U":
                return spec.pad(describe(chr(value)) if spec.sharp else f"U+{value:04X}")
        return None

    def _complex(self, value: complex, verb: str) -> str | None:
        if verb not in "veEfFgG":
            return None
        verb = "g" if verb == "v" else verb
        imaginary = Spec()
        imaginary.plus, imaginary.precision, imaginary.width = True, self.spec.precision, self.spec.width
        real = format_float(value.real, verb, self.spec)
        return f"({real}{format_float(value.imag, verb, imaginary)}i)"

    def _string(self, value: str, verb: str) -> str | None:
        spec = self.spec
        if verb == "v" and spec.go_syntax:
            verb = "q"
        if verb in "xX":
            return self._hex(utf8(value)[: spec.precision], verb)
        if verb not in "vsq":
            return None
        value = value[: spec.precision]
        if verb == "q":
            raw = spec.sharp and can_backquote(value)
            value = f"`{value}`" if raw else quote(value, ascii_only=spec.plus)
        return spec.pad(value, zero=spec.zero)

    def _hex(self, data: bytes, verb: str) -> str:
        spec = self.spec
        prefix = "0x" if spec.sharp and data else ""
        text = data.hex(" ").replace(" ", " " + prefix) if spec.space else data.hex()
        text = prefix + text
        return spec.pad(text.upper() if verb == "X" else text, zero=spec.zero)


def _parts(value: Any, family: str) -> Iterable[tuple[Any, Any]]:
    if family == "slice":
        return enumerate(value)
    if family == "map":
        return sorted(value.items(), key=lambda item: item[0])
    return value.values.items() if isinstance(value, Record) else ()
