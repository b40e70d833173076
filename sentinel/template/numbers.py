"""Reading numbers as Go's strconv and its template constants do."""

from __future__ import annotations

import math
import re
from typing import Final

from sentinel.template.goquote import quote, unquote_char
from sentinel.template.nodes import Number

_DIGITS: Final = r"\d+(?:_\d+)*"
_DECIMAL: Final = re.compile(
    rf"[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?", re.ASCII
)
_HEX: Final = re.compile(r"[+-]?0[xX](?:_?[0-9a-fA-F])*\.?(?:[0-9a-fA-F]_?)*(?<!_)[pP][+-]?\d+", re.ASCII)
_INFINITE: Final = re.compile(r"[+-]?inf(?:inity)?|nan", re.ASCII | re.IGNORECASE)
_OLD_OCTAL: Final = re.compile(r"([+-]?)0(_?[0-7][0-7_]*)")
_COMPLEX: Final = re.compile(r"(.*?[^eEpP])([+-].*)i")


def parse_float(text: str) -> float:
    """`strconv.ParseFloat`. Raises ValueError with Go's message."""
    value = math.inf
    if _INFINITE.fullmatch(text):
        return float(text)
    if _DECIMAL.fullmatch(text):
        value = float(text)
    elif _HEX.fullmatch(text):
        value = _from_hex(text.replace("_", ""))
    else:
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    if math.isinf(value):
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return value


def number(pos: int, text: str, kind: str) -> Number:
    """The constant of a token. Raises ValueError with the parser's message."""
    if kind == "char":
        code = unquote_char(text)
        return Number(pos, text, code, code, float(code))
    if kind == "complex":
        real, imaginary = _complex_parts(text)
        return Number(pos, text, complex(real, imaginary), None, None)
    if text.endswith("i"):
        return Number(pos, text, complex(0, _constant_float(text[:-1], text)), None, None)
    integer = _integer(text)
    if integer is None:
        return _real(pos, text)
    fits = -(1 << 63) <= integer < 1 << 63
    if not fits and not 0 <= integer < 1 << 64:
        raise ValueError(f"integer overflow: {quote(text)}")
    return Number(pos, text, integer if fits else None, integer if fits else None, float(integer))


def _real(pos: int, text: str) -> Number:
    real = _constant_float(text, text)
    whole = real.is_integer() and abs(real) < 1 << 63
    return Number(pos, text, real, int(real) if whole else None, real)


def _constant_float(text: str, shown: str) -> float:
    try:
        return parse_float(text)
    except ValueError:
        raise ValueError(f"illegal number syntax: {quote(shown)}") from None


def _complex_parts(text: str) -> tuple[float, float]:
    found = _COMPLEX.fullmatch(text)
    if found is None:
        raise ValueError(f"illegal number syntax: {quote(text)}")
    return _constant_float(found[1], text), _constant_float(found[2], text)


def _integer(text: str) -> int | None:
    """Decimal, 0x, 0o, 0b and the old octal with a bare zero."""
    old = _OLD_OCTAL.fullmatch(text)
    try:
        return int(f"{old[1]}0o{old[2]}" if old else text, 0)
    except ValueError:
        return None


def _from_hex(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:
        return math.inf
