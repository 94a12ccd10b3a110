"""A transcript of a session in a file: the raw bytes of both directions, or the messages received."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.client.outputs import Output, encode_datagram_json, encode_json_line, encode_web_json, encode_web_message
from sockctl.client.screen import Screen
from sockctl.errors import StreamError
from sockctl.terminal import write_all

if TYPE_CHECKING:
    from sockctl.client.chat.roster import ChatContext
    from sockctl.protocol.messages import Message


class Transcript:
    """Writes a transcript as the session goes on. The constructor empties the file; a new one is the user's alone.

    The transcript leaves out messages sent: one of them may be a password, or hold a token.

    Args:
        path: The file.
        json: Whether messages are written as JSON lines.

    Raises:
        StreamError: It can't be opened.
    """

    def __init__(self, path: Path, *, json: bool) -> None:
        self._path = path
        self._json = json
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            raise StreamError(
                f"The transcript {path} can't be opened: {error.strerror}. Choose another file."
            ) from error

    def add_bytes(self, data: bytes) -> None:
        """Add bytes that were sent or received.

        Raises:
            StreamError: They can't be written.
        """
        try:
            write_all(self._descriptor, data)
        except OSError as error:
            raise StreamError(f"The transcript {self._path} can't be written: {error.strerror}.") from error

    def add_message(self, one: "Message") -> None:
        """Add a message that was received. Raises what `add_bytes` raises."""
        if self._json:
            self.add_bytes(encode_json_line(one.fields))
        elif one.text:
            from sockctl.protocol.messages import format_line

            self.add_bytes(f"{format_line(one)}\n".encode())

    def add_web_message(self, data: bytes, *, is_text: bool) -> None:
        """Add a message of a WebSocket that was received. Raises what `add_bytes` raises."""
        self.add_bytes((encode_web_json if self._json else encode_web_message)(data, is_text=is_text))

    def add_datagram(self, data: bytes) -> None:
        """Add a datagram that was sent or received. Raises what `add_bytes` raises."""
        self.add_bytes(encode_datagram_json(data) if self._json else data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def record(self, screen: Screen, shown: Output, is_framed: Callable[[], bool]) -> "RecordedOutput":
        """Return an output that shows by another one, and keeps this transcript."""
        return RecordedOutput(screen, shown, self, is_framed)


class RecordedOutput(Output):
    """Shows the server's words by another output, and keeps a transcript.

    Args:
        screen: Where to.
        shown: The other output.
        transcript: The transcript.
        is_framed: Returns whether both sides speak in messages: then bytes sent are left out.
    """

    shows_wire = True

    def __init__(self, screen: Screen, shown: Output, transcript: Transcript, is_framed: Callable[[], bool]) -> None:
        super().__init__(screen)
        self._shown = shown
        self._transcript = transcript
        self._is_framed = is_framed

    def show_bytes(self, data: bytes) -> None:
        """Show bytes that are no message; no bytes mean the end."""
        self._transcript.add_bytes(data)
        self._shown.show_bytes(data)

    def show_web_message(self, data: bytes, *, is_text: bool) -> None:
        """Show a message of a WebSocket."""
        self._transcript.add_web_message(data, is_text=is_text)
        self._shown.show_web_message(data, is_text=is_text)

    def show_datagram(self, data: bytes, *, is_sent: bool) -> None:
        """Show a datagram."""
        self._transcript.add_datagram(data)
        self._shown.show_datagram(data, is_sent=is_sent)

    def show_message(self, one: "Message", context: "ChatContext | None" = None) -> None:
        """Show a message."""
        self._transcript.add_message(one)
        self._shown.show_message(one, context)

    def show_sent(self, data: bytes) -> None:
        """Show bytes that were sent."""
        if not self._is_framed():
            self._transcript.add_bytes(data)
        self._shown.show_sent(data)

    def show_received(self, data: bytes) -> None:
        """Show bytes that were received; `show_bytes` and `show_message` have recorded them."""
        self._shown.show_received(data)
