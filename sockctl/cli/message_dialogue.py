"""The client's side of a connection whose server speaks in messages, or may."""

from sockctl.cli.dialogue import Dialogue
from sockctl.protocol.client_wire import ClientWire, Phase
from sockctl.protocol.messages import Message, message

__all__ = ["MessageDialogue"]


class MessageDialogue(Dialogue):
    """Raw until the server greets, then in messages; each method means what that of `Dialogue` means.

    Args:
        insist: Whether only a message service will do.
        line_end: What ends a line where it stays raw.
    """

    def __init__(self, *, insist: bool, line_end: bytes = b"\n") -> None:
        super().__init__(line_end=line_end)
        self.insists = insist
        self._wire = ClientWire(insist=insist)

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
        """Take what the server sent; the answer to a greeting must be sent before anything else."""
        listening = self.listening
        raw = self._wire.feed(data)
        return raw, self._wire.hello() if listening and self.in_messages else b""

    def take(self) -> tuple[list[Message], bytes]:
        """Return messages, and the answers to pings, which nobody else has to see."""
        if not self.in_messages:
            return [], b""
        heard = self._wire.take()
        shown = [one for one in heard if one.kind != "ping"]
        return shown, self._wire.encode(message("pong")) * (len(heard) - len(shown))

    def end(self) -> bytes:
        """Take note of the end; text that was dropped for frames that never came is shown after all."""
        return self._wire.end()

    def stay_raw(self) -> bytes:
        """Speak before the server does."""
        return self._wire.speak_raw() if self.listening else b""

    def say(self, line: str) -> bytes:
        """Return what carries a line."""
        if not self.in_messages:
            return super().say(line)
        asked, self.question = self.question, None
        if asked is None:
            return self._wire.encode(message("line", line))
        return self._wire.encode(message("answer", line, field=asked.get("field")))

    def leave(self) -> bytes:
        """Return a `bye`."""
        return self._wire.encode(message("bye")) if self.in_messages else b""
