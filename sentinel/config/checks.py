"""What is wrong with a configuration although each of its values is of the right type."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec

from sentinel import plugins
from sentinel.config.schema import ConfigFile, GlobalConfig, SourceConfig
from sentinel.documents import Positions
from sentinel.documents.wording import advice
from sentinel.errors import ConfigError
from sentinel.notify.client import is_http_url
from sentinel.watch.config import ClusterConfig

MAX_SOURCES = 61
"""The store marks who feeds a series with one bit per source, and one source is Sentinel itself."""
KINDS = ("kafka", "scrape", "http")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Problem(msgspec.Struct, frozen=True):
    """A mistake: the struct it is in, the keys from there, and what to say."""

    struct: msgspec.Struct
    where: tuple[str | int, ...]
    message: str
    hint: str = ""


def check_file(file: ConfigFile, positions: Positions) -> list[ConfigError]:
    """All mistakes in `file` itself; the files that it names are not looked at."""
    errors = []
    sections = (
        _check_global(file.global_),
        _check_sources(file, positions),
        _check_names(file.clusters, "cluster"),
        _check_alertmanagers(file),
    )
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
    yield from _check_names(file.sources, "source")
    for source in file.sources:
        yield from _check_source(source, whole=positions.is_whole(source))


def _check_names(named: Sequence[SourceConfig] | Sequence[ClusterConfig], what: str) -> Iterator[Problem]:
    """Each has a name, and no other has it."""
    names: set[str] = set()
    for each in named:
        if each.name in names:
            yield Problem(each, ("name",), f"{what} {each.name!r} is defined twice")
        names.add(each.name)
        if not _NAME.fullmatch(each.name):
            hint = "letters, digits and _ . - make a name"
            yield Problem(each, ("name",), f"not a {what}'s name: {each.name!r}", hint)


def _check_alertmanagers(file: ConfigFile) -> Iterator[Problem]:
    """They are told apart by their addresses."""
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
    if source.decoder == "avro" and (source.kafka is None or source.schema_registry is None) and whole:
        message = "avro is read from kafka, with schemas of a registry"
        yield Problem(source, ("format",), message, "schema_registry: {url: http://registry:8081}")
    if source.schema_registry is not None and source.decoder != "avro" and whole:
        message = f"schema_registry is for avro, and the format is {source.decoder}"
        yield Problem(source, ("schema_registry",), message)
    if source.dead_letter_topic and source.kafka is None and whole:
        message = "dead_letter_topic is for kafka sources: the letters go to the source's own cluster"
        yield Problem(source, ("dead_letter_topic",), message)
    if source.refill != SourceConfig(name="").refill and source.kafka is None and whole:
        message = "refill is for kafka sources: what was pushed or scraped cannot be had again"
        yield Problem(source, ("refill",), message)
