"""The operator's console: a terminal with a line editor, at which the server's operator reads along and types.

Three threads share it. The main thread waits for signals, as for any server. The editor's thread holds the prompt. The
console's own thread does all else in one order: it shows messages and events, and processes what was typed. Other
threads only put work into its queue, which is bounded: the server never waits for a terminal that was stopped.
"""

import io
import os
import select
import signal
import sys
import termios
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from sockctl.byte_queue import ByteQueue
from sockctl.cli.console_events import EventRing, EventSink, format_rows
from sockctl.cli.operator_editor import OperatorEditor
from sockctl.cli.operator_terminal import OperatorTerminal
from sockctl.client.chat.formatter import MessageFormatter
from sockctl.client.chat.local_commands import LocalCommand, LocalCommands
from sockctl.client.chat.roster import Roster
from sockctl.client.chat.theme import choose_theme
from sockctl.client.chat.window import ChatWindow, Update
from sockctl.client.confirmation import Confirmation
from sockctl.client.entry import MAX_BLOCK_BYTES, MAX_LINES, Entry
from sockctl.client.screen import Screen
from sockctl.client.session_events import QuestionAsked, Remark, SessionEvent, TextReturned
from sockctl.client.tty.background import NOT_ASKED, ask_background
from sockctl.client.tty.terminal_mode import as_typed
from sockctl.errors import StreamError
from sockctl.events.base import HELD_BYTES, Record
from sockctl.events.formats import Format
from sockctl.events.journal import Sink
from sockctl.protocol.messages import Message
from sockctl.terminal import STDIN, STDOUT, is_in_background, say
from sockctl.text import plural

CAPACITY_BYTES = 32 << 20
"""What waits for the terminal may take so many bytes; what comes beyond is counted, and not shown."""
BATCH, BATCH_BYTES = 1_024, 1 << 18
FOREGROUND_CHECK_S = 0.2
"""How often a server in the background looks whether it has its terminal again."""
END_S = 1.0
"""How long the terminal may take to get its last line, when the server stops."""
LAST_WORDS_S = 2.0
EVENTS = "/events on|off|N"
HUSHED = "Events are not shown from here on: /events on shows them as they come, /events 20 the last 20."

Work = Callable[[], None]


