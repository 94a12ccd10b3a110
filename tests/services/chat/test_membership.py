"""Joining and leaving rooms, from one client or several."""

import contextlib
from pathlib import Path
from typing import Any

import pytest

from sockctl.errors import CommandError
from sockctl.events.reasons import DisconnectReason
from sockctl.protocol.messages import make_message
from sockctl.services.chat.clients import RemoteClient
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.reasons import TAKEN_OVER
from sockctl.services.chat.room import Room
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.stores.timestamps import read_utc_clock
from tests.support.accounts import accounts_at
from tests.support.chat_client import client, members, served
from tests.support.chat_room import AT, Played, enter
from tests.support.running import running
from tests.support.scripted_peer import ScriptedPeer

RULES = ChatRules(flood=None)


class Hearing(ScriptedPeer):
    """A client that keeps what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = bytearray()

    def post_encoded(self, data: bytes) -> None:
        self.heard += data


def test_another_name(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/nick BOB")
        ann.expect("error", code="name_taken")
        ann.line("/nick Ann")
        bob.until("renamed", before="ann", name="Ann")
        ann.line("/nick zoe")
        ann.until("renamed", before="Ann", name="zoe")
        bob.until("renamed", before="Ann", name="zoe")
        ann.line("it is me")
        bob.until("say", sender="zoe", text="it is me")
        bob.line("/nick ann")
        ann.until("renamed", before="bob", name="ann")
        bob.line("/nick root")
        bob.until("error", code="bad_name")
        ann.line("/nick zoe")  # which it has
        ann.line("/leave")
        ann.until("left")
        ann.line("/nick anna")
        ann.until("renamed", before="zoe", name="anna")


def test_rooms(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/join Dev")
        ann.expect("joined", room="#dev", name="ann")
        ann.expect("members", members=["ann"])
        ann.line("only here")
        ann.until("say", room="#dev")
        bob.line("/who dev")
        bob.until("members", room="#dev", members=["ann"])
        bob.line("/who nowhere")
        bob.until("error", code="bad_command")
        bob.line("/join #dev")
        bob.until("history", text="only here", room="#dev")
        ann.until("joined", room="#dev", name="bob")
        ann.line("/join lobby")
        assert ann.until("notice", code="room")["text"] == "You speak in #lobby now."
        ann.line("to all")
        bob.until("say", room="#lobby", text="to all")
        bob.line("/rooms")
        assert [bob.expect("notice", code="room")["text"] for _ in range(2)] == ["#lobby: 2 members", "#dev: 2 members"]
        bob.line("/leave")
        bob.until("left", room="#dev", name="bob")
        assert bob.expect("notice", code="room")["text"] == "You speak in #lobby now."
        ann.until("left", room="#dev", name="bob", reason="left")
        ann.line("/leave dev")
        ann.until("left", room="#dev")
        ann.line("/leave dev")
        ann.until("error", code="bad_command")
        ann.line("/leave")
        ann.until("left", room="#lobby")
        ann.line("anybody?")
        assert "You are in no room" in ann.until("error")["text"]
        ann.line("/leave")
        ann.until("error")
        ann.line("/join lobby")
        ann.until("joined", room="#lobby", name="ann")
        bob.until("joined", room="#lobby", name="ann")
        ann.line("/join a b")
        ann.until("error", code="bad_command")
        ann.line("/join -x")
        ann.until("error", code="bad_room")


def test_rooms_are_named_on_lines(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann") as (ann,), run.client() as bob:
        bob.sendall(b"bob\n/join dev\n")
        ann.until("joined", name="bob")
        ann.line("/join dev")
        ann.until("members", room="#dev")
        ann.line("hello")
        received = b""
        while b"#dev <ann> hello\r\n" not in received:
            received += bob.recv(65_536)


def test_only_so_many_rooms(tmp_path: Path) -> None:
    with served(tmp_path, limits=ChatLimits(max_rooms=3)) as run, members(run, "ann") as (ann,):
        for room in ("one", "two"):
            ann.line(f"/join {room}")
            ann.until("members", room=f"#{room}")
        ann.line("/join three")
        assert "There are 3 rooms already" in ann.until("error")["text"]
        ann.line("/leave one")
        ann.until("left", room="#one")
        ann.line("/join three")
        ann.until("members", room="#three")


def test_quitting(tmp_path: Path) -> None:
    with served(tmp_path) as run, members(run, "ann", "bob") as (ann, bob):
        ann.line("/quit")
        ann.until("bye", reason="server_closed")
        bob.until("left", name="ann", reason="left")
        bob.send(kind="bye")
        assert [event.who for event in run.sink.wait_for("member_left", 2)] == ["ann", "bob"]
        assert [event.who for event in run.sink.named("member_came")] == ["ann", "bob"]


def test_one_account_from_several_places_is_one_member(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann", "bob")
    with served(tmp_path, auth=True) as run, client(run) as bob, client(run) as here:
        bob.log_in("bob").ready()
        here.log_in("ann").ready()
        bob.until("joined", name="ann")
        here.line("/join dev")
        here.until("members", room="#dev")
        with client(run) as there:
            there.log_in("ann")
            assert {there.until("members")["room"] for _ in range(2)} == {"#lobby", "#dev"}
            here.line("/join lobby")
            here.until("notice", code="room")
            here.line("from here")
            there.until("say", text="from here")
            bob.until("say", text="from here")
            bob.line("/who")
            assert bob.until("members")["members"] == ["ann", "bob"]
            bob.line("/msg ann to both")
            for chatter in (here, there):
                chatter.until("say", private=True, text="to both")
            there.line("/nick anna")
            here.until("renamed", name="anna")
        bob.until("renamed", name="anna")
        bob.nothing_but("say")
        here.send(kind="bye")
        bob.until("left", name="anna")


def test_each_place_speaks_where_it_wants_to(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    with served(tmp_path, auth=True) as run, client(run) as here, client(run) as there:
        here.log_in("ann").ready()
        there.log_in("ann").ready()
        here.line("/join dev")
        for chatter in (here, there):
            chatter.until("members", room="#dev")
        there.until("notice", code="room", room="#lobby")
        there.line("still in the lobby")
        here.until("say", room="#lobby", text="still in the lobby")
        here.line("in there")
        there.until("say", room="#dev", text="in there")
        here.line("/leave lobby")
        there.expect("left", name="ann", room="#lobby", text="You left #lobby.")
        there.expect("notice", code="room", room="#dev")
        there.nothing_but()


def say_in(room: Room, *clients: RemoteClient) -> list[bool]:
    """Say something in a room, and return which of the clients hear it."""
    peers = [client.peer for client in clients]
    before = [len(peer.heard) for peer in peers if isinstance(peer, Hearing)]
    room.say(Played("eve"), ["hello"], AT)
    room.process_pending()
    return [len(peer.heard) > size for peer, size in zip(peers, before, strict=True) if isinstance(peer, Hearing)]


def test_who_has_left_a_room_hears_nothing_more_of_it(tmp_path: Path) -> None:
    """A member leaves, and something was said, while the room's events are being told."""
    chat = Chat(tmp_path, RULES)
    ann, _ = chat.members.add_user("ann", lambda: Member("ann", since=read_utc_clock(), account="ann"))
    here = Played("ann", member=ann)
    chat.members.attach(here)

    class Other(Played):
        def post_encoded(self, data: bytes) -> None:
            super().post_encoded(data)
            if b'"text":"one"' in data:
                room.say(self, ["two"], AT)
                chat.membership.leave(here, "#dev")

    with running(chat):
        for name in ("#lobby", "#dev"):
            chat.membership.join(here, name)
        room, other = chat.rooms.open("#dev"), Other("other")
        enter(room, other)
        here.data.clear()
        room.say(other, ["one"], AT)
        room.process_pending()
        assert [one["text"] for one in here.messages] == ["one", "two", "You left #dev.", "You speak in #lobby now."]


