"""A terminal with a line editor, at which the operator of a server sits.

Three threads share it. The main thread waits for signals, as for any server. The editor's thread holds the prompt. The
console's own thread does all else in one order: it shows messages and events, and processes what was typed. Other
threads only put work into its queue, which is bounded: the server never waits for a terminal that was stopped.
"""

import contextlib
import io
import os
import select
import signal
import sys
import termios
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Self

from sockctl.byte_queue import ByteQueue
from sockctl.cli.operator_editor import OperatorEditor
from sockctl.cli.operator_terminal import OperatorTerminal
from sockctl.client.screen import Screen
from sockctl.client.tty.terminal_mode import as_typed
from sockctl.errors import StreamError
from sockctl.events.base import HELD_BYTES
from sockctl.terminal import STDIN, STDOUT, is_in_background, measure_terminal, say
from sockctl.text import format_count

CAPACITY_BYTES = 32 << 20
"""What waits for the terminal may take so many bytes; what comes beyond is counted, and not shown."""
BATCH, BATCH_BYTES = 1_024, 1 << 18
FOREGROUND_CHECK_S = 0.2
"""How often a server in the background looks whether it has its terminal again."""
END_S = 3.0
"""How long the editor may take to leave the terminal, when the server stops: it waits 1 s for the terminal's answers.
An abandoned editor may yet change the mode of the terminal: then the shell shows nothing of what is typed."""
LAST_WORDS_S = 2.0

Work = Callable[[], None]


class ConsoleTerminal(OperatorTerminal, ABC):
    """The terminal of one server; a context manager.

    Work that comes before `start` waits for it: the server's first events come first.

    Args:
        invitation: Tells the operator how to type.
        farewell: Shown when the input has ended.
    """

    def __init__(self, *, invitation: str, farewell: str) -> None:
        self._invitation, self._farewell = invitation, farewell
        self._screen = Screen()
        self._editor: OperatorEditor | None = None  # the editor's thread makes it
        self._waiting: list[str] = []  # what is written next
        self._queue: ByteQueue[Work] = ByteQueue(capacity_bytes=CAPACITY_BYTES)
        self._ready = threading.Event()  # the prompt is there
        self._resumed = threading.Event()  # the job goes on
        self._stops, self._stopped = threading.Event(), threading.Event()
        self._wake: Work
        # Daemons: they may wait for a terminal that was stopped.
        self._worker = threading.Thread(target=self._work, name="sockctl-console", daemon=True)
        self._typist = threading.Thread(target=self._edit, name="sockctl-operator", daemon=True)

    def __enter__(self) -> Self:
        self._mode = termios.tcgetattr(STDIN)
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ready.set()
        self._queue.close()
        self._worker.join(LAST_WORDS_S)

    # For the server's run; the main thread.

    @property
    def edits(self) -> bool:
        """Whether a line is edited: then Ctrl-C leaves nothing on the screen."""
        return self._screen.above_prompt

    def start(self, wake: Callable[[], None]) -> None:
        """Let the operator type; as `OperatorTerminal`."""
        self._wake = wake
        self._typist.start()

    def stop_job(self) -> None:
        """Stop the job; return when the shell goes on with it, as only the main thread can tell."""
        os.kill(0, signal.SIGTSTP)
        self._resumed.set()

    def stop(self) -> None:
        """Let nothing more be typed, and leave the terminal as it was, with what was half typed."""
        self._stops.set()
        if not is_in_background():
            if self._editor is not None:
                self._editor.end_input()
            self._typist.join(END_S)
        if self._typist.is_alive():
            self._abandon_editor()
        self._stopped.set()

    # For other threads; it never waits.

    def _do(self, work: Work, held_bytes: int = 0) -> None:
        """Have the console's thread do some work, in order."""
        self._queue.put(work, HELD_BYTES + held_bytes)

    def _is_open(self) -> bool:
        """Return whether the prompt has been there, and the server doesn't stop."""
        return self._ready.is_set() and not self._stopped.is_set()

    # In the console's thread.

    @abstractmethod
    def _enter(self, text: str) -> None:
        """Process what was entered."""

    def _note_typing(self) -> None:
        """Note that the operator types."""

    @abstractmethod
    def _resize(self, columns: int, lines: int) -> None:
        """Note the size of the terminal."""

    @abstractmethod
    def _tell(self, text: str) -> None:
        """Tell the operator something."""

    def _flush(self) -> None:
        data, self._waiting = "".join(self._waiting), []
        if data:
            try:
                self._screen.write(data.encode())
                self._screen.flush()
            except (StreamError, BrokenPipeError):
                return  # the terminal has gone

    def _work(self) -> None:
        self._ready.wait()
        ended = self._editor is None  # the server has not begun
        while not ended:
            batch, ended = self._queue.fetch(count=BATCH, size_bytes=BATCH_BYTES)
            self._resize(*measure_terminal(STDOUT))
            for work in batch:
                work()
            if lost := self._queue.pop_dropped():
                self._tell(f"{format_count(lost, 'line')} missing here: they came faster than the terminal took them.")
            self._flush()

    # In the editor's thread.

    @abstractmethod
    def _make_editor(self) -> OperatorEditor:
        """Return the editor."""

    def _edit(self) -> None:
        """Let the operator type until the input or the server ends."""
        try:
            with as_typed():
                say(self._invitation)
                self._editor = self._make_editor()
                if not self._stops.is_set():
                    self._editor.hold(self._read_entries, lambda: None)
        finally:
            self._screen.above_prompt = False
            self._ready.set()
        if not self._stops.is_set():
            say(self._farewell)

    def _await_foreground(self) -> None:
        """Have the job stopped, and wait until the shell brings it to the foreground.

        A shell may go on with it in the background. Then the server serves, what is to be shown waits, and the mode of
        the terminal isn't touched: it is the shell's.
        """
        self._resumed.clear()
        self._wake()
        self._resumed.wait()
        while is_in_background():
            time.sleep(FOREGROUND_CHECK_S)

    def _read_entries(self) -> None:
        """Have the console's thread process what is entered, until nothing more is."""
        assert self._editor is not None  # noqa: S101  it calls this
        self._screen.above_prompt = True
        self._ready.set()
        ended = False
        while not ended:
            select.select([self._editor], [], [])
            texts, is_typing, ended = self._editor.entries.take()
            for text in texts:
                self._do(partial(self._enter, text), sys.getsizeof(text))
            if is_typing:
                self._do(self._note_typing)

    def _abandon_editor(self) -> None:
        """Leave the editor's thread alone: the terminal takes nothing any more, or is the shell's."""
        if self._editor is not None:
            self._editor.entries.end()
        self._screen.above_prompt = False
        sys.stdout, sys.stderr = io.StringIO(), io.StringIO()  # at its end, Python would wait for them
        if not is_in_background():
            with contextlib.suppress(termios.error):  # it has gone
                termios.tcsetattr(STDIN, termios.TCSANOW, self._mode)
