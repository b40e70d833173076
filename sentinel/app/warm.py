"""Compiles every kernel ahead, so that nobody who starts the daemon waits for a compiler.

`python -m sentinel.app.warm`; the compiled code is cached beside the modules.
"""

from __future__ import annotations

import pkgutil
import time
from importlib import import_module

import sentinel


def kernel_modules() -> list[str]:
    """Every module that holds kernels, by the convention of their names."""
    found = pkgutil.walk_packages(sentinel.__path__, "sentinel.")
    return sorted(each.name for each in found if "kernel" in each.name.rpartition(".")[2])


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
