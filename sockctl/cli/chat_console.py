"""The operator's terminal of ``serve chat``: the window on the chat that members have, on all rooms."""

import sys
import time
from functools import partial

from sockctl.cli.console import Console
from sockctl.cli.operator_editor import OperatorEditor
from sockctl.client.chat.roster import Roster
from sockctl.client.chat.unconfirmed import NumberedTexts, holds_text
from sockctl.client.entry import Entry
from sockctl.client.fragments import Fragments
from sockctl.client.protocol import TYPING_EVERY_S
from sockctl.client.tty.room_keys import bind_rooms
from sockctl.protocol.messages import Message, make_message
from sockctl.services.chat.reserved_names import CONSOLE_NAME
from sockctl.services.chat.service import Chat


class ChatConsole(Console):
    """The console of one chat, which is not yet served.

    Args:
        chat: The chat.
    """

    def __init__(self, chat: Chat) -> None:
        roster = _Everybody(chat)
        roster.update(make_message("welcome", name=CONSOLE_NAME, operator=True))
        super().__init__(
            roster,
            invitation="What is said is shown here. Type lines to chat along as server; /help lists the commands, "
            "/events shows the server's events. Ctrl-C clears the line; on an empty line it stops the server.",
            farewell="The operator's input has ended: what is said is still shown. Ctrl-C stops the server.",
        )
        self._sent = NumberedTexts()
        self._typed_at = float("-inf")
        self._say = chat.open_console(self.show_message)

    def show_message(self, one: Message) -> None:
        """Show a message; never waits."""
        self._do(partial(self._receive, one), sys.getsizeof(one.text))

    def _receive(self, one: Message) -> None:
        if one.kind == "joined" and one.text == f"{CONSOLE_NAME} joined {one.get('room')}.":
            return  # a console that reads along hears of itself, besides being told
        self._write(self._commands.before(one))
        self._show(one)
        refused = self._sent.take(one.fields.get("n")) if one.kind == "error" else None
        if refused is not None and holds_text(refused):
            self._return_text(refused, told=True)
        if one.kind == "joined" and not self._roster.is_me(one.get("name")):
            self._hush_events()

    def _send(self, entry: Entry) -> None:
        if entry.is_block:
            lines = entry.lines
            self._say(make_message("block", lines[0], lines=lines, n=self._sent.add(entry.text)))
        elif not self._run_own(entry.text):
            if (update := self._commands.go(entry.text)) is not None:
                self._write(update)
            self._say(make_message("line", entry.text, n=self._sent.add(entry.text)))

    def _note_typing(self) -> None:
        now = time.monotonic()
        if now - self._typed_at >= TYPING_EVERY_S:
            self._typed_at = now
            self._say(make_message("typing"))

    def _make_editor(self) -> OperatorEditor:
        from sockctl.client.tty.prompt import from_ansi

        background = self._open_window()
        return OperatorEditor(
            stop_job=self._await_foreground,
            roster=self._roster,
            prompt=self._window.prompt,
            echo=lambda text: from_ansi(self._window.echo(text)),
            status=self._status,
            keys=bind_rooms(self._window, self._go),
            background=background,
        )

    def _status(self, columns: int) -> Fragments:
        return self._window.status(columns, state=self._state)

    def _go(self, room: str | None) -> None:
        if self._editor is not None:
            self._editor.go(room)


class _Everybody(Roster):
    """The operator's own rooms, and all members of the chat, whatever their room."""

    def __init__(self, chat: Chat) -> None:
        super().__init__()
        self._chat = chat

    @property
    def others(self) -> list[str]:
        """The names of the other members, in alphabetical order."""
        return sorted((one.name for one in self._chat.members.list_all() if one.name != CONSOLE_NAME), key=str.lower)
