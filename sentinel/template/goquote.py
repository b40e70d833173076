"""Go's quoted strings: written as `strconv.Quote` does, literals read as `strconv.Unquote` does."""

from __future__ import annotations

import re
from typing import Final

from sentinel.template.values import from_utf8, utf8

_SHORT: Final = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}
_MEANING: Final = {escape[1]: char for char, escape in _SHORT.items()} | {'"': '"', "'": "'"}
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\\"'])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))|(\\)"
)


def quote(text: str, *, ascii_only: bool = False, mark: str = '"') -> str:
    """A Go literal of `text` between `mark`s."""
    return mark + "".join(_quoted(char, ascii_only, mark) for char in text) + mark


def quote_back(text: str) -> str:
    """Between backquotes where Go can, as error texts about regular expressions do."""
    return f"`{text}`" if can_backquote(text) else quote(text)


def can_backquote(text: str) -> bool:
    return (
        "`" not in text
        and "\ufeff" not in text
        and all(c == "\t" or (c >= " " and c != "\x7f") for c in text)
    )


def describe(char: str) -> str:
    """A character in an error text: `U+0041 'A'`, as `%#U` prints it."""
    return f"U+{ord(char):04X}" + (f" '{char}'" if char.isprintable() else "")


def unquote(literal: str) -> str:
    """The text of a string literal with its quotes. Raises ValueError("invalid syntax")."""
    body = literal[1:-1]
    if literal[0] == "`":
        return body.replace("\r", "")
    return from_utf8(_unescape(body, literal[0]))


def unquote_char(literal: str) -> int:
    """The code point of a character constant. Raises ValueError with Go's message."""
    if len(literal) < 3:
        raise ValueError("invalid syntax")
    text = from_utf8(_unescape(literal[1:-1], "'"))
    if len(text) != 1:
        raise ValueError(f"malformed character constant: {literal}")
    return ord(text)


def _quoted(char: str, ascii_only: bool, mark: str) -> str:
    if char == mark:
        return "\\" + char
    if char in _SHORT:
        return _SHORT[char]
    if char.isprintable() and (char.isascii() or not ascii_only):
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unescape(body: str, mark: str) -> bytes:
    out, end = bytearray(), 0
    for found in _ESCAPE.finditer(body):
        out += utf8(body[end : found.start()]) + _escaped(found, mark)
        end = found.end()
    return bytes(out + utf8(body[end:]))


def _escaped(found: re.Match[str], mark: str) -> bytes:
    short, hexadecimal, octal, small, big, stray = found.groups()
    other_mark = "'" if mark == '"' else '"'
    if stray or short == other_mark:
        raise ValueError("invalid syntax")
    if short:
        return _MEANING[short].encode()
    if hexadecimal or octal:
        number = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
        if number > 0xFF:
            raise ValueError("invalid syntax")
        return bytes([number])
    code = int(small or big, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ValueError("invalid syntax")
    return chr(code).encode()
