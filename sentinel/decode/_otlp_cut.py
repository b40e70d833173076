"""A request without some of its data points: the messages around them become shorter, all else stays."""

from __future__ import annotations

from bisect import bisect_left

from sentinel.decode._remote_write_plain import BYTES, read_fields
from sentinel.model import Int64s

Spans = list[tuple[int, int]]


def without(request: bytes, cuts: Int64s) -> bytes:
    """The well-formed request less these spans (n x 2) of whole fields, which do not overlap."""
    spans = [(int(a), int(b)) for a, b in sorted(cuts.tolist())]
    return _without(request, 0, len(request), spans)


def _without(data: bytes, start: int, end: int, cuts: Spans) -> bytes:
    """The message between two positions, less the cuts in it."""
    kept, behind = [], start
    for field in read_fields(data, start, end):
        at = bisect_left(cuts, (field.first, 0))
        if at == len(cuts) or cuts[at][0] >= field.end:
            continue
        kept.append(data[behind : field.first])
        behind = field.end
        if cuts[at] != (field.first, field.end):
            body = _without(data, field.start, field.end, cuts)
            kept += [varint(field.number << 3 | BYTES), varint(len(body)), body]
    return b"".join([*kept, data[behind:end]])


def varint(value: int) -> bytes:
    """A number of at most 64 bits, as it is on the wire."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
