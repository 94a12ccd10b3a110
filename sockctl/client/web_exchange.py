"""The messages of a WebSocket, on their way in both directions.

In text, a line is a message; in binary, a portion of the input is one. The client's frames are masked, the server's
aren't.

WebSocket has no half-close: many servers answer a Close frame before they have dealt with the messages ahead of it.
So where the input ends, the client sends a Ping first. It sends the Close frame when the Pong has come: all messages
have arrived then, and their answers are on the way. After that the client reads until the server's own Close frame.

| state | what comes | next state | and |
|---|---|---|---|
| open | the end of the input | ending | a Ping is sent, unless --quit-after says how long to wait |
| ending | the Pong, or the time is up | closing | a Close frame is sent |
| any | a Close frame | closed | the session is over; the loop answers the frame |
"""

from typing import TYPE_CHECKING

from websockets.frames import OK_CLOSE_CODES, Close, Frame, Opcode

from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.receiver import Receiver
from sockctl.client.sender import Sender
from sockctl.client.session_events import EndReason, EventToEmit, Remark, SessionEvent, Signal
from sockctl.client.settings import ClientSettings
from sockctl.errors import (
    BadTextError,
    ConnectTimeoutError,
    ProtocolError,
    StreamError,
    UnsendableError,
    WebSocketClosedError,
)
from sockctl.events.client_web import CloseReceived, CloseSent, PingReceived, PingSent, PongReceived
from sockctl.protocol.web_decoder import WebDecoder
from sockctl.protocol.web_frames import BINARY, CLOSE, MESSAGE_BYTES, NO_CODE, PING, PONG, TEXT
from sockctl.text import make_visible

if TYPE_CHECKING:
    from collections.abc import Iterable

NORMAL, GOING_AWAY = 1000, 1001
_MESSAGES = frozenset({TEXT, BINARY})
_LAST_PING = b"end"
_ENDED_WELL = frozenset(
    {
        EndReason.WEBSOCKET_CLOSED,
        EndReason.CLIENT_EXIT,
        EndReason.QUIT_AFTER,
        EndReason.STOPPED,
        EndReason.OUTPUT_CLOSED,
    }
)


