"""The operator's terminal where there is no line editor: lines in, lines out.

Standard output and standard input may be pipes, a terminal that can't move its cursor, or one in the background.
"""

import signal
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from sockctl.cli.operator_terminal import OperatorTerminal
from sockctl.errors import NobodyThereError
from sockctl.events.base import HELD_BYTES, Event, Record
from sockctl.events.journal import Journal
from sockctl.events.sinks import DescriptorSink
from sockctl.protocol.messages import Message, format_line, make_message, split_block
from sockctl.services.chat.commands import LOBBY
from sockctl.services.chat.reserved_names import CONSOLE_NAME
from sockctl.services.chat.service import Chat
from sockctl.services.talk import Talk, format_left
from sockctl.terminal import STDIN, STDOUT, is_terminal, measure_columns, read_line, say
from sockctl.text import make_visible
from sockctl.wrapping import wrap_lines

FIRST_WORDS_S = 1.0
"""How long the invitation waits for the lines in front of it, in case standard output is blocked."""
FOREGROUND_CHECK_S = 0.5
"""How often a server in the background looks whether it may read its terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown(Event):
    """One line for the operator."""

    line: str

    @property
    def held_bytes(self) -> int:
        return HELD_BYTES + sys.getsizeof(self.line)

    @property
    def happened(self) -> str:
        return self.line


class LineConsole(OperatorTerminal, ABC):
    """The operator's terminal; a context manager.

    Lines go through a journal of their own: the event thread never waits for a terminal that was stopped. Lines shown
    before `start` is called wait for that: the server's first events come first.

    Args:
        service: The service's name.
        invitation: Tells the operator how to type.
        farewell: Shown when the input has ended.
    """

    def __init__(self, service: str, *, invitation: str, farewell: str) -> None:
        self._invitation = invitation
        self._farewell = farewell
        self._reads = threading.Event()
        self._shown = Journal(DescriptorSink(STDOUT, self._format, label="standard output"), service=service)
        # A daemon: it waits for the keyboard, and nothing ends that but the end of the process.
        self._reader = threading.Thread(target=self._read, name="sockctl-operator", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reads.set()
        self._shown.close()

    def start(self, wake: Callable[[], None]) -> None:  # noqa: ARG002  the terminal itself stops the job
        """Let the operator type."""
        self._reads.set()
        self._shown.wait_until_written(FIRST_WORDS_S)
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)  # else a shell's job in the background is stopped when it reads
        say(self._invitation)
        self._reader.start()

    def show(self, line: str) -> None:
        """Show a line; never waits."""
        self._shown.emit(_Shown(line=line))

    @abstractmethod
    def _take(self, line: str) -> None:
        """Process a line of the operator that isn't empty."""

    def _format(self, record: Record) -> str:
        self._reads.wait()
        line = make_visible(record.event.text)
        return wrap_lines(line, measure_columns(STDOUT), cuts=False) if is_terminal(STDOUT) else line

    def _read(self) -> None:
        while (line := _read_in_foreground()) is not None:
            if line:
                self._take(line)
        say(self._farewell)


class ChatLines(LineConsole):
    """The operator's lines of ``serve chat``.

    Args:
        chat: The chat, which is not yet served.
    """

    def __init__(self, chat: Chat) -> None:
        super().__init__(
            Chat.name,
            invitation="What is said is shown here. Type lines to chat along as server; /help lists the commands. "
            "Ctrl-C ends it.",
            farewell="The operator's input has ended: what is said is still shown. Ctrl-C ends the server.",
        )
        self._say = chat.open_console(self.show_message)

    def show_message(self, one: Message) -> None:
        """Show a message; never waits. What the operator has said in a room stands there already, as it was typed."""
        private = one.fields.get("private") is True
        if one.kind == "typing" or (one.kind == "say" and one.get("sender") == CONSOLE_NAME and not private):
            return
        to = f"to {one.get('to')}: " if private and one.get("to") != CONSOLE_NAME else ""
        for single in split_block(one):
            self.show(to + format_line(single, unmarked_room=LOBBY))

    def _take(self, line: str) -> None:
        self._say(make_message("line", line))


class TalkLines(LineConsole):
    """The operator's lines of ``serve talk``.

    Attributes:
        talk: The service.
    """

    def __init__(self) -> None:
        self.talk = Talk(self)
        super().__init__(
            Talk.name,
            invitation="Type lines, Enter sends each to the client that spoke last; '@2 hello' goes to client 2. "
            "Ctrl-C ends it.",
            farewell="The operator's input has ended: what clients say is still shown, and nobody answers. Ctrl-C "
            "ends the server; --reply-with lets a program answer.",
        )

    def show_joined(self, number: int, peer: str) -> None:
        """Show that a client is here."""
        self.show(f"* client {number} joined from {peer}")

    def show_said(self, number: int, text: str) -> None:
        """Show a client's message."""
        self.show(f"<{number}> {text}")

    def show_left(self, number: int, why: str) -> None:
        """Show that a client is gone, and why, unless it left of its own will."""
        self.show(f"* {format_left(number, why)}")

    def _take(self, line: str) -> None:
        try:
            self.talk.say(line)
        except NobodyThereError as error:
            say(str(error))


def _read_in_foreground() -> str | None:
    """Wait for a line, also until the shell brings this job to the foreground; None at the end of the input."""
    while True:
        try:
            return read_line()
        except OSError:
            if not is_terminal(STDIN):
                return None  # the terminal has gone
            time.sleep(FOREGROUND_CHECK_S)
