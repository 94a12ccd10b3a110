"""The client's side of a connection that may be framed: the choice of the wire, then the messages of the server.

The client listens before it speaks. The answers to the greeting and to pings go to `outgoing`.

| state | what comes | next state | and |
|---|---|---|---|
| listening | a greeting | greeted | the answer of `opening` is to be sent |
| listening | something else | raw | it is to be shown as it is |
| listening | nothing, and one's own first line must go out | raw | `speak_raw` |
| greeted | text | greeted | it is dropped: it comes again in frames |
| greeted | 0x00 | framed | |
| greeted | the end | raw | the server has ended without reading the hello: the text was all it said |
"""

import enum
from collections.abc import Callable, Iterator, Sequence

from sockctl.errors import NotGreetedError, ProtocolError
from sockctl.protocol.frames import FrameDecoder, encode_frame
from sockctl.protocol.greeting import VERSION, may_become_greeting, parse_greeting
from sockctl.protocol.messages import Message, decode_message, encode_message, make_message

_MAX_DROPPED_BYTES = 65_536
"""Bytes of a server's text that the wire keeps in case the server never changes to frames."""


class Phase(enum.Enum):
    """The phases of the choice."""

    LISTENING = enum.auto()
    GREETED = enum.auto()
    FRAMED = enum.auto()
    RAW = enum.auto()


class ClientWire:
    """Makes messages of a server's bytes, or leaves them as they are. Not thread-safe.

    Args:
        insist: Whether only a message service will do.
        opening: Returns the answer to the greeting of a service, by its name; None for no answer.
        decode: Returns the message in a frame's text; a ProtocolError of it comes as one of the wire.

    Attributes:
        phase: Where the choice stands.
        service: The name of the service that greeted.
        outgoing: Bytes that are to be sent; the caller sends and removes them.
    """

    def __init__(
        self,
        *,
        insist: bool,
        opening: Callable[[str], bytes] | None = None,
        decode: Callable[[str], Message] = decode_message,
    ) -> None:
        self.phase = Phase.LISTENING
        self.service = ""
        self.outgoing = bytearray()
        self._opening = opening
        self._decode = decode
        self._insist = insist
        self._text = bytearray()  # the beginning of a greeting, then the text before the first frame
        self._decoder = FrameDecoder()
        self._error: ProtocolError | None = None

    @property
    def has_partial_message(self) -> bool:
        """Whether a message is incomplete; asked after `messages`."""
        return self.phase is not Phase.FRAMED or self._decoder.has_partial_message

    @property
    def is_listening(self) -> bool:
        """Whether the choice is still open."""
        return self.phase is Phase.LISTENING

    @property
    def is_framed(self) -> bool:
        """Whether both sides speak in messages, or are about to."""
        return self.phase in {Phase.GREETED, Phase.FRAMED}

    @property
    def dropped_text(self) -> bytes:
        """The greeting and what the server has said in text since, as long as no frame has come; else nothing."""
        return bytes(self._text) if self.phase is Phase.GREETED else b""

    def feed(self, data: bytes) -> bytes:
        """Process bytes of the server; return those that the client shows as they are.

        Raises:
            NotGreetedError: The bytes are no greeting, or one of a newer kind, and the wire insists.
        """
        match self.phase:
            case Phase.RAW:
                return data
            case Phase.FRAMED:
                self._decoder.feed(data)
                return b""
            case Phase.LISTENING:
                self._text += data
                return self._listen()
            case Phase.GREETED:
                self._drop(data)
                return b""

    def decode_all(self) -> Iterator[Message]:
        """Yield the complete messages; answer pings, and leave them out.

        Raises:
            ProtocolError: The next message breaks the protocol.
        """
        while some := self.decode():
            for one in some:
                if one.kind == "ping":
                    self.outgoing += self.encode(make_message("pong"))
                else:
                    yield one

    def decode(self) -> list[Message]:
        """Return complete messages, some at a time. An error waits until the messages before it are returned.

        Raises:
            ProtocolError: The next message breaks the protocol.
        """
        if self._error is not None:
            raise self._error
        messages: list[Message] = []
        try:
            messages.extend(map(self._decode, self._decoder.decode()))
        except ProtocolError as error:
            self._error = error
            if not messages:
                raise
        return messages

    def count_complete(self) -> int:
        """Return how many messages are complete and not decoded yet."""
        return self._decoder.count_complete() if self._error is None else 0

    def take_rest(self) -> bytes:
        """Return the bytes of an incomplete frame, and forget them: the caller feeds them again."""
        return self._decoder.take_rest() if self.phase is Phase.FRAMED and self._error is None else b""

    def end(self) -> bytes:
        """Note the end of the server's side; return the remaining bytes that the client shows as they are.

        Raises:
            NotGreetedError: No greeting came, and the wire insists.
            ProtocolError: The input ended in the middle of a frame, or an error came before.
        """
        if self._error is not None:
            raise self._error
        if self.phase is Phase.FRAMED:
            self._decoder.end()
            return b""
        if self.phase is Phase.LISTENING and self._insist:
            raise NotGreetedError(
                "The server ended the connection without a greeting: it is no message service, it refused "
                "you, or it speaks TLS (sockctls://HOST:PORT)."
            )
        return self.speak_raw()

    def speak_raw(self) -> bytes:
        """Stay raw; return the bytes that were held back, which the client shows as they are."""
        self.phase = Phase.RAW
        held = bytes(self._text)
        self._text.clear()
        return held

    @staticmethod
    def hello(*, session: bool = True, can: Sequence[str] = ()) -> bytes:
        """Return a hello, the answer to a greeting.

        Args:
            session: Whether the server may give a token for the next time.
            can: What the client can show, and not every client can.
        """
        without = None if session else False
        return ClientWire.encode(make_message("hello", client="sockctl", session=without, can=[*can] or None))

    @staticmethod
    def encode(one: Message) -> bytes:
        """Return the frame of a message.

        Raises:
            UnsendableError: The message is too large for a frame.
        """
        return encode_frame(encode_message(one))

    def _listen(self) -> bytes:
        end = self._text.find(b"\n") + 1
        if not end and may_become_greeting(bytes(self._text)):
            return b""
        greeted = parse_greeting(bytes(self._text[:end]))
        if greeted is not None and greeted[0] == VERSION:
            self.phase = Phase.GREETED
            self.service = greeted[1]
            rest = bytes(self._text[end:])
            del self._text[end:]
            self._drop(rest)
            if self._opening is not None:
                self.outgoing += self._opening(self.service)
            return b""
        if not self._insist:
            return self.speak_raw()
        if greeted is None:
            raise NotGreetedError(
                "The server is no message service: it doesn't begin with a greeting. Write tcp://HOST:PORT to talk "
                "with it all the same."
            )
        raise NotGreetedError(
            f"The server speaks version {greeted[0]} of the protocol, and this sockctl version {VERSION}: update it, "
            f"or write tcp://HOST:PORT to talk in plain text."
        )

    def _drop(self, data: bytes) -> None:
        """Drop the text up to the first frame; the greeting stays at the beginning of the dropped text."""
        text, zero, frames = data.partition(b"\0")
        self._text += text
        del self._text[_MAX_DROPPED_BYTES:]
        if zero:
            self.phase = Phase.FRAMED
            self._text.clear()
            self._decoder.feed(zero + frames)
