"""What numbers, durations and quoted strings stand for."""

from __future__ import annotations

import re
from typing import Final

from sentinel.model import Duration, quote

_MAX_SECONDS: Final = (2**63 - 1) / 1e9
"""Prometheus keeps durations in 64-bit nanoseconds."""

_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.|\n))"
)
_SIMPLE: Final = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_SURROGATE: Final = re.compile("[\udc80-\udcff]")
LEGACY_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def number(text: str) -> float:
    """A Go number literal: decimal, hexadecimal, octal with a leading zero, underscores between digits."""
    digits = text.replace("_", "")
    if digits[:2] in ("0x", "0X"):
        return float(int(digits, 16))
    if len(digits) > 1 and digits[0] == "0" and re.fullmatch("[0-7]+", digits):
        return float(int(digits, 8))
    return float(digits)


def seconds(text: str) -> float:
    """A duration literal in seconds; ValueError with a text for the user."""
    value = Duration.parse(text).seconds
    if value > _MAX_SECONDS:
        raise ValueError("duration out of range")
    return value


def milliseconds(value: float) -> int:
    """Seconds written where a duration is wanted; ValueError with a text for the user."""
    if not abs(value) <= _MAX_SECONDS:
        raise ValueError("duration out of range")
    return round(value * 1000)


def unquote(text: str) -> str:
    """A quoted string's content. Bytes written as escapes that are no UTF-8 survive as surrogates."""
    if text[0] == "`":
        return text[1:-1]
    body = text[1:-1]
    if "\\" not in body:
        return body
    out, position = bytearray(), 0
    for match in _ESCAPE.finditer(body):
        out += body[position : match.start()].encode("utf-8", "surrogatepass")
        out += _unescape(match, text[0])
        position = match.end()
    out += body[position:].encode("utf-8", "surrogatepass")
    return out.decode("utf-8", "surrogateescape")


def _unescape(match: re.Match[str], opened_by: str) -> bytes:
    simple, byte, short, long, octal, unknown = match.groups()
    if simple is not None and (simple not in "'\"" or simple == opened_by):
        return _SIMPLE[simple].encode()
    code = int(octal, 8) if octal else int(byte or short or long or "0", 16)
    if unknown is not None or simple is not None:
        raise ValueError(f"unknown escape sequence {quote(match.group())}")
    if byte or octal:
        if code > 255:
            raise ValueError("escape sequence is an invalid Unicode code point")
        return bytes([code])
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ValueError("escape sequence is an invalid Unicode code point")
    return chr(code).encode()


def quoted(text: str) -> str:
    """The shortest double-quoted form that `unquote` takes back."""
    return _SURROGATE.sub(lambda found: f"\\x{ord(found.group()) - 0xDC00:02x}", quote(text))


def is_label_name(text: str) -> bool:
    """Any non-empty UTF-8 is a label name."""
    return bool(text) and _SURROGATE.search(text) is None
