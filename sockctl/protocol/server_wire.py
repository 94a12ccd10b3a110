"""The server's side of a message connection: frames for programs, lines for people, on one port.

A table of the choice; the first byte that the client sends makes it, and no clock does:

| what comes first | the wire is | and |
|---|---|---|
| 0x00, the first byte of every frame | frames | what was said so far is said again, in frames |
| 0x16, the first byte of TLS | lines | it is an error: this port speaks plain text |
| any other byte | lines | |
| nothing, while more than 16 KiB were said | lines | it is too long to be said again; 0x00 comes too late then |

Until the choice is made, the server's messages go out as lines, and the wire remembers their frames. So choosing and
encoding must not overlap: threads call `choose` and `encode` under the lock under which they send. The choice is final.
"""

import re

from sockctl.errors import HttpRefusedError, LateHelloError, ProtocolError, TlsReceivedError
from sockctl.protocol.frames import BATCH, LIMIT_BYTES, FrameDecoder, encode_frame
from sockctl.protocol.greeting import make_greeting
from sockctl.protocol.lines import LineDecoder
from sockctl.protocol.messages import Message, decode_message, encode_message, format_line, make_message
from sockctl.protocol.wire import Choice, Wire

REPLAY_BYTES = 16_384
"""Bytes of frames that the wire remembers until the client chooses."""
TLS_HANDSHAKE = 0x16
"""The first byte of a TLS client, RFC 8446 section 5.1; no text begins with it."""
_HTTP_REQUEST = re.compile(r"[A-Z]+ \S.* HTTP/[0-9]")


class ServerWire(Wire):
    """Decodes the client's bytes to messages, and encodes the server's messages to bytes. Not thread-safe, see above.

    Args:
        service: The service's name, for the greeting.
        unmarked_room: The room whose name isn't put in front of its messages on a line.
        limit_bytes: Bytes in a frame or line at most.
    """

    __slots__ = ("_begun", "_error", "_first", "_replay", "_unmarked_room", "choice", "greeting")

    def __init__(self, service: str, *, unmarked_room: str = "", limit_bytes: int = LIMIT_BYTES) -> None:
        self.greeting = make_greeting(service)
        self.choice = Choice.UNDECIDED
        self._unmarked_room = unmarked_room
        self._decoder: FrameDecoder | LineDecoder = LineDecoder(limit_bytes=limit_bytes)
        self._replay = bytearray()
        self._error: ProtocolError | None = None
        self._begun = False
        self._first = True
        self._skip = False

    @property
    def has_partial_frame(self) -> bool:
        """Whether a frame is incomplete; asked when all complete ones are decoded."""
        return self.choice is Choice.FRAMES and self._decoder.has_partial_message

    def take_completed(self) -> bool:
        """Return True: each frame and line is a message."""
        return True

    def choose(self, data: bytes | memoryview) -> bytes:
        """Choose by the client's first byte; return the bytes that the server must send first."""
        if self.choice is not Choice.UNDECIDED or not data:
            return b""
        if data[0] != 0:
            self._choose_lines()
            return b""
        self.choice = Choice.FRAMES
        self._decoder = FrameDecoder(limit_bytes=self.limit_bytes)
        said = bytes(self._replay)
        self._replay.clear()
        return said

    def feed(self, data: bytes | memoryview) -> int:
        """Store the client's bytes, which `choose` has seen; return how many of them were telnet's."""
        if not self._begun and data:
            self._begun = True
            if data[0] == 0 and self.choice is Choice.LINES:  # a hello has no line end to wait for
                self._error = LateHelloError(
                    f"The change to frames comes too late: the server has said more than {REPLAY_BYTES:,} bytes in "
                    f"text by now. Answer the greeting as soon as it comes."
                )
            elif data[0] == TLS_HANDSHAKE:
                self._error = TlsReceivedError("This port speaks plain text, and not TLS: connect without it.")
        return self._decoder.feed(data)

    def decode(self, at_most: int = BATCH) -> list[Message]:
        """Return complete messages, `at_most` so many. An error waits until the messages before it are returned.

        Raises:
            ProtocolError: The next message breaks the protocol; every further call raises the error again.
        """
        if self._error is not None:
            raise self._error
        messages: list[Message] = []
        try:
            texts = self._decoder.decode(at_most)
            if (self._first or self._skip) and texts:
                texts = self._check_first(texts) or self._decoder.decode(at_most)
            if self.choice is Choice.FRAMES:
                messages.extend(map(decode_message, texts))
            else:
                messages.extend(make_message("line", text) for text in texts)
        except ProtocolError as error:
            self._error = error
            if not messages:
                raise
        return messages

    def decode_next(self) -> Message | None:
        """Return the next complete message, None if there is none; the bytes after it stay undecoded.

        Raises:
            ProtocolError: The message breaks the protocol; every further call raises the error again.
        """
        if self._error is not None:
            raise self._error
        try:
            while (text := self._decoder.decode_next()) is not None:
                if not (self._first or self._skip) or self._check_first([text]):
                    return self._read(text)
        except ProtocolError as error:
            self._error = error
            raise
        return None

    def end(self) -> Message | None:
        """Return the last line if it has no end; called when the input has ended and all complete lines are decoded.

        Raises:
            ProtocolError: The input ended in the middle of a frame, the line is no text, or an error came before.
        """
        if self._error is not None:
            raise self._error
        try:
            text = self._decoder.end()
            if text is None or ((self._first or self._skip) and not self._check_first([text])):
                return None
        except ProtocolError as error:
            self._error = error
            raise
        return self._read(text)

    def encode(self, one: Message) -> bytes:
        """Return the bytes of `one` for the client. Before the choice these are a line, and the frame is remembered.

        Raises:
            UnsendableError: The message is too large for a frame.
        """
        if self.choice is Choice.FRAMES:
            return encode_frame(encode_message(one))
        if self.choice is Choice.UNDECIDED:
            self._replay += encode_frame(encode_message(one))
            if len(self._replay) > REPLAY_BYTES:
                self._choose_lines()
        return f"{format_line(one, unmarked_room=self._unmarked_room)}\r\n".encode()

    def _choose_lines(self) -> None:
        self.choice = Choice.LINES
        self._replay.clear()

    def _read(self, text: str) -> Message:
        return decode_message(text) if self.choice is Choice.FRAMES else make_message("line", text)

    def _check_first(self, texts: list[str]) -> list[str]:
        """Refuse an HTTP request at the very beginning; return the texts without the rest of a discarded message."""
        if self._first:
            self._first = False
            if self.choice is not Choice.FRAMES and _HTTP_REQUEST.match(texts[0]):
                raise HttpRefusedError("This is an HTTP request, and no HTTP server: nothing of it was carried out.")
        if self._skip:
            self._skip = False
            return texts[1:]
        return texts
