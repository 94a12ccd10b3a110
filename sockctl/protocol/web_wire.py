"""The server's side of a WebSocket connection: a message of the wire is a text message with the same JSON object.

A `ping` of the server travels twice. A browser answers its Ping frame even while the page's script sleeps. The script
can't see that frame, so the `ping` message tells it that the server still lives. A Close frame of the client is its
`bye`. Each other frame that completes no message counts as a `pong`, which no service hears.
"""

from collections.abc import Callable

from sockctl.errors import BadTextError, BinaryRefusedError, ProtocolError
from sockctl.protocol.frames import BATCH, LIMIT_BYTES, encode_frame
from sockctl.protocol.messages import Message, decode_message, encode_message, make_message
from sockctl.protocol.web_decoder import WebDecoder, parse_close
from sockctl.protocol.web_frames import BINARY, CLOSE, PING, PONG, TEXT, encode_web_frame, translate_frames
from sockctl.protocol.wire import Choice, Wire

_COUNTED = make_message("pong")


class WebWire(Wire):
    """Decodes the frames of a WebSocket client to messages, and encodes the server's messages. Not thread-safe.

    Args:
        reply: Sends the answers to a client's Pings, those of a batch in one piece.
        limit_bytes: Bytes in a message at most, all fragments together.

    Attributes:
        close_code: The code of the client's Close frame; None before it has come.
    """

    __slots__ = ("_completed", "_error", "_pongs", "_reply", "close_code")
    greeting = b""
    choice = Choice.FRAMES
    _decoder: WebDecoder

    def __init__(self, reply: Callable[[bytes], object], *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._decoder = WebDecoder(limit_bytes=limit_bytes)
        self._reply = reply
        self._completed = False
        self._pongs: list[bytes] = []
        self._error: ProtocolError | None = None
        self._skip = False
        self.close_code: int | None = None

    @property
    def has_partial_frame(self) -> bool:
        """Whether a frame or a message is incomplete; asked when all complete ones are decoded."""
        return self._decoder.has_partial_message

    def take_completed(self) -> bool:
        """Return whether a message was complete since the last call: control frames and fragments are none."""
        completed, self._completed = self._completed, False
        return completed

    def choose(self, data: bytes | memoryview) -> bytes:  # noqa: ARG002  the request has chosen
        """Return nothing: there is no choice left."""
        return b""

    def feed(self, data: bytes | memoryview) -> int:
        """Store the client's bytes; none of them cost more than others."""
        self._decoder.feed(data)
        return 0

    def decode(self, at_most: int = BATCH) -> list[Message]:
        """Return messages, `at_most` so many. An error waits until the messages before it are returned.

        Raises:
            ProtocolError: The next message breaks the protocol; every further call raises the error again.
        """
        if self._error is not None:
            raise self._error
        messages: list[Message] = []
        try:
            for opcode, data in self._decoder.decode(at_most):
                if opcode == TEXT and not self._skip:
                    self._completed = True
                    messages.append(decode_message(data.decode()))
                else:
                    messages.append(self._read(opcode, data))
        except UnicodeDecodeError as error:
            self._error = BadTextError(f"A message is not UTF-8: {error.reason} at its byte {error.start}.")
        except ProtocolError as error:
            self._error = error
        if self._pongs:
            self._reply(b"".join(self._pongs))
            self._pongs.clear()
        if self._error is not None and not messages:
            raise self._error
        return messages

    def decode_next(self) -> Message | None:
        """Return the next message, None if there is none; raises what `decode` raises."""
        messages = self.decode(1)
        return messages[0] if messages else None

    def end(self) -> None:
        """Note that the input has ended; called when all complete messages are decoded.

        Raises:
            ProtocolError: The input ended in the middle of a message, or an error came before.
        """
        if self._error is not None:
            raise self._error
        self._decoder.end()

    def encode(self, one: Message) -> bytes:
        """Return the frame of `one`.

        Raises:
            UnsendableError: The message is too large for a frame.
        """
        if one.kind == "ping":
            return encode_web_frame(b"", PING) + translate_frames(encode_frame(encode_message(one)))
        return translate_frames(encode_frame(encode_message(one)))

    def _read(self, opcode: int, data: bytes) -> Message:
        """Return what a frame other than a text stands for; or the rest of a discarded text."""
        if opcode == TEXT:
            self._completed, self._skip = True, False
        elif opcode == BINARY:
            raise BinaryRefusedError("A binary message came, and this service speaks JSON in text messages.")
        elif opcode == PING:
            self._pongs.append(encode_web_frame(data, PONG))
        elif opcode == CLOSE:
            self.close_code = parse_close(data)
            return make_message("bye")
        return _COUNTED
