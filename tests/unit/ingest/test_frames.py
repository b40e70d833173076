"""Frames off a socket: however the bytes come, each frame comes out once, whole and in order."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.ingest.buffers import Buffers
from sentinel.ingest.frames import HEAD, MOST_BYTES, SCRATCH_BYTES, Frames


class Former(asyncio.StreamReaderProtocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def connection_lost(self, exc: BaseException | None) -> None:
        self.told.append("lost")

    def eof_received(self) -> bool:
        self.told.append("eof")
        return False

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def __del__(self) -> None: ...


def framed(bodies: list[bytes]) -> bytes:
    return b"".join(len(body).to_bytes(HEAD, "big") + body for body in bodies)


def feed(protocol: Frames, data: bytes, sizes: list[int]) -> None:
    """As a transport does: never more at once than the protocol has room for."""
    at, turn = 0, 0
    while at < len(data):
        room = protocol.get_buffer(-1)
        assert len(room) > 0
        count = min(len(room), sizes[turn % len(sizes)], len(data) - at)
        room[:count] = data[at : at + count]
        protocol.buffer_updated(count)
        at, turn = at + count, turn + 1


EDGES = [0, 1, SCRATCH_BYTES - HEAD - 1, SCRATCH_BYTES - HEAD, SCRATCH_BYTES - HEAD + 1, 3 * SCRATCH_BYTES]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 40), st.sampled_from(EDGES)), max_size=12),
    st.lists(st.sampled_from([1, 3, 4, 5, 1000, SCRATCH_BYTES, 1 << 20]), min_size=1, max_size=4),
    st.integers(0, 9),
)
def test_frames_come_out_as_they_were_put_in(lengths: list[int], sizes: list[int], seed: int) -> None:
    bodies = [random.Random(f"{seed} {at}").randbytes(length) for at, length in enumerate(lengths)]
    if sum(lengths) > 1 << 14:
        sizes = [max(size, 1000) for size in sizes]
    taken: list[bytes] = []
    protocol = Frames(Former(), lambda frame: taken.append(bytes(frame)), Buffers())
    feed(protocol, framed(bodies), sizes)
    assert taken == bodies


def test_a_frame_longer_than_any_ends_the_connection() -> None:
    protocol = Frames(Former(), lambda frame: None, Buffers())
    with pytest.raises(ValueError, match="a frame of"):
        feed(protocol, (MOST_BYTES + 1).to_bytes(HEAD, "big"), [HEAD])


def test_the_former_protocol_hears_of_all_else() -> None:
    former = Former()
    protocol = Frames(former, lambda frame: None, Buffers())
    protocol.pause_writing()
    protocol.resume_writing()
    assert protocol.eof_received() is False
    protocol.connection_lost(None)
    assert former.told == ["pause", "resume", "eof", "lost"]


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_running_transport_changes_over(loop: object) -> None:
    """What a stream reader was given before stays with it; all that follows is framed."""

    async def work() -> list[bytes]:
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        theirs.sendall(b"before")
        assert await reader.readexactly(6) == b"before"
        taken: list[bytes] = []
        done = asyncio.Event()

        def took(frame: memoryview) -> None:
            taken.append(bytes(frame))
            if len(taken) == 3:
                done.set()

        writer.transport.set_protocol(Frames(writer.transport.get_protocol(), took, Buffers()))  # type: ignore[arg-type]
        await asyncio.to_thread(theirs.sendall, framed([b"a", b"b" * 1_000_000, b"c"]))
        async with asyncio.timeout(10):
            await done.wait()
        writer.close()
        theirs.close()
        return taken

    with asyncio.Runner(loop_factory=loop) as runner:  # type: ignore[arg-type]
        assert [len(frame) for frame in runner.run(work())] == [1, 1_000_000, 1]
