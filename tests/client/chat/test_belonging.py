import pytest

from sockctl.client.chat.belonging import is_of_room, room_key
from sockctl.protocol.messages import Message, make_message


@pytest.mark.parametrize(
    ("one", "belongs"),
    [
        (make_message("say", "hello"), True),
        (make_message("history", "hello"), True),
        (make_message("say", "psst", private=True), False),
        (make_message("joined"), True),
        (make_message("members"), True),
        (make_message("members", details=[]), False),
        (make_message("members", page=1), False),
        (make_message("notice", code="topic"), True),
        (make_message("notice", code="room"), False),
        (make_message("error", code="muted"), False),
        (make_message("novelty"), False),
    ],
)
def test_what_belongs_to_a_room(one: Message, belongs: bool) -> None:
    assert is_of_room(one) is belongs


def test_a_room_has_one_key() -> None:
    assert room_key("Lobby") == room_key("#lobby") == "#lobby"
    assert room_key("") == ""