class WebExchange:
    """Both halves of a WebSocket connection.

    Args:
        settings: How the session behaves.
        sender: Sends the frames.
        receiver: Shows the messages.
        events: Where events are appended.
        now: The time.

    Attributes:
        quit_at: When the client waits no longer for the server's Close frame; None for no such time.
    """

    def __init__(
        self, settings: ClientSettings, sender: Sender, receiver: Receiver, events: list[SessionEvent], now: float
    ) -> None:
        self.quit_at: float | None = None
        self._settings = settings
        self._sender = sender
        self._receiver = receiver
        self._events = events
        self._decoder = WebDecoder(limit_bytes=MESSAGE_BYTES, masked=False)
        self._line_number = 0
        self._heard_at = now
        self._close_at: float | None = None  # from the end of the input on
        self._failure_code = 0
        self._received: Close | None = None
        sender.encode_raw_line = self.encode_line

    @property
    def unsent_input_bytes(self) -> int:
        """Bytes of messages that wait to be sent; Pongs and the end of the session don't count."""
        sender = self._sender
        return 0 if self._close_at is not None else max(0, sender.unsent_bytes - sender.answers_bytes)

    # From the server.

    def receive(self, data: bytes, now: float) -> bool:
        """Process bytes of the server; return whether it has closed the WebSocket.

        Raises:
            ProtocolError: They break the protocol, or a message is too large.
            ExpectationError: They come when the time of an expectation is up.
            ConnectionBrokenError: The server goes on pinging, and takes no answer.
        """
        self._heard_at = now
        self._decoder.feed(data)
        try:
            while frames := self._decoder.decode():
                for opcode, payload in frames:
                    self._read(opcode, payload, now)
        except ProtocolError as error:
            self._failure_code = error.close_code
            if not self._receiver.has_enough:
                raise
        return self._received is not None

    def judge_end(self) -> None:
        """Check how the server has ended the connection.

        Raises:
            WebSocketClosedError: It gives a code that tells of a failure, or none at all.
        """
        close = self._received
        if close is None:
            raise WebSocketClosedError(
                "The server ended the connection without a Close frame (1006): something may be missing."
            )
        if close.code not in OK_CLOSE_CODES:
            code, _, explained = str(Close(close.code, "")).partition(" ")
            reason = f": {make_visible(close.reason)}" if close.reason else ", without a reason."
            raise WebSocketClosedError(f"The server closed the WebSocket with the code {code} {explained}{reason}")

    def _read(self, opcode: int, data: bytes, now: float) -> None:
        if opcode in _MESSAGES:
            if opcode == TEXT and not data.isascii():
                _check_text(data)
            self._receiver.show_web_message(data, now, is_text=opcode == TEXT)
        elif opcode == PING:
            self._events.append(EventToEmit(PingReceived(bytes=len(data))))
            self._sender.answer(bytearray(_encode(PONG, data)))
        elif opcode == PONG:
            self._events.append(EventToEmit(PongReceived(bytes=len(data))))
            if self._close_at is not None and data == _LAST_PING:
                self._close_at = now
        elif opcode == CLOSE:
            self._received = Close.parse(data)
            code, reason = int(self._received.code), make_visible(self._received.reason)
            self._events.append(EventToEmit(CloseReceived(code=code, reason=reason)))

    # To the server.

    def encode_input(self, source: LineInput | PipeInput, data: bytes) -> bytes:
        """Return the frames for bytes of the input; no bytes mean its end, and a last line.

        A piped line that is no text, or longer than a message may be, ends the input.
        """
        if self._settings.binary or isinstance(source, PipeInput):
            raw = source.feed_raw(data)
            return _encode(BINARY, raw) if raw else b""
        frames = bytearray()
        try:
            for each in self._encode_lines(source.feed(data)):
                frames += each
            if len(source.open) > MESSAGE_BYTES:
                raise self._make_size_error(self._line_number + 1)
        except (StreamError, UnsendableError) as error:
            source.fail(error)
        return bytes(frames)

    def encode_line(self, line: str) -> bytes:
        """Return the frame for a line of a script.

        Raises:
            UnsendableError: It is no text.
        """
        try:
            return _encode(BINARY if self._settings.binary else TEXT, line.encode())
        except UnicodeEncodeError as error:
            raise UnsendableError(f"{line!r} is no text: it holds bytes that are not UTF-8.") from error

    def settle_end(self, now: float, *, wait_s: float | None) -> float | None:
        """Go on with the end, once the input has ended and everything was sent; return when to call again.

        Args:
            now: The time.
            wait_s: Seconds to wait for the server's Close frame; None for as long as it says something.

        Raises:
            ConnectTimeoutError: The server has neither answered the Close frame in time, nor said anything.
        """
        if self._close_at is None:
            self._close_at = now + (self._settings.quit_after_s or 0.0)
            if self._settings.quit_after_s is None:
                self._close_at = now + self._settings.flush_s
                self._sender.send(_encode(PING, _LAST_PING))
                self._events.append(EventToEmit(PingSent()))
            self._events.append(Signal.TYPING_ENDED)
        if not self._sender.half_closed:
            if now < self._close_at:
                return self._close_at
            self._sender.send(_encode_close(NORMAL))
            self._sender.half_closed = True
            self._events.append(EventToEmit(CloseSent(code=NORMAL)))
            self._heard_at = now
            if self._settings.quit_after_s is not None:
                wait_s = self._settings.flush_s
            self.quit_at = None if wait_s is None else now + wait_s
        if self.quit_at is not None:
            return None
        late_at = self._heard_at + self._settings.timeout_s
        if now >= late_at:
            raise ConnectTimeoutError(
                f"The server has not answered the Close frame within {self._settings.timeout_s:g} s (--timeout)."
            )
        return late_at

    def encode_goodbye(self, reason: EndReason) -> bytes:
        """Return the Close frame with which the session ends; nothing where one was sent."""
        if self._sender.half_closed:
            return b""
        if self._received is not None:
            return _encode_close(int(self._received.code))
        return _encode_close(self._failure_code or (NORMAL if reason in _ENDED_WELL else GOING_AWAY))

    def _encode_lines(self, lines: "Iterable[bytes]") -> "Iterable[bytes]":
        for line in lines:
            self._line_number += 1
            text = line.removesuffix(b"\r")
            try:
                self._check_line(text)
            except (StreamError, UnsendableError) as error:
                if not self._settings.terminal:
                    raise
                self._events.append(Remark(str(error)))
            else:
                yield _encode(TEXT, text)

    def _check_line(self, text: bytes) -> None:
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise StreamError(
                f"Line {self._line_number} of the input is not UTF-8 at its byte {error.start}: it can't be sent as "
                f"text. --binary sends bytes."
            ) from error
        if len(text) > MESSAGE_BYTES:
            raise self._make_size_error(self._line_number)

    def _make_size_error(self, number: int) -> UnsendableError:
        return UnsendableError(
            f"Line {number} of the input is longer than a message may be ({MESSAGE_BYTES:,} bytes): split it, or give "
            f"--binary."
        )


def _encode(opcode: int, data: bytes) -> bytes:
    return Frame(Opcode(opcode), data).serialize(mask=True)


def _encode_close(code: int) -> bytes:
    return _encode(CLOSE, b"" if code == NO_CODE else Close(code, "").serialize())


def _check_text(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise BadTextError(f"A text message is not UTF-8: {error.reason} at its byte {error.start}.") from error
