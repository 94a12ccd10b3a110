"""A WebSocket client of a service of bytes. The service gets each message, and answers with one of the same kind."""

import math
from collections.abc import Callable
from typing import Any

from sockctl.errors import BadTextError, MessageTimeoutError, ProtocolError, TooManyLargeError
from sockctl.events.connection import ProtocolBroken
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.handler import Handler
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import RawService
from sockctl.net.web.http_conversation import HttpConversation
from sockctl.net.web.large_messages import SMALL_BYTES, LargeMessages
from sockctl.protocol.web_decoder import WebDecoder, parse_close
from sockctl.protocol.web_frames import (
    BINARY,
    CLOSE,
    MESSAGE_BYTES,
    PING,
    PONG,
    TEXT,
    encode_close,
    encode_web_frame,
)

SLICE = 128
"""Frames of a connection that one round decodes, before other connections have their turn."""
_MESSAGES = frozenset({TEXT, BINARY})


class WebRawHandler(Handler):
    """Calls the service with each message that comes on the connection.

    As over bytes, the server reads no further message before the answer is taken.

    Args:
        connection: The client's connection.
        event_loop: Watches the connection.
        service: The service.
        journal: Takes the events.
        http: Answers the requests that come first.
        large: The places for large messages.
    """

    __slots__ = (
        "_close_code",
        "_completed",
        "_connection",
        "_decoder",
        "_done",
        "_event_loop",
        "_http",
        "_journal",
        "_large",
        "_opcode",
        "_peer",
        "_react",
        "_replies",
        "_service",
        "watching",
    )

    def __init__(
        self,
        connection: Connection,
        event_loop: EventLoop,
        service: RawService,
        journal: Journal,
        *,
        http: HttpConversation,
        large: LargeMessages,
    ) -> None:
        self._connection = connection
        self._event_loop = event_loop
        self._service = service
        self._journal = journal
        self._http: HttpConversation | None = http
        self._large = large
        self._decoder = WebDecoder(limit_bytes=MESSAGE_BYTES)
        self._opcode = TEXT  # of the last message
        self._replies: list[bytes] = []  # of this round
        self._close_code: int | None = None
        self._completed = False  # whether a message was complete in this round
        self._done = False
        self._peer = RawPeer(connection, event_loop)
        self._peer.post = self._add_reply
        self._react: Callable[[Any], object] = service.make_reaction(self._peer)
        self.watching = False

    @property
    def wire(self) -> str:
        """WebSocket, and the HTTP in front of it."""
        return "web"

    def opened(self) -> None:
        """Do nothing: a web connection begins with a conversation."""

    def converse(self, service: RawService) -> None:  # noqa: ARG002  it has no conversation
        """Answer HTTP requests until the connection is a WebSocket."""
        http, self._http = self._http, None  # its memory is needed no more
        rest = None if http is None else http.serve()
        if rest is not None:
            self._decoder.feed(rest)
            self.watching = True

    def resumed(self) -> None:
        """Admit the client, and react to what came behind its request."""
        self._connection.admit()
        self.go_on()

    def received(self, data: memoryview) -> None:
        """React to the messages that have come."""
        alone = self._decoder.decode_alone(data)
        if alone is None:
            self._decoder.feed(data)
            if self._connection.held_until is None:
                self.go_on()
        elif not self._done:
            try:
                self._read(*alone)
            except UnicodeDecodeError as error:
                self._refuse(error)
            self._send_replies()

    def go_on(self) -> None:
        """React to the frames that have come, at most `SLICE` in a round."""
        count = 0
        self._completed = False
        try:
            while count < SLICE and not self._done and (frames := self._decoder.decode(SLICE - count)):
                count += len(frames)
                for opcode, data in frames:
                    self._read(opcode, data)
        except (ProtocolError, UnicodeDecodeError) as error:
            self._refuse(error)
        self._send_replies()
        if self._done:
            return
        connection = self._connection
        if count == SLICE:
            self._event_loop.hold(connection, 0.0)
        if not self._decoder.has_partial_message or (count == SLICE and self._completed):
            connection.frame_until = math.inf
        elif count < SLICE and self._decoder.kept_bytes > SMALL_BYTES and not self._large.take(self):
            self._refuse(TooManyLargeError("Too many large messages are under way here: come back later."))
        elif count < SLICE and (self._completed or connection.frame_until == math.inf):
            self._event_loop.expect_frame(connection)

    @property
    def is_large(self) -> bool:
        """Whether a large message is kept, or an answer to one."""
        return max(self._decoder.kept_bytes, len(self._connection.outbox)) > SMALL_BYTES

    def closed(self, reason: Reason) -> None:  # noqa: ARG002  any
        """Give the place for a large message back."""
        self._large.give_back(self)

    def frame_expired(self) -> None:
        """Close with a code: a message was not complete in time."""
        self._refuse(MessageTimeoutError("A message was not complete in time."))

    def _read(self, opcode: int, data: bytes) -> None:
        if opcode in _MESSAGES:
            if opcode == TEXT and not data.isascii():
                data.decode()
            self._opcode = opcode
            self._completed = True
            self._react(data)
        elif opcode == PING:
            self._replies.append(encode_web_frame(data, PONG))
        elif opcode == CLOSE:
            self._finish(DisconnectReason.CLIENT_EXIT, parse_close(data))

    def ended(self) -> None:
        """Let the service react to the end of the input."""
        self._service.ended(self._peer)
        self._send_replies()

    def ending(self, reason: Reason) -> None:
        """Send a Close frame."""
        if self.watching:
            code = self._close_code or reason.close_code
            self._connection.post(encode_close(code, reason))

    def _add_reply(self, data: bytes | memoryview, bound: int | None = None) -> bool:  # noqa: ARG002  none is needed
        self._replies.append(encode_web_frame(data, self._opcode))
        return True

    def _send_replies(self) -> None:
        replies = self._replies
        if len(replies) == 1:
            self._connection.post(replies.pop())
        elif replies:
            self._connection.post(b"".join(replies))
            replies.clear()

    def _finish(self, reason: Reason, code: int) -> None:
        self._done = True
        self._close_code = code
        self._event_loop.close(self._connection, reason)

    def _refuse(self, error: ProtocolError | UnicodeDecodeError) -> None:
        connection = self._connection
        if isinstance(error, UnicodeDecodeError):
            error = BadTextError("A text message is not UTF-8.")
        self._journal.emit(
            ProtocolBroken(connection=connection.number, peer=connection.peer, code=error.code, error=str(error))
        )
        connection.reason = DisconnectReason.PROTOCOL_ERROR
        self._finish(DisconnectReason.PROTOCOL_ERROR, error.close_code)
