"""Go's `printf`: reads the format, its flags, widths, precisions and argument indexes.

A fault in the format is no error: it shows in the text, as `%!d(float64=42)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from sentinel.template.gofmt import Printer
from sentinel.template.gonumber import Spec
from sentinel.template.limits import Text
from sentinel.template.values import type_name

_LARGEST: Final = 1_000_000
"""A width or precision above it is ignored."""
_FLAGS: Final = re.compile(r"[#0+\- ]*")
_DIGITS: Final = re.compile(r"[0-9]*")
_INDEX: Final = re.compile(r"\[([0-9]{1,7})\]")
_BROKEN_INDEX: Final = re.compile(r"\[(?:[^\]]*\])?")


def sprintf(format: str, values: Sequence[Any]) -> str:
    """Raises CallError if the text gets too long."""
    return _Formatter(format, values).run()


class _Formatter:
    def __init__(self, format: str, values: Sequence[Any]) -> None:
        self.format, self.values = format, values
        self.out = Text()
        self.pos = self.next = 0
        self.reordered = self.bad_index = self.after_index = False

    def run(self) -> str:
        while self.pos < len(self.format):
            start = self.format.find("%", self.pos)
            end = len(self.format) if start < 0 else start
            self.out.write(self.format[self.pos : end])
            self.pos = end + 1
            if start >= 0:
                self._verb()
        self._extra()
        return str(self.out)

    def _verb(self) -> None:
        self.bad_index = self.after_index = False
        spec = self._flags()
        self._index()
        self._width(spec)
        if self._skip("."):
            self._precision(spec)
        if not self.after_index:
            self._index()
        verb = self.format[self.pos : self.pos + 1]
        self.pos += 1
        if not verb:
            self.out.write("%!(NOVERB)")
        elif verb == "%":
            self.out.write("%")
        elif self.bad_index:
            self.out.write(f"%!{verb}(BADINDEX)")
        elif self.next >= len(self.values):
            self.out.write(f"%!{verb}(MISSING)")
        else:
            if verb == "v":
                spec.go_syntax, spec.sharp = spec.sharp, False
            self.next += 1
            Printer(self.out, spec).show(self.values[self.next - 1], verb)

    def _flags(self) -> Spec:
        spec = Spec()
        flags = self._take(_FLAGS)
        spec.minus, spec.plus, spec.sharp, spec.space = (
            "-" in flags,
            "+" in flags,
            "#" in flags,
            " " in flags,
        )
        spec.zero = "0" in flags and not spec.minus
        return spec

    def _width(self, spec: Spec) -> None:
        if not self._skip("*"):
            spec.width = self._number()
            self.bad_index |= self.after_index and spec.width is not None
            return
        width = self._from_argument()
        if width is None:
            self.out.write("%!(BADWIDTH)")
        elif width < 0:
            spec.minus, spec.zero = True, False
        spec.width = None if width is None else abs(width)

    def _precision(self, spec: Spec) -> None:
        self.bad_index |= self.after_index
        self._index()
        if not self._skip("*"):
            spec.precision = self._number() or 0
            return
        spec.precision = self._from_argument()
        if spec.precision is None or spec.precision < 0:
            spec.precision = None
            self.out.write("%!(BADPREC)")

    def _from_argument(self) -> int | None:
        """The next value as a width or precision, None if it cannot be one."""
        self.after_index = False
        if self.next >= len(self.values):
            return None
        value = self.values[self.next]
        self.next += 1
        return value if type(value) is int and abs(value) <= _LARGEST else None

    def _index(self) -> None:
        """An explicit argument index: `[2]`."""
        self.after_index = False
        if self.format[self.pos : self.pos + 1] != "[":
            return
        self.reordered = True
        found = _INDEX.match(self.format, self.pos)
        self._take(_BROKEN_INDEX)
        number = int(found[1]) if found else 0
        if 1 <= number <= len(self.values):
            self.next, self.after_index = number - 1, True
        else:
            self.bad_index = True

    def _number(self) -> int | None:
        digits = self._take(_DIGITS)
        return int(digits) if digits and len(digits) < 8 and int(digits) <= _LARGEST else None

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.format, self.pos)
        assert found is not None
        self.pos = found.end()
        return found[0]

    def _skip(self, char: str) -> bool:
        skipped = self.format.startswith(char, self.pos)
        self.pos += skipped
        return skipped

    def _extra(self) -> None:
        if self.reordered or self.next >= len(self.values):
            return
        self.out.write("%!(EXTRA ")
        for index, value in enumerate(self.values[self.next :]):
            self.out.write(", " if index else "")
            if value is not None:
                self.out.write(type_name(value) + "=")
            Printer(self.out, Spec()).show(value, "v")
        self.out.write(")")
