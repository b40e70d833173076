"""Waiting for something that another process does: bounded, and with a reason when it does not come."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack


def wait_until(
    condition: Callable[[], object],
    *,
    timeout: float,
    what: str,
    poll: float = 0.1,
    why: Callable[[], object] = str,
) -> None:
    """Returns once `condition` holds; after `timeout` seconds fails, saying `what` and what `why` returns."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {timeout:g} s\n{why()}")
        time.sleep(poll)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago: bound to 0 all at once, so that they differ."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def listens(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
