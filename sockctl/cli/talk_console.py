"""The operator's terminal of ``serve talk``: the prompt shows which client gets the line."""

import re
from collections import deque
from functools import partial
from typing import Any

from sockctl.cli.console import Console
from sockctl.cli.operator_editor import OperatorEditor
from sockctl.client.chat.local_commands import COMMANDS
from sockctl.client.chat.roster import Roster
from sockctl.client.chat.status_line import STYLE, Status, status_row
from sockctl.client.entry import Entry
from sockctl.client.fragments import Fragments
from sockctl.client.tty.entries import Entries
from sockctl.errors import NobodyThereError
from sockctl.protocol.messages import make_message
from sockctl.services.talk import Talk, format_left, split_address
from sockctl.text import format_count

NOBODY = 0
"""Stands for no client: their numbers begin with 1."""
_HELP = ("@2 TEXT           Send something to client 2.", "Anything else goes to the client that the prompt shows.")
_OWN_COMMAND = re.compile(r"/(?:events|help|\?|" + "|".join(COMMANDS) + r")(?: .*)?", re.IGNORECASE)


class TalkConsole(Console):
    """The console of a talk.

    Attributes:
        talk: The service.
    """

    def __init__(self) -> None:
        self.talk = Talk(self)
        super().__init__(
            Roster(),
            invitation="Type lines, Enter sends each to the client that the prompt shows; '@2 hello' goes to client 2. "
            "/help lists the commands. Ctrl-C clears the line; on an empty line it stops the server.",
            farewell="The operator's input has ended: what clients say is still shown, and nobody answers. Ctrl-C "
            "stops the server; --reply-with lets a program answer.",
        )
        self._talker: TalkEditor
        self._number = NOBODY  # of the client that the entry is for

    def show_joined(self, number: int, peer: str) -> None:
        """Show that a client is here."""
        self._do(partial(self._tell, f"client {number} joined from {peer}"))
        self._do(self._hush_events)

    def show_said(self, number: int, text: str) -> None:
        """Show a client's message."""
        self._do(partial(self._show, make_message("say", text, sender=str(number))), len(text))

    def show_left(self, number: int, why: str) -> None:
        """Show that a client is gone, and why, unless it left of its own will."""
        self._do(partial(self._tell, format_left(number, why)))

    def _enter(self, text: str) -> None:
        number, _, text = text.partition(" ")
        if not self._confirmation.is_open:
            self._number = int(number)
        super()._enter(text)

    def _send(self, entry: Entry) -> None:
        text = entry.text
        if _OWN_COMMAND.fullmatch(text):
            if text.split()[0].lower() in {"/help", "/?"}:
                self._write(self._commands.list_own(*_HELP))
            else:
                self._run_own(text)
            return
        number, said = (None, text) if entry.is_block else split_address(text)
        number = self._number if number is None else number
        lines = [line for line in said.split("\n") if line.strip()]
        if not lines:
            return
        try:
            self.talk.send(number or None, *lines)
        except NobodyThereError as error:
            self._refuse(str(error), text)
        else:
            self._show(make_message("say", lines=[f"→{number} {line}" for line in lines]))

    def _return_text(self, text: str, *, told: bool = False) -> None:
        self._talker.give_back(self._number, text, told=told)

    def _make_editor(self) -> OperatorEditor:
        background = self._open_window()
        self._talker = TalkEditor(
            self.talk, stop_job=self._await_foreground, status=self._status, background=background
        )
        return self._talker

    def _status(self, columns: int) -> Fragments:
        clients = format_count(len(self.talk.numbers), "client")
        clock = f"{self._formatter.now():%H:%M}"
        return [(STYLE, status_row(Status(clients, None, state=self._state, clock=clock), columns))]


class TalkEditor(OperatorEditor):
    """Shows the client that gets the line, which stays the same until the line is empty.

    An entry has the client's number and a space in front.

    Args:
        talk: The service.
        editing: The arguments of `OperatorEditor`.
    """

    def __init__(self, talk: Talk, **editing: Any) -> None:
        super().__init__(prompt=self._form_prompt, **editing)
        self.entries.close()
        self.entries = _AddressedEntries(self)
        self.number = NOBODY
        self._talk = talk
        self._is_held = False  # for a text that comes back
        self._refused: deque[int] = deque()

    def find_words(self, before: str) -> tuple[str, list[str]]:
        """Return the word before the cursor, and the clients that it may address, or the console's own commands."""
        if self.is_asked or " " in before or before[:1] not in {"@", "/"}:
            return super().find_words(before)
        if before.startswith("/"):
            names = sorted(["events", "help", *COMMANDS])
            return before, [f"/{name} " for name in names if name.startswith(before[1:].lower())]
        return before, [f"@{number} " for number in self._talk.numbers if f"@{number}".startswith(before)]

    def give_back(self, number: int, text: str, *, told: bool) -> None:
        """Put a text back into the editor, for the same client as before; any thread."""
        self._refused.append(number)
        self.return_text(text, told=told)

    def _process_news(self) -> None:
        while self._refused:
            number = self._refused.popleft()
            if not self._prompt.default_buffer.text:
                self.number, self._is_held = number, True
        super()._process_news()

    def _comes_back(self, _: str) -> bool:
        return True  # the console shows to whom it went, and when

    def _form_prompt(self) -> Fragments:
        text = self._prompt.default_buffer.text
        if text:
            self._is_held = False
        elif not self._is_held:
            self.number = self._talk.addressee or NOBODY
        number = (None if "\n" in text else split_address(text)[0]) or self.number
        if number == NOBODY:
            return [("", "> ")]
        gone = "" if number in self._talk.numbers else " (not here)"
        return [("bold", f"→{number}{gone}"), ("", "> ")]


class _AddressedEntries(Entries):
    """Entries with the number of the client that the prompt showed in front."""

    def __init__(self, editor: TalkEditor) -> None:
        super().__init__()
        self._editor = editor

    def put(self, text: str) -> None:
        """Add an entry, if there is a place for it."""
        super().put(f"{self._editor.number} {text}")
