"""Reading `sentinel.yml` and every file that it names: all that is wrong with any of them, at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from sentinel.alert.config import AlertmanagerConfig
from sentinel.alert.config import check as check_alertmanager
from sentinel.config.checks import check_file
from sentinel.config.environment import substitute
from sentinel.config.schema import AlertTopicConfig, ConfigFile, GlobalConfig, SourceConfig, StoreConfig
from sentinel.documents import Positions, read_struct, read_text
from sentinel.documents.reading import Substitute
from sentinel.errors import ConfigError, ConfigErrors, RuleError
from sentinel.notify.alertmanager import ForwardConfig
from sentinel.notify.heartbeat import HeartbeatConfig
from sentinel.rules.load import RuleGroup, load_rules
from sentinel.watch.config import ClusterConfig

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that is right as far as files can tell. All file names in it are absolute."""

    path: Path
    base: Path
    """The folder that relative names in the file start from."""
    global_: GlobalConfig
    sources: tuple[SourceConfig, ...]
    store: StoreConfig
    alert_topic: AlertTopicConfig | None
    groups: tuple[RuleGroup, ...]
    """Their `file` is relative to `base`, so that alerts keep their ids wherever the folder lies."""
    alertmanager: AlertmanagerConfig | None
    alertmanagers: tuple[ForwardConfig, ...] = ()
    heartbeat: HeartbeatConfig | None = None
    clusters: tuple[ClusterConfig, ...] = ()


def load_config(path: str | Path) -> Config:
    """Raises ConfigErrors with everything wrong in the file, its rule files and its Alertmanager file.

    Errors name files as `path` does: relative if it is relative.
    """
    return _Loading(Path(path)).config()


class _Loading:
    def __init__(self, path: Path) -> None:
        self.errors: list[ConfigError | RuleError] = []
        self._path, self._base = path, path.parent

    def config(self) -> Config:
        from_environment = partial(substitute, environment=os.environ)
        file, positions = self._read(self._path, ConfigFile, from_environment)
        if file is None:
            raise ConfigErrors(in_order(self.errors))
        self.errors += check_file(file, positions)
        groups = [group for path in self._rule_files(file, positions) for group in self._rules(path)]
        alertmanager = self._alertmanager(file, positions)
        if self.errors:
            raise ConfigErrors(in_order(self.errors))
        base = self._base.absolute()
        return Config(
            path=self._path.absolute(),
            base=base,
            global_=file.global_,
            sources=tuple(with_absolute_files(source, base) for source in file.sources),
            store=file.store,
            alert_topic=with_absolute_files(file.alert_topic, base),
            groups=tuple(groups),
            alertmanager=alertmanager,
            alertmanagers=tuple(with_absolute_files(each, base) for each in file.alertmanagers),
            heartbeat=with_absolute_files(file.heartbeat, base),
            clusters=tuple(with_absolute_files(each, base) for each in file.clusters),
        )

    def _read(
        self, path: Path, struct: type[S], replace: Substitute | None = None
    ) -> tuple[S | None, Positions]:
        try:
            text = read_text(path)
        except ConfigError as error:
            raise ConfigErrors([*self.errors, error]) from None
        value, positions, errors = read_struct(str(path), text, struct, replace)
        self.errors += errors
        return value, positions

    def _rule_files(self, file: ConfigFile, positions: Positions) -> Iterator[Path]:
        """Each file once, in the order of the patterns and by name within one."""
        seen: set[Path] = set()
        for number, pattern in enumerate(file.rule_files):
            found = sorted(_matching(self._base, pattern))
            if not found:
                message = f"rule_files pattern {pattern!r} matches no file"
                hint = f"patterns are relative to {self._base.absolute()}"
                self._note(message, *positions.of(file, "rule_files", number), hint=hint)
            yield from (path for path in found if path not in seen)
            seen.update(found)

    def _rules(self, path: Path) -> list[RuleGroup]:
        try:
            name = os.path.relpath(path, self._base)
            return load_rules(path, Path(name).as_posix())
        except ConfigErrors as error:
            self.errors += error.errors
            return []

    def _alertmanager(self, file: ConfigFile, positions: Positions) -> AlertmanagerConfig | None:
        if file.alerting is None:
            return None
        path = self._base / file.alerting.config_file
        if not path.is_file():
            self._note(f"config_file: no such file: {path}", *positions.of(file.alerting, "config_file"))
            return None
        config, positions = self._read(path, AlertmanagerConfig)
        if config is None:
            return None
        for where, message in check_alertmanager(config):
            line, column = positions.of(config, *where)
            self.errors.append(ConfigError(message, path=str(path), line=line, column=column))
        return with_absolute_files(config, path.parent.absolute())

    def _note(self, message: str, line: int, column: int, hint: str = "") -> None:
        error = ConfigError(message, path=str(self._path), line=line, column=column, hint=hint)
        self.errors.append(error)


def in_order(errors: list[ConfigError | RuleError]) -> list[ConfigError | RuleError]:
    """File by file as they were read, and by line within each."""
    files = list(dict.fromkeys(error.path for error in errors))
    return sorted(errors, key=lambda error: (files.index(error.path), error.line, error.column))


def _matching(base: Path, pattern: str) -> Iterator[Path]:
    """The files that a pattern matches; none if it is no pattern at all."""
    anchor = Path(pattern).anchor
    try:
        found = list(Path(anchor or base).glob(pattern[len(anchor) :]))
    except ValueError:
        return
    yield from (path for path in found if path.is_file())


def with_absolute_files(value: T, base: Path) -> T:
    """A struct, with every key named `…_file` in it, however deep, taken as relative to `base`."""
    if isinstance(value, list | tuple):
        return type(value)(with_absolute_files(item, base) for item in value)
    if not isinstance(value, msgspec.Struct):
        return value
    changes = {
        name: str(base / inner) if name.endswith("_file") and inner else with_absolute_files(inner, base)
        for name in value.__struct_fields__
        if (inner := getattr(value, name)) is not None
    }
    return msgspec.structs.replace(value, **changes)
