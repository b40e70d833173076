"""The kernel of `_remote_write_plain.read_request`, in three passes: where everything lies, how much room it
takes, and the samples themselves.

Passes agree on what is malformed: any of them gives -1, and the request is refused as a whole.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import int64, types, uint64

from sentinel.decode._hash_kernel import COLUMNS, SEED, hash_key
from sentinel.decode._remote_write_labels_kernel import GRID, OUT, RULES, gather, judge, write_key
from sentinel.decode._remote_write_plain import CANONICAL_NAN, VERDICTS
from sentinel.decode._remote_write_wire_kernel import fixed64, next_field, varint
from sentinel.decode.columns import Columns
from sentinel.decode.timestamps import EARLIEST_MS
from sentinel.machine import TEXT, float_of_bits, kernel
from sentinel.model import STALE_BITS, Int64s, UInt8s

FIRST, START, END, VERDICT, SAMPLES, HISTOGRAMS, EXEMPLARS, WIDTH = range(8)
"""Columns of a series: where its field and its message lie, its verdict, how many it has of what."""
H_START, H_END, H_ROW, H_SERIES, H_WIDTH = range(5)
"""Columns of a native histogram."""
_PAST, _FUTURE = VERDICTS.index("timestamp_past"), VERDICTS.index("timestamp_future")
_NAN, _STALE = np.uint64(CANONICAL_NAN), np.uint64(STALE_BITS)
_MAGNITUDE, _INFINITY = np.uint64((1 << 63) - 1), np.uint64(0x7FF << 52)


class Room(NamedTuple):
    """Where samples are written: rows, the keys' text, and where histograms lie."""

    columns: Columns
    text: UInt8s
    histograms: Int64s

    @classmethod
    def of(cls, rows: int, histograms: int, text_bytes: int) -> Room:
        columns, places = Columns.empty(rows), np.empty((histograms, H_WIDTH), np.int64)
        return cls(columns, np.empty(text_bytes + 8, np.uint8), places)


def tables(series: int, symbols: int) -> tuple[Int64s, Int64s]:
    """Room for so many series and spans of symbols."""
    return np.zeros((series, WIDTH), np.int64), np.empty((symbols, 2), np.int64)


_ROOM = types.NamedTuple((COLUMNS, OUT, GRID), Room)
_PAIR, _TRIPLE, _SAMPLE = (
    types.UniTuple(int64, 2),
    types.UniTuple(int64, 3),
    types.Tuple((int64, int64, uint64)),
)


@kernel(_TRIPLE(TEXT, int64, int64, GRID, GRID))
def index_request(text, start, end, series, symbols):  # type: ignore[no-untyped-def]
    """(version or -1, number of series, of symbols); fills as much of both tables as they hold."""
    version = count = strings = 0
    pos = start
    while pos < end:
        first = pos
        pos, tag, a, b = next_field(text, pos, end)
        number = tag >> 3
        if pos < 0 or ((number == 1 or number == 4 or number == 5) and tag & 7 != 2):
            return -1, 0, 0
        if number == 1 or number == 5:
            if count < len(series):
                series[count, FIRST], series[count, START], series[count, END] = first, a, b
            count += 1
        elif number == 4:
            if strings < len(symbols):
                symbols[strings, 0], symbols[strings, 1] = a, b
            strings += 1
        if number == 1 or number == 4 or number == 5:
            mine = 1 if number == 1 else 2
            if version != 0 and version != mine:
                return -1, 0, 0
            version = mine
    return version, count, strings


@kernel(int64(TEXT, int64, int64, int64, GRID))
def _length_of_refs(text, tag, a, b, symbols):  # type: ignore[no-untyped-def]
    """Room for the strings that one field of references means, or -1."""
    if tag & 7 == 0:
        return 2 * (symbols[a, 1] - symbols[a, 0]) + 3 if 0 <= a < len(symbols) else 3
    if tag & 7 != 2:
        return -1
    length = 0
    while a < b:
        a, ref = varint(text, a, b)
        if a < 0:
            return -1
        length += 3
        if ref < np.uint64(len(symbols)):
            span = symbols[np.int64(ref)]
            length += 2 * (span[1] - span[0])
    return length


