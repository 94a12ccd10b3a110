"""A WebSocket client of a service of messages. The service doesn't notice: it still encodes in frames."""

from functools import partial

from sockctl.errors import BadMessageError, ProtocolError
from sockctl.events.journal import Journal
from sockctl.events.reasons import Reason
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.input_budget import InputBudget
from sockctl.net.limits import Timeouts
from sockctl.net.message_peer import MessagePeer
from sockctl.net.sending_side import OUTBOX_BYTES
from sockctl.net.service import MessageService
from sockctl.net.web.http_conversation import HttpConversation
from sockctl.protocol.messages import make_message
from sockctl.protocol.web_frames import encode_close, translate_frames
from sockctl.protocol.web_wire import WebWire

_FOR_PEOPLE = "For typed lines use the server's own port, not this one of --web: sockctl connect sockctl://HOST:PORT."
"""What an error advises, since a person may have typed what is no message."""


class WebMessagePeer(MessagePeer):
    """One WebSocket client of a service of messages, and the handler of its connection.

    Args:
        connection: The client's connection.
        event_loop: Watches the connection.
        service: The service.
        journal: Takes the events.
        budget: Limits the work for the client's input.
        timeouts: The time limits.
        http: Answers the requests that come first.
    """

    __slots__ = ("_close_code", "_http", "_web_wire")

    def __init__(
        self,
        connection: Connection,
        event_loop: EventLoop,
        service: MessageService,
        journal: Journal,
        budget: InputBudget,
        *,
        timeouts: Timeouts,
        http: HttpConversation,
    ) -> None:
        self._web_wire = WebWire(partial(connection.post, bound=OUTBOX_BYTES))
        super().__init__(connection, event_loop, service, journal, budget, timeouts=timeouts, wire=self._web_wire)
        self.outlet, self.web_outlet = None, connection
        self.hello = make_message("hello")  # stands in until the client's own
        self._http: HttpConversation | None = http
        self._close_code: int | None = None

    def send_encoded(self, data: bytes) -> None:
        """Send the service's own reply, encoded in frames."""
        super().send_encoded(translate_frames(data))

    def post_encoded(self, data: bytes) -> None:
        """Send messages of other clients, encoded in frames."""
        super().post_encoded(translate_frames(data))

    @property
    def wire(self) -> str:
        """WebSocket, and the HTTP in front of it."""
        return "web"

    def converse(self, service: MessageService) -> None:
        """Answer HTTP requests; once the connection is a WebSocket, hold the service's conversation, if it has one."""
        http, self._http = self._http, None  # its memory is needed no more
        rest = None if http is None else http.serve()
        if rest is not None:
            self._feed(rest)
            super().converse(service)

    def ending(self, reason: Reason) -> None:
        """Send the reason for which the server closes the connection, and a Close frame."""
        if not self._opened:
            return
        super().ending(reason)
        code = self._web_wire.close_code or self._close_code or reason.close_code
        self._connection.post_made(lambda: encode_close(code, reason))

    def _refuse(self, error: ProtocolError) -> Reason:
        self._close_code = error.close_code
        if isinstance(error, BadMessageError):
            error = BadMessageError(f"{error} {_FOR_PEOPLE}")
        return super()._refuse(error)
