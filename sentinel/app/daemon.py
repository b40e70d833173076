"""Builds every stage from the configuration, introduces them, and runs them in one TaskGroup."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from sentinel import __version__, telemetry
from sentinel.alert.log import AlertLog
from sentinel.api import lifecycle, prometheus
from sentinel.api.server import Server, serve
from sentinel.api.web_config import load_web_config
from sentinel.app import warm
from sentinel.app.sources import Sources, source_labels, source_names
from sentinel.app.state_folder import Folder
from sentinel.app.supervision import Supervisor
from sentinel.app.telling import Telling, renewing
from sentinel.clock import Clock, SystemClock
from sentinel.config.load import Config
from sentinel.config.reload import reload_config
from sentinel.engine import Engine, Settings
from sentinel.errors import ConfigErrors, SentinelError, StateError
from sentinel.host import Host
from sentinel.host.settings import HostSettings
from sentinel.host.suspects import Suspects
from sentinel.model import Duration, Labels
from sentinel.rules.load import RuleGroup

log = telemetry.logger("app")

LAST_WORDS_SECONDS: Final = 10.0


class Options(msgspec.Struct, frozen=True):
    """What the command line says."""

    storage: Path
    listen: str = "127.0.0.1:9464"
    enable_lifecycle: bool = False
    web_config: Path | None = None
    snapshot_interval_ms: int = 60_000
    queries: prometheus.QuerySettings = prometheus.QuerySettings()


class App:
    """One daemon. `run` returns after `stop`, or raises what made it impossible to go on."""

    def __init__(self, config: Config, options: Options, clock: Clock | None = None) -> None:
        self.config, self.options = config, options
        self.clock = clock or SystemClock()
        self._reloaded = (True, self.clock.now_ms())
        self._stopped, self._wished = asyncio.Event(), False
        self._reloading = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self.events = AlertLog(options.storage / "alerts")
        suspects = Suspects(options.storage, self.clock.now_ms())
        settings = _settings(config, options)
        self.engine = Engine(groups_of(config), settings, suspects)
        host_settings = HostSettings(options.storage, options.snapshot_interval_ms)
        self.host = Host(self.engine, self.events, self.clock, host_settings, suspects)
        self.sources = Sources(config, self.host, self.clock, options.listen, options.storage)
        self.host.attach(self.sources.feeds)
        self.telling = Telling(
            config,
            self.events,
            options.storage,
            self.clock,
            external_url=settings.external_url,
            catching_up=lambda group: group in self.host.gauges.catching_up,
            firing=self.host.firing,
            renew=renewing(self.host.call),
        )
        self.supervisor = Supervisor(
            self.host, self.telling, self.clock, Folder(options.storage), settings.external_labels
        )
        self.supervisor.on_fatal = self.stop
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
        await asyncio.to_thread(warm.load, self.sources.feeds)
        server = await self._serve()
        await asyncio.to_thread(self.host.start)  # meanwhile it answers that it is not ready yet
        watching = self._loop.create_task(self._watch())
        watching.add_done_callback(lambda _: self.stop())
        try:
            stopped_by = await self._run_stages()
        finally:
            await server.cleanup()  # first: pushes under way are answered by the host
            await self.host.stop()
            await self._last_words()
            watched = watching.cancel()
            await self.telling.close()
            telemetry.REGISTRY.unregister(self.host.accounts)
        if self.supervisor.fatal:
            raise StateError(self.supervisor.fatal) from stopped_by
        if self.host.failure is not None:
            raise StateError(f"the engine stopped: {self.host.failure!r}") from self.host.failure
        if not watched:
            raise AssertionError("supervision ended by itself") from watching.exception()

    async def _run_stages(self) -> ExceptionGroup[Exception] | None:
        """Until somebody stops them; what they end of by themselves."""
        stopped_by: ExceptionGroup[Exception] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                for work in (*self.sources.run(), *self.telling.run(self.supervisor.healthy)):
                    group.create_task(_for_ever(work))
                await self._stopped.wait()
                await self.sources.drain()
                raise _StopRequested
        except* _StopRequested:
            pass
        except* Exception as failed:
            stopped_by = failed
            self.supervisor.fatal = f"it cannot go on: {'; '.join(map(repr, failed.exceptions))}"
            log.critical("a stage ended", error=self.supervisor.fatal, exc_info=True)
        return stopped_by

    async def _watch(self) -> None:
        """Outside of the stages: it goes on until everything that went wrong with them is told."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.supervisor.run())
            group.create_task(self.telling.urgent.run())

    async def _last_words(self) -> None:
        """Somebody has to know of an end that nobody wished for."""
        if self.supervisor.fatal or (self.host.failure is not None and not self._wished):
            self.supervisor.look()
            await self.telling.last_words(LAST_WORDS_SECONDS)

    def stop(self) -> None:
        self._stopped.set()

    def _asked_to_stop(self) -> None:
        self._wished = True
        self.stop()

    async def reload(self) -> None:
        """Take rules and receivers from the files again; with anything wrong, all stays as it is.

        Raises:
            ConfigErrors: what is wrong.
        """
        try:
            async with self._reloading:
                fresh = await asyncio.to_thread(reload_config, self.config)
                await self.host.reload(groups_of(fresh))
                await self.telling.reload(fresh)
                self.config = fresh
        except SentinelError as error:
            telemetry.RELOAD_OK.set(0)
            self._reloaded = (False, self._reloaded[1])
            problems = error.errors if isinstance(error, ConfigErrors) else [error]
            log.error("reload refused", errors=[str(problem) for problem in problems])
            raise
        telemetry.RELOAD_OK.set(1)
        self._reloaded = (True, self.clock.now_ms())
        log.info("reloaded", groups=len(fresh.groups))

    def unready(self) -> str:
        """Why the daemon is not ready, or nothing."""
        if unwritable := self.supervisor.unwritable():
            return unwritable
        if self.host.replaying:
            return "state is being restored"
        waiting = [feed.name for feed in self.sources.feeds if not feed.upstream.assigned]
        return f"sources not assigned yet: {', '.join(waiting)}" if waiting else ""

    async def _serve(self) -> Server:
        state = lifecycle.Lifecycle(
            self.supervisor.stuck,
            self.unready,
            self.reload,
            telemetry.REGISTRY,
            self.options.enable_lifecycle,
        )
        routes = [*lifecycle.routes(state), *prometheus.routes(self._about()), *self.sources.routes()]
        return await serve(routes, self.options.listen, self.options.web_config)

    def _about(self) -> prometheus.About:
        return prometheus.About(
            host=self.host,
            clock=self.clock,
            queries=self.options.queries,
            configuration=lambda: _sections(self.config),
            flags=_flags(self.config, self.options),
            retention=lambda: str(self.config.store.retention),
            scraped=lambda: {s.name: s.scrape for s in self.config.sources if s.scrape is not None},
            alertmanagers=lambda: [each.base for each in self.config.alertmanagers],
            reloaded=lambda: self._reloaded,
        )

    def _handle_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._asked_to_stop)
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
    tls = options.web_config is not None and load_web_config(options.web_config).context is not None
    return config.global_.external_url or f"{'https' if tls else 'http'}://{options.listen}"


def _settings(config: Config, options: Options) -> Settings:
    return Settings(
        sources=source_names(config),
        source_labels=source_labels(config),
        external_labels=Labels(config.global_.external_labels),
        external_url=_external_url(config, options),
        retention_ms=config.store.retention_ms,
        subquery_step_ms=int(config.global_.evaluation_interval),
    )


def _sections(config: Config) -> dict[str, Any]:
    """What stands in the configuration's file, as the daemon goes by it."""
    found = {"global": config.global_, "sources": config.sources, "store": config.store}
    optional = ("alert_topic", "alertmanagers", "heartbeat", "clusters")
    return found | {name: value for name in optional if (value := getattr(config, name))}


def _flags(config: Config, options: Options) -> dict[str, str]:
    """The command line, with what was left to its defaults."""
    return {
        "config.file": str(config.path),
        "storage.path": str(options.storage),
        "web.listen-address": options.listen,
        "web.enable-lifecycle": str(options.enable_lifecycle).lower(),
        "web.config.file": str(options.web_config or ""),
        "query.timeout": str(Duration(round(options.queries.timeout_seconds * 1000))),
        "query.max-samples": str(options.queries.max_samples),
        "query.lookback-delta": str(Duration(options.queries.lookback_ms)),
    }
