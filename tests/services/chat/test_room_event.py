"""The events of a room: for each wire, with who is meant, and without bytes where there is no news."""

import json

from sockctl.protocol.messages import make_message
from sockctl.services.chat.room_event import Join, Leave, Rename, encode_event, encode_for_wires
from tests.support.chat_room import Played


def test_a_message_for_both_wires() -> None:
    frame, line = encode_for_wires(make_message("say", "hello", room="#lobby", sender="ann"))
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert json.loads(frame[4:]) == {"kind": "say", "text": "hello", "room": "#lobby", "sender": "ann"}
    assert line == b"<ann> hello\r\n"


def test_a_line_names_a_room_that_is_not_the_lobby() -> None:
    _, line = encode_for_wires(make_message("say", "hello", room="#tea", sender="ann"))
    assert line == b"#tea <ann> hello\r\n"


def test_movements_of_members() -> None:
    ann = Played("ann")
    news = make_message("joined", "ann joined #lobby.", room="#lobby", name="ann")
    join = Join(news, "ann", ann, history=(), missed=False, then=None).encode()
    assert join.frame == encode_event(news).frame
    assert (join.key, join.movement, join.sender) == ("ann", True, None)
    assert Leave(news, "ann", ann).encode().movement


def test_quiet_members_are_told_of_another_name_too() -> None:
    event = Rename(make_message("renamed", "ann is Ann now."), "ann", clients=()).encode()
    assert not event.movement
    assert event.line == b"ann is Ann now.\r\n"


def test_what_is_no_news_has_no_bytes() -> None:
    event = Leave(None, "ann", Played("ann")).encode()
    assert (event.frame, event.line) == (b"", b"")