def test_a_place_that_goes_while_another_one_joins_leaves_nothing_behind(tmp_path: Path) -> None:
    chat = Chat(tmp_path, RULES)
    ann, _ = chat.members.add_user("ann", lambda: Member("ann", since=read_utc_clock(), account="ann"))
    ann.arriving += 1
    here, there = (RemoteClient(Hearing(), ann, seen={}, now=0) for _ in range(2))
    for remote in (here, there):
        remote.peer.state = remote
        chat.members.attach(remote)
    with running(chat):
        for remote in (here, there):
            chat.watched(remote.peer)
        clients_of = chat.members.list_clients

        def clients_of_a_moment_ago(member: Member) -> list[Client]:
            chatters = clients_of(member)
            if there in chatters:
                chat.left(there.peer, DisconnectReason.CLIENT_EXIT)
            return chatters

        chat.members.list_clients = clients_of_a_moment_ago  # type: ignore[method-assign]
        chat.received(here.peer, [make_message("line", "/join dev")])
        room = chat.rooms.find("#dev")
        assert room is not None
        assert room.names == ["ann"]
        assert say_in(room, here, there) == [True, False]
        chat.received(here.peer, [make_message("line", "/leave dev")])
        chat.left(here.peer, DisconnectReason.CLIENT_EXIT)
        assert room.is_empty
        assert say_in(room, here, there) == [False, False]


