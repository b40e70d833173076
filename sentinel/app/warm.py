"""Kernels before their first use: all of them compiled ahead, and what a daemon needs loaded at its start.

`python -m sentinel.app.warm` compiles; the code is cached beside the modules.
"""

from __future__ import annotations

import pkgutil
import time
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final

from sentinel.decode import Limits
from sentinel.host.feed import Feed
from sentinel.model import payload_of

EVALUATING: Final = ("sentinel.promql", "sentinel.detect")


def kernel_modules(package: str = "sentinel") -> list[str]:
    """Every module of a package that holds kernels, by the convention of their names."""
    found = pkgutil.walk_packages(import_module(package).__path__, f"{package}.")
    return sorted(each.name for each in found if "kernel" in each.name.rpartition(".")[2])


def load(feeds: Iterable[Feed]) -> None:
    """The kernels that these feeds' records and the rules go through: no first one waits for its kernel."""
    kinds = {format: type(decoder) for feed in feeds for format, decoder in feed.decoders.items()}
    for format, kind in kinds.items():
        decoder: Any = kind  # as a plug-in: see `decode.Decoder`
        for example in decoder.EXAMPLES:
            decoder(decoder.Config(), Limits(), 0).decode(payload_of("", format, example, arrival_ms=0))
    for package in EVALUATING:
        for name in kernel_modules(package):
            import_module(name)


def warm() -> float:
    """Imports all kernels, which compiles those that no cache has; returns the seconds it took."""
    begun = time.perf_counter()
    for name in kernel_modules():
        module = import_module(name)
        compile_more = getattr(module, "warm", None)
        if compile_more is not None:
            compile_more()
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(f"{len(kernel_modules())} kernel modules ready after {warm():.1f} s")
