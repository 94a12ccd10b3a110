"""A chat on two servers that share a log: what members see is what they see on one server."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.chat.shared_backing import SharedBacking
from tests.support.chat_client import client
from tests.support.list_log import ListLog, ListNode
from tests.support.running import Running, running

FREE = ChatRules(flood=None)
DEFAULT = ChatLimits()


@dataclass
class Servers:
    """Two servers of one chat, or twice the same one.

    Attributes:
        log: Their log; None for one server.
    """

    one: Running
    two: Running
    log: ListLog | None = None

    def node(self, run: Running) -> ListNode:
        assert self.log is not None
        return self.log.nodes["one" if run is self.one else "two"]


@contextlib.contextmanager
def serve_two(*, rules: ChatRules = FREE, limits: ChatLimits = DEFAULT) -> Iterator[Servers]:
    log = ListLog()
    with (
        running(Chat(SharedBacking(log.make("one")), rules, limits=limits)) as one,
        running(Chat(SharedBacking(log.make("two")), rules, limits=limits)) as two,
    ):
        yield Servers(one, two, log)


@pytest.fixture(params=["local", "shared"])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Servers]:
    if request.param == "shared":
        with serve_two() as both:
            yield both
    else:
        with running(Chat(tmp_path, FREE)) as run:
            yield Servers(run, run)


def test_members_of_two_servers_hear_each_other_in_one_order(servers: Servers) -> None:
    with client(servers.one) as ann, client(servers.two) as bob:
        ann.enter("ann").ready()
        bob.enter("bob")
        assert bob.until("members")["members"] == ["ann", "bob"]
        assert ann.until("joined", name="bob")["text"] == "bob joined #lobby."
        for number in range(50):
            ann.line(f"a{number}")
            bob.line(f"b{number}")
        heard = [[one.until("say") for _ in range(100)] for one in (ann, bob)]
        assert heard[0] == heard[1]
        ids = [one["id"] for one in heard[0]]
        assert ids == sorted(set(ids))
        for name in ("ann", "bob"):
            own = [one["text"] for one in heard[0] if one["sender"] == name]
            assert own == [f"{name[0]}{number}" for number in range(50)]
