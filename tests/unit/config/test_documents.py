"""YAML documents with positions: what is read, and what is said of mistakes."""

from __future__ import annotations

import re
import textwrap
from typing import Annotated, Any, Literal

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.documents import load_struct, read_struct, reread
from sentinel.errors import ConfigError, ConfigErrors
from sentinel.model import Duration, Secret


class Server(msgspec.Struct, forbid_unknown_fields=True):
    hosts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=3)]
    mode: Literal["PLAIN", "SCRAM"] | None = None
    password: Secret | None = None

    def __post_init__(self) -> None:
        if self.mode == "PLAIN" and not self.password:
            raise ValueError("PLAIN needs a password")


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    count: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    every: Duration = Duration(1000)
    ratio: float = 1.0
    on: bool = False
    labels: dict[str, str] = {}
    server: Server | None = None
    servers: list[Server] = []
    address: list[str] | str = ""
    free: Any = None
    for_: Duration | None = msgspec.field(default=None, name="for")


def load(text: str) -> Settings:
    return load_struct("f.yml", textwrap.dedent(text), Settings)[0]


def refusals(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(text)
    return [str(error) for error in caught.value.errors]


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        ("name", "1.10", "1.10"),
        ("name", "yes", "yes"),
        ("name", "2024-01-01", "2024-01-01"),
        ("name", "0x1F", "0x1F"),
        ("count", "3", 3),
        ("every", "1h30m", Duration(5_400_000)),
        ("every", "0", Duration(0)),
        ("every", "", Duration(1000)),
        ("for", "", None),
        ("ratio", "1e6", 1e6),
        ("ratio", "3", 3.0),
        ("on", "yes", True),
        ("labels", "{a: yes, b: , c: 1e3}", {"a": "yes", "b": "", "c": "1e3"}),
        ("address", "a", "a"),
        ("address", "[a, b]", ["a", "b"]),
        ("free", "{a: [1, 2.5, yes, text]}", {"a": [1, 2.5, True, "text"]}),
        ("server", "{hosts: [a], password: secret}", Server(["a"], None, Secret("secret"))),
    ],
)
def test_values(key: str, written: str, read: Any) -> None:
    settings = load(f"{key}: {written}\n" + ("" if key == "name" else "name: n\n"))
    assert getattr(settings, "for_" if key == "for" else key) == read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "nam: x\n",
            ["f.yml:1:1: unknown key 'nam' (did you mean 'name'?)", "f.yml:1:1: missing key 'name'"],
        ),
        ("", ["f.yml:1:1: missing key 'name'"]),
        ("name:\n", ["f.yml:1:1: missing key 'name'"]),
        ("name: [x]\n", ["f.yml:1:7: expected a text, got a list"]),
        ("- name\n", ["f.yml:1:1: expected a mapping, got a list"]),
        ("name: n\nname: m\n", ["f.yml:2:1: key 'name' is given twice, first in line 1"]),
        ("name: n\ncount: 9\n", ["f.yml:2:8: expected a whole number (at least 1, at most 5), got '9'"]),
        (
            "name: n\ncount: many\n",
            ["f.yml:2:8: expected a whole number (at least 1, at most 5), got 'many'"],
        ),
        ("name: n\non: perhaps\n", ["f.yml:2:5: expected true or false, got 'perhaps'"]),
        ("name: n\nlabels: [a]\n", ["f.yml:2:9: expected a mapping, got a list"]),
        ("name: n\nserver: {hosts: []}\n", ["f.yml:2:17: needs at least 1 item"]),
        ("name: n\nserver: {hosts: [a, b, c, d]}\n", ["f.yml:2:17: takes at most 3 items"]),
        (
            "name: n\nserver: {hosts: [a], mode: SCARM}\n",
            ["f.yml:2:28: unknown value 'SCARM' (did you mean 'SCRAM'?)"],
        ),
        ("name: n\nserver: {hosts: [a], mode: PLAIN}\n", ["f.yml:2:9: PLAIN needs a password"]),
        ("name: n\nfree: {a: 1, a: 2}\n", ["f.yml:2:14: key 'a' is given twice, first in line 2"]),
        ("name: n\nfree: {[a]: 1}\n", ["f.yml:2:8: a key must be a text"]),
    ],
)
def test_mistakes(text: str, said: list[str]) -> None:
    assert refusals(text) == said


def test_all_mistakes_at_once() -> None:
    said = refusals(
        """\
        nam: x
        every: 5
        ratio: much
        server: {hosts: [], bla: 1}
        servers:
          - {}
          - {hosts: [a]}
          - 5
        """
    )
    places = ["1:1", "1:1", "2:8", "3:8", "4:21", "4:17", "6:5", "8:5"]
    assert [line.split(": ")[0] for line in said] == [f"f.yml:{place}" for place in places]


@pytest.mark.parametrize("text", ["a: [", "a: *b", "a: \x00", "a: b: c", "&a [*a]", "[" * 70 + "]" * 70])
def test_not_yaml(text: str) -> None:
    (said,) = refusals(text)
    assert re.match(r"f.yml:[12]:\d+: ", said)


