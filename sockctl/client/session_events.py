"""The events that a `ClientSession` gives back: orders for the I/O loop, as data.

They are named tuples: a named tuple delays the client's start by a fifth of a dataclass's time.
"""

import enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sockctl.errors import ConnectionBrokenError, ProtocolError, SockctlError, WebSocketClosedError
from sockctl.events.base import Event

if TYPE_CHECKING:
    from sockctl.client.chat.roster import ChatContext
    from sockctl.protocol.messages import Message


class EndReason(enum.StrEnum):
    """Why a session ended, as the event `Disconnected` has it."""

    SERVER_CLOSED = "server_closed"
    CLIENT_CLOSED = "client_closed"
    WEBSOCKET_CLOSED = "websocket_closed"
    CLIENT_EXIT = "client_exit"
    QUIT_AFTER = "quit_after"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    OUTPUT_CLOSED = "output_closed"
    RESET = "reset"
    PROTOCOL_ERROR = "protocol_error"
    FAILED = "failed"

    @classmethod
    def of(cls, error: SockctlError) -> "EndReason":
        """Return the reason for a session that an error ended."""
        if isinstance(error, WebSocketClosedError):
            return cls.WEBSOCKET_CLOSED
        if isinstance(error, ConnectionBrokenError):
            return cls.RESET
        return cls.PROTOCOL_ERROR if isinstance(error, ProtocolError) else cls.FAILED


class Signal(enum.Enum):
    """Events without data, each with what the loop must do."""

    SENDING_ENDED = enum.auto()  # Half-close the connection: everything was sent.
    TYPING_ENDED = enum.auto()  # Let nothing more be typed; the connection stays as it is.
    QUESTION_ANSWERED = enum.auto()  # A line was typed after the question.
    KEEPALIVE_WANTED = enum.auto()  # Let the kernel find out whether the server is still there.
    CONNECTION_DROPPED = enum.auto()  # Close the connection: the session goes on without.
    CONNECTION_WANTED = enum.auto()  # Connect once, then call `ClientSession.connected` or `.connect_failed`.


class BytesToSend(NamedTuple):
    """Send bytes, after earlier ones; then call `ClientSession.sent` with the number of bytes that have gone."""

    data: bytes


class LastBytes(NamedTuple):
    """Send bytes if the kernel takes them at once, and nothing waits before them: the session is over."""

    data: bytes


class BytesToShow(NamedTuple):
    """Show received raw bytes; no bytes mean their end."""

    data: bytes


class WebMessageToShow(NamedTuple):
    """Show a message of a WebSocket.

    Attributes:
        data: Its bytes.
        is_text: Whether it is text, in UTF-8.
    """

    data: bytes
    is_text: bool


class DatagramToShow(NamedTuple):
    """Show a datagram.

    Attributes:
        data: Its bytes.
        is_sent: Whether it was sent: then it is shown where both directions are.
    """

    data: bytes
    is_sent: bool = False


class MessageToShow(NamedTuple):
    """Show a message.

    Attributes:
        message: The message.
        context: The user's name and rooms at that moment; None outside of a chat.
    """

    message: "Message"
    context: "ChatContext | None" = None


class MessageToLog(NamedTuple):
    """Write a message to the log of rooms, if it belongs there."""

    message: "Message"


class QuestionAsked(NamedTuple):
    """Prepare for the answer to a question, before showing it; None withdraws the last question."""

    question: "Message | None"


class TextReturned(NamedTuple):
    """Put a text back into the editor, if nothing is being typed there; else show it.

    Attributes:
        text: The text.
        why: Why, for the user; empty where the user knows.
    """

    text: str
    why: str = ""


class WindowChanged(NamedTuple):
    """Write to the terminal what has changed in the window on a chat."""

    text: str


class TextArrived(NamedTuple):
    """Take a text that came back into the editor out of it, if it stands there as it was: it has arrived after all."""

    text: str


class TellUser(Protocol):
    """Tells the user something, as a `Remark` does."""

    def __call__(self, text: str, *, is_error: bool = True) -> None:
        """Tell `text`."""
        ...


class Remark(NamedTuple):
    """Tell the user something about the session.

    Attributes:
        text: The sentence.
        is_error: Whether it tells of an error that doesn't end the session.
    """

    text: str
    is_error: bool = True


class EventToEmit(NamedTuple):
    """Emit an event."""

    event: Event


class SessionEnded(NamedTuple):
    """Stop the loop.

    Attributes:
        reason: Why the session ended.
        error: The error that ended it; None for another end.
    """

    reason: EndReason
    error: SockctlError | None = None


SessionEvent = (
    Signal
    | BytesToSend
    | LastBytes
    | BytesToShow
    | WebMessageToShow
    | DatagramToShow
    | MessageToShow
    | MessageToLog
    | QuestionAsked
    | TextReturned
    | TextArrived
    | WindowChanged
    | Remark
    | EventToEmit
    | SessionEnded
)
"""Something for the loop to do."""
