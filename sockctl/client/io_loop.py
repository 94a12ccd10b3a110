"""The loop of `sockctl connect` and `sockctl listen`: waits for sockets, the input and the clock at once.

`connect` has one session, with one connection after another. `listen` has a door, which brings a link for each client:
one at a time, or several, which all get the same input.
"""

import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from sockctl.client.inputs import EXIT, as_text
from sockctl.client.link import READ_BYTES, Link
from sockctl.client.screen import Screen
from sockctl.errors import StreamError
from sockctl.signals import signals_as_bytes
from sockctl.terminal import STDIN
from sockctl.text import make_visible

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from sockctl.client.tty.entries import Entries
    from sockctl.client.tty.user import TerminalUser

INPUT_BYTES = 131_072
"""The most bytes of one read of the input. From a file, that costs two thirds of the CPU time of 64 KiB; twice as
many cost more, since the memory for each read is mapped anew."""
MAX_AHEAD = 1_000
"""Lines that a person may type before there is a link."""
PASTE_S = 0.03
"""After ``exit`` or ``/quit``, for so long another line may follow that came with it."""


class Door(Protocol):
    """Where links come from, and what becomes of those that have ended."""

    @property
    def is_over(self) -> bool:
        """Whether no link comes any more, and none stands."""

    @property
    def wake_at(self) -> float | None:
        """When `admit` is due at the latest; None for never."""

    @property
    def sources(self) -> "Sequence[object]":
        """What to wait for until it is readable."""

    def admit(self, readable: "Container[object]") -> list[Link]:
        """Return the links that have just begun; do all that is due."""

    def finish(self, link: Link) -> None:
        """Close a link that has ended. Raises the error that ended it, where that ends all."""

    def end(self) -> None:
        """Bring no more links."""


