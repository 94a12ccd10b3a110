"""The user at the terminal of a session: invites the user to type, asks questions, and runs the line editor."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sockctl.client.screen import Screen
from sockctl.client.tty.no_echo import NoEcho
from sockctl.terminal import STDIN, say

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView
    from sockctl.client.tty.line_editor import LineEditor
    from sockctl.protocol.messages import Message


class TerminalUser:
    """The user at the terminal.

    Args:
        screen: Shows remarks.
        view: The memory of the session, from which the line editor completes words.
        may_edit: Whether to use the line editor on a terminal that can edit lines.
        quiet: Whether to leave out how to type.
    """

    def __init__(self, screen: Screen, view: "ChatView | None", *, may_edit: bool, quiet: bool = False) -> None:
        self._screen = screen
        self._view = view
        self._may_edit = may_edit
        self._hidden = NoEcho(STDIN)
        self._editor: LineEditor | None = None
        self._invited = quiet
        self._question: Message | None = None  # the first question of the line editor

    def invite(self) -> None:
        """Say how to type, once."""
        if not self._invited:
            self._invited = True
            self._screen.remark("Type lines, Enter sends each. 'exit' or Ctrl-D ends the connection.")

    def ask(self, question: "Message | None") -> None:
        """Prepare for the answer to `question`, before the screen shows it; None withdraws the last question."""
        self._question = question
        (self._editor or self._hidden).ask(question)

    def end_question(self) -> None:
        """Note that the user has typed a line."""
        self._question = None
        if self._hidden.end():
            say("")  # the terminal has not shown Enter either

    def edit(self, run: Callable[[], None], stop: Callable[[], None], read_from: Callable[[int], None]) -> bool:
        """Invite the user to type, and edit lines until `run` returns; return False if there is no line editor.

        Args:
            run: Runs the session; called in another thread.
            stop: Makes `run` return soon.
            read_from: Makes the session read lines from a descriptor.

        Raises:
            KeyboardInterrupt: The user typed Ctrl-C, or a signal came that ends the process.
            Exception: `run` has raised it.
        """
        if not self._may_edit:
            return False
        from sockctl.client.tty.line_editor import LineEditor, as_typed, can_edit_lines

        if not can_edit_lines():
            return False
        if self._view is not None:
            self._view.own_lines_stay = False
        self._hidden.end()  # the editor hides by itself
        with as_typed():
            self.invite()
            self._editor = LineEditor(None if self._view is None else self._view.roster)
            self._editor.ask(self._question)
            read_from(self._editor.fileno())
            self._screen.above_prompt = True
            try:
                self._editor.hold(run, stop)
            finally:
                self._screen.above_prompt = False
        return True

    def leave(self) -> None:
        """Restore the terminal."""
        self._hidden.end()