def test_aliases_that_grow_without_end_are_refused() -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    (said,) = refusals("a0: &a0 [x]\n" + levels)
    assert "aliases" in said


@pytest.mark.parametrize("text", ["- " * 200_000, "[" * 200_000, "? " * 200_000, "{a: " * 200_000])
def test_deep_nesting_is_refused(text: str) -> None:
    (said,) = refusals(text)
    assert said.endswith("nested deeper than 64 levels")


def test_merge_keys_are_overridden_by_what_stands_there() -> None:
    read = load("server: &s {hosts: [a], mode: SCRAM}\nservers:\n- {<<: *s, hosts: [b]}\nname: n\n")
    assert read.servers == [Server(["b"], "SCRAM")]


def test_what_is_right_is_read_beside_mistakes() -> None:
    text = "name: n\nevery: never\nservers: [{}, {hosts: [a]}]\n"
    value, positions, errors = read_struct("f.yml", text, Settings)
    assert value is not None
    assert (value.name, value.every, value.servers) == ("n", 1000, [Server(["a"])])
    assert len(errors) == 2
    assert not positions.is_whole(value)
    assert positions.is_whole(value.servers[0])
    assert positions.of(value.servers[0]) == (3, 15)


def test_only_the_first_document_is_read() -> None:
    assert load("name: n\n---\nthis: [is, not\n").name == "n"


def test_places() -> None:
    value, positions = load_struct(
        "f.yml", "# c\nname: n\nlabels:\n  team: x\n  on:\nfree: [1, {a: 2}]\n", Settings
    )
    assert positions.of(value) == (2, 1)
    assert positions.of(value, "labels", "team") == (4, 9)
    assert positions.key(value, "labels", "team") == (4, 3)
    assert positions.of(value, "labels", "on") == (5, 3)
    assert positions.of(value, "free", 1, "a") == (6, 15)
    assert positions.of(value, "server", "hosts") == (2, 1)


def test_a_part_is_read_again_once_its_type_is_known() -> None:
    value, positions = load_struct("f.yml", "name: n\nfree:\n  hosts: [a]\n  mod: PLAIN\n", Settings)
    server, errors = reread(positions, value, "free", Server)
    assert server == Server(["a"])
    assert [str(error) for error in errors] == ["f.yml:4:3: unknown key 'mod' (did you mean 'mode'?)"]
    assert reread(positions, value, "server", Server)[0] is None


def test_substitution_touches_values_only() -> None:
    def shout(text: str) -> str:
        if text == "bad":
            raise ValueError("no\nhint")
        return text.replace("five", "5").upper()

    value, _ = load_struct("f.yml", "name: n\ncount: five\nlabels: {five: five}\n", Settings, shout)
    assert (value.name, value.count, value.labels) == ("N", 5, {"five": "5"})
    with pytest.raises(ConfigErrors, match=r"^f.yml:1:7: no \(hint\)$"):
        load_struct("f.yml", "name: bad\n", Settings, shout)


words = st.lists(st.text("abc'\"\\é {}", min_size=1).map(str.strip).filter(bool), min_size=1, max_size=8)
styles = st.sampled_from(["|", ">", "'", '"', ""])


@settings(max_examples=150, deadline=None)
@given(words, styles, st.sampled_from([" ", "\n", "\n\n", "\n   "]), st.integers(20, 100), st.data())
def test_the_place_inside_a_text_holds_its_character(
    parts: list[str], style: str, gap: str, width: int, data: st.DataObject
) -> None:
    text = gap.join(parts)
    written = "# é\n" + yaml.dump({"name": yaml_text(text, style)}, width=width, allow_unicode=True)
    value, positions = load_struct("f.yml", written, Settings)
    assert value.name == text
    offset = data.draw(st.sampled_from([n for n, char in enumerate(text) if not char.isspace()]))
    line, column = positions.inside(value, "name", offset=offset)
    at = written.splitlines()[line - 1][column - 1 :]
    escaped = "\\" + text[offset] if 'name: "' in written else text[offset]
    assert at.startswith((text[offset], escaped)), (written, text, offset)


class Styled(str):
    style: str


def yaml_text(text: str, style: str) -> Styled:
    styled = Styled(text)
    styled.style = style
    return styled


yaml.add_representer(
    Styled,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", str(text), style=text.style or None
    ),
)


def test_a_negative_offset_is_the_text_itself() -> None:
    value, positions = load_struct("f.yml", "name: abc\n", Settings)
    assert positions.inside(value, "name", offset=-1) == positions.of(value, "name") == (1, 7)
    assert positions.inside(value, "name", offset=2) == (1, 9)
    assert positions.inside(value, "name", offset=3) == (1, 10)


def test_errors_are_config_errors() -> None:
    with pytest.raises(ConfigErrors) as caught:
        load("nam: x")
    first = caught.value.errors[0]
    assert isinstance(first, ConfigError)
    assert (first.path, first.line, first.column) == ("f.yml", 1, 1)
