"""Builds every stage from the configuration, introduces them, and runs them in one TaskGroup."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from sentinel import __version__, decode, telemetry
from sentinel.alert.log import AlertLog
from sentinel.api import lifecycle
from sentinel.app.sources import Sources
from sentinel.app.telling import Telling
from sentinel.clock import Clock, SystemClock
from sentinel.config.load import Config
from sentinel.config.reload import reload_config
from sentinel.engine import Engine, Settings
from sentinel.errors import ConfigErrors, SentinelError, StateError
from sentinel.host import Host
from sentinel.host.settings import HostSettings
from sentinel.model import Labels
from sentinel.rules.load import RuleGroup

log = telemetry.logger("app")


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    storage: Path
    listen: str = "127.0.0.1:9464"
    enable_lifecycle: bool = False
    snapshot_interval_ms: int = 60_000


class App:
    """One daemon. `run` returns after `stop`, or raises what made it impossible to go on."""

    def __init__(self, config: Config, options: Options, clock: Clock | None = None) -> None:
        self.config, self.options = config, options
        self.clock = clock or SystemClock()
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self.events = AlertLog(options.storage / "alerts")
        self.engine = Engine(groups_of(config), _settings(config, options))
        settings = HostSettings(options.storage, options.snapshot_interval_ms)
        self.host = Host(self.engine, self.events, self.clock, settings)
        self.sources = Sources(config, self.host, self.clock)
        self.host.attach(self.sources.feeds)
        self.telling = Telling(
            config,
            self.events,
            options.storage,
            self.clock,
            external_url=_external_url(config, options),
            catching_up=lambda group: group in self.host.gauges.catching_up,
        )
        self.host.on_events = lambda: self._soon(self.telling.wake)
        self.host.on_failure = lambda: self._soon(self._stopped.set)
        self.host.on_snapshot = lambda positions: self._soon(self._snapshot_kept, positions)

    async def run(self) -> None:
        """Until `stop` or SIGTERM.

        Raises:
            StateError: the state folder cannot be used, or the engine stopped.
        """
        telemetry.BUILD_INFO.labels(__version__).set(1)
        telemetry.RELOAD_OK.set(1)
        telemetry.REGISTRY.register(self.host.accounts)
        self._handle_signals()
        await asyncio.to_thread(decode.warm)  # ready means that the first record waits for no compiler
        server = await self._serve()
        self.host.start()
        stopped_by: ExceptionGroup[SentinelError] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for work in (*self.sources.run(), *self.telling.run()):
                    group.create_task(_for_ever(work))
                await self._stopped.wait()
                await self.sources.drain()
                raise _StopRequested
        except* _StopRequested:
            pass
        except* SentinelError as failed:
            stopped_by = failed
        finally:
            await server.cleanup()  # first: pushes under way are answered by the host
            await self.host.stop()
            await self.telling.close()
            telemetry.REGISTRY.unregister(self.host.accounts)
        if stopped_by is not None:
            raise StateError(f"cannot go on: {'; '.join(map(str, stopped_by.exceptions))}")
        if self.host.failure is not None:
            raise StateError(f"the engine stopped: {self.host.failure!r}") from self.host.failure

    def stop(self) -> None:
        self._stopped.set()

    async def reload(self) -> None:
        """Take rules and receivers from the files again; with anything wrong, all stays as it is.

        Raises:
            ConfigErrors: what is wrong.
        """
        try:
            fresh = await asyncio.to_thread(reload_config, self.config)
            await self.host.reload(groups_of(fresh))
            await self.telling.reload(fresh)
        except SentinelError as error:
            telemetry.RELOAD_OK.set(0)
            problems = error.errors if isinstance(error, ConfigErrors) else [error]
            log.error("reload refused", errors=[str(problem) for problem in problems])
            raise
        self.config = fresh
        telemetry.RELOAD_OK.set(1)
        log.info("reloaded", groups=len(fresh.groups))

    def unhealthy(self) -> str:
        """Why the daemon is not healthy, or nothing."""
        if self.host.failure is not None:
            return f"the engine stopped: {self.host.failure!r}"
        quickest = min((group.spec.interval_ms for group in self.engine.groups.values()), default=0)
        silent_ms = self.clock.now_ms() - self.host.beat_ms
        if silent_ms > max(3 * quickest, 15_000) and not self.host.replaying:
            return f"the engine has made no progress for {silent_ms / 1000:.0f} s"
        return ""

    def unready(self) -> str:
        """Why the daemon is not ready, or nothing."""
        if self.host.replaying:
            return "state is being restored"
        waiting = [feed.name for feed in self.sources.feeds if not feed.upstream.assigned]
        return f"sources not assigned yet: {', '.join(waiting)}" if waiting else ""

    async def _serve(self) -> web.AppRunner:
        host, _, port = self.options.listen.rpartition(":")
        server = web.Application()
        state = lifecycle.Lifecycle(
            self.unhealthy, self.unready, self.reload, telemetry.REGISTRY, self.options.enable_lifecycle
        )
        server.add_routes([*lifecycle.routes(state), *self.sources.routes()])
        runner = web.AppRunner(server, access_log=None, handle_signals=False, shutdown_timeout=3)
        await runner.setup()
        try:
            if int(port) not in range(65_536):
                raise ValueError("a port lies between 0 and 65535")
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        except (OSError, ValueError) as error:
            await runner.cleanup()
            raise StateError(f"cannot listen on {self.options.listen}: {error}") from None
        log.info("listening", address=self.options.listen)
        return runner

    def _handle_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self.stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    def _reload_soon(self) -> None:
        self._keep(self._loop.create_task(self.reload()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        """The loop itself holds tasks weakly. What goes wrong in these is in the log already."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _snapshot_kept(self, positions: Mapping[str, Mapping[str, int]]) -> None:
        """Windows on the past may close: offsets are committed, the alert log is cut behind every reader."""
        for source, offsets in positions.items():
            self._keep(self._loop.create_task(self.sources.commit(source, offsets)))
        before = min(self.host.log_position, self.telling.position)
        self._loop.run_in_executor(None, self.events.trim, before)

    def _soon(self, callback: object, *arguments: object) -> None:
        """From the engine's threads to the loop, if it is still there."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)  # type: ignore[arg-type]


async def _for_ever(work: Coroutine[Any, Any, None]) -> None:
    """What must run as long as the daemon does; ending by itself is our bug, and ends the daemon."""
    name = getattr(work, "__qualname__", "a stage")
    try:
        await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
    raise AssertionError(f"{name} ended by itself")


class _StopRequested(Exception):  # noqa: N818 - no error
    """Ends the TaskGroup."""


def groups_of(config: Config) -> list[RuleGroup]:
    """The rule groups with every interval filled in."""
    usual = int(config.global_.evaluation_interval)
    return [msgspec.structs.replace(g, interval_ms=g.interval_ms or usual) for g in config.groups]


def _external_url(config: Config, options: Options) -> str:
    return config.global_.external_url or f"http://{options.listen}"


def _settings(config: Config, options: Options) -> Settings:
    return Settings(
        sources=tuple(source.name for source in config.sources),
        external_labels=Labels(config.global_.external_labels),
        external_url=_external_url(config, options),
        retention_ms=config.store.retention_ms,
    )
