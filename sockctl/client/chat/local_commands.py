"""The commands that the client carries out by itself: they act on the window, and the server never sees them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sockctl.client.chat.roster import ChatContext
from sockctl.client.chat.update import Update
from sockctl.client.chat.window import ChatWindow
from sockctl.protocol.messages import Message, make_message


@dataclass(frozen=True, slots=True)
class LocalCommand:
    """One command.

    Attributes:
        usage: How it is written.
        help: One sentence that says what it does.
        run: Carries it out, with the text behind its name; None where the text is wrong.
    """

    usage: str
    help: str
    run: "Callable[[ChatWindow, str], Update | None]"


def _search(window: ChatWindow, word: str) -> Update | None:
    return window.search(word) if word else None


def _set_bell(window: ChatWindow, choice: str) -> Update | None:
    if choice not in {"on", "off", ""}:
        return None
    if choice:
        window.bell = choice == "on"
    return window.tell(f"The bell is {'on' if window.bell else 'off'}.")


def _clear(_: ChatWindow, rest: str) -> Update | None:
    return None if rest else Update([], clears=True)


COMMANDS = {
    "last": LocalCommand("/last TEXT", "Search what was said in the room that is shown.", _search),
    "bell": LocalCommand("/bell on|off", "Ring the bell at a mention or a private message, or don't.", _set_bell),
    "clear": LocalCommand("/clear", "Clear the screen; the room remembers its messages.", _clear),
}
KEYS = "Alt-1 to Alt-9, Alt-Left and Alt-Right go to another room."


class LocalCommands:
    """Carries out the client's own commands in a window. Not thread-safe.

    Args:
        window: The window.
        more: Further commands, by their names.
    """

    def __init__(self, window: ChatWindow, more: Mapping[str, LocalCommand] | None = None) -> None:
        self._window = window
        self._commands = {**COMMANDS, **(more or {})}
        self._lists_own = False  # whether the server's next list of commands gets those of the client in front

    def run(self, line: str) -> Update | None:
        """Carry out the command that a line gives; None where the line is for the server."""
        name, _, rest = line.strip().partition(" ")
        name, rest = name.lower(), rest.strip()
        if name in {"/help", "/?"}:
            return self._help(rest.removeprefix("/").lower())
        command = self._commands.get(name.removeprefix("/")) if name.startswith("/") else None
        if command is None:
            return None
        update = command.run(self._window, rest)
        return self._refuse(f"write {command.usage}") if update is None else update

    def go(self, line: str) -> Update | None:
        """Go to the room that a line joins, if the user is in it; the server gets the line nevertheless."""
        name, *rooms = line.split() or [""]
        return self._window.go(rooms[0]) if name.lower() in {"/join", "/j"} and len(rooms) == 1 else None

    def before(self, one: Message) -> Update:
        """Return the rows in front of a message: the client's own commands, where the server lists its own."""
        if not self._lists_own or one.kind not in {"notice", "error"}:
            return Update([])
        self._lists_own = False
        if one.get("code") != "help":
            return Update([])
        return self.list_own(KEYS)

    def list_own(self, *more: str) -> Update:
        """List the client's own commands, and further lines below them."""
        width = max(len(command.usage) for command in self._commands.values())
        lines = [f"{command.usage:<{width}}  {command.help}" for command in self._commands.values()]
        told = [
            self._window.tell(text, "help") for text in ("This window:", *(f"  {line}" for line in (*lines, *more)))
        ]
        return Update([row for update in told for row in update.rows])

    def _help(self, name: str) -> Update | None:
        if command := self._commands.get(name):
            return self._window.tell(f"{command.usage}: {command.help}")
        self._lists_own = not name
        return None

    def _refuse(self, advice: str) -> Update:
        return self._window.add(make_message("error", f"That can't be done: {advice}."), ChatContext())
