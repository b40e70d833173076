"""Hot loops over Kafka's record batches (message format v2): headers, verdicts, records.

Every position read is compared with the end of what it may read before: the bytes are a stranger's.
A header row holds, as int64: see the column numbers below. Layout: KIP-98, big-endian, varints zigzag.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit, types

BYTES: Final = types.Array(types.uint8, 1, "C", readonly=True)
TABLE: Final = types.Array(types.int64, 2, "C")
TABLE_IN: Final = types.Array(types.int64, 2, "C", readonly=True)
COLUMN: Final = types.Array(types.int64, 1, "C")

START, END, BASE, MAGIC, CRC, ATTRIBUTES, LAST_DELTA, FIRST_MS, MAX_MS, PRODUCER, COUNT = range(11)
HEADER_COLUMNS: Final = 11
"""Columns of a header row; START and END span the whole batch in the buffer."""

BODY_START, BODY_END, BODY_BASE, BODY_FIRST_MS, BODY_APPEND_MS, BODY_COUNT, BODY_LAST_DELTA = range(7)
BODY_COLUMNS: Final = 7
"""Columns of a body row, the records of one batch; BODY_APPEND_MS is -1 unless the broker's time counts."""

LOG_OVERHEAD: Final = 12
HEADER_SIZE: Final = 61
CRC_FROM: Final = 21
MIN_RECORD: Final = 7
MAX_OFFSET: Final = 1 << 62
GOOD, BAD_CRC, BAD_ORDER, BAD_FORM = 0, 1, 2, 3


@njit(cache=True, nogil=True)
def _big_endian(buffer, at, size):  # type: ignore[no-untyped-def]
    """A signed big-endian integer of `size` bytes; the caller has checked the bounds."""
    value = np.int64(0)
    for i in range(size):
        value = (value << 8) | np.int64(buffer[at + i])
    shift = 64 - 8 * size
    return (value << shift) >> shift


@njit(cache=True, nogil=True)
def _read_header(buffer, start, end, row):  # type: ignore[no-untyped-def]
    row[START], row[END] = start, end
    row[BASE] = _big_endian(buffer, start, 8)
    row[MAGIC] = buffer[start + 16]
    if row[MAGIC] != 2:
        return
    if end - start < HEADER_SIZE:
        row[MAGIC] = -1
        return
    row[CRC] = _big_endian(buffer, start + 17, 4) & 0xFFFFFFFF
    row[ATTRIBUTES] = _big_endian(buffer, start + 21, 2)
    row[LAST_DELTA] = _big_endian(buffer, start + 23, 4)
    row[FIRST_MS] = _big_endian(buffer, start + 27, 8)
    row[MAX_MS] = _big_endian(buffer, start + 35, 8)
    row[PRODUCER] = _big_endian(buffer, start + 43, 8)
    row[COUNT] = _big_endian(buffer, start + 57, 4)


@njit(types.Tuple((TABLE, types.boolean))(BYTES), cache=True, nogil=True)
def scan(buffer):  # type: ignore[no-untyped-def]
    """One header row per complete batch, and whether what follows them is no batch at all.

    A last batch that is cut off is left out: the broker sends the rest with the next fetch.
    """
    size, count, at, torn = len(buffer), 0, 0, False
    while at + LOG_OVERHEAD + 5 <= size:
        length = _big_endian(buffer, at + 8, 4)
        if length < 5:
            torn = True
            break
        if at + LOG_OVERHEAD + length > size:
            break
        at += LOG_OVERHEAD + length
        count += 1
    headers = np.zeros((count, HEADER_COLUMNS), np.int64)
    at = 0
    for i in range(count):
        end = at + LOG_OVERHEAD + _big_endian(buffer, at + 8, 4)
        _read_header(buffer, at, end, headers[i])
        at = end
    return headers, torn


@njit(COLUMN(TABLE_IN, COLUMN), cache=True, nogil=True)
def verify(headers, checksums):  # type: ignore[no-untyped-def]
    """A verdict per batch: checksum right, shape sound, offsets ascending.

    The base offset is outside the checksum, hence the look at the order. Older formats (magic 0 and 1)
    are judged by their own parser.
    """
    verdict, expected = np.zeros(len(headers), np.int64), np.int64(0)
    for i in range(len(headers)):
        row = headers[i]
        if row[MAGIC] == 0 or row[MAGIC] == 1:
            continue
        if row[MAGIC] != 2:
            verdict[i] = BAD_FORM
        elif checksums[i] != row[CRC]:
            verdict[i] = BAD_CRC
        elif row[COUNT] < 0 or row[LAST_DELTA] < 0:
            verdict[i] = BAD_FORM
        elif row[BASE] < expected or row[BASE] > MAX_OFFSET:
            verdict[i] = BAD_ORDER
        else:
            expected = row[BASE] + row[LAST_DELTA] + 1
    return verdict


