"""What is wrong with a configuration although each of its values is of the right type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

import msgspec

from sentinel import plugins
from sentinel.config.schema import ConfigFile, GlobalConfig, SourceConfig
from sentinel.documents import Positions
from sentinel.documents.wording import advice
from sentinel.errors import ConfigError
from sentinel.notify.client import is_http_url

MAX_SOURCES = 61
"""The store marks who feeds a series with one bit per source, and one source is Sentinel itself."""
KINDS = ("kafka", "scrape", "http")
_SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Problem(msgspec.Struct, frozen=True):
    """A mistake: the struct it is in, the keys from there, and what to say."""

    struct: msgspec.Struct
    where: tuple[str | int, ...]
    message: str
    hint: str = ""


def check_file(file: ConfigFile, positions: Positions) -> list[ConfigError]:
    """All mistakes in `file` itself; the files that it names are not looked at."""
    errors = []
    sections = (_check_global(file.global_), _check_sources(file, positions), _check_named(file))
    for problem in chain.from_iterable(sections):
        line, column = positions.of(problem.struct, *problem.where)
        errors.append(
            ConfigError(problem.message, path=positions.path, line=line, column=column, hint=problem.hint)
        )
    return errors


def _check_global(config: GlobalConfig) -> Iterator[Problem]:
    if config.evaluation_interval <= 0:
        yield Problem(config, ("evaluation_interval",), "evaluation_interval must be above zero")
    for name in config.external_labels:
        if not name or name == "__name__":
            yield Problem(config, ("external_labels", name), f"invalid label name: {name!r}")
    url, hint = config.external_url, "write for example http://sentinel.example:9464"
    if "@" in url:
        yield Problem(config, ("external_url",), "a user or password would show in every notification", hint)
    elif url and not is_http_url(url):
        yield Problem(config, ("external_url",), f"not a URL: {url!r}", hint)


def _check_sources(file: ConfigFile, positions: Positions) -> Iterator[Problem]:
    count = len(file.sources) + 2 * len(file.clusters)
    if count > MAX_SOURCES:
        message = f"{count} sources are too many (a cluster counts as two), {MAX_SOURCES} is the most"
        yield Problem(
            file, ("sources",), message, hint="a kafka source takes many topics, a scrape many targets"
        )
    pushed = [source for source in file.sources if source.http is not None]
    for source in pushed[1:]:
        message = f"only one source can take pushes, and {pushed[0].name!r} does already"
        yield Problem(source, ("http",), message)
    names: set[str] = set()
    for source in file.sources:
        if source.name in names:
            yield Problem(source, ("name",), f"source {source.name!r} is defined twice")
        names.add(source.name)
        if not _SOURCE_NAME.fullmatch(source.name):
            hint = "letters, digits and _ . - make a name"
            yield Problem(source, ("name",), f"not a source's name: {source.name!r}", hint)
        yield from _check_source(source, whole=positions.is_whole(source))


def _check_named(file: ConfigFile) -> Iterator[Problem]:
    """Clusters, and Alertmanagers that are told apart by their addresses."""
    names: set[str] = set()
    for cluster in file.clusters:
        if cluster.name in names:
            yield Problem(cluster, ("name",), f"cluster {cluster.name!r} is defined twice")
        names.add(cluster.name)
        if not _SOURCE_NAME.fullmatch(cluster.name):
            hint = "letters, digits and _ . - make a name"
            yield Problem(cluster, ("name",), f"not a cluster's name: {cluster.name!r}", hint)
    addresses: set[str] = set()
    for each in file.alertmanagers:
        if each.name in addresses:
            yield Problem(each, ("url",), f"an Alertmanager at {each.name} is listed already")
        addresses.add(each.name)


def _check_source(source: SourceConfig, whole: bool) -> Iterator[Problem]:
    kinds = [kind for kind in KINDS if getattr(source, kind) is not None]
    if len(kinds) > 1:
        message = f"source {source.name!r} is {' and '.join(kinds)}; it must be one of them"
        yield Problem(source, (kinds[1],), message)
    elif not kinds and whole:
        hint = "one without settings is written http: {}"
        yield Problem(source, (), f"source {source.name!r} needs one of {', '.join(KINDS)}", hint)
    known = plugins.names("decoders")
    if source.decoder not in known:
        hint = advice(source.decoder, known)
        yield Problem(source, ("format",), f"unknown format {source.decoder!r}", hint)
    if source.dead_letter_topic and source.kafka is None and whole:
        message = "dead_letter_topic is for kafka sources: the letters go to the source's own cluster"
        yield Problem(source, ("dead_letter_topic",), message)
