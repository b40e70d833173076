"""Queries over HTTP: what is asked, and what one of the two answers."""

from __future__ import annotations

import http.client
import json
import random
import urllib.parse
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.differential.series import SPAN_MS
from tests.differential.tree import Node

_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Question:
    """An expression at one time, or at each step from `start` to `end`; in seconds, 0 for no step."""

    tree: Node
    start: int
    end: int
    step: int

    @property
    def form(self) -> tuple[str, dict[str, str]]:
        """The endpoint and its parameters."""
        if not self.step:
            return "/api/v1/query", {"query": self.tree.text, "time": str(self.end)}
        times = {"start": str(self.start), "end": str(self.end), "step": str(self.step)}
        return "/api/v1/query_range", {"query": self.tree.text, **times}

    def of(self, tree: Node) -> Question:
        return Question(tree, self.start, self.end, self.step)


def question(chance: random.Random, tree: Node, end_ms: int) -> Question:
    """At a random time in and about the data, or over a random range there."""
    end = end_ms // 1000 - chance.randrange(-60, SPAN_MS // 1000 + 60)
    if chance.random() < 0.6:
        return Question(tree, end, end, 0)
    step = chance.choice((7, 15, 30, 60, 97, 300))
    return Question(tree, end - step * chance.randrange(0, 20) - chance.randrange(step), end, step)


class Client:
    """One connection to one of the two."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)

    def ask(self, asked: Question) -> dict[str, Any]:
        """The answer's JSON. Fails if it is none."""
        path, form = asked.form
        self._connection.request("POST", path, urllib.parse.urlencode(form), _HEADERS)
        with self._connection.getresponse() as response:
            body = response.read()
        answer: dict[str, Any] = json.loads(body)
        return answer