@njit(cache=True, nogil=True)
def _varint(buffer, at, end):  # type: ignore[no-untyped-def]
    """A zigzag varint and where it ends; -1 as the end says that it does not end within bounds."""
    value, shift = np.uint64(0), 0
    while at < end and shift < 64:
        byte = np.uint64(buffer[at])
        value |= (byte & np.uint64(0x7F)) << np.uint64(shift)
        at += 1
        if byte < 128:
            return np.int64(value >> np.uint64(1)) ^ -np.int64(value & np.uint64(1)), at
        shift += 7
    return np.int64(0), -1


@njit(cache=True, nogil=True)
def _record(buffer, at, end):  # type: ignore[no-untyped-def]
    """(value start, value end, time delta, offset delta, record end); a record end of -1 is malformed."""
    bad = (0, 0, np.int64(0), np.int64(0), -1)
    length, at = _varint(buffer, at, end)
    if at < 0 or length < 1 or length > end - at:
        return bad
    record_end = at + length
    time_delta, at = _varint(buffer, at + 1, record_end)
    if at < 0:
        return bad
    offset_delta, at = _varint(buffer, at, record_end)
    if at < 0:
        return bad
    key, at = _varint(buffer, at, record_end)
    if at < 0 or key > record_end - at:
        return bad
    value, at = _varint(buffer, at + max(key, 0), record_end)
    if at < 0 or max(value, 0) >= record_end - at:  # at least the count of headers follows
        return bad
    return at, at + max(value, 0), time_delta, offset_delta, record_end


@njit(cache=True, nogil=True)
def _walk_batch(buffer, body, fetch_offset, rows, out):  # type: ignore[no-untyped-def]
    """The number of rows after this batch, or -1 if one of its records is malformed."""
    start, end, offset, record_ms = out
    at, last = body[BODY_START], np.int64(-1)
    for _ in range(body[BODY_COUNT]):
        value_start, value_end, time_delta, delta, at = _record(buffer, at, body[BODY_END])
        if at < 0 or delta <= last or delta > body[BODY_LAST_DELTA]:
            return -1
        last = delta
        if body[BODY_BASE] + delta < fetch_offset:
            continue
        start[rows], end[rows] = value_start, value_end
        offset[rows] = body[BODY_BASE] + delta
        time = body[BODY_APPEND_MS] if body[BODY_APPEND_MS] >= 0 else body[BODY_FIRST_MS] + time_delta
        record_ms[rows] = max(time, -1)
        rows += 1
    return rows if at == body[BODY_END] else -1


_ROWS: Final = types.Tuple((COLUMN, COLUMN, COLUMN, COLUMN, types.int64))


@njit(_ROWS(BYTES, TABLE_IN, types.int64), cache=True, nogil=True)
def walk(buffer, bodies, fetch_offset):  # type: ignore[no-untyped-def]
    """The values of all records at or after `fetch_offset`: start, end, offset, time; and how many
    batches were left out as malformed. A null value is an empty span."""
    room = 0
    for i in range(len(bodies)):
        most = (bodies[i, BODY_END] - bodies[i, BODY_START]) // MIN_RECORD
        room += max(min(bodies[i, BODY_COUNT], most), 0)
    start, end = np.empty(room, np.int64), np.empty(room, np.int64)
    offset, record_ms = np.empty(room, np.int64), np.empty(room, np.int64)
    rows, bad = 0, 0
    for i in range(len(bodies)):
        most = (bodies[i, BODY_END] - bodies[i, BODY_START]) // MIN_RECORD
        after = -1
        if bodies[i, BODY_COUNT] <= most:
            after = _walk_batch(buffer, bodies[i], fetch_offset, rows, (start, end, offset, record_ms))
        if after < 0:
            bad += 1
        else:
            rows = after
    return start[:rows], end[:rows], offset[:rows], record_ms[:rows], bad
