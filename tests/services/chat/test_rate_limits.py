"""How often members may come from one address, and how fast each may go on."""

from pathlib import Path

import pytest

from sockctl.services.chat.rate_limits import RateLimit
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.source_network import source_network
from tests.support.accounts import accounts_at
from tests.support.chat_client import ChatClient, client, served

SELDOM = ChatLimits(comings_at_once=1, coming_every_s=6.0)


@pytest.mark.parametrize(
    ("first", "other", "waits"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_comings_are_counted_for_an_address(first: str, other: str, *, waits: bool) -> None:
    comings = RateLimit(burst=3, every_s=0.5, max_keys=10)
    assert all(comings.allow([source_network(first)], 100.0) for _ in range(3))
    assert comings.allow([source_network(other)], 100.0) is not waits
    assert comings.allow([source_network(other)], 100.6)


def test_networks_are_bounded() -> None:
    comings = RateLimit(burst=1, every_s=1_000, max_keys=2)
    assert all(comings.allow([f"192.0.2.{number}"], 0.0) for number in range(3))
    assert [comings.allow([f"192.0.2.{number}"], 0.0) for number in (2, 1, 0)] == [False, False, True]


def test_an_action_counts_for_each_key_or_none() -> None:
    rooms = RateLimit(burst=1, every_s=1_000, max_keys=9)
    assert rooms.allow(["address a", "account ann"], 0.0)
    assert not rooms.allow(["address b", "account ann"], 0.0)
    assert rooms.allow(["address b", "account bob"], 0.0)


@pytest.mark.parametrize("auth", [False, True])
def test_who_comes_too_often_waits_and_others_do_not(tmp_path: Path, *, auth: bool) -> None:
    if auth:
        accounts_at(tmp_path, "ann", "bob", "carl")
    with (
        served(tmp_path, ChatRules(), auth=auth, limits=SELDOM) as run,
        client(run) as ann,
        client(run) as bob,
        client(run, source="127.0.0.2") as carl,
    ):
        for sock, name in ((ann, "ann"), (bob, "bob"), (carl, "carl")):
            _come(sock, name, auth=auth)
            if name != "bob":
                sock.until("welcome")
        assert [event.who for event in run.sink.wait_for("member_came", 2)] == ["ann", "carl"]
        bob.until("welcome")


def _come(sock: ChatClient, name: str, *, auth: bool) -> None:
    if auth:
        sock.log_in(name, let_in=False)
    else:
        sock.send(kind="answer", field="name", text=name)


def test_nobody_waits_where_members_may_flood(tmp_path: Path) -> None:
    with served(tmp_path, ChatRules(flood=None), limits=ChatLimits(comings_at_once=1, coming_every_s=3_600.0)) as run:
        for name in ("ann", "bob"):
            with client(run) as sock:
                sock.enter(name)