class IoLoop:
    """The loop of one session, or of several.

    Args:
        link: The link of the only session; None where a door brings them.
        screen: Where remarks are shown.
        user: The person at the terminal; None without one.
        door: Brings links; None without one.
        input_bytes: The most bytes of one read of the input.
    """

    def __init__(
        self,
        link: Link | None = None,
        *,
        screen: Screen,
        user: "TerminalUser | None" = None,
        door: Door | None = None,
        input_bytes: int = INPUT_BYTES,
    ) -> None:
        self.links = [] if link is None else [link]
        self._screen = screen
        self._user = user
        self._door = door
        self._input: int | Entries = STDIN
        self._input_bytes = input_bytes
        self._input_ended = False  # for good: links that come later get no more of it
        self._ahead: list[bytes | str] = []  # typed while there was no link yet, for the next one
        self._stopped = threading.Event()  # Ctrl-C was typed: the thread that sets it then shuts the sockets
        self._waker = None if door is None else socket.socketpair()  # wakes a loop that waits for clients
        self._signals: socket.socket | None = None  # gets a byte at each signal

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        return all(link.ended is not None for link in self.links) if self._door is None else self._door.is_over

    def run(self, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Run until all is over, `stop` was called, or a person's input and the links that had it have ended.

        Args:
            goes_on: Asked before each step; it may end the run, too.

        Raises:
            StreamError: A standard stream broke.
            BrokenPipeError: The reader of the output has gone.
            SockctlError: The door raises it.
        """
        self._input_ended = self._input_ended and self._user is None
        with signals_as_bytes() as signals:
            self._signals = signals
            try:
                while not self.is_over and not self._stopped.is_set() and goes_on():
                    self.step()
                    if self._user is not None and self._input_ended and not self.links:
                        return
            finally:
                self._signals = None

    def read_from(self, source: "int | Entries") -> None:
        """Read the input from another descriptor, or from the line editor."""
        self._input = source

    def stop(self) -> None:
        """Make `run` return soon; any thread."""
        self._stopped.set()
        for link in [*self.links]:
            link.shut()
        if self._waker is not None:
            self._waker[0].send(b"\0")

    def close(self) -> None:
        """Close the links, and what the loop itself has open."""
        for link in self.links:
            link.close()
        for one in self._waker or ():
            one.close()

    def step(self) -> None:
        """Wait once, pass bytes on, and do all that is due. Raises what `run` raises."""
        readable = self._wait()
        if self._stopped.is_set():
            return  # the sockets were shut by this side: that is no end by the server
        for link in self.links:
            link.receive(readable)
        if self._input in readable and self._wants_input:
            self._read()
        for link in self.links:
            link.advance()
        if self._door is not None:
            self._pass_door(self._door, readable)

    def _pass_door(self, door: Door, readable: "Container[object]") -> None:
        """Let links go that have ended, and others come."""
        for link in [one for one in self.links if one.ended is not None]:
            self.links.remove(link)
            door.finish(link)
        for link in door.admit(readable):
            self.links.append(link)
            for typed in self._ahead:
                self._pass_on(link, typed)
            self._ahead.clear()
            if self._input_ended:
                self._pass_on(link, b"")

    @property
    def _wants_input(self) -> bool:
        """Whether all links want input: the slowest one sets the pace. What a person types ahead is read, too."""
        if self._input_ended:
            return False
        if not self.links:
            return self._user is not None and len(self._ahead) < MAX_AHEAD
        return all(link.session.wants_input and link.ended is None for link in self.links)

    def _wait(self) -> "Container[object]":
        """Wait until something can be read or sent, or is due; return the readable ones."""
        pending: list[object] = [link.sources[0] for link in self.links if link.is_pending]
        sources: list[Any] = [source for link in self.links for source in link.sources]
        due = [link.wake_at for link in self.links]
        if self._wants_input:
            sources.append(self._input)
        if self._door is not None:
            sources += self._door.sources
            due.append(self._door.wake_at)
        if self._waker is not None:
            sources.append(self._waker[1])
        if self._signals is not None:
            sources.append(self._signals)
        wake_at = min([time_ for time_ in due if time_ is not None], default=None)
        left_s = None if wake_at is None else max(0.0, wake_at - time.monotonic())
        sinks = [sink for link in self.links for sink in link.sinks]
        # With bytes that select() can't see, the others still have their turn: one side may send without end.
        readable, _, _ = select.select(sources, sinks, [], 0 if pending else left_s)
        if self._signals is not None and self._signals in readable:
            self._signals.recv(READ_BYTES)  # their handlers have run by now
        return [*pending, *readable]

    def _read(self) -> None:
        if not isinstance(self._input, int):
            self._take_entries(self._input)
            return
        try:
            data = os.read(self._input, self._input_bytes)
        except BlockingIOError:  # another process made it non-blocking, and took what was there
            return
        except OSError as error:
            raise StreamError(f"Standard input can't be read: {error.strerror}. Nothing more was sent.") from error
        if self._user is not None:
            if data.endswith(b"\n"):
                self._screen.begin_line()
            if data:
                self._user.note_read()
            leave_words = {EXIT, *(link.session.leave_word.encode() for link in self.links)}
            if data.strip() in leave_words and select.select([self._input], [], [], PASTE_S)[0]:
                data = as_text(data)  # a line of a paste: nobody types the next one so soon
        self._type(data)

    def _take_entries(self, entries: "Entries") -> None:
        """Hand on what was entered in the line editor."""
        texts, is_typing, ended = entries.take()
        for text in texts:
            if self._door is None:
                self._type(text)
                continue
            if "\n" in text.strip():  # the editor leaves it to the session to show that
                self._screen.remark("\n".join(f"> {make_visible(line)}" for line in text.split("\n")))
                self._screen.flush()
            self._type(_encode_entry(text))
        if is_typing and not texts:
            for link in self.links:
                link.perform(link.session.note_typing(time.monotonic()))
        if ended:
            self._type(b"")

    def _type(self, typed: bytes | str) -> None:
        """Give all sessions what was typed; no bytes mean the end of the input."""
        self._input_ended = typed == b""
        for link in self.links:
            self._pass_on(link, typed)
        if self._door is None or self.links:
            return
        if self._input_ended or typed in {EXIT, EXIT + b"\n"}:
            self._door.end()
        else:
            self._ahead.append(typed)

    @staticmethod
    def _pass_on(link: Link, typed: bytes | str) -> None:
        session, now = link.session, time.monotonic()
        link.perform(session.enter(typed, now) if isinstance(typed, str) else session.typed(typed, now))


def _encode_entry(text: str) -> bytes:
    """Return the line, or lines, that a person has entered in the line editor; no line of a paste is a command."""
    lines = text.encode().split(b"\n")
    return b"".join((as_text(line) if line.strip() == EXIT and lines[1:] else line) + b"\n" for line in lines)
