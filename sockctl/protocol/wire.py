"""What a connection of a message service needs of its wire, and what all wires share."""

import enum
from abc import ABC, abstractmethod
from typing import Protocol

from sockctl.protocol.frames import BATCH
from sockctl.protocol.messages import SAYING_KINDS, Message


class Choice(enum.Enum):
    """The choice between frames and lines."""

    UNDECIDED = enum.auto()
    LINES = enum.auto()
    FRAMES = enum.auto()


class _Decoder(Protocol):
    """What cuts the client's bytes into messages."""

    limit_bytes: int

    @property
    def has_partial_message(self) -> bool:
        """Whether a message is incomplete."""


class Wire(ABC):
    """Decodes a client's bytes to messages, and encodes the server's messages to bytes: see `ServerWire`, `WebWire`.

    Attributes:
        greeting: The bytes that the server sends first.
        choice: Whether the client reads frames, or lines.
    """

    __slots__ = ("_decoder", "_skip")

    greeting: bytes
    choice: Choice
    _decoder: _Decoder
    _skip: bool  # whether a message has begun that is to be discarded

    @property
    def limit_bytes(self) -> int:
        """Bytes in a message at most. A new limit holds for input that is not decoded yet, too."""
        return self._decoder.limit_bytes

    @limit_bytes.setter
    def limit_bytes(self, limit_bytes: int) -> None:
        self._decoder.limit_bytes = limit_bytes

    @property
    def has_partial_message(self) -> bool:
        """Whether a message is incomplete; asked when all complete ones are decoded."""
        return self._decoder.has_partial_message

    @property
    @abstractmethod
    def has_partial_frame(self) -> bool:
        """Whether a frame is incomplete, which has a deadline; asked when all complete ones are decoded."""

    @abstractmethod
    def take_completed(self) -> bool:
        """Return whether a message was complete since the last call: a deadline doesn't hold for the next one."""

    @abstractmethod
    def choose(self, data: bytes | memoryview) -> bytes:
        """Choose by the client's first byte; return the bytes that the server must send first."""

    @abstractmethod
    def feed(self, data: bytes | memoryview) -> int:
        """Store the client's bytes; return how many of them cost more than others."""

    @abstractmethod
    def decode(self, at_most: int = BATCH) -> list[Message]:
        """Return complete messages, `at_most` so many."""

    @abstractmethod
    def decode_next(self) -> Message | None:
        """Return the next complete message, None if there is none."""

    @abstractmethod
    def end(self) -> Message | None:
        """Return the last message if it has no end; called when the input has ended."""

    def skip(self) -> tuple[int, int]:
        """Discard what has come so far, the part of a message included that hasn't come as a whole yet.

        Returns:
            How many messages were discarded, and how many of them a user had said, the part of one included.

        Raises:
            ProtocolError: The input breaks the protocol.
        """
        count = said = 0
        while some := self.decode():
            count += len(some)
            said += sum(one.kind in SAYING_KINDS for one in some)
        has_begun = self._decoder.has_partial_message
        said += has_begun and not self._skip
        self._skip = has_begun
        return count, said

    @abstractmethod
    def encode(self, one: Message) -> bytes:
        """Return the bytes of a message for the client."""