class Console(OperatorTerminal, ABC):
    """The console of one server; a context manager.

    Work that comes before `start` waits for it: the server's first events come first.

    Args:
        roster: The operator's name, and who is there.
        invitation: Tells the operator how to type.
        farewell: Shown when the input has ended.
    """

    def __init__(self, roster: Roster, *, invitation: str, farewell: str) -> None:
        self._invitation, self._farewell = invitation, farewell
        self._roster = roster
        self._screen = Screen()
        self._ring = EventRing()
        self._make_format: Callable[[], Format]
        self._format: Format
        # The editor's thread makes these three, then the console's owns them.
        self._formatter: MessageFormatter
        self._window: ChatWindow
        self._commands: LocalCommands
        self._editor: OperatorEditor | None = None
        self._asked: list[SessionEvent] = []
        self._confirmation = Confirmation(self._asked)
        self._waiting: list[str] = []  # what is written next
        self._queue: ByteQueue[Work] = ByteQueue(capacity_bytes=CAPACITY_BYTES)
        self._ready = threading.Event()  # the prompt is there
        self._resumed = threading.Event()  # the job goes on
        self._wake: Callable[[], None]
        self._stops, self._stopped = threading.Event(), threading.Event()
        self._background = NOT_ASKED
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

    # For the server's run.

    @property
    def edits(self) -> bool:
        """Whether a line is edited: then Ctrl-C leaves nothing on the screen."""
        return self._screen.above_prompt

    def watch(self, sink: Sink, make_format: Callable[[], Format], *, is_screen: bool, is_log: bool = True) -> Sink:
        """Return a sink that keeps the events, and shows some of them here; as `OperatorTerminal`."""
        self._make_format, self._format = make_format, make_format()
        if is_log:
            self._ring.begin(on=is_screen)
        return EventSink(self._ring, sink, is_screen=is_screen, show=self._show_events)

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
        self._ring.note_stop()
        self._stops.set()
        if not is_in_background():
            if self._editor is not None:
                self._editor.end_input()
            self._typist.join(END_S)
        if self._typist.is_alive():
            self._abandon_editor()
        self._stopped.set()

    # For the service: any thread, and it never waits.

    def _do(self, work: Work, held_bytes: int = 0) -> None:
        """Have the console's thread do some work, in order."""
        self._queue.put(work, HELD_BYTES + held_bytes)

    def _show_events(self, records: Sequence[Record]) -> bool:
        if not self._ready.is_set() or self._stopped.is_set():
            return False
        self._do(partial(self._write_events, records), sum(one.event.held_bytes for one in records))
        return True

    # In the console's thread.

    @abstractmethod
    def _send(self, entry: Entry) -> None:
        """Send what was entered."""

    def _note_typing(self) -> None:
        """Note that the operator types."""

    def _enter(self, text: str) -> None:
        """Process what was entered: a line, an answer, or several lines, which are asked about."""
        is_answer = self._confirmation.is_open
        entry = self._confirmation.answer(text, None) if is_answer else self._check(Entry.of(text))
        if entry is not None:
            self._send(entry)
        for event in self._asked:
            self._carry_out(event)
        self._asked.clear()

    def _check(self, entry: Entry) -> Entry | None:
        """Return an entry that needs no question; ask about others."""
        lines = len(entry.lines)
        if not entry.is_block:
            return entry
        if entry.is_too_large:
            self._refuse(
                f"Not sent: {lines:,} lines with {len(entry.text):,} characters. A block may have {MAX_LINES} lines, "
                f"and {MAX_BLOCK_BYTES:,} bytes.",
                entry.text,
            )
        else:
            self._confirmation.ask(f"{lines} lines: send?", entry)
        return None

    def _carry_out(self, event: SessionEvent) -> None:
        match event:
            case QuestionAsked(question) if self._editor is not None:
                self._editor.ask(question)
            case TextReturned(text):
                self._return_text(text)
            case Remark(text):
                self._tell(text)

    def _refuse(self, why: str, text: str) -> None:
        """Tell why a text isn't sent, and give it back."""
        self._show(Message({"kind": "error", "text": why}))
        self._return_text(text, told=True)

    def _return_text(self, text: str, *, told: bool = False) -> None:
        if self._editor is not None:
            self._editor.return_text(text, told=told)

    def _run_own(self, line: str) -> bool:
        """Carry out a command of the console's own; return whether it was one."""
        update = self._commands.run(line)
        if update is not None:
            self._write(update)
        return update is not None

    def _run_events(self, _: ChatWindow, choice: str) -> Update | None:
        """Carry out ``/events``."""
        if choice in {"on", "off"}:
            self._ring.turn(on=choice == "on")
        elif choice.isascii() and choice.isdigit() and int(choice[:9]) > 0:
            return Update(format_rows(self._ring.list_last(int(choice[:9])), self._make_format()))
        elif choice:
            return None
        return self._window.tell(f"Events are {'shown as they come' if self._ring.is_on else 'not shown'}: {EVENTS}")

    def _show(self, one: Message) -> None:
        self._roster.update(one)
        self._write(self._window.add(one, self._roster.context))

    def _tell(self, text: str) -> None:
        self._write(self._window.tell(text))

    def _hush_events(self) -> None:
        """Show events no longer, now that somebody is there."""
        if self._ring.hush():
            self._tell(HUSHED)

    def _write(self, update: Update) -> None:
        self._waiting.append(update.render())

    def _write_events(self, records: Sequence[Record]) -> None:
        self._write(Update(format_rows(records, self._format)))

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
            self._window.resize(*_measure())
            for work in batch:
                work()
            if lost := self._queue.pop_dropped():
                self._tell(f"{plural(lost, 'line')} missing here: they came faster than the terminal took them.")
            self._flush()

    # In the editor's thread.

    @property
    def _state(self) -> str:
        """What the status line says of the server's events."""
        return "events shown" if self._ring.is_on else "events hidden"

    def _edit(self) -> None:
        """Let the operator type until the input or the server ends."""
        try:
            with as_typed():
                say(self._invitation)
                self._open_window()
                self._editor = self._make_editor()
                if not self._stops.is_set():
                    self._editor.hold(self._read_entries, lambda: None)
        finally:
            self._screen.above_prompt = False
            self._ready.set()
        if not self._stops.is_set():
            say(self._farewell)

    @abstractmethod
    def _make_editor(self) -> OperatorEditor:
        """Return the editor."""

    def _open_window(self) -> None:
        colours = self._screen.colours
        self._background = ask_background() if colours else NOT_ASKED
        self._formatter = MessageFormatter(colours=colours, theme=choose_theme(self._background.colour))
        self._window = ChatWindow(self._roster, self._formatter)
        events = LocalCommand(
            EVENTS, "Show the server's events as they come, or don't, or the last N.", self._run_events
        )
        self._commands = LocalCommands(self._window, {"events": events})

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
            termios.tcsetattr(STDIN, termios.TCSANOW, self._mode)


def _measure() -> tuple[int, int]:
    """Return columns and lines of the terminal."""
    try:
        return os.get_terminal_size(STDOUT)
    except OSError:  # it has gone
        return 80, 24
