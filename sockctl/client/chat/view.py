"""What a client remembers of a session in a chat, across connections: messages, members, and the token."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sockctl.client.chat.roster import MAX_NAMES, MAX_ROOMS, ChatContext, Roster
from sockctl.client.chat.seen import Seen
from sockctl.client.chat.unconfirmed import REMEMBERED, UnconfirmedMessages, holds_text
from sockctl.protocol.messages import Message

if TYPE_CHECKING:
    from sockctl.client.chat.local_commands import LocalCommands
    from sockctl.client.chat.update import Update
    from sockctl.client.chat.window import ChatWindow

MAX_SEEN_BYTES = 2000
"""Bytes of the names of rooms in a `resume`: before login a frame has 4 KiB at most, and the token needs its share."""
MAX_TOLD = 10_000
"""The most messages of a welcome that are remembered; the client shows the rest again after the next one."""


class ChatView:
    """The memory of one session. Not thread-safe, but for `roster`.

    Args:
        own_lines_stay: Whether typed lines stay on the terminal; the client then hides them when they come back.
        remark: Tells the user something.

    Attributes:
        roster: The user's name and rooms, and their members.
        own_lines_stay: See the argument.
        arrived: Lines that have arrived though the connection was lost; the caller removes them.
        window: The window in which the user reads; None where messages are only printed.
    """

    def __init__(self, *, own_lines_stay: bool = True, remark: Callable[[str], None] = lambda _: None) -> None:
        self.roster = Roster()
        self.own_lines_stay = own_lines_stay
        self.window: ChatWindow | None = None
        self._commands: LocalCommands | None = None
        self.arrived: list[str] = []
        self._remark = remark
        self._remarked = False
        self._seen = Seen()
        self._unconfirmed = UnconfirmedMessages()
        self._unanswered: deque[str] = deque(maxlen=REMEMBERED)  # lines outside of rooms, and nothing came since
        self._is_arriving = False  # from a welcome until a user says something
        self._arrival: set[int] = set()  # the hashes of kind, room and text of this arrival's messages
        self._known: set[int] = set()  # those of the last arrival

    def admit(self, one: Message) -> bool:
        """Remember a message; return whether to show it: the user has not seen it yet."""
        self._unanswered.clear()
        self.roster.update(one)
        if self.roster.left_out and not self._remarked:
            self._remarked = True
            self._remark(
                f"The server names more rooms or members than are remembered ({MAX_ROOMS:,} and "
                f"{MAX_NAMES:,}), or longer names than there can be: those beyond can't be completed."
            )
        new = self._seen.admit(one) and not self._is_known(one)
        own = one.kind in {"say", "history"} and self.roster.is_me(one.get("sender"))
        if own and (arrived := self._unconfirmed.take_arrived(one)) is not None:
            self.arrived.append(arrived)
        if own and self._unconfirmed.confirm(one) and one.kind == "say" and self.own_lines_stay:
            return False
        return new

    def open_window(self, window: "ChatWindow") -> None:
        """Let the user read in a window from here on."""
        from sockctl.client.chat.local_commands import LocalCommands

        self.window = window
        self._commands = LocalCommands(window)

    def enter(self, line: str) -> "tuple[Update | None, bool]":
        """Process a line that was entered; return what changes in the window, and whether the server gets the line."""
        if self._commands is None:
            return None, True
        update = self._commands.run(line)
        return (self._commands.go(line), True) if update is None else (update, False)

    def show(self, one: Message, context: ChatContext) -> str:
        """Return what is written to the terminal for a message, where there is a window."""
        if self.window is None or self._commands is None:
            return ""
        return self._commands.before(one).render() + self.window.add(one, context).render()

    def note_sent(self, line: str) -> None:
        """Remember a line that goes out."""
        self._is_arriving = False  # from here on, any message may answer this line
        if self.roster.rooms:
            self._unconfirmed.add(line)
        elif line.strip():
            self._unanswered.append(line)

    def note_block_sent(self, lines: Sequence[str]) -> None:
        """Remember a block that goes out."""
        self._is_arriving = False
        self._unconfirmed.add_block(lines)

    def note_refused(self, text: str) -> bool:
        """Await a line or a block no longer: the server has refused it. Return whether it is more than a command."""
        self._unconfirmed.forget(text)
        return holds_text(text)

    def lose(self) -> list[str]:
        """Note that the connection is lost, and return the lines that may not have arrived.

        In a room a line comes back. Elsewhere a line has arrived if anything came after it.
        """
        unanswered = list(self._unanswered)
        self._unanswered.clear()
        return unanswered + self._unconfirmed.remove_all()

    def _is_known(self, one: Message) -> bool:
        """Return whether a message only repeats one of the last arrival.

        An arrival lasts from a welcome until a user says something. It has notices (the topic, the message of the day),
        the user's own joining of rooms, and their members.
        """
        if one.kind == "welcome":
            self._is_arriving = True
            self._known, self._arrival = self._arrival or self._known, set()
        elif one.kind == "say":
            self._is_arriving = False
        own = one.kind == "joined" and self.roster.is_me(one.get("name"))
        if one.get("code") == "missed":
            return False
        if not self._is_arriving or not (own or one.kind in {"notice", "members"}):
            return False
        repeated = hash((one.kind, one.get("room"), one.text))
        if len(self._arrival) < MAX_TOLD:
            self._arrival.add(repeated)
        is_known = repeated in self._known
        return self.window.is_back(one.get("room")) if is_known and own and self.window is not None else is_known

    def list_seen(self) -> dict[str, int] | None:
        """Return the rooms and the last id seen of each, for a `resume`; None if there are none."""
        seen: dict[str, int] = {}
        left = MAX_SEEN_BYTES
        for room in self.roster.last_rooms:
            left -= len(room.encode()) + 16
            if left >= 0:
                seen[room] = self._seen.find_last(room)
        return seen or None
