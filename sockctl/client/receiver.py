"""What the server says, on its way to whoever listens: it is shown, searched by the script, and counted."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from sockctl.client.dialogue import Dialogue
from sockctl.client.outputs import Output
from sockctl.errors import ExpectationError
from sockctl.protocol.line_splitter import LineSplitter

if TYPE_CHECKING:
    from sockctl.client.script import Script
    from sockctl.protocol.messages import Message

__all__ = ["Receiver"]

SEARCHED_CHARACTERS = 65_536
"""How much of one raw line a pattern is searched in."""
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")


class Receiver:
    """The listening half of a session. Not thread-safe.

    Args:
        dialogue: The connection's wire.
        output: Where it is shown.
        script: What waits for something to be said, if anything does.
        count: End after so many messages, or lines where there are none; None for no end.
        send: Sends what must be answered at once.
        on_bytes: Called with the number of bytes that came, when it is known whether they are messages.
        on_greeted: Called when the server has greeted, and the answer was sent.
        on_question: Called with each question before it is shown, and with None when it is void.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        output: Output,
        *,
        script: "Script | None",
        count: int | None,
        send: Callable[[bytes], None],
        on_bytes: Callable[[int], None],
        on_greeted: Callable[[], None],
        on_question: Callable[["Message | None"], None],
    ) -> None:
        self._dialogue = dialogue
        self._output = output
        self._script = script
        self._count = count
        self._send = send
        self._on_bytes = on_bytes
        self._on_greeted = on_greeted
        self._on_question = on_question
        self._counted = 0
        self._over = False  # whether the server has ended its side: then nothing can be sent any more
        self._lines = None if script is None and count is None else LineSplitter(limit=SEARCHED_CHARACTERS)

    @property
    def enough(self) -> bool:
        """Whether all that was to come has come, and the script is done; what comes now is not shown any more."""
        return self._counted == self._count and (self._script is None or self._script.ended)

    def received(self, data: bytes) -> None:
        """Take what the server sent.

        Raises:
            ProtocolError: It breaks the protocol.
            ExpectationError: It comes when the time of an expectation is up.
            BrokenPipeError: Nobody reads the output any more.
            StreamError: The output can't be written.
        """
        self._output.received(data)
        try:
            raw, reply = self._dialogue.hear(data)
        finally:
            self._on_bytes(len(data))
        if reply:
            self._send(reply)
            self._on_greeted()
        if raw:
            self.raw(raw)
        self._take()

    def catch_up(self) -> None:
        """Show a question that was held back long enough. Raises what `received` raises."""
        question = self._dialogue.overdue()
        if question is not None:
            self._message(question)

    def _take(self) -> None:
        while not self.enough:
            messages, reply = self._dialogue.take()
            self._send(reply)
            for one in messages:
                self._message(one)
            if not messages and not reply:
                break

    def raw(self, data: bytes) -> None:
        """Take bytes that are no messages; no bytes mean the end. Raises what `received` raises."""
        if self._lines is None:
            self._output.heard(data)
            return
        # Line by line where they are counted: what comes behind the last one is not shown.
        for piece in [data] if self._count is None or not data else _LINES.findall(data):
            if self.enough:
                return
            self._output.heard(piece)
            lines = self._lines.feed(piece)
            self._heard(len(lines), lines, self._lines.open)

    def end(self, *, by_server: bool) -> None:
        """Take note that nothing more comes, and see whether everything has come.

        Args:
            by_server: Whether the server has ended its side.

        Raises:
            ProtocolError: It ended in the middle of a frame.
            ExpectationError: Something that was to come has not come.
            ConnectionBrokenError: The script has something left to send.
        """
        if self.enough:
            return
        self._over = by_server
        rest = self._dialogue.end() if by_server else b""
        if rest:
            self.raw(rest)
        self.raw(b"")
        if self._script is not None and by_server:
            self._script.end()
        if self._count is not None and self._counted < self._count:
            raise ExpectationError(
                f"The connection ended {self._count - self._counted:,} short of the {self._count:,} messages of "
                f"--count."
            )

    def _message(self, one: "Message") -> None:
        shown = self._dialogue.admits(one)  # what comes behind the last one counts here, too
        if self.enough or not shown:
            return
        if one.kind in {"ask", "welcome"}:
            self._on_question(self._dialogue.question)
        self._output.message(one)
        self._heard(1, [one.text])

    def _heard(self, count: int, lines: list[str], open_line: str = "") -> None:
        if self._count is not None:
            self._counted = min(self._counted + count, self._count)
        if self._script is not None:
            self._script.hear(lines, open_line)
            if not self._over:
                self._script.advance()
