"""Partitions of the watched topics: who keeps them, from the metadata; offsets, from each leader."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from itertools import groupby
from typing import Final, Literal

import msgspec
import numpy as np

from sentinel.model import Int64s
from sentinel.watch.poll.protocol.list_offsets import ListOffsets, Offsets
from sentinel.watch.poll.protocol.metadata import Row
from sentinel.watch.poll.round import Round
from sentinel.watch.snapshot import UNKNOWN, PartitionTable

CHUNK: Final = 20_000
"""Partitions asked for in one request: about 500 kB."""


def partition_table(topics: Mapping[str, Collection[Row]]) -> PartitionTable:
    """All rows of these topics, their offsets not known yet."""
    rows = [(name, row) for name in sorted(topics) for row in topics[name]]
    unknown = np.full(len(rows), UNKNOWN, np.int64)
    return PartitionTable(
        topic=tuple(name for name, _ in rows),
        partition=np.array([row.partition for _, row in rows], np.int64),
        leader=np.array([row.leader for _, row in rows], np.int64),
        replicas=tuple(row.replicas for _, row in rows),
        in_sync=tuple(row.in_sync for _, row in rows),
        start=unknown,
        end=unknown,
    )


async def with_offsets(asked: Round, table: PartitionTable) -> PartitionTable:
    """The table with each leader's answer. Partitions without leader or answer stay UNKNOWN."""
    start, end = (np.full(len(table), UNKNOWN, np.int64) for _ in range(2))
    await asyncio.gather(
        *[
            _ask_leader(asked, int(leader), table, start, end)
            for leader in np.unique(table.leader)
            if leader != UNKNOWN
        ]
    )
    if (end == UNKNOWN).any() or (start == UNKNOWN).any():
        asked.incomplete.add("offsets")
    return msgspec.structs.replace(table, start=start, end=end)


async def _ask_leader(asked: Round, leader: int, table: PartitionTable, start: Int64s, end: Int64s) -> None:
    """Fills in the rows of one leader: oldest offsets first, so that no log seems to end before its start."""
    mine = np.flatnonzero(table.leader == leader)
    for rows in np.split(mine, range(CHUNK, len(mine), CHUNK)):
        by_topic = _by_topic(table, rows)
        wanted = {topic: table.partition[at] for topic, at in by_topic.items()}
        await _ask(asked, leader, "earliest", wanted, by_topic, start)
        await _ask(asked, leader, "latest", wanted, by_topic, end)


async def _ask(
    asked: Round,
    leader: int,
    which: Literal["earliest", "latest"],
    wanted: Mapping[str, Int64s],
    by_topic: Mapping[str, Int64s],
    column: Int64s,
) -> None:
    answer = await asked.ask(leader, ListOffsets(which, wanted), "offsets")
    for topic, offsets in (answer or {}).items():
        if topic in wanted:
            _fill(column, by_topic[topic], wanted[topic], offsets)


def _fill(column: Int64s, rows: Int64s, wanted: Int64s, offsets: Offsets) -> None:
    """Puts a topic's offsets into its rows. `wanted` is in order; the answer may hold anything."""
    at = np.minimum(np.searchsorted(wanted, offsets.partition), len(wanted) - 1)
    good = (wanted[at] == offsets.partition) & (offsets.error == 0) & (offsets.offset >= 0)
    column[rows[at[good]]] = offsets.offset[good]


def _by_topic(table: PartitionTable, rows: Int64s) -> dict[str, Int64s]:
    """Rows of the table by topic; they are in its order."""
    groups = groupby(rows.tolist(), key=table.topic.__getitem__)
    return {topic: np.array(list(group), np.int64) for topic, group in groups}
