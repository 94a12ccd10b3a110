"""What the client says and hears on one connection, raw or in messages; it sends and shows nothing itself."""

from sockctl.errors import UnsendableError
from sockctl.protocol.client_wire import ClientWire, Phase
from sockctl.protocol.messages import Message, message

__all__ = ["Dialogue"]


class Dialogue:
    """The client's side of the wire, and the question that is open on it.

    Args:
        wire: The wire.
        line_end: What ends a line where the wire is raw.

    Attributes:
        question: What the server has asked last, until something was said to it.
    """

    def __init__(self, wire: ClientWire, *, line_end: bytes = b"\n") -> None:
        self._wire = wire
        self._line_end = line_end
        self.question: Message | None = None

    @property
    def listening(self) -> bool:
        """Whether it is still open what the wire is."""
        return self._wire.phase is Phase.LISTENING

    @property
    def in_messages(self) -> bool:
        """Whether both sides speak in messages."""
        return self._wire.phase in {Phase.GREETED, Phase.FRAMED}

    @property
    def service(self) -> str:
        """The name of the service that has greeted."""
        return self._wire.service

    def hear(self, data: bytes) -> tuple[bytes, bytes]:
        """Take what the server sent; return what of it is to be shown as it is, and what must be sent at once.

        Raises:
            NotGreetedError: It is no greeting, and only a message service will do.
        """
        listening = self.listening
        raw = self._wire.feed(data)
        return raw, self._wire.hello() if listening and self.in_messages else b""

    def take(self) -> tuple[list[Message], bytes]:
        """Return the messages that are complete and meant for people, and what must be sent for the others.

        Raises:
            ProtocolError: The next one breaks the protocol.
        """
        heard = self._wire.take()
        pongs = sum(one.kind == "ping" for one in heard)
        shown = [one for one in heard if one.kind != "ping"]
        for one in shown:
            if one.kind == "ask":
                self.question = one
            elif one.kind == "welcome":
                self.question = None
        return shown, self._wire.encode(message("pong")) * pongs

    def end(self) -> bytes:
        """Take note that the server has ended its side; return what is still to be shown as it is.

        Raises:
            ProtocolError: It ended in the middle of a frame, or without the greeting that was insisted on.
        """
        return self._wire.end()

    def stay_raw(self) -> bytes:
        """Speak before the server does; return what was held back of what it sent."""
        return self._wire.speak_raw() if self.listening else b""

    def say(self, line: str) -> bytes:
        """Return what carries a line: an answer where a question is open.

        Raises:
            UnsendableError: It is too long for a message, or no text.
        """
        if not self.in_messages:
            try:
                return line.encode() + self._line_end
            except UnicodeEncodeError as error:
                raise UnsendableError(f"{line!r} is no text: it holds bytes that are not UTF-8.") from error
        asked, self.question = self.question, None
        if asked is None:
            return self._wire.encode(message("line", line))
        return self._wire.encode(message("answer", line, field=asked.get("field")))

    def leave(self) -> bytes:
        """Return what says goodbye, if there is a way to."""
        return self._wire.encode(message("bye")) if self.in_messages else b""
