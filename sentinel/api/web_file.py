"""The web configuration as its file says now: read anew when it, a certificate or a key has changed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from prometheus_client import Gauge

from sentinel.api.web_config import load_web_config
from sentinel.errors import ConfigError, ConfigErrors
from sentinel.telemetry import REGISTRY, logger

LOOK_SECONDS: Final = 1.0
RELOADED = Gauge(
    "sentinel_web_config_last_reload_successful",
    "Whether the web configuration, with its certificates, was taken as it is now.",
    registry=REGISTRY,
)

log = logger("api")


class WebFile:
    """`config` holds the last that was right; one that is wrong is logged once and changes nothing."""

    def __init__(self, path: Path) -> None:
        """Reads files. Raises ConfigErrors."""
        self._path, self._trouble = path, ""
        self.config = load_web_config(path)
        self._seen = _stamps(self.config.files)
        RELOADED.set(1)

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Looks for changes, on any thread. After trouble it always reads: other files may be meant now."""
        seen = _stamps(self.config.files)
        if seen == self._seen and not self._trouble:
            return
        try:
            fresh = load_web_config(self._path)
            if (fresh.context is None) is not (self.config.context is None):
                raise _restart_needed(self._path)
        except ConfigErrors as error:
            self._refused(error)
        else:
            self.config, self._trouble = fresh, ""
            self._seen = seen if fresh.files == self.config.files else _stamps(fresh.files)
            RELOADED.set(1)
            log.info("web config taken anew", users=len(fresh.users))

    def _refused(self, error: ConfigErrors) -> None:
        RELOADED.set(0)
        if str(error) != self._trouble:
            self._trouble = str(error)
            log.error("web config refused, the old one stays", errors=[str(one) for one in error.errors])


class FreshContext(ssl.SSLContext):
    """Stands for whatever context the file gives: each new connection gets the one of its moment."""

    file: WebFile

    @classmethod
    def of(cls, file: WebFile) -> FreshContext:
        made = cls(ssl.PROTOCOL_TLS_SERVER)
        made.file = file
        return made

    def wrap_bio(self, *arguments: Any, **settings: Any) -> ssl.SSLObject:
        context = self.file.config.context
        assert context is not None, "TLS is neither turned on nor off without a restart"
        return context.wrap_bio(*arguments, **settings)


def _restart_needed(path: Path) -> ConfigErrors:
    message = "TLS was turned on or off, which needs a restart"
    return ConfigErrors([ConfigError(message, path=str(path), hint="restart, or undo the change")])


def _stamps(files: Iterable[Path]) -> list[tuple[int, int, int] | None]:
    """What changes when a file is written or replaced, also through a link; None where there is none."""
    return [_stamp(file) for file in files]


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
