"""What is said inside a peer's WebSocket. Another peer is one more class, and its entry in `DIALECTS`."""

import json
from typing import Protocol

from sockctl.protocol.messages import Message, make_message

IN, SAY, REPLY, OTHER = "members", "say", "reply", "other"
"""The kinds of what a server says: the member is in; a message; something that wants its text sent back; the rest."""


class Dialect(Protocol):
    """How a client speaks with a server of this kind."""

    path: str
    """Where the server takes WebSockets."""

    def decode(self, text: str) -> Message:
        """Return what the server says, as a message of one of the kinds above."""

    def encode_say(self, text: str) -> str:
        """Return the text that says something."""


class SocketIo:
    """Socket.IO 5 over Engine.IO 4."""

    path = "/socket.io/?EIO=4&transport=websocket"

    def decode(self, text: str) -> Message:
        """Return what the server says, as a message."""
        if text.startswith("42"):
            event, *values = json.loads(text[2:])
            if event == "joined":
                return make_message(IN)
            return make_message(SAY, values[0])
        if text.startswith("0"):
            return make_message(REPLY, "40")  # the transport is open: connect to the namespace
        if text.startswith("2"):
            return make_message(REPLY, "3")  # a ping
        return make_message(OTHER)

    def encode_say(self, text: str) -> str:
        """Return the text that says something."""
        return "42" + json.dumps(["say", text])


DIALECTS: dict[str, type[Dialect]] = {"socketio": SocketIo}
