"""Go's text of numbers, plain and under the flags of a printf verb."""

from __future__ import annotations

import math
from typing import Final

_BASES: Final = {"b": ("b", "0b"), "o": ("o", "0"), "O": ("o", ""), "x": ("x", "0x"), "X": ("X", "0X")}


class Spec:
    """The flags, width and precision of one verb: `%+08.3f`."""

    __slots__ = ("go_syntax", "minus", "plus", "precision", "sharp", "space", "width", "zero")

    def __init__(self) -> None:
        self.minus = self.plus = self.sharp = self.space = self.zero = False
        self.go_syntax = False
        self.width: int | None = None
        self.precision: int | None = None

    def pad(self, text: str, *, zero: bool = False) -> str:
        width = self.width or 0
        if self.minus:
            return text.ljust(width)
        return text.rjust(width, "0" if zero else " ")

    def pad_number(self, sign: str, digits: str, *, zero: bool) -> str:
        """Zeros go between sign and digits, spaces in front of the sign."""
        if zero and not self.minus:
            digits = digits.rjust((self.width or 0) - len(sign), "0")
        return self.pad(sign + digits)

    def sign(self, *, negative: bool) -> str:
        return "-" if negative else "+" if self.plus else " " if self.space else ""


_PLAIN: Final = Spec()


def shortest(value: float) -> str:
    """`%v`: the fewest digits that read back as `value`, with an exponent below 1e-4 and from 1e+06 on."""
    return format_float(value, "g", _PLAIN)


def format_float(value: float, verb: str, spec: Spec) -> str:
    """Verbs e, f, g and their capitals; without a precision g takes the fewest digits, the others 6."""
    negative = math.copysign(1, value) < 0
    if not math.isfinite(value):
        nan = value != value
        sign = spec.sign(negative=negative and not nan)
        return spec.pad(sign + "NaN" if nan else (sign or "+") + "Inf")
    magnitude, precision = abs(value), spec.precision
    if verb in "gG" and precision is None:
        text = _shortest(magnitude, verb)
    else:
        sharp = "#" if spec.sharp else ""
        text = f"{magnitude:{sharp}.{6 if precision is None else precision}{verb.replace('F', 'f')}}"
    return spec.pad_number(spec.sign(negative=negative), text, zero=spec.zero)


def digits_of(value: float) -> tuple[str, int]:
    """The significant digits of a number >= 0, and the place of the point: ("15", 1) is 1.5."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return (digits.rstrip("0"), point) if digits else ("0", 1)


def plain(digits: str, point: int) -> str:
    """Without an exponent."""
    if point <= 0:
        return "0." + "0" * -point + digits
    whole, fraction = digits[:point].ljust(point, "0"), digits[point:]
    return f"{whole}.{fraction}" if fraction else whole


def scientific(digits: str, point: int, mark: str = "e") -> str:
    """With an exponent of two digits or more."""
    fraction = "." + digits[1:] if len(digits) > 1 else ""
    return f"{digits[0]}{fraction}{mark}{point - 1:+03d}"


def _shortest(magnitude: float, verb: str) -> str:
    digits, point = digits_of(magnitude)
    if -4 < point <= 6:
        return plain(digits, point)
    return scientific(digits, point, "e" if verb == "g" else "E")


def format_integer(value: int, verb: str, spec: Spec) -> str:
    """Verbs d, b, o, O, x and X; a precision is the least number of digits."""
    base, prefix = _BASES.get(verb, ("d", ""))
    digits = f"{abs(value):{base}}"
    sign = spec.sign(negative=value < 0)
    zero = spec.zero
    if spec.precision is not None:
        if spec.precision == 0 and value == 0:
            return spec.pad("")
        digits, zero = digits.rjust(spec.precision, "0"), False
    if zero and not spec.minus:
        digits = digits.rjust((spec.width or 0) - len(sign), "0")
    if spec.sharp and not (base == "o" and digits.startswith("0")):
        digits = prefix + digits
    if verb == "O":
        digits = "0o" + digits
    return spec.pad(sign + digits)
