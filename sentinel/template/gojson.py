"""JSON as Go writes it: sorted keys, `<`, `>` and `&` escaped, no needless exponents."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from sentinel.template.golayout import format_time
from sentinel.template.gonumber import digits_of, plain, scientific
from sentinel.template.gotime import Time
from sentinel.template.limits import CallError, Text
from sentinel.template.values import Record, kind, type_name

_ESCAPES: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_RFC3339: Final = "2006-01-02T15:04:05.999999999Z07:00"


def to_json(value: Any) -> str:
    """Raises CallError for what JSON cannot say."""
    out = Text()
    _write(out, value)
    return str(out)


def _write(out: Text, value: Any) -> None:
    family = kind(value)
    if family in ("nil", "invalid") or getattr(value, "absent", False):
        out.write("null")
    elif isinstance(value, Time):
        out.write(f'"{format_time(value, _RFC3339)}"')
    elif family == "string":
        out.write(_string(value))
    elif family == "slice":
        out.write("[")
        for index, item in enumerate(value):
            out.write("," if index else "")
            _write(out, item)
        out.write("]")
    elif family in ("map", "struct"):
        _write_object(out, value)
    else:
        out.write(_scalar(value, family))


def _write_object(out: Text, value: Any) -> None:
    if isinstance(value, Record):
        items = [(value.json_names.get(name, name), item) for name, item in value.values.items()]
    elif isinstance(value, dict):
        items = sorted(value.items())
    else:
        raise CallError(f"json: unsupported type: {type_name(value)}")
    out.write("{")
    for index, (name, item) in enumerate(items):
        out.write(("," if index else "") + _string(name) + ":")
        _write(out, item)
    out.write("}")


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPES)


def _scalar(value: Any, family: str) -> str:
    if family == "bool":
        return "true" if value else "false"
    if family in ("int", "uint"):
        return str(int(value))
    if family != "float":
        raise CallError(f"json: unsupported type: {type_name(value)}")
    if not math.isfinite(value):
        raise CallError(f"json: unsupported value: {'NaN' if value != value else f'{value:+}'[:4].title()}")
    sign = "-" if math.copysign(1, value) < 0 else ""
    digits, point = digits_of(abs(value))
    if value and not 1e-6 <= abs(value) < 1e21:
        return sign + scientific(digits, point).replace("e-0", "e-")
    return sign + plain(digits, point)
