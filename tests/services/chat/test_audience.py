"""Who hears a room, and what each client hears of it."""

import pytest

from sockctl.protocol.messages import make_message
from sockctl.services.chat.audience import Audience
from sockctl.services.chat.member import Client
from sockctl.services.chat.room_event import RoomEvent, encode_for_wires
from tests.support.chat_room import Played


def audience_of(*clients: Client) -> Audience:
    audience = Audience()
    for one in clients:
        audience.add(one)
    return audience


def said(by: Client, text: str, *, movement: bool = False) -> RoomEvent:
    frame, line = encode_for_wires(make_message("say", text, room="#lobby", sender=by.member.name, id=1))
    return RoomEvent(frame, line, sender=by, key=by.member.key, movement=movement)


def texts(one: Played) -> list[str]:
    return [each["text"] for each in one.messages]


def test_members_stand_in_the_order_in_which_they_joined() -> None:
    ann, bob, carl = Played("ann"), Played("bob"), Played("carl")
    audience = audience_of(ann, bob, carl)
    assert len(audience) == 3
    assert audience.list_names() == ["ann", "bob", "carl"]
    assert audience.list_names(1, 2) == ["bob"]
    audience.remove(bob)
    assert audience.list_names() == ["ann", "carl"]
    assert bob not in audience
    audience.remove(bob)


def test_a_member_is_in_as_long_as_one_of_its_clients_is() -> None:
    first = Played("ann")
    second = Played("ann", member=first.member)
    audience = audience_of(first, second)
    assert len(audience) == 1
    audience.remove(first)
    assert audience.list_names() == ["ann"]
    audience.broadcast([said(Played("bob"), "hello")])
    assert texts(second) == ["hello"]
    assert not first.data
    audience.remove(second)
    assert len(audience) == 0


def test_a_member_that_stays_is_in_without_clients() -> None:
    first = Played("ann")
    second = Played("ann", member=first.member)
    audience = audience_of(first, Played("bob"))
    audience.remove(first, stays=True)
    assert audience.list_names() == ["ann", "bob"]
    audience.broadcast([said(Played("carl"), "hello")])
    assert not first.data
    audience.add(second)
    assert audience.list_names() == ["ann", "bob"]
    audience.remove(first, stays=True)
    audience.remove(second)
    assert audience.list_names() == ["bob"]
    audience.remove(first, stays=True)
    assert audience.list_names() == ["bob"]


def test_each_wire_hears_it_in_its_form() -> None:
    ann, bob = Played("ann"), Played("bob", framed=False)
    audience_of(ann, bob).broadcast([said(ann, "one"), said(ann, "two")])
    assert texts(ann) == ["one", "two"], "in frames the sender hears its own, with the id"
    assert bob.lines == ["<ann> one", "<ann> two"]


def test_no_line_repeats_what_its_own_client_said() -> None:
    ann = Played("ann", framed=False)
    other = Played("ann", framed=False, member=ann.member)
    audience_of(ann, other).broadcast([said(ann, "mine"), said(Played("bob"), "his")])
    assert ann.lines == ["<bob> his"]
    assert other.lines == ["<ann> mine", "<bob> his"]


@pytest.mark.parametrize("framed", [True, False])
def test_who_is_ignored_is_not_heard(*, framed: bool) -> None:
    ann, bob, carl = Played("ann", framed=framed), Played("bob"), Played("carl")
    ann.member.ignored = frozenset({"bob"})
    audience_of(ann, bob, carl).broadcast([said(bob, "noise"), said(carl, "music")])
    assert b"noise" not in ann.data
    assert b"music" in ann.data
    assert texts(bob) == ["noise", "music"]


def test_a_quiet_member_hears_of_no_movement_but_its_own() -> None:
    ann, bob = Played("ann"), Played("bob")
    ann.member.quiet = True
    audience_of(ann).broadcast(
        [said(bob, "bob came", movement=True), said(ann, "ann is Ann", movement=True), said(bob, "hello")]
    )
    assert texts(ann) == ["ann is Ann", "hello"]


def test_the_listener_hears_all_rooms_and_is_in_none() -> None:
    listener, ann = Played("server"), Played("ann")
    audience = audience_of(ann)
    audience.set_listener(listener)
    assert listener in audience
    assert audience.list_names() == ["ann"]
    audience.broadcast([said(ann, "one")])
    audience.add(listener)
    audience.broadcast([said(ann, "two")])
    audience.remove(listener)
    audience.broadcast([said(ann, "three")])
    assert texts(listener) == ["one", "two", "three"], "each once"


def test_news_to_nobody_is_sent_to_nobody() -> None:
    ann = Played("ann", framed=False)
    audience_of(ann).broadcast([RoomEvent(b"", b"")])
    assert not ann.data
