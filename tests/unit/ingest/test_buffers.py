"""Memory to receive into: never with two owners, back when the last view is gone, bounded in what is kept."""

from __future__ import annotations

import gc
import queue
import random
import threading
from collections.abc import Callable

import numpy as np
import pytest

from sentinel.ingest.buffers import KEPT_BYTES, Buffers


def address(view: memoryview) -> int:
    return int(np.frombuffer(view, np.uint8).ctypes.data)


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 16) + 1, 100_000, (8 << 20) + 77])
def test_a_view_has_the_size_that_was_asked_for_and_can_be_written(size: int) -> None:
    view = Buffers().lend(size)
    view[:] = b"x" * size
    assert len(view) == size and not view.readonly and bytes(view) == b"x" * size


def test_what_came_back_is_lent_again_to_a_frame_of_about_that_size() -> None:
    buffers = Buffers()
    view = buffers.lend(1_000_000)
    first = address(view)
    del view
    assert address(buffers.lend(1_001_000)) == first


@pytest.mark.parametrize(
    "made_of",
    [
        lambda view: view[10:20],
        lambda view: view.toreadonly()[5:],
        lambda view: np.frombuffer(view, np.uint8),
        lambda view: np.frombuffer(view, np.uint8)[100:200][::2],
        lambda view: np.frombuffer(view.toreadonly(), np.uint8)[3:].reshape(-1, 1).data,
    ],
)
def test_memory_stays_with_whatever_was_made_of_a_view(made_of: Callable[[memoryview], object]) -> None:
    buffers = Buffers()
    view = buffers.lend(200_000)
    first = address(view)
    left = made_of(view)
    del view
    assert address(buffers.lend(200_000)) != first
    del left
    gc.collect()
    again = [buffers.lend(200_000) for _ in range(2)]
    assert first in [address(each) for each in again]


def test_no_more_than_so_much_is_kept() -> None:
    buffers = Buffers()
    views = [buffers.lend(4 << 20) for _ in range(20)]
    known = {address(view) for view in views}
    del views
    ready = list(buffers._ready.values())
    assert {int(memory.ctypes.data) for memory in ready} <= known
    assert sum(len(memory) for memory in ready) == KEPT_BYTES


def test_sizes_nobody_asks_for_any_more_make_room_for_those_in_use() -> None:
    buffers = Buffers()
    for megabyte in range(1, 9):  # a group's first fetches, as partitions are assigned
        buffers.lend(megabyte << 20)
    view = buffers.lend(10 << 20)
    first = address(view)
    del view
    assert address(buffers.lend(10 << 20)) == first
    assert buffers.kept_bytes <= KEPT_BYTES


def test_views_let_go_in_another_thread_are_never_lent_twice() -> None:
    buffers, draw = Buffers(), random.Random(7)
    handed: queue.SimpleQueue[tuple[memoryview, bytes] | None] = queue.SimpleQueue()
    broken: list[bytes] = []

    def consume() -> None:
        while (given := handed.get()) is not None:
            view, mark = given
            if bytes(view[:8]) != mark or bytes(view[-8:]) != mark:
                broken.append(mark)

    thread = threading.Thread(target=consume)
    thread.start()
    for number in range(3000):
        view, mark = buffers.lend(draw.choice([70_000, 70_500, 300_000])), number.to_bytes(8, "big")
        view[:8] = view[-8:] = mark
        handed.put((view, mark))
        del view
    handed.put(None)
    thread.join()
    assert not broken