@pytest.mark.parametrize("is_let_in", [True, False])
def test_a_member_that_comes_back_is_there_all_the_while(tmp_path: Path, *, is_let_in: bool) -> None:
    """A newcomer joins when the old connection has been replaced, and the new one has not joined yet."""
    chat = Chat(tmp_path, RULES)
    bob = Member("bob", since=read_utc_clock())
    before, behind = Played("bob", member=bob), Played("bob", member=bob)
    newcomer = Played("ann")
    with running(chat):
        chat.members.add_guest(bob)
        chat.members.attach(before)
        chat.membership.join(before, "#lobby")
        found = chat.members.resume_guest(bob.token, lambda name: Member(name, since=read_utc_clock()))
        assert found == (bob, [before], ())
        chat.membership.remove(before, None)
        room = chat.rooms.open("#lobby")
        enter(room, newcomer)
        assert {"bob", "ann"} <= {name for one in newcomer.messages for name in one.get("members", ())}
        chat.members.attach(behind)
        newcomer.data.clear()
        if is_let_in:
            chat.membership.join_client(behind, "#lobby")
            assert [one["kind"] for one in behind.messages][:1] == ["joined"]
            chat.membership.remove(before, DisconnectReason.CLIENT_EXIT)  # its connection ends only now
            assert not newcomer.data
        chat.membership.remove(behind, DisconnectReason.CLIENT_EXIT if is_let_in else None)
        assert [(one["kind"], one["name"]) for one in newcomer.messages] == [("left", "bob")]
        assert room.names == ["ann"]


@pytest.mark.parametrize("leaves", [True, False])
def test_a_client_that_goes_while_its_member_leaves_by_another_one_leaves_nobody_behind(
    tmp_path: Path, *, leaves: bool
) -> None:
    """The room hears that the first client has gone only after the other one did more."""
    chat = Chat(tmp_path, RULES)
    ann, _ = chat.members.add_user("ann", lambda: Member("ann", since=read_utc_clock(), account="ann"))
    ann.arriving += 1
    here, there = Played("ann", member=ann), Played("ann", member=ann)
    detach = chat.members.detach

    def detach_a_moment_ago(client: Client) -> tuple[bool, list[str]]:
        detached = detach(client)
        if client is here:
            if leaves:
                chat.membership.leave(there, "#lobby")
            else:
                chat.membership.remove(there, DisconnectReason.CLIENT_EXIT)
        return detached

    with running(chat):
        for client in (here, there):
            chat.members.attach(client)
        chat.membership.join(here, "#lobby")
        room = chat.rooms.open("#lobby")
        assert room.names == ["ann"]
        chat.members.detach = detach_a_moment_ago  # type: ignore[method-assign]
        chat.membership.remove(here, DisconnectReason.CLIENT_EXIT)
        assert room.names == []


def test_a_client_that_is_replaced_before_it_is_in_brings_its_member_nowhere(tmp_path: Path) -> None:
    chat = Chat(tmp_path, RULES)
    bob = Member("bob", since=read_utc_clock())
    before = RemoteClient(Hearing(), bob, seen={}, now=0)
    before.peer.state = before
    with running(chat):
        chat.members.add_guest(bob)
        chat.members.attach(before)
        chat.members.resume_guest(bob.token, lambda name: Member(name, since=read_utc_clock()))
        chat.membership.remove(before, None)
        before.close(TAKEN_OVER)
        chat.watched(before.peer)
        assert chat.members.list_rooms(bob) == []
        assert chat.rooms.open("#lobby").names == []


@pytest.mark.parametrize("how", ["join", "leave"])
def test_two_places_that_do_the_same_at_once_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The second place does it while the first one is at it: both have seen that it is still to do."""
    chat = Chat(tmp_path, RULES)
    bob = Member("bob", since=read_utc_clock())
    first, second, ann = Played("bob", member=bob), Played("bob", member=bob), Played("ann")
    with running(chat):
        chat.members.add_guest(bob)
        chat.members.attach(first)
        chat.members.attach(second)
        enter(chat.rooms.open("#dev", by=ann), ann)
        if how == "leave":
            chat.membership.join(first, "#dev")
        act = getattr(chat.membership, how)
        asked = "open" if how == "join" else "find"
        go_on = getattr(chat.rooms, asked)

        def wait(*args: object, **named: object) -> object:
            monkeypatch.undo()
            act(second, "#dev")
            return go_on(*args, **named)

        monkeypatch.setattr(chat.rooms, asked, wait)
        ann.data.clear()
        with contextlib.suppress(CommandError):  # the first one isn't there any more
            act(first, "#dev")
        assert [(one["kind"], one["name"]) for one in ann.messages] == [("joined" if how == "join" else "left", "bob")]


def test_a_place_that_comes_while_another_one_leaves_the_room_is_no_ghost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = Chat(tmp_path, RULES)
    bob = Member("bob", since=read_utc_clock())
    first, second = Played("bob", member=bob), Played("bob", member=bob)
    with running(chat):
        chat.members.add_guest(bob)
        chat.members.attach(first)
        chat.membership.join(first, "#lobby")
        chat.membership.join(first, "#dev")
        room = chat.rooms.open("#dev")
        go_on = Room.join

        def wait(room: Room, client: Client, **named: Any) -> int:
            monkeypatch.undo()
            chat.membership.leave(first, "#dev")
            return go_on(room, client, **named)

        chat.members.attach(second)
        chat.membership.join_client(second, "#lobby")
        monkeypatch.setattr(Room, "join", wait)
        chat.membership.join_client(second, "#dev")
        assert room.is_empty
        assert [one["room"] for one in second.of("left")][-1:] == ["#dev"]
        assert second.room == "#lobby"
