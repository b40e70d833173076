"""What may be set of sources that are pushed to. Apart from the sources: to check it takes no HTTP server."""

from __future__ import annotations

from typing import Annotated

import msgspec

Size = Annotated[int, msgspec.Meta(ge=1024, le=1 << 30)]


class PushConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Samples that others push to our own HTTP server: lines, and Prometheus remote write.

    `body_bytes` bounds a request as it is sent, `decompressed_bytes` what is in it, `in_flight_bytes` the
    bodies of all requests that are not answered yet.
    """

    body_bytes: Size = 8 << 20
    decompressed_bytes: Size = 64 << 20
    in_flight_bytes: Size = 256 << 20

    def __post_init__(self) -> None:
        if self.body_bytes > self.in_flight_bytes or self.decompressed_bytes > self.in_flight_bytes:
            raise ValueError("in_flight_bytes must hold at least one body, packed and unpacked")
