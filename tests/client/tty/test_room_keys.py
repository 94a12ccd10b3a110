from sockctl.client.chat.formatter import MessageFormatter
from sockctl.client.chat.roster import ChatContext, Roster
from sockctl.client.chat.window import ChatWindow
from sockctl.client.tty.room_keys import bind_rooms
from sockctl.protocol.messages import make_message


def test_keys_go_to_rooms() -> None:
    window = ChatWindow(Roster(), MessageFormatter(colours=False))
    for room in ("#lobby", "#games", "#tea"):
        window.add(make_message("joined", room=room, name="ann"), ChatContext(me="ann"))
    gone: list[str | None] = []
    keys = bind_rooms(window, gone.append)
    assert len(keys) == 11
    for name in ("escape 1", "escape 3", "escape 9", "escape left", "escape right"):
        keys[name]()
    assert gone == ["#lobby", "#tea", None, "#games", "#lobby"]
