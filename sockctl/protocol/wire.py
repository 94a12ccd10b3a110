"""What a connection of a message service needs of its wire."""

from typing import Protocol

from sockctl.protocol.messages import Message
from sockctl.protocol.server_wire import Choice


class Wire(Protocol):
    """Decodes a client's bytes to messages, and encodes the server's messages to bytes: see `ServerWire`, `WebWire`."""

    @property
    def greeting(self) -> bytes:
        """The bytes that the server sends first."""

    @property
    def choice(self) -> Choice:
        """Whether the client reads frames, or lines."""

    @property
    def limit_bytes(self) -> int:
        """Bytes in a message at most."""

    @limit_bytes.setter
    def limit_bytes(self, limit_bytes: int) -> None: ...

    @property
    def has_partial_message(self) -> bool:
        """Whether a message is incomplete; asked when all complete ones are decoded."""

    @property
    def has_partial_frame(self) -> bool:
        """Whether a frame is incomplete, which has a deadline; asked when all complete ones are decoded."""

    def take_completed(self) -> bool:
        """Return whether a message was complete since the last call: a deadline doesn't hold for the next one."""

    def choose(self, data: bytes | memoryview) -> bytes:
        """Choose by the client's first byte; return the bytes that the server must send first."""

    def feed(self, data: bytes | memoryview) -> int:
        """Store the client's bytes; return how many of them cost more than others."""

    def decode(self, at_most: int) -> list[Message]:
        """Return complete messages, `at_most` so many."""

    def decode_next(self) -> Message | None:
        """Return the next complete message, None if there is none."""

    def end(self) -> Message | None:
        """Return the last message if it has no end; called when the input has ended."""

    def skip(self) -> tuple[int, int]:
        """Discard what has come; return how many messages these were, and how many of them a user had said."""

    def encode(self, one: Message) -> bytes:
        """Return the bytes of a message for the client."""
