"""What the client says and hears on one connection; it sends and shows nothing itself.

Here it is raw. `message_dialogue` is the one that may change to messages; it is loaded only where that can happen.
"""

from typing import TYPE_CHECKING

from sockctl.errors import UnsendableError

if TYPE_CHECKING:
    from sockctl.protocol.messages import Message

__all__ = ["Dialogue"]


class Dialogue:
    """A dialogue in raw bytes, whatever comes.

    Args:
        line_end: What ends a line.

    Attributes:
        insists: Whether only a message service will do.
        question: What the server has asked last, as far as its messages were heard, until something was said to it.
    """

    def __init__(self, *, line_end: bytes = b"\n") -> None:
        self._line_end = line_end
        self.insists = False
        self.question: Message | None = None

    @property
    def listening(self) -> bool:
        """Whether it is still open what the wire is."""
        return False

    @property
    def in_messages(self) -> bool:
        """Whether both sides speak in messages."""
        return False

    @property
    def service(self) -> str:
        """The name of the service that has greeted."""
        return ""

    @property
    def may_say(self) -> bool:
        """Whether a line may go out now."""
        return True

    @property
    def has_turn(self) -> bool:
        """Whether a line is awaited: the server has asked, or let this side in."""
        return True

    @property
    def is_in(self) -> bool:
        """Whether the server has let this side in."""
        return False

    @property
    def may_return(self) -> bool:
        """Whether the server would let this side in again by itself, should the connection be lost."""
        return False

    @property
    def is_over(self) -> bool:
        """Whether the server has said goodbye."""
        return False

    def undecided_s(self) -> float | None:
        """Return for how many seconds it is still awaited whether the server lets this side in as it is, or None."""
        return None

    def overdue(self) -> "Message | None":
        """Return the question that was held back for that, when its time is up."""
        return None

    def hear(self, data: bytes) -> tuple[bytes, bytes]:
        """Take what the server sent; return what of it is to be shown as it is, and what must be sent at once.

        Raises:
            NotGreetedError: It is no greeting, and only a message service will do.
        """
        return data, b""

    def take(self) -> tuple[list["Message"], bytes]:
        """Return messages that are complete and meant for people, some at a time, and what to send for the others.

        Raises:
            ProtocolError: The next one breaks the protocol.
        """
        return [], b""

    def admits(self, one: "Message") -> bool:  # noqa: ARG002  here there are none
        """Take note of a message when its turn has come; return whether it is to be shown."""
        return True

    def end(self) -> bytes:
        """Take note that the server has ended its side; return what is still to be shown as it is.

        Raises:
            ProtocolError: It ended in the middle of a frame, or without the greeting that was insisted on.
        """
        return b""

    def stay_raw(self) -> bytes:
        """Speak before the server does; return what was held back of what it sent."""
        return b""

    def say(self, line: str) -> bytes:
        """Return what carries a line: an answer where a question is open.

        Raises:
            UnsendableError: It is too long for a message, or no text.
            InsecureError: It is a password, and would go in clear.
        """
        try:
            return line.encode() + self._line_end
        except UnicodeEncodeError as error:
            raise UnsendableError(f"{line!r} is no text: it holds bytes that are not UTF-8.") from error

    def leave(self) -> bytes:
        """Return what says goodbye, if there is a way to."""
        return b""
