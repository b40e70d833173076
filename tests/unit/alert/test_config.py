"""Configuration, matchers and routes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sentinel.alert.config import AlertmanagerConfig, check, dec_hook
from sentinel.alert.matchers import MatcherLine
from sentinel.alert.route import Timers, go_quote, group_key, route_tree
from sentinel.model import Duration, Labels
from tests.simulation.world import configuration


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=b", ['a="b"']),
        ('a="b"', ['a="b"']),
        (' a = "b c" ', ['a="b c"']),
        ("a=b c", ['a="b c"']),
        ('a!~"x|y"', ['a!~"x|y"']),
        (r'a=~"1\.2"', [r'a=~"1\\.2"']),
        (r'a="say \"hi\"\n"', [r'a="say \"hi\"\n"']),
        ('{a="b",c=~"d|e"}', ['a="b"', 'c=~"d|e"']),
        ('{a="b,c",}', ['a="b,c"']),
        ("a=", ['a=""']),
        ("{}", []),
        ("foo🙂=bar", ['foo🙂="bar"']),
        ('"foo bar"="x"', ['foo bar="x"']),
        (r'{"a\u00e9"!="b", c!=d}', ['aé!="b"', 'c!="d"']),
    ],
)
def test_matchers(text: str, expected: list[str]) -> None:
    assert [str(matcher) for matcher in MatcherLine.parse(text)] == expected


@pytest.mark.parametrize("text", ["a", "=b", '{a="b"', 'a="b', 'a="b"c"', "a=~(", 'a🙂b"c"=d', "a==b=~,=c"])
def test_bad_matchers_say_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"bad (matcher|regex)"):
        MatcherLine.parse(text)


def receiver(name: str = "r", **webhook: Any) -> dict[str, Any]:
    return {"name": name, "webhook_configs": [{"url": "http://h/", **webhook}]}


WRONG = [
    ({"route": {}}, ("route",), "must name a receiver"),
    ({"route": {"receiver": "r", "matchers": ["a=b"]}}, ("route", "matchers"), "must not have matchers"),
    ({"route": {"receiver": "r", "match": {"a": "b"}}}, ("route", "match"), "must not have matchers"),
    ({"route": {"receiver": "r", "continue": True}}, ("route", "continue"), "no sibling"),
    (
        {"route": {"receiver": "r", "routes": [{"receiver": "x"}]}},
        ("route", "routes", 0, "receiver"),
        'undefined receiver "x"',
    ),
    ({"route": {"receiver": "r", "group_by": ["a", "a"]}}, ("route", "group_by"), "repeated"),
    ({"route": {"receiver": "r", "group_by": ["...", "a"]}}, ("route", "group_by"), "stand alone"),
    ({"route": {"receiver": "r", "group_interval": "0s"}}, ("route", "group_interval"), "cannot be zero"),
    ({"route": {"receiver": "r", "repeat_interval": "0"}}, ("route", "repeat_interval"), "cannot be zero"),
    (
        {"route": {"receiver": "r", "routes": [{"match_re": {"a": "("}}]}},
        ("route", "routes", 0, "match_re"),
        "bad regex",
    ),
    ({"receivers": [receiver(), receiver()]}, ("receivers", 1, "name"), "defined twice"),
    ({"receivers": [receiver("r"), receiver("")]}, ("receivers", 1, "name"), "needs a name"),
    ({"receivers": [receiver(url_file="/f")]}, ("receivers", 0, "webhook_configs", 0, "url"), "exactly one"),
    (
        {"receivers": [receiver(url="ftp://h")]},
        ("receivers", 0, "webhook_configs", 0, "url"),
        "must read http",
    ),
    (
        {"receivers": [receiver(http_config={"bearer_token": "x", "authorization": {"credentials": "y"}})]},
        ("receivers", 0, "webhook_configs", 0, "http_config", "bearer_token"),
        "choose one of",
    ),
]


@pytest.mark.parametrize(("change", "path", "message"), WRONG)
def test_semantic_checks(change: dict[str, Any], path: tuple[Any, ...], message: str) -> None:
    raw = {"route": {"receiver": "r"}, "receivers": [receiver()], **change}
    found = check(msgspec.convert(raw, AlertmanagerConfig, dec_hook=dec_hook))
    assert [where for where, _ in found] == [path]
    assert message in found[0][1]


@pytest.mark.parametrize(
    "raw",
    [
        {"route": {"receiver": "r", "typo": 1}, "receivers": []},
        {"route": {"receiver": "r", "group_wait": "soon"}, "receivers": []},
        {"route": {"receiver": "r", "group_wait": 30}, "receivers": []},
        {"route": {"receiver": "r", "routes": [{"matchers": ["a"]}]}, "receivers": []},
    ],
)
def test_types_are_strict(raw: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, AlertmanagerConfig, dec_hook=dec_hook)


TREE = {
    "receiver": "default",
    "group_by": ["alertname"],
    "routes": [
        {
            "matchers": ['team="a"'],
            "receiver": "a",
            "group_wait": "0s",
            "routes": [
                {
                    "match_re": {"severity": "page|crit"},
                    "receiver": "a-page",
                    "continue": True,
                    "group_by": ["..."],
                },
                {"match": {"severity": "page"}, "repeat_interval": "2h"},
            ],
        },
        {"matchers": ["team=~b|c", 'env!="dev"'], "group_by": []},
    ],
}
ROUTED = [
    ({"x": "y"}, [("default", "{}")]),
    ({"team": "a"}, [("a", '{}/{team="a"}')]),
    (
        {"team": "a", "severity": "page"},
        [
            ("a-page", '{}/{team="a"}/{severity=~"^(?:page|crit)$"}'),
            ("a", '{}/{team="a"}/{severity="page"}'),
        ],
    ),
    ({"team": "a", "severity": "crit"}, [("a-page", '{}/{team="a"}/{severity=~"^(?:page|crit)$"}')]),
    ({"team": "b"}, [("default", '{}/{env!="dev",team=~"b|c"}')]),
    ({"team": "b", "env": "dev"}, [("default", "{}")]),
]


@pytest.mark.parametrize(("labels", "expected"), ROUTED)
def test_routes(labels: dict[str, str], expected: list[tuple[str, str]]) -> None:
    names = [receiver(name) for name in ("default", "a", "a-page")]
    tree = route_tree(configuration({"route": TREE, "receivers": names}).route)
    assert [(route.receiver, route.key) for route in tree.match(Labels(labels))] == expected


def test_children_inherit() -> None:
    names = [receiver(name) for name in ("default", "a", "a-page")]
    tree = route_tree(configuration({"route": TREE, "receivers": names}).route)
    every, page = tree.match(Labels({"team": "a", "severity": "page"}))
    assert every.timers == Timers(wait=0)
    assert page.timers == Timers(wait=0, repeat=int(Duration.parse("2h")))
    labels = Labels({"alertname": "A", "job": "j"})
    assert every.group_labels(labels) == labels
    assert page.group_labels(labels) == Labels({"alertname": "A"})
    assert group_key(page, page.group_labels(labels)) == '{}/{team="a"}/{severity="page"}:{alertname="A"}'


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('a"b\\', r'"a\"b\\"'),
        ("\x00\t\x7f", r'"\x00\t\x7f"'),
        ("é🙂", '"é🙂"'),
        ("\u200b\ufeff", r'"\u200b\ufeff"'),
    ],
)
def test_go_quote(text: str, quoted: str) -> None:
    assert go_quote(text) == quoted
