"""What the operators of chat and talk share: the window, the server's events, and what is asked about."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial

from sockctl.cli.console_events import EventRing, EventSink, format_rows
from sockctl.cli.console_terminal import ConsoleTerminal
from sockctl.client.chat.formatter import MessageFormatter
from sockctl.client.chat.local_commands import LocalCommand, LocalCommands
from sockctl.client.chat.roster import Roster
from sockctl.client.chat.theme import choose_theme
from sockctl.client.chat.update import Update
from sockctl.client.chat.window import ChatWindow
from sockctl.client.confirmation import Confirmation
from sockctl.client.entry import Entry
from sockctl.client.session_events import QuestionAsked, Remark, SessionEvent, TextReturned
from sockctl.client.tty.background import NOT_ASKED, Background, ask_background
from sockctl.events.base import Record
from sockctl.events.formats import Format
from sockctl.events.journal import Sink
from sockctl.protocol.messages import Message, make_message
from sockctl.text import is_whole_number

EVENTS = "/events on|off|N"
HUSHED = "Events are not shown from here on: /events on shows them as they come, /events 20 the last 20."


class Console(ConsoleTerminal):
    """The console of one server.

    Args:
        roster: The operator's name, and who is there.
        invitation: Tells the operator how to type.
        farewell: Shown when the input has ended.
    """

    def __init__(self, roster: Roster, *, invitation: str, farewell: str) -> None:
        super().__init__(invitation=invitation, farewell=farewell)
        self._roster = roster
        self._ring = EventRing()
        self._make_format: Callable[[], Format]
        self._format: Format
        # The editor's thread makes these three, then the console's owns them.
        self._formatter: MessageFormatter
        self._window: ChatWindow
        self._commands: LocalCommands
        self._asked: list[SessionEvent] = []
        self._confirmation = Confirmation(self._asked)

    # For the server's run.

    def watch(self, sink: Sink, make_format: Callable[[], Format], *, is_screen: bool, is_log: bool = True) -> Sink:
        """Return a sink that keeps the events, and shows some of them here; as `OperatorTerminal`."""
        self._make_format, self._format = make_format, make_format()
        if is_log:
            self._ring.begin(on=is_screen)
        return EventSink(self._ring, sink, is_screen=is_screen, show=self._show_events)

    def stop(self) -> None:
        """Let nothing more be typed; as `OperatorTerminal`."""
        self._ring.note_stop()
        super().stop()

    def _show_events(self, records: Sequence[Record]) -> bool:
        """Show events; any thread, and it never waits. Return False while this isn't open."""
        if not self._is_open():
            return False
        self._do(partial(self._write_events, records), sum(one.event.held_bytes for one in records))
        return True

    # In the console's thread.

    def _resize(self, columns: int, lines: int) -> None:
        self._window.resize(columns, lines)

    @abstractmethod
    def _send(self, entry: Entry) -> None:
        """Send what was entered."""

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
        if not entry.is_block:
            return entry
        if entry.is_too_large:
            self._refuse(f"{entry.describe_excess()}.", entry.text)
        else:
            self._confirmation.ask(f"{len(entry.lines)} lines: send?", entry)
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
        self._show(make_message("error", why))
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
        elif is_whole_number(choice) and int(choice[:9]) > 0:
            last = self._ring.list_last(int(choice[:9]))
            rows = format_rows(last, self._make_format())
            return Update(rows) if rows else self._window.tell("There are no events yet.")
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
        shown = [record for record in records if self._ring.shows(record.event)]  # it may have changed since
        self._write(Update(format_rows(shown, self._format)))

    # In the editor's thread.

    @property
    def _state(self) -> str:
        """What the status line says of the server's events."""
        return "events shown" if self._ring.is_on else "events hidden"

    def _open_window(self) -> Background:
        """Make the window; return what is known of the terminal's background."""
        colours = self._screen.colours
        background = ask_background() if colours else NOT_ASKED
        self._formatter = MessageFormatter(colours=colours, theme=choose_theme(background.colour))
        self._window = ChatWindow(self._roster, self._formatter)
        help_text = "Show the server's events as they come, or don't, or the last N."
        self._commands = LocalCommands(self._window, {"events": LocalCommand(EVENTS, help_text, self._run_events)})
        return background
