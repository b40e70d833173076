"""Native histograms as a text: the inside of `{{schema:1 sum:4 count:4 buckets:[1 2 1]}}`.

Test scripts and unit tests of rules write them so. What is left out is zero or empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, get_args

import numpy as np

from sentinel.model import Buckets, Floats, Histogram, quote
from sentinel.model.histogram import CUSTOM_SCHEMA, MAX_SCHEMA, MIN_SCHEMA, ResetHint, farthest_bucket
from sentinel.promql.syntax import literals

_FIELD: Final = re.compile(r"(\w+):(\[[^\[\]]*\]|[^\s\[\]]+)(?:\s+|$)")
_NUMBER: Final = re.compile(r"-?(?:[0-9][0-9_]*(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|[iI]nf|[nN]a[nN])")
_WHOLE: Final = re.compile(r"-?[0-9]{1,9}")
_EMPTY: Final = np.empty(0)


def parse_histogram(text: str) -> tuple[Histogram, bool]:
    """The histogram, and whether its counter-reset hint is written there. ValueError says what is wrong."""
    fields = _fields(text) if text.strip() else {}
    schema = fields.get("schema", 0)
    offsets = fields.get("offset", 0), fields.get("n_offset", 0)
    counts = fields.get("buckets", _EMPTY), fields.get("n_buckets", _EMPTY)
    bounds = fields.get("custom_values", _EMPTY)
    if schema == CUSTOM_SCHEMA:
        _check_custom(bounds, offsets[0], counts[0], fields)
    else:
        _check_exponential(schema, bounds, offsets, counts)
    histogram = Histogram(
        schema=schema,
        zero_threshold=fields.get("z_bucket_w", 0.0),
        zero_count=fields.get("z_bucket", 0.0),
        count=fields.get("count", 0.0),
        sum=fields.get("sum", 0.0),
        positive=Buckets.of(offsets[0], counts[0]),
        negative=Buckets.of(offsets[1], counts[1]),
        custom_values=tuple(bounds.tolist()),
        reset_hint=fields.get("counter_reset_hint", "unknown"),
    )
    return histogram, "counter_reset_hint" in fields


def _fields(text: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    at = 0
    while at < len(text):
        match = _FIELD.match(text, at)
        if match is None:
            raise ValueError(f"bad histogram description at {quote(text[at : at + 40])}, expected key:value")
        key, value = match.groups()
        if key not in _READ:
            raise ValueError(
                f"bad histogram descriptor found: {quote(key)}, expected one of {', '.join(_READ)}"
            )
        if key in fields:
            raise ValueError(f"duplicate key {quote(key)} in histogram")
        fields[key] = _READ[key](value)
        at = match.end()
    return fields


def _number(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"bad number {quote(text[:40])} in histogram")
    digits = text.removeprefix("-")
    value = float(digits) if digits[-1].isalpha() else literals.number(digits)
    return -value if text != digits else value


def _numbers(text: str) -> Floats:
    if not text.startswith("[") or text[1:2].isspace():
        raise ValueError(f"bad list {quote(text[:40])} in histogram, expected numbers such as [5 10 7]")
    return np.array([_number(word) for word in text[1:-1].split()], np.float64)


def _whole(text: str) -> int:
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"bad whole number {quote(text[:40])} in histogram")
    return int(text)


def _hint(text: str) -> str:
    if text not in get_args(ResetHint):
        raise ValueError(
            f"bad counter_reset_hint {quote(text[:40])}, expected one of {', '.join(get_args(ResetHint))}"
        )
    return text


_READ: Final[dict[str, Callable[[str], Any]]] = {
    "schema": _whole,
    "sum": _number,
    "count": _number,
    "z_bucket": _number,
    "z_bucket_w": _number,
    "custom_values": _numbers,
    "buckets": _numbers,
    "offset": _whole,
    "n_buckets": _numbers,
    "n_offset": _whole,
    "counter_reset_hint": _hint,
}


def _check_custom(bounds: Floats, offset: int, counts: Floats, fields: dict[str, Any]) -> None:
    if not (np.isfinite(bounds).all() and (np.diff(bounds) > 0).all()):
        raise ValueError("custom_values of a histogram must be finite and ascending; +Inf is not written")
    if len(counts) and not 0 <= offset <= len(bounds) + 1 - len(counts):
        raise ValueError(f"{len(bounds)} custom_values have room for {len(bounds) + 1} buckets, no more")
    for key in ("z_bucket", "z_bucket_w", "n_buckets"):
        if np.any(fields.get(key, 0)):
            raise ValueError(f"a histogram with custom_values has no {key}")


def _check_exponential(
    schema: int, bounds: Floats, offsets: tuple[int, int], counts: tuple[Floats, Floats]
) -> None:
    if not MIN_SCHEMA <= schema <= MAX_SCHEMA:
        known = f"{MIN_SCHEMA} to {MAX_SCHEMA}, or {CUSTOM_SCHEMA} for custom_values"
        raise ValueError(f"schema {schema} of a histogram is not known, expected {known}")
    if len(bounds):
        raise ValueError(f"custom_values go with schema:{CUSTOM_SCHEMA} only")
    reach = farthest_bucket(schema)
    for offset, count in zip(offsets, map(len, counts), strict=True):
        if abs(offset) + count > reach:
            raise ValueError(
                f"buckets from offset {offset} on lie beyond all floats: schema {schema} ends at {reach}"
            )
