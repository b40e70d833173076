"""Consumer groups: listed by every broker, then described and asked for their commits at their coordinator.

A group is gone when its coordinator says so, not when no broker lists it: while a coordinator moves, its
groups are listed nowhere for a moment.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from sentinel.watch.poll.protocol import codes
from sentinel.watch.poll.protocol.describe_groups import ConsumerGroupDescribe, Described, DescribeGroups
from sentinel.watch.poll.protocol.find_coordinator import FindCoordinator
from sentinel.watch.poll.protocol.list_groups import GroupList, Listed, ListGroups
from sentinel.watch.poll.protocol.offset_fetch import Fetched, OffsetFetch
from sentinel.watch.poll.protocol.request import GroupsRequest
from sentinel.watch.poll.round import Round
from sentinel.watch.snapshot import UNKNOWN, Group, Part

CHUNK: Final = 250
"""Groups asked for in one request."""
_DEAD: Final = "Dead"
_EMPTY: Final = "Empty"
_NOT_CONSUMERS: Final = frozenset({"share"})
"""Types of groups that commit no offsets."""


class _Answered(Protocol):
    @property
    def error(self) -> int: ...


Answer = TypeVar("Answer", bound=_Answered)


class GroupPoller:
    """Polls the groups that `groups` accepts for their commits to the topics that `topics` accepts."""

    def __init__(self, *, topics: Callable[[str], bool], groups: Callable[[str], bool]) -> None:
        self._topics, self._wanted = topics, groups
        self._known: dict[str, Listed] = {}

    async def poll(self, asked: Round, needs: Collection[Part]) -> tuple[Group, ...]:
        """By id. A group of which nothing was heard this time is there without state and commits."""
        listed, owners = await self._list(asked)
        unlisted = self._known.keys() - listed.keys()
        owners |= await _coordinators(asked, unlisted)
        known = {**self._known, **listed}
        to_describe = unlisted | (_worth_describing(listed.values()) if "groups" in needs else set())
        described, fetched = await asyncio.gather(
            _describe(asked, [known[group] for group in to_describe], owners),
            self._fetch(asked, list(known) if "commits" in needs else [], owners),
        )
        gone = {group for group in unlisted if group in described and _is_gone(described[group])}
        self._known = {group: known[group] for group in sorted(known.keys() - gone)}
        return tuple(
            _group(each, group not in unlisted, described.get(group), fetched.get(group))
            for group, each in self._known.items()
        )

    async def _list(self, asked: Round) -> tuple[dict[str, Listed], dict[str, int]]:
        """The groups, and the broker that coordinates each."""
        listed: dict[str, Listed] = {}
        owners: dict[str, int] = {}
        brokers = sorted(asked.brokers)
        answers = await asyncio.gather(*[_list_of(asked, broker) for broker in brokers])
        for broker, answer in zip(brokers, answers, strict=True):
            if answer is None:
                continue
            if answer.error != codes.NONE:
                asked.incomplete.update(("groups", "commits"))
            for group in answer.groups:
                if group.type not in _NOT_CONSUMERS and self._wanted(group.id):
                    listed[group.id], owners[group.id] = group, broker
        return listed, owners

    async def _fetch(
        self, asked: Round, groups: Sequence[str], owners: Mapping[str, int]
    ) -> dict[str, Fetched]:
        found = await _ask_coordinators(
            asked, groups, owners, lambda part: OffsetFetch(part, self._topics), "commits"
        )
        good = {group: each for group, each in found.items() if each.error == codes.NONE}
        if len(good) < len(groups) or any(each.refused for each in good.values()):
            asked.incomplete.add("commits")
        return good


async def _list_of(asked: Round, broker: int) -> GroupList | None:
    return await asked.ask(broker, ListGroups(), "groups", "commits")


def _worth_describing(groups: Iterable[Listed]) -> set[str]:
    """An empty group has no members to count, and only these two types have a description read here."""
    return {each.id for each in groups if each.state != _EMPTY and each.type in ("", "classic", "consumer")}


async def _describe(
    asked: Round, groups: Sequence[Listed], owners: Mapping[str, int]
) -> dict[str, Described]:
    """States and members, by the request that fits each group's protocol."""
    new = [each.id for each in groups if each.type == "consumer"]
    old = [each.id for each in groups if each.type != "consumer"]
    answers = await asyncio.gather(
        _ask_coordinators(asked, old, owners, DescribeGroups, "groups"),
        _ask_coordinators(asked, new, owners, ConsumerGroupDescribe, "groups"),
    )
    found = answers[0] | answers[1]
    good = {
        group: each for group, each in found.items() if each.error in (codes.NONE, codes.GROUP_ID_NOT_FOUND)
    }
    if len(good) < len(groups):
        asked.incomplete.add("groups")
    return good


async def _ask_coordinators(
    asked: Round,
    groups: Sequence[str],
    owners: Mapping[str, int],
    request: Callable[[Sequence[str]], GroupsRequest[Answer]],
    part: Part,
) -> dict[str, Answer]:
    """Asks for each group where it is coordinated, and once more where that has changed."""
    found = await _ask_owners(asked, groups, owners, request, part)
    moved = [group for group, answer in found.items() if answer.error == codes.NOT_COORDINATOR]
    if moved:
        now = await _coordinators(asked, moved)
        found |= await _ask_owners(asked, moved, now, request, part)
    return found


async def _ask_owners(
    asked: Round,
    groups: Sequence[str],
    owners: Mapping[str, int],
    request: Callable[[Sequence[str]], GroupsRequest[Answer]],
    part: Part,
) -> dict[str, Answer]:
    """All brokers at the same time, each with one request after another."""
    by_broker: defaultdict[int, list[str]] = defaultdict(list)
    for group in groups:
        if group in owners:
            by_broker[owners[group]].append(group)

    async def ask(broker: int, its: Sequence[str]) -> dict[str, Answer]:
        found: dict[str, Answer] = {}
        for at in range(0, len(its), CHUNK):
            some = its[at : at + CHUNK]
            answer = await asked.ask(broker, request(some), part)
            if answer is None:
                break
            found |= {group: answer[group] for group in some if group in answer}
        return found

    answers = await asyncio.gather(*[ask(*each) for each in by_broker.items()])
    return {group: each for answer in answers for group, each in answer.items()}


async def _coordinators(asked: Round, groups: Collection[str]) -> dict[str, int]:
    """The broker of each group, without groups that have none now."""
    if not groups:
        return {}
    return await asked.ask_anyone(FindCoordinator(sorted(groups)), "groups", "commits") or {}


def _is_gone(described: Described) -> bool:
    return described.error == codes.GROUP_ID_NOT_FOUND or described.state == _DEAD


def _group(listed: Listed, heard: bool, described: Described | None, fetched: Fetched | None) -> Group:
    commits = None if fetched is None else fetched.commits
    if described is not None:
        return Group(listed.id, described.state, described.members, commits)
    state = listed.state if heard else ""
    return Group(listed.id, state, 0 if state == _EMPTY else UNKNOWN, commits)
