"""Reading compiled kernels where nobody may write: in an image, as a user without rights.

numba looks for kernels beside their module only if it can write there, even just to read; otherwise it
compiles them again at every start. The image therefore names the class below in
`NUMBA_CACHE_LOCATOR_CLASSES`, both where it is built and where it runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from numba.core import caching


class ShippedCache(caching.InTreeCacheLocator):
    """The kernels beside their module, whether or not more can be added to them."""

    def ensure_cache_path(self) -> None:
        """numba's own tries to write a file here. A missing kernel is compiled, and kept if it can be."""


@contextlib.contextmanager
def _kept_if_possible(cache: caching.Cache) -> Iterator[None]:
    with contextlib.suppress(OSError):
        yield


# A kernel that cannot be saved works all the same. numba itself forgives such errors on Windows only.
caching.Cache._guard_against_spurious_io_errors = _kept_if_possible
