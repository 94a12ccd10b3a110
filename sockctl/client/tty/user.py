"""The user at the terminal of a session: invites the user to type, asks questions, and runs the line editor."""

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sockctl.client.entry import show_text
from sockctl.client.screen import Screen
from sockctl.client.session_events import QuestionAsked, TextArrived, TextReturned
from sockctl.client.tty.no_echo import NoEcho
from sockctl.errors import StreamError
from sockctl.terminal import STDIN, STDOUT, measure_terminal, say

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView
    from sockctl.client.fragments import Fragments
    from sockctl.client.tty.entries import Entries
    from sockctl.client.tty.line_editor import LineEditor
    from sockctl.client.typed_entries import TypedEntries
    from sockctl.protocol.messages import Message

AT_ONCE_S = 0.3
"""A line that came no longer ago may be part of a paste."""


class TerminalUser:
    """The user at the terminal.

    Args:
        screen: Shows remarks.
        view: The memory of the session, from which the line editor completes words.
        may_edit: Whether to use the line editor on a terminal that can edit lines.
        quiet: Whether to leave out how to type.
        typed: Where lines are kept that were typed, for the next time; None for nowhere.
        away_s: Returns in how many seconds the client connects again; None while it is connected.
        may_keep: Whether a line that no question asks for may be seen, and kept for the next time.
        ahead: Hides what is typed until it is known whether the server asks; None where nothing does.
    """

    def __init__(
        self,
        screen: Screen,
        view: "ChatView | None",
        *,
        may_edit: bool,
        quiet: bool = False,
        typed: "TypedEntries | None" = None,
        away_s: Callable[[], float | None] = lambda: None,
        may_keep: Callable[[], bool] = lambda: True,
        ahead: NoEcho | None = None,
    ) -> None:
        self._screen = screen
        self._view = view
        self._may_edit = may_edit
        self._typed = typed
        self._away_s = away_s
        self._may_keep = may_keep
        self._hidden, self._ahead = NoEcho(STDIN), ahead
        self._editor: LineEditor | None = None
        self._invited = quiet
        self._read_at = float("-inf")
        self._question: Message | None = None  # that came before there was a line editor

    def invite(self, leave: str = "exit") -> None:
        """Say how to type, once.

        Args:
            leave: The word that ends the connection.
        """
        if self._ahead is not None:
            self._ahead.end()
        if not self._invited:
            self._invited = True
            self._screen.remark(f"Type lines, Enter sends each. '{leave}' or Ctrl-D ends the connection.")

    def receive(self, event: QuestionAsked | TextReturned | TextArrived) -> None:
        """Get ready for the answer to a question, before it is shown, or give back a text that wasn't sent."""
        match event:
            case QuestionAsked(question):
                self._question = question
                (self._editor or self._hidden).ask(question)
            case TextReturned(text, why):
                if why or self._editor is None:
                    self._screen.remark_error(f"{why or 'Not sent'}: {show_text(text)}")
                if self._editor is not None:
                    self._editor.return_text(text, told=bool(why))
            case TextArrived(text) if self._editor is not None:
                self._editor.take_out(text)

    def end_question(self) -> None:
        """Note that the user has typed a line."""
        self._question = None
        if self._hidden.end():
            say("")  # the terminal has not shown Enter either

    def end_input(self) -> None:
        """Let nothing more be typed."""
        if self._editor is not None:
            self._editor.end_input()
        else:
            self._discard_rest()

    def note_read(self) -> None:
        """Note that a line was read without the line editor."""
        self._read_at = time.monotonic()

    def edit(
        self, run: Callable[[], None], stop: Callable[[], None], read_from: "Callable[[Entries], None]", leave: str
    ) -> bool:
        """Invite to type, and let lines be edited until `run` returns; return False where there is no line editor.

        Args:
            run: Runs the session; called in another thread.
            stop: Makes `run` return soon.
            read_from: Makes the session take what is entered.
            leave: The word that ends the connection.

        Raises:
            KeyboardInterrupt: Ctrl-C was typed twice, or a signal came that ends the process.
            Exception: `run` has raised it.
        """
        if not self._may_edit:
            return False
        from sockctl.client.tty.terminal_mode import as_typed

        if self._view is not None:
            self._view.own_lines_stay = False
        self._hidden.end()  # the editor hides by itself
        if self._ahead is not None:
            self._ahead.end()
        with as_typed():
            self.invite(leave)
            self._editor = self._make_editor()
            self._editor.ask(self._question)
            read_from(self._editor.entries)
            self._screen.above_prompt = True
            try:
                self._editor.hold(run, stop)
            finally:
                self._screen.flush()
                self._screen.above_prompt = False
                self._editor = None
        return True

    def _make_editor(self) -> "LineEditor":
        """Return the line editor; where there may be a chat, with the window on it."""
        from sockctl.client.tty.background import NOT_ASKED, ask_background
        from sockctl.client.tty.line_editor import LineEditor

        colours, view = self._screen.colours, self._view
        background = ask_background() if colours else NOT_ASKED
        if view is None:
            return LineEditor(background=background, typed=self._typed, may_keep=self._may_keep)
        from sockctl.client.chat.formatter import MessageFormatter
        from sockctl.client.chat.theme import choose_theme
        from sockctl.client.chat.window import ChatWindow
        from sockctl.client.tty.prompt import from_ansi
        from sockctl.client.tty.room_keys import bind_rooms

        window = ChatWindow(view.roster, MessageFormatter(colours=colours, theme=choose_theme(background.colour)))
        window.resize(*measure_terminal(STDOUT))
        view.open_window(window)

        def status(columns: int) -> "Fragments":
            window.resize(columns, measure_terminal(STDOUT)[1])
            return window.status(columns, away_s=self._away_s())

        return LineEditor(
            view.roster,
            prompt=window.prompt,
            echo=lambda text: from_ansi(window.echo(text)),
            status=status,
            keys=bind_rooms(window, self._go),
            background=background,
            typed=self._typed,
            may_keep=self._may_keep,
        )

    def _go(self, room: str | None) -> None:
        if self._editor is not None:
            self._editor.go(room)

    def leave(self) -> None:
        """Restore the terminal; leave nothing of a half-typed secret to the shell."""
        if self._question is not None:
            with contextlib.suppress(BrokenPipeError, StreamError):  # the terminal has gone
                self._screen.end_line()
        self._hidden.ask(None)
        self._discard_rest()

    def _discard_rest(self) -> None:
        """Discard the lines that came with the last one: the rest of a paste, which the shell would take."""
        if time.monotonic() < self._read_at + AT_ONCE_S:
            from sockctl.client.tty.terminal_mode import discard_input

            self._read_at = float("-inf")
            discard_input(STDIN)
