"""The operator of ``serve talk``: sees what clients say on standard output, and answers on standard input."""

import threading
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar

from sockctl.cli.terminal import STDOUT, read_line, say
from sockctl.errors import NobodyThereError
from sockctl.events.base import Event
from sockctl.events.journal import Journal, Record
from sockctl.events.reasons import DisconnectReason
from sockctl.events.sinks import DescriptorSink
from sockctl.services.talk import Talk
from sockctl.text import visible

__all__ = ["Operator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown(Event):
    """One line for the operator."""

    name: ClassVar[str] = "shown"

    line: str

    @property
    def text(self) -> str:
        return self.line


class Operator:
    """Whoever sits at the server's terminal; a context manager.

    What is shown goes through a journal of its own: the event thread never waits for a terminal that was stopped.
    """

    def __init__(self) -> None:
        self.talk = Talk(self)
        self._shown = Journal(DescriptorSink(STDOUT, _as_line, label="standard output"), service=Talk.name)
        # A daemon: it waits for the keyboard, and nothing ends that but the end of the process.
        self._reader = threading.Thread(target=self._read, name="sockctl-operator", daemon=True)

    def __enter__(self) -> "Operator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shown.close()

    def start(self) -> None:
        """Read what the operator types from now on."""
        say("Type lines, Enter sends each to the client that spoke last; '@2 hello' goes to client 2. Ctrl-C ends it.")
        self._reader.start()

    def joined(self, number: int, peer: str) -> None:
        """Show that a client is here."""
        self._show(f"* client {number} joined from {peer}")

    def said(self, number: int, text: str) -> None:
        """Show what a client has said."""
        self._show(f"<{number}> {text}")

    def left(self, number: int, reason: DisconnectReason) -> None:
        """Show that a client is gone."""
        self._show(f"* client {number} left ({reason})")

    def _show(self, line: str) -> None:
        self._shown.tell(_Shown(line=line))

    def _read(self) -> None:
        while (line := read_line()) is not None:
            if not line:
                continue
            try:
                self.talk.say(line)
            except NobodyThereError as error:
                say(str(error))
        say(
            "The operator's input has ended: what clients say is still shown, and nobody answers. Ctrl-C ends the "
            "server; --reply-with lets a program answer."
        )


def _as_line(record: Record) -> str:
    return visible(record.event.text)
