"""What numbers, durations and quoted strings stand for, and what is wrong with those that stand for nothing.

`ValueError`s of this module carry texts for the user, in the words of Prometheus.
"""

from __future__ import annotations

import math
import re
from typing import Final

from sentinel.model import Duration

MAX_SECONDS: Final = 2**63 / 1e9
"""Prometheus keeps durations in 64-bit nanoseconds."""

CODE: Final = (
    "x(?P<byte>[0-9a-fA-F]{2})|u(?P<short>(?![dD][89a-fA-F])[0-9a-fA-F]{4})"
    "|U(?P<long>(?!0000[dD][89a-fA-F])(?:0010|000[0-9a-fA-F])[0-9a-fA-F]{4})|(?P<octal>[0-3][0-7]{2})"
)
"""What may follow a backslash, besides the letters of `_SIMPLE`."""
_ESCAPE: Final = re.compile(rf"\\(?:(?P<simple>[abfnrtv\\'\"])|{CODE})")
_SIMPLE: Final = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_LETTERS: Final = {code: letter for letter, code in _SIMPLE.items() if letter.isalpha()}
_SHOWN: Final = 400
_CODED: Final = {"x": (2, 16, 255), "u": (4, 16, 0x10FFFF), "U": (8, 16, 0x10FFFF)}
"""By letter: how many digits, of which base, up to which code."""
_OCTAL: Final = (3, 8, 255)
_BAD_UTF8: Final = re.compile("[\ufffd\ud800-\udfff]")
_TO_ESCAPE: Final = re.compile('["\\\\\ufffd]')
_SURROGATE: Final = re.compile("[\udc80-\udcff]")
_UNREAD: Final = re.compile(
    r"(?=\.?[0-9])(?:0[xX][0-9a-fA-F_]*+|[0-9]*+(?:_[0-9]++)*+(?:\.[0-9]*+(?:_[0-9]++)*+)?(?:[eE][+-]?[0-9]*+)?)"
    r"(?:_[._eE]|[._eE]|[smhdwy]s?(?:[0-9]++[smhdw]s?)*+(?:[0-9]++|[A-Za-z_])?)?"
)
LEGACY_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def number(text: str) -> float:
    """A Go number literal: decimal, hexadecimal, octal with a leading zero, underscores between digits."""
    digits = text.replace("_", "")
    hexadecimal = digits[:2] in ("0x", "0X")
    if hexadecimal and 2 < len(digits) <= 18 and int(digits, 16) < 2**63:
        return float(int(digits, 16))
    if re.fullmatch("0[0-7]{1,21}", digits) and int(digits, 8) < 2**63:
        return float(int(digits, 8))
    problem = "invalid syntax"
    if not hexadecimal:
        value = float(digits)
        if math.isfinite(value):
            return value
        problem = "value out of range"
    raise ValueError(f"error parsing number: strconv.ParseFloat: parsing {_shown(text)}: {problem}")


def seconds(text: str) -> float:
    """A duration literal, in seconds."""
    parts = re.findall(r"([0-9]+)([^0-9]*)", text)
    for _, unit in parts:
        if unit not in ("ms", "s", "m", "h", "d", "w", "y") and text[0] != ".":
            raise ValueError(f"unknown unit {_shown(unit)} in duration {_shown(text)}")
    try:
        value = Duration.parse(text).seconds if all(len(count) <= 20 for count, _ in parts) else None
    except ValueError:
        value = None
    if value is None:
        raise ValueError(f"not a valid duration string: {_shown(text)}")
    if value > MAX_SECONDS:
        raise ValueError("duration out of range")
    return value


def milliseconds(value: float) -> int:
    """Seconds written where a duration is wanted. What is finer than a millisecond is cut off."""
    return int(round(value * 1e9) / 1e6)