@kernel(_TRIPLE(TEXT, int64, GRID, GRID))
def size_series(text, version, series, symbols):  # type: ignore[no-untyped-def]
    """(rows or -1, histograms, most bytes that the keys take); counts what each series has."""
    rows = histograms = length = 0
    histogram, exemplar = (4, 3) if version == 1 else (3, 4)
    for one in range(len(series)):
        pos, end = series[one, START], series[one, END]
        while pos < end:
            pos, tag, a, b = next_field(text, pos, end)
            number = tag >> 3
            if pos < 0 or ((2 <= number <= 4 or (number == 1 and version == 1)) and tag & 7 != 2):
                return -1, 0, 0
            if number == 1:
                more = 2 * (b - a) + 6 if version == 1 else _length_of_refs(text, tag, a, b, symbols)
                if more < 0:
                    return -1, 0, 0
                length += more
            elif number == 2:
                series[one, SAMPLES] += 1
            elif number == histogram:
                series[one, HISTOGRAMS] += 1
            elif number == exemplar:
                series[one, EXEMPLARS] += 1
        rows += series[one, SAMPLES] + series[one, HISTOGRAMS]
        histograms += series[one, HISTOGRAMS]
    return rows, histograms, length


@kernel(_SAMPLE(TEXT, int64, int64))
def _sample(text, pos, end):  # type: ignore[no-untyped-def]
    """(0 or -1, milliseconds, bits of the value) of a Sample message."""
    at_ms, bits = 0, np.uint64(0)
    while pos < end:
        pos, tag, a, _ = next_field(text, pos, end)
        number = tag >> 3
        if pos < 0 or (number == 1 and tag & 7 != 1) or (number == 2 and tag & 7 != 0):
            return -1, 0, bits
        if number == 1:
            bits = fixed64(text, a)
        elif number == 2:
            at_ms = a
    if bits & _MAGNITUDE > _INFINITY and bits != _STALE:
        bits = _NAN
    return 0, at_ms, bits


@kernel(_PAIR(TEXT, int64, int64))
def _histogram_time(text, pos, end):  # type: ignore[no-untyped-def]
    """(0 or -1, milliseconds) of a Histogram message."""
    at_ms = 0
    while pos < end:
        pos, tag, a, _ = next_field(text, pos, end)
        if pos < 0 or (tag >> 3 == 15 and tag & 7 != 0):
            return -1, 0
        if tag >> 3 == 15:
            at_ms = a
    return 0, at_ms


@kernel(_PAIR(TEXT, int64, int64, GRID, int64, int64, _ROOM))
def _rows(text, version, one, series, row, histogram, room):  # type: ignore[no-untyped-def]
    """Writes times and values of series number `one`: (next row or -1, next histogram)."""
    columns, histograms = room.columns, 4 if version == 1 else 3
    pos, end = series[one, START], series[one, END]
    while pos < end:
        pos, tag, a, b = next_field(text, pos, end)
        if tag >> 3 == 2:
            failed, columns.timestamp_ms[row], bits = _sample(text, a, b)
            columns.value[row] = float_of_bits(bits)
        elif tag >> 3 == histograms:
            failed, columns.timestamp_ms[row] = _histogram_time(text, a, b)
            columns.value[row] = 0.0
            place = room.histograms[histogram]
            place[H_START], place[H_END], place[H_ROW], place[H_SERIES] = a, b, row, one
            histogram += 1
        else:
            continue
        if failed < 0:
            return -1, histogram
        row += 1
    return row, histogram


@kernel(types.void(OUT, SEED, int64, int64, COLUMNS))
def _hash_rows(text, seed, first, last, columns):  # type: ignore[no-untyped-def]
    """Hashes the key of a series once, for all its rows."""
    hash_key(text, seed, first, columns)
    hashes = columns.series_hash
    for row in range(first + 1, last):
        hashes[row, 0], hashes[row, 1] = hashes[first, 0], hashes[first, 1]


@kernel(_TRIPLE(TEXT, int64, GRID, GRID, RULES, int64, SEED, _ROOM))
def read_series(text, version, series, symbols, rules, latest_ms, seed, room):  # type: ignore[no-untyped-def]
    """Judges all series and writes the good ones: (their rows or -1, their histograms, bytes of keys)."""
    columns, row, histogram, at = room.columns, 0, 0, 0
    for one in range(len(series)):
        first, mark = row, histogram
        count = gather(text, version, series[one, START], series[one, END], symbols, rules.strings)
        row, histogram = _rows(text, version, one, series, row, histogram, room)
        if count < 0 or row < 0:
            return -1, 0, 0
        verdict = judge(text, count, rules)
        for each in range(first, row if verdict == 0 else first):
            at_ms = columns.timestamp_ms[each]
            verdict = _PAST if at_ms < EARLIEST_MS else _FUTURE if at_ms > latest_ms else 0
            if verdict != 0:
                break
        series[one, VERDICT] = verdict
        if verdict != 0:
            row, histogram = first, mark
        elif row > first:
            start, behind, at = write_key(text, count, rules.strings, at, room.text)
            for each in range(first, row):
                key = columns.key[each]
                key[0], key[1], key[2], key[3] = behind, at, start, behind
            _hash_rows(room.text, seed, first, row, columns)
    return row, histogram, at
