"""The server's words on their way to the user: shown, searched by the script, and counted."""

import re
from typing import TYPE_CHECKING

from sockctl.client.refusals import NOT_SAID
from sockctl.client.sender import Sender
from sockctl.client.session_events import (
    BytesToShow,
    DatagramToShow,
    MessageToLog,
    MessageToShow,
    QuestionAsked,
    Remark,
    SessionEvent,
    TextArrived,
    TextReturned,
    WebMessageToShow,
)
from sockctl.client.settings import ClientSettings
from sockctl.errors import ExpectationError, ProtocolError
from sockctl.protocol.line_splitter import LineSplitter
from sockctl.text import make_visible

if TYPE_CHECKING:
    from sockctl.client.protocol import MessageProtocol
    from sockctl.client.script import Script
    from sockctl.protocol.messages import Message

SEARCHED_CHARACTERS = 65_536
"""How much of one raw line a pattern is searched in."""
_LINES = re.compile(rb"[^\n]*\n|[^\n]+")


class Receiver:
    """The receiving half of a connection.

    Args:
        settings: How the session behaves.
        script: The steps that wait for something to be said, if there are any.
        sender: Sends the answers.
        events: Where events are appended.
    """

    def __init__(
        self, settings: ClientSettings, script: "Script | None", sender: Sender, events: list[SessionEvent]
    ) -> None:
        self._by_hand = settings.terminal
        self._logs = settings.log is not None
        self._count = settings.count
        self._script = script
        self._sender = sender
        self._events = events
        self._counted = 0
        self._server_ended = False
        self._lines = None if script is None and settings.count is None else LineSplitter(limit=SEARCHED_CHARACTERS)

    @property
    def has_enough(self) -> bool:
        """Whether everything has come, and the script is done; from then on nothing is shown."""
        return self._counted == self._count and (self._script is None or self._script.ended)

    def receive_messages(self, protocol: "MessageProtocol", now: float) -> None:
        """Show the messages that are complete, and answer those that ask for it.

        Raises:
            ProtocolError: The next one breaks the protocol.
            ExpectationError: The time of an expectation is up.
            ConnectionBrokenError: The server goes on asking, and takes no answer.
        """
        try:
            for one in protocol.wire.decode_all():
                self._sender.answer(protocol.wire.outgoing)
                self.show_message(protocol, one, now)
        except ProtocolError:
            if not self.has_enough:
                raise
        self._sender.answer(protocol.wire.outgoing)

    def show_message(self, protocol: "MessageProtocol", one: "Message", now: float) -> None:
        """Show a message, if it is meant for people."""
        if self._logs:
            self._events.append(MessageToLog(one))
        shown = protocol.admit(one)  # a message behind the last one counts here, too
        self._events += [TextArrived(text) for text in protocol.take_arrived()]
        if self.has_enough or not shown:
            return
        if one.kind == "ask" and (answer := protocol.encode_name()):
            self._sender.send(answer)
            if self._by_hand:
                self._events.append(
                    Remark(f"{make_visible(one.text)} {make_visible(protocol.login.named)}", is_error=False)
                )
                return
        if one.kind in {"ask", "welcome"}:
            self._sender.is_asked = protocol.question is not None
            self._events.append(QuestionAsked(protocol.question))
        self._events.append(MessageToShow(one, protocol.context))
        if (refused := protocol.take_refused(one)) is not None:
            self._events.append(TextReturned(refused, "" if self._by_hand else _explain_unsaid(one, refused)))
        self._search(protocol, [one.text], "", now)

    def show_raw(self, data: bytes, now: float) -> None:
        """Show bytes that are no messages; no bytes mean the end."""
        if self._lines is None:
            self._events.append(BytesToShow(data))
            return
        # Line by line where they are counted: bytes behind the last one are not shown.
        for piece in [data] if self._count is None or not data else _LINES.findall(data):
            if self.has_enough:
                return
            self._events.append(BytesToShow(piece))
            lines = self._lines.feed(piece)
            self._search(None, lines, self._lines.open, now)

    def show_web_message(self, data: bytes, now: float, *, is_text: bool) -> None:
        """Show a message of a WebSocket."""
        if self.has_enough:
            return
        self._events.append(WebMessageToShow(data, is_text))
        if self._lines is not None:
            self._search(None, [data.decode(errors="replace")], "", now)

    def show_datagram(self, data: bytes, now: float) -> None:
        """Show a datagram; for the script and the count it is a line, without the line feed that it may end with."""
        if self.has_enough:
            return
        self._events.append(DatagramToShow(data))
        if self._lines is not None:
            self._search(None, [data.decode(errors="replace").removesuffix("\n")], "", now)

    def _search(self, protocol: "MessageProtocol | None", lines: list[str], open_line: str, now: float) -> None:
        """Count lines or messages, and let the script see them."""
        if self._count is not None:
            self._counted = min(self._counted + len(lines), self._count)
        if self._script is not None:
            self._script.receive(lines, open_line)
            if not self._server_ended:
                self._sender.run(self._script, protocol, now)

    def finish(self, protocol: "MessageProtocol | None", now: float, *, by_server: bool) -> None:
        """Check that everything has come.

        Args:
            protocol: The messages, unless the wire is raw.
            now: The time.
            by_server: Whether the server has ended its side.

        Raises:
            ProtocolError: It ended in the middle of a frame, or without the greeting that was insisted on.
            TurnedAwayError: The server has greeted, and ended without reading the answer.
            ExpectationError: Something that was to come has not come.
            ConnectionBrokenError: The script has something left to send.
        """
        if self.has_enough:
            return
        self._server_ended = by_server
        if by_server and protocol is not None:
            protocol.refuse_end()
        if by_server and protocol is not None and (rest := protocol.wire.end()):
            self.show_raw(rest, now)
        self.show_raw(b"", now)
        if by_server and self._script is not None:
            self._script.end()
        if self._count is not None and self._counted < self._count:
            raise ExpectationError(
                f"The connection ended {self._count - self._counted:,} short of the {self._count:,} messages of "
                f"--count."
            )


def _explain_unsaid(one: "Message", text: str) -> str:
    """Return why a text of a pipe or a script is told again; empty where the error itself says enough."""
    if one.get("code") != NOT_SAID:
        return ""
    from sockctl.client.chat.unconfirmed import holds_text  # a pipe of raw bytes needs no messages

    return "This was not said" if holds_text(text) else "This was not done"
