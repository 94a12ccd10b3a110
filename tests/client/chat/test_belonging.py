import pytest

from sockctl.client.chat.belonging import is_of_room, room_key
from sockctl.protocol.messages import Message, message


@pytest.mark.parametrize(
    ("one", "belongs"),
    [
        (message("say", "hello"), True),
        (message("history", "hello"), True),
        (message("say", "psst", private=True), False),
        (message("joined"), True),
        (message("members"), True),
        (message("members", details=[]), False),
        (message("members", page=1), False),
        (message("notice", code="topic"), True),
        (message("notice", code="room"), False),
        (message("error", code="muted"), False),
        (message("novelty"), False),
    ],
)
def test_what_belongs_to_a_room(one: Message, belongs: bool) -> None:
    assert is_of_room(one) is belongs


def test_a_room_has_one_key() -> None:
    assert room_key("Lobby") == room_key("#lobby") == "#lobby"
    assert room_key("") == ""
