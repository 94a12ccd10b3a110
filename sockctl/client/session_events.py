"""The events of a session: frozen data that the loop carries out in order."""

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sockctl.errors import ConnectionBrokenError, ProtocolError, SockctlError
from sockctl.events.base import Event

if TYPE_CHECKING:
    from sockctl.client.chat.roster import ChatContext
    from sockctl.protocol.messages import Message


class EndReason(enum.StrEnum):
    """Why a session ended, as the event `Disconnected` has it."""

    SERVER_CLOSED = "server_closed"
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
        """Return the reason that an error is."""
        if isinstance(error, ConnectionBrokenError):
            return cls.RESET
        return cls.PROTOCOL_ERROR if isinstance(error, ProtocolError) else cls.FAILED


class SessionEvent:
    """Something for the loop to do."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class BytesToSend(SessionEvent):
    """Send these bytes after those before; `ClientSession.sent` takes the count of those that went out."""

    data: bytes


@dataclass(frozen=True, slots=True)
class SendingEnded(SessionEvent):
    """Half-close the connection: everything was sent."""


@dataclass(frozen=True, slots=True)
class BytesToShow(SessionEvent):
    """Show bytes that are no message; no bytes mean that none will follow."""

    data: bytes


@dataclass(frozen=True, slots=True)
class MessageToShow(SessionEvent):
    """Show a message.

    Attributes:
        message: The message.
        context: The user's name and rooms when it came; None where no chat is remembered.
    """

    message: "Message"
    context: "ChatContext | None" = None


@dataclass(frozen=True, slots=True)
class QuestionAsked(SessionEvent):
    """Get ready for the answer to a question, before it is shown; None where the question before is void."""

    question: "Message | None"


@dataclass(frozen=True, slots=True)
class QuestionAnswered(SessionEvent):
    """A line was typed after the question."""


@dataclass(frozen=True, slots=True)
class Remark(SessionEvent):
    """Tell the user something about the session."""

    text: str


@dataclass(frozen=True, slots=True)
class EventToEmit(SessionEvent):
    """Emit an event."""

    event: Event


@dataclass(frozen=True, slots=True)
class KeepaliveWanted(SessionEvent):
    """Let the kernel find out whether the server is still there."""


@dataclass(frozen=True, slots=True)
class ConnectionDropped(SessionEvent):
    """Close the connection: the session goes on without."""


@dataclass(frozen=True, slots=True)
class ConnectionWanted(SessionEvent):
    """Connect once; `ClientSession.connected` or `ClientSession.connect_failed` takes the outcome."""


@dataclass(frozen=True, slots=True)
class SessionEnded(SessionEvent):
    """Stop the loop.

    Attributes:
        reason: Why it ended.
        error: The error that ended it, if one did.
    """

    reason: EndReason
    error: SockctlError | None = None