def well_formed(text: str) -> str:
    """A string as labels and answers may hold it: each byte that is no UTF-8 becomes U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def unquote(text: str) -> str:
    """A quoted string's content. Bytes written as escapes that are no UTF-8 survive as surrogates."""
    body = text[1:-1]
    if text[0] == "`" or "\\" not in body:
        return body
    out, position = bytearray(), 0
    for match in _ESCAPE.finditer(body):
        between = body[position : match.start()]
        if "\\" in between or (match["simple"] in ("'", '"') and match["simple"] != text[0]):
            break
        out += between.encode() + _unescaped(match)
        position = match.end()
    if "\\" in body[position:]:
        raise ValueError(escape_fault(text, 0))
    return (out + body[position:].encode()).decode("utf-8", "surrogateescape")


def _unescaped(match: re.Match[str]) -> bytes:
    if match["simple"]:
        return _SIMPLE[match["simple"]].encode()
    if match["byte"] or match["octal"]:
        return bytes([int(match["byte"], 16) if match["byte"] else int(match["octal"], 8)])
    return chr(int(match["short"] or match["long"], 16)).encode()


def escape_fault(text: str, start: int) -> str:
    """Why what begins with a quotation mark at `start` is no string."""
    mark, position = text[start], start + 1
    while position < len(text):
        character = text[position]
        if _BAD_UTF8.match(character):
            return "invalid UTF-8 rune"
        if mark != "`" and character == "\n":
            break
        if mark != "`" and character == "\\":
            position += 1
            escaped = text[position : position + 1]
            fault = "" if escaped and escaped in "abfnrtv\\" + mark else _code_fault(text, position)
            if fault:
                return fault
        position += 1
    return "unterminated raw string" if mark == "`" else "unterminated quoted string"


def _code_fault(text: str, position: int) -> str:
    """What is wrong with the escape whose letter or first octal digit stands at `position`."""
    letter = text[position : position + 1]
    if not letter:
        return "escape sequence not terminated"
    count, base, most = _CODED.get(letter, _OCTAL)
    if letter not in _CODED and letter not in "01234567":
        return f"unknown escape sequence {_code_point(letter)}"
    first = position + (letter in _CODED)
    for place in range(first, first + count):
        digit = text[place : place + 1]
        if not digit:
            return "escape sequence not terminated"
        if digit not in "0123456789abcdefABCDEF"[: 8 if base == 8 else None]:
            return f"illegal character {_code_point(digit)} in escape sequence"
    code = int(text[first : first + count], base)
    return (
        "escape sequence is an invalid Unicode code point" if code > most or 0xD800 <= code < 0xE000 else ""
    )


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X}" + (f" '{character}'" if character.isprintable() else "")


def unread_number(text: str, start: int) -> str:
    """What was read, quoted, of something that begins like a number; empty if it does not."""
    found = _UNREAD.match(text, start)
    return _shown(found.group()) if found else ""


def _shown(text: str) -> str:
    """Quoted, for a message that stays readable."""
    return quoted(text) if len(text) <= _SHOWN else f"{quoted(text[:_SHOWN])}..."


def quoted(text: str) -> str:
    """The double-quoted form of Go's %q verb, which `unquote` takes back."""
    plain = text.isprintable() and _TO_ESCAPE.search(text) is None
    return f'"{text}"' if plain else '"' + "".join(_escaped(character, '"') for character in text) + '"'


def quoted_character(character: str) -> str:
    """A character as Go's %q verb writes it."""
    return "'\ufffd'" if _BAD_UTF8.match(character) else f"'{_escaped(character, chr(39))}'"


def _escaped(character: str, mark: str) -> str:
    if character in (mark, "\\"):
        return "\\" + character
    if character.isprintable() and character != "\ufffd":
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    form = f"x{code:02x}" if code < 0x80 else f"u{code:04x}" if code < 0x10000 else f"U{code:08x}"
    return "\\" + _LETTERS.get(character, form)


def is_label_name(text: str) -> bool:
    """Any non-empty UTF-8 is a label name."""
    return bool(text) and _SURROGATE.search(text) is None
